"""The tiles against the whole matrix in double precision: values, gradients, memory, precision, refusals."""

import math
import subprocess
import sys
from contextlib import ExitStack

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcl.similarity import _operators, _tiles, logsumexp, logsumexp_both
from graphcl.similarity._pairs import as_pairs
from graphcl.similarity._precision import products

SIMILARITIES = ["cosine", "dot", "euclidean"]


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    """So small that a few rows make many tiles."""
    monkeypatch.setitem(_operators.TILES, "cpu", (4, 8))


@pytest.fixture
def real_tiles(monkeypatch, _small_tiles):
    monkeypatch.setitem(_operators.TILES, "cpu", (256, 1024))


def integers(high, *shape, seed):
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape, seed, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@st.composite
def problems(draw, own=False):
    """Rows, and every way to leave pairs out or weight them."""
    m = draw(st.integers(0, 23))
    n = m if own else draw(st.integers(0, 23))
    d, seed = draw(st.integers(1, 6)), draw(st.integers(0, 2**20))
    same = draw(st.booleans()) if own else False  # symmetric groups: each unordered pair is visited once
    groups = []
    for i in range(4):
        left = integers(draw(st.sampled_from([1, 2, 3, 30])), m, seed=seed + i)
        right = left if same else integers(3, n, seed=seed + 10 + i)
        groups.append((left.sort().values, right.sort().values) if draw(st.booleans()) else (left, right))
        if draw(st.booleans()):
            groups[-1] = (groups[-1][0].int(), groups[-1][1].int())
    if draw(st.booleans()):
        groups[0] = (torch.arange(m), torch.arange(n))
    skip = None
    if m and n and draw(st.booleans()):
        skip = torch.stack([integers(m, 9, seed=seed), integers(n, 9, seed=seed + 1)])
        skip = torch.cat([skip, skip.flip(0)], 1) if same else skip
    temperature = draw(st.sampled_from([0.005, 0.02, 0.1, 0.5, 1.0]))
    return {
        "query": normal(m, d, seed=seed),
        "key": None if own else normal(n, d, seed=seed + 1),
        "scale": draw(st.sampled_from([1 / temperature, [1 / temperature], [1.0, 1 / temperature, 3.0]])),
        "exclude": groups[: draw(st.integers(0, 3))],
        "only": groups[3] if draw(st.booleans()) else None,
        "skip": skip,
        "weight": normal(n, seed=seed + 2).exp() if draw(st.booleans()) else None,
        "similarity": draw(st.sampled_from(SIMILARITIES)),
    }


def differentiate(function, problem, impl, fixed=()):
    """All outputs and the gradients of a random combination of those that are finite."""
    problem = dict(problem)
    problem["scale"] = torch.as_tensor(problem["scale"], dtype=torch.float64)
    leaves = [n for n in ("query", "key", "scale", "weight") if problem.get(n) is not None and n not in fixed]
    for name in leaves:
        problem[name] = problem[name].clone().requires_grad_()
    query, key = problem.pop("query"), problem.pop("key")
    outputs = function(query, key, impl=impl, **problem)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    total = sum((o.masked_fill(o.isneginf(), 0) * normal(*o.shape, seed=i)).sum() for i, o in enumerate(outputs))
    values = {"query": query, "key": key, **problem}
    grads = torch.autograd.grad(total, [values[n] for n in leaves], allow_unused=True)
    return [*outputs, *(torch.zeros_like(values[n]) if g is None else g for n, g in zip(leaves, grads, strict=True))]


def assert_same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


