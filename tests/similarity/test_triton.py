"""The kernels of Triton: run by its interpreter on the CPU (or by a GPU), and compiled for sm_90, which needs no GPU.

The interpreter checks what is computed, not how tensor cores round float32: that is for the tests marked ``gpu``.
"""

import json
import math
import os
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from graphcl.losses.functional import nt_xent
from graphcl.similarity import (
    _operators,
    _rounded,
    _tilings,
    _trial,
    explain,
    logsumexp,
    logsumexp_both,
    triton,
    using,
)
from graphcl.similarity.explain import choose

module = sys.modules[choose.__module__]  # the function of that name hides it
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

needs_triton = pytest.mark.skipif(not triton.is_available(), reason="needs Triton 3.5 or newer: pip install triton")
IS_PINNED = triton.is_available() and tuple(map(int, version("triton").split(".")[:2])) >= (3, 9)
SPILLED = 0 if IS_PINNED else 32  # bytes of a thread: older ones keep a few registers there
if triton.is_available() and DEVICE == "cpu" and not IS_PINNED:
    needs_triton = pytest.mark.skip(reason="without a GPU needs the interpreter of Triton 3.9 or newer")


@pytest.fixture
def kernels(monkeypatch):
    """The kernels, interpreted where there is no GPU, and tiles so small that a few rows make many."""
    if DEVICE == "cpu":
        # Kernels are made for the interpreter when they are imported, and launched through it ever after.
        monkeypatch.setenv("TRITON_INTERPRET", "1")
    small = (_tilings.Tiling(32, 16, 2, 4), _tilings.Tiling(16, 32, 2, 4))
    for table in (_tilings.TILINGS, _tilings.SMALL_TILINGS):
        for key in table:
            monkeypatch.setitem(table, key, small)
    monkeypatch.setattr(triton, "_processors", lambda device: 3)


def normal(*shape, seed, dtype=torch.float32):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return rows.to(DEVICE, dtype)


def integers(high, *shape, seed):
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def differentiate(function, leaves, impl, dtype=None, **options):
    """All outputs, and the gradients of a random combination of those that are finite."""
    leaves = {n: (x if dtype is None else x.to(dtype)).detach().requires_grad_() for n, x in leaves.items()}
    query, key = leaves["query"], leaves.get("key")
    rest = {n: x for n, x in leaves.items() if n not in ("query", "key")}
    outputs = function(query, key, impl=impl, **rest, **options)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    total = sum(
        (o.masked_fill(o.isneginf(), 0) * normal(*o.shape, seed=i).to(o.dtype).exp()).mean()
        for i, o in enumerate(outputs)
    )
    return outputs, torch.autograd.grad(total, list(leaves.values()))


def assert_equal_to_float64(function, leaves, value=2e-6, gradient=5e-6, **options):
    """Values to an absolute error, times the scale; gradients to an error relative to their norm."""
    found = differentiate(function, leaves, "triton", **options)
    options.pop("precision", None)
    wanted = differentiate(function, leaves, "dense", torch.float64, **options)
    scale = max(1.0, leaves["scale"].abs().max().item())
    for one, other in zip(found[0], wanted[0], strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=value, atol=value * scale)
    for one, other in zip(found[1], wanted[1], strict=True):
        assert (one.double() - other).norm() <= gradient * math.sqrt(scale) * other.norm() + 3e-7 * scale
    return found


def cases(m, n):
    """Ways to leave pairs out, of which the last ones leave some queries without a key."""
    own = integers(4, m, seed=1), integers(4, n, seed=2)
    graph = integers(5, m, seed=3).sort().values, integers(5, n, seed=4).sort().values
    index = torch.arange(m, device=DEVICE), torch.arange(n, device=DEVICE)
    half = 2 * index[0] // m, 2 * index[1] // n  # so large that whole tiles lie in one
    yield {}
    yield {"exclude": [index]}
    yield {"exclude": [own, graph, index]}
    yield {"only": half}
    yield {"only": graph, "exclude": [index]}
    yield {"exclude": [(own[0], torch.zeros_like(own[1]))]}


