"""What every loss must do, whatever it compares: one list of all of them, one suite over the list."""

import inspect
import math
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from graphcl import losses, similarity
from graphcl.losses import _blocks, functional


def pair(generator: Generator, n: int = 6, d: int = 4) -> tuple[Tensor, Tensor]:
    """Two views that are alike, as those of a half-trained encoder are."""
    z = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return z, z + 0.3 * torch.randn(n, d, generator=generator, dtype=torch.float64)


def with_queue(generator: Generator) -> tuple[Tensor, ...]:
    return (*pair(generator), torch.randn(9, 4, generator=generator, dtype=torch.float64))


def with_graphs(generator: Generator) -> tuple[Tensor, ...]:
    node, _ = pair(generator)
    return node, torch.randn(3, 4, generator=generator, dtype=torch.float64), torch.tensor([0, 0, 1, 2, 1, 0])


def with_labels(generator: Generator) -> tuple[Tensor, ...]:
    return pair(generator)[0], torch.tensor([4, 1, 4, 4, -1, 1])


def with_pairs(generator: Generator) -> tuple[Tensor, ...]:
    return pair(generator)[0], torch.tensor([[0, 0, 2, 5], [1, 2, 0, 3]])


def scores(generator: Generator) -> tuple[Tensor, ...]:
    first, second = pair(generator)
    return first[:, 0], second[:4, 1]


def with_prototypes(generator: Generator) -> tuple[Tensor, ...]:
    return (*pair(generator), torch.randn(3, 4, generator=generator, dtype=torch.float64))


def with_clusters(generator: Generator) -> tuple[Tensor, ...]:
    node, centres, assignment = with_graphs(generator)
    return node, centres, assignment, torch.tensor([0.1, 0.5, 0.2], dtype=torch.float64)


