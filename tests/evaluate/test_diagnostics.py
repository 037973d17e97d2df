"""Diagnostics: closed forms, literal loops, bounded samples, and the words about a collapse."""

import math

import numpy as np
import pytest
import torch

from graphcl.evaluate import diagnostics as d
from graphcl.losses.functional import alignment, uniformity


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (300, 4), (5, 5)])
@pytest.mark.parametrize("centre", [False, True])
def test_singular_values_are_those_of_the_matrix(shape, centre):
    z = torch.randn(shape, dtype=torch.float64) + 3
    whole = z - z.mean(0) if centre else z
    torch.testing.assert_close(d.singular_values(z, centre=centre), torch.linalg.svdvals(whole))


def test_effective_rank_of_known_spectra():
    rotation = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64)).Q
    for values in ([1.0] * 8, [4.0, 2.0, 1.0, 1.0], [1.0]):
        sigma = torch.tensor(values + [0.0] * (8 - len(values)), dtype=torch.float64)
        shares = [v / sum(values) for v in values]
        expected = math.exp(-sum(p * math.log(p) for p in shares))
        assert float(d.effective_rank(rotation @ sigma.diag() @ rotation.T)) == pytest.approx(expected, rel=1e-9)


def test_effective_rank_does_not_take_rounding_for_a_direction():
    line = torch.linspace(1, 2, 50)[:, None] * torch.randn(1, 16)
    assert float(d.effective_rank(line)) == pytest.approx(1, abs=1e-3)
    same = torch.randn(1, 16).expand(50, 16)
    assert float(d.effective_rank(same, centre=True)) == 0 == float(d.effective_rank(torch.zeros(3, 2)))
    offset = torch.randn(50, 16, dtype=torch.float64) + 1e3  # what all rows share hides what they do not
    assert float(d.effective_rank(offset)) < 1.2 < 10 < float(d.effective_rank(offset, centre=True))