@needs_triton
@pytest.mark.usefixtures("kernels")
class TestEqualsFloat64:
    @pytest.mark.parametrize(("m", "n", "d"), [(37, 53, 20), (1, 70, 3), (65, 1, 33)])
    @pytest.mark.parametrize("temperature", [0.5, 0.005])
    def test_two_sets_of_rows(self, m, n, d, temperature):
        leaves = {"query": normal(m, d, seed=0), "key": normal(n, d, seed=1), "scale": torch.tensor(1 / temperature)}
        leaves["scale"] = leaves["scale"].to(DEVICE)
        for case in cases(m, n):
            assert_equal_to_float64(logsumexp, leaves, **case)

    @pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
    @pytest.mark.parametrize("temperature", [0.5, 0.01])
    def test_rows_and_columns(self, similarity, temperature):
        leaves = {"query": normal(45, 17, seed=0) / 4, "key": normal(38, 17, seed=1) / 4}
        leaves["scale"] = torch.tensor(1 / temperature, device=DEVICE)
        for case in list(cases(45, 38)) if similarity == "cosine" else list(cases(45, 38))[2:3]:
            assert_equal_to_float64(logsumexp_both, leaves, similarity=similarity, **case)

    @pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
    @pytest.mark.parametrize("temperature", [0.5, 0.01])
    def test_rows_among_themselves(self, similarity, temperature):
        leaves = {"query": normal(71, 20, seed=0) / 4, "scale": torch.tensor(1 / temperature, device=DEVICE)}
        for case in list(cases(71, 71)) if similarity == "cosine" else list(cases(71, 71))[2:3]:
            # Symmetric, each unordered pair once, and not: then as two sets of rows.
            twice = {
                "exclude": [(own, own) for own, _ in case.get("exclude", [])],
                "only": case.get("only") and (case["only"][0],) * 2,
            }
            for options in (case, twice):
                assert_equal_to_float64(logsumexp, leaves, similarity=similarity, **options)

    def test_weights_and_several_scales(self):
        leaves = {"query": normal(20, 5, seed=0), "key": normal(33, 5, seed=1)}
        leaves |= {"scale": torch.tensor([0.5, 2.0, 90.0], device=DEVICE), "weight": normal(33, seed=2).exp()}
        assert_equal_to_float64(logsumexp, leaves)
        assert_equal_to_float64(logsumexp, {**leaves, "key": leaves["query"], "weight": leaves["weight"][:20]})
        del leaves["key"]
        assert_equal_to_float64(logsumexp, {**leaves, "weight": leaves["weight"][:20]})
        del leaves["weight"]
        assert_equal_to_float64(logsumexp_both, {**leaves, "key": normal(33, 5, seed=1)}, similarity="euclidean")

    @pytest.mark.parametrize("scale", [0.0, 1e-9, -3.0, -200.0])
    def test_odd_scales(self, scale):
        leaves = {"query": normal(40, 6, seed=0), "scale": torch.tensor(scale, device=DEVICE)}
        assert_equal_to_float64(logsumexp, leaves)
        assert_equal_to_float64(logsumexp, leaves, precision="fp16", value=1e-3, gradient=2e-3)
        assert_equal_to_float64(logsumexp_both, {**leaves, "key": normal(23, 6, seed=1)})

    def test_more_lists_than_bits(self):
        leaves = {"query": normal(21, 5, seed=0), "key": normal(34, 5, seed=1)}
        leaves["scale"] = torch.tensor(2.0, device=DEVICE)
        apart = torch.zeros(21, dtype=torch.int64, device=DEVICE), torch.ones(34, dtype=torch.int64, device=DEVICE)
        label = integers(3, 21, seed=1), integers(3, 34, seed=2)
        for lists in ([label] + [apart] * 31, [apart] * 31 + [label]):
            assert_equal_to_float64(logsumexp, leaves, exclude=lists)

    @pytest.mark.parametrize("d", [16, 130, 200, 300, 400, 600])
    def test_wide_rows(self, d):
        leaves = {"query": normal(40, d, seed=0), "scale": torch.tensor(5.0, device=DEVICE)}
        index = torch.arange(40, device=DEVICE)
        assert_equal_to_float64(logsumexp, leaves, exclude=[(index, index)])
        leaves["key"] = normal(35, d, seed=1)
        assert_equal_to_float64(logsumexp_both, leaves, precision="fp16", value=2e-3, gradient=2e-3)

    @pytest.mark.parametrize("lengths", [(1e-6, 1e6), (300.0, 1e-3), (0.0, 1.0)])
    def test_rows_of_any_length_fit_into_16_bits(self, lengths):
        leaves = {"query": lengths[0] * normal(40, 8, seed=0), "key": lengths[1] * normal(33, 8, seed=1)}
        leaves["scale"] = torch.tensor(1.0, device=DEVICE)
        found = assert_equal_to_float64(
            logsumexp, leaves, similarity="dot", precision="fp16", value=5e-3, gradient=5e-3
        )
        assert all(grad.isfinite().all() for grad in found[1])

    def test_few_rows(self):
        for m, n in [(0, 0), (0, 3), (3, 0), (1, 1)]:
            leaves = {"query": normal(m, 3, seed=0), "key": normal(n, 3, seed=1)}
            leaves["scale"] = torch.tensor(2.0, device=DEVICE)
            for function in (logsumexp, logsumexp_both):
                found = [differentiate(function, leaves, impl) for impl in ("triton", "dense")]
                for one, other in zip(*(values + grads for values, grads in found), strict=True):
                    torch.testing.assert_close(one, other.to(one.dtype), rtol=1e-5, atol=1e-6)


