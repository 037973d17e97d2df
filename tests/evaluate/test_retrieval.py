"""Retrieval: equal to a literal loop, exact ends, refusals."""

import numpy as np
import pytest
import torch

from graphcl.evaluate import retrieval_precision


def test_equals_a_loop():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(40, 5)), rng.integers(3, size=40)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    found = retrieval_precision(z, y, k=(7, 1, 39))
    for k, precision in found.items():
        total = 0.0
        for i in range(40):
            order = sorted((j for j in range(40) if j != i), key=lambda j: -unit[i] @ unit[j])
            total += sum(y[j] == y[i] for j in order[:k]) / k
        assert precision == pytest.approx(total / 40, abs=1e-12)
    assert list(found) == [1, 7, 39]


def test_all_neighbours_are_chance_and_length_counts_for_nothing():
    z = torch.randn(30, 4)
    y = torch.arange(30) % 3
    assert retrieval_precision(z, y, k=(29,))[29] == pytest.approx(9 / 29)
    assert retrieval_precision(z, y) == retrieval_precision(z * torch.rand(30, 1).add(0.5), y)


def test_classes_may_have_names():
    z, y = torch.randn(12, 3), torch.arange(12) % 3
    assert retrieval_precision(z, np.array(["ant", "bee", "cat"])[y]) == retrieval_precision(z, y)


def test_one_number_of_neighbours():
    z, y = torch.randn(12, 3), torch.arange(12) % 3
    assert retrieval_precision(z, y, k=5) == retrieval_precision(z, y, k=(5,))


def test_equal_rows_find_each_other_and_never_themselves():
    z = torch.eye(4).repeat_interleave(2, 0)
    assert retrieval_precision(z, torch.arange(4).repeat_interleave(2), k=(1,)) == {1: 1.0}
    assert retrieval_precision(z, torch.arange(8), k=(1,)) == {1: 0.0}


@pytest.mark.parametrize(
    ("z", "y", "k", "words"),
    [
        (torch.randn(5, 2), torch.zeros(4), (1,), "5 labels"),
        (torch.randn(5, 2), torch.zeros(5), (5,), "from 1 to 4"),
        (torch.randn(5, 2), torch.zeros(5), (0, 1), "from 1 to 4"),
        (torch.randn(5, 2), torch.zeros(5), (), "from 1 to 4"),
        (torch.full((5, 2), torch.nan), torch.zeros(5), (1,), "finite"),
        (torch.randn(5, 2), torch.full((5,), torch.nan), (1,), "got NaN or infinity for 5"),
        (torch.randn(5, 2), np.array([0, 1, None, 0, 1], dtype=object), (1,), "all numbers or all texts, got NoneType"),
    ],
)
def test_refusals(z, y, k, words):
    with pytest.raises(ValueError, match=words):
        retrieval_precision(z, y, k=k)


def test_numbers_of_numpy_and_labels_that_are_infinite() -> None:
    z = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    assert retrieval_precision(z, torch.tensor([0, 0, 1, 1]), k=np.int64(1)) == {1: 1.0}
    with pytest.raises(ValueError, match="got NaN or infinity for 1"):
        retrieval_precision(z, torch.tensor([0, 0, 1, torch.inf]), k=1)
