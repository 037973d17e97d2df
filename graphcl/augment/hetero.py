"""Augmentations of heterogeneous graphs: edge dropping, node dropping and feature masking, by type."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from graphcl._arguments import check_number
from graphcl._random import Key, below, hash_ids
from graphcl.augment._hetero_apply import HeteroEdit, apply_hetero
from graphcl.augment._hetero_graph import EdgeType, HeteroGraph, NodeType, key_of
from graphcl.augment._select import Chance, Count, check_count, check_count_or_chance, check_share
from graphcl.augment.base import Augmentation
from graphcl.augment.feature_mask import mask_features
from graphcl.augment.nodes import drop_nodes

__all__ = [
    "HeteroAugmentation",
    "HeteroEdgeDrop",
    "HeteroFeatureMask",
    "HeteroNodeDrop",
    "drop_hetero_edges",
    "drop_hetero_nodes",
    "mask_hetero_features",
]

K = TypeVar("K", bound=str | tuple[str, str, str])
Reverse = bool | Mapping[EdgeType, EdgeType]


def drop_hetero_edges(
    graph: HeteroGraph, key: Key, *, drop: float | Mapping[EdgeType, float], reverse: Reverse = True
) -> HeteroEdit:
    """Drop every edge with the probability of its type, and with it the edge of the reverse type."""
    forward = _forward(graph.edges, reverse)
    rates: dict[EdgeType, float] = {}
    for kind, share in _rates("edge", drop, list(graph.edges)).items():
        if rates.setdefault(forward[kind], share) != share:
            raise ValueError(
                f"expected one drop for {forward[kind]} and its reverse type, which are dropped together, got "
                f"{rates[forward[kind]]} and {share}; give one of them, or reverse=False"
            )
    keep = {
        kind: ~below(_edge_hashes(graph, key, kind, first, reverse), rates[first])
        for kind, first in forward.items()
        if first in rates
    }
    return HeteroEdit(keep_edges=keep)


def _edge_hashes(graph: HeteroGraph, key: Key, kind: EdgeType, first: EdgeType, reverse: Reverse) -> Tensor:
    """``[E]`` one hash per edge, of its ends as edge type ``first`` has them."""
    src, dst = (graph.nodes[t].local.index_select(0, row) for t, row in zip((kind[0], kind[2]), graph.edges[kind]))
    if kind != first:
        src, dst = dst, src
    elif _is_symmetric(kind, list(graph.edges), reverse):
        src, dst = torch.maximum(src, dst), torch.minimum(src, dst)
    keys = graph.nodes[kind[0]].keys(key_of(key, first))
    return hash_ids(keys.index_select(0, graph.edge_batch(kind)), (src << 32) | dst)


def _forward(kinds: Mapping[EdgeType, Any], reverse: Reverse) -> dict[EdgeType, EdgeType]:
    """The type under whose name each edge type is drawn: its own, or the one that it is the reverse of."""
    if not isinstance(reverse, Mapping):
        forward = {(a, r, b): (b, r.removeprefix("rev_"), a) for a, r, b in kinds if r.startswith("rev_")}
        known = {back: first for back, first in forward.items() if first in kinds} if reverse else {}
        return {kind: known.get(kind, kind) for kind in kinds}
    unknown = sorted({*reverse, *reverse.values()} - kinds.keys())
    if unknown:
        raise ValueError(f"expected reverse to name edge types of the data, got {unknown[0]}; there are {list(kinds)}")
    back = _back(reverse)
    return {kind: back.get(kind, kind) for kind in kinds}


def _back(reverse: Mapping[EdgeType, EdgeType]) -> dict[EdgeType, EdgeType]:
    """From the second type of each pair to the first; a pair may be there both ways."""
    back: dict[EdgeType, EdgeType] = {}
    for first, second in reverse.items():
        if second in back or reverse.get(second, first) != first:
            raise ValueError(f"expected one reverse for each edge type, got two for {second} in {dict(reverse)}")
        if first == second or first not in back:
            back[second] = first
    return back


def _is_symmetric(kind: EdgeType, kinds: Sequence[EdgeType], reverse: Reverse) -> bool:
    """Whether both directions of an edge lie in the type itself."""
    if isinstance(reverse, Mapping):
        return reverse.get(kind) == kind
    return reverse and kind[0] == kind[2] and (kind[2], f"rev_{kind[1]}", kind[0]) not in kinds


def drop_hetero_nodes(
    graph: HeteroGraph, key: Key, *, drop: float | Mapping[NodeType, float], count: Count = "round"
) -> HeteroEdit:
    """Drop a share of each graph's nodes of each type, chosen uniformly, with their edges; one of a type stays."""
    keep = {}
    for kind, share in _rates("node", drop, list(graph.nodes)).items():
        keep[kind] = drop_nodes(graph.nodes[kind], key_of(key, kind), drop=share, count=count).keep_nodes
    return HeteroEdit(keep_nodes={kind: mask for kind, mask in keep.items() if mask is not None})


