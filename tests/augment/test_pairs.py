"""Pairs: each two nodes once, in the order of the graphs, with hashes that do not depend on the batch."""

from collections.abc import Callable

import torch
from torch_geometric.data import Batch, Data

from graphcl.augment._graph import Graph
from graphcl.augment._pairs import Pairs


def test_each_two_nodes_once(make: Callable[..., Data]) -> None:
    members = [
        make(5, [(0, 1), (1, 0), (1, 4), (4, 1), (2, 2), (0, 1)], directed=True, graph_id=4),
        make(3, graph_id=1),
        make(4, [(3, 0), (1, 2)], graph_id=9),
    ]
    graph = Graph.of(Batch.from_data_list(members))
    pairs = Pairs.find(graph, directed=False)
    high, low = pairs.nodes
    assert list(zip(low.tolist(), high.tolist())) == [(0, 1), (2, 2), (1, 4), (9, 10), (8, 11)]
    assert pairs.graph.tolist() == [0, 0, 0, 2, 2]
    assert pairs.counts.tolist() == [3, 0, 2]
    assert torch.equal(torch.stack([low, high])[:, pairs.of_edge], graph.edge_index.sort(0).values)
    alone = [Graph.of(data) for data in members]
    hashes = torch.cat([Pairs.find(one, directed=False).hashes(7) for one in alone])
    assert torch.equal(pairs.hashes(7), hashes)
    assert hashes.unique().numel() == 5


def test_no_edges_and_no_nodes(make: Callable[..., Data]) -> None:
    for n in (0, 3):
        pairs = Pairs.find(Graph.of(make(n)), directed=False)
        assert pairs.cell.numel() == pairs.of_edge.numel() == 0
        assert pairs.counts.tolist() == [0]
