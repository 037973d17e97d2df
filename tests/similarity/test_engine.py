"""The one primitive against a literal double loop in Python's own double precision."""

import itertools
import math

import numpy as np
import pytest
import torch

from graphcl.similarity import logsumexp, logsumexp_both, ranks

implementations = pytest.mark.parametrize("impl", ["auto", "dense", "tiled"])
similarities = pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])


def similar(similarity, a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    if similarity == "euclidean":
        return -math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    if similarity == "cosine":
        length = math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
        return dot / length if length else 0.0
    return dot


def literal(query, key, scale, exclude=(), only=None, skip=None, weight=None, similarity="dot"):
    """The definition, pair by pair, in Python floats."""
    weights = [1.0] * len(key) if weight is None else weight.tolist()
    skipped = set() if skip is None else set(zip(*skip.tolist(), strict=True))
    out = []
    for i, j_sum in enumerate([[] for _ in range(len(query))]):
        for j in range(len(key)):
            barred = any(int(q[i]) == int(k[j]) for q, k in exclude) or (i, j) in skipped
            if not barred and (only is None or int(only[0][i]) == int(only[1][j])):
                pair = similar(similarity, query[i].tolist(), key[j].tolist())
                j_sum.append(scale * pair + math.log(weights[j]))
        top = max(j_sum, default=-math.inf)
        out.append(top + math.log(math.fsum(math.exp(s - top) for s in j_sum)) if j_sum else -math.inf)
    return torch.tensor(out, dtype=torch.float64)


def unit(count, width, generator, dtype=torch.float64):
    return torch.nn.functional.normalize(torch.randn(count, width, generator=generator, dtype=torch.float64)).to(dtype)


def groups(count, high, generator):
    return torch.randint(high, (count,), generator=generator)


def cases(generator, m=7, n=9):
    """Every combination of the three ways to leave pairs out, two exclusion lists among them."""
    excludes = [(), [(groups(m, 5, generator), groups(n, 5, generator))]]
    excludes.append([*excludes[1], (torch.arange(m), torch.arange(n))])
    onlies = [None, (groups(m, 3, generator), groups(n, 3, generator))]
    skips = [None, torch.tensor([[0, 0, 3], [1, 8, 3]]), torch.zeros(2, 0, dtype=torch.int64)]
    return [{"exclude": e, "only": o, "skip": s} for e, o, s in itertools.product(excludes, onlies, skips)]


@implementations
@similarities
@pytest.mark.parametrize("scale", [0.3, 2.0, 200.0])
def test_equals_the_literal_double_loop(impl, similarity, scale, generator):
    query, key = 1.3 * unit(7, 5, generator), 0.8 * unit(9, 5, generator)
    query[1] = 0
    for position, case in enumerate(cases(generator)):
        if position % 2:
            case["weight"] = torch.rand(9, generator=generator, dtype=torch.float64) + 0.1
        value = logsumexp(query, key, scale=scale, similarity=similarity, impl=impl, **case)
        assert value.dtype == torch.float64
        wanted = literal(query, key, scale, similarity=similarity, **case)
        torch.testing.assert_close(value, wanted, rtol=1e-12, atol=1e-12)


@implementations
@similarities
def test_rows_among_themselves(impl, similarity, generator):
    z = 1.3 * unit(7, 5, generator)
    own, label = torch.arange(7), groups(7, 3, generator)
    weight = torch.rand(7, generator=generator, dtype=torch.float64) + 0.1
    for case in ({}, {"weight": weight}, {"exclude": [(own, own)]}, {"only": (label, label), "weight": weight}):
        wanted = literal(z, z, 2.0, similarity=similarity, **case)
        for key in (None, z):
            value = logsumexp(z, key, scale=2.0, similarity=similarity, impl=impl, **case)
            torch.testing.assert_close(value, wanted, rtol=1e-12, atol=1e-12)


@implementations
@similarities
def test_several_scales(impl, similarity, generator):
    query, key = unit(4, 3, generator), unit(6, 3, generator)
    own = [(torch.arange(4), torch.arange(6))]
    scales = [0.5, 2.0, 100.0]
    wanted = torch.stack([literal(query, key, s, own, similarity=similarity) for s in scales])
    for several in (scales, tuple(scales), torch.tensor(scales)):
        value = logsumexp(query, key, scale=several, exclude=own, similarity=similarity, impl=impl)
        torch.testing.assert_close(value, wanted, rtol=1e-12, atol=1e-12)
    learnt = torch.tensor(2.0, requires_grad=True)
    logsumexp(query, key, scale=[0.5, learnt], similarity=similarity, impl=impl)[1].sum().backward()
    alone = torch.tensor(2.0, requires_grad=True)
    logsumexp(query, key, scale=alone, similarity=similarity, impl=impl).sum().backward()
    torch.testing.assert_close(learnt.grad, alone.grad)
    single = logsumexp(query, key, scale=[2.0], exclude=own, similarity=similarity, impl=impl)
    torch.testing.assert_close(single, wanted[1:2])
    for key_or_none in (key, None):
        rows = logsumexp(query, key_or_none, scale=torch.tensor(2.0), impl=impl)
        assert rows.shape == (4,)


@implementations
@similarities
def test_rows_and_columns(impl, similarity, generator):
    query, key = 1.3 * unit(7, 5, generator), 0.8 * unit(9, 5, generator)
    for case in cases(generator):
        rows, columns = logsumexp_both(query, key, scale=3.0, similarity=similarity, impl=impl, **case)
        torch.testing.assert_close(rows, literal(query, key, 3.0, similarity=similarity, **case))
        turned = {
            "exclude": [(b, a) for a, b in case["exclude"]],
            "only": case["only"] and case["only"][::-1],
            "skip": None if case["skip"] is None else case["skip"].flip(0),
        }
        torch.testing.assert_close(columns, literal(key, query, 3.0, similarity=similarity, **turned))


def test_cosine_is_the_default(generator):
    query, key = 3 * unit(4, 5, generator), 2 * unit(6, 5, generator)
    torch.testing.assert_close(logsumexp(query, key, scale=1.5), literal(query, key, 1.5, similarity="cosine"))


@implementations
def test_a_row_of_zeros_has_no_gradient(impl, generator):
    z = unit(6, 4, generator).clone()
    z[2] = 0
    z.requires_grad_()
    value = logsumexp(z, scale=20.0, impl=impl)
    assert value[2].item() == pytest.approx(math.log(6))
    value.sum().backward()
    assert (z.grad[2] == 0).all()
    assert z.grad.isfinite().all()


@implementations
@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 3), (3, 0), (1, 1), (1, 5), (5, 1)])
def test_few_rows(impl, m, n, generator):
    query, key = unit(m, 3, generator).requires_grad_(), unit(n, 3, generator).requires_grad_()
    for similarity in ("cosine", "dot", "euclidean"):
        value = logsumexp(query, key, scale=2.0, similarity=similarity, impl=impl)
        torch.testing.assert_close(value, literal(query, key, 2.0, similarity=similarity))
        rows, columns = logsumexp_both(query, key, scale=2.0, similarity=similarity, impl=impl)
        assert (rows.shape, columns.shape) == ((m,), (n,))
        total = [v.masked_fill(v.isneginf(), 0).sum() for v in (value, rows, columns)]
        for grad in torch.autograd.grad(sum(total), (query, key)):
            assert grad.isfinite().all()
    own = (torch.arange(m), torch.arange(m))
    alone = logsumexp(query, scale=2.0, exclude=[own], impl=impl)
    torch.testing.assert_close(alone, literal(query, query, 2.0, [own]))


