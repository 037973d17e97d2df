"""What every loss must do that tells pairs of views from all others: one list of them, one suite over the list.

test_contract_all.py holds what every loss at all must do, these too."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from graphcl import losses
from graphcl.losses import functional


@dataclass(frozen=True)
class Case:
    """One loss that tells pairs from all others, in one setting, and what is known about it beforehand."""

    module: type
    function: Callable[..., Tensor]
    arguments: dict[str, object]
    symmetric: bool  # the views may be swapped
    candidates: Callable[[int], int]  # the loss of N equal rows is the logarithm of this
    both_views: bool = False  # negatives from both views
    inside: bool = True  # the positive counts in the denominator

    def __str__(self):
        return "-".join([self.module.__name__, *(f"{k}={v}" for k, v in self.arguments.items())])

    def __call__(self, z1, z2, temperature=0.5):
        return self.function(z1, z2, temperature=temperature, **self.arguments)


BARE = {"positive_in_denominator": False}
LOSSES = [
    Case(losses.InfoNCE, functional.info_nce, {}, False, lambda n: n),
    Case(losses.InfoNCE, functional.info_nce, {"symmetric": True}, True, lambda n: n),
    Case(losses.InfoNCE, functional.info_nce, BARE, False, lambda n: n - 1, inside=False),
    Case(losses.InfoNCE, functional.info_nce, {"symmetric": True, **BARE}, True, lambda n: n - 1, inside=False),
    Case(losses.NTXent, functional.nt_xent, {}, True, lambda n: 2 * n - 1, both_views=True),
    Case(losses.NTXent, functional.nt_xent, BARE, True, lambda n: 2 * n - 2, both_views=True, inside=False),
    Case(losses.GRACE, functional.grace, {}, True, lambda n: 2 * n - 1, both_views=True),
    Case(losses.DCL, functional.dcl, {}, True, lambda n: 2 * n - 2, both_views=True, inside=False),
]
all_losses = pytest.mark.parametrize("case", LOSSES, ids=str)
temperatures = pytest.mark.parametrize("temperature", [0.005, 0.07, 0.5, 1.0])


def views(generator, n=6, d=5, dtype=torch.float64):
    """Two views that are alike, as those of a half-trained encoder are."""
    z = torch.randn(n, d, generator=generator, dtype=torch.float64)
    other = z + 0.3 * torch.randn(n, d, generator=generator, dtype=torch.float64)
    return z.to(dtype).requires_grad_(), other.to(dtype).requires_grad_()


def naive(case, z1, z2, temperature):
    """The formula as one writes it first, in the inputs' own precision: exp, sum, log."""
    z1, z2 = (z / (z * z).sum(1, keepdim=True).sqrt() for z in (z1, z2))
    n, cross = len(z1), z1 @ z2.T / temperature
    inside = torch.eye(n, dtype=torch.bool)
    positive = cross.diagonal().exp()

    def one_way(scores, same=None):
        total = scores.exp().masked_fill(inside, 0).sum(1)
        if same is not None:
            total = total + same.exp().masked_fill(inside, 0).sum(1)
        if case.inside:
            total = total + positive
        return -(positive / total).log().mean()

    if case.both_views:
        return (one_way(cross, z1 @ z1.T / temperature) + one_way(cross.T, z2 @ z2.T / temperature)) / 2
    if case.symmetric:
        return (one_way(cross) + one_way(cross.T)) / 2
    return one_way(cross)


