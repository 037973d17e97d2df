"""Diagnostics of a run: they see what is there, change nothing, and speak up at a collapse."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Data

from graphcl.augment import EdgeDrop, NodeDrop
from graphcl.data import PackedDataset, load
from graphcl.evaluate import Diagnostics, diagnose, dimension_std
from graphcl.losses.functional import alignment
from graphcl.methods import DGI, GGD, GRACE, MVGRL, GraphCL, SimGRACE
from graphcl.nn import GCN, GIN, GraphEncoder
from graphcl.train import Moment, fit

PAIRS = {"alignment", "positive_similarity", "negative_similarity"}
ALWAYS = {"uniformity", "effective_rank", "spread"}


@pytest.fixture(scope="module")
def graphs():
    return PackedDataset(load("synthetic-molecules")[:96], graph_id=True)


def make(graphs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GraphCL(GraphEncoder(GIN(graphs.batch([0]).x.size(1), hidden_channels=8, num_layers=2)))


def watch_of(graphs, **options):
    return Diagnostics(graphs.batch(torch.arange(64)), **options)


def test_a_watched_run_ends_with_the_same_weights(graphs):
    runs = []
    for callbacks in ((), [watch_of(graphs, every=1, labels=True)]):
        method = make(graphs)
        history = fit(method, graphs, epochs=3, batch_size=32, callbacks=callbacks)
        runs.append((method.state_dict(), history))
    assert all(torch.equal(value, runs[1][0][name]) for name, value in runs[0][0].items())
    for row in runs[1][1].epochs:
        assert set(row) >= ALWAYS | PAIRS | {"false_negative_rate", "loss", "epoch"}
        assert 1 < row["effective_rank"] <= 16 and 0 < row["spread"] < 1


def test_a_look_is_repeatable_and_leaves_everything(graphs):
    method, watch = make(graphs).train(), watch_of(graphs)
    before, state = {name: value.clone() for name, value in method.state_dict().items()}, torch.get_rng_state()
    assert watch.look(method) == watch.look(method)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state) and all(part.training for part in method.modules())


def test_the_columns_are_those_of_the_embeddings(graphs):
    method, watch = make(graphs), watch_of(graphs)
    expected = diagnose(method.embed(graphs.batch(torch.arange(64))).graph)
    found = watch.look(method)
    assert {name: found[name] for name in ALWAYS} == pytest.approx(expected)


def test_looks_are_rare(graphs):
    history = fit(make(graphs), graphs, epochs=5, batch_size=32, callbacks=[watch_of(graphs, every=6)])
    assert ["spread" in row for row in history.epochs] == [False, True, False, True, True]


def test_nodes_are_pairs_only_where_all_are_kept():
    ring = torch.stack([torch.arange(50), (torch.arange(50) + 1) % 50])
    data = Data(x=torch.rand(50, 4), edge_index=torch.cat([ring, ring.flip(0)], 1))
    encoder = GraphEncoder(GCN(4, 8, 2))
    kept = Diagnostics(data).look(GRACE(encoder, views=[EdgeDrop(drop=0.2), EdgeDrop(drop=0.3)]))
    dropped = Diagnostics(data).look(GRACE(encoder, views=[NodeDrop(drop=0.2), NodeDrop(drop=0.2)]))
    assert set(kept) == ALWAYS | PAIRS and set(dropped) == ALWAYS
    few = Diagnostics(data, rows=20).look(GRACE(encoder, views=[EdgeDrop(drop=0.2), EdgeDrop(drop=0.3)]))
    assert few["alignment"] != kept["alignment"] and few["effective_rank"] <= 8


@pytest.mark.parametrize("kind", [DGI, GGD])
def test_a_corrupted_view_is_no_positive(kind):
    data = Data(x=torch.rand(9, 4), edge_index=torch.stack([torch.arange(9), torch.arange(9).roll(1)]))
    assert set(Diagnostics(data).look(kind(GraphEncoder(GCN(4, 8, 2))))) == ALWAYS


def test_a_view_with_an_encoder_of_its_own_is_shown_to_that():
    ring = torch.stack([torch.arange(9), torch.arange(9).roll(1)])
    data = Data(x=torch.rand(9, 4), edge_index=torch.cat([ring, ring.flip(0)], 1))
    method = MVGRL(GraphEncoder(GCN(4, 8, 2)))
    graph, diffusion = method.views_of(data, 0)[:2]
    with torch.no_grad():
        expected = alignment(method.encoder.encode(graph).node, method.second.encode(diffusion).node)
    assert Diagnostics(data).look(method)["alignment"] == pytest.approx(expected.item(), rel=1e-5)


def test_a_method_without_two_views_has_no_pairs(graphs):
    encoder = GraphEncoder(GIN(graphs.batch([0]).x.size(1), hidden_channels=8, num_layers=2))
    assert set(watch_of(graphs).look(SimGRACE(encoder))) == ALWAYS


class Constant(nn.Module):
    out_channels = 8

    def __init__(self):
        super().__init__()
        self.row = nn.Parameter(torch.ones(8))

    def forward(self, x, edge_index):
        return self.row.expand(len(x), 8)


def test_a_collapse_is_said_once(graphs):
    watch, method = watch_of(graphs, every=1), GraphCL(GraphEncoder(Constant()))
    with pytest.warns(RuntimeWarning, match="epoch 1: the embeddings have collapsed.*try") as caught:
        watch(Moment(1, 1, False), method)
    watch(Moment(2, 1, False), method)  # a warning would be an error
    assert len(caught) == 1


def test_what_is_not_finite_is_left_to_the_loop(graphs):
    method = GraphCL(GraphEncoder(Constant()))
    with torch.no_grad():
        method.encoder.gnn.row[0] = float("nan")
    assert watch_of(graphs, every=1)(Moment(1, 1, False), method) == {}


@pytest.mark.parametrize("options", [{"every": 0}, {"rows": 1}])
def test_refusals(graphs, options):
    with pytest.raises(ValueError, match="at least"):
        watch_of(graphs, **options)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "got NoneType"),
        (torch.zeros(64, 2), r"got \[64, 2\]; of several tasks choose one"),
        (torch.tensor([float("nan"), *range(63)]), "some that are negative or NaN"),
        (torch.arange(-1, 63), "some that are negative or NaN"),
    ],
)
def test_labels_that_are_no_classes_are_refused_before_the_run(graphs, y, message):
    batch = graphs.batch(torch.arange(64))
    batch.y = y
    with pytest.raises(ValueError, match=message):
        Diagnostics(batch, labels=True)


def test_labels_in_a_column_and_labels_of_another_level(graphs):
    method, batch = make(graphs), graphs.batch(torch.arange(64))
    flat = Diagnostics(batch, labels=True).look(method)
    batch.y = batch.y.reshape(-1, 1)
    assert Diagnostics(batch, labels=True).look(method) == flat
    batch.y = torch.zeros(batch.num_nodes, dtype=torch.int64)
    with pytest.raises(ValueError, match=f"a class y for each of 64 graphs to look at, got {batch.num_nodes}"):
        Diagnostics(batch, labels=True).look(method)


def test_a_list_of_graphs_is_refused_before_the_run(graphs):
    with pytest.raises(TypeError, match=r"expected a Data or Batch to look at, got list; .*from_data_list"):
        Diagnostics([graphs.batch([0]), graphs.batch([1])])


def test_the_profile_of_a_method(graphs):
    method, watch = make(graphs), watch_of(graphs)
    found = watch.profile(method)
    z = method.embed(graphs.batch(torch.arange(64))).graph
    assert found["dimension_std"] == pytest.approx(dimension_std(z).tolist())
    assert len(found["singular_values"]) == 16
    assert sum(found["positive_similarity"]) == pytest.approx(1)
    assert "edges" not in Diagnostics(graphs.batch(torch.arange(64))).profile(SimGRACE(method.encoder))
