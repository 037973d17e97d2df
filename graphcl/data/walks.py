"""Batches of a large graph from random walks."""

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Data

from graphcl._arguments import check_seed, check_whole, plain
from graphcl._random import Key, fold, hash_ids, randint
from graphcl.data._adjacency import Adjacency
from graphcl.data._epoch import Epoch
from graphcl.data._part import Parts

__all__ = ["RandomWalkBatches", "random_walks"]


def random_walks(leaving: Adjacency, starts: Tensor, length: int, key: Key) -> Tensor:
    """``[length + 1, W]`` the nodes of W walks, step by step; a walk stays where no edge leaves."""
    last = leaving.other.numel() - 1
    if last < 0:
        return starts.expand(length + 1, -1)
    at, path = starts, [starts]
    walk = torch.arange(starts.numel(), device=starts.device)
    for step in range(length):
        first = leaving.ptr.index_select(0, at)
        degree = leaving.ptr.index_select(0, at + 1) - first
        place = first + randint(hash_ids(fold(key, step), walk), degree.clamp(min=1))
        # Where no edge leaves, the place is another node's or lies past the last: what is read there is not used.
        ahead = leaving.other.index_select(0, place.clamp_(max=last)).long()
        at = torch.where(degree > 0, ahead, at)
        path.append(at)
    return torch.stack(path)


class RandomWalkBatches(Dataset[Data]):
    """Subgraphs of the nodes that some random walks visit, with all edges between them.

    Each batch starts ``roots`` walks at uniform nodes (with replacement), which follow edges from source to target for
    ``length`` steps. Batch i is a function of (seed, epoch, i) and of nothing else: index it, iterate over it, or give
    it to a ``torch.utils.data.DataLoader`` with ``batch_size=None`` and any number of workers.

    Args:
        data: The graph; batches lie on its device.
        roots: The number of walks of a batch.
        length: The number of steps of a walk; a batch has at most ``roots * (length + 1)`` nodes.
        num_batches: Of an epoch; so many, by default, that there is a root for each node.
        seed: What all choices follow from. Call :meth:`set_epoch` before each pass, or passes are alike.

    Returns:
        On access, ``Data`` with ``n_id`` (the nodes' numbers in the graph, ascending), ``e_id``, and the graph's node
        and edge attributes.

    Raises:
        TypeError: ``data`` is not a ``Data``.
        ValueError: A number is out of its range, or the graph has no nodes or no ``edge_index``.

    Example:
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> batches = RandomWalkBatches(Data(edge_index=ring, num_nodes=10), roots=1, length=3)
        >>> len(batches), batches[0].num_nodes, batches[0].num_edges
        (10, 4, 3)

    Source: Zeng, Zhou, Srivastava, Kannan, Prasanna, "GraphSAINT: Graph Sampling Based Inductive Learning Method", ICLR
    2020, the random walk sampler of section 3.4.
    Differs from the paper: no coefficients that undo the sampling's bias in loss and aggregation; a contrastive loss
    over a batch is not a sum over nodes that they could correct.
    """

    def __init__(
        self, data: Data, *, roots: int = 3000, length: int = 2, num_batches: int | None = None, seed: int = 0
    ) -> None:
        self._parts = Parts(data)
        if num_batches is None:
            num_batches = -(-self._parts.num_nodes // check_whole("roots", roots, 1))
        self.roots = check_whole("roots", roots, 1)
        self.length = check_whole("length", length)
        self.num_batches = check_whole("num_batches", num_batches, 1)
        self.seed = check_seed(seed)
        self._epoch = Epoch()

    def set_epoch(self, epoch: int) -> None:
        """Walk elsewhere from here on, as a function of ``epoch``."""
        self._epoch.set(epoch)

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, item: int) -> Data:
        if not isinstance(plain(item), int):
            raise TypeError(f"expected the number of a batch, got {item!r}")
        if not 0 <= item < self.num_batches:
            raise IndexError(f"expected a batch from 0 to {self.num_batches - 1}, got {item}")
        key = fold(fold(self.seed, int(self._epoch)), item)
        walk = torch.arange(self.roots, device=self._parts.leaving.device)
        starts = randint(hash_ids(fold(key, -1), walk), self._parts.num_nodes)
        visited = random_walks(self._parts.leaving, starts, self.length, key)
        return self._parts.cut(visited.unique())

    def __repr__(self) -> str:
        return f"RandomWalkBatches(roots={self.roots}, length={self.length}, num_batches={self.num_batches})"