@all_losses
class TestValue:
    @temperatures
    def test_equals_the_formula_in_double_precision(self, case, temperature, generator):
        z1, z2 = views(generator, n=7, d=3)
        torch.testing.assert_close(case(z1, z2, temperature), naive(case, z1, z2, temperature), rtol=1e-9, atol=1e-12)

    @temperatures
    @pytest.mark.parametrize("n", [2, 5])
    def test_closed_form_at_equality(self, case, temperature, n):
        z = torch.full((n, 3), 0.7, dtype=torch.float64)
        assert case(z, z, temperature).item() == pytest.approx(math.log(case.candidates(n)), abs=1e-9)

    def test_swap_of_the_views(self, case, generator):
        z1, z2 = views(generator)
        swapped = torch.isclose(case(z1, z2), case(z2, z1), rtol=1e-12)
        assert bool(swapped) == case.symmetric

    def test_the_rows_must_correspond(self, case, generator):
        z1, z2 = views(generator)
        assert not torch.isclose(case(z1, z2.roll(1, 0)), case(z1, z2))

    def test_length_does_not_matter(self, case, generator):
        z1, z2 = views(generator)
        factor = torch.rand(len(z1), 1, generator=generator, dtype=torch.float64) * 100 + 0.01
        torch.testing.assert_close(case(factor * z1, z2 / factor), case(z1, z2))
        case(z1, z2).backward()
        torch.testing.assert_close((z1.grad * z1).sum(1), torch.zeros(len(z1), dtype=torch.float64), atol=1e-12, rtol=0)

    def test_alike_views_cost_less(self, case, generator):
        z1, z2 = views(generator, n=16, d=8)
        unrelated, _ = views(generator, n=16, d=8)
        assert case(z1, z2) < case(z1, unrelated)


@all_losses
class TestGradient:
    def test_second_derivatives(self, case, generator):
        temperature = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradgradcheck(case, (*views(generator, n=3, d=2), temperature))

    def test_a_row_of_zeros_gets_no_gradient(self, case, generator):
        # The embedding of a graph without nodes. Its cosine is taken as 0; a gradient of 1/eps would wreck the weights.
        z1, z2 = views(generator, dtype=torch.float32)
        with torch.no_grad():
            z1[2] = 0
        case(z1, z2, 0.2).backward()
        assert (z1.grad[2] == 0).all()
        assert z1.grad.abs().max() < 100
        assert z2.grad.abs().max() < 100


@all_losses
@temperatures
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
class TestPrecision:
    """The error against double precision may not exceed that of the naive formula in the inputs' dtype."""

    def test_value_and_gradient(self, case, temperature, dtype, generator):
        z1, z2 = views(generator, n=24, d=16, dtype=dtype)
        value = case(z1, z2, temperature)
        assert value.dtype == torch.float32
        grads = torch.autograd.grad(value, (z1, z2))
        exact = [z.detach().double().requires_grad_() for z in (z1, z2)]
        truth = case(*exact, temperature)
        true_grads = torch.autograd.grad(truth, exact)
        rough = naive(case, z1, z2, temperature)
        rough_grads = torch.autograd.grad(rough, (z1, z2))

        def error(found, wanted):
            return torch.nan_to_num((found.double() - wanted).abs().max(), nan=math.inf, posinf=math.inf).item()

        # float32 keeps 24 bits of a score of size 1 / temperature, whatever the dtype of the inputs.
        floor = 4e-7 / temperature
        assert error(value, truth) <= min(error(rough, truth), 1e-2) + floor
        assert error(value, truth) <= floor + 1e-6 * abs(truth.item())
        for grad, wanted, bad in zip(grads, true_grads, rough_grads, strict=True):
            assert grad.dtype == dtype
            rounding = torch.finfo(dtype).eps * wanted.abs().max().item()
            assert error(grad, wanted) <= min(error(bad, wanted), wanted.abs().max().item()) + rounding + floor


@all_losses
class TestExtremes:
    def test_half_precision_does_not_overflow(self, case, generator):
        z1, z2 = views(generator, dtype=torch.float32)
        halves = (300 * z1).half(), (300 * z2).half()  # their squares are beyond float16
        assert case(*halves).item() == pytest.approx(case(z1, z2).item(), abs=1e-2)

    def test_solved_pairs_keep_their_digits(self, case):
        # Orthogonal items, identical views, T = 0.05: log(1 + k e^-20) is lost where the positive is subtracted again.
        z = torch.eye(8)
        others = case.candidates(8) - (1 if case.inside else 0)
        wanted = math.log(others) - 20
        if case.inside:
            wanted = math.log1p(math.exp(wanted))
        assert case(z, z, 0.05).item() == pytest.approx(wanted, abs=3e-6)

    @pytest.mark.parametrize("temperature", [0.05, 0.1])
    def test_gradients_of_solved_pairs_keep_their_digits(self, case, temperature, generator):
        # Losses of 1e-8: their gradient is the share of the negatives, which 1 - (share of the positive) rounds away.
        z1, z2 = (torch.eye(8, dtype=torch.float64) + 0.02 * torch.randn(8, 8, generator=generator) for _ in range(2))
        halves = [z.float().requires_grad_() for z in (z1, z2)]
        exact = [z.detach().double().requires_grad_() for z in halves]
        found = torch.autograd.grad(case(*halves, temperature), halves)
        for grad, wanted in zip(found, torch.autograd.grad(case(*exact, temperature), exact), strict=True):
            assert (grad - wanted).norm() < 2e-5 * wanted.norm()


