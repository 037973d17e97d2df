"""Supervised contrast against equation 2 of the paper written out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import nt_xent, sup_con, sup_con_pairs
from graphcl.similarity import using


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(z, positives, tau):
    """The mean over rows with positives of -1/|P(i)| sum_p log( e^(s_ip/tau) / sum_(a != i) e^(s_ia/tau) )."""
    z = z.tolist()
    costs = []
    for i, partners in enumerate(positives):
        total = math.fsum(math.exp(cosine(z[i], z[a]) / tau) for a in range(len(z)) if a != i)
        if partners:
            terms = (math.log(math.exp(cosine(z[i], z[p]) / tau) / total) for p in partners)
            costs.append(-math.fsum(terms) / len(partners))
    return math.fsum(costs) / len(costs) if costs else 0.0


@given(
    labels=st.lists(st.integers(-1, 3), min_size=2, max_size=8),
    tau=st.sampled_from([0.05, 0.1, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(labels, tau, seed):
    n = len(labels)
    z = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    positives = [[p for p in range(n) if p != i and labels[p] == labels[i] != -1] for i in range(n)]
    wanted = pytest.approx(literal(z, positives, tau), rel=1e-9, abs=1e-9)
    assert sup_con(z, torch.tensor(labels), temperature=tau).item() == wanted
    pairs = torch.tensor([(i, p) for i in range(n) for p in positives[i]], dtype=torch.int64).reshape(-1, 2).T
    assert sup_con_pairs(z, pairs, temperature=tau).item() == wanted


@pytest.mark.parametrize("impl", ["auto", "tiled"])
@pytest.mark.parametrize("temperature", [0.1, 0.05, 0.02])
def test_solved_pairs_keep_their_digits(impl, temperature, generator):
    z1 = torch.randn(64, 32, generator=generator)
    z = torch.cat([z1, z1 + 0.1 * torch.randn(64, 32, generator=generator)]).requires_grad_()
    exact = z.detach().double().requires_grad_()
    place = torch.arange(128)
    wanted = nt_xent(*exact.chunk(2), temperature=temperature)
    (slope,) = torch.autograd.grad(wanted, exact)
    with using(impl=impl):
        for found in (
            sup_con(z, place % 64, temperature=temperature),
            sup_con_pairs(z, torch.stack([place, (place + 64) % 128]), temperature=temperature),
        ):
            assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
            (grad,) = torch.autograd.grad(found, z)
            assert (grad - slope).norm() < 1e-5 * slope.norm()


@pytest.mark.parametrize("inside", [True, False])
def test_classes_that_have_collapsed_keep_the_digits_of_the_plain_formula(inside, generator):
    labels = torch.arange(128) % 2
    z = torch.randn(2, 32, generator=generator)[labels] + 0.03 * torch.randn(128, 32, generator=generator)
    alike = (labels[:, None] == labels) & ~torch.eye(128, dtype=torch.bool)

    def plain(z):
        u = torch.nn.functional.normalize(z)
        x = u @ u.T / 0.1
        other = torch.eye(128, dtype=torch.bool) if inside else torch.eye(128, dtype=torch.bool) | alike
        return (x.masked_fill(other, -math.inf).logsumexp(1)[:, None] - x)[alike].mean()

    def slope(function, z):
        z = z.clone().requires_grad_()
        return torch.autograd.grad(function(z), z)[0].double()

    wanted = slope(plain, z.double())
    found = slope(lambda z: sup_con(z, labels, temperature=0.1, positive_in_denominator=inside), z)
    assert (found - wanted).norm() <= 1.5 * (slope(plain, z) - wanted).norm()


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_tiles_and_matrix_agree(inside, learned, generator):
    z = torch.randn(40, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    tau = torch.tensor(0.3, dtype=torch.float64, requires_grad=True) if learned else 0.3
    labels = torch.tensor([-1, -1, 0, 1, 2, 2, 3, 3, 3, 3] * 4)
    labels[30:] = torch.arange(10, 20)
    pairs = torch.randint(40, (2, 60), generator=generator)
    inputs = [z, tau] if learned else [z]
    for function, positives in ((sup_con, labels), (sup_con_pairs, pairs)):
        results = []
        for impl in ("auto", "tiled"):
            with using(impl=impl):
                value = function(z, positives, temperature=tau, positive_in_denominator=inside)
            results.append([value, *torch.autograd.grad(value, inputs)])
        torch.testing.assert_close(*results, rtol=1e-9, atol=1e-12)


def test_hand_computed():
    # Rows e1, e1, e2 with labels 0, 0, 1, T = 1: two anchors at log(e + 1) - 1; the third has no positive.
    z = torch.tensor([[1.0, 0], [2, 0], [0, 1]], dtype=torch.float64)
    assert sup_con(z, torch.tensor([0, 0, 1]), temperature=1.0).item() == pytest.approx(math.log(math.e + 1) - 1)
    # And with (2, 0) as a pair: log(2) - 0 for that anchor alone.
    assert sup_con_pairs(z, torch.tensor([[2], [0]]), temperature=1.0).item() == pytest.approx(math.log(2))


def test_one_pair_per_item_is_nt_xent(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    value = sup_con(torch.cat([z1, z2]), torch.arange(6).repeat(2), temperature=0.2)
    torch.testing.assert_close(value, nt_xent(z1, z2, temperature=0.2))


def test_names_of_labels_do_not_matter(generator):
    z = torch.randn(6, 4, generator=generator)
    small, large = torch.tensor([0, 1, 0, 1, 2, 2]), torch.tensor([7, -(2**62), 7, -(2**62), 2**62, 2**62])
    torch.testing.assert_close(sup_con(z, small), sup_con(z, large))


def test_labels_in_bytes(generator):
    z, labels = torch.randn(4, 4, generator=generator), torch.tensor([255, 255, 1, 1])
    assert torch.equal(sup_con(z, labels.to(torch.uint8)), sup_con(z, labels))


@pytest.mark.parametrize("labels", [[-1, -1, -1], [0, 1, 2], [-1, 0, 1]])
def test_without_any_positive_it_is_zero_and_flat(labels, generator):
    z = torch.randn(3, 4, generator=generator, requires_grad=True)
    value = sup_con(z, torch.tensor(labels))
    value.backward()
    assert value.item() == 0
    assert (z.grad == 0).all()


def test_an_unlabelled_row_is_a_negative(generator):
    z = torch.randn(4, 4, generator=generator)
    with_it, without = sup_con(z, torch.tensor([0, 0, 1, -1])), sup_con(z[:3], torch.tensor([0, 0, 1]))
    assert with_it > without


def test_a_row_is_never_its_own_positive(generator):
    z = torch.randn(4, 4, generator=generator)
    pairs = torch.tensor([[0, 1, 2], [1, 0, 3]])
    with_self = torch.cat([pairs, torch.tensor([[0, 1], [0, 1]])], 1)
    assert torch.equal(sup_con_pairs(z, pairs), sup_con_pairs(z, with_self))


def test_refusals(generator):
    z = torch.randn(4, 4, generator=generator)
    with pytest.raises(ValueError, match=r"expected positives in \[0, 4\), got values from 0 to 4"):
        sup_con_pairs(z, torch.tensor([[0], [4]]))
    with pytest.raises(ValueError, match=r"expected positives of shape \[2, P\], got \[3, 1\]"):
        sup_con_pairs(z, torch.tensor([[0], [1], [2]]))
    with pytest.raises(TypeError, match="expected labels to hold integers, got torch.float32"):
        sup_con(z, torch.ones(4))
    with pytest.raises(ValueError, match="expected z with at least 2 rows, got 1"):
        sup_con(z[:1], torch.zeros(1, dtype=torch.int64))
