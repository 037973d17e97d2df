"""Log-sum-exp over the keys of all ranks against one process that holds all rows."""

import pytest
import torch

from graphcl import similarity
from graphcl.distributed import rank, world
from graphcl.similarity import ranks as across

WAYS = ("gather", "ring")
NOBODY = torch.iinfo(torch.int64).min


def case(counts, *, dtype=torch.float64, scale=2.0, other=None, exclude="own", both=False, kind="cosine", seed=0):
    """Rows of all ranks and what is asked of them; ``other``: the number of keys on each rank, None for no keys."""
    generator = torch.Generator().manual_seed(seed)
    n, m = sum(counts), sum(other or counts)
    draw = {"generator": generator, "dtype": torch.float64}
    group = torch.randint(0, 3, (2, max(n, m)), generator=generator)
    own = torch.arange(max(n, m))
    groups = {
        "none": [],
        "own": [(own[:n], own[:m])],
        "classes": [(own[:n], own[:m]), (group[0, :n], (group[0] if other is None else group[1])[:m])],
        # Row i as a query is barred from j, but not j from i.
        "one-way": [(group[0, :n], group[1, :m])],
        # Nobody has keys left; -1 is nobody's group.
        "all": [(own[:n] * 0, own[:m] * 0)],
        "nobody": [((own[:n] % 3) - 1, ((own[:m] % 3) - 1).masked_fill(own[:m] % 3 == 0, NOBODY))],
    }[exclude]
    return {
        "query": torch.randn(n, 5, **draw).to(dtype),
        "key": None if other is None else torch.randn(m, 5, **draw).to(dtype),
        "counts": (list(counts), list(other or counts)),
        "scale": torch.tensor(scale, dtype=dtype),
        "exclude": [list(pair) for pair in groups],
        "weights": [torch.randn(n, **draw).to(dtype), torch.randn(m, **draw).to(dtype)],
        "both": both,
        "kind": kind,
    }


def cases(w):
    """Unequal rows, a single one, none; both forms; every kind of exclusion; scales beyond the range of float32."""
    some, few, none = [(3, 1, 5), (6, 2, 1), (4, 0, 3)], [(1, 6, 2), (2, 3, 2)], (0, 5, 2)
    found = [case(counts[:w], seed=seed) for seed, counts in enumerate([*some, none])]
    found += [case(some[0][:w], exclude=exclude) for exclude in ("none", "classes", "one-way", "all", "nobody")]
    found += [case(some[0][:w], scale=scale, exclude="classes") for scale in (200.0, [1.0, 3.0])]
    found += [case(some[0][:w], kind="dot", scale=30.0), case(some[0][:w], dtype=torch.float32)]
    for both in (False, True):
        for queries, keys in zip(some, [*few, none], strict=True):
            for exclude in ("none", "classes", "one-way"):
                found.append(case(queries[:w], other=keys[:w], both=both, exclude=exclude))
        found.append(case(some[0][:w], other=few[0][:w], both=both, scale=200.0, kind="dot"))
        found.append(case(some[0][:w], other=few[0][:w], both=both, scale=[0.5, 20.0]))
    return found


def values(sums, weights):
    """A loss that asks something else of every log-sum; -inf counts as nothing."""
    terms = [(w * s.masked_fill(s.isneginf(), 0)).sum() for s, w in zip(sums, weights, strict=False)]
    return sum(terms[1:], terms[0])


def one_process(c):
    """Log-sums and gradients where all rows are in one place, by the dense matrix in float64."""
    leaves = [None if c[k] is None else c[k].clone().double().requires_grad_() for k in ("query", "key", "scale")]
    query, key, scale = leaves
    settings = {"scale": scale, "exclude": [tuple(p) for p in c["exclude"]], "similarity": c["kind"], "impl": "dense"}
    if c["both"]:
        sums = similarity.logsumexp_both(query, key, **settings)
    else:
        sums = (similarity.logsumexp(query, key, **settings),)
    values(sums, [w.double() for w in c["weights"]]).backward()
    return [s.detach() for s in sums], [None if z is None else z.grad for z in leaves]


def this_rank(given):
    return [[of_this_rank(c, way) for way in WAYS] for c in given]


def of_this_rank(c, way):
    counts, me = c["counts"], rank()

    def mine(tensor, side):
        return tensor.split(counts[side])[me].contiguous()

    query = mine(c["query"], 0).requires_grad_()
    key = None if c["key"] is None else mine(c["key"], 1).requires_grad_()
    scale = c["scale"].clone().requires_grad_()
    exclude = [(mine(a, 0), mine(b, 1)) for a, b in c["exclude"]]
    settings = {"scale": scale, "exclude": exclude, "similarity": c["kind"], "way": way}
    if c["both"]:
        sums = across.logsumexp_both(query, key, **settings)
    else:
        sums = (across.logsumexp(query, key, **settings),)
    values(sums, [mine(w, side) for side, w in enumerate(c["weights"])]).backward()
    return [s.detach() for s in sums], [None if z is None else z.grad for z in (query, key, scale)]


