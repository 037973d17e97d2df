"""Readouts: from the embeddings of a graph's nodes to one of the graph."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn.aggr import Aggregation

from graphcl._arguments import check_whole
from graphcl.nn.sparse import SparseSum

__all__ = [
    "AggregationReadout",
    "AttentionReadout",
    "ConcatReadout",
    "Readout",
    "ReadoutModule",
    "Set2SetReadout",
    "as_readout",
    "max_readout",
    "mean_readout",
    "root_readout",
    "sum_readout",
    "width_of",
]

Readout = Callable[[Tensor, Tensor, int], Tensor]
"""Signature: (x [N, D], batch [N], num_graphs) -> [num_graphs, D]. A graph without nodes gives zeros."""


def sum_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The sum over each graph's nodes.

    Example:
        >>> import torch
        >>> sum_readout(torch.ones(3, 1), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([2., 1.])
    """
    return SparseSum.membership(batch, num_graphs)(x)


def mean_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The mean over each graph's nodes.

    Example:
        >>> import torch
        >>> mean_readout(torch.ones(3, 1), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([1., 1.])
    """
    ones = x.new_ones(x.size(0), 1)
    members = SparseSum.membership(batch, num_graphs)
    return members(x) / members(ones).clamp(min=1)


def root_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The sum over each graph's nodes, divided by the root of their number: between the sum and the mean.

    A sum lets the largest graphs decide all distances, a mean forgets how large a graph is.

    Example:
        >>> import torch
        >>> root_readout(torch.ones(5, 1), torch.tensor([0, 0, 0, 0, 1]), 2).squeeze(1)
        tensor([2., 1.])
    """
    members = SparseSum.membership(batch, num_graphs)
    return members(x) / members(x.new_ones(x.size(0), 1)).clamp(min=1).sqrt()


def max_readout(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """The maximum over each graph's nodes, per channel.

    Example:
        >>> import torch
        >>> max_readout(torch.tensor([[1.0], [3.0], [2.0]]), torch.tensor([0, 0, 1]), 2).squeeze(1)
        tensor([3., 2.])
    """
    index = batch[:, None].expand_as(x)
    return x.new_zeros(num_graphs, x.size(1)).scatter_reduce(0, index, x, "amax", include_self=False)


class ReadoutModule(nn.Module, ABC):
    """A readout with weights of its own, or one whose result is wider than the nodes.

    Attributes:
        factor: The width of its result over the width of the nodes, where that is one number; else override
            :meth:`width_of`.
    """

    factor: int = 1

    def width_of(self, channels: int) -> int:
        """The width of its result for nodes of a width."""
        return self.factor * channels

    @abstractmethod
    def forward(self, x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
        """``[num_graphs, width_of(D)]`` from ``x`` ``[N, D]`` and ``batch`` ``[N]``."""


class AggregationReadout(ReadoutModule):
    """An aggregation of PyG's (``torch_geometric.nn.aggr``) as a readout; :class:`GraphEncoder` makes it by itself.

    Args:
        aggregation: What is asked for one row per graph.

    Example:
        >>> import torch
        >>> from torch_geometric.nn import MeanAggregation
        >>> AggregationReadout(MeanAggregation())(torch.ones(3, 4), torch.tensor([0, 0, 1]), 2).shape
        torch.Size([2, 4])
    """

    def __init__(self, aggregation: Aggregation) -> None:
        super().__init__()
        self.aggregation = aggregation

    def width_of(self, channels: int) -> int:
        """The width of its result for nodes of a width; it is tried, as few aggregations say."""
        weight = next(self.aggregation.parameters(), torch.empty(0))
        trial = copy.deepcopy(self.aggregation).eval()
        node, batch = weight.new_zeros(1, channels), torch.zeros(1, dtype=torch.int64, device=weight.device)
        try:
            with torch.no_grad():
                return int(trial(node, batch, dim_size=1).size(1))
        except RuntimeError as error:
            raise ValueError(
                f"expected an aggregation of nodes of width {channels}, got {self.aggregation}: {error}"
            ) from error

    def forward(self, x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
        return self.aggregation(x, batch, dim_size=num_graphs)


def as_readout(readout: Readout | Aggregation) -> Readout:
    """The readout itself, or an aggregation of PyG's as one."""
    return AggregationReadout(readout) if isinstance(readout, Aggregation) else readout


def width_of(readout: Readout, channels: int) -> int:
    """The width of what a readout makes of nodes of a width: the same, unless it says otherwise.

    Example:
        >>> width_of(sum_readout, 8), width_of(ConcatReadout([sum_readout, max_readout]), 8)
        (8, 16)
    """
    return readout.width_of(channels) if isinstance(readout, ReadoutModule) else channels


class ConcatReadout(ReadoutModule):
    """Several readouts side by side.

    Args:
        readouts: At least one; aggregations of PyG's do as well.

    Raises:
        ValueError: There is none.

    Example:
        >>> import torch
        >>> readout = ConcatReadout([sum_readout, max_readout])
        >>> readout(torch.tensor([[1.0], [3.0]]), torch.tensor([0, 0]), 1)
        tensor([[4., 3.]])
    """

    def __init__(self, readouts: Sequence[Readout | Aggregation]) -> None:
        super().__init__()
        if not readouts:
            raise ValueError("expected at least one readout, got none")
        self.readouts = [as_readout(readout) for readout in readouts]
        self.parts = nn.ModuleList(readout for readout in self.readouts if isinstance(readout, nn.Module))

    def width_of(self, channels: int) -> int:
        """The sum of the widths."""
        return sum(width_of(readout, channels) for readout in self.readouts)

    def forward(self, x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
        return torch.cat([readout(x, batch, num_graphs) for readout in self.readouts], 1)


class AttentionReadout(ReadoutModule):
    r"""A mean over each graph's nodes whose weights are learned.

    .. math:: g = \sum_i \frac{e^{a(h_i)}}{\sum_j e^{a(h_j)}} \, h_i

    Args:
        channels: D, the width of the nodes.
        gate: a, from ``[N, D]`` to ``[N, 1]``; a linear map by default.

    Example:
        >>> import torch
        >>> AttentionReadout(4)(torch.ones(3, 4), torch.tensor([0, 0, 1]), 2).shape
        torch.Size([2, 4])

    Source: Li, Tarlow, Brockschmidt, Zemel, "Gated Graph Sequence Neural Networks", ICLR 2016, the gated sum for
    outputs of whole graphs, with a softmax in place of the sigmoid.
    """

    def __init__(self, channels: int, *, gate: nn.Module | None = None) -> None:
        super().__init__()
        self.gate = nn.Linear(channels, 1) if gate is None else gate

    def forward(self, x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
        weight = _softmax(self.gate(x).squeeze(1), batch, num_graphs)
        return sum_readout(x * weight[:, None].to(x.dtype), batch, num_graphs)


class Set2SetReadout(ReadoutModule):
    r"""The Set2Set readout: several rounds of attention over each graph's nodes, whose queries an LSTM makes.

    .. math:: q_t = \mathrm{LSTM}(q^*_{t-1}), \quad a_{it} = \frac{e^{h_i \cdot q_t}}{\sum_j e^{h_j \cdot q_t}}, \quad
        q^*_t = q_t \,\Vert\, \sum_i a_{it} h_i

    The result is twice as wide as the nodes. It does not depend on their order.

    Args:
        channels: D, the width of the nodes.
        steps: The number of rounds.

    Raises:
        ValueError: ``steps`` is below 1.

    Example:
        >>> import torch
        >>> Set2SetReadout(4)(torch.ones(3, 4), torch.tensor([0, 0, 1]), 2).shape
        torch.Size([2, 8])

    Source: Vinyals, Bengio, Kudlur, "Order Matters: Sequence to Sequence for Sets", ICLR 2016, equations 3 to 7.
    """

    factor = 2

    def __init__(self, channels: int, *, steps: int = 3) -> None:
        super().__init__()
        self.steps = check_whole("steps", steps, 1)
        self.cell = nn.LSTMCell(2 * channels, channels)

    def forward(self, x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
        told = x.new_zeros(num_graphs, 2 * x.size(1))
        state = (x.new_zeros(num_graphs, x.size(1)), x.new_zeros(num_graphs, x.size(1)))
        for _ in range(self.steps):
            state = self.cell(told, state)
            asked = state[0]
            weight = _softmax((x * asked.index_select(0, batch)).sum(1), batch, num_graphs)
            answer = sum_readout(x * weight[:, None].to(x.dtype), batch, num_graphs)
            told = torch.cat([asked.to(answer.dtype), answer], 1)
        filled = torch.zeros(num_graphs, dtype=torch.bool, device=batch.device).index_fill(0, batch.long(), True)
        return told * filled[:, None]


def _softmax(score: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    """``[N]`` positive weights that sum to one in each graph."""
    score = score.to(torch.promote_types(score.dtype, torch.float32))
    largest = score.new_zeros(num_graphs).scatter_reduce(0, batch, score.detach(), "amax", include_self=False)
    weight = (score - largest.index_select(0, batch)).exp()
    total = weight.new_zeros(num_graphs).index_add(0, batch, weight)
    return weight / total.index_select(0, batch)