@implementations
def test_small_whole_numbers_as_groups(impl, generator):
    query, key = unit(5, 3, generator), unit(6, 3, generator)
    wanted = logsumexp(query, key, scale=2.0, exclude=[(torch.arange(5), torch.arange(6))], impl=impl)
    for dtype in (torch.int32, torch.int8, torch.int16):
        pair = (torch.arange(5, dtype=dtype), torch.arange(6, dtype=dtype))
        assert torch.equal(logsumexp(query, key, scale=2.0, exclude=[pair], impl=impl), wanted)


@implementations
def test_left_out_pairs_do_not_cancel(impl):
    # exp(s) - exp(s_own) in float32 would be 0 here: the own pair is e^200 above all others.
    z = torch.eye(4)
    own = torch.arange(4)
    value = logsumexp(z, z, scale=200.0, exclude=[(own, own)], impl=impl)
    torch.testing.assert_close(value, torch.full((4,), math.log(3)))


@implementations
def test_a_query_without_keys(impl, generator):
    query, key = unit(3, 4, generator, torch.float32).requires_grad_(), unit(4, 4, generator, torch.float32)
    everything = (torch.tensor([0, 5, 0]), torch.zeros(4, dtype=torch.int64))  # leaves query 1 alone with keys
    value = logsumexp(query, key, scale=5.0, exclude=[everything], impl=impl)
    assert value.isneginf().tolist() == [True, False, True]
    value[1].backward()
    assert query.grad[1].abs().sum() > 0
    assert (query.grad[[0, 2]] == 0).all()
    # Even when the -inf itself enters the loss, its gradient is zero and not NaN.
    query.grad = None
    again = logsumexp(query, key, scale=5.0, exclude=[everything], impl=impl)
    torch.logaddexp(value.new_zeros(3), again).sum().backward()
    assert query.grad.isfinite().all()
    assert (query.grad[[0, 2]] == 0).all()