class TestEqualsDense:
    @settings(max_examples=90)
    @given(problem=problems())
    def test_two_sets_of_rows(self, problem):
        assert_same(differentiate(logsumexp, problem, "tiled"), differentiate(logsumexp, problem, "dense"))

    @settings(max_examples=90)
    @given(problem=problems(own=True))
    def test_rows_among_themselves(self, problem):
        assert_same(differentiate(logsumexp, problem, "tiled"), differentiate(logsumexp, problem, "dense"))

    @settings(max_examples=40)
    @given(problem=problems())
    def test_keys_without_a_gradient(self, problem):
        fixed = ("key", "weight")
        found = differentiate(logsumexp, problem, "tiled", fixed)
        assert_same(found, differentiate(logsumexp, problem, "dense", fixed))

    @settings(max_examples=50)
    @given(problem=problems())
    def test_rows_and_columns(self, problem):
        del problem["weight"]
        assert_same(differentiate(logsumexp_both, problem, "tiled"), differentiate(logsumexp_both, problem, "dense"))

    @pytest.mark.parametrize("fixed", [("query",), ("query", "key"), ("query", "key", "weight"), ("scale", "weight")])
    @pytest.mark.parametrize("scale", [2.0, 300.0, [2.0, 3.0]])
    def test_some_gradients_only(self, fixed, scale):
        problem = {"query": normal(9, 3, seed=0), "key": normal(13, 3, seed=1), "scale": scale}
        problem["weight"] = normal(13, seed=2).exp()
        assert_same(
            differentiate(logsumexp, problem, "tiled", fixed), differentiate(logsumexp, problem, "dense", fixed)
        )

    def test_the_key_that_is_the_query_is_met_once_per_pair(self):
        z = normal(11, 4, seed=0).requires_grad_()
        first = logsumexp(z, z, scale=3.0, impl="tiled").sum()
        second = logsumexp(z, None, scale=3.0, impl="tiled").sum()
        third = logsumexp(z, z.clone(), scale=3.0, impl="tiled").sum()  # two sets of rows
        grads = [torch.autograd.grad(value, z)[0] for value in (first, second, third)]
        assert torch.equal(grads[0], grads[1])
        torch.testing.assert_close(grads[0], grads[2])

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_gradcheck(self, similarity):
        query, key = normal(5, 3, seed=0).requires_grad_(), normal(6, 3, seed=1).requires_grad_()
        scale = torch.tensor([0.7, 2.0], dtype=torch.float64, requires_grad=True)
        weight = normal(6, seed=2).exp().requires_grad_()
        own = [(torch.arange(5), torch.arange(6))]

        def rows(query, key, scale, weight):
            return logsumexp(query, key, scale=scale, weight=weight, exclude=own, similarity=similarity, impl="tiled")

        def among(query, scale):
            return logsumexp(query, scale=scale[0], exclude=[(own[0][0],) * 2], similarity=similarity, impl="tiled")

        def both(query, key, scale):
            return logsumexp_both(query, key, scale=scale[0], similarity=similarity, impl="tiled")

        assert torch.autograd.gradcheck(rows, (query, key, scale, weight))
        assert torch.autograd.gradcheck(among, (query, scale))
        assert torch.autograd.gradcheck(both, (query, key, scale))

    def test_strided_inputs(self):
        wide = normal(9, 12, seed=0)
        query, key = wide[:, ::2], wide.T[:, :6]
        for similarity in SIMILARITIES:
            problem = {"query": query, "key": key[:8], "scale": 2.0, "similarity": similarity}
            assert_same(differentiate(logsumexp, problem, "tiled"), differentiate(logsumexp, problem, "dense"))

    def test_a_column_vector_of_upstream_gradients_that_is_expanded(self):
        z = normal(9, 3, seed=0).requires_grad_()
        logsumexp(z, scale=2.0, impl="tiled").sum().backward()  # the upstream gradient is one number, expanded
        tiled, z.grad = z.grad, None
        logsumexp(z, scale=2.0, impl="dense").sum().backward()
        torch.testing.assert_close(tiled, z.grad)