def compare(c, results):
    """``results[r]``: log-sums and gradients on rank r."""
    sums, (query, key, scale) = one_process(c)
    tolerance = {"rtol": 1e-10, "atol": 1e-10} if c["query"].dtype == torch.float64 else {"rtol": 1e-6, "atol": 1e-6}
    for side, whole in enumerate(sums):
        together = torch.cat([found[side] for found, _ in results], -1)
        torch.testing.assert_close(together.double(), whole, **tolerance)
    for side, whole in enumerate((query, key)):
        if whole is not None:
            together = torch.cat([grads[side] for _, grads in results])
            torch.testing.assert_close(together.double(), whole, **tolerance)
    torch.testing.assert_close(sum(grads[2] for _, grads in results).double(), scale, **tolerance)


class TestOneProcess:
    @pytest.mark.parametrize("number", range(len(cases(1))))
    @pytest.mark.parametrize("way", WAYS)
    def test_is_the_engine(self, number, way):
        c = cases(1)[number]
        compare(c, [of_this_rank(c, way)])

    def test_the_same_rows_as_queries_and_keys(self):
        z = torch.nn.functional.normalize(torch.randn(4, 3, dtype=torch.float64)).requires_grad_()
        rows, columns = across.logsumexp_both(z, z, scale=2.0, similarity="dot")
        (rows.sum() + columns.square().sum()).backward()
        twin = z.detach().clone().requires_grad_()
        rows, columns = similarity.logsumexp_both(twin, twin, scale=2.0, similarity="dot", impl="dense")
        (rows.sum() + columns.square().sum()).backward()
        torch.testing.assert_close(z.grad, twin.grad)

    def test_many_rows(self):
        # More than one tile, and float32.
        z = torch.randn(1500, 8, requires_grad=True)
        own = torch.arange(1500)
        across.logsumexp(z, scale=5.0, exclude=[(own, own)], way="ring").mean().backward()
        twin = z.detach().double().requires_grad_()
        similarity.logsumexp(twin, scale=5.0, exclude=[(own, own)], impl="dense").mean().backward()
        torch.testing.assert_close(z.grad.double(), twin.grad, rtol=1e-5, atol=1e-8)

    def test_inputs_in_16_bits(self):
        z = torch.randn(6, 4, dtype=torch.bfloat16, requires_grad=True)
        sums = across.logsumexp(z, scale=2.0)
        sums.sum().backward()
        assert sums.dtype == torch.float32
        assert z.grad.dtype == torch.bfloat16

    def test_refuses_a_second_derivative(self):
        z = torch.randn(4, 3, requires_grad=True)
        scale = torch.ones((), requires_grad=True)
        for kind in ("cosine", "dot"):
            # What is asked of the sums may depend on the rows or not: their gradient does.
            for reduce in (torch.sum, lambda sums: sums.square().sum()):
                sums = across.logsumexp(z, scale=scale, similarity=kind)
                for grad in torch.autograd.grad(reduce(sums), (z, scale), create_graph=True):
                    with pytest.raises(RuntimeError, match="expected one derivative across ranks"):
                        grad.sum().backward(retain_graph=True)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"way": "post"}, "expected way to be 'gather' or 'ring', got 'post'"),
            ({"similarity": "euclidean"}, "expected similarity to be 'cosine' or 'dot'"),
            ({"scale": torch.ones(1, 1)}, "expected one scale, or several in one dimension"),
            ({"exclude": [(torch.arange(3), torch.arange(4))]}, "expected groups of shapes"),
            ({"counts": ([3], [3])}, "4 of them here"),
        ],
    )
    def test_refusals(self, arguments, said):
        with pytest.raises(ValueError, match=said):
            across.logsumexp(torch.ones(4, 2), **{"scale": 1.0, **arguments})


def most_rows_held(given):
    """The greatest number of rows in any tensor that autograd keeps."""
    z = torch.randn(4, 3, requires_grad=True)
    held = []
    for way in WAYS:
        most = 0

        def keep(tensor):
            nonlocal most
            most = max(most, len(tensor) if tensor.dim() else 0)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            across.logsumexp(z, scale=1.0, way=way).sum().backward()
        held.append(most)
    return held


def small(given):
    return this_rank(given), most_rows_held(given)


@pytest.mark.parametrize("w", [2, pytest.param(3, marks=pytest.mark.ddp)])
def test_ranks_equal_one_process(ranks, w):
    given = cases(w)
    results = ranks(small, w, given)
    for number, c in enumerate(given):
        for way in range(len(WAYS)):
            compare(c, [found[number][way] for found, _ in results])
    # The ring keeps the own 4 rows and no others.
    assert [held for _, held in results] == [[4 * w, 4]] * w
    assert world() == 1  # and nothing of it is left here
