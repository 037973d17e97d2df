"""What the ranks of a run tell each other, alone and as two; and BatchNorm over the rows of two."""

import time

import pytest
import torch
from torch import nn

from graphcl.distributed import one_batch, own_rows, rank, world
from graphcl.errors import RunError
from graphcl.nn import BatchNorm
from graphcl.train.ranks import (
    any_rank,
    average_gradients,
    check_alike,
    check_opened,
    every_rank,
    first_says,
    in_turn,
    on_first,
    process_group,
    share_weights,
    was_launched,
)

CPU = torch.device("cpu")
NORMS = [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}, {"eps": 0.1}]


class TestAlone:
    def test_nobody_is_asked(self):
        assert any_rank(True, CPU) is True
        assert first_says(2.0, CPU) == 2.0
        assert torch.equal(every_rank(torch.arange(3), CPU), torch.arange(3))
        weights = [nn.Parameter(torch.ones(2))]
        weights[0].grad = torch.ones(2)
        average_gradients(weights)
        assert torch.equal(weights[0].grad, torch.ones(2))
        check_alike({"lr": 1}, CPU)

    def test_the_only_rank_is_the_first(self):
        done = []
        with in_turn(CPU):
            on_first(lambda: done.append(1), CPU)
        assert done == [1]

    def test_is_not_launched(self, monkeypatch):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
        monkeypatch.setenv("WORLD_SIZE", "1")
        assert not was_launched()
        with process_group(CPU):
            assert world() == 1


def parts(r):
    """Two views of this rank's rows, side by side, and how many rows each has."""
    generator = torch.Generator().manual_seed(r)
    sizes = [3 + r, 4 - 2 * r]
    return torch.randn(sum(sizes), 5, generator=generator, dtype=torch.float64) + r, sizes


def normalised(x, sizes, arguments):
    """Output, gradient and state of two steps."""
    norm = BatchNorm(5, **arguments).double()
    x.requires_grad_()
    with one_batch(), own_rows():
        norm(x, sizes)
        y = norm(x, sizes)
    (y * torch.linspace(-1, 1, 5, dtype=y.dtype) * y.detach().cos()).sum().backward()
    average_gradients(list(norm.parameters()))
    return y.detach(), x.grad, [p.grad for p in norm.parameters()], dict(norm.state_dict())


def as_one_of_two(_):
    me, found = rank(), {}
    found["any"] = [any_rank(me == 1, CPU), any_rank(False, CPU)]
    found["first"] = first_says(float(me + 5), CPU)
    found["every"] = every_rank(torch.tensor([me, 7]), CPU)
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    nn.init.constant_(module[0].weight, me + 1.0)
    share_weights(module)
    found["weights"] = dict(module.state_dict())
    weights = [nn.Parameter(torch.ones(2)) for _ in range(3)]
    weights[0].grad = torch.full((2,), 4.0 * me)
    if me == 1:
        weights[1].grad = torch.ones(2)
    average_gradients(weights)
    found["grads"] = [weight.grad for weight in weights]
    with in_turn(CPU):
        began = time.monotonic()
        time.sleep(0.2)
        ended = time.monotonic()
    found["turn"] = torch.tensor([began, ended], dtype=torch.float64)

    def fail():
        raise RunError("no space left")

    with pytest.raises(RunError) as caught:
        on_first(fail, CPU)
    found["failed"] = str(caught.value)
    with pytest.raises(ValueError, match="got different values of lr on some of them") as unlike:
        check_alike({"seed": 0, "lr": 0.1 + me}, CPU)
    found["unlike"] = str(unlike.value)

    found["norms"] = [normalised(*parts(me), arguments) for arguments in NORMS]
    with pytest.raises(ValueError, match="expected at least 2 rows .* in every view to normalise over, got 1"):
        normalised(torch.ones(1 - me, 5, dtype=torch.float64), [1 - me], {})
    return found


@pytest.fixture(scope="module")
def two(ranks):
    return ranks(as_one_of_two, 2, [])


class TestTwo:
    def test_ask_each_other(self, two):
        for found in two:
            assert found["any"] == [True, False]
            assert found["first"] == 5.0
            assert found["every"].tolist() == [[0, 7], [1, 7]]

    def test_begin_with_the_weights_of_the_first(self, two):
        assert two[0]["weights"].keys() == two[1]["weights"].keys()
        for key, value in two[0]["weights"].items():
            assert torch.equal(two[1]["weights"][key], value)
        assert torch.equal(two[1]["weights"]["0.weight"], torch.ones(2, 2))

    def test_have_one_gradient(self, two):
        for found in two:
            first, second, third = found["grads"]
            assert first.tolist() == [2.0, 2.0]
            assert second.tolist() == [0.5, 0.5]  # of one rank only
            assert third is None

    def test_take_turns(self, two):
        assert two[0]["turn"][1] <= two[1]["turn"][0]

    def test_fail_together(self, two):
        assert two[0]["failed"] == "no space left"
        assert "expected the first rank to read and write the run's files" in two[1]["failed"]

    @pytest.mark.parametrize("number", range(len(NORMS)), ids=[str(arguments) for arguments in NORMS])
    def test_normalise_over_the_rows_of_both(self, two, number):
        (a, (a1, a2)), (b, (b1, b2)) = parts(0), parts(1)
        together = torch.cat([a[:a1], b[:b1], a[a1:], b[b1:]])
        y, grad, weights, state = normalised(together, [a1 + b1, a2 + b2], NORMS[number])
        ys, grads = (z.split([a1, b1, a2, b2]) for z in (y, grad))
        for r, found in enumerate(two):
            found_y, found_grad, found_weights, found_state = found["norms"][number]
            torch.testing.assert_close(found_y, torch.cat([ys[r], ys[r + 2]]))
            torch.testing.assert_close(found_grad, torch.cat([grads[r], grads[r + 2]]))
            # Each rank has its own loss here, so that the mean over them is half of the whole.
            torch.testing.assert_close(found_weights, [weight / 2 for weight in weights])
            torch.testing.assert_close(found_state, state)


def test_processes_that_do_not_know_of_each_other_are_told(monkeypatch):
    check_opened()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.warns(RuntimeWarning, match="no process group is open.*init_process_group"):
        check_opened()


def first_buffer(_):
    module = torch.nn.Linear(1, 1)
    module.register_buffer("drawn", torch.full((2,), float(rank())), persistent=False)
    share_weights(module)
    return module.drawn.tolist()


def test_buffers_that_are_not_kept_are_shared_too(ranks):
    assert ranks(first_buffer, 2, None) == [[0.0, 0.0]] * 2