class TestLargeExponents:
    """Beyond e^40 exponentials are taken relative to a running maximum."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("own", [False, True])
    @pytest.mark.parametrize("size", [1.0, 100.0, 1e4])
    def test_any_dot_products(self, dtype, own, size):
        problem = {"query": size * normal(11, 3, seed=0), "key": None if own else size * normal(13, 3, seed=1)}
        problem |= {"scale": 1.0, "similarity": "dot"}
        wanted = differentiate(logsumexp, problem, "dense")
        problem = {k: v.to(dtype) if isinstance(v, torch.Tensor) else v for k, v in problem.items()}
        found = differentiate(logsumexp, problem, "tiled")
        assert all(one.isfinite().all() for one in found)
        if dtype == torch.float64 or size == 1.0:
            for one, other in zip(found, wanted, strict=True):
                torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("scale", [2.0, 200.0])
    def test_what_is_asked_of_a_row_without_keys_is_forgotten(self, scale):
        z = normal(6, 3, seed=0).requires_grad_()
        group = torch.tensor([0, 1, 1, 1, 1, 1])
        for key in (None, z.detach().clone(), z.detach().clone().requires_grad_()):
            value = logsumexp(z, key, scale=scale, only=(group, group), exclude=[(torch.arange(6),) * 2], impl="tiled")
            (grad,) = torch.autograd.grad(value, z, torch.tensor([math.nan, 1.0, 1.0, 1.0, 1.0, 1.0]).double())
            assert value.isneginf().tolist() == [True] + [False] * 5
            assert (grad[0] == 0).all()
            assert grad.isfinite().all()
            assert (grad[1:] != 0).all()

    def test_both_sides_of_the_bound_agree(self, monkeypatch):
        problem = {"query": normal(11, 3, seed=0), "key": normal(13, 3, seed=1), "scale": [5.0, 40.0]}
        without = differentiate(logsumexp, problem, "tiled")
        monkeypatch.setattr(_tiles, "BOUND", 0.0)
        assert_same(differentiate(logsumexp, problem, "tiled"), without)

    @pytest.mark.parametrize("own", [False, True])
    def test_tiny_temperatures_in_float32(self, own):
        query, key = normal(20, 3, seed=0, dtype=torch.float32), normal(20, 3, seed=1, dtype=torch.float32)
        item = torch.arange(20)
        for temperature in (0.005, 0.012, 0.0135, 0.0166, 0.0249, 0.0251):
            leaf = query.clone().requires_grad_()
            value = logsumexp(leaf, None if own else key, scale=1 / temperature, exclude=[(item, item)], impl="tiled")
            value.sum().backward()
            exact = query.double().requires_grad_()
            truth = logsumexp(
                exact, None if own else key.double(), scale=1 / temperature, exclude=[(item, item)], impl="dense"
            )
            truth.sum().backward()
            torch.testing.assert_close(value.double(), truth, rtol=0, atol=2e-6 / temperature)
            torch.testing.assert_close(leaf.grad.double(), exact.grad, rtol=1e-3, atol=2e-5 / temperature)

    def test_not_a_number_is_not_hidden(self):
        query = normal(6, 3, seed=0)
        query[2, 1] = math.nan
        value = logsumexp(query, normal(9, 3, seed=1), scale=1.0, impl="tiled")
        assert value.isnan().tolist() == [i == 2 for i in range(6)]


class TestPrecision:
    """The error against float64 may not exceed that of the naive formula in the same precision, plus little."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
    @pytest.mark.parametrize("temperature", [0.005, 0.05, 0.2, 1.0])
    def test_against_the_naive_formula(self, dtype, temperature, real_tiles):
        query, key = normal(300, 24, seed=0).to(dtype), normal(1100, 24, seed=1).to(dtype)
        exact = [t.double().requires_grad_() for t in (query, key)]
        truth = logsumexp(*exact, scale=1 / temperature, impl="dense")
        true_grads = torch.autograd.grad(truth.sum(), exact)

        def naive(query, key):
            query, key = (z / (z * z).sum(1, keepdim=True).sqrt() for z in (query, key))
            return (query @ key.T / temperature).exp().sum(1).log()

        leaves = [t.clone().requires_grad_() for t in (query, key)]
        value = logsumexp(*leaves, scale=1 / temperature, impl="tiled")
        grads = torch.autograd.grad(value.sum(), leaves)
        rough = naive(*leaves)
        rough_grads = torch.autograd.grad(rough.sum(), leaves)

        def error(found, wanted):
            return torch.nan_to_num((found.double() - wanted).abs().max(), nan=math.inf, posinf=math.inf).item()

        assert value.dtype == torch.float32
        assert error(value, truth) <= min(error(rough, truth), 1e-2) + 2e-6 / temperature
        for grad, wanted, bad in zip(grads, true_grads, rough_grads, strict=True):
            assert grad.dtype == dtype
            small = (torch.finfo(dtype).eps + 1e-6 / temperature) * wanted.abs().max().item()
            assert error(grad, wanted) <= min(error(bad, wanted), 1e-2) + small

    def test_sums_over_many_keys(self, real_tiles):
        # 131,072 keys, and 256 of as many rows: a sum in low precision would stand still long before.
        key = normal(131_072, 16, seed=0, dtype=torch.float32)
        query = key[torch.randperm(len(key), generator=torch.Generator().manual_seed(1))[:256]].clone().requires_grad_()
        value = logsumexp(query, key, scale=5.0, impl="tiled")
        value.mean().backward()
        exact = query.detach().double().requires_grad_()
        truth = torch.cat([logsumexp(rows, key.double(), scale=5.0, impl="dense") for rows in exact.split(64)])
        truth.mean().backward()
        torch.testing.assert_close(value.double(), truth, rtol=1e-6, atol=0)
        # The mean of so many keys is a thousand times less than a key: three of the seven digits are gone with any sum.
        assert (query.grad.double() - exact.grad).norm() < 1e-4 * exact.grad.norm()

    def test_gradient_of_many_rows_among_themselves(self, real_tiles):
        z = normal(3000, 16, seed=0, dtype=torch.float32).requires_grad_()
        own = torch.arange(3000)
        logsumexp(z, scale=10.0, exclude=[(own, own)], impl="tiled").mean().backward()
        exact = z.detach().double().requires_grad_()
        logsumexp(exact, scale=10.0, exclude=[(own, own)], impl="dense").mean().backward()
        assert (z.grad.double() - exact.grad).norm() < 1e-5 * exact.grad.norm()

    @pytest.mark.parametrize("temperature", [0.05, 0.2])
    def test_nearly_solved_pairs(self, temperature, real_tiles):
        # Both views almost equal: the loss is below 1e-3, and what is left of the gradient comes from the negatives.
        z1 = normal(600, 128, seed=0, dtype=torch.float32)
        z2 = z1 + 1e-2 * normal(600, 128, seed=1, dtype=torch.float32)

        def loss(z1, z2, impl, precision="float32"):
            z1, z2 = torch.nn.functional.normalize(z1), torch.nn.functional.normalize(z2)
            positive = ((z1 * z2).sum(1) / temperature).repeat(2)
            item = torch.arange(600).repeat(2)
            negatives = logsumexp(
                torch.cat([z1, z2]),
                scale=1 / temperature,
                exclude=[(item, item)],
                similarity="dot",
                impl=impl,
                precision=precision,
            )
            return torch.nn.functional.softplus(negatives - positive).mean()

        def gradient(*arguments, dtype):
            leaves = [z.to(dtype).requires_grad_() for z in (z1, z2)]
            value = loss(*leaves, *arguments)
            return value, torch.cat(torch.autograd.grad(value, leaves)).double()

        truth, wanted = gradient("dense", dtype=torch.float64)
        assert temperature > 0.1 or truth < 1e-3
        for precision, tolerance in (("float32", 2e-5), ("bf16", 2e-2)):
            value, grad = gradient("tiled", precision, dtype=torch.float32)
            assert value.item() == pytest.approx(truth.item(), rel=tolerance)
            assert (grad - wanted).norm() < tolerance * wanted.norm()

    def test_rounded_products_are_asked_for_and_put_back(self, real_tiles):
        query, key = normal(600, 64, seed=0, dtype=torch.float32), normal(600, 64, seed=1, dtype=torch.float32)
        exact = logsumexp(query.double(), key.double(), scale=20.0, impl="dense")
        matmul = getattr(torch.backends.mkldnn, "matmul", None)
        before = matmul.fp32_precision if matmul else torch.get_float32_matmul_precision()
        rounded = logsumexp(query, key, scale=20.0, precision="bf16")
        after = matmul.fp32_precision if matmul else torch.get_float32_matmul_precision()
        assert before == after
        torch.testing.assert_close(rounded.double(), exact, rtol=0, atol=2e-2)
        plain = logsumexp(query, key, scale=20.0, impl="tiled")
        torch.testing.assert_close(plain.double(), exact, rtol=0, atol=1e-5)

    def test_two_threads_put_the_setting_back_in_any_order(self):
        # The second finds the setting of the first, and must not leave it to everything that comes after.
        matmul = getattr(torch.backends.mkldnn, "matmul", None)
        found = [matmul.fp32_precision if matmul else torch.get_float32_matmul_precision()]
        with ExitStack() as outer, ExitStack() as inner:
            outer.enter_context(products("bf16"))
            inner.enter_context(products("bf16"))
            outer.close()
            found.append(matmul.fp32_precision if matmul else torch.get_float32_matmul_precision())
        found.append(matmul.fp32_precision if matmul else torch.get_float32_matmul_precision())
        assert found == [found[0], "bf16" if matmul else "medium", found[0]]

    def test_autocast_does_not_enter(self):
        z = normal(40, 16, seed=0, dtype=torch.float32).requires_grad_()
        plain = logsumexp(z, scale=20.0, impl="tiled")
        (wanted,) = torch.autograd.grad(plain.sum(), z)
        with torch.autocast("cpu", torch.bfloat16):
            inside = logsumexp(z, scale=20.0, impl="tiled")
            (found,) = torch.autograd.grad(inside.sum(), z)
        assert inside.dtype == torch.float32
        assert torch.equal(inside, plain)
        assert torch.equal(found, wanted)


