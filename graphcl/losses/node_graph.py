"""Nodes against graphs: a node belongs to its own graph's summary and to no other."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import as_temperature, check_alike, check_ids, check_index, check_rows, check_temperature
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._jsd import jsd
from graphcl.losses._negatives import barred_groups
from graphcl.losses._numerics import widened
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows

__all__ = ["NodeGraphInfoNCE", "NodeGraphJSD", "node_graph_info_nce", "node_graph_jsd"]


def node_graph_info_nce(
    node: Float[Tensor, "n d"],
    graph: Float[Tensor, "g d"],
    batch: Int[Tensor, " n"],
    *,
    temperature: float | Tensor = 0.5,
    positive_in_denominator: bool = True,
    exclude: Sequence[Int[Tensor, " g"]] = (),
) -> Float[Tensor, ""]:
    r"""Tell the graph of each node from the other graphs of the batch.

    .. math:: L = -\frac1N \sum_i \log \frac{e^{s_{i\,b(i)}/\tau}}{\sum_g e^{s_{ig}/\tau}},
        \qquad s_{ig} = \cos(h_i, g_g)

    where b(i) is the graph of node i.

    Args:
        node: ``[N, D]`` node embeddings; any length, they are normalised here.
        graph: ``[G, D]`` graph embeddings, of the same or of another view.
        batch: ``[N]`` the graph of each node, as in a PyG batch; in any order.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: Whether a node's own graph counts in the denominator.
        exclude: Group vectors ``[G]``: a graph that shares a group in any of them with a node's own, such as a
            duplicate, is not a negative of that node; -1 is no group.

    Returns:
        A scalar, the mean over the nodes.

    Raises:
        ValueError: The shapes do not fit, there are fewer than two graphs or no nodes, a node's graph is out of range,
            or the temperature is not positive.
        TypeError: The embeddings are not floating point, or ``batch`` is not of integers.

    Example:
        >>> import torch
        >>> h = torch.eye(2)
        >>> round(node_graph_info_nce(h, h, torch.tensor([0, 1]), temperature=1.0).item(), 4)  # log(1 + 1/e)
        0.3133

    Source: the bound of van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018,
    equation 4, on the node-graph pairs of Sun, Hoffmann, Verma, Tang, "InfoGraph: Unsupervised and Semi-supervised
    Graph-Level Representation Learning via Mutual Information Maximization", ICLR 2020.
    """
    _check(node, graph, batch)
    temperature = as_temperature(temperature)
    node, graph, batch = unit_rows(node), unit_rows(graph), batch.long()
    groups = [(own.index_select(0, batch), theirs) for own, theirs in barred_groups(graph, exclude)]
    return mean_contrast(node, graph, groups, scale=1.0 / temperature, positive_in_denominator=positive_in_denominator)


def node_graph_jsd(
    node: Float[Tensor, "n d"],
    graph: Float[Tensor, "g d"],
    batch: Int[Tensor, " n"],
    *,
    exclude: Sequence[Int[Tensor, " g"]] = (),
) -> Float[Tensor, ""]:
    r"""The Jensen-Shannon estimator of InfoGraph: how badly dot products tell own from foreign graphs.

    .. math:: L = \frac1N \sum_i \mathrm{sp}(-h_i \cdot g_{b(i)})
        + \frac1{N(G - 1)} \sum_i \sum_{g \ne b(i)} \mathrm{sp}(h_i \cdot g_g), \qquad \mathrm{sp}(x) = \log(1 + e^x)

    where b(i) is the graph of node i. All N(G - 1) foreign pairs count, in memory linear in N: they are summed block by
    block. On a CPU the gradient is computed with the value; elsewhere the backward pass computes each block again.

    Args:
        node: ``[N, D]`` node embeddings; not normalised.
        graph: ``[G, D]`` graph embeddings, of the same or of another view.
        batch: ``[N]`` the graph of each node, as in a PyG batch; in any order.
        exclude: Group vectors ``[G]``: a graph that shares a group in any of them with a node's own, such as a
            duplicate, is not a foreign one of that node, and the second mean is over the pairs that are left; -1 is no
            group.

    Returns:
        A scalar; 2 log 2 for embeddings that say nothing.

    Raises:
        ValueError: The shapes do not fit, there are fewer than two graphs or no nodes, or a node's graph is out of
            range.
        TypeError: The embeddings are not floating point, or ``batch`` is not of integers.

    Example:
        >>> import torch
        >>> h = torch.eye(2)
        >>> round(node_graph_jsd(h, h, torch.tensor([0, 1])).item(), 4)  # log(1 + 1/e) + log(2)
        1.0064

    Source: Sun, Hoffmann, Verma, Tang, "InfoGraph: Unsupervised and Semi-supervised Graph-Level Representation Learning
    via Mutual Information Maximization", ICLR 2020, the Jensen-Shannon estimator.
    Differs from the authors' code: theirs is less by the constant 2 log 2.
    """
    _check(node, graph, batch)
    node, graph = widened(node, graph)
    return jsd(node, graph, batch.long(), barred_groups(graph, exclude)[1:])


def _check(node: Tensor, graph: Tensor, batch: Tensor) -> None:
    check_rows("node", node)
    check_rows("graph", graph)
    if graph.size(0) < 2:
        raise ValueError(
            f"expected at least 2 graphs to contrast, got {graph.size(0)}: the other graphs of the batch are the "
            "negatives. Use a larger batch, or for one graph a loss on its nodes"
        )
    check_alike(node=node, graph=graph)
    check_ids("batch", batch, node.size(0), node.device)
    check_index("batch", batch, graph.size(0))


class NodeGraphInfoNCE(Objective):
    """Nodes against graphs by InfoNCE; see :func:`node_graph_info_nce`.

    Args:
        temperature: tau > 0.
        positive_in_denominator: Whether a node's own graph counts in the denominator.

    Example:
        >>> NodeGraphInfoNCE(temperature=0.2)
        NodeGraphInfoNCE(temperature=0.2, positive_in_denominator=True)
    """

    def __init__(self, *, temperature: float = 0.5, positive_in_denominator: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(self, node: Tensor, graph: Tensor, batch: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return node_graph_info_nce(
            node,
            graph,
            batch,
            temperature=self.temperature,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
        )


class NodeGraphJSD(Objective):
    """Nodes against graphs by the Jensen-Shannon estimator; see :func:`node_graph_jsd`.

    Example:
        >>> import torch
        >>> NodeGraphJSD()(torch.zeros(4, 3), torch.zeros(2, 3), torch.tensor([0, 0, 1, 1]))  # 2 log 2
        tensor(1.3863)
    """

    def forward(self, node: Tensor, graph: Tensor, batch: Tensor, *, exclude: Sequence[Tensor] = ()) -> Tensor:
        return node_graph_jsd(node, graph, batch, exclude=exclude)
