"""The projection head: shape, initialisation, defaults."""

import math

import pytest
import torch
from torch import nn

from graphcl.nn import MLPHead, ShortcutHead, project_views, projection_head
from graphcl.nn.heads import output_width


def test_shape_and_defaults(generator):
    head = projection_head(6)
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Linear]
    assert head(torch.randn(3, 6, generator=generator)).shape == (3, 6)
    assert [tuple(p.shape) for p in projection_head(6, 4, 2).parameters()] == [(4, 6), (4,), (2, 4), (2,)]


def test_no_width_is_refused():
    with pytest.raises(ValueError, match="expected widths of at least 1, got 0"):
        projection_head(0)


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


class CentredSequence(nn.Sequential):
    """The same, after what it is made of."""

    def forward(self, input):
        z = super().forward(input)
        return z - z.mean(0)


@pytest.mark.parametrize(
    "head",
    [
        projection_head(4),
        nn.Linear(4, 2),
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU()),
        nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)),
        MLPHead(4, 6, 2),
        MLPHead(4, 6, 2, num_layers=3, last_bias=False),
        MLPHead(4, norm="layer"),
        ShortcutHead(4),
        Centred(),
        nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), Centred())),
        CentredSequence(nn.Linear(4, 4)),
    ],
    ids=[
        "default",
        "linear",
        "layer norm",
        "batch norm",
        "mlp",
        "mlp of three",
        "mlp layer",
        "shortcut",
        "own",
        "nested",
        "own sequence",
    ],
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


class TestMLPHead:
    @pytest.mark.parametrize("layers", [1, 2, 3])
    def test_formula(self, layers, generator):
        head, x = MLPHead(5, 7, 3, num_layers=layers), torch.randn(9, 5, generator=generator)
        wanted = x
        for linear in head.inner:
            wanted = wanted @ linear.weight.T
            wanted = ((wanted - wanted.mean(0)) / (wanted.var(0, unbiased=False) + 1e-5).sqrt()).clamp(min=0)
        torch.testing.assert_close(head(x), wanted @ head.last.weight.T + head.last.bias)
        assert len(head.inner) == len(head.norms) == layers - 1

    def test_views_keep_their_statistics_apart_and_one_at_a_time_is_the_same(self, generator):
        views = [torch.randn(n, 4, generator=generator) * n for n in (6, 4)]
        joint, single = MLPHead(4, 8, 2), MLPHead(4, 8, 2)
        single.load_state_dict(joint.state_dict())
        torch.testing.assert_close(project_views(joint, views), [single(z) for z in views])
        torch.testing.assert_close(joint.state_dict(), single.state_dict())
        assert not torch.allclose(joint(torch.cat(views)), torch.cat([joint(z) for z in views]))

    def test_without_norms_a_bias_everywhere(self):
        assert all(linear.bias is not None for linear in MLPHead(3, norm="none").inner)
        assert all(linear.bias is None for linear in MLPHead(3).inner)
        assert MLPHead(3, last_bias=False).last.bias is None

    def test_one_row_explains_itself(self):
        with pytest.raises(ValueError, match="expected at least 2 rows in every view .* got 1. Use a larger batch"):
            MLPHead(3)(torch.ones(3, 3), [2, 1])
        assert MLPHead(3).eval()(torch.ones(1, 3)).shape == (1, 3)

    @pytest.mark.parametrize("arguments", [{"num_layers": 0}, {"in_channels": 0}, {"hidden_channels": -1}])
    def test_sizes_below_one_are_refused(self, arguments):
        with pytest.raises(ValueError, match="expected (widths|num_layers) of at least 1"):
            MLPHead(**{"in_channels": 3, **arguments})

    def test_an_unknown_norm_is_refused(self):
        with pytest.raises(ValueError, match="expected norm to be 'batch', 'layer' or 'none', got 'instance'"):
            MLPHead(3, norm="instance")


def test_shortcut_head_is_a_perceptron_beside_a_map(generator):
    head, x = ShortcutHead(5, 3, activation=nn.PReLU()), torch.randn(4, 5, generator=generator)
    wanted = x
    for linear, activation in zip(head.block[::2], head.block[1::2], strict=True):
        wanted = activation(linear(wanted))
    torch.testing.assert_close(head(x), wanted + head.shortcut(x))
    assert len({id(m) for m in head.block if isinstance(m, nn.PReLU)}) == 3


def test_width_of_a_head_leaves_it_alone():
    head = MLPHead(4, 8, 3)
    before = {key: value.clone() for key, value in head.state_dict().items()}
    assert output_width(head, 4) == 3
    assert output_width(nn.Identity(), 7) == 7
    assert head.training
    torch.testing.assert_close(dict(head.state_dict()), before, rtol=0, atol=0)