class TestMemory:
    def saved(self, function):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (sizes.append(t.numel()), t)[1], lambda t: t):
            output = function()
        assert output.requires_grad
        return sum(sizes)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_nothing_saved_grows_with_the_square(self, similarity, real_tiles):
        def among(n):
            z = normal(n, 8, seed=0).requires_grad_()
            own = (torch.arange(n),) * 2
            return self.saved(lambda: logsumexp(z, scale=2.0, exclude=[own], similarity=similarity, impl="tiled"))

        def across(n, bank):
            query, key = normal(n, 8, seed=0).requires_grad_(), normal(n, 8, seed=1).requires_grad_(not bank)
            return self.saved(lambda: logsumexp(query, key, scale=[2.0, 3.0][: 1 + (not bank)][0], impl="tiled"))

        def both(n):
            query, key = normal(n, 8, seed=0).requires_grad_(), normal(n, 8, seed=1).requires_grad_()
            return self.saved(lambda: logsumexp_both(query, key, scale=2.0, impl="tiled")[0])

        for function in (among, lambda n: across(n, True), lambda n: across(n, False), both):
            small, large = function(100), function(400)
            assert large <= 4 * small + 16
            assert large < 400 * 100

    def test_the_dense_form_would_fail_that_test(self):
        z = normal(100, 8, seed=0).requires_grad_()
        assert self.saved(lambda: logsumexp(z, scale=2.0, impl="dense")) > 100 * 100


