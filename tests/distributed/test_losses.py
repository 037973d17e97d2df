"""Losses over the rows of all ranks, through an encoder under DistributedDataParallel, against one process."""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from graphcl import losses
from graphcl.distributed import all_gather_rows, rank, world
from graphcl.losses import functional

DOUBLE, SINGLE = torch.float64, torch.float32
ROWS = {"unequal": (5, 1, 7), "one": (1, 1, 4), "none": (0, 6, 3)}
LOSSES = {
    "info_nce": functional.info_nce,
    "nt_xent": functional.nt_xent,
    "grace": functional.grace,
    "clip": functional.clip,
}


def case(name, rows="unequal", *, dtype=DOUBLE, temperature=0.5, exclude=False, way="gather", **settings):
    return {
        "name": name,
        "rows": ROWS[rows],
        "dtype": str(dtype).removeprefix("torch."),
        "temperature": temperature,
        "exclude": exclude,
        "way": way,
        "settings": settings,
    }


def cases():
    found = []
    for way in ("gather", "ring"):
        for name, settings in (
            ("info_nce", {}),
            ("info_nce", {"symmetric": True}),
            ("info_nce", {"symmetric": True, "positive_in_denominator": False}),
            ("nt_xent", {}),
            ("nt_xent", {"positive_in_denominator": False}),
        ):
            found += [case(name, way=way, **settings), case(name, exclude=True, way=way, **settings)]
            found += [case(name, temperature=0.005, way=way, **settings)]
            found += [case(name, dtype=SINGLE, temperature=0.2, way=way, **settings)]
        found += [case(name, rows, way=way) for name in ("nt_xent", "info_nce") for rows in ("one", "none")]
        found += [case(name, exclude=True, way=way) for name in ("grace", "clip")]
    return found


class Pretraining(nn.Module):
    """An encoder and a learnable temperature in one module, as one wraps them together; the loss is its output."""

    def __init__(self, c):
        super().__init__()
        dtype = getattr(torch, c["dtype"])
        self.encoder = nn.Sequential(nn.Linear(6, 8, dtype=dtype), nn.Tanh(), nn.Linear(8, 4, dtype=dtype))
        self.log_temperature = nn.Parameter(torch.tensor(c["temperature"], dtype=dtype).log())
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self.encoder.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator, dtype=DOUBLE) / 2)
        self.loss, self.settings = LOSSES[c["name"]], c["settings"]

    def forward(self, views, exclude, across_ranks):
        z1, z2 = self.encoder(views).chunk(2)
        temperature = self.log_temperature.exp()
        return self.loss(z1, z2, temperature=temperature, exclude=exclude, across_ranks=across_ranks, **self.settings)


def data(c, w):
    """Two alike views of the rows of all ranks, and the groups: some items alone, some in none, some together."""
    n = sum(c["rows"][:w])
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 6, generator=generator, dtype=DOUBLE)
    views = torch.stack([x, x + 0.3 * torch.randn(n, 6, generator=generator, dtype=DOUBLE)])
    groups = [torch.randint(-1, 3, (n,), generator=generator)] if c["exclude"] else []
    return views.to(getattr(torch, c["dtype"])), groups


def gradients(model):
    """Of the temperature first, then of the encoder."""
    return [model.log_temperature.grad, *(weight.grad for weight in model.encoder.parameters())]


def one_process(c, w):
    model = Pretraining(c)
    views, groups = data(c, w)
    loss = model(views.flatten(0, 1), groups, False)
    loss.backward()
    return loss.detach(), gradients(model)


def this_rank(given):
    return [of_this_rank(c) for c in given]


def of_this_rank(c):
    views, groups = data(c, world())
    rows, me = list(c["rows"][: world()]), rank()
    model = Pretraining(c)
    wrapped = DistributedDataParallel(model)
    loss = wrapped(views.split(rows, 1)[me].flatten(0, 1), [g.split(rows)[me] for g in groups], c["way"])
    loss.backward()
    return loss.detach(), gradients(model)


def everything(given):
    return this_rank(given), folklore(), modules_and_refusals()


@pytest.fixture(scope="module")
def two(ranks):
    """What two ranks find, for all tests below: starting processes is what takes time."""
    return ranks(everything, 2, cases())


def check_equal(given, w, results):
    for number, c in enumerate(given):
        exact = 1e-10 if c["dtype"] == "float64" else 1e-6
        expected, grads = one_process(c, w)
        loss = torch.stack([found[number][0] for found in results]).mean()
        torch.testing.assert_close(loss, expected, rtol=exact, atol=exact, msg=lambda said, c=c: f"{c}: {said}")
        # The gradient of a log temperature is a difference of exponents, and as exact as these are; an entry of a
        # weight's is as exact as the greatest.
        sizes = [torch.tensor(1 / c["temperature"]), *(whole.abs().max().clamp(min=1.0) for whole in grads[1:])]
        for found in results:
            for grad, whole, size in zip(found[number][1], grads, sizes, strict=True):
                torch.testing.assert_close(
                    grad / size, whole / size, rtol=0, atol=exact, msg=lambda said, c=c: f"{c}: {said}"
                )


def test_two_ranks(two):
    check_equal(cases(), 2, [found[0] for found in two])


@pytest.mark.ddp
def test_three_ranks(ranks):
    check_equal(cases(), 3, ranks(this_rank, 3, cases()))


# --- what is done elsewhere -------------------------------------------------------------------------------------------