@needs_triton
@pytest.mark.usefixtures("kernels")
class TestPrecision:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("temperature", [1.0, 0.1, 0.005])
    def test_half_rows_are_no_worse_than_their_own_rounding(self, dtype, temperature):
        # The truth is that of the rows as given; the budget what rounding rows of length one to their type costs.
        exact = torch.nn.functional.normalize(normal(60, 32, seed=0, dtype=torch.float64))
        given, index = exact.to(dtype), torch.arange(60, device=DEVICE)
        options = {"scale": 1 / temperature, "exclude": [(index, index)], "similarity": "dot"}
        value = logsumexp(given, impl="triton", **options)
        truth, rounded_again = (logsumexp(z.double(), impl="dense", **options) for z in (given, exact))
        budget = (truth - rounded_again).abs().max() + 1e-6 / temperature
        if dtype == torch.float16:  # exact but for the factor by which the rows are scaled
            budget = budget + 2**-11 / temperature
        assert (value - truth).abs().max() <= budget

    @pytest.mark.parametrize("temperature", [0.05, 0.5])
    def test_errors_in_16_bits(self, temperature):
        z = torch.nn.functional.normalize(normal(200, 64, seed=0))
        index, scale = torch.arange(200, device=DEVICE), torch.tensor(1 / temperature, device=DEVICE)
        leaves, options = {"query": z, "scale": scale}, {"exclude": [(index, index)]}
        truth = differentiate(logsumexp, leaves, "dense", torch.float64, **options)
        found = differentiate(logsumexp, leaves, "triton", precision="fp16", **options)
        assert (found[0][0].double() - truth[0][0]).mean().abs() < 3e-6 / temperature
        for one, other in zip(found[1], truth[1], strict=True):
            assert (one.double() - other).norm() < 1e-3 * other.norm()

    def test_a_nearly_solved_pair_keeps_its_gradient(self):
        z1 = torch.nn.functional.normalize(normal(64, 32, seed=0))
        z2 = torch.nn.functional.normalize(z1 + 0.01 * normal(64, 32, seed=1))
        grads = []
        for dtype, impl in ((torch.float64, "dense"), (torch.float32, "triton")):
            a, b = (z.to(dtype).requires_grad_() for z in (z1, z2))
            item = torch.arange(64, device=DEVICE).repeat(2)
            negatives = logsumexp(
                torch.cat([a, b]),
                scale=20.0,
                exclude=[(item, item)],
                similarity="dot",
                impl=impl,
                precision="float32" if impl == "dense" else "fp16",
            )
            positive = (20 * (a * b).sum(1)).repeat(2)
            loss = (torch.logaddexp(positive, negatives) - positive).mean()
            grads.append(torch.cat(torch.autograd.grad(loss, (a, b))).double())
            assert loss < 1e-3
        assert (grads[1] - grads[0]).norm() < 2e-3 * grads[0].norm()

    def test_what_allows_16_bits(self, monkeypatch):
        here = torch.device(DEVICE)
        assert triton.rounding("float32", torch.float32, here) == "float32"
        assert triton.rounding("float32", torch.bfloat16, here) == "fp16"
        assert triton.rounding("bf16", torch.float32, here) == "fp16"
        with torch.autocast(DEVICE, torch.bfloat16):
            assert triton.rounding("float32", torch.float32, here) == "fp16"
        for setting, format in (("highest", "float32"), ("high", "tf32"), ("medium", "fp16")):
            monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda s=setting: s)
            assert _rounded.allowed("float32") == format
        assert _rounded.allowed("fp16") == "fp16"