@implementations
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("temperature", [1.0, 0.07, 0.005])
def test_low_precision_inputs_and_low_temperatures(impl, dtype, temperature, generator):
    query, key = (unit(16, 32, generator, dtype).requires_grad_() for _ in range(2))
    own = torch.arange(16)
    value = logsumexp(query, key, scale=1 / temperature, exclude=[(own, own)], similarity="dot", impl=impl)
    truth = literal(query.detach().double(), key.detach().double(), 1 / temperature, [(own, own)])
    assert value.dtype == torch.float32
    # The inputs are exact in float64, so what is left is the rounding of float32: a few units of 2^-24 of the scores.
    torch.testing.assert_close(value.double(), truth, rtol=0, atol=1e-6 / temperature)
    value.sum().backward()
    assert query.grad.dtype == dtype
    assert query.grad.isfinite().all()
    assert key.grad.isfinite().all()


def test_float32_accumulation_under_autocast(generator):
    query, key = unit(8, 64, generator, torch.float32), unit(9, 64, generator, torch.float32)
    plain = logsumexp(query, key, scale=20.0)
    with torch.autocast("cpu", torch.bfloat16):
        inside = logsumexp(query, key, scale=20.0)
    assert inside.dtype == torch.float32
    assert torch.equal(plain, inside)


def test_mixed_precision_inputs_are_promoted(generator):
    query, key = unit(3, 4, generator, torch.bfloat16), unit(5, 4, generator)
    assert logsumexp(query, key, scale=1.0).dtype == torch.float64


def test_gradients_in_double_precision(generator):
    query, key = unit(4, 3, generator).requires_grad_(), unit(5, 3, generator).requires_grad_()
    scale = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    exclude = [(torch.arange(4), torch.arange(5))]
    skip = torch.tensor([[0, 1], [3, 4]])
    function = lambda q, k, s: logsumexp(q, k, scale=s, exclude=exclude, skip=skip)  # noqa: E731
    assert torch.autograd.gradcheck(function, (query, key, scale))
    assert torch.autograd.gradgradcheck(function, (query, key, scale))


def test_a_tensor_scale_gets_the_gradient_of_the_formula(generator):
    query, key = unit(4, 3, generator), unit(5, 3, generator)
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    logsumexp(query, key, scale=scale).sum().backward()
    scores = query @ key.T  # of length one already
    expected = ((2.0 * scores).softmax(1) * scores).sum()  # d/ds log sum exp(s x) = E[x]
    torch.testing.assert_close(scale.grad, expected)