UNLIKE, UNLIKE_ROWS = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(2), dtype=DOUBLE), [6, 3]


def folklore():
    """The gradient of the own rows under schemes that one meets, averaged over the ranks like that of an encoder."""
    views, rows = UNLIKE, UNLIKE_ROWS
    z1, z2 = (z.split(rows)[rank()].clone().requires_grad_() for z in views)
    n, start = sum(rows), sum(rows[: rank()])
    own = slice(start, start + len(z1))

    def without_gradient(z):
        everything = [z.new_empty(count, z.size(1)) for count in rows]
        for r, part in enumerate(everything):
            part.copy_(z.detach()) if r == rank() else None
            dist.broadcast(part, r)
        return everything

    def put_back(z):
        everything = without_gradient(z)
        everything[rank()] = z
        return torch.cat(everything)

    def local_rows(z1, z2):
        """The own rows' part of the loss, among keys from anywhere."""
        scores = torch.nn.functional.normalize(z1) @ torch.nn.functional.normalize(z2).T / 0.5
        costs = torch.nn.functional.cross_entropy(scores, torch.arange(n)[own], reduction="sum")
        return costs * world() / n

    schemes = {
        "ours": lambda: functional.info_nce(z1, z2, across_ranks=True),
        "gather with gradient": lambda: local_rows(z1, all_gather_rows(z2)),
        "all rows on every rank": lambda: functional.info_nce(all_gather_rows(z1), all_gather_rows(z2)),
        "all rows on every rank, own ones put back": lambda: functional.info_nce(put_back(z1), put_back(z2)),
        "own rows, keys put back": lambda: local_rows(z1, put_back(z2)),
        "own rows, keys without gradient": lambda: local_rows(z1, torch.cat(without_gradient(z2))),
        "mean of the ranks' means": lambda: local_rows(z1, all_gather_rows(z2)) * n / world() / len(z1),
        "every rank alone": lambda: functional.info_nce(z1, z2),
    }
    results = {}
    for name, scheme in schemes.items():
        results[name] = torch.cat(torch.autograd.grad(scheme(), (z1, z2), materialize_grads=True)) / world()
    return results


def test_what_others_do_is_another_gradient(two):
    views, rows = UNLIKE, UNLIKE_ROWS
    leaves = [z.clone().requires_grad_() for z in views]
    whole = torch.autograd.grad(functional.info_nce(*leaves), leaves)
    truth = torch.cat([torch.cat(pair) for pair in zip(*(grad.split(rows) for grad in whole), strict=True)])

    def off(name):
        """The relative distance from the truth, and the cosine with it."""
        together = torch.cat([found[1][name] for found in two])
        distance = (together - truth).norm() / truth.norm()
        return distance.item(), ((together * truth).sum() / (together.norm() * truth.norm())).item()

    for right in ("ours", "gather with gradient", "all rows on every rank"):
        assert off(right)[0] < 1e-12
    # Each rank has the whole gradient of its own rows, and the average over the ranks takes half of it.
    distance, cosine = off("all rows on every rank, own ones put back")
    assert distance == pytest.approx(0.5, abs=1e-12)
    assert cosine == pytest.approx(1.0, abs=1e-12)
    # The others point elsewhere too.
    for wrong in (
        "own rows, keys put back",
        "own rows, keys without gradient",
        "mean of the ranks' means",
        "every rank alone",
    ):
        distance, cosine = off(wrong)
        assert distance > 0.05, wrong
        assert cosine < 0.999, wrong


# --- modules, refusals ------------------------------------------------------------------------------------------------


MODULES = (losses.InfoNCE, losses.NTXent, losses.GRACE, losses.CLIP)


def modules_and_refusals():
    generator = torch.Generator().manual_seed(3)
    z1, z2 = torch.randn(2, 4, 3, generator=generator, dtype=DOUBLE).split([3, 1], 1)[rank()]
    ways = (True, "ring", True, "ring")
    made = [loss(temperature=0.3, across_ranks=way) for loss, way in zip(MODULES, ways, strict=True)]
    values = [loss(z1, z2).item() for loss in made]
    said = []
    for rows in (0, 1 - rank()):
        try:
            functional.nt_xent(z1[:rows], z2[:rows], across_ranks=True)
        except ValueError as error:
            said.append(str(error))
    return values, said


def test_modules_and_refusals(two):
    z1, z2 = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)
    expected = [loss(temperature=0.3)(z1, z2).item() for loss in MODULES]
    means = [sum(pair) / 2 for pair in zip(*(found[2][0] for found in two), strict=True)]
    assert means == pytest.approx(expected, rel=1e-12)  # a temperature that float32 cannot hold
    for _, _, (_, said) in two:
        assert "at least 2 rows to contrast on all ranks together, got [0, 0]" in said[0]
        assert "got [1, 0]" in said[1]


@pytest.mark.parametrize("loss", MODULES)
def test_one_process_needs_no_group(loss):
    z1, z2 = torch.randn(2, 4, 3)
    for way in (True, "gather", "ring"):
        assert torch.equal(loss(across_ranks=way)(z1, z2), loss()(z1, z2))
    with pytest.raises(ValueError, match="at least 2 rows"):
        loss(across_ranks=True)(z1[:1], z2[:1])
    with pytest.raises(ValueError, match="expected across_ranks to be False, True, 'gather' or 'ring', got 'post'"):
        loss(across_ranks="post")