class TestWork:
    """Which products are computed, counted in multiplications of a pair."""

    @pytest.fixture
    def counted(self, monkeypatch):
        count = {"pairs": 0}
        product = torch.mm

        def mm(left, right, **arguments):
            count["pairs"] += left.size(0) * right.size(1)
            return product(left, right, **arguments)

        monkeypatch.setattr(_tiles.torch, "mm", mm)
        return count

    def test_rows_of_no_group_do_not_break_the_symmetry(self, counted):
        z, group = normal(64, 3, seed=0), integers(8, 64, seed=1)
        absent = integers(2, 64, seed=2).bool()
        pair = (group.masked_fill(absent, -1), group.masked_fill(absent, -2))
        logsumexp(z, scale=1.0, exclude=[pair], impl="tiled")
        assert counted["pairs"] == 64 * 64 / 2 + 64 * 4 / 2
        counted["pairs"] = 0
        logsumexp(z, scale=1.0, exclude=[(pair[0], pair[0].roll(1))], impl="tiled")  # one that is not symmetric
        assert counted["pairs"] == 64 * 64

    def test_each_unordered_pair_once(self, counted):
        logsumexp(normal(64, 3, seed=0), scale=1.0, impl="tiled")
        assert counted["pairs"] == 64 * 64 / 2 + 64 * 4 / 2

    def test_sorted_groups_touch_the_tiles_along_the_diagonal(self, counted):
        z, graph = normal(64, 3, seed=0), torch.arange(64) // 4
        logsumexp(z, scale=1.0, only=(graph, graph), impl="tiled")
        assert counted["pairs"] == 64 * 4

    def test_tiles_without_a_pair_are_left_out(self, counted):
        z, half = normal(640, 3, seed=0), torch.arange(640) // 320
        logsumexp(z, z.clone(), scale=1.0, exclude=[(half, half)], impl="tiled")
        assert counted["pairs"] == 640 * 320

    def test_nothing_is_computed_again_for_fixed_keys(self, counted):
        query = normal(16, 3, seed=0).requires_grad_()
        value = logsumexp(query, normal(32, 3, seed=1), scale=1.0, impl="tiled").sum()
        assert counted["pairs"] == 16 * 32
        value.backward()
        assert counted["pairs"] == 16 * 32

    def test_rows_and_columns_share_their_products(self, counted):
        logsumexp_both(normal(16, 3, seed=0), normal(32, 3, seed=1), scale=[1.0, 2.0], impl="tiled")
        assert counted["pairs"] == 16 * 32


