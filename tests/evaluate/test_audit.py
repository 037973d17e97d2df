"""The audit: an untrained encoder is worth nothing, a trained one what the runner says, any PyG network will do."""

import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GIN, global_mean_pool

from graphcl.data import PackedDataset, load
from graphcl.errors import GraphCLError
from graphcl.evaluate import audit, collect_statistics, lift_of_one, protocol, with_folds
from graphcl.evaluate.audit import reinitialised
from graphcl.methods import GraphCL
from graphcl.nn import GIN as OwnGIN
from graphcl.nn import GraphEncoder

FEW = with_folds(protocol("tu-rbf-svm"), 3, 2)


@pytest.fixture(scope="module")
def graphs():
    return load("synthetic-molecules")[:120]


def by_name(rows):
    return {row.method: row for row in rows}


@pytest.mark.parametrize("norm", [None, "batch_norm"])
def test_an_untrained_encoder_audits_to_zero_within_its_interval(graphs, norm):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        encoder = GIN(graphs.num_features, 16, num_layers=2, norm=norm)
    row = by_name(audit(encoder, graphs, probe=with_folds(FEW, 5), seeds=[0, 1, 2]))["GIN"]
    assert row.lift_low <= 0 <= row.lift_high and row.seeds == 3 and row.p > 0.05


def test_the_interval_takes_in_how_far_untrained_networks_lie_apart(graphs, monkeypatch):
    """Folds that vary little say nothing of that the encoder is a single draw of its weights."""
    rng, kept = np.random.default_rng(0), {}
    weights = {"raw": 70, "untrained-init": 80, "wl": 70, "untrained": np.array([[78.0], [80.0], [82.0]]), "GIN": 77}

    def scores_of(*arguments, **options):
        found = evaluate(*arguments, **options)
        for name, level in weights.items():
            found.scores[name][:] = level + 0.1 * rng.normal(size=found.scores[name].shape)
        kept.update(found.scores)
        return found

    module = sys.modules[audit.__module__]
    evaluate = module.evaluate_embeddings
    monkeypatch.setattr(module, "evaluate_embeddings", scores_of)
    rows = by_name(audit(GIN(graphs.num_features, 4, num_layers=1), graphs, probe=FEW, seeds=[0, 1, 2]))
    wanted = lift_of_one(kept["GIN"], kept["untrained"], n_test=1, n_train=2)
    assert (rows["GIN"].lift, rows["GIN"].lift_low, rows["GIN"].lift_high, rows["GIN"].p) == pytest.approx(wanted)
    assert rows["GIN"].lift_low < 0 < rows["GIN"].lift_high
    assert rows["raw"].lift_high < 0  # which is no draw


def test_an_encoder_that_knows_the_labels_has_a_lift(graphs):
    class Oracle(nn.Module):
        """Adds the class, which the data carry in a feature, to a network's embeddings; untrained it does not."""

        def __init__(self, strength):
            super().__init__()
            self.strength, self.body = strength, OwnGIN(graphs.num_features, 4, 1)

        def forward(self, x, edge_index, batch):
            z = global_mean_pool(self.body(x[:, :-1], edge_index), batch)
            return torch.cat([z, self.strength * 1000 * global_mean_pool(x[:, -1:], batch)], 1)

    def with_class(data):
        data = data.clone()
        data.x = torch.cat([data.x, data.y.view(1, 1).expand(data.num_nodes, 1).to(data.x.dtype)], 1)
        return data

    marked = [with_class(graph) for graph in graphs]
    row = by_name(audit(Oracle(1), marked, make=lambda seed: Oracle(0), readout=None, probe=FEW, seeds=[0]))["Oracle"]
    assert row.mean == 100 and row.lift_low > 0


def test_the_encoder_is_left_as_it_was_and_its_weights_are_what_counts(graphs):
    encoder = GIN(graphs.num_features, 8, num_layers=2, norm="batch_norm", dropout=0.5).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    state = torch.get_rng_state()
    first, second = (audit(encoder, graphs, probe=FEW, seeds=[0], name="mine", dataset_name="toy") for _ in range(2))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert encoder.training and torch.equal(torch.get_rng_state(), state)
    assert [row.mean for row in first] == [row.mean for row in second]
    assert [row.method for row in first] == ["raw", "untrained-init", "untrained", "mine", "wl"]
    assert {row.dataset for row in first} == {"toy"} and all(
        row.lift is not None for row in first if "wl" in row.method
    )


def test_every_form_of_an_encoder_gives_the_same_rows(graphs):
    gnn = OwnGIN(graphs.num_features, 8, 2)
    packed = PackedDataset(graphs, graph_id=True)
    collect_statistics(GraphCL(GraphEncoder(gnn)), packed.batches(50))
    forms = [gnn, GraphEncoder(gnn), GraphCL(GraphEncoder(gnn))]
    tables = [
        audit(form, data, probe=FEW, seeds=[1]) for form, data in zip(forms, [graphs, packed, packed], strict=True)
    ]
    for rows in tables:
        assert [(row.method, row.mean, row.lift) for row in rows] == [
            (row.method, row.mean, row.lift) for row in tables[0]
        ]


