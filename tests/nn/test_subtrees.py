import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from graphcl.nn import GIN, rooted_subtrees


def random_graph(seed, num_nodes=12, degree=2):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, degree * num_nodes), generator=generator)
    x = torch.randint(2, (num_nodes, 3), generator=generator)
    return Data(x=x, edge_index=edges, edge_attr=torch.randint(2, (edges.size(1), 2), generator=generator))


def literal(data, depth, marked):
    """Subtrees written out: tuples of a node's own and the sorted ones of its neighbours."""
    colours = [tuple(row) for row in data.x.tolist()]
    rounds = [colours]
    for _ in range(depth):
        new = []
        for v in range(data.num_nodes):
            come = []
            for e, (s, t) in enumerate(data.edge_index.t().tolist()):
                if t == v:
                    come.append((colours[s], tuple(data.edge_attr[e].tolist()) if marked else ()))
            new.append((colours[v], tuple(sorted(come))))
        colours = new
        rounds.append(colours)
    return rounds


def same(values):
    return [[a == b for b in values] for a in values]


@pytest.mark.parametrize("marked", [False, True])
@given(seed=st.integers(0, 10_000), num_nodes=st.integers(1, 14), degree=st.integers(0, 3))
def test_equal_where_the_subtrees_written_out_are(marked, seed, num_nodes, degree):
    data = random_graph(seed, num_nodes, degree)
    found = rooted_subtrees(data, 3, edge_attr=marked)
    for row, wanted in zip(found, literal(data, 3, marked), strict=True):
        assert (row[:, None] == row[None]).tolist() == same(wanted)


def test_no_network_tells_more_apart():
    data = random_graph(0, 40, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = GIN(3, 16, 3, norm="none")(data.x.float(), data.edge_index).split(16, 1)
    for colours, z in zip(rooted_subtrees(data, 3)[1:], layers, strict=True):
        alike = colours[:, None] == colours[None]
        assert alike.sum() > 40  # some besides themselves
        assert (z[:, None] - z[None]).abs().amax(2)[alike].max() < 1e-4


def test_the_same_alone_and_in_any_batch():
    graphs = [random_graph(seed) for seed in range(5)]
    alone = torch.cat([rooted_subtrees(graph, 2) for graph in graphs], 1)
    assert torch.equal(rooted_subtrees(Batch.from_data_list(graphs), 2), alone)


def test_whatever_the_order_of_nodes_and_edges():
    data = random_graph(3)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    new = torch.empty_like(order)
    new[order] = torch.arange(12)
    moved = Data(x=data.x[order], edge_index=new[data.edge_index].flip(1))
    assert torch.equal(rooted_subtrees(moved, 3), rooted_subtrees(data, 3)[:, order])


def test_a_multiset_counts():
    """Two neighbours of one kind are not one: a star of two and a star of three differ at the centre."""

    def star(n):
        return Data(x=torch.ones(n + 1, 1), edge_index=torch.stack([torch.arange(1, n + 1), torch.zeros(n).long()]))

    assert rooted_subtrees(star(2), 1)[1, 0] != rooted_subtrees(star(3), 1)[1, 0]
    assert rooted_subtrees(star(2), 0)[0, 0] == rooted_subtrees(star(3), 0)[0, 0]


def test_whole_numbers_halves_and_zeros_of_both_signs_are_alike():
    none = torch.zeros(2, 0, dtype=torch.int64)
    values = torch.tensor([[0.0, 2.0], [-0.0, 2.0]])
    wanted = rooted_subtrees(Data(x=values, edge_index=none), 0)
    assert wanted[0, 0] == wanted[0, 1]
    for kind in (torch.float64, torch.float16, torch.int64, torch.uint8):
        assert torch.equal(rooted_subtrees(Data(x=values.to(kind), edge_index=none), 0), wanted)


def test_columns_are_told_apart_and_many_of_them():
    none = torch.zeros(2, 0, dtype=torch.int64)
    assert rooted_subtrees(Data(x=torch.eye(200), edge_index=none), 0).unique().numel() == 200


def test_without_features_by_the_incoming_edges():
    data = Data(edge_index=torch.tensor([[0, 0, 1], [1, 2, 2]]), num_nodes=4)
    first = rooted_subtrees(data, 0)[0].tolist()
    assert first[0] == first[3]
    assert len(set(first)) == 3


def test_empty():
    none = torch.zeros(2, 0, dtype=torch.int64)
    assert rooted_subtrees(Data(x=torch.zeros(0, 3), edge_index=none), 2).shape == (3, 0)
    assert rooted_subtrees(Data(x=torch.zeros(3, 0), edge_index=none), 2)[2].unique().numel() == 1


def test_refusals():
    data = Data(x=torch.tensor([[1.0], [torch.nan]]), edge_index=torch.zeros(2, 0, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected depth >= 0, got -1"):
        rooted_subtrees(data, -1)
    with pytest.raises(ValueError, match="without NaN, got 1 NaN"):
        rooted_subtrees(data, 1)
    with pytest.raises(ValueError, match=r"expected data.edge_attr to mark the edges by, got none"):
        rooted_subtrees(data.clone().update({"x": torch.ones(2, 1)}), 1, edge_attr=True)


@pytest.mark.gpu
def test_on_a_gpu_bit_for_bit():
    data = random_graph(1, 500, 3)
    assert torch.equal(
        rooted_subtrees(data.to("cuda"), 3, edge_attr=True).cpu(), rooted_subtrees(data.cpu(), 3, edge_attr=True)
    )
