"""Methods that contrast nodes: which row of one view is the same node as which row of another."""

import copy
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from graphcl._arguments import plain
from graphcl._host import where
from graphcl._random import Key
from graphcl.distributed import is_one_batch, joined_rows
from graphcl.methods.base import View, ViewMethod, check_two_views
from graphcl.nn import GraphEncoder, project_views

__all__ = ["NodeMethod", "NodeViewMethod", "align", "mark_seeds", "shared_nodes"]


def shared_nodes(views: Sequence[Data]) -> list[Tensor | None]:
    """For each view the rows of the nodes that all views hold, in one order; ``None`` where that is every row.

    Nodes are told apart by their graph and their ``n_id``, which every view that drops nodes carries; without one, by
    their position. Where the views carry ``seed_mask``, only the nodes that it marks count.

    Args:
        views: Views of the same graphs.

    Returns:
        One ``[K]`` tensor of rows per view, or ``None`` for each.

    Raises:
        ValueError: No node is in all views (of several ranks one may have none), or ``n_id`` names a node twice.

    Example:
        >>> whole = Data(x=torch.ones(4, 1), edge_index=torch.zeros(2, 0, dtype=torch.int64))
        >>> part = Data(x=torch.ones(2, 1), edge_index=whole.edge_index, n_id=torch.tensor([3, 1]))
        >>> [rows.tolist() for rows in shared_nodes([whole, part])]
        [[1, 3], [1, 0]]
    """
    if all("n_id" not in view and "seed_mask" not in view for view in views):
        sizes = {int(view.num_nodes or 0) for view in views}
        if len(sizes) == 1:
            return [None] * len(views)
        raise ValueError(
            f"expected views of the same nodes, got {sorted(map(str, sizes))} nodes without n_id; "
            "a view that drops nodes must carry n_id, each node's number in the input"
        )
    names = [_names(view) for view in views]
    span = max(int(number.max()) + 1 if number.numel() else 1 for _, number in names)
    codes = [graph * span + number for graph, number in names]
    rows = _rows_in_common(codes, [_wanted(view, code) for view, code in zip(views, codes, strict=True)])
    if rows[0].numel() == 0 and not is_one_batch():  # other ranks' views may have
        raise ValueError(
            "expected views that have nodes in common, got none; let the views keep more of the graph, "
            "or start their subgraphs at the same nodes"
        )
    return list(rows)


def _names(view: Data) -> tuple[Tensor, Tensor]:
    """The graph and the number of each node."""
    batch, ids = view._store.get("batch"), view._store.get("n_id")
    device = view.edge_index.device
    if ids is None:
        ids = torch.arange(view.num_nodes or 0, device=device)
        if batch is not None:
            ids = ids - view.ptr.index_select(0, batch)
    return torch.zeros_like(ids) if batch is None else batch, ids


def _wanted(view: Data, codes: Tensor) -> Tensor:
    """The rows that count: of a loader's batch the seeds, each once."""
    mask = view._store.get("seed_mask")
    return torch.arange(codes.numel(), device=codes.device) if mask is None else where(mask)


def _rows_in_common(codes: Sequence[Tensor], wanted: Sequence[Tensor]) -> list[Tensor]:
    rows = [wanted[0]]
    for code, counting in zip(codes[1:], wanted[1:], strict=True):
        ordered, order = code.index_select(0, counting).sort()
        if ordered.numel() == 0:
            return [counting[:0] for _ in codes]
        asked = codes[0].index_select(0, rows[0])
        place = torch.searchsorted(ordered, asked).clamp(max=ordered.numel() - 1)
        found = ordered.index_select(0, place) == asked
        if bool((ordered[1:] == ordered[:-1]).any() | (torch.bincount(place[found], minlength=1) > 1).any()):
            raise ValueError(
                "expected n_id to name each node of a graph once, got a node twice, so that its row in the other view "
                "is ambiguous; delete data.n_id, or number the nodes anew"
            )
        rows = [kept[found] for kept in rows] + [counting.index_select(0, order.index_select(0, place[found]))]
    return rows


class NodeMethod(ViewMethod):
    """A method that makes two views of the nodes of a graph, or of several graphs.

    Where the data are a batch of a ``NeighborLoader`` or ``NodeLoader`` (they have ``batch_size`` and ``n_id``), its
    seed nodes are contrasted, and the others only lend them their messages.

    Args:
        encoder: From graphs to node embeddings.
        views: Transforms, one per view.
        seed: The seed of every random choice in the method.

    Raises:
        ValueError: There are not exactly two views.
        TypeError: A view cannot be called.
    """

    level = "node"
    joins_ranks = True

    def __init__(self, encoder: GraphEncoder, *, views: Sequence[View], seed: int = 0) -> None:
        super().__init__(encoder, views=views, seed=seed)
        check_two_views(self.views)

    @property
    def can_look_ahead(self) -> bool:
        return False  # what is split off from views of several steps has no n_id

    def views_of(self, data: Data, key: Key) -> list[Data]:
        return super().views_of(mark_seeds(data), key)

    def encode_aligned(self, views: Sequence[Data]) -> list[Tensor]:
        """For each view the embeddings of the nodes that all views hold, in one order.

        They are of all ranks' nodes where the ranks' batches count as one (:func:`graphcl.distributed.one_batch`).
        """
        return [joined_rows(z) for z in align(views, [embeddings.node for embeddings in self.encode_views(views)])]


class NodeViewMethod(NodeMethod):
    """A method that contrasts the nodes of one view with those of another, whatever nodes the views have kept.

    Args:
        encoder: From graphs to node embeddings.
        views: Transforms, one per view.
        head: From node embeddings to what is compared.
        seed: The seed of the views.

    Raises:
        ValueError: There are not exactly two views.
        TypeError: A view cannot be called.
    """

    def __init__(
        self, encoder: GraphEncoder, *, views: Sequence[View], head: nn.Module | None = None, seed: int = 0
    ) -> None:
        super().__init__(encoder, views=views, seed=seed)
        self.head = nn.Identity() if head is None else head

    def contrast(self, views: Sequence[Data]) -> Tensor:
        return self.compare(*project_views(self.head, self.encode_aligned(views)))

    @abstractmethod
    def compare(self, z1: Tensor, z2: Tensor) -> Tensor:
        """The loss of the projected embeddings of the same nodes in both views, ``[K, D]`` each."""


def align(views: Sequence[Data], rows: Sequence[Tensor]) -> list[Tensor]:
    """The rows of the nodes that all views hold, in one order."""
    shared = shared_nodes(views)
    return [z if index is None else z.index_select(0, index) for z, index in zip(rows, shared, strict=True)]


def mark_seeds(data: Data) -> Data:
    """The data with a ``seed_mask``, each seed once, where a loader of neighbourhoods has made them."""
    size = None if isinstance(data, Batch) else plain(data._store.get("batch_size"))
    if not isinstance(size, int) or "n_id" not in data:
        return data
    marked = copy.copy(data)
    marked.seed_mask = torch.arange(data.num_nodes or 0, device=data.n_id.device) < size
    ordered, order = data.n_id[:size].sort(stable=True)
    marked.seed_mask[order[1:]] = ordered[1:] != ordered[:-1]  # of a seed that is there twice the first
    return marked
