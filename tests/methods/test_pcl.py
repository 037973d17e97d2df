"""PCL: momentum contrast alone at first, then with prototypes of the queue."""

import copy

import pytest
import torch
from torch.nn import functional as F

from graphcl._random import fold
from graphcl.losses import HardMixing
from graphcl.methods import PCL
from graphcl.nn import GIN, GraphEncoder


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = {"queue_size": 16, "num_clusters": (2, 3), "cluster_every": 2, **arguments}
        return PCL(GraphEncoder(GIN(4, 8, 2)), **settings)


def by_hand(method, batch):
    key = fold(method.seed, int(method.step))
    first, second = (view.view(batch, fold(key, i)) for i, view in enumerate(method.views))
    slow_encoder, slow_head = method.target.module
    query = F.normalize(method.head(method.encoder.encode(first).graph))
    own = F.normalize(slow_head(slow_encoder.encode(second).graph))
    logits = torch.cat([(query * own).sum(1, keepdim=True), query @ F.normalize(method.queue.keys).T], 1) / 0.2
    instance = F.cross_entropy(logits, torch.zeros(8, dtype=torch.int64))
    prototypes = []
    for centres, phi in zip(method.centres.split((2, 3)), method.phi.split((2, 3)), strict=True):
        nearest = torch.cdist(own, centres).argmin(1)
        prototypes.append(F.cross_entropy(query @ centres.T / phi, nearest))
    return instance, sum(prototypes) / 2


def test_momentum_contrast_until_the_queue_is_full(batch, take_step):
    method = make()
    torch.testing.assert_close(method(batch), by_hand(copy.deepcopy(make()), batch)[0])
    assert (method.phi == 0).all()


def test_loss_with_prototypes(batch, take_step):
    method = make(seed=3)
    for _ in range(2):  # 16 keys
        assert (method.phi == 0).all()
        take_step(method, batch)
    assert (method.phi > 0).all()
    instance, prototypes = by_hand(copy.deepcopy(method), batch)
    torch.testing.assert_close(method(batch), instance + prototypes)


def test_clusters_come_too_where_several_batches_make_one_update(batch):
    method = make(cluster_every=4)
    for _ in range(2):
        for _ in range(3):  # the fourth step is in the middle of an update
            method(batch).backward()
        method.after_step()
    assert (method.phi > 0).all()


def test_clusters_are_those_of_the_queue(batch, take_step):
    method = make()
    for _ in range(2):
        take_step(method, batch)
    keys = F.normalize(method.queue.keys)
    for centres, phi in zip(method.centres.split((2, 3)), method.phi.split((2, 3)), strict=True):
        torch.testing.assert_close(centres.norm(dim=1), torch.ones(len(centres)))
        assert phi.mean().item() == pytest.approx(0.2)
        assert ((keys @ centres.T).max(1).values > 0).all()
    before = method.centres.clone()
    take_step(method, batch)  # the third step clusters nothing
    assert torch.equal(method.centres, before)
    take_step(method, batch)
    assert not torch.equal(method.centres, before)


def test_a_loss_of_your_own(batch):
    loss = HardMixing(mixed=4, query_mixed=2)
    method = make(loss=loss)
    assert method.loss is loss and method(batch).isfinite()


def test_one_number_of_clusters_is_one_clustering():
    assert make(num_clusters=3).num_clusters == (3,)


@pytest.mark.parametrize("arguments", [{"num_clusters": ()}, {"num_clusters": 1}, {"num_clusters": (17,)}])
def test_refusals(arguments):
    with pytest.raises(ValueError, match="expected num_clusters from 2 to queue_size = 16, got"):
        make(**arguments)


def test_clusterings_come_every_whole_number_of_steps():
    with pytest.raises(ValueError, match="cluster_every of at least 1, got 0"):
        make(cluster_every=0)
    with pytest.raises(TypeError, match="cluster_every as a whole number, got 2.5"):
        make(cluster_every=2.5)


def test_clusters_as_often_with_a_generator(batch, generator, monkeypatch):
    method, calls = make(cluster_every=5), []
    monkeypatch.setattr(method, "_cluster", lambda: calls.append(method.calls))
    for _ in range(12):
        method(batch, generator=generator)
        method.after_step()
    assert calls == [5, 10]