@dataclass(frozen=True)
class Loss:
    """One loss: how to call it, and what is known about it beforehand."""

    module: type
    function: Callable[..., Tensor]
    inputs: Callable[[Generator], tuple[Tensor, ...]] = pair  # all in float64 or integers
    settings: dict[str, object] = field(default_factory=dict)  # keyword arguments of function and module alike
    aligned: tuple[int, ...] = (0, 1)  # inputs whose rows belong together and may be permuted together
    swaps: bool = False  # the first two inputs may be swapped
    constant: tuple[int, ...] = ()  # inputs that get no gradient
    bad: tuple[tuple[str, object], ...] = ()  # settings that are refused
    random: bool = False  # takes a generator
    parameters: bool = False  # the module learns something itself
    one_row_less: bool = True  # the first input with a row less is refused
    stops: bool = False  # a part of the value gets no gradient, so finite differences see another one

    def __str__(self) -> str:
        return "-".join([self.module.__name__, *(f"{k}={v}" for k, v in self.settings.items())])

    def __call__(self, *inputs: Tensor, **more: object) -> Tensor:
        if self.random:
            more["generator"] = Generator().manual_seed(1)
        return self.function(*inputs, **{**self.settings, **more})

    def leaves(self, generator: Generator, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        return [
            z.to(dtype).requires_grad_(i not in self.constant) if z.is_floating_point() else z
            for i, z in enumerate(self.inputs(generator))
        ]

    @property
    def sharp(self) -> bool:
        return "temperature" in inspect.signature(self.function).parameters


TEMPERATURES = tuple(("temperature", value) for value in (0.0, -0.1, math.nan, math.inf))
SAMPLES = (*TEMPERATURES, ("samples", 0), ("samples", 2.5), ("samples", True))
PRIORS = (*TEMPERATURES, ("class_prior", -0.1), ("class_prior", 1.0), ("class_prior", math.nan))
MARGINS = (("margin", 0.0), ("margin", -1.0), ("margin", math.inf))
MILD = (*SAMPLES, ("temperature", 0.05), ("temperature", 0.299))
SLOPES = (("scale", 0.0), ("scale", math.nan), ("bias", math.nan), ("bias", math.inf))
SINKHORN = (*TEMPERATURES, ("epsilon", 0.0), ("iterations", 0), ("iterations", 1.5))
UNIFORM = (("alpha", 0.0), ("t", 0.0), ("t", math.nan), ("weight", -1.0))
BARE = {"positive_in_denominator": False}

ALL = [
    Loss(losses.InfoNCE, functional.info_nce, bad=TEMPERATURES),
    Loss(losses.InfoNCE, functional.info_nce, settings={"symmetric": True}, swaps=True),
    Loss(losses.InfoNCE, functional.info_nce, settings=BARE),
    Loss(losses.InfoNCE, functional.info_nce, settings={"symmetric": True, **BARE}, swaps=True),
    Loss(losses.NTXent, functional.nt_xent, swaps=True, bad=TEMPERATURES),
    Loss(losses.NTXent, functional.nt_xent, settings=BARE, swaps=True),
    Loss(losses.GRACE, functional.grace, swaps=True, bad=TEMPERATURES),
    Loss(losses.DCL, functional.dcl, swaps=True, bad=TEMPERATURES),
    Loss(losses.DCL, functional.dcl, settings={"sigma": 0.5}, swaps=True, bad=(("sigma", 0.0), ("sigma", math.nan))),
    Loss(losses.MoCo, functional.moco, with_queue, constant=(2,), bad=TEMPERATURES),
    Loss(losses.SampledInfoNCE, functional.sampled_info_nce, settings={"samples": 3}, random=True, bad=SAMPLES),
    Loss(losses.SampledNTXent, functional.sampled_nt_xent, settings={"samples": 3}, random=True, bad=SAMPLES),
    Loss(losses.SupCon, functional.sup_con, with_labels, bad=TEMPERATURES),
    Loss(losses.SupConPairs, functional.sup_con_pairs, with_pairs, aligned=(), bad=TEMPERATURES, one_row_less=False),
    Loss(losses.NodeGraphInfoNCE, functional.node_graph_info_nce, with_graphs, aligned=(0, 2), bad=TEMPERATURES),
    Loss(losses.NodeGraphJSD, functional.node_graph_jsd, with_graphs, aligned=(0, 2)),
    Loss(losses.DGIBCE, functional.dgi_bce, scores, aligned=(0,), one_row_less=False),
    Loss(losses.Debiased, functional.debiased, swaps=True, bad=PRIORS),
    Loss(losses.Debiased, functional.debiased, settings={"class_prior": 0.0}, swaps=True),
    Loss(losses.HardNegative, functional.hard_negative, swaps=True, bad=(*PRIORS, ("concentration", -0.5))),
    Loss(
        losses.HardMixing,
        functional.hard_mixing,
        with_queue,
        settings={"hardest": 3, "mixed": 4, "query_mixed": 0},
        constant=(2,),
        random=True,
        bad=(*TEMPERATURES, ("hardest", 0), ("mixed", -1), ("query_mixed", 1.5)),
    ),
    Loss(
        losses.HardMixing,
        functional.hard_mixing,
        with_queue,
        settings={"hardest": 3, "mixed": 2, "query_mixed": 4},
        constant=(2,),
        random=True,
        stops=True,
    ),
    Loss(losses.MarginContrastive, functional.margin_contrastive, swaps=True, bad=MARGINS),
    Loss(losses.Triplet, functional.triplet, bad=(*MARGINS, ("mining", "easy"))),
    Loss(losses.Triplet, functional.triplet, settings={"mining": "hard"}),
    Loss(losses.Triplet, functional.triplet, settings={"mining": "all"}),
    Loss(losses.NPair, functional.n_pair, bad=(("l2", -1.0), ("l2", math.inf))),
    Loss(losses.Logistic, functional.logistic, swaps=True, parameters=True, bad=SLOPES),
    Loss(losses.CLIP, functional.clip, swaps=True, parameters=True, bad=TEMPERATURES),
    Loss(losses.Bootstrap, functional.bootstrap, constant=(1,)),
    Loss(losses.BarlowTwins, functional.barlow_twins, swaps=True, bad=(("redundancy", -1.0),)),
    Loss(
        losses.VICReg,
        functional.vicreg,
        swaps=True,
        bad=(("invariance", -1.0), ("variance", -1.0), ("covariance", -1.0), ("target", 0.0), ("eps", 0.0)),
    ),
    Loss(losses.CCASSG, functional.cca_ssg, swaps=True, bad=(("decorrelation", -1.0),)),
    Loss(losses.GroupDiscrimination, functional.group_discrimination, aligned=(0,), one_row_less=False),
    Loss(losses.SwAV, functional.swav, with_prototypes, swaps=True, stops=True, bad=SINKHORN),
    Loss(losses.ProtoNCE, functional.proto_nce, with_clusters, aligned=(0, 2), constant=(1, 3)),
    Loss(losses.AlignmentUniformity, functional.alignment_uniformity, swaps=True, bad=UNIFORM),
    Loss(losses.AlignmentUniformity, functional.alignment_uniformity, settings={"alpha": 1.0}, swaps=True),
    Loss(losses.MomentInfoNCE, functional.moment_info_nce, settings={"samples": 3}, random=True, bad=MILD),
    Loss(losses.MomentNTXent, functional.moment_nt_xent, settings={"samples": 3}, random=True, bad=MILD),
]
every_loss = pytest.mark.parametrize("loss", ALL, ids=str)


def gradients(value: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(value, [z for z in inputs if z.requires_grad]))


def test_the_list_is_complete():
    modules = {name for name in losses.__all__ if inspect.isclass(getattr(losses, name))}
    assert {loss.module.__name__ for loss in ALL} == modules
    parts = {"alignment", "uniformity", "sinkhorn", "concentrations"}  # functions only, of which a loss is made
    assert {loss.function.__name__ for loss in ALL} == set(functional.__all__) - parts


@every_loss
class TestValue:
    def test_is_a_scalar_in_double_precision_for_double(self, loss, generator):
        value = loss(*loss.leaves(generator))
        assert value.shape == ()
        assert value.dtype == torch.float64

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
    def test_is_float32_and_near_double_precision(self, loss, dtype, generator):
        inputs = loss.leaves(generator, dtype)
        value = loss(*inputs)
        exact = [z.detach().double().requires_grad_(z.requires_grad) if z.is_floating_point() else z for z in inputs]
        truth = loss(*exact)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), truth, rtol=2e-5, atol=2e-5)
        for grad, wanted in zip(gradients(value, inputs), gradients(truth, exact), strict=True):
            assert grad.dtype == dtype
            size = wanted.abs().max().item()
            eps = torch.finfo(dtype).eps
            torch.testing.assert_close(grad.double(), wanted, rtol=2 * eps, atol=2e-5 * max(size, 1) + eps * size)

    @pytest.mark.parametrize(
        ("first", "other"),
        [(torch.bfloat16, torch.float32), (torch.float32, torch.float64), (torch.float64, torch.float32)],
        ids=str,
    )
    def test_inputs_of_different_precision(self, loss, first, other, generator):
        mixed = [
            z.detach().to(other if i else first).requires_grad_(z.requires_grad) if z.is_floating_point() else z
            for i, z in enumerate(loss.leaves(generator))
        ]
        value = loss(*mixed)
        exact = loss(*(z.detach().double() if z.is_floating_point() else z for z in mixed))
        torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)
        for z, grad in zip([z for z in mixed if z.requires_grad], gradients(value, mixed), strict=True):
            assert grad.dtype == z.dtype

    def test_rows_in_any_order(self, loss, generator):
        inputs = loss.inputs(generator)
        if not loss.aligned:
            return
        order = torch.randperm(len(inputs[loss.aligned[0]]), generator=generator)
        shuffled = [z[order] if i in loss.aligned else z for i, z in enumerate(inputs)]
        if loss.random:  # other rows draw other samples
            assert loss(*shuffled).isfinite()
        else:
            torch.testing.assert_close(loss(*shuffled), loss(*inputs))

    def test_swap_of_the_views(self, loss, generator):
        if loss.swaps:
            first, second, *rest = loss.inputs(generator)
            torch.testing.assert_close(loss(second, first, *rest), loss(first, second, *rest))

    def test_inputs_stay_as_they_are(self, loss, generator):
        inputs = loss.inputs(generator)
        before = [z.clone() for z in inputs]
        loss(*inputs)
        assert all(torch.equal(z, old) for z, old in zip(inputs, before, strict=True))

    def test_autocast_changes_nothing(self, loss, generator):
        inputs = loss.leaves(generator, torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            inside = loss(*inputs)
        assert torch.equal(inside, loss(*inputs))

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
    @pytest.mark.parametrize("inside", [torch.bfloat16, torch.float16], ids=str)
    def test_autocast_to_another_dtype_changes_nothing(self, loss, dtype, inside, generator):
        inputs = loss.leaves(generator, dtype)
        with torch.autocast("cpu", inside):
            value = loss(*inputs)
        assert torch.equal(value, loss(*inputs))

    def test_rows_of_no_width_say_nothing(self, loss, generator):
        inputs = [z[:, :0] if z.dim() == 2 and z.is_floating_point() else z for z in loss.inputs(generator)]
        assert loss(*inputs).isfinite()

    @pytest.mark.parametrize("place", [0, 1])
    def test_nan_is_not_hidden(self, loss, place, generator):
        # A network that has diverged must be seen in the loss, not left out of its mean.
        inputs = [z.clone() for z in loss.inputs(generator)]
        if inputs[place].is_floating_point():
            inputs[place].view(-1)[0] = math.nan
            assert loss(*inputs).isnan()

    @pytest.mark.parametrize("size", [1e15, 1e25])
    def test_lengths_that_overflow_are_not_hidden(self, loss, size, generator):
        # Their squares leave float32; a row of length inf must not pass for one of length 0.
        inputs = loss.leaves(generator, torch.float32)
        inputs = [z * size if z.is_floating_point() else z for z in inputs]
        value = loss(*inputs).double()
        truth = loss(*[z.double() if z.is_floating_point() else z for z in inputs])
        if value.isfinite():
            torch.testing.assert_close(value, truth, rtol=1e-4, atol=1e-4)
        else:
            assert size == 1e25 or truth > 1e29

    @pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.int8], ids=str)
    def test_whole_numbers_of_any_size(self, loss, dtype, generator):
        inputs = loss.inputs(generator)
        other = [z if z.is_floating_point() else z.to(dtype) for z in inputs]
        assert torch.equal(loss(*other), loss(*inputs))

    def test_strided_inputs(self, loss, generator):
        inputs = loss.inputs(generator)
        strided = [z.T.contiguous().T if z.dim() == 2 and z.is_floating_point() else z for z in inputs]
        torch.testing.assert_close(loss(*strided), loss(*inputs))


