"""The readouts against those of PyG."""

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import AttentionalAggregation, global_add_pool, global_max_pool, global_mean_pool
from torch_geometric.nn import aggr as pyg_aggr

from graphcl.nn import (
    GIN,
    AttentionReadout,
    ConcatReadout,
    GraphEncoder,
    Set2SetReadout,
    max_readout,
    mean_readout,
    root_readout,
    sum_readout,
)
from graphcl.nn.readouts import as_readout


def pyg_root(x, batch, size):
    count = global_add_pool(torch.ones_like(x), batch, size).clamp(min=1)
    return global_add_pool(x, batch, size) / count.sqrt()


READOUTS = [
    (sum_readout, global_add_pool),
    (mean_readout, global_mean_pool),
    (root_readout, pyg_root),
    (max_readout, global_max_pool),
]
readouts = pytest.mark.parametrize(("ours", "pyg"), READOUTS, ids=["sum", "mean", "root", "max"])

BATCHES = [
    [0, 0, 1, 2, 2, 2],
    [2, 0, 1, 0, 2, 2],  # out of order
    [1, 1, 3, 3, 3, 3],  # graphs 0, 2 and 4 have no nodes
    [3, 1, 3, 1, 3, 3],
]


@readouts
@pytest.mark.parametrize("batch", BATCHES, ids=str)
class TestAgainstPyG:
    def test_value_and_gradient(self, ours, pyg, batch, generator):
        batch = torch.tensor(batch)
        x = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
        weight = torch.randn(5, 4, generator=generator, dtype=torch.float64)
        found, wanted = ours(x, batch, 5), pyg(x, batch, 5)
        torch.testing.assert_close(found, wanted)
        grads = (torch.autograd.grad(y, x, weight)[0] for y in (found, wanted))
        torch.testing.assert_close(*grads)

    def test_double_precision_gradient(self, ours, pyg, batch, generator):
        x = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: ours(x, torch.tensor(batch), 5), (x,))


@readouts
class TestEdges:
    def test_no_nodes(self, ours, pyg):
        assert ours(torch.ones(0, 3), torch.zeros(0, dtype=torch.int64), 2).tolist() == [[0.0] * 3] * 2

    def test_no_graphs(self, ours, pyg):
        assert ours(torch.ones(0, 3), torch.zeros(0, dtype=torch.int64), 0).shape == (0, 3)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
    def test_dtype_is_kept(self, ours, pyg, dtype):
        x = torch.tensor([[-1.0], [-3.0], [2.0]], dtype=dtype)
        y = ours(x, torch.tensor([0, 0, 1]), 2)
        assert y.dtype == dtype
        assert y[1].item() == 2.0

    def test_permutation_of_the_nodes(self, ours, pyg, generator):
        x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        batch = torch.randint(4, (20,), generator=generator)
        p = torch.randperm(20, generator=generator)
        torch.testing.assert_close(ours(x[p], batch[p], 4), ours(x, batch, 4))


def test_hand_computed():
    x, batch = torch.tensor([[-1.0], [-3.0], [2.0]]), torch.tensor([0, 0, 1])
    values = [readout(x, batch, 2).squeeze(1).tolist() for readout in (sum_readout, mean_readout, max_readout)]
    assert values == [[-4.0, 2.0], [-2.0, 2.0], [-1.0, 2.0]]


MODULES = {
    "attention": lambda: AttentionReadout(4),
    "set2set": lambda: Set2SetReadout(4),
    "concat": lambda: ConcatReadout([sum_readout, AttentionReadout(4), max_readout]),
}


@pytest.fixture(params=MODULES)
def module(request):
    return MODULES[request.param]().double()


class TestModules:
    def test_each_graph_by_itself(self, module, generator):
        x, batch = torch.randn(6, 4, generator=generator, dtype=torch.float64), torch.tensor([2, 0, 1, 0, 2, 2])
        together = module(x, batch, 3)
        for g in range(3):
            part = x[batch == g]
            torch.testing.assert_close(together[g : g + 1], module(part, torch.zeros(len(part), dtype=torch.int64), 1))

    def test_permutation_of_the_nodes(self, module, generator):
        x = torch.randn(20, 4, generator=generator, dtype=torch.float64)
        batch, p = torch.randint(4, (20,), generator=generator), torch.randperm(20, generator=generator)
        torch.testing.assert_close(module(x[p], batch[p], 4), module(x, batch, 4))

    def test_graphs_without_nodes_give_zeros(self, module):
        out = module(torch.ones(2, 4, dtype=torch.float64), torch.tensor([1, 1]), 3)
        assert out.shape == (3, module.width_of(4))
        assert (out[[0, 2]] == 0).all()
        assert (out[1] != 0).any()

    def test_gradient_to_nodes_and_weights(self, module, generator):
        x = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
        batch = torch.tensor([0, 0, 1, 1, 1])
        assert torch.autograd.gradcheck(lambda x: module(x, batch, 2), (x,))
        module(x, batch, 2).square().sum().backward()
        assert all(p.grad.isfinite().all() for p in module.parameters())

    def test_in_an_encoder(self, module, generator):
        encoder = GraphEncoder(GIN(3, 2, 2), module.float())
        assert encoder.graph_channels == module.width_of(4)
        edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
        assert encoder(torch.ones(3, 3), edges).graph.shape == (1, encoder.graph_channels)
        assert set(dict(module.named_parameters()).values()) <= set(encoder.parameters())

    def test_large_scores_do_not_overflow(self, module):
        out = module(1e4 * torch.eye(4, dtype=torch.float64), torch.zeros(4, dtype=torch.int64), 1)
        assert out.isfinite().all()