def test_joint_permutation(generator):
    query, key = unit(6, 4, generator), unit(8, 4, generator)
    q_group, k_group = groups(6, 3, generator), groups(8, 3, generator)
    p, r = torch.randperm(6, generator=generator), torch.randperm(8, generator=generator)
    value = logsumexp(query, key, scale=4.0, exclude=[(q_group, k_group)])
    moved = logsumexp(query[p], key[r], scale=4.0, exclude=[(q_group[p], k_group[r])])
    torch.testing.assert_close(moved, value[p])


def test_inputs_are_left_alone(generator):
    query, key = unit(3, 4, generator), unit(3, 4, generator)
    before = query.clone(), key.clone()
    own = torch.arange(3)
    logsumexp(query, key, scale=2.0, exclude=[(own, own)])
    assert torch.equal(query, before[0])
    assert torch.equal(key, before[1])
    assert own.tolist() == [0, 1, 2]


class TestRefusals:
    z = torch.eye(3)
    three, four = torch.arange(3), torch.arange(4)

    @pytest.mark.parametrize(
        ("query", "key"),
        [
            (torch.ones(3), torch.ones(3, 3)),
            (torch.ones(3, 2), torch.ones(3, 3)),
            (torch.ones(1, 3, 3), torch.ones(3, 3)),
        ],
    )
    def test_shapes(self, query, key):
        with pytest.raises(ValueError, match=r"expected query \[M, D\] and key \[N, D\]"):
            logsumexp(query, key, scale=1.0)

    def test_integers(self):
        with pytest.raises(TypeError, match=r"expected floating-point embeddings, got torch.int64"):
            logsumexp(self.z.long(), self.z, scale=1.0)

    def test_devices(self):
        with pytest.raises(ValueError, match="on one device, got cpu and meta"):
            logsumexp(self.z, self.z.to("meta"), scale=1.0)

    @pytest.mark.parametrize("where", ["exclude", "only"])
    def test_group_lengths(self, where):
        pair = (self.three, self.four)
        with pytest.raises(ValueError, match=r"expected groups of shapes \[3\] and \[3\], got \[3\] and \[4\]"):
            logsumexp(self.z, self.z, scale=1.0, **{where: [pair] if where == "exclude" else pair})

    def test_skip_shape(self):
        with pytest.raises(ValueError, match=r"expected skip of shape \[2, P\], got \[4\]"):
            logsumexp(self.z, self.z, scale=1.0, skip=self.four)

    def test_one_scale_only(self):
        for scale in (torch.ones(3, 1), [], torch.ones(0)):
            with pytest.raises(ValueError, match="expected one scale, or several in one dimension, got shape"):
                logsumexp(self.z, self.z, scale=scale)

    @pytest.mark.parametrize("function", [logsumexp, logsumexp_both])
    def test_names(self, function):
        with pytest.raises(ValueError, match="expected impl to be 'auto', 'dense', 'tiled' or 'triton', got 'fast'"):
            function(self.z, self.z, scale=1.0, impl="fast")
        with pytest.raises(ValueError, match="expected similarity to be 'cosine', 'dot' or 'euclidean', got 'l2'"):
            function(self.z, self.z, scale=1.0, similarity="l2")
        with pytest.raises(ValueError, match="expected precision to be 'float32', 'bf16' or 'fp16', got 'tf32'"):
            function(self.z, self.z, scale=1.0, precision="tf32")
        with pytest.raises(ValueError, match="expected precision='float32' with impl='dense'"):
            function(self.z, self.z, scale=1.0, impl="dense", precision="bf16")

    def test_groups_and_skip_are_whole_numbers_on_the_device_of_the_rows(self):
        with pytest.raises(TypeError, match=r"expected groups of whole numbers, got torch.float32; call .long\(\)"):
            logsumexp(self.z, scale=1.0, exclude=[(torch.ones(3), torch.ones(3))])
        with pytest.raises(TypeError, match="expected skip of whole numbers, got torch.float32"):
            logsumexp(self.z, scale=1.0, skip=torch.ones(2, 1))
        with pytest.raises(ValueError, match="expected groups on cpu like the query, got meta"):
            logsumexp(self.z, scale=1.0, only=(self.three, self.three.to("meta")))

    @pytest.mark.parametrize("function", [logsumexp, logsumexp_both])
    def test_rows_are_tensors(self, function):
        with pytest.raises(TypeError, match="expected query to be a tensor, got list"):
            function([[1.0]], self.z, scale=1.0)
        with pytest.raises(TypeError, match="expected key to be a tensor, got ndarray"):
            function(self.z, self.z.numpy(), scale=1.0)

    def test_groups_come_in_pairs(self):
        for wrong in ((self.three, self.three), [self.three], self.three):
            with pytest.raises(TypeError, match=r"expected exclude=.*\(query_group, key_group\).* of tensors, got"):
                logsumexp(self.z, scale=1.0, exclude=wrong)
        with pytest.raises(TypeError, match=r"expected only=\(query_group, key_group\) of tensors, got Tensor"):
            logsumexp(self.z, scale=1.0, only=self.three)

    @pytest.mark.parametrize("function", [logsumexp, logsumexp_both, ranks.logsumexp])
    def test_groups_that_can_be_gone_through_once(self, function):
        # The checks would use them up, and nothing would be left out.
        with pytest.raises(TypeError, match=r"expected exclude=\[.*\], a list, got zip; write exclude=list\(...\)"):
            function(self.z, self.z, scale=1.0, exclude=zip([self.three], [self.three], strict=True))
        with pytest.raises(TypeError, match=r"expected exclude=.*, got NoneType"):
            function(self.z, self.z, scale=1.0, exclude=None)

    @pytest.mark.parametrize("function", [logsumexp, logsumexp_both, ranks.logsumexp])
    def test_scales_that_are_no_numbers(self, function):
        # An array of several would be taken for one.
        for scale, name in ((np.array([1.0, 2.0]), "ndarray"), ("2", "str"), (None, "NoneType")):
            with pytest.raises(TypeError, match=f"expected scale to be a number, .*, got {name}"):
                function(self.z, self.z, scale=scale)

    def test_other_things_than_tensors(self):
        with pytest.raises(TypeError, match="expected skip to be a tensor, got list"):
            logsumexp(self.z, scale=1.0, skip=[[0], [1]])
        with pytest.raises(TypeError, match="expected weight to be a tensor, got list"):
            logsumexp(self.z, scale=1.0, weight=[1.0, 1.0, 1.0])

    @pytest.mark.parametrize("pair", [[[0], [3]], [[3], [0]], [[-1], [0]]])
    def test_skip_of_rows_that_are_not_there(self, pair):
        with pytest.raises(ValueError, match="expected skip to hold rows below 3 and 3, got"):
            logsumexp(self.z, scale=1.0, skip=torch.tensor(pair))

    def test_weight(self):
        with pytest.raises(ValueError, match=r"expected one weight for each of 3 keys, got shape \[4\]"):
            logsumexp(self.z, scale=1.0, weight=torch.ones(4))
        with pytest.raises(ValueError, match=r"expected positive weights, got 0.0; leave keys out by exclude="):
            logsumexp(self.z, scale=1.0, weight=torch.tensor([1.0, 0.0, 1.0]))
        with pytest.raises(ValueError, match="expected weight on cpu like the key, got meta"):
            logsumexp(self.z, scale=1.0, weight=torch.ones(3, device="meta"))