class TestTorch:
    """What torch demands of operators, and what goes around them."""

    def test_operators_are_sound(self):
        query, key = (normal(n, 3, seed=n, dtype=torch.float32).requires_grad_() for n in (9, 7))
        scale = torch.tensor([2.0, 3.0], requires_grad=True)
        bias = normal(2, 7, seed=3, dtype=torch.float32).requires_grad_()
        pairs = as_pairs(query, key, [(torch.arange(9), torch.arange(7))], None, torch.tensor([[8], [6]]))
        own = as_pairs(query, query, [], None, None)
        checks = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
        for arguments in (
            (query, key, scale, None, bias, *pairs, False, "float32"),
            (query, key, scale, None, bias, *pairs, True, "float32"),
            (query, None, scale, None, None, *own, False, "float32"),
        ):
            result = torch.library.opcheck(_operators.logsumexp, arguments, test_utils=checks)
            assert set(result.values()) == {"SUCCESS"}
        fixed = (query, key.detach(), scale[:1].detach(), None, *pairs, "float32")
        result = torch.library.opcheck(_operators.expected_keys, fixed, test_utils=checks)
        assert set(result.values()) == {"SUCCESS"}

    def test_compiles_without_a_graph_break(self):
        # In a process of its own: the shape checks that the tests switch on cannot be traced.
        program = """
import torch
from graphcl.similarity import logsumexp, logsumexp_both
z, key = torch.randn(60, 4, requires_grad=True), torch.randn(70, 4)
item, scale = torch.arange(60), torch.tensor(2.0, requires_grad=True)
def step(z, key, scale, item):
    own = logsumexp(z, scale=scale, exclude=[(item, item)], impl="tiled")
    bank = logsumexp(z, key, scale=[1.0, 2.0], similarity="euclidean", weight=key[:, 0].exp(), impl="tiled")
    rows, columns = logsumexp_both(z, key, scale=scale, impl="tiled")
    fixed = logsumexp(z, key, scale=2.0, impl="tiled", precision="bf16")
    return (own + bank.sum(0) + rows + fixed).mean() + columns.mean()
expected = torch.autograd.grad(step(z, key, scale, item), (z, scale))
found = torch.autograd.grad(torch.compile(step, fullgraph=True, backend="aot_eager")(z, key, scale, item), (z, scale))
torch.testing.assert_close(found, expected)
"""
        subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)

    def test_second_derivatives_are_refused(self):
        query, bank = normal(5, 3, seed=0).requires_grad_(), normal(6, 3, seed=1)
        for key in (None, bank, bank.clone().requires_grad_()):
            value = logsumexp(query, key, scale=2.0, impl="tiled").sum()
            (grad,) = torch.autograd.grad(value, query, create_graph=True)
            with pytest.raises(RuntimeError, match="expected one derivative.*use impl='dense'"):
                grad.sum().backward()

    def test_transforms_of_functions(self):
        z, own = normal(3, 5, 2, seed=0), torch.arange(5)

        def sums(impl, key=None):
            return lambda z: logsumexp(z, key, scale=2.0, exclude=[(own, own)], impl=impl)

        for key in (None, normal(5, 2, seed=1)):
            tiled, dense = sums("tiled", key), sums("dense", key)
            wanted = torch.stack([dense(item) for item in z])
            torch.testing.assert_close(torch.func.vmap(tiled)(z), wanted)
            torch.testing.assert_close(torch.func.jacrev(tiled)(z[0]), torch.func.jacrev(dense)(z[0]))
            grad = torch.func.grad(lambda z, f=tiled: f(z).sum())
            wanted = torch.func.grad(lambda z, f=dense: f(z).sum())
            torch.testing.assert_close(torch.func.vmap(grad)(z), torch.func.vmap(wanted)(z))
            with pytest.raises(RuntimeError, match="expected one derivative"):
                torch.func.grad(lambda z, f=grad: f(z).sum())(z[0])

    def test_the_same_twice_to_the_bit(self, real_tiles):
        z = normal(2000, 16, seed=0, dtype=torch.float32).requires_grad_()
        first, second = (logsumexp(z, scale=3.0, impl="tiled") for _ in range(2))
        assert torch.equal(first, second)
        grads = [torch.autograd.grad(value.sum(), z)[0] for value in (first, second)]
        assert torch.equal(*grads)

    def test_inputs_are_left_alone(self):
        query, key, own = normal(9, 3, seed=0), normal(9, 3, seed=1), torch.arange(9)
        before = [t.clone() for t in (query, key, own)]
        logsumexp(query.requires_grad_(), key, scale=2.0, exclude=[(own, own)], impl="tiled").sum().backward()
        assert all(torch.equal(a, b) for a, b in zip((query.detach(), key, own), before, strict=True))