def mask_hetero_features(
    graph: HeteroGraph,
    key: Key,
    *,
    mask: float | Mapping[NodeType, float],
    count: Count | Chance = "bernoulli",
    fill: float = 0,
    shared: bool = False,
) -> HeteroEdit:
    """Fill columns of the features of each node type."""
    featured = [kind for kind, nodes in graph.nodes.items() if nodes.features is not None]
    if not featured:
        raise ValueError("expected node features to mask, got data in which no node type has x")
    masked = {}
    for kind, share in _rates("featured node", mask, featured).items():
        edit = mask_features(graph.nodes[kind], key_of(key, kind), mask=share, count=count, fill=fill, shared=shared)
        masked[kind] = edit.values["x"]
    return HeteroEdit(features=masked)


def _rates(what: str, share: float | Mapping[K, float], kinds: Sequence[K]) -> dict[K, float]:
    """The share of each type: of all of them, or of those that are named."""
    if not isinstance(share, Mapping):
        return dict.fromkeys(kinds, share)
    unknown = [kind for kind in share if kind not in kinds]
    if unknown:
        raise ValueError(f"expected {what} types of the data, got {unknown[0]!r}; there are {list(kinds)}")
    return dict(share)


def _check_rates(name: str, share: Any) -> Any:
    """One share, or one per type, each within [0, 1]."""
    if isinstance(share, Mapping):
        return {kind: check_share(f"{name}[{kind!r}]", value) for kind, value in share.items()}
    return check_share(name, share)


class HeteroAugmentation(Augmentation):
    """A random change of a ``HeteroData`` or a batch of them, which says what to change as an edit.

    As for every :class:`Augmentation`, the input is never changed and randomness is keyed: by seed, graph (named by
    ``data.graph_id``, else by its place), node or edge type (by its name), and element.
    """

    @abstractmethod
    def edit(self, graph: HeteroGraph, key: Key) -> HeteroEdit:
        """The changes to ``graph`` that belong to ``key``."""

    def view(self, data: HeteroData, key: Key) -> HeteroData:
        graph = HeteroGraph.of(data)
        return apply_hetero(data, graph, self.edit(graph, key))


class HeteroEdgeDrop(HeteroAugmentation):
    """Drop every edge independently, with a probability for each edge type.

    Args:
        drop: The probability, within [0, 1]; or one per edge type, ``{("user", "rates", "item"): 0.2}``, where types
            that are not named keep all their edges.
        reverse: Which types hold the same edges in opposite directions; such a pair of edges is dropped together, and
            a probability given for one type is that of the other. ``True`` goes by PyG's names: ``(b, "rev_r", a)``, as
            ``ToUndirected`` adds it, is the reverse of ``(a, "r", b)``, and a type from nodes of one type to the same
            without such a partner is its own. A mapping names the pairs, ``{("user", "rates", "item"): ("item",
            "rated_by", "user")}``, once or both ways; the same type twice is its own reverse. ``False``: no type has a
            reverse.

    Raises:
        ValueError: A probability lies outside [0, 1]; a type is not in the data; a reverse type does not join the same
            node types; a type has two reverses; a pair of types has two probabilities.
        TypeError: ``reverse`` is neither a truth value nor a mapping; the data are no ``HeteroData``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import HeteroData
        >>> from torch_geometric.transforms import ToUndirected
        >>> data = HeteroData()
        >>> data["user"].x, data["item"].x = torch.ones(3, 2), torch.ones(2, 2)
        >>> data["user", "rates", "item"].edge_index = torch.tensor([[0, 0, 1, 2], [0, 1, 1, 0]])
        >>> view = HeteroEdgeDrop(drop=0.5)(ToUndirected()(data))
        >>> there, back = view["user", "rates", "item"].edge_index, view["item", "rev_rates", "user"].edge_index
        >>> there.tolist() == back.flip(0).tolist()
        True

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", ICML Workshop on Graph
    Representation Learning and Beyond 2020, section 3.2.2, for each edge type.
    """

    def __init__(self, drop: float | Mapping[EdgeType, float] = 0.1, *, reverse: Reverse = True) -> None:
        self.drop = _check_rates("drop", drop)
        if not isinstance(reverse, bool | Mapping):
            raise TypeError(
                f"expected reverse to be True, False or a mapping from edge type to edge type, got {reverse!r}"
            )
        self.reverse = reverse if isinstance(reverse, bool) else dict(reverse)
        if isinstance(self.reverse, dict):
            for first, second in self.reverse.items():
                if (first[0], first[2]) != (second[2], second[0]):
                    raise ValueError(f"expected the reverse of {first} to join the same node types, got {second}")
            _back(self.reverse)

    def edit(self, graph: HeteroGraph, key: Key) -> HeteroEdit:
        return drop_hetero_edges(graph, key, drop=self.drop, reverse=self.reverse)