@every_loss
class TestGradient:
    def test_double_precision(self, loss, generator):
        inputs = loss.leaves(generator)
        if not loss.stops:
            assert torch.autograd.gradcheck(loss, inputs)

    def test_autocast_around_the_backward_pass_changes_nothing(self, loss, generator):
        inputs = loss.leaves(generator, torch.float32)
        leaves = [z for z in inputs if z.requires_grad]
        with torch.autocast("cpu", torch.bfloat16):
            inside = gradients(loss(*inputs), leaves)
        torch.testing.assert_close(inside, gradients(loss(*inputs), leaves), rtol=1e-4, atol=1e-5)

    def test_constants_get_none(self, loss, generator):
        inputs = [z.requires_grad_() if z.is_floating_point() else z for z in loss.inputs(generator)]
        loss(*inputs).backward()
        got = [i for i, z in enumerate(inputs) if z.is_floating_point() and z.grad is None]
        assert got == list(loss.constant)

    def test_rows_of_zeros_are_harmless(self, loss, generator):
        inputs = loss.leaves(generator, torch.float32)
        with torch.no_grad():
            for z in inputs:
                if z.is_floating_point() and z.dim() == 2:
                    z[-1] = 0
        value = loss(*inputs)
        assert value.isfinite()
        assert all(grad.isfinite().all() and grad.abs().max() < 1e3 for grad in gradients(value, inputs))

    def test_identical_rows_are_harmless(self, loss, generator):
        inputs = loss.leaves(generator, torch.float32)
        with torch.no_grad():
            for z in inputs:
                if z.is_floating_point():
                    z.fill_(0.7)
        sharp = {"temperature": 0.005} if loss.sharp and ("temperature", 0.05) not in loss.bad else {}
        value = loss(*inputs, **sharp)
        assert value.isfinite()
        assert all(grad.isfinite().all() for grad in gradients(value, inputs))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
    @pytest.mark.parametrize("temperature", [0.005, 0.05])
    def test_small_temperatures(self, loss, temperature, dtype, generator):
        if not loss.sharp or ("temperature", 0.05) in loss.bad:
            return
        inputs = loss.leaves(generator, dtype)
        value = loss(*inputs, temperature=temperature)
        assert value.isfinite()
        assert all(grad.isfinite().all() for grad in gradients(value, inputs))


