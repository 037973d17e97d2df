"""AD-GCL: an edge dropper that is trained against the encoder."""

import math

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key, open_uniform
from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs

__all__ = ["EdgeDropper", "concrete", "mean_drop"]


def concrete(logits: Tensor, hashes: Tensor, temperature: float) -> Tensor:
    """Bernoulli draws made differentiable: sigmoid((logit + log(u) - log(1 - u)) / temperature), u uniform in (0, 1).

    Args:
        logits: ``[P]`` floating point; the probability of a one is sigmoid(logit).
        hashes: ``[P]`` int64, one independent hash for each u.
        temperature: Above 0; towards 0 the draws become zeros and ones.

    Returns:
        ``[P]`` numbers within [0, 1].

    Example:
        >>> concrete(torch.tensor([20.0, -20.0]), torch.tensor([1 << 62, 1 << 62]), 1.0).round().tolist()
        [1.0, 0.0]

    Source: Maddison, Mnih, Teh, "The Concrete Distribution: A Continuous Relaxation of Discrete Random Variables", ICLR
    2017, for two states; Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017.
    """
    u = open_uniform(hashes)  # in float64, where the devices agree
    noise = (u.log() - (-u).log1p()).to(logits.dtype)
    return torch.sigmoid((logits + noise) / temperature)


def mean_drop(weight: Tensor, edge_batch: Tensor, num_graphs: int) -> Tensor:
    """The share of a graph's edges that is dropped, sum_e (1 - weight_e) / |E|, averaged over the graphs with edges.

    Args:
        weight: ``[E]`` within [0, 1].
        edge_batch: ``[E]`` the graph of each edge.
        num_graphs: G.

    Returns:
        A scalar; 0 where no graph has an edge.

    Example:
        >>> mean_drop(torch.tensor([1.0, 0.0, 0.5]), torch.tensor([0, 0, 2]), 3).item()
        0.5
    """
    zeros = weight.new_zeros(num_graphs)
    dropped = zeros.index_add(0, edge_batch, 1 - weight)
    edges = zeros.index_add(0, edge_batch, torch.ones_like(weight))
    return (dropped / edges.clamp(min=1)).sum() / (edges > 0).sum().clamp(min=1)