class HeteroNodeDrop(HeteroAugmentation):
    """Drop a share of each graph's nodes of each type with the edges at them, and renumber the rest.

    The number is exact, ``count(drop * n)`` of a graph's ``n`` nodes of a type; which ones is uniform. A graph that had
    nodes of a type keeps at least one of them. The view carries ``n_id`` for every type that may lose nodes: each
    node's number in its input graph.

    Args:
        drop: The share of nodes to drop, within [0, 1]; or one per node type, ``{"user": 0.2}``, where types that are
            not named keep all their nodes.
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: A share lies outside [0, 1], a type is not in the data, or an attribute (such as
            ``edge_label_index``) refers to a node that was dropped.
        TypeError: The data are no ``HeteroData``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import HeteroData
        >>> data = HeteroData()
        >>> data["user"].x, data["item"].x = torch.ones(4, 2), torch.ones(2, 2)
        >>> data["user", "rates", "item"].edge_index = torch.tensor([[0, 1, 2, 3], [0, 1, 1, 0]])
        >>> view = HeteroNodeDrop(drop={"user": 0.5})(data)
        >>> view["user"].num_nodes, view["item"].num_nodes, view["user", "rates", "item"].num_edges
        (2, 2, 2)

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (node
    dropping), for each node type.
    """

    def __init__(self, drop: float | Mapping[NodeType, float] = 0.1, *, count: Count = "round") -> None:
        self.drop = _check_rates("drop", drop)
        self.count = check_count(count)

    def edit(self, graph: HeteroGraph, key: Key) -> HeteroEdit:
        return drop_hetero_nodes(graph, key, drop=self.drop, count=self.count)


class HeteroFeatureMask(HeteroAugmentation):
    """Mask a share of the feature columns of each node type; see :class:`FeatureMask`.

    Args:
        mask: The probability or share of a column to be masked, within [0, 1], for every node type that has ``x``; or
            one per node type, ``{"user": 0.2}``, where types that are not named keep their features.
        count: ``"bernoulli"``, a coin for every column; ``"round"`` or ``"floor"``, exactly that many of the columns.
        fill: What masked elements become.
        shared: Mask the same columns in all graphs of a call.

    Raises:
        ValueError: A share lies outside [0, 1]; no node type has ``x``, or a named one has not.
        TypeError: ``fill`` is no number, or not one that ``x`` can hold; the data are no ``HeteroData``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import HeteroData
        >>> data = HeteroData()
        >>> data["user"].x, data["item"].x = torch.ones(1, 4), torch.ones(1, 6)
        >>> view = HeteroFeatureMask(mask=0.5, count="round")(data)
        >>> int(view["user"].x.sum()), int(view["item"].x.sum())
        (2, 3)

    Source: Zhu, Xu, Yu, Liu, Wu, Wang, "Deep Graph Contrastive Representation Learning", ICML Workshop on Graph
    Representation Learning and Beyond 2020, section 3.2.2, for each node type.
    """

    def __init__(
        self,
        mask: float | Mapping[NodeType, float] = 0.1,
        *,
        count: Count | Chance = "bernoulli",
        fill: float = 0,
        shared: bool = False,
    ) -> None:
        self.mask = _check_rates("mask", mask)
        self.count = check_count_or_chance(count)
        self.fill = check_number("fill", fill)
        self.shared = shared

    def edit(self, graph: HeteroGraph, key: Key) -> HeteroEdit:
        return mask_hetero_features(graph, key, mask=self.mask, count=self.count, fill=self.fill, shared=self.shared)