@all_losses
class TestExclusion:
    def test_equals_the_loop_over_allowed_pairs(self, case, generator):
        z1, z2 = views(generator)
        labels, scaffolds = torch.tensor([0, 0, 1, 1, 2, -1]), torch.tensor([-1, 4, 4, -1, -1, -1])
        found = case.function(z1, z2, temperature=0.3, exclude=[labels, scaffolds], **case.arguments)
        u, v = (torch.nn.functional.normalize(z.detach()) for z in (z1, z2))

        def row(i, own, other):
            together = [
                j == i
                or (labels[i] == labels[j] and labels[i] != -1)
                or (scaffolds[i] == scaffolds[j] and scaffolds[i] != -1)
                for j in range(6)
            ]
            positive = float(own[i] @ other[i]) / 0.3
            total = math.exp(positive) if case.inside else 0.0
            for j in range(6):
                if not together[j]:
                    total += math.exp(float(own[i] @ other[j]) / 0.3)
                    total += math.exp(float(own[i] @ own[j]) / 0.3) if case.both_views else 0
            return math.log(total) - positive

        there = sum(row(i, u, v) for i in range(6)) / 6
        back = sum(row(i, v, u) for i in range(6)) / 6
        assert found.item() == pytest.approx((there + back) / 2 if case.symmetric else there, rel=1e-9)

    def test_one_group_of_all_leaves_nothing_to_contrast(self, case, generator):
        z1, z2 = views(generator)
        value = case.function(z1, z2, exclude=[torch.zeros(6, dtype=torch.int64)], **case.arguments)
        assert value.item() == 0
        assert all((grad == 0).all() for grad in torch.autograd.grad(value, (z1, z2)))

    def test_groups_of_one_change_nothing(self, case, generator):
        z1, z2 = views(generator)
        for groups in (torch.arange(6), torch.full((6,), -1), torch.arange(6, dtype=torch.int32) - 9):
            value = case.function(z1, z2, temperature=0.5, exclude=[groups], **case.arguments)
            assert torch.equal(value, case(z1, z2))

    def test_module_passes_them_on(self, case, generator):
        z1, z2 = views(generator)
        groups = torch.tensor([0, 0, 1, 1, 2, 2])
        module = case.module(temperature=0.3, **case.arguments)
        expected = case.function(z1, z2, temperature=0.3, exclude=[groups], **case.arguments)
        assert torch.equal(module(z1, z2, exclude=[groups]), expected)

    def test_refusals(self, case, generator):
        z1, z2 = views(generator)
        with pytest.raises(
            TypeError, match=r"expected exclude to be a list of group vectors.*write exclude=\[groups\]"
        ):
            case.function(z1, z2, exclude=torch.arange(6), **case.arguments)
        with pytest.raises(ValueError, match=r"expected exclude\[0\] of shape \[6\].*got \[5\]"):
            case.function(z1, z2, exclude=[torch.arange(5)], **case.arguments)
        with pytest.raises(TypeError, match=r"expected exclude\[1\] to hold integers, got torch.float32; call"):
            case.function(z1, z2, exclude=[torch.arange(6), torch.ones(6)], **case.arguments)


@all_losses
class TestRefusals:
    @pytest.mark.parametrize("rows", [0, 1])
    def test_a_batch_of_one_graph_explains_why(self, case, rows):
        message = f"expected at least 2 rows to contrast, got {rows}: the other rows of the batch are the negatives"
        with pytest.raises(ValueError, match=f"{message}.*one graph there are none"):
            case(torch.ones(rows, 3), torch.ones(rows, 3))

    @pytest.mark.parametrize("other", [torch.eye(4), torch.eye(4)[:3], torch.ones(3), torch.ones(3, 3, 1)])
    def test_shapes(self, case, other):
        with pytest.raises(ValueError, match=r"expected z1 and z2 of one shape \[N, D\].*got \[3, 3\] and"):
            case(torch.eye(3), other)
