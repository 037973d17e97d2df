"""BatchNorm against torch's own, and one pass over two views against two passes."""

import copy

import pytest
import torch
from torch import nn

from graphcl.nn import GIN, BatchNorm

SETTINGS = [
    {},
    {"momentum": 0.3},
    {"momentum": None},
    {"affine": False},
    {"track_running_stats": False},
    {"affine": False, "track_running_stats": False},
    {"eps": 0.1},
]
settings = pytest.mark.parametrize("arguments", SETTINGS, ids=str)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def pair(arguments, dtype, width=5):
    """Ours and torch's with the same, not trivial, weights."""
    ours, torchs = BatchNorm(width, **arguments).to(dtype), nn.BatchNorm1d(width, **arguments).to(dtype)
    if ours.weight is not None:
        with torch.no_grad():
            ours.weight.copy_(torch.linspace(-1, 2, width))
            ours.bias.copy_(torch.linspace(3, -1, width))
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


def run(function, norm, x, weight):
    """Output, gradients, and state of one training step."""
    x = x.detach().clone().requires_grad_()
    y = function(x)
    grads = torch.autograd.grad(y, [x, *norm.parameters()], weight)
    return y, grads, norm.state_dict()


@settings
@dtypes
@pytest.mark.parametrize("training", [True, False])
class TestAgainstTorch:
    def test_one_view(self, arguments, dtype, training, generator):
        ours, torchs = pair(arguments, dtype)
        for _ in range(3):  # so that running statistics are not the initial ones, and a cumulative mean moves
            x, weight = (torch.randn(2, 11, 5, generator=generator, dtype=dtype) * 3 + 1).unbind()
            ours.train(training), torchs.train(training)
            torch.testing.assert_close(run(ours, ours, x, weight), run(torchs, torchs, x, weight))

    @pytest.mark.parametrize("sizes", [[4, 7], [2, 2, 9], [11]])
    def test_views_are_kept_apart(self, arguments, dtype, training, sizes, generator):
        ours, torchs = pair(arguments, dtype)
        for _ in range(2):
            x, weight = torch.randn(2, sum(sizes), 5, generator=generator, dtype=dtype).unbind()
            x = x + torch.repeat_interleave(torch.arange(len(sizes)) * 10.0, torch.tensor(sizes))[:, None].to(dtype)
            ours.train(training), torchs.train(training)
            joint = run(lambda x: ours(x, sizes), ours, x, weight)
            apart = run(lambda x: torch.cat([torchs(part) for part in x.split(sizes)]), torchs, x, weight)
            # Two rows near 20 are no ground for torch's float32, which does not centre them.
            near = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {}
            torch.testing.assert_close(joint, apart, **near)


class TestGradient:
    @pytest.mark.parametrize("affine", [True, False])
    def test_double_precision(self, affine, generator):
        norm = BatchNorm(3, affine=affine).double()
        x = torch.randn(9, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        inputs = [x, *(torch.randn(3, generator=generator, dtype=torch.float64) for _ in norm.parameters())]

        def function(x, *parameters):
            named = dict(zip(["weight", "bias"], parameters, strict=False))
            return torch.func.functional_call(copy.deepcopy(norm), named, (x, [4, 5]))

        inputs = [t.requires_grad_() for t in inputs]
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)

    def test_a_second_derivative_is_not_lost(self, generator):
        # Of a linear function of the output, whose gradient does not ask for one by itself.
        x, weight = torch.randn(2, 9, 3, generator=generator, dtype=torch.float64)
        found = []
        for norm in (BatchNorm(3).double(), nn.BatchNorm1d(3).double()):
            given = x.clone().requires_grad_()
            first = torch.autograd.grad(norm(given), given, weight, create_graph=True)[0]
            first.square().sum().backward()
            found.append([first.detach(), given.grad, norm.weight.grad])
        torch.testing.assert_close(found[0], found[1])

    def test_strided_gradient(self, generator):
        # As it comes out of a concatenation of layers by columns.
        ours, torchs = pair({}, torch.float32)
        x, weight = torch.randn(12, 5, generator=generator), torch.randn(12, 15, generator=generator)
        found = run(ours, ours, x, weight[:, 5:10])
        wanted = run(torchs, torchs, x, weight[:, 5:10].contiguous())
        torch.testing.assert_close(found, wanted)

    def test_strided_input(self, generator):
        ours, torchs = pair({}, torch.float32)
        wide = torch.randn(12, 10, generator=generator)
        weight = torch.randn(12, 5, generator=generator)
        torch.testing.assert_close(run(ours, ours, wide[:, ::2], weight), run(torchs, torchs, wide[:, ::2], weight))

    def test_frozen_parts(self, generator):
        norm = BatchNorm(3)
        norm.weight.requires_grad_(False)
        norm(torch.randn(4, 3, generator=generator)).square().sum().backward()
        assert norm.weight.grad is None
        assert norm.bias.grad is not None

    def test_input_is_left_alone(self, generator):
        x = torch.randn(6, 3, generator=generator)
        before = x.clone()
        BatchNorm(3)(x, [2, 4])
        assert torch.equal(x, before)


