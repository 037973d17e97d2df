"""The matrix of similarities against loops."""

import math

import pytest
import torch

from graphcl.similarity import pairwise


def literal(similarity, a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    if similarity == "dot":
        return dot
    if similarity == "euclidean":
        return -math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    lengths = math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
    return dot / lengths if lengths else 0.0


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("own", [False, True])
def test_equals_the_literal_loop(similarity, own, generator):
    query = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    query[2] = 0
    key = query if own else torch.randn(4, 3, generator=generator, dtype=torch.float64)
    found = pairwise(query, None if own else key, similarity=similarity)
    wanted = [[literal(similarity, a, b) for b in key.tolist()] for a in query.tolist()]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
def test_gradient(similarity, generator):
    query = torch.randn(3, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    key = torch.randn(4, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda q, k: pairwise(q, k, similarity=similarity), (query, key))


def test_a_row_of_zeros_gets_no_gradient():
    query = torch.tensor([[0.0, 0.0], [1.0, 2.0]], requires_grad=True)
    pairwise(query, torch.ones(3, 2))[:, 0].sum().backward()
    assert (query.grad[0] == 0).all()
    assert query.grad.isfinite().all()


def test_distances_of_far_away_rows_keep_their_digits(generator):
    # Folded into a dot product without moving the rows to their middle, all of it would cancel in float32.
    near = torch.randn(6, 3, generator=generator)
    found = pairwise(near + 1000, similarity="euclidean")
    torch.testing.assert_close(found, -torch.cdist(near, near).square(), rtol=1e-2, atol=1e-2)


def test_low_precision_gives_float32():
    assert pairwise(torch.eye(2).half()).dtype == torch.float32


def test_refusals():
    with pytest.raises(ValueError, match="expected similarity to be 'cosine', 'dot' or 'euclidean', got 'l1'"):
        pairwise(torch.eye(2), similarity="l1")
    with pytest.raises(TypeError, match="expected floating-point embeddings"):
        pairwise(torch.eye(2).long())
    with pytest.raises(ValueError, match="with the same D"):
        pairwise(torch.eye(2), torch.eye(3))
