"""Ties: each two nodes once, in the order of the graphs, with hashes that do not depend on the batch."""

from collections.abc import Callable

import torch
from torch_geometric.data import Batch, Data

from graphcl.augment._graph import Graph
from graphcl.augment._ties import Ties


def test_each_two_nodes_once(make: Callable[..., Data]) -> None:
    members = [
        make(5, [(0, 1), (1, 0), (1, 4), (4, 1), (2, 2), (0, 1)], directed=True, graph_id=4),
        make(3, graph_id=1),
        make(4, [(3, 0), (1, 2)], graph_id=9),
    ]
    graph = Graph.of(Batch.from_data_list(members))
    ties = Ties.of(graph)
    assert list(zip(ties.low.tolist(), ties.high.tolist())) == [(0, 1), (2, 2), (1, 4), (9, 10), (8, 11)]
    assert ties.graph.tolist() == [0, 0, 0, 2, 2]
    assert ties.counts.tolist() == [3, 0, 2]
    assert torch.equal(torch.stack([ties.low, ties.high])[:, ties.of_edge], graph.edge_index.sort(0).values)
    alone = [Graph.of(data) for data in members]
    hashes = torch.cat([Ties.of(one).hashes(one, 7) for one in alone])
    assert torch.equal(ties.hashes(graph, 7), hashes)
    assert hashes.unique().numel() == 5


def test_no_edges_and_no_nodes(make: Callable[..., Data]) -> None:
    for n in (0, 3):
        ties = Ties.of(Graph.of(make(n)))
        assert ties.low.numel() == ties.of_edge.numel() == 0
        assert ties.counts.tolist() == [0]