@needs_triton
@pytest.mark.usefixtures("kernels")
class TestTorch:
    def test_the_same_call_gives_the_same_bits(self):
        leaves = {"query": normal(150, 20, seed=0), "key": normal(90, 20, seed=1)}
        leaves["scale"] = torch.tensor(10.0, device=DEVICE)
        runs = [differentiate(logsumexp_both, leaves, "triton", precision="fp16") for _ in range(2)]
        for one, other in zip(*(values + grads for values, grads in runs), strict=True):
            assert torch.equal(one, other)

    def test_the_operator_is_a_proper_one(self):
        none = torch.zeros(0, 20, dtype=torch.int64, device=DEVICE)
        own, listed = torch.arange(20, device=DEVICE)[None], torch.zeros(2, 0, dtype=torch.int64, device=DEVICE)
        z, scale = normal(20, 4, seed=0).requires_grad_(), torch.full((1,), 2.0, device=DEVICE, requires_grad=True)
        for key in (None, normal(20, 4, seed=1).requires_grad_()):
            arguments = (z, key, scale, None, None, own, own, none, none, listed, key is not None, "triton-fp16")
            checks = ("test_schema", "test_autograd_registration", "test_faketensor")
            torch.library.opcheck(_operators.logsumexp, arguments, test_utils=checks)

    def test_compiles_without_a_graph_break(self):
        # In a process without the type checks of the tests, which the compiler cannot read.
        code = f"""if True:
            import torch
            from graphcl.similarity import logsumexp
            z, own = torch.eye(20, 5, device="{DEVICE}").requires_grad_(), torch.arange(20, device="{DEVICE}")
            def step(rows):
                return logsumexp(rows, scale=2.0, exclude=[(own, own)], impl="triton").square().mean()
            compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
            found, wanted = (torch.autograd.grad(function(z), z)[0] for function in (compiled, step))
            torch.testing.assert_close(found, wanted)
            """
        root = Path(__file__).parents[2]
        done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    def test_kernels_are_launched_where_their_rows_are(self, monkeypatch):
        inside, seen = [], []

        @contextmanager
        def noted(device):
            inside.append(device)
            yield
            inside.pop()

        for name in ("forward_triton", "backward_triton"):
            real = getattr(_operators, name)
            monkeypatch.setattr(_operators, name, lambda *a, f=real, **k: (seen.append(list(inside)), f(*a, **k))[1])
        monkeypatch.setattr(_operators, "launching_on", noted)
        z = normal(20, 4, seed=0).requires_grad_()
        logsumexp(z, scale=2.0, impl="triton").sum().backward()
        assert seen == [[z.device], [z.device]] and not inside

    def test_no_second_derivative(self):
        z = normal(20, 4, seed=0).requires_grad_()
        (grad,) = torch.autograd.grad(logsumexp(z, scale=2.0, impl="triton").sum(), z, create_graph=True)
        with pytest.raises(RuntimeError, match="use impl='dense' where gradients of gradients are needed"):
            grad.sum().backward()

    def test_nothing_saved_grows_with_the_pairs(self):
        saved = []
        z = normal(300, 4, seed=0).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(lambda x: (saved.append(x.numel()), x)[1], lambda x: x):
            logsumexp(z, scale=2.0, impl="triton")
        assert saved
        assert max(saved) <= z.numel()

    def test_nobody_waits_for_the_numbers(self, monkeypatch):
        # What reads a number on the host would stop a GPU, and the capture of a CUDA graph.
        def refuse(*_):
            raise AssertionError("a number was read on the host")

        z = normal(50, 4, seed=0).requires_grad_()
        own = torch.arange(50, device=DEVICE) // 2
        scale = torch.tensor(3.0, requires_grad=True, device=DEVICE)
        for name in ("__bool__", "__float__", "__int__", "item", "tolist", "cpu", "nonzero"):
            if DEVICE == "cpu" and name == "cpu":
                continue  # the interpreter copies
            monkeypatch.setattr(torch.Tensor, name, refuse)
        logsumexp(z, scale=scale, exclude=[(own, own)], only=(own, own), impl="triton").sum().backward()
        assert z.grad is not None

    def test_inside_a_loss(self):
        z1, z2 = normal(30, 8, seed=0), normal(30, 8, seed=1)
        wanted = nt_xent(z1.double(), z2.double(), temperature=0.2)
        with using(impl="triton"):
            torch.testing.assert_close(nt_xent(z1, z2, temperature=0.2).double(), wanted, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("format", ["float32", "fp16"])
    def test_the_trial_finds_them_right(self, monkeypatch, format):
        monkeypatch.setattr(_trial, "_found", {})
        assert _trial.fault(torch.device(DEVICE), format) == ""
        monkeypatch.setattr(_trial, "_found", {})
        right = triton.forward_triton

        def wrong(*arguments, **options):
            rows, others = right(*arguments, **options)
            return rows + 0.01, others

        monkeypatch.setattr(_operators, "forward_triton", wrong)
        with pytest.warns(RuntimeWarning, match="the kernels of Triton were off by 0.01"):
            assert _trial.fault(torch.device(DEVICE), format)

    @pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # in rows that are none
    @pytest.mark.filterwarnings("ignore:invalid value encountered in matmul:RuntimeWarning")
    def test_what_stands_for_no_key_pulls_nothing(self):
        """Rows whose every pair that counts is far away: their weights in 16 bits are as large as can be."""
        label = torch.arange(75).to(DEVICE) % 2
        z = (2 * label - 1)[:, None] * normal(1, 32, seed=0) + 0.3 * normal(75, 32, seed=1)
        z = torch.nn.functional.normalize(z).requires_grad_()
        ways = (("triton", "fp16"), ("dense", "float32"))
        for options in ({"exclude": [(label, label)]}, {"exclude": [(label, label)], "similarity": "euclidean"}):
            sums = [logsumexp(z, scale=10.0, impl=impl, precision=p, **options) for impl, p in ways]
            found, wanted = (torch.autograd.grad(each.sum(), z)[0] for each in sums)
            torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-2 * float(wanted.abs().max()))


