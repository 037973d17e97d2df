"""Neighbour sampling in whole-array operations, without a compiled extension: it drops into PyG's loaders."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.sampler import BaseSampler, EdgeSamplerInput, NegativeSampling, NodeSamplerInput, SamplerOutput

from graphcl._arguments import check_choice, check_seed, plain
from graphcl._host import where
from graphcl._random import Key, fold, hash_ids, randint, seed_from
from graphcl.data._adjacency import Adjacency, check_nodes, check_structure
from graphcl.data._choose import k_of_each
from graphcl.data._epoch import Epoch
from graphcl.data._numbering import Numbering

__all__ = ["NeighbourSampler", "Sample", "neighbour_sampler", "sample_neighbours"]


class Sample(NamedTuple):
    """The sampled neighbourhoods of some seeds.

    ``node`` ``[n]`` the nodes, seeds first and then hop by hop; ``row`` and ``col`` ``[e]`` source and target of each
    edge as places in ``node``, by ascending target; ``edge`` ``[e]`` the edges' places in the adjacency; ``num_nodes``
    and ``num_edges`` how many each hop has added (the seeds first).
    """

    node: Tensor
    row: Tensor
    col: Tensor
    edge: Tensor
    num_nodes: list[int]
    num_edges: list[int]


def sample_neighbours(
    entering: Adjacency, seeds: Tensor, fan_out: Sequence[int], key: Key, numbering: Numbering
) -> Sample:
    """Up to ``fan_out[h]`` of the edges that enter each node first reached after h hops, -1 for all of them.

    Uniform and without replacement; the choice at a node is a function of (key, hop, node). A seed that comes twice is
    twice in ``node``, with the same edges.
    """
    frontier = seeds
    nodes, rows, cols, edges = [seeds], [], [], []
    total = seeds.numel()
    numbering.start(seeds)
    for hop, k in enumerate(fan_out):
        places, counts = _entering(entering, frontier, k, fold(key, hop))
        source = entering.other.index_select(0, places)
        first = total - frontier.numel()
        cols.append(torch.repeat_interleave(counts, output_size=places.numel()).add_(first))
        row, frontier = numbering.number(source, total)
        total += frontier.numel()
        nodes.append(frontier)
        rows.append(row)
        edges.append(places)
    node = torch.cat(nodes)
    numbering.finish(node)
    sizes = [part.numel() for part in nodes], [part.numel() for part in edges]
    return Sample(node, torch.cat(rows), torch.cat(cols), torch.cat(edges), *sizes)


def _entering(entering: Adjacency, nodes: Tensor, k: int, key: Key) -> tuple[Tensor, Tensor]:
    """The places of the chosen edges, node after node, and how many each node has."""
    k = min(k, entering.other.numel())  # whatever number was given for "many"
    first = entering.ptr.index_select(0, nodes)
    degree = entering.ptr.index_select(0, nodes + 1) - first
    counts = degree if k < 0 else degree.clamp(max=k)
    places = entering.positions(first, counts, int(counts.sum()))
    many = where(degree > k) if k >= 0 else nodes[:0]
    if many.numel():  # else k rounds, which may be a million, would choose nothing
        keys = hash_ids(key, nodes.index_select(0, many))
        chosen = k_of_each(degree.index_select(0, many), k, keys) + first.index_select(0, many)
        begin = (counts.cumsum(0) - counts).index_select(0, many)
        slots = torch.arange(k, device=begin.device)[:, None] + begin
        places.index_copy_(0, slots.view(-1), chosen.view(-1))
    return places, counts


class NeighbourSampler(BaseSampler):
    r"""Samples the neighbourhood of seed nodes or seed links, for PyG's ``NodeLoader`` and ``LinkLoader``.

    Up to ``fan_out[0]`` of the edges that enter each seed, then up to ``fan_out[1]`` of those that enter each node
    found so, and on: uniform, without replacement, at a cost that a node's degree does not change. Edges keep their
    direction and their number in the data (``e_id``), so edge attributes come along. In a batch, ``n_id`` holds the
    nodes, the seeds first; a seed that is given twice is there twice.

    With ``seed=``, a batch is a function of (seed, epoch, its seeds), whatever worker makes it and whatever came
    before; :meth:`set_epoch` moves on, as with PyTorch's ``DistributedSampler``. Without, torch's default generator
    is drawn from once per batch.

    Args:
        data: The graph, on any device; sampling happens there. Not heterogeneous.
        fan_out: For each hop, the greatest number of neighbours; -1 takes all.
        seed: What all choices follow from.

    Raises:
        TypeError: ``data`` is not a ``Data``, or a fan-out or the seed no integer.
        ValueError: ``fan_out`` is empty or has a 0, the graph has no ``edge_index``, or attributes lie on different
            devices; when sampling, there are no seeds or some that are not nodes, or times are given.

    Example:
        >>> from torch_geometric.loader import NodeLoader
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> data = Data(x=torch.rand(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> loader = NodeLoader(data, NeighbourSampler(data, [2, 1], seed=0), input_nodes=torch.tensor([4]))
        >>> batch = next(iter(loader))
        >>> batch.n_id[: batch.batch_size].tolist(), sorted(batch.n_id[1:3].tolist())
        ([4], [3, 5])

    Source: Hamilton, Ying, Leskovec, "Inductive Representation Learning on Large Graphs", NeurIPS 2017, algorithm 2.
    Differs from the paper: without replacement, and a node is expanded once, at the hop that reaches it first.
    """

    def __init__(self, data: Data, fan_out: Sequence[int], *, seed: int | None = None) -> None:
        edge_index, self.num_nodes = check_structure(data)
        self.fan_out = check_fan_out(fan_out)
        _check_devices(data, edge_index.device)
        self.seed = None if seed is None else check_seed(seed)
        self._entering = Adjacency.of(edge_index[1], edge_index[0], self.num_nodes)
        self._epoch = Epoch()
        self._numbering: Numbering | None = None

    def set_epoch(self, epoch: int) -> None:
        """Draw differently from here on, as a function of ``epoch``; call it before each pass over the loader."""
        self._epoch.set(epoch)

    @property
    def edge_permutation(self) -> Tensor:
        """``[E]`` from places in the sampler's order of edges to places in the data."""
        return self._entering.edge

    def sample_from_nodes(self, inputs: NodeSamplerInput, **unused: Any) -> SamplerOutput:
        """The neighbourhood of ``inputs.node``."""
        _check_kind(inputs.input_type, inputs.time)
        check_nodes("seed nodes", inputs.node, self.num_nodes)
        out = self._sample(inputs.node, self._key(inputs.node))
        out.metadata = (inputs.input_id, None)
        return out

    def sample_from_edges(
        self, inputs: EdgeSamplerInput, neg_sampling: NegativeSampling | None = None
    ) -> SamplerOutput:
        """The joint neighbourhood of both ends of the links ``inputs.row`` to ``inputs.col``, and of negative ones.

        Negative ends are drawn from all nodes, so a negative link may happen to be an edge, as in PyG.
        """
        _check_kind(inputs.input_type, inputs.time)
        source, target, label = inputs.row, inputs.col, inputs.label
        check_nodes("sources of seed links", source, self.num_nodes)
        check_nodes("targets of seed links", target, self.num_nodes)
        key = self._key(source * self.num_nodes + target)
        count, triplet = source.numel(), False
        if neg_sampling is not None:
            triplet = neg_sampling.is_triplet()
            absent = math.ceil(count * neg_sampling.amount)
            target = torch.cat([target, self._ends(absent, neg_sampling.dst_weight, fold(key, -1))])
            if not triplet:
                source = torch.cat([source, self._ends(absent, neg_sampling.src_weight, fold(key, -2))])
                label = torch.ones(count) if label is None else label
                label = torch.cat([label, label.new_zeros(absent, *label.shape[1:])])
        seeds, place = torch.cat([source, target]).unique(return_inverse=True)
        out = self._sample(seeds, key)
        place = place.to(self._entering.device)
        if triplet:
            negative = place[2 * count :].view(count, -1).squeeze(-1)
            out.metadata = (inputs.input_id, place[:count], place[count : 2 * count], negative, None)
        else:
            label = None if label is None else label.to(place.device)
            out.metadata = (inputs.input_id, place.view(2, -1), label, None)
        return out

    def _sample(self, seeds: Tensor, key: Key) -> SamplerOutput:
        # Taken away while it is in use: after an interruption, or beside another thread, a fresh one is made.
        numbering, self._numbering = self._numbering or Numbering(self.num_nodes, self._entering.device), None
        sample = sample_neighbours(self._entering, seeds.to(self._entering.device), self.fan_out, key, numbering)
        self._numbering = numbering
        node, row, col, edge, num_nodes, num_edges = sample
        return SamplerOutput(
            node=node, row=row, col=col, edge=edge, num_sampled_nodes=num_nodes, num_sampled_edges=num_edges
        )

    def _key(self, inputs: Tensor) -> Key:
        if self.seed is None:
            return int(seed_from(None))
        key = fold(self.seed, int(self._epoch))
        # A sum, so that the order of the seeds does not matter.
        return fold(key, int(hash_ids(key, inputs).sum()))

    def _ends(self, count: int, weight: Tensor | None, key: Key) -> Tensor:
        """``[count]`` nodes, drawn evenly or by weight."""
        hashes = hash_ids(key, torch.arange(count))
        if weight is None:
            return randint(hashes, self.num_nodes)
        if weight.numel() != self.num_nodes:
            raise ValueError(f"expected a weight for each of {self.num_nodes} nodes, got {weight.numel()}")
        if not bool((weight >= 0).all()) or not 0 < float(weight.sum()) < math.inf:
            raise ValueError("expected weights of negative ends from 0 on, one of them above, got others")
        upto = weight.double().cumsum(0)
        share = randint(hashes, 1 << 53).double() / (1 << 53)
        return torch.searchsorted(upto, share * upto[-1], right=True).clamp_(max=self.num_nodes - 1)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_numbering": None}

    def __repr__(self) -> str:
        return f"NeighbourSampler(fan_out={list(self.fan_out)}, seed={self.seed})"


def neighbour_sampler(
    data: Data,
    fan_out: Sequence[int],
    *,
    seed: int | None = None,
    impl: Literal["auto", "torch", "pyg-lib"] = "auto",
) -> BaseSampler:
    """A neighbour sampler: PyG's own where its compiled extension is installed, else :class:`NeighbourSampler`.

    Args:
        data: The graph.
        fan_out: For each hop, the greatest number of neighbours; -1 takes all.
        seed: What all choices follow from; pyg-lib draws from torch's default generator and takes none.
        impl: ``"torch"``, ``"pyg-lib"``, or ``"auto"``: pyg-lib if it is there, no seed is given and the graph lies on
            the CPU.

    Raises:
        ImportError: pyg-lib is asked for and not installed.
        ValueError: pyg-lib is asked for together with a seed or a graph on another device; or as
            :class:`NeighbourSampler`.

    Example:
        >>> data = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=3)
        >>> neighbour_sampler(data, [2], seed=0)
        NeighbourSampler(fan_out=[2], seed=0)
    """
    check_choice("impl", impl, ("auto", "torch", "pyg-lib"))
    edge_index, _ = check_structure(data)
    fits = seed is None and edge_index.device.type == "cpu"
    if impl == "torch" or (impl == "auto" and not (fits and _has_pyg_lib())):
        return NeighbourSampler(data, fan_out, seed=seed)
    if not _has_pyg_lib():
        raise ImportError("pyg-lib is not installed: install it as PyG's documentation says, or use impl='torch'")
    if not fits:
        raise ValueError(
            f"expected no seed and a graph on the CPU with impl='pyg-lib', got seed={seed} and {edge_index.device}; "
            "impl='torch' has both"
        )
    from torch_geometric.sampler import NeighborSampler

    return NeighborSampler(data, list(check_fan_out(fan_out)))


def check_fan_out(fan_out: Sequence[int]) -> tuple[int, ...]:
    """``fan_out`` as a tuple, or an error that names the hop that cannot be."""
    if isinstance(fan_out, str) or not hasattr(fan_out, "__len__") or not len(fan_out):
        raise ValueError(
            f"expected fan_out as one number of neighbours for each hop, such as [15, 10], got {fan_out!r}"
        )
    numbers = tuple(map(plain, fan_out))
    for hop, k in enumerate(numbers, 1):
        if not isinstance(k, int) or isinstance(k, bool):
            raise TypeError(f"expected an integer fan-out at hop {hop}, got {k!r}")
        if k == 0 or k < -1:
            raise ValueError(
                f"expected a fan-out of at least 1, or -1 for all neighbours, got {k} at hop {hop}; to sample fewer "
                "hops, give a shorter list"
            )
    return numbers


def _check_devices(data: Data, device: torch.device) -> None:
    for name, value in data.to_dict().items():
        if (
            isinstance(value, Tensor)
            and value.device != device
            and (data.is_node_attr(name) or data.is_edge_attr(name))
        ):
            raise ValueError(
                f"expected node and edge attributes on {device}, where edge_index lies, got {name} on {value.device}; "
                "move the data as a whole, or leave it out and fetch its rows by n_id"
            )


def _check_kind(input_type: Any, time: Tensor | None) -> None:
    if input_type is not None:
        raise ValueError(f"expected nodes of a graph with one type, got type {input_type!r}")
    if time is not None:
        raise ValueError("expected seeds without times, got some: this sampler does not restrict edges by time")


def _has_pyg_lib() -> bool:
    import torch_geometric.typing

    return bool(torch_geometric.typing.WITH_PYG_LIB)