def test_a_grouped_protocol_gets_its_groups(graphs):
    kept = with_folds(protocol("tu-rbf-svm-grouped"), 3, 2)
    rows = audit(GCN(graphs.num_features, 8, num_layers=1), graphs, probe=kept, seeds=[0])
    assert {row.protocol for row in rows} == {"tu-rbf-svm-grouped-3x2-folds"}


def test_fresh_weights_are_keyed_and_of_the_same_law():
    network = GIN(3, 64, num_layers=2, norm="batch_norm")
    one, again, other = (reinitialised(network, seed) for seed in (5, 5, 6))
    for a, b, c, d in zip(*(net.parameters() for net in (one, again, other, network)), strict=True):
        assert torch.equal(a, b)
        if a.dim() == 2:
            assert not torch.equal(a, c) and not torch.equal(a, d)
            np.testing.assert_allclose(float(a.std().detach()), float(d.std().detach()), rtol=0.2)


def test_refusals(graphs):
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(graphs.num_features, 2))

        def forward(self, x, edge_index):
            return x @ self.weight

    with pytest.raises(ValueError, match="give make="):
        audit(Bare(), graphs, probe=FEW, seeds=[0])
    with pytest.raises(TypeError, match="torch module"):
        audit(lambda x: x, graphs, probe=FEW, seeds=[0])
    bare = [Data(x=graph.x, edge_index=graph.edge_index) for graph in graphs]
    with pytest.raises(ValueError, match="expected a class per graph in y"):
        audit(GIN(graphs.num_features, 4, 2), bare, probe=FEW, seeds=[0])
    for wrong in (torch.zeros(1, 2), torch.zeros(7)):
        several = [Data(x=graph.x, edge_index=graph.edge_index, y=wrong) for graph in graphs]
        with pytest.raises(ValueError, match=r"one class y for each of 120 graphs, got y of shape .*choose one"):
            audit(GIN(graphs.num_features, 4, 2), several, probe=FEW, seeds=[0])


def test_labels_and_features_that_are_no_tensors_are_refused(graphs):
    network = GIN(graphs.num_features, 4, 2)
    for key, value, words in (
        ("y", "active", "expected classes y as whole numbers, got a list; number them"),
        ("x", graphs[0].x.numpy(), "expected x to be a tensor, got list; .* torch.from_numpy"),
    ):
        changed = [Data(x=graph.x, edge_index=graph.edge_index, y=graph.y) for graph in graphs[:20]]
        for graph in changed:
            graph[key] = value
        with pytest.raises(TypeError, match=words):
            audit(network, changed, probe=FEW, seeds=[0])


def test_a_network_that_fails_is_named_with_what_went_wrong_in_it(graphs):
    wide = GIN(graphs.num_features + 1, 4, 2)
    words = f"graphs with {graphs.num_features} numbers per node, but GIN failed on 120 of them: RuntimeError: mat1 and"
    with pytest.raises(GraphCLError, match=words) as caught:
        audit(wide, graphs, probe=FEW, seeds=[0])
    assert isinstance(caught.value.__cause__, RuntimeError)

    class Pooled(nn.Module):
        def forward(self, x, edge_index, batch):
            return {}["nothing"]

    with pytest.raises(GraphCLError, match="but Pooled failed on 120 of them: KeyError: 'nothing'"):
        audit(Pooled(), graphs, probe=FEW, seeds=[0], readout=None)


def test_a_network_that_draws_the_weights_of_its_parts_draws_them_last():
    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)])
            self.reset_parameters()

        def reset_parameters(self):
            for layer in self.layers:
                torch.nn.init.constant_(layer.weight, 0.01)

    trained = Small()
    torch.nn.init.ones_(trained.layers[0].weight)
    fresh = reinitialised(torch.nn.Sequential(trained), seed=0)[0]
    assert all(torch.equal(layer.weight, torch.full((4, 4), 0.01)) for layer in fresh.layers)
    assert not torch.equal(fresh.layers[0].bias, trained.layers[0].bias)


def test_weights_that_wait_for_a_batch_are_drawn_by_the_seed(graphs):
    few = with_folds(protocol("graph-knn"), 3, 2)
    encoder = GIN(-1, 8, 2)
    state = torch.get_rng_state()
    rows = [[row.mean for row in audit(encoder, graphs, probe=few, seeds=[0])] for _ in range(2)]
    assert rows[0] == rows[1]

    def make(seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return GIN(-1, 8, 2)

    made = [[row.mean for row in audit(encoder, graphs, make=make, probe=few, seeds=[1])] for _ in range(2)]
    assert made[0] == made[1]
    assert torch.equal(torch.get_rng_state(), state)