def test_attention_equals_pygs(generator):
    ours = AttentionReadout(4)
    pyg = AttentionalAggregation(ours.gate)
    x, batch = torch.randn(9, 4, generator=generator), torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    torch.testing.assert_close(ours(x, batch, 3), pyg(x, batch, dim_size=3))


def test_set2set_equals_a_literal_loop(generator):
    readout, x = Set2SetReadout(4, steps=3), torch.randn(5, 4, generator=generator)
    told, h, c = torch.zeros(1, 8), torch.zeros(1, 4), torch.zeros(1, 4)
    for _ in range(3):
        h, c = readout.cell(told, (h, c))
        a = torch.softmax(torch.stack([row @ h[0] for row in x]), 0)
        told = torch.cat([h, sum(w * row for w, row in zip(a, x, strict=True))[None]], 1)
    torch.testing.assert_close(readout(x, torch.zeros(5, dtype=torch.int64), 1), told)


def test_readouts_beside_each_other(generator):
    x, batch = torch.randn(6, 4, generator=generator), torch.tensor([0, 0, 1, 2, 2, 2])
    wanted = torch.cat([sum_readout(x, batch, 3), mean_readout(x, batch, 3)], 1)
    torch.testing.assert_close(ConcatReadout([sum_readout, mean_readout])(x, batch, 3), wanted)


def test_nothing_to_read_out_by_is_refused():
    with pytest.raises(ValueError, match="expected at least one readout"):
        ConcatReadout([])
    with pytest.raises(ValueError, match="expected steps of at least 1"):
        Set2SetReadout(4, steps=0)


@pytest.mark.parametrize(
    ("make", "width"),
    [
        (pyg_aggr.MeanAggregation, 8),
        (lambda: AttentionalAggregation(torch.nn.Linear(8, 1)), 8),
        (lambda: AttentionalAggregation(torch.nn.Linear(8, 1), torch.nn.Linear(8, 3)), 3),
        (lambda: pyg_aggr.MultiAggregation(["sum", "max"]), 16),
        (lambda: pyg_aggr.Set2Set(8, 2), 16),
        (lambda: pyg_aggr.SortAggregation(3), 24),
        (lambda: pyg_aggr.QuantileAggregation([0.25, 0.75]), 16),
        (lambda: pyg_aggr.LSTMAggregation(8, 5), 5),
        (lambda: pyg_aggr.GRUAggregation(8, 5), 5),
    ],
    ids=["mean", "attention", "narrow", "several", "set2set", "sort", "quantile", "lstm", "gru"],
)
def test_an_aggregation_of_pyg_is_a_readout(make, width, generator):
    aggregation = make()
    encoder = GraphEncoder(GIN(3, 4, 2, norm="none"), aggregation)
    none = Data(x=torch.zeros(0, 3), edge_index=torch.zeros(2, 0, dtype=torch.int64))
    some = [Data(x=torch.randn(n, 3, generator=generator), edge_index=none.edge_index) for n in (2, 4)]
    batch = Batch.from_data_list([*some, none])
    node, graph = encoder.encode(batch)
    assert encoder.graph_channels == width == graph.size(1)
    assert aggregation.training
    torch.testing.assert_close(graph, aggregation(node, batch.batch, dim_size=3))
    assert {id(p) for p in aggregation.parameters()} <= {id(p) for p in encoder.parameters()}
    both = ConcatReadout([sum_readout, aggregation])
    assert both.width_of(8) == 8 + width
    torch.testing.assert_close(both(node, batch.batch, 3)[:, 8:], graph)


def test_an_aggregation_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"expected an aggregation of nodes of width 8, got LSTMAggregation\(4, 5\)"):
        as_readout(pyg_aggr.LSTMAggregation(4, 5)).width_of(8)
