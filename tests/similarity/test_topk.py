"""The most similar keys against a stable sort of the whole matrix."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcl.similarity import _operators, pairwise, topk
from graphcl.similarity.dense import barred_pairs


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    monkeypatch.setitem(_operators.TILES, "cpu", (4, 8))


@st.composite
def problems(draw):
    m, n, d = draw(st.integers(0, 12)), draw(st.integers(0, 30)), draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))

    def integers(high, count):
        return torch.randint(high, (count,), generator=generator)

    # Small whole numbers: many similarities are equal, exactly.
    query = torch.randint(-1, 2, (m, d), generator=generator).double()
    key = torch.randint(-1, 2, (n, d), generator=generator).double()
    groups = [(integers(4, m), integers(4, n)) for _ in range(3)]
    skip = torch.stack([integers(m, 5), integers(n, 5)]) if m and n and draw(st.booleans()) else None
    return (
        query,
        key,
        {
            "k": draw(st.integers(1, 9)),
            "exclude": groups[: draw(st.integers(0, 2))],
            "only": groups[2] if draw(st.booleans()) else None,
            "skip": skip,
        },
    )


@settings(max_examples=90)
@given(problem=problems(), similarity=st.sampled_from(["dot", "euclidean"]), impl=st.sampled_from(["dense", "tiled"]))
def test_equals_a_stable_sort(problem, similarity, impl):
    query, key, arguments = problem
    k = arguments["k"]
    values, indices = topk(query, key, similarity=similarity, impl=impl, **arguments)
    assert values.shape == indices.shape == (len(query), k)
    scores = query @ key.T if similarity == "dot" else -(query[:, None] - key).square().sum(2)
    barred = barred_pairs(query, key, arguments["exclude"], arguments["only"], arguments["skip"])
    for i in range(len(query)):
        wanted = sorted((-scores[i, j].item(), j) for j in range(len(key)) if not barred[i, j])[:k]
        found = [(-v, j) for v, j in zip(values[i].tolist(), indices[i].tolist(), strict=True)]
        missing = [(float("inf"), -1)] * (k - len(wanted))
        assert [j for _, j in found] == [j for _, j in wanted + missing]
        torch.testing.assert_close(torch.tensor([v for v, _ in found]), torch.tensor([v for v, _ in wanted + missing]))


@pytest.mark.parametrize("impl", ["dense", "tiled"])
@pytest.mark.parametrize("offset", [0, 1000])
def test_equal_distances_are_equal_in_float32(impl, offset, generator):
    # A mean that is no whole number must not make them differ by rounding.
    query, key = (torch.randint(-4, 5, (n, 12), generator=generator).double() + offset for n in (30, 501))
    distances = (query[:, None] - key).square().sum(2)
    values, indices = topk(query.float(), key.float(), 9, similarity="euclidean", impl=impl)
    assert torch.equal(indices, distances.sort(stable=True).indices[:, :9])
    assert torch.equal(values.double(), -distances.gather(1, indices))


def test_cosine_of_rows_among_themselves(generator):
    z = torch.randn(50, 4, generator=generator)
    own = torch.arange(50)
    for impl in ("auto", "dense", "tiled"):
        values, indices = topk(z, k=3, exclude=[(own, own)], impl=impl)
        wanted = pairwise(z).fill_diagonal_(-torch.inf).topk(3)
        torch.testing.assert_close(values, wanted.values)
        assert torch.equal(indices, wanted.indices)


def test_many_keys_are_searched_in_tiles(generator, monkeypatch):
    monkeypatch.setitem(_operators.TILES, "cpu", (256, 1024))
    query, key = torch.randn(300, 8, generator=generator), torch.randn(5000, 8, generator=generator)
    values, indices = topk(query, key, 10)
    wanted = pairwise(query, key).topk(10)
    torch.testing.assert_close(values, wanted.values)
    assert (indices == wanted.indices).float().mean() > 0.999  # neighbours within rounding may change places


def test_low_precision_inputs_give_float32(generator):
    z = torch.randn(9, 4, generator=generator).bfloat16().requires_grad_()
    values, _ = topk(z, k=2)
    assert values.dtype == torch.float32
    assert not values.requires_grad


class TestFaiss:
    def test_names_the_extra_where_it_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "faiss", None)
        with pytest.raises(ImportError, match=r"pip install 'graphcl\[ann\]', or use impl='tiled'"):
            topk(torch.eye(3), impl="faiss")

    def test_cannot_leave_pairs_out(self):
        own = torch.arange(3)
        with pytest.raises(ValueError, match="expected no exclude, only or skip with impl='faiss'"):
            topk(torch.eye(3), exclude=[(own, own)], impl="faiss")

    @pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
    def test_finds_the_same(self, similarity, generator):
        pytest.importorskip("faiss")
        query, key = torch.randn(20, 8, generator=generator), torch.randn(200, 8, generator=generator)
        values, indices = topk(query, key, 5, similarity=similarity, impl="faiss")
        wanted, places = topk(query, key, 5, similarity=similarity, impl="tiled")
        torch.testing.assert_close(values, wanted, rtol=1e-4, atol=1e-4)
        assert torch.equal(indices, places)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "expected k of at least 1, got 0"),
        ({"k": 2.0}, "expected k as a whole number, got 2.0"),
        ({"k": True}, "expected k as a whole number, got True"),
        ({"similarity": "l2"}, "expected similarity to be 'cosine', 'dot' or 'euclidean', got 'l2'"),
        ({"impl": "fast"}, "expected impl to be 'auto', 'dense', 'tiled' or 'faiss', got 'fast'"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        topk(torch.eye(3), **arguments)
