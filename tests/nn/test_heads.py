"""The projection head: shape, initialisation, defaults."""

import math

import pytest
import torch
from torch import nn

from graphcl.nn import project_views, projection_head


def test_shape_and_defaults(generator):
    head = projection_head(6)
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Linear]
    assert head(torch.randn(3, 6, generator=generator)).shape == (3, 6)
    assert [tuple(p.shape) for p in projection_head(6, 4, 2).parameters()] == [(4, 6), (4,), (2, 4), (2,)]


def test_formula(generator):
    head = projection_head(5, 4, 3)
    x = torch.randn(7, 5, generator=generator)
    wanted = (x @ head[0].weight.T).clamp(min=0) @ head[2].weight.T  # the biases are zero
    torch.testing.assert_close(head(x), wanted)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 64), (64, 16)])
def test_xavier_uniform(fan_in, fan_out):
    head = projection_head(fan_in, fan_out)
    bound = math.sqrt(6 / (fan_in + fan_out))
    assert head[0].weight.abs().max() <= bound
    assert head[0].weight.abs().max() > 0.95 * bound
    assert (head[0].bias == 0).all()
    assert (head[2].bias == 0).all()


def test_drawn_from_torchs_own_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        first = projection_head(4).state_dict()
        torch.manual_seed(3)
        second = projection_head(4).state_dict()
    torch.testing.assert_close(first, second)


class Centred(nn.Module):
    """Looks at all rows together, as BatchNorm does."""

    def forward(self, x):
        return x - x.mean(0)


@pytest.mark.parametrize(
    "head",
    [
        projection_head(4),
        nn.Linear(4, 2),
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU()),
        nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)),
        Centred(),
        nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), Centred())),
    ],
    ids=["default", "linear", "layer norm", "batch norm", "own", "nested"],
)
def test_views_are_projected_as_one_by_one(head, generator):
    head = head.double()
    views = [torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (5, 3, 4)]
    torch.testing.assert_close(project_views(head, views), [head(z) for z in views])


def test_a_hook_on_the_head_sees_every_view(generator):
    head, seen = projection_head(4), []
    head.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    project_views(head, [torch.randn(n, 4, generator=generator) for n in (5, 3)])
    assert seen == [5, 3]