def test_dimension_std():
    z = torch.randn(20_000, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(d.dimension_std(z), torch.full((9,), 1 / 3), atol=0.01, rtol=0)
    assert d.dimension_std(torch.tensor([[1.0, 1.0], [5.0, 5.0]])).tolist() == [0, 0]  # lengths count for nothing


def test_samples_are_keyed_unbiased_and_never_positive():
    z1, z2 = torch.randn(12, 4, dtype=torch.float64), torch.randn(12, 4, dtype=torch.float64)
    i, j = d._negative_pairs(12, 50_000, 3, z1.device)
    assert bool((i != j).all()) and int(i.min()) == int(j.min()) == 0 and int(i.max()) == int(j.max()) == 11
    # Each of the 132 ordered pairs equally often: chi-square with 131 degrees of freedom, mean 131, std 16.2.
    counts = torch.bincount(i * 12 + j, minlength=144)[torch.arange(144) % 13 != 0].double()
    assert float(((counts - 50_000 / 132) ** 2 / (50_000 / 132)).sum()) < 131 + 5 * 16.2
    positive, negative = d.similarity_samples(z1, z2, pairs=50_000)
    cosine = torch.nn.functional.cosine_similarity
    torch.testing.assert_close(positive, cosine(z1, z2))
    everyone = cosine(z1[:, None], z2[None], dim=2)[~torch.eye(12, dtype=torch.bool)]
    assert abs(float(negative.mean() - everyone.mean())) < 5 * float(everyone.std()) / math.sqrt(50_000)
    same, other = (d.similarity_samples(z1, z2, pairs=50_000, seed=seed)[1] for seed in (0, 1))
    assert torch.equal(negative, same) and not torch.equal(negative, other)


def test_histogram():
    values = torch.tensor([-1.0, -0.5, -0.49, 0.0, 0.999, 1.0, 1.0000001])
    counts, edges = d.similarity_histogram(values, bins=4)
    assert counts.tolist() == [1, 2, 1, 3] and edges.tolist() == [-1, -0.5, 0, 0.5, 1]
    assert d.similarity_histogram(torch.empty(0)).counts.tolist() == [0] * 40


def test_false_negative_rate_equals_a_loop():
    y = torch.randint(4, (30,))
    pairs = [(i, j) for i in range(30) for j in range(30) if i != j]
    assert d.false_negative_rate(y) == pytest.approx(sum(bool(y[i] == y[j]) for i, j in pairs) / len(pairs))
    assert d.false_negative_rate(torch.zeros(5, dtype=torch.int64)) == 1
    assert d.false_negative_rate(torch.arange(5)) == 0
    assert d.false_negative_rate(torch.tensor([0, 0, 1, -1, -1])) == pytest.approx(1 / 3)
    assert math.isnan(d.false_negative_rate(torch.tensor([0, -1])))


def test_diagnose_is_made_of_the_parts():
    z, a, b = torch.randn(3, 50, 8, dtype=torch.float64).unbind()
    row = d.diagnose(z, (a, b), labels=torch.arange(50) % 2)
    assert row["uniformity"] == pytest.approx(float(uniformity(z)))
    assert row["alignment"] == pytest.approx(float(alignment(a, b)))
    # Between unit rows the squared distance is 2 - 2 cosine.
    assert row["alignment"] == pytest.approx(2 - 2 * row["positive_similarity"])
    assert row["false_negative_rate"] == pytest.approx(24 / 49)
    unit = torch.nn.functional.normalize(z, dim=1)
    assert row["effective_rank"] == pytest.approx(float(d.effective_rank(unit, centre=True)))
    assert row["spread"] ** 2 == pytest.approx(float(unit.var(0, correction=0).sum()))
    assert set(d.diagnose(z)) == {"uniformity", "effective_rank", "spread"}
    assert all(isinstance(value, float) for value in row.values())


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_the_size_of_the_embeddings_does_not_matter(size):
    z = torch.randn(40, 6)
    pair = z + 0.1 * torch.randn(40, 6)
    expected, found = d.diagnose(z, (z, pair)), d.diagnose(size * z, (size * z, size * pair))
    assert found == pytest.approx(expected, rel=1e-4)
    assert d.collapse_of(found) is None


def test_no_gradient_and_half_precision():
    z = torch.randn(20, 4, requires_grad=True)
    assert not d.effective_rank(z).requires_grad and not d.dimension_std(z).requires_grad
    half, full = d.diagnose(z.detach().bfloat16()), d.diagnose(z)
    assert half == pytest.approx(full, rel=0.05)


def test_collapse_is_told_from_health():
    assert d.collapse_of(d.diagnose(torch.randn(100, 16))) is None
    point = d.collapse_of(d.diagnose(torch.ones(100, 16) + 1e-5 * torch.randn(100, 16)))
    assert point is not None and "same way" in point and "learning rate" in point
    line = torch.cat([torch.randn(1, 16)] * 50 + [torch.randn(1, 16)] * 50)
    words = d.collapse_of(d.diagnose(line))
    assert words is not None and "line" in words


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: d.singular_values(torch.empty(0, 3)), "at least one row"),
        (lambda: d.effective_rank(torch.tensor([[math.nan, 1.0]])), "finite"),
        (lambda: d.similarity_samples(torch.ones(1, 2), torch.ones(1, 2)), "at least 2"),
        (lambda: d.similarity_samples(torch.ones(3, 2), torch.ones(2, 2)), "two views"),
        (lambda: d.similarity_samples(torch.ones(3, 2), torch.ones(3, 2), pairs=0), "pairs"),
        (lambda: d.similarity_histogram(torch.tensor([3.0])), "cosines"),
        (lambda: d.similarity_histogram(torch.tensor([0.0]), bins=0), "bins"),
        (lambda: d.false_negative_rate(torch.tensor([1])), "at least 2"),
        (lambda: d.diagnose(torch.eye(3), torch.eye(3)), r"write diagnose\(z, \(z1, z2\)\)"),
    ],
)
def test_refusals(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_the_profile_holds_what_the_functions_say(generator):
    z, first, second = torch.randn(3, 12, 5, generator=generator)
    found = d.profile(z, (first, second), bins=8, seed=2)
    unit = torch.nn.functional.normalize(z)
    torch.testing.assert_close(torch.tensor(found["singular_values"]), d.singular_values(unit, centre=True))
    torch.testing.assert_close(torch.tensor(found["dimension_std"]), d.dimension_std(z))
    for name, sample in zip(("positive", "negative"), d.similarity_samples(first, second, seed=2), strict=True):
        wanted = np.histogram(sample, bins=8, range=(-1, 1))[0] / len(sample)
        assert found[f"{name}_similarity"] == pytest.approx(wanted)
    assert set(d.profile(z)) == {"singular_values", "dimension_std"}
