"""Steps whose views were made ahead: the same losses and weights, bit for bit, and only where that is so."""

import pytest
import torch
from torch_geometric.transforms import BaseTransform

from graphcl.augment import (
    Compose,
    EdgeDrop,
    FeatureMask,
    FeatureShuffle,
    Identity,
    NodeDrop,
    RandomApply,
    RandomChoice,
)
from graphcl.data import PackedDataset, synthetic_molecules
from graphcl.methods import GraphCL, random4
from graphcl.nn import GIN, GraphEncoder
from graphcl.train import losses_ahead
from graphcl.train.ahead import STEPS

GRAPHS = synthetic_molecules(96)
BATCHES = [torch.arange(96).roll(-17 * i)[: 8 + i % 3] for i in range(2 * STEPS + 3)]  # of unequal size, with repeats

AHEAD = [
    (Identity(), random4()),
    (random4(), random4()),
    (RandomApply(NodeDrop(drop=0.2), p=0.5), FeatureMask(mask=0.3)),
    (Compose([EdgeDrop(drop=0.2), FeatureShuffle()]), RandomChoice([Identity(), random4()])),
]


class Doubled(BaseTransform):
    """A transform that knows nothing of keys."""

    def forward(self, data):
        data.x = 2 * data.x
        return data


ONE_BY_ONE = [
    (Identity(), Doubled()),
    (Identity(), FeatureMask(mask=0.3, shared=True)),
    (Identity(), Compose([NodeDrop(drop=0.1), FeatureShuffle(across=True)])),
]


def make(views):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GraphCL(GraphEncoder(GIN(4, 8, 2)), views=views, seed=5)


def train(method, steps):
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    losses = []
    for step in steps:
        optimizer.zero_grad()
        loss = step()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


@pytest.mark.parametrize("views", AHEAD + ONE_BY_ONE)
@pytest.mark.parametrize("graph_id", [True, False])
def test_losses_and_weights_are_those_of_one_step_after_the_other(views, graph_id):
    packed = PackedDataset(GRAPHS, graph_id=graph_id)
    ahead, plain = make(views), make(views)
    steps = losses_ahead(ahead, packed, iter(BATCHES))
    losses = train(ahead, (loss for _, loss in steps))
    expected = train(plain, (lambda index=index: plain(packed.batch(index)) for index in BATCHES))
    assert torch.equal(losses, expected)
    assert int(ahead.step) == int(plain.step) == len(BATCHES)
    for name, value in plain.state_dict().items():
        assert torch.equal(ahead.state_dict()[name], value), name


class Labelled(GraphCL):
    """A method that looks at more of its views than their features and edges."""

    def contrast(self, views):
        return super().contrast(views) * (1 + views[1].y.float().mean())


def test_a_method_finds_the_other_attributes_in_its_views_too():
    def labelled():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Labelled(GraphEncoder(GIN(4, 8, 2)), views=AHEAD[0])

    packed, ahead, plain = PackedDataset(GRAPHS, graph_id=True), labelled(), labelled()
    losses = train(ahead, (loss for _, loss in losses_ahead(ahead, packed, BATCHES)))
    assert torch.equal(losses, train(plain, (lambda index=index: plain(packed.batch(index)) for index in BATCHES)))


def test_each_step_comes_with_its_graphs():
    method = make((Identity(), random4()))
    packed = PackedDataset(GRAPHS, graph_id=True)
    found = []
    for index, loss in losses_ahead(method, packed, BATCHES):
        loss()
        found.append(index)
    assert all(torch.equal(a, b) for a, b in zip(found, BATCHES, strict=True))


@pytest.mark.parametrize(("views", "batches"), [(AHEAD[0], 4), (ONE_BY_ONE[0], 19)])
def test_few_batches_are_cut_only_where_views_may_be_made_ahead(views, batches, monkeypatch):
    method, packed, cut = make(views), PackedDataset(GRAPHS, graph_id=True), []
    original = PackedDataset.batch
    monkeypatch.setattr(PackedDataset, "batch", lambda self, index: cut.append(len(index)) or original(self, index))
    for _, loss in losses_ahead(method, packed, BATCHES):
        loss()
    assert len(BATCHES) == 19
    # One step alone, then eight, eight and two; or all 19, and the first one to see what it is.
    assert len(cut) == batches + (views is ONE_BY_ONE[0])


def test_a_method_in_evaluation_mode_takes_no_steps():
    method, packed = make((Identity(), random4())).eval(), PackedDataset(GRAPHS, graph_id=True)
    losses = [loss() for _, loss in losses_ahead(method, packed, BATCHES[:3])]
    assert int(method.step) == 0 and len(losses) == 3


def test_large_batches_are_not_joined(monkeypatch):
    monkeypatch.setattr("graphcl.train.ahead.NODES", 300)
    method, packed, cut = make((Identity(), random4())), PackedDataset(GRAPHS, graph_id=True), []
    original = PackedDataset.batch
    monkeypatch.setattr(PackedDataset, "batch", lambda self, index: cut.append(original(self, index)) or cut[-1])
    for _, loss in losses_ahead(method, packed, BATCHES):
        loss()
    assert max(batch.num_nodes for batch in cut) < 400