@pytest.mark.parametrize("impl", ["dense", "tiled"])
def test_both_directions_of_one_tensor(impl):
    z = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    rows, columns = logsumexp_both(z, z, scale=2.0, similarity="dot", impl=impl)
    torch.testing.assert_close(rows, columns)
    torch.testing.assert_close(rows, torch.logsumexp(2 * z @ z.T, 1))
    torch.testing.assert_close(
        torch.autograd.grad((rows + columns).sum(), z),
        torch.autograd.grad(2 * torch.logsumexp(2 * z @ z.T, 1).sum(), z),
    )


def test_both_directions_of_a_small_case_share_one_matrix(generator):
    query, key = (unit(n, 3, generator).requires_grad_() for n in (5, 4))
    with torch.profiler.profile() as profile:
        rows, columns = logsumexp_both(query, key, scale=2.0, impl="dense")
        torch.autograd.grad(rows.sum() + columns.sum(), (query, key))
    products = {event.key: event.count for event in profile.key_averages()}
    assert products["aten::mm"] == 3  # forward, and one for the gradient of either


@pytest.mark.parametrize("impl", ["dense", "tiled"])
def test_groups_under_vmap(impl, generator):
    query, key = unit(5, 3, generator), unit(4, 3, generator)
    several = torch.randint(3, (6, 5), generator=generator), torch.randint(3, (6, 4), generator=generator)
    pairs = torch.randint(4, (6, 2, 3), generator=generator)
    weights = torch.rand(6, 4, generator=generator) + 0.1

    def function(own, other, skip, weight):
        one = logsumexp(query, key, scale=2.0, exclude=[(own, other)], skip=skip, weight=weight, impl=impl)
        return one, logsumexp(query, key, scale=2.0, only=(own, other), impl=impl)

    wanted = [torch.stack(each) for each in zip(*map(function, *several, pairs, weights), strict=True)]
    torch.testing.assert_close(list(torch.func.vmap(function)(*several, pairs, weights)), wanted)