@pytest.mark.gpu
@needs_triton
class TestOnAGpu:
    """With the tiles of a real launch."""

    @staticmethod
    def views(n, d):
        z1 = torch.nn.functional.normalize(normal(n, d, seed=0))
        return z1, torch.nn.functional.normalize(z1 + 0.1 * normal(n, d, seed=1))

    @pytest.mark.parametrize("d", [32, 128, 200, 256, 300, 512, 700])
    @pytest.mark.parametrize("precision", ["float32", "fp16"])
    @pytest.mark.parametrize("temperature", [0.005, 0.1])
    def test_equals_float64(self, d, precision, temperature):
        limits = {"float32": (2e-6, 1e-5), "fp16": (1e-3, 2e-3)}[precision]
        z1, z2 = self.views(1501, d)
        scale = torch.tensor(1 / temperature, device=DEVICE)
        item = torch.arange(1501, device=DEVICE).repeat(2)
        options = {"precision": precision, "value": limits[0], "gradient": limits[1]}
        assert_equal_to_float64(
            logsumexp, {"query": torch.cat([z1, z2]), "scale": scale}, exclude=[(item, item)], **options
        )
        label = integers(7, 1501, seed=5)
        leaves = {"query": z1, "key": z2, "scale": scale}
        assert_equal_to_float64(logsumexp_both, leaves, only=(label, label), **options)
        assert_equal_to_float64(logsumexp, leaves, exclude=[(label, label)], similarity="euclidean", **options)

    def test_the_same_bits_and_a_graph(self):
        leaves = {"query": torch.cat(self.views(3000, 128)), "scale": torch.tensor(10.0, device=DEVICE)}
        item = torch.arange(3000, device=DEVICE).repeat(2)
        call = lambda: differentiate(logsumexp, leaves, "triton", exclude=[(item, item)], precision="fp16")  # noqa: E731
        first, second = call(), call()
        for one, other in zip(first[0] + first[1], second[0] + second[1], strict=True):
            assert torch.equal(one, other)
        z = leaves["query"].clone().requires_grad_()

        def step():
            value = logsumexp(z, scale=10.0, exclude=[(item, item)], impl="triton", precision="fp16")
            return torch.autograd.grad(value.mean(), z)[0]

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                wanted = step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = step()
        graph.replay()
        assert torch.equal(captured, wanted)

    @pytest.mark.parametrize("d", [128, 256])
    def test_memory_is_linear(self, d):
        n = 65_536
        z = torch.cat(self.views(n, d)).requires_grad_()
        item = torch.arange(n, device=DEVICE).repeat(2)
        for _ in range(2):
            z.grad = None
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            value = logsumexp(z, scale=5.0, exclude=[(item, item)], similarity="dot", precision="fp16", impl="triton")
            value.mean().backward()
            peak = torch.cuda.max_memory_allocated() - before
        assert peak <= 14 * 2 * n * d + 64 * 2**20