class EdgeDropper(nn.Module):
    """Learns which edges to drop: a weight near 0 drops an edge softly, one near 1 keeps it.

    Each edge is scored from the embeddings of its ends by an MLP and drawn from a relaxed Bernoulli distribution, so
    that gradients flow to the scores and to the embeddings::

        w_e = sigmoid((score_e + log u_e - log(1 - u_e)) / temperature)

    Both directions of an edge (and duplicates of it) share the score, which does not depend on the order of the ends,
    and the draw, which is a hash of (key, graph, pair). The encoder takes the weights as ``edge_weight``. The dropper
    *maximises* ``contrastive loss - penalty(weight, data)`` while the encoder minimises the loss::

        weight = dropper(h, data, key)
        objective = loss(encode(data), encode(data, edge_weight=weight)) - dropper.penalty(weight, data)
        (-objective).backward()  # the dropper's step

    Args:
        in_channels: The size D of the node embeddings.
        edge_channels: The number of edge features that the score may use, 0 for none.
        hidden_channels: The width of the MLP's hidden layer.
        temperature: Of the relaxation, above 0.
        strength: The weight of the penalty (lambda in the paper), at least 0.

    Raises:
        ValueError: A size is below one, ``temperature`` is not positive, or ``strength`` negative.

    Example:
        >>> dropper = EdgeDropper(8)
        >>> data = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)
        >>> weight = dropper(torch.randn(3, 8), data, key=0)
        >>> bool(weight[0] == weight[1]), bool(weight[2] == weight[3])
        (True, True)

    Source: Suresh, Li, Hao, Neville, "Adversarial Graph Augmentation to Improve Graph Contrastive Learning", NeurIPS
    2021; the defaults are those of the authors' code for TU data.
    Differs from the authors' code: there the two directions of an edge have scores and draws of their own, u stays
    0.0001 away from 0 and 1, and the perceptron begins with Xavier-uniform weights.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        edge_channels: int = 0,
        hidden_channels: int = 64,
        temperature: float = 1.0,
        strength: float = 5.0,
    ) -> None:
        super().__init__()
        if in_channels < 1 or hidden_channels < 1 or edge_channels < 0:
            raise ValueError(
                f"expected in_channels and hidden_channels of at least 1 and edge_channels of at least 0, "
                f"got {in_channels}, {hidden_channels} and {edge_channels}"
            )
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(f"expected temperature > 0, got {temperature}")
        if not (strength >= 0 and math.isfinite(strength)):
            raise ValueError(f"expected strength >= 0 (the weight of the penalty), got {strength}")
        self.in_channels, self.edge_channels = in_channels, edge_channels
        self.temperature, self.strength = temperature, strength
        self.mlp = nn.Sequential(
            nn.Linear(2 * in_channels + edge_channels, hidden_channels), nn.ReLU(), nn.Linear(hidden_channels, 1)
        )

    def forward(self, h: Tensor, data: Data, key: Key, *, edge_attr: Tensor | None = None) -> Tensor:
        """``[E]`` the weight of each edge, within [0, 1].

        Args:
            h: ``[N, D]`` node embeddings.
            data: The graph or batch that they belong to.
            key: The stream of the draws: the same key, the same draws.
            edge_attr: ``[E, edge_channels]`` floating point, if the score uses them; averaged over both directions.

        Raises:
            ValueError: A shape is not as described.
        """
        pairs = Pairs.find(Graph.of(data), directed=False)
        logits = self._scores(h, pairs, edge_attr)
        return concrete(logits, pairs.hashes(key), self.temperature).index_select(0, pairs.of_edge)

    def score(self, h: Tensor, data: Data, *, edge_attr: Tensor | None = None) -> Tensor:
        """``[E]`` the score of each edge, without the draw: sigmoid(score) is the probability of keeping it."""
        pairs = Pairs.find(Graph.of(data), directed=False)
        return self._scores(h, pairs, edge_attr).index_select(0, pairs.of_edge)

    def _scores(self, h: Tensor, pairs: Pairs, edge_attr: Tensor | None) -> Tensor:
        """``[P]`` the score of each two nodes that an edge joins."""
        graph = pairs.of
        if h.shape != (graph.num_nodes, self.in_channels):
            raise ValueError(f"expected h of shape {[graph.num_nodes, self.in_channels]}, got {list(h.shape)}")
        high, low = pairs.nodes
        a, b = h.index_select(0, low), h.index_select(0, high)
        features = []
        if self.edge_channels:
            shape = (graph.num_edges, self.edge_channels)
            if edge_attr is None or edge_attr.shape != shape:
                got = "none" if edge_attr is None else list(edge_attr.shape)
                raise ValueError(f"expected edge_attr of shape {list(shape)}, got {got}")
            total = h.new_zeros(a.size(0), self.edge_channels).index_add(0, pairs.of_edge, edge_attr.to(h.dtype))
            times = h.new_zeros(a.size(0), 1).index_add(0, pairs.of_edge, h.new_ones(graph.num_edges, 1))
            features = [total / times]
        elif edge_attr is not None:
            raise ValueError("expected no edge_attr, got some; build EdgeDropper(..., edge_channels=...) to use it")
        both = self.mlp(torch.cat([a, b, *features], 1)) + self.mlp(torch.cat([b, a, *features], 1))
        return both.squeeze(1) / 2

    def penalty(self, weight: Tensor, data: Data) -> Tensor:
        """``strength`` times the share of edges dropped, averaged over the graphs that have edges; a scalar.

        Args:
            weight: ``[E]`` from a call of this module.
            data: The graph or batch that it belongs to.
        """
        graph = Graph.of(data)
        return self.strength * mean_drop(weight, graph.edge_batch, graph.num_graphs)