@every_loss
def test_transforms_of_functions(loss, generator, monkeypatch):
    monkeypatch.setattr(_blocks, "PAIRS", 16)  # so that what comes block by block does
    first, *rest = (z.detach() for z in loss.leaves(generator))
    several = torch.stack([first, 1.5 * first + 0.1])
    wanted = torch.stack([loss(z, *rest) for z in several])
    torch.testing.assert_close(torch.func.vmap(lambda z: loss(z, *rest), randomness="same")(several), wanted)
    z = first.clone().requires_grad_()
    (wanted,) = gradients(loss(z, *rest), [z])
    torch.testing.assert_close(torch.func.grad(lambda z: loss(z, *rest))(first), wanted)


@every_loss
def test_forward_mode(loss, generator):
    if loss.function is functional.margin_contrastive:
        pytest.skip("torch has no forward derivative of distances")
    first, *rest = (z.detach() for z in loss.leaves(generator))
    z, along = first.clone().requires_grad_(), torch.randn(first.shape, generator=generator, dtype=first.dtype)
    (grad,) = gradients(loss(z, *rest), [z])
    _, found = torch.func.jvp(lambda z: loss(z, *rest), (first,), (along,))
    torch.testing.assert_close(found, (grad * along).sum())
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(loss(forward_ad.make_dual(first, along), *rest)).tangent
    torch.testing.assert_close(found, (grad * along).sum())


