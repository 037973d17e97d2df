"""Cross-modal contrast against the paper's pseudocode: symmetric cross entropy over the scaled similarities."""

import math

import pytest
import torch

from graphcl.losses import CLIP
from graphcl.losses.functional import clip


def literal(z1, z2, tau):
    """The pseudocode as loops: cross entropy of the row, and of the column, with the diagonal as the label."""

    def cosine(a, b):
        return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))

    n = len(z1)
    logits = [[cosine(z1[i], z2[j]) / tau for j in range(n)] for i in range(n)]
    rows = [math.log(math.fsum(math.exp(x) for x in logits[i])) - logits[i][i] for i in range(n)]
    columns = [math.log(math.fsum(math.exp(logits[j][i]) for j in range(n))) - logits[i][i] for i in range(n)]
    return (math.fsum(rows) + math.fsum(columns)) / (2 * n)


@pytest.mark.parametrize("tau", [0.07, 0.5])
@pytest.mark.parametrize("n", [2, 7])
def test_equals_the_literal_loop(n, tau, generator):
    z1, z2 = torch.randn(2, n, 5, generator=generator, dtype=torch.float64)
    assert clip(z1, z2, temperature=tau).item() == pytest.approx(literal(z1, z2, tau))


def test_hand_computed():
    # Cosines [[1, 1], [0, 0]], T = 1: rows log 2, log 2; columns log(1 + 1/e), log(1 + e).
    z1, z2 = torch.eye(2).double(), torch.tensor([[1.0, 0], [2, 0]]).double()
    expected = (2 * math.log(2) + math.log1p(math.exp(-1)) + math.log1p(math.e)) / 4
    assert clip(z1, z2, temperature=1.0).item() == pytest.approx(expected)


def test_modalities_of_different_precision(generator):
    z1, z2 = torch.randn(2, 5, 4, generator=generator)
    torch.testing.assert_close(clip(z1.double(), z2), clip(z1, z2).double(), rtol=1e-5, atol=1e-5)


def test_module_learns_the_temperature(generator):
    z = torch.randn(8, 4, generator=generator)
    module = CLIP(temperature=0.5)
    torch.testing.assert_close(module(z, z), clip(z, z, temperature=0.5))
    module(z, z).backward()
    assert module.log_scale.grad < 0  # solved pairs: a sharper temperature costs less


def test_scale_stops_at_a_hundred(generator):
    z1, z2 = torch.randn(2, 4, 3, generator=generator)
    module = CLIP()
    with torch.no_grad():
        module.log_scale.fill_(20.0)
    torch.testing.assert_close(module(z1, z2), clip(z1, z2, temperature=0.01))
    with pytest.raises(ValueError, match=r"expected a temperature of at least 0.01, got 0.005"):
        CLIP(temperature=0.005)


def test_a_scale_beyond_the_bound_comes_back(generator):
    z1, z2 = torch.randn(2, 8, 3, generator=generator)
    module = CLIP()
    with torch.no_grad():
        module.log_scale.fill_(4.7)  # where one step too long may bring it
    first, second = module(z1, z2), module(z1, z2)
    (first + second).backward()
    assert module.log_scale.item() == pytest.approx(math.log(100))
    assert module.log_scale.grad > 0  # of no use for views that have nothing in common


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_module_in_16_bits_computes_in_32(dtype, generator):
    z1, z2 = torch.randn(2, 8, 3, generator=generator)
    module = CLIP().to(dtype)
    torch.testing.assert_close(module(z1, z2), clip(z1, z2, temperature=math.exp(-module.log_scale.item())))


def test_a_temperature_of_ones_own_is_refused_where_the_module_learns_its_own():
    # It would be copied, and never get a gradient.
    with pytest.raises(TypeError, match=r"number, at which the parameter log_scale starts.*functional\.clip"):
        CLIP(temperature=torch.nn.Parameter(torch.tensor(0.1)))
