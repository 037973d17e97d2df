"""The distribution over augmentations: its projection, its steps, its draws."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from graphcl._random import fold, hash_ids
from graphcl.augment import JOAO
from graphcl.augment.joao import project_to_simplex

points = st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=30)


# --- the projection ---------------------------------------------------------------------------------------------------


def by_sorting(point: list[float]) -> list[float]:
    """The projection as a literal loop over how many elements stay above zero."""
    ordered = sorted(point, reverse=True)
    mu = 0.0
    for k in range(1, len(ordered) + 1):
        candidate = (sum(ordered[:k]) - 1) / k
        if ordered[k - 1] > candidate:
            mu = candidate
    return [max(v - mu, 0.0) for v in point]


@settings(max_examples=200)
@given(point=points)
def test_projection_as_by_sorting(point: list[float]) -> None:
    found = project_to_simplex(torch.tensor(point, dtype=torch.float64))
    assert found.tolist() == pytest.approx(by_sorting(point), abs=1e-9)


@settings(max_examples=200)
@given(point=points, shift=st.floats(-100, 100))
def test_projection_is_a_distribution_that_no_other_comes_nearer(point: list[float], shift: float) -> None:
    v = torch.tensor(point, dtype=torch.float64)
    p = project_to_simplex(v)
    assert (p >= 0).all()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    # Optimality: every element above zero has come down by the same amount, and none has come up.
    down = v - p
    mu = down[p > 0]
    assert torch.allclose(mu, mu[0].expand_as(mu), atol=1e-9)
    assert (down <= mu[0] + 1e-9).all()
    assert torch.allclose(project_to_simplex(p), p, atol=1e-12)
    assert torch.allclose(project_to_simplex(v + shift), p, atol=1e-9)


def test_projection_as_by_bisection() -> None:
    v = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mu = optimize.brentq(lambda m: float((v - m).clamp(min=0).sum()) - 1, -10, 10, xtol=1e-14)
    assert project_to_simplex(v).shape == (5, 5)
    assert torch.allclose(project_to_simplex(v), (v - mu).clamp(min=0), atol=1e-12)


def test_large_numbers_lose_nothing() -> None:
    point = torch.tensor([1e9 + 0.5, 1e9 + 0.75, 1e9 - 3], dtype=torch.float64)
    assert project_to_simplex(point).tolist() == [0.375, 0.625, 0]


@pytest.mark.parametrize("wrong", [torch.empty(0), torch.tensor([1.0, float("nan")]), torch.tensor([float("inf")])])
def test_projection_refuses(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected at least one number, all of them finite"):
        project_to_simplex(wrong)


# --- the steps --------------------------------------------------------------------------------------------------------


def test_begins_uniform() -> None:
    assert torch.equal(JOAO(5).probabilities, torch.full((5, 5), 0.04, dtype=torch.float64))
    assert torch.equal(JOAO(5, pairs=False).probabilities, torch.full((5,), 0.2, dtype=torch.float64))


@pytest.mark.parametrize("pairs", [True, False])
def test_a_step_is_the_papers(pairs: bool) -> None:
    joao = JOAO(3, pairs=pairs, gamma=0.7, step=0.3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        before = joao.probabilities.flatten().tolist()
        losses = torch.rand(joao.probabilities.shape, generator=generator)
        k = len(before)
        raised = [p + 0.3 * (loss - 0.7 * (p - 1 / k)) for p, loss in zip(before, losses.flatten().tolist())]
        joao.update(losses)
        assert joao.probabilities.flatten().tolist() == pytest.approx(by_sorting(raised), abs=1e-7)


def test_equal_losses_lead_back_to_uniform() -> None:
    joao = JOAO(2, gamma=0.5)
    joao.update(torch.tensor([[0.3, 0.0], [0.1, 0.0]]))
    assert joao.probabilities.std() > 0.05
    for _ in range(60):
        joao.update(torch.full((2, 2), 4.0))
    assert torch.allclose(joao.probabilities, torch.full((2, 2), 0.25, dtype=torch.float64))


def test_steps_end_at_the_maximum_of_the_game() -> None:
    # For fixed losses the maximum of sum p l - gamma / 2 |p - 1/K|^2 is the projection of 1/K + l / gamma.
    losses = torch.tensor([0.9, 0.5, 0.2, 0.85], dtype=torch.float64)
    joao = JOAO(4, pairs=False, gamma=2.0, step=0.1)
    for _ in range(500):
        joao.update(losses)
    assert torch.allclose(joao.probabilities, project_to_simplex(0.25 + losses / 2.0), atol=1e-9)
    assert joao.probabilities.argmax() == 0


def test_state_is_saved_and_loaded() -> None:
    joao = JOAO(3)
    joao.update(torch.rand(3, 3, generator=torch.Generator().manual_seed(0)))
    file = io.BytesIO()
    torch.save(joao.state_dict(), file)
    file.seek(0)
    again = JOAO(3)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(again.probabilities, joao.probabilities)
    assert [again.sample(k) for k in range(20)] == [joao.sample(k) for k in range(20)]
    assert not list(joao.parameters())


# --- the draws --------------------------------------------------------------------------------------------------------


def test_draws_follow_the_distribution() -> None:
    joao = JOAO(3, gamma=1.0)
    joao.update(torch.tensor([[0.3, 0.0, 0.1], [0.0, 0.0, 0.2], [0.0, -5.0, 0.0]]))
    keys = hash_ids(7, torch.arange(20000))
    drawn = joao.sample_each(keys)
    assert drawn.shape == (20000, 2) and drawn.dtype == torch.int64
    counts = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9)
    expected = joao.probabilities.flatten()
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert 1 < int(possible.sum()) < 9
    assert stats.chisquare(counts[possible].numpy(), (expected[possible] * 20000).numpy()).pvalue > 1e-3


def test_one_draw_is_that_of_its_key() -> None:
    joao = JOAO(4)
    keys = torch.tensor([fold(3, i) for i in range(50)])
    each = [tuple(row) for row in joao.sample_each(keys).tolist()]
    assert each == [joao.sample(fold(3, i)) for i in range(50)] == [joao.sample(key) for key in keys]
    assert len(set(each)) > 8
    assert all(len(JOAO(4, pairs=False).sample(key)) == 1 for key in range(3))


def test_a_certain_choice_is_always_made() -> None:
    joao = JOAO(3, pairs=False)
    for winner in range(3):
        joao.update(100 * torch.nn.functional.one_hot(torch.tensor(winner), 3).double())
        assert (joao.sample_each(torch.arange(500) * 977).squeeze(1) == winner).all()


def test_draws_leave_torchs_state_alone() -> None:
    state = torch.get_rng_state()
    JOAO(4).sample(3)
    assert torch.equal(state, torch.get_rng_state())


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_refuses() -> None:
    with pytest.raises(ValueError, match="expected num_augmentations of at least 1, got 0"):
        JOAO(0)
    with pytest.raises(TypeError, match="expected num_augmentations as a whole number, got 2.5"):
        JOAO(2.5)
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="gamma >= 0"):
            JOAO(2, gamma=wrong)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="step > 0"):
            JOAO(2, step=wrong)
    with pytest.raises(ValueError, match=r"a loss for each choice, \[2, 2\], got \[4\]"):
        JOAO(2).update(torch.zeros(4))
    with pytest.raises(ValueError, match="expected finite losses"):
        JOAO(2).update(torch.full((2, 2), float("nan")))


def test_tells_its_parameters() -> None:
    assert repr(JOAO(3, pairs=False, gamma=0.2)) == "JOAO(3, pairs=False, gamma=0.2, step=1.0)"
