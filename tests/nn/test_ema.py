"""The moving target against its formula, and what moves it."""

import copy
import io
import math

import pytest
import torch
from torch import nn

from graphcl.nn import GIN, EMATarget, GraphEncoder


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def walk(target, online, steps, generator):
    """The weights of the target by the formula, in Python numbers, while both walk."""
    wanted = [p.detach().double().clone() for p in online.parameters()]
    for k in range(int(target.step), int(target.step) + steps):
        with torch.no_grad():
            for p in online.parameters():
                p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
        m = target.momentum
        if target.total_steps is not None:
            m = 1 - (1 - m) * (math.cos(math.pi * min(k / target.total_steps, 1)) + 1) / 2
        wanted = [m * w + (1 - m) * p.detach().double() for w, p in zip(wanted, online.parameters(), strict=True)]
        assert target.current_momentum == pytest.approx(m, abs=1e-12)
        target.update(online)
    return wanted


@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("total_steps", [None, 1, 5, 20])
def test_formula(momentum, total_steps, generator):
    online = network().double()
    target = EMATarget(online, momentum=momentum, total_steps=total_steps)
    wanted = walk(target, online, 8, generator)
    torch.testing.assert_close([p.double() for p in target.module.parameters()], wanted)
    assert target.step == 8


def test_stands_still_at_the_end_of_the_schedule(generator):
    online = network()
    target = EMATarget(online, momentum=0.5, total_steps=3)
    walk(target, online, 3, generator)
    before = copy.deepcopy(list(target.module.parameters()))
    walk(target, online, 2, generator)
    assert all(torch.equal(a, b) for a, b in zip(before, target.module.parameters(), strict=True))
    assert target.current_momentum == 1.0


def test_follows_once_after_training_and_never_after_evaluation_alone():
    online = network()
    target = EMATarget(online)
    for notes, steps in ([], 0), ([False], 0), ([True, False, True], 1), ([], 1), ([True], 2):
        for training in notes:
            target.note(training)
        target.follow(online)
        assert int(target.step) == steps


def test_begins_as_a_copy_that_shares_nothing():
    online = network()
    online(torch.randn(5, 3)).sum().backward()
    target = EMATarget(online)
    torch.testing.assert_close(target.module.state_dict(), online.state_dict(), rtol=0, atol=0)
    shared = {p.data_ptr() for p in online.parameters()} & {p.data_ptr() for p in target.module.parameters()}
    assert not shared
    assert all(not p.requires_grad and p.grad is None for p in target.parameters())
    assert all(p.requires_grad for p in online.parameters())


def test_buffers_are_copied_floating_and_integer():
    online = network()
    target = EMATarget(online, momentum=0.99)
    for _ in range(3):
        online(torch.randn(6, 3) + 4)
    target.module(torch.randn(6, 3) - 9)  # what the copy saw itself is overwritten
    target.update(online)
    assert torch.equal(target.module[1].running_mean, online[1].running_mean)
    assert torch.equal(target.module[1].running_var, online[1].running_var)
    assert target.module[1].num_batches_tracked == 3


def test_integer_parameters_are_copied():
    online = nn.Module()
    online.index = nn.Parameter(torch.tensor([1, 2]), requires_grad=False)
    online.weight = nn.Parameter(torch.ones(2))
    target = EMATarget(online, momentum=0.5)
    online.index.copy_(torch.tensor([5, 6]))
    online.weight.data.zero_()
    target.update(online)
    assert target.module.index.tolist() == [5, 6]
    assert target.module.weight.tolist() == [0.5, 0.5]


def test_tied_weights_move_once():
    online = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    online[1].weight = online[0].weight
    target = EMATarget(online, momentum=0.5)
    before = online[0].weight.detach().clone()
    nn.init.zeros_(online[0].weight)
    target.update(online)
    assert target.module[1].weight is target.module[0].weight
    torch.testing.assert_close(target.module[0].weight.data, before / 2)


def test_a_target_wider_than_its_network():
    online = network()
    target = EMATarget(online, momentum=0.5).double()
    target.update(online.bfloat16())
    assert target.module[0].weight.dtype == torch.float64
    assert target.step.dtype == torch.int64


def test_state_goes_through_a_file(generator):
    online = network()
    target = EMATarget(online, momentum=0.9, total_steps=10)
    walk(target, online, 4, generator)
    file = io.BytesIO()
    torch.save(target.state_dict(), file)
    other = EMATarget(network(), momentum=0.9, total_steps=10)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert other.step == 4
    for each in (target, other):
        each.update(online)
    torch.testing.assert_close(target.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_deepcopy_is_independent(generator):
    online = network()
    target = EMATarget(online, momentum=0.5)
    copied = copy.deepcopy(target)
    walk(target, online, 2, generator)
    assert copied.step == 0
    assert not torch.equal(copied.module[0].weight, target.module[0].weight)
    assert not any(p.requires_grad for p in copied.parameters())


def test_update_leaves_the_network_and_its_gradients_alone():
    online = network()
    online(torch.randn(5, 3)).sum().backward()
    before, grads = copy.deepcopy(online.state_dict()), [p.grad.clone() for p in online.parameters()]
    EMATarget(online).update(online)
    torch.testing.assert_close(online.state_dict(), before, rtol=0, atol=0)
    torch.testing.assert_close([p.grad for p in online.parameters()], grads, rtol=0, atol=0)


def test_an_optimiser_of_everything_does_not_touch_it():
    whole = nn.Module()
    whole.online = network()
    whole.target = EMATarget(whole.online)
    before = copy.deepcopy(whole.target.state_dict())
    optimizer = torch.optim.Adam(whole.parameters(), lr=0.1, weight_decay=0.1)
    (whole.online(torch.randn(5, 3)) + whole.target.module(torch.randn(5, 3))).sum().backward()
    optimizer.step()
    torch.testing.assert_close(
        list(whole.target.parameters()), [v for k, v in before.items() if "weight" in k or "bias" in k]
    )


def test_a_graph_encoder(generator):
    online = GraphEncoder(GIN(4, 8, 2))
    target = EMATarget(online, momentum=0.9)
    wanted = walk(target, online, 3, generator)
    torch.testing.assert_close([p.double() for p in target.module.parameters()], wanted, rtol=1e-5, atol=1e-5)


def test_a_network_without_weights():
    target = EMATarget(nn.Identity())
    target.update(nn.Identity())
    assert target.step == 1


@pytest.mark.parametrize("momentum", [-0.1, 1.1, float("nan")])
def test_a_momentum_outside_its_range_is_refused(momentum):
    with pytest.raises(ValueError, match="expected momentum within"):
        EMATarget(network(), momentum=momentum)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="expected total_steps of at least 1"):
        EMATarget(network(), total_steps=0)
    with pytest.raises(TypeError, match="expected total_steps as a whole number, got 2.5"):
        EMATarget(network(), total_steps=2.5)


@pytest.mark.parametrize("other", [nn.Linear(3, 4), nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))])
def test_another_network_is_refused(other):
    target = EMATarget(network())
    with pytest.raises(ValueError, match="expected the network that the target was copied from"):
        target.update(other)


def test_repr():
    assert "momentum=0.9, total_steps=7" in repr(EMATarget(nn.Linear(1, 1), momentum=0.9, total_steps=7))


def test_a_network_without_widths_yet_is_refused():
    with pytest.raises(ValueError, match="encode one batch first"):
        EMATarget(torch.nn.LazyLinear(2))
