"""InfoNCE against the papers' formulas written out as loops, and against the code of GraphCL's authors."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses import InfoNCE
from graphcl.losses.functional import info_nce


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def literal(z1, z2, tau, positive_in_denominator=True):
    """-1/N sum_i log( e^(s_ii / tau) / ([e^(s_ii / tau)] + sum_(j != i) e^(s_ij / tau)) ), in Python floats."""
    z1, z2 = z1.tolist(), z2.tolist()
    total = 0.0
    for i in range(len(z1)):
        denominator = math.exp(cosine(z1[i], z2[i]) / tau) if positive_in_denominator else 0.0
        for j in range(len(z2)):
            if j != i:
                denominator += math.exp(cosine(z1[i], z2[j]) / tau)
        total -= math.log(math.exp(cosine(z1[i], z2[i]) / tau) / denominator)
    return total / len(z1)


def authors_graphcl(x, x_aug, T=0.2):
    """The loss of the authors' TU code, line by line: the positive pair is not in the denominator."""
    batch_size, _ = x.size()
    x_abs, x_aug_abs = x.norm(dim=1), x_aug.norm(dim=1)
    sim_matrix = torch.einsum("ik,jk->ij", x, x_aug) / torch.einsum("i,j->ij", x_abs, x_aug_abs)
    sim_matrix = torch.exp(sim_matrix / T)
    pos_sim = sim_matrix[range(batch_size), range(batch_size)]
    return -torch.log(pos_sim / (sim_matrix.sum(dim=1) - pos_sim)).mean()


@given(
    n=st.integers(2, 6),
    d=st.integers(1, 5),
    tau=st.sampled_from([0.05, 0.2, 1.0]),
    inside=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_equals_the_literal_loop(n, d, tau, inside, seed):
    generator = torch.Generator().manual_seed(seed)
    z1, z2 = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    there = info_nce(z1, z2, temperature=tau, positive_in_denominator=inside)
    assert there.item() == pytest.approx(literal(z1, z2, tau, inside), rel=1e-9, abs=1e-9)
    both = info_nce(z1, z2, temperature=tau, positive_in_denominator=inside, symmetric=True)
    back = literal(z2, z1, tau, inside)
    assert both.item() == pytest.approx((literal(z1, z2, tau, inside) + back) / 2, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("z1", "z2", "arguments", "expected"),
    [
        # Orthogonal pairs, T = 1: each row is log(e + 1) - 1.
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], {}, 0.31326169),
        # The same without the positive in the denominator: log(1) - 1.
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], {"positive_in_denominator": False}, -1.0),
        # Opposite views: s_ii = -1, s_ij = 1, so log(e^-1 + e) + 1.
        ([[1, 0], [-1, 0]], [[-2, 0], [3, 0]], {}, 2.12692801),
        # s = [[3/5, 1], [4/5, 0]]: rows log(e^.6 + e^1) - .6 and log(e^.8 + 1) - 0, their mean.
        ([[1, 0], [0, 1]], [[3, 4], [1, 0]], {}, (0.91301525 + 1.17110067) / 2),
        # And from the second view: columns [3/5, 4/5] and [1, 0].
        ([[3, 4], [1, 0]], [[1, 0], [0, 1]], {}, (0.79813887 + 1.31326169) / 2),
    ],
)
def test_hand_computed(z1, z2, arguments, expected):
    value = info_nce(torch.tensor(z1).double(), torch.tensor(z2).double(), temperature=1.0, **arguments)
    assert value.item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("n", [2, 17, 128])
def test_equals_the_code_of_the_graphcl_authors(n, generator):
    z1, z2 = (torch.randn(n, 96, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    value = info_nce(z1, z2, temperature=0.2, positive_in_denominator=False)
    theirs = authors_graphcl(z1, z2)
    torch.testing.assert_close(value, theirs)
    ours = torch.autograd.grad(value, (z1, z2))
    torch.testing.assert_close(ours, torch.autograd.grad(theirs, (z1, z2)))


def test_without_the_positive_it_can_be_negative():
    z = torch.eye(3)
    assert info_nce(z, z, temperature=0.2, positive_in_denominator=False) < 0 < info_nce(z, z, temperature=0.2)


def test_symmetric_is_the_mean_of_both_directions(generator):
    z1, z2 = torch.randn(2, 5, 4, generator=generator)
    both = InfoNCE(temperature=0.3, symmetric=True)(z1, z2)
    torch.testing.assert_close(both, (info_nce(z1, z2, temperature=0.3) + info_nce(z2, z1, temperature=0.3)) / 2)


def test_negatives_come_from_the_other_view_only(generator):
    # Turning the first view's rows 1 and 2 leaves row 0's term alone; in NT-Xent it would not.
    z1, z2 = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    z1.requires_grad_()
    (grad,) = torch.autograd.grad(info_nce(z1, z2) * 3, z1)
    alone = z1[:1].detach().clone().requires_grad_()
    torch.logsumexp(torch.cosine_similarity(alone, z2) / 0.5, 0).sub(
        torch.cosine_similarity(alone[0], z2[0], dim=0) / 0.5
    ).backward()
    torch.testing.assert_close(grad[:1], alone.grad)
