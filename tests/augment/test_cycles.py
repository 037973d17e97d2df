"""Cycles and components, against networkx."""

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcl.augment._cycles import components, on_cycle


@st.composite
def multigraphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    n = draw(st.integers(1, 14))
    node = st.integers(0, n - 1)
    return n, draw(st.lists(st.tuples(node, node), max_size=22))


def simple(n: int, pairs: list[tuple[int, int]]) -> nx.Graph:
    graph = nx.Graph([(a, b) for a, b in pairs if a != b])
    graph.add_nodes_from(range(n))
    return graph


def tensor(pairs: list[tuple[int, int]]) -> torch.Tensor:
    return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t()


@settings(max_examples=300)
@given(graph=multigraphs())
def test_an_edge_lies_on_a_cycle_unless_it_is_a_bridge(graph: tuple[int, list[tuple[int, int]]]) -> None:
    n, pairs = graph
    bridges = {frozenset(edge) for edge in nx.bridges(simple(n, pairs))}
    expected = [a != b and frozenset((a, b)) not in bridges for a, b in pairs]
    assert on_cycle(tensor(pairs), n).tolist() == expected


@settings(max_examples=100)
@given(graph=multigraphs())
def test_components_are_named_by_their_first_node(graph: tuple[int, list[tuple[int, int]]]) -> None:
    n, pairs = graph
    expected = {node: min(part) for part in nx.connected_components(simple(n, pairs)) for node in part}
    assert components(tensor(pairs), n).tolist() == [expected[i] for i in range(n)]


@pytest.mark.parametrize("n", [3, 4, 63, 64, 65, 1000])
def test_long_rings_and_long_paths(n: int) -> None:
    # A ring of n with a tail of n: depths around the powers of two, where the doubling could stop too early.
    ring = [(i, (i + 1) % n) for i in range(n)]
    tail = [(n - 1 + i, n + i) for i in range(n)]
    order = torch.randperm(2 * n, generator=torch.Generator().manual_seed(n))
    found = on_cycle(order[tensor(ring + tail)], 2 * n)
    assert found.tolist() == [True] * n + [False] * n


def test_nothing_at_all() -> None:
    nothing = torch.empty(2, 0, dtype=torch.int64)
    for n in (0, 1, 3):
        assert on_cycle(nothing, n).tolist() == []
        assert components(nothing, n).tolist() == list(range(n))