@every_loss
def test_whole_numbers_under_vmap(loss, generator):
    inputs = loss.inputs(generator)
    places = [i for i, z in enumerate(inputs) if not z.is_floating_point()]
    excludes = "exclude" in inspect.signature(loss.function).parameters
    excludes &= loss.function not in (functional.moco, functional.hard_mixing)  # pairs of vectors

    def in_place(numbers: Tensor) -> Tensor:
        return loss(*(numbers if i in places else z for i, z in enumerate(inputs)))

    def excluded(numbers: Tensor) -> Tensor:
        return loss(*inputs, exclude=[numbers])

    groups = torch.tensor([0, 1, 1, -1, 2, 0])[: inputs[1].size(0)] if excludes else None
    for function, first in ((in_place, inputs[places[0]] if places else None), (excluded, groups)):
        if first is not None:
            several = torch.stack([first, first.flip(-1)])
            wanted = torch.stack([function(numbers) for numbers in several])
            torch.testing.assert_close(torch.func.vmap(function, randomness="same")(several), wanted)


@pytest.mark.parametrize("loss", [loss for loss in ALL if loss.sharp], ids=str)
class TestTemperature:
    @pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
    def test_a_tensor_gets_the_gradient(self, loss, shape, generator, monkeypatch):
        monkeypatch.setattr(_blocks, "PAIRS", 16)  # so that what comes block by block does
        inputs = loss.inputs(generator)
        temperature = torch.full(shape, 0.5, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda tau: loss(*inputs, temperature=tau), temperature)

    @pytest.mark.parametrize("number", [0.0, -0.5, float("nan")])
    def test_a_tensor_that_is_not_positive_is_refused(self, loss, number, generator):
        with pytest.raises(ValueError, match="expected a positive temperature, got"):
            loss(*loss.inputs(generator), temperature=torch.tensor(number, requires_grad=True))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
    def test_its_dtype_is_of_no_account(self, loss, dtype, generator):
        inputs = loss.leaves(generator, torch.float32)
        temperature = torch.tensor([0.37], dtype=dtype)
        value = loss(*inputs, temperature=temperature)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, loss(*inputs, temperature=temperature.item()))


