"""JOAO: the pair, its heads, and the play against the encoder."""

import pytest
import torch

from graphcl._random import fold
from graphcl.augment import EdgeDrop, Identity, NodeDrop, RandomWalkSubgraph
from graphcl.methods import JOAO, JOAOv2
from graphcl.nn import GIN, GraphEncoder

THREE = (Identity(), NodeDrop(drop=0.2), EdgeDrop(drop=0.3))
both = pytest.mark.parametrize("kind", [JOAO, JOAOv2])


def make(kind, **arguments):
    return kind(GraphEncoder(GIN(4, 8, 2)), **{"augmentations": THREE, **arguments})


@both
def test_loss_is_that_of_the_pair_that_was_drawn(kind, batch):
    method = make(kind, seed=3)
    key = fold(3, 0)
    i, j = method.choice.sample(fold(key, 0))
    z1 = method.head_of(i)(method.encoder.encode(THREE[i].view(batch, fold(key, 1))).graph)
    z2 = method.head_of(j)(method.encoder.encode(THREE[j].view(batch, fold(key, 2))).graph)
    torch.testing.assert_close(method(batch), method.loss(z1, z2))


@both
def test_losses_of_all_pairs_are_measured_in_evaluation(kind, batch):
    method = make(kind)
    method(batch)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    losses = method.losses_of_pairs(batch, 7)
    assert method.training
    torch.testing.assert_close(dict(method.state_dict()), before, rtol=0, atol=0)
    method.eval()
    for i in range(3):
        for j in range(3):
            first, second = THREE[i].view(batch, fold(fold(7, 0), i)), THREE[j].view(batch, fold(fold(7, 1), j))
            z1 = method.head_of(i)(method.encoder.encode(first).graph)
            z2 = method.head_of(j)(method.encoder.encode(second).graph)
            torch.testing.assert_close(losses[i, j], method.loss(z1, z2).detach())


@both
def test_the_distribution_moves_on_time_towards_hard_pairs(kind, batch, take_step):
    method = make(kind, update_every=3, gamma=0.1)
    uniform = method.choice.probabilities.clone()
    for _ in range(2):
        take_step(method, batch, lr=0.01)
        assert torch.equal(method.choice.probabilities, uniform)
    take_step(method, batch, lr=0.01)
    p = method.choice.probabilities
    assert not torch.equal(p, uniform)
    assert p.sum().item() == pytest.approx(1.0)
    losses = method.losses_of_pairs(batch, 0)
    assert (p * losses).sum() > losses.mean()


def test_the_second_version_has_a_head_for_every_augmentation(batch):
    first, second = make(JOAO), make(JOAOv2)
    assert first.head_of(0) is first.head_of(2)
    assert [second.head_of(i) is head for i, head in enumerate(second.heads)] == [True] * 3
    assert len(JOAOv2(GraphEncoder(GIN(4))).heads) == 5


@both
def test_defaults_are_those_of_the_paper(kind):
    kinds = [type(augmentation).__name__ for augmentation in kind(GraphEncoder(GIN(4))).augmentations]
    assert kinds == ["NodeDrop", "EdgePerturb", "NodeMask", "RandomWalkSubgraph", "Identity"]


@both
def test_refusals(kind):
    with pytest.raises(ValueError, match="expected update_every of at least 1, got 0"):
        make(kind, update_every=0)
    with pytest.raises(TypeError, match="expected update_every as a whole number, got 2.5"):
        make(kind, update_every=2.5)
    with pytest.raises(TypeError, match="expected augmentations of graphcl.augment, got"):
        make(kind, augmentations=[RandomWalkSubgraph(keep=0.2), abs])
    with pytest.raises(ValueError, match="expected at least one augmentation"):
        make(kind, augmentations=[])


@both
def test_the_distribution_moves_with_a_generator_too(kind, batch, generator):
    method = make(kind, update_every=2)
    uniform = method.choice.probabilities.clone()
    for _ in range(2):
        method(batch, generator=generator)
        method.after_step()
    assert not torch.equal(method.choice.probabilities, uniform)
