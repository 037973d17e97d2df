"""Batches of a large graph from clusters of its nodes."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Data

from graphcl._arguments import check_choice, check_seed, check_whole
from graphcl._random import fold, hash_ids
from graphcl.data._adjacency import Adjacency, check_structure
from graphcl.data._epoch import Epoch
from graphcl.data._part import Parts

__all__ = ["ClusterBatches", "partition"]


def partition(
    data: Data, num_parts: int, *, method: Literal["metis", "bandwidth", "random"] = "metis", seed: int = 0
) -> Tensor:
    """Divide the nodes of an undirected graph into parts of about equal size.

    ``"metis"`` cuts few edges and needs pymetis. The two others need nothing and make parts whose sizes differ by one
    at most: ``"bandwidth"`` orders the nodes so that neighbours stand near each other (reverse Cuthill-McKee) and cuts
    the order into runs, which keeps many edges of meshes, roads and molecules, but few where degrees follow a power
    law; ``"random"`` keeps one edge in ``num_parts``. Of the edges of :func:`power_law_graph` with its defaults, in 100
    parts, they keep 37, 3.5 and 1 %.

    Args:
        data: The graph. Loops, repeated edges and weights are not looked at.
        num_parts: P.
        method: How.
        seed: For ``"metis"`` and ``"random"``.

    Returns:
        ``[N]`` int64, the part of each node, from 0 to P - 1, on the data's device.

    Raises:
        ImportError: pymetis is asked for and not installed.
        ValueError: There are more parts than nodes, or the graph is directed.

    Example:
        >>> path = torch.stack([torch.arange(9), torch.arange(1, 10)])
        >>> data = Data(edge_index=torch.cat([path, path.flip(0)], 1), num_nodes=10)
        >>> partition(data, 2, method="bandwidth").tolist() in ([0] * 5 + [1] * 5, [1] * 5 + [0] * 5)
        True

    Source: Karypis and Kumar, "A fast and high quality multilevel scheme for partitioning irregular graphs", SIAM
    Journal on Scientific Computing 20, 1998; Cuthill and McKee, "Reducing the bandwidth of sparse symmetric matrices",
    ACM 1969.
    """
    edge_index, num_nodes = check_structure(data)
    check_choice("method", method, ("metis", "bandwidth", "random"))
    num_parts, seed = check_whole("num_parts", num_parts, 1), check_seed(seed)
    if num_parts > num_nodes:
        raise ValueError(f"expected no more parts than the {num_nodes} nodes, got {num_parts}")
    if method == "random":
        return _runs(torch.argsort(hash_ids(fold(seed, 0), torch.arange(num_nodes))), num_parts).to(edge_index.device)
    pairs = _pairs(edge_index, num_nodes)
    if method == "metis":
        return _metis(pairs, num_nodes, num_parts, seed).to(edge_index.device)
    return _bandwidth(pairs, num_nodes, num_parts).to(edge_index.device)


def _runs(order: Tensor, num_parts: int) -> Tensor:
    """The part of each node where ``order`` is cut into runs of equal length."""
    part = torch.empty_like(order)
    part[order] = torch.arange(order.numel()) * num_parts // order.numel()
    return part


def _pairs(edge_index: Tensor, num_nodes: int) -> Tensor:
    """``[2, E]`` on the CPU, sorted, without loops and repeated edges; both directions of each, or an error."""
    source, target = edge_index.cpu()
    keep = source != target
    source, target = source[keep], target[keep]
    codes = (source * num_nodes + target).unique()
    reverse = (target * num_nodes + source).unique()
    if not torch.equal(codes, reverse):
        missing = int((~torch.isin(reverse, codes)).sum())
        raise ValueError(
            f"expected an undirected graph, got one in which {missing} edges have no reverse; clusters are made of "
            "torch_geometric.utils.to_undirected(edge_index)"
        )
    return torch.stack([codes // num_nodes, codes % num_nodes])


def _metis(pairs: Tensor, num_nodes: int, num_parts: int, seed: int) -> Tensor:
    try:
        import pymetis
    except ImportError as error:
        raise ImportError(
            "method='metis' needs pymetis: pip install 'graphcl[partition]', or use method='bandwidth' or 'random'"
        ) from error
    if num_parts == 1:
        return torch.zeros(num_nodes, dtype=torch.int64)
    adjacency = Adjacency.of(pairs[0], pairs[1], num_nodes)
    ends = {"xadj": adjacency.ptr.numpy(), "adjncy": adjacency.other.numpy()}
    if packed := getattr(pymetis, "CSRAdjacency", None):  # what versions from 2025.2 on want instead of two arrays
        ends = {"adjacency": packed(*ends.values())}
    _, part = pymetis.part_graph(num_parts, **ends, options=pymetis.Options(seed=seed % 2**31))
    return torch.as_tensor(part, dtype=torch.int64)


def _bandwidth(pairs: Tensor, num_nodes: int, num_parts: int) -> Tensor:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if num_nodes < 2**31:  # csgraph of SciPy 1.12 takes no wider numbers
        pairs = pairs.int()
    entries: Any = (np.ones(pairs.size(1), np.int8), (pairs[0].numpy(), pairs[1].numpy()))
    order = reverse_cuthill_mckee(csr_array(entries, shape=(num_nodes, num_nodes)), symmetric_mode=True)
    return _runs(torch.from_numpy(order.astype(np.int64)), num_parts)


class ClusterBatches(Dataset[Data]):
    """Subgraphs of the nodes of some clusters, with all edges between them; each cluster is in one batch of an epoch.

    Which clusters come together is drawn anew each epoch. Batch i is a function of (seed, epoch, i) and of nothing
    else: index it, iterate over it, or give it to a ``torch.utils.data.DataLoader`` with ``batch_size=None`` and any
    number of workers.

    Args:
        data: The graph; batches lie on its device.
        part: ``[N]`` int64, the cluster of each node (:func:`partition`, or a community detection of your own).
        clusters: How many clusters make a batch; the last batch may have fewer.
        seed: What all choices follow from. Call :meth:`set_epoch` before each pass, or passes are alike.

    Returns:
        On access, ``Data`` with ``n_id`` (the nodes' numbers in the graph, cluster by cluster), ``e_id``, and the
        graph's node and edge attributes.

    Raises:
        TypeError: ``data`` is not a ``Data``, or ``part`` no tensor.
        ValueError: ``part`` has not one cluster for each node, or there are fewer clusters than a batch has.

    Example:
        >>> ring = torch.stack([torch.arange(6), (torch.arange(6) + 1) % 6])
        >>> batches = ClusterBatches(Data(edge_index=ring, num_nodes=6), torch.tensor([0, 0, 0, 1, 1, 1]))
        >>> sorted(batch.n_id.tolist() for batch in batches)
        [[0, 1, 2], [3, 4, 5]]

    Source: Chiang et al., "Cluster-GCN: An Efficient Algorithm for Training Deep and Large Graph Convolutional
    Networks", KDD 2019, algorithm 1.
    """

    def __init__(self, data: Data, part: Tensor, *, clusters: int = 1, seed: int = 0) -> None:
        self._parts = Parts(data)
        if not isinstance(part, Tensor):
            raise TypeError(
                f"expected part as a tensor with the cluster of each node, got {part!r}; graphcl.data.partition(data, "
                "num_parts) makes one"
            )
        if part.dtype != torch.int64 or list(part.shape) != [self._parts.num_nodes]:
            raise ValueError(
                f"expected part as an int64 tensor with a cluster for each of {self._parts.num_nodes} nodes, got "
                f"{list(part.shape)} of {part.dtype}"
            )
        _, number, sizes = part.to(self._parts.leaving.device).unique(return_inverse=True, return_counts=True)
        clusters = check_whole("clusters", clusters)
        if not 1 <= clusters <= sizes.numel():
            raise ValueError(f"expected clusters from 1 to {sizes.numel()}, as many as there are, got {clusters}")
        self.num_clusters = sizes.numel()
        self.clusters = clusters
        self.seed = check_seed(seed)
        self._members = torch.argsort(number, stable=True)
        self._begin = [0, *sizes.cumsum(0).tolist()]
        self._epoch = Epoch()

    def set_epoch(self, epoch: int) -> None:
        """Put other clusters together from here on, as a function of ``epoch``."""
        self._epoch.set(epoch)

    def __len__(self) -> int:
        return -(-self.num_clusters // self.clusters)

    def __getitem__(self, item: int) -> Data:
        if not 0 <= item < len(self):
            raise IndexError(f"expected a batch from 0 to {len(self) - 1}, got {item}")
        order = torch.argsort(hash_ids(fold(self.seed, int(self._epoch)), torch.arange(self.num_clusters)))
        chosen = order[item * self.clusters : (item + 1) * self.clusters].tolist()
        return self._parts.cut(torch.cat([self._members[self._begin[c] : self._begin[c + 1]] for c in chosen]))

    def __repr__(self) -> str:
        return f"ClusterBatches(num_clusters={self.num_clusters}, clusters={self.clusters}, seed={self.seed})"
