"""The flag of all losses with a denominator: literal loops with the positive in it and without, and rows alone."""

import math
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from graphcl import losses

N, TAU = 6, 0.5


def unit(seed: int, n: int = N) -> Tensor:
    rows = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return rows / rows.norm(dim=1, keepdim=True)


Z1, Z2, QUEUE, CENTRES = unit(0), unit(1), unit(2, 9), unit(3, 3)
BATCH, LABELS = torch.tensor([0, 0, 1, 2, 1, 0]), torch.tensor([4, 1, 4, 4, -1, 1])
PAIRS = torch.tensor([[0, 0, 2, 5, 5], [1, 2, 0, 3, 3]])
BOTH = torch.cat([Z1, Z2])


def cost(anchor: Tensor, positives: Iterable[Tensor], negatives: Iterable[Tensor], inside: bool) -> float:
    """-log of e^positive over the sum, as a mean over the positives."""
    positives, negatives = list(positives), list(negatives)
    total = 0.0
    for one in positives:
        below = sum(math.exp(float(anchor @ other) / TAU) for other in [*negatives, *(positives if inside else [])])
        total += math.log(below) - float(anchor @ one) / TAU
    return total / len(positives)


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def across(first: Tensor, second: Tensor, inside: bool) -> float:
    return mean(cost(first[i], [second[i]], [second[j] for j in range(N) if j != i], inside) for i in range(N))


def both_ways(inside: bool) -> float:
    return (across(Z1, Z2, inside) + across(Z2, Z1, inside)) / 2


def over_both(inside: bool) -> float:
    rows = range(2 * N)
    others = [[j for j in rows if j not in (i, (i + N) % (2 * N))] for i in rows]
    return mean(cost(BOTH[i], [BOTH[(i + N) % (2 * N)]], BOTH[others[i]], inside) for i in rows)


def queued(inside: bool) -> float:
    return mean(cost(Z1[i], [Z2[i]], QUEUE, inside) for i in range(N))


def of_graphs(inside: bool) -> float:
    others = [[g for g in range(3) if g != BATCH[i]] for i in range(N)]
    return mean(cost(Z1[i], [CENTRES[BATCH[i]]], CENTRES[others[i]], inside) for i in range(N))


def of_labels(inside: bool) -> float:
    positives = [[j for j in range(N) if j != i and LABELS[j] == LABELS[i] != -1] for i in range(N)]
    rest = [[j for j in range(N) if j != i and j not in positives[i]] for i in range(N)]
    return mean(cost(Z1[i], Z1[positives[i]], Z1[rest[i]], inside) for i in range(N) if positives[i])


def of_pairs(inside: bool) -> float:
    """A pair that is listed twice is one row of the denominator."""
    total = []
    for i in sorted(set(PAIRS[0].tolist())):
        mine = PAIRS[1, PAIRS[0] == i].tolist()
        negatives = [j for j in range(N) if j != i and (inside or j not in mine)]
        total.append(mean(cost(Z1[i], [Z1[p]], Z1[negatives], False) for p in mine))
    return mean(total)


CASES: dict[str, tuple[type, tuple[Tensor, ...], Callable[[bool], float], dict[str, object]]] = {
    "InfoNCE": (losses.InfoNCE, (Z1, Z2), lambda inside: across(Z1, Z2, inside), {}),
    "InfoNCE symmetric": (losses.InfoNCE, (Z1, Z2), both_ways, {"symmetric": True}),
    "CLIP": (losses.CLIP, (Z1, Z2), both_ways, {}),
    "NTXent": (losses.NTXent, (Z1, Z2), over_both, {}),
    "GRACE": (losses.GRACE, (Z1, Z2), over_both, {}),
    "SampledInfoNCE": (losses.SampledInfoNCE, (Z1, Z2), lambda inside: across(Z1, Z2, inside), {"samples": N}),
    "SampledNTXent": (losses.SampledNTXent, (Z1, Z2), over_both, {"samples": N}),
    "MomentInfoNCE": (losses.MomentInfoNCE, (Z1, Z2), lambda inside: across(Z1, Z2, inside), {"samples": N}),
    "MomentNTXent": (losses.MomentNTXent, (Z1, Z2), over_both, {"samples": N}),
    "MoCo": (losses.MoCo, (Z1, Z2, QUEUE), queued, {}),
    "NodeGraphInfoNCE": (losses.NodeGraphInfoNCE, (Z1, CENTRES, BATCH), of_graphs, {}),
    "SupCon": (losses.SupCon, (Z1, LABELS), of_labels, {}),
    "SupConPairs": (losses.SupConPairs, (Z1, PAIRS), of_pairs, {}),
}


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_loop(name: str, inside: bool) -> None:
    module, inputs, literal, settings = CASES[name]
    loss = module(temperature=TAU, positive_in_denominator=inside, **settings)
    assert loss(*inputs).item() == pytest.approx(literal(inside), abs=1e-7 if name == "CLIP" else 1e-12)
    assert f"positive_in_denominator={inside}" in repr(loss)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str) -> None:
    module, inputs, _, settings = CASES[name]
    loss = module(temperature=TAU, positive_in_denominator=False, **settings)
    leaf = inputs[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, *inputs[1:]), leaf)


def test_a_row_without_negatives_costs_nothing() -> None:
    """All of one label: with the positives left out nothing is below the line."""
    z = Z1.clone().requires_grad_()
    everything = torch.cartesian_prod(torch.arange(N), torch.arange(N)).T
    for value in (
        losses.SupCon(positive_in_denominator=False)(z, torch.zeros(N, dtype=torch.long)),
        losses.SupConPairs(positive_in_denominator=False)(z, everything),
        losses.MoCo(positive_in_denominator=False)(z, Z2, QUEUE, exclude=[(BATCH * 0, torch.zeros(9).long())]),
    ):
        (grad,) = torch.autograd.grad(value, z, allow_unused=True)
        assert value.item() == 0 and (grad is None or float(grad.abs().max()) == 0)
