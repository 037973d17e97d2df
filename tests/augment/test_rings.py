"""Rings around some nodes, against networkx."""

import networkx as nx
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

from graphcl.augment._graph import Graph
from graphcl.augment._rings import rings


@settings(max_examples=100)
@given(n=st.integers(1, 14), data=st.data(), hops=st.integers(0, 6), wanted=st.integers(0, 8))
def test_steps_from_the_nearest_start(n: int, data: st.DataObject, hops: int, wanted: int) -> None:
    node = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), max_size=22))
    edges = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t()
    graph = Graph.of(Data(edge_index=torch.cat([edges, edges.flip(0)], 1), num_nodes=n))
    start = torch.arange(n) % 5 == 0
    other = nx.Graph(pairs)
    other.add_nodes_from(range(n))
    steps = nx.multi_source_dijkstra_path_length(other, start.nonzero().squeeze(1).tolist())
    expected = [d if (d := steps.get(i, 99)) <= hops else -1 for i in range(n)]
    assert rings(graph, start, hops=hops).tolist() == expected
    # The search goes on ring by ring until as many as are wanted are reached.
    last = next((d for d in range(n) if sum(s <= d for s in steps.values()) >= wanted), n)
    expected = [d if (d := steps.get(i, 99)) <= last else -1 for i in range(n)]
    assert rings(graph, start, wanted=torch.tensor([wanted])).tolist() == expected