@every_loss
def test_everything_is_made_on_the_device_of_the_inputs(loss, generator, monkeypatch):
    # On the meta device, which every machine has and which mixes with no other; autocast does not know it.
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **settings: nullcontext())
    inputs = [z.detach().to("meta").requires_grad_(z.requires_grad) for z in loss.leaves(generator, torch.float32)]
    value = loss(*inputs)
    assert value.device.type == "meta"
    assert all(grad.device.type == "meta" for grad in gradients(value, inputs))


class Operations(TorchDispatchMode):
    """The names of all that is called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        self.names.add(function._schema.name)
        return function(*arguments, **(settings or {}))


@every_loss
def test_no_number_is_copied_from_the_host(loss, generator):
    # It makes a GPU wait, and cannot be captured in a CUDA graph; filling a tensor can.
    if loss.random or loss.function is functional.node_graph_jsd:  # they read a generator, or have a CPU's own way
        return
    inputs = loss.leaves(generator, torch.float32)
    with Operations() as seen:
        gradients(loss(*inputs), inputs)
    assert "aten::lift_fresh" not in seen.names


@pytest.mark.skipif(not hasattr(similarity, "explain"), reason="the similarity engine has no tiles yet")
@every_loss
def test_nothing_that_is_kept_grows_as_the_square(loss, generator):
    # What autograd holds between forward and backward, for 1800 items: 3.2 million pairs, some 10,000 numbers.
    inputs = [z.repeat(300, *[1] * (z.dim() - 1)) if len(z) in (6, 9) else z for z in loss.inputs(generator)]
    inputs = [
        z.float().requires_grad_(i not in loss.constant) if z.is_floating_point() else z for i, z in enumerate(inputs)
    ]
    kept = [0]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        value = loss(*inputs)
    assert max(kept) <= 40 * 1800
    assert all(grad.isfinite().all() for grad in gradients(value, inputs))


@every_loss
class TestModule:
    def test_equals_the_function(self, loss, generator):
        inputs = loss.leaves(generator)
        module = loss.module(**loss.settings).double()
        more = {"generator": Generator().manual_seed(1)} if loss.random else {}
        # A learnable setting is kept in float32.
        close = {"rtol": 1e-6, "atol": 1e-6} if loss.parameters else {}
        torch.testing.assert_close(module(*inputs, **more), loss(*inputs), **close)

    def test_defaults_are_those_of_the_function(self, loss):
        module = inspect.signature(loss.module.__init__).parameters
        function = inspect.signature(loss.function).parameters
        for name in set(module) - {"self"}:
            assert module[name].kind == inspect.Parameter.KEYWORD_ONLY
            if name in function:
                assert module[name].default == function[name].default
                assert function[name].kind == inspect.Parameter.KEYWORD_ONLY
        hyper_parameters = {name for name, p in function.items() if p.kind == p.KEYWORD_ONLY}
        assert hyper_parameters - set(module) <= {"exclude", "generator"}

    def test_repr_can_be_evaluated(self, loss):
        module = loss.module(**loss.settings)
        again = eval(repr(module), {loss.module.__name__: loss.module})
        assert repr(again) == repr(module)

    def test_state(self, loss):
        assert bool(loss.module(**loss.settings).state_dict()) == loss.parameters


@every_loss
class TestRefusals:
    def test_integers(self, loss, generator):
        inputs = loss.inputs(generator)
        for i, z in enumerate(inputs):
            if z.is_floating_point():
                with pytest.raises(
                    TypeError, match=r"expected floating-point \w+, got torch.int64; call \w+.float\(\)"
                ):
                    loss(*inputs[:i], z.long(), *inputs[i + 1 :])

    def test_other_things(self, loss, generator):
        first, *rest = loss.inputs(generator)
        with pytest.raises(TypeError, match=r"expected \w+ to be a tensor, got list"):
            loss(first.tolist(), *rest)

    def test_shapes(self, loss, generator):
        first, *rest = loss.inputs(generator)
        with pytest.raises(ValueError, match="expected .* got"):
            loss(first[..., None], *rest)
        if loss.one_row_less:
            with pytest.raises(ValueError, match="expected .* got"):
                loss(first[:-1], *rest)

    def test_devices(self, loss, generator):
        first, *rest = loss.inputs(generator)
        if rest:
            with pytest.raises(ValueError, match="expected .* on .*, got"):
                loss(first, rest[0].to("meta"), *rest[1:])

    def test_a_temperature_per_row(self, loss, generator):
        if loss.sharp:
            inputs = loss.inputs(generator)
            with pytest.raises(ValueError, match=r"expected one temperature for all rows, got a tensor of shape \[6\]"):
                loss(*inputs, temperature=torch.ones(6))
            one = loss(*inputs, temperature=torch.tensor([0.5], dtype=torch.float64))
            torch.testing.assert_close(one, loss(*inputs, temperature=0.5))

    def test_groups_that_can_be_gone_through_once(self, loss, generator):
        if "exclude" in inspect.signature(loss.function).parameters:
            inputs, group = loss.inputs(generator), torch.zeros(6, dtype=torch.int64)
            for wrong, name in ((iter([group]), "list_iterator"), (None, "NoneType")):
                with pytest.raises(TypeError, match=f"expected exclude to be a list of group vectors, got {name}"):
                    loss(*inputs, exclude=wrong)

    def test_settings_that_are_no_numbers(self, loss, generator):
        for name in {name for name, value in loss.bad if isinstance(value, float) and name != "samples"}:
            for wrong in ("0.5", None, [0.5]):
                if (name, wrong) == ("sigma", None):
                    continue
                with pytest.raises((TypeError, ValueError), match=f"expected .*{name}.*, got"):
                    loss(*loss.inputs(generator), **{name: wrong})

    def test_settings(self, loss, generator):
        for name, value in loss.bad:
            with pytest.raises(ValueError, match=f"expected .*{name.replace('_', '.')}.*, got"):
                loss(*loss.inputs(generator), **{name: value})
            with pytest.raises(ValueError, match=f"expected .*{name.replace('_', '.')}.*, got"):
                loss.module(**{**loss.settings, name: value})


def compile_some(names: list[str]) -> None:
    """Each loss and its gradient, compiled inside autocast, against the eager ones."""
    for loss in ALL:
        if (loss.settings and not loss.random) or (names and loss.module.__name__ not in names):
            continue
        inputs = loss.leaves(Generator().manual_seed(0), torch.float32)
        # Reading a generator on the host breaks the graph.
        compiled = torch.compile(loss, fullgraph=not loss.random, backend="aot_eager")
        with torch.autocast("cpu", torch.bfloat16):
            value = compiled(*inputs)
        found, wanted = gradients(value, inputs), gradients(loss(*inputs), inputs)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        torch._dynamo.reset()
    # A number that changes from step to step is left open by the compiler.
    z1, z2 = torch.randn(2, 8, 4, generator=Generator().manual_seed(0))
    step = torch.compile(functional.nt_xent, fullgraph=True, backend="aot_eager")
    for temperature in (0.5, 0.4, 0.3):
        torch.testing.assert_close(
            step(z1, z2, temperature=temperature), functional.nt_xent(z1, z2, temperature=temperature)
        )
    # So is a number of rows: a compiler gives up on what it has to compile anew for each.
    counters = torch._dynamo.utils.counters
    for kind in ("NTXent", "GRACE", "NPair", "Debiased", "HardNegative", "AlignmentUniformity"):
        torch._dynamo.reset()
        counters.clear()
        each = getattr(losses, kind)()
        step = torch.compile(each, fullgraph=True, backend="eager")
        for n in range(3, 15):
            views = torch.randn(2, n, 4, generator=Generator().manual_seed(n))
            torch.testing.assert_close(step(*views), each(*views))
        assert counters["stats"]["unique_graphs"] <= 3, (kind, counters["stats"])


@pytest.mark.parametrize(
    "names",
    [
        ["InfoNCE", "NTXent", "SupCon", "HardNegative", "NodeGraphJSD", "VICReg", "SampledNTXent", "HardMixing"],
        pytest.param([], marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_compiles(names):
    # In a process of its own: the shape checks that the tests switch on cannot be traced.
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('contract_all', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "sys.modules['contract_all'] = module\n"
        "spec.loader.exec_module(module)\n"
        f"module.compile_some({names!r})\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