@needs_triton
class TestMachineCode:
    """What the compiler makes of the kernels for sm_90. Takes about a minute: with ``-m slow``."""

    @pytest.mark.slow
    def test_for_hopper(self):
        root = Path(__file__).parents[2]
        environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
        environment["PYTHONPATH"] = str(root)
        command = [sys.executable, root / ".ci" / "compile_kernels.py"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(rows) == 76
        for row in rows:
            assert row["shared"] <= 227 << 10, row
            assert row["HGMMA"] > 0, row  # the tensor cores of sm_90, and none of an older way to them
            assert row["HMMA"] == 0, row
            assert row["atomics"] == 0, row
            # One exponential for a pair, two with a shift in the backward pass; forward, one more for each row's sum.
            twice = row["kernel"] == "pull_rows" and row["constants"]["SHIFT"] and row["constants"]["OTHER"]
            shrink = row["exp2"] - row["exponentials"] * (2 if twice else 1)
            assert 0 <= shrink <= (8 if row["kernel"] == "sum_rows" and row["constants"]["SHIFT"] else 0), row
            assert row["stack"] <= SPILLED, row
            assert row["local"] == 0, row


class TestChoice:
    def test_a_gpu_is_made_the_current_one(self):
        guard = triton.launching_on(torch.device("cuda", 3))
        assert isinstance(guard, torch.cuda.device) and guard.idx == 3
        assert isinstance(triton.launching_on(torch.device("cpu")), nullcontext)

    def test_the_kernels_run_where_they_are_asked_for(self, monkeypatch):
        monkeypatch.setattr(module, "is_available", lambda: True)
        for device, large in (("cpu", "tiled"), ("cuda", "triton")):
            assert choose(10_000, 10_000, 64, device=device).impl == large
            assert choose(100, 100, 64, device=device).impl == "dense"
        assert choose(10_000, 10_000, 64, device="cuda", fault="they were off").impl == "tiled"
        for unfit in ("double", "listed"):
            assert choose(10_000, 10_000, 64, device="cuda", **{unfit: True}).impl == "tiled"
        assert choose(10_000, 10_000, 64, "triton", device="cuda").impl == "triton"
        for many in (100, 10_000):
            for precision in ("fp16", "bf16"):
                assert choose(many, many, 64, precision=precision, device="cuda").impl == "triton"
        for reason, unfit in (("float64", {"double": True}), ("skip", {"listed": True})):
            with pytest.raises(ValueError, match=reason if reason == "skip" else "at most 32 bits"):
                choose(100, 100, 64, "triton", device="cuda", **unfit)
        monkeypatch.setattr(module, "is_available", lambda: False)
        with pytest.raises(ValueError, match="needs the kernels of Triton"):
            choose(10_000, 10_000, 64, precision="fp16", device="cuda")

    @pytest.mark.parametrize(
        ("installed", "wanted"), [("3.4.0", False), ("3.5.0", True), ("3.10.1", True), ("4.0", True), ("nightly", True)]
    )
    def test_an_old_version_is_none(self, monkeypatch, installed, wanted):
        from graphcl.similarity import triton

        monkeypatch.setattr(triton, "find_spec", lambda name: object())
        monkeypatch.setattr(triton, "version", lambda name: installed)
        assert triton._is_installed() is wanted
        monkeypatch.setattr(triton, "find_spec", lambda name: None)
        assert not triton._is_installed()

    def test_refusals(self, monkeypatch):
        z = torch.eye(3)
        monkeypatch.setattr(module, "is_available", lambda: False)
        with pytest.raises(ImportError, match=r"impl='triton' needs Triton 3\.5 or newer: pip install 'triton>=3\.5'"):
            logsumexp(z, scale=1.0, impl="triton")
        monkeypatch.setattr(module, "is_available", lambda: True)
        monkeypatch.setenv("TRITON_INTERPRET", "0")
        with pytest.raises(ValueError, match="expected rows on a CUDA device for impl='triton', got cpu"):
            explain(z, impl="triton")
        monkeypatch.setenv("TRITON_INTERPRET", "1")
        with pytest.raises(ValueError, match="expected rows of at most 32 bits for impl='triton', got torch.float64"):
            logsumexp(z.double(), scale=1.0, impl="triton")
        with pytest.raises(ValueError, match="expected no skip= with impl='triton'"):
            logsumexp(z, scale=1.0, skip=torch.zeros(2, 1, dtype=torch.int64), impl="triton")
        with pytest.raises(ValueError, match="got 'fp16', which needs the kernels of Triton"):
            logsumexp(z, scale=1.0, precision="fp16")

    @pytest.mark.parametrize(
        ("width", "size", "wanted"),
        [
            (1, 2, (16, 1)),
            (128, 2, (128, 1)),
            (200, 2, (256, 1)),
            (512, 2, (512, 1)),
            (300, 2, (64, 5)),
            (513, 2, (64, 9)),
            (384, 2, (512, 1)),
            (512, 4, (32, 16)),
            (160, 2, (64, 3)),
        ],
    )
    def test_chunks_of_rows(self, width, size, wanted):
        assert _tilings.cut(width, size) == wanted
        for table in (_tilings.TILINGS, _tilings.SMALL_TILINGS):
            forward, _ = _tilings.tilings(_tilings.cut(width, size), size, table)
            assert forward.rows % forward.columns == 0  # the triangle is cut so