def test_a_large_mean_does_not_cancel(generator):
    # Variance as E[x^2] - E[x]^2, or a gradient as <g, x> - mean <g, 1>, would have no digit left in float32.
    x = torch.randn(4000, 3, generator=generator)
    weight = torch.randn(4000, 3, generator=generator)
    # 512 is exact in float32 for these, so that the shift itself costs no digits.
    x = (x * 1024).round() / 1024
    shifted = run(norm := BatchNorm(3), norm, x + 512, weight)
    truth = run(norm := BatchNorm(3).double(), norm, x.double(), weight.double())
    torch.testing.assert_close(shifted[0].double(), truth[0], rtol=0, atol=5e-3)
    for found, wanted in zip(shifted[1], truth[1], strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=5e-3, atol=5e-3)


def test_low_precision_inputs_are_taken(generator):
    norm = BatchNorm(3)
    x = torch.randn(8, 3, generator=generator)
    y = norm(x.bfloat16(), [4, 4])
    torch.testing.assert_close(y.float(), BatchNorm(3)(x, [4, 4]), rtol=0.05, atol=0.05)


def test_state_is_that_of_torch():
    assert list(BatchNorm(4).state_dict()) == list(nn.BatchNorm1d(4).state_dict())
    assert repr(BatchNorm(4)) == repr(nn.BatchNorm1d(4)).replace("BatchNorm1d", "BatchNorm")


class TestRefusals:
    @pytest.mark.parametrize(("rows", "sizes"), [(1, None), (4, [3, 1]), (3, [0, 3]), (0, None)])
    def test_one_row_in_a_view(self, rows, sizes):
        norm = BatchNorm(2)
        with pytest.raises(
            ValueError, match="expected at least 2 rows .* in every view to normalise over, got [01]; use"
        ):
            norm(torch.ones(rows, 2), sizes)
        assert norm.num_batches_tracked == 0
        assert (norm.running_mean == 0).all()

    def test_one_row_is_fine_in_evaluation(self):
        assert BatchNorm(2).eval()(torch.ones(1, 2), [1]).shape == (1, 2)

    def test_sizes_that_do_not_add_up(self):
        norm = BatchNorm(2)
        with pytest.raises((ValueError, RuntimeError), match="split"):
            norm(torch.ones(5, 2), [2, 2])
        assert norm.num_batches_tracked == 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("width", [2, 10, 5000])
def test_another_width_is_refused_and_nothing_is_written(width, training):
    memory = torch.zeros(16)
    norm = BatchNorm(3).train(training)
    norm.running_mean = memory[:3]
    with pytest.raises(ValueError, match=rf"expected 3 columns to normalise, got \[4, {width}\]"):
        norm(torch.randn(4, width) + 100)
    assert not memory.any()
    with pytest.raises(ValueError, match="expected 2D or 3D input"):
        norm(torch.randn(3))


def test_a_norm_of_another_width_in_an_encoder():
    encoder = GIN(5, 8, 2)
    encoder.norms[0] = BatchNorm(6)
    with pytest.raises(ValueError, match=r"expected 6 columns to normalise, got \[9, 8\]"):
        encoder(torch.randn(9, 5), torch.zeros(2, 0, dtype=torch.int64))


def test_gradients_keep_their_digits_where_rows_are_far_from_zero():
    # Rows as sums over neighbours are: whole multiples, all of one sign.
    generator = torch.Generator().manual_seed(0)
    x = (torch.randint(1, 5, (2000, 1), generator=generator) * torch.rand(8, generator=generator)).relu() + 3
    pull = torch.randn(2000, 8, generator=generator)

    def slope(x):
        x = x.clone().requires_grad_()
        norm = BatchNorm(8).to(x.dtype)
        (norm(x, [1200, 800]) * pull.to(x.dtype)).sum().backward()
        return x.grad.double(), norm.running_mean.double()

    for found, wanted in zip(slope(x), slope(x.double()), strict=True):
        assert (found - wanted).norm() < 1e-5 * wanted.norm()
