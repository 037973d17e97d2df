"""The prototype term of PCL against equations 11 and 12 of the paper written out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphcl.losses.functional import info_nce, proto_nce
from graphcl.losses.proto_nce import concentrations


def unit(row):
    length = math.hypot(*row)
    return [x / length for x in row]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def literal(z, prototypes, assignment, phi):
    total = 0.0
    for v, own in zip(z.tolist(), assignment.tolist(), strict=True):
        terms = [math.exp(dot(unit(v), unit(c)) / p) for c, p in zip(prototypes.tolist(), phi.tolist(), strict=True)]
        total -= math.log(terms[own] / math.fsum(terms))
    return total / len(z)


@given(assignment=st.lists(st.integers(0, 2), min_size=1, max_size=7), seed=st.integers(0, 2**31))
def test_equals_the_literal_loop(assignment, seed):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(len(assignment), 4, generator=generator, dtype=torch.float64)
    prototypes = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    phi = 0.05 + torch.rand(3, generator=generator, dtype=torch.float64)
    assignment = torch.tensor(assignment)
    value = proto_nce(z, prototypes, assignment, phi)
    assert value.item() == pytest.approx(literal(z, prototypes, assignment, phi), rel=1e-9, abs=1e-9)


def test_hand_computed():
    # Cosines 1 and 0 with temperatures 1/2 and 3: log(e^2 + 1) - 2 for its own cluster, log(e^2 + 1) for the other.
    z, phi = torch.tensor([[2.0, 0]]), torch.tensor([0.5, 3.0])
    prototypes = torch.tensor([[1.0, 0], [0, 4]])
    log_sum = math.log(math.exp(2) + 1)
    assert proto_nce(z, prototypes, torch.tensor([0]), phi).item() == pytest.approx(log_sum - 2)
    assert proto_nce(z, prototypes, torch.tensor([1]), phi).item() == pytest.approx(log_sum)


def test_one_prototype_per_item_is_info_nce(generator):
    z1, z2 = torch.randn(2, 6, 4, generator=generator)
    value = proto_nce(z1, z2, torch.arange(6), torch.full((6,), 0.3))
    torch.testing.assert_close(value, info_nce(z1, z2, temperature=0.3))


def test_order_of_the_prototypes_does_not_matter(generator):
    z, prototypes = torch.randn(5, 4, generator=generator), torch.randn(3, 4, generator=generator)
    assignment, phi = torch.tensor([0, 1, 2, 2, 0]), torch.tensor([0.1, 0.2, 0.3])
    order = torch.tensor([2, 0, 1])
    moved = torch.empty(3, dtype=torch.int64).scatter(0, order, torch.arange(3))[assignment]
    torch.testing.assert_close(
        proto_nce(z, prototypes[order], moved, phi[order]), proto_nce(z, prototypes, assignment, phi)
    )


def test_concentrations_equal_the_literal_loop(generator):
    z = torch.randn(9, 4, generator=generator, dtype=torch.float64)
    prototypes = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    assignment = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
    phi = []
    for k in range(3):
        members = [unit(z[i].tolist()) for i in range(9) if assignment[i] == k]
        far = math.fsum(math.dist(v, unit(prototypes[k].tolist())) for v in members)
        phi.append(far / (len(members) * math.log(len(members) + 10)))
    expected = torch.tensor([p * 0.1 * 3 / sum(phi) for p in phi], dtype=torch.float64)
    torch.testing.assert_close(concentrations(z, prototypes, assignment), expected)


def test_clusters_of_one_or_none_get_the_largest(generator):
    z = torch.nn.functional.normalize(torch.randn(5, 4, generator=generator))
    prototypes = torch.randn(4, 4, generator=generator)
    phi = concentrations(z, prototypes, torch.tensor([0, 0, 1, 1, 2]))
    assert phi[2] == phi[3] == phi.max()
    assert (phi > 0).all() and phi.mean().item() == pytest.approx(0.1)
    assert concentrations(z, z, torch.arange(5)).tolist() == pytest.approx([0.1] * 5)


def test_concentrations_of_what_is_no_number_are_none():
    z = torch.eye(4)
    z[0, 0] = torch.nan
    assert concentrations(z, torch.eye(4)[:2], torch.tensor([0, 0, 1, 1])).isnan().all()


def test_refusals(generator):
    z, prototypes = torch.randn(5, 4, generator=generator), torch.randn(3, 4, generator=generator)
    with pytest.raises(ValueError, match=r"expected assignment in \[0, 3\), got values from 0 to 3"):
        proto_nce(z, prototypes, torch.tensor([0, 1, 2, 3, 0]), torch.ones(3))
    with pytest.raises(ValueError, match=r"expected concentration of shape \[3\], got \[5\]"):
        proto_nce(z, prototypes, torch.tensor([0, 1, 2, 2, 0]), torch.ones(5))
    with pytest.raises(ValueError, match="expected prototypes with at least 2 rows, got 1"):
        proto_nce(z, prototypes[:1], torch.zeros(5, dtype=torch.int64), torch.ones(1))
    with pytest.raises(ValueError, match=r"expected a positive concentration for each cluster, got -1.0"):
        proto_nce(z, prototypes, torch.tensor([0, 1, 2, 2, 0]), torch.tensor([0.1, -1.0, 0.1]))


def test_a_cluster_of_one_item_sets_no_temperature():
    z = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 1.0], [-0.1, 1.0], [-1.0, 0.0]]), dim=1
    )
    centres = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [-1.0, -1.0]])  # far off its one item; empty
    phi = concentrations(z, centres, torch.tensor([0, 0, 1, 1, 2]), temperature=0.1)
    torch.testing.assert_close(phi, torch.full((4,), 0.1))