@implementations
@similarities
@pytest.mark.parametrize("among", [True, False])
def test_a_query_without_keys_gets_no_gradient_however_large_the_one_that_comes_in(impl, similarity, among):
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(4, 3, generator=generator, requires_grad=True)
    key = None if among else torch.randn(5, 3, generator=generator, requires_grad=True)
    n = 4 if among else 5
    lonely = torch.tensor([0, 1, 2, 3]), torch.zeros(n, dtype=torch.long)
    weight = torch.rand(n, generator=generator).add(0.5).requires_grad_()
    scale = torch.tensor(5.0, requires_grad=True)
    found = logsumexp(query, key, scale=scale, exclude=[lonely], weight=weight, similarity=similarity, impl=impl)
    given = [tensor for tensor in (query, key, weight, scale) if tensor is not None]
    assert found[0] == -math.inf and bool(found[1:].isfinite().all())
    grads = torch.autograd.grad(found, given, torch.tensor([1e6, 0.0, 0.0, 0.0]), allow_unused=True)
    assert all(grad is None or not grad.any() for grad in grads)
    grads = torch.autograd.grad(
        logsumexp(query, key, scale=scale, exclude=[lonely], weight=weight, similarity=similarity, impl=impl),
        given,
        torch.tensor([1e6, 1.0, 1.0, 1.0]),
    )
    rest = logsumexp(query[1:], query if among else key, scale=scale, exclude=[(lonely[0][1:], lonely[1])],
                     weight=weight, similarity=similarity, impl="dense")  # fmt: skip
    for grad, expected in zip(grads, torch.autograd.grad(rest.sum(), given), strict=True):
        torch.testing.assert_close(grad, expected, rtol=1e-4, atol=1e-5)


def test_several_scales_across_ranks_learn():
    z = torch.randn(4, 3)
    several = [torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)]
    found = ranks.logsumexp(z, scale=several)
    expected = logsumexp(z, scale=several)
    torch.testing.assert_close(found, expected)
    for grad, other in zip(
        *(torch.autograd.grad(each.sin().sum(), several) for each in (found, expected)), strict=True
    ):
        torch.testing.assert_close(grad, other)


def test_forward_mode_derivatives_of_tiles_are_refused(generator):
    z = torch.randn(6, 4, generator=generator)
    with pytest.raises(RuntimeError, match="forward-mode one.*impl='dense'"):
        torch.func.jvp(lambda z: logsumexp(z, scale=2.0, impl="tiled"), (z,), (torch.ones_like(z),))
    _, slope = torch.func.jvp(lambda z: logsumexp(z, scale=2.0, impl="dense"), (z,), (torch.ones_like(z),))
    assert slope.isfinite().all()
