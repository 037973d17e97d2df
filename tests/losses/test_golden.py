"""Faults of known libraries, written out and set against the losses here: each test names one, and would catch it."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from graphcl.losses import functional as f


@pytest.fixture
def views(generator):
    return torch.randn(2, 32, 16, generator=generator, dtype=torch.float64)


def test_self_pair_as_negative(views):
    """A mask of `1 - positives` lets the similarity of a node with itself, which is 1, into its denominator."""
    z = normalize(torch.cat([*views]))
    scores = z @ z.T / 0.5
    positive = torch.cat([scores.diagonal(32), scores.diagonal(-32)])
    wrong = (torch.logsumexp(scores, 1) - positive).mean()
    right = (torch.logsumexp(scores.fill_diagonal_(-math.inf), 1) - positive).mean()
    for loss in (f.grace, f.nt_xent):
        assert loss(*views, temperature=0.5).item() == pytest.approx(right.item(), rel=1e-12)
        assert loss(*views, temperature=0.5) < wrong - 0.02


def test_bootstrap_has_the_wrong_sign(views):
    """Returning +cosine and minimising it drives views apart."""
    online, target = views[0].clone().requires_grad_(), views[1]
    (grad,) = torch.autograd.grad(f.bootstrap(online, target), online)
    moved = torch.cosine_similarity(online - grad, target).mean()
    assert moved > torch.cosine_similarity(online, target).mean()


@pytest.mark.parametrize("loss", [f.debiased, f.hard_negative])
@pytest.mark.parametrize("shape", [(2, 1), (2, 8), (7, 3), (64, 32)])
def test_debiased_and_hard_negatives_can_be_called(loss, shape, generator):
    """Indexing a vector as a matrix raises IndexError on every input."""
    z1, z2 = torch.randn(2, *shape, generator=generator).requires_grad_()
    value = loss(z1, z2)
    assert value.shape == () and value.isfinite() and value > 0
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(value, (z1, z2)))


@pytest.mark.parametrize(
    ("dtype", "temperature"), [(torch.float32, 0.01), (torch.float16, 0.05), (torch.bfloat16, 0.01)]
)
def test_nan_at_small_temperature(views, dtype, temperature):
    """exp, then sum, then log: overflows where log-sum-exp does not."""
    z1, z2 = (normalize(z).to(dtype) for z in views)
    scores = torch.exp((z1 @ z1.T).clamp(max=1) / temperature)
    if dtype != torch.bfloat16:
        assert not torch.log(scores / scores.sum(1)).isfinite().all()
    for loss in (f.info_nce, f.nt_xent, f.dcl, f.debiased, f.hard_negative, f.clip, f.sampled_info_nce):
        z = z1.clone().requires_grad_()
        value = loss(z, z2, temperature=temperature)
        value.backward()
        assert value.dtype == torch.float32
        assert value.isfinite() and z.grad.isfinite().all(), loss.__name__


def test_positive_left_out_of_the_denominator(views):
    """Makes the loss negative; here it is a choice that is named, and not the default."""
    z = views[0]
    for loss in (f.info_nce, f.nt_xent):
        assert loss(z, z, temperature=0.2) > 0 > loss(z, z, temperature=0.2, positive_in_denominator=False)
    assert f.dcl(z, z) < 0  # by its definition


def test_rows_without_a_positive(views):
    """Dividing by the number of positives gives NaN where a label occurs once."""
    z = views[0].clone().requires_grad_()
    value = f.sup_con(z, torch.arange(32).clamp(max=30))
    value.backward()
    assert value.isfinite() and z.grad.isfinite().all()


def test_rows_of_zeros(views):
    """Dividing by a length of zero plus 1e-8 gives gradients of 1e8."""
    z = views[0].clone()
    z[3] = 0
    z.requires_grad_()
    f.nt_xent(z, views[1], temperature=0.1).backward()
    assert (z.grad[3] == 0).all() and z.grad.abs().max() < 10


def test_foreign_graphs_in_one_batch_only(views):
    """A mask made from an N x N identity, or a loop over nodes, for what a comparison of two vectors says."""
    node, batch = views[0], torch.arange(32) // 8
    graph = torch.zeros(4, 16, dtype=torch.float64).index_add(0, batch, node)
    pairs = [(float(node[i] @ graph[g]), batch[i] == g) for i in range(32) for g in range(4)]
    own = sum(math.log1p(math.exp(-x)) for x, same in pairs if same) / 32
    foreign = sum(math.log1p(math.exp(x)) for x, same in pairs if not same) / (32 * 3)
    assert f.node_graph_jsd(node, graph, batch).item() == pytest.approx(own + foreign)


def test_duplicates_as_negatives(views):
    """Isomorphic graphs of one batch repel each other, unless they are told apart by a hash and excluded."""
    z1, z2 = (torch.cat([z, z[:4]]).requires_grad_() for z in views)
    hashes = torch.cat([torch.arange(32), torch.arange(4)])
    (pushed,) = torch.autograd.grad(f.info_nce(z1, z2, temperature=0.1), z1)
    (spared,) = torch.autograd.grad(f.info_nce(z1, z2, temperature=0.1, exclude=[hashes]), z1)
    towards = normalize(z2.detach()[:4])
    # A step down the gradient lowers the similarity to one's own duplicate less, or not at all, where it is excluded.
    assert ((-spared[32:] * towards).sum(1) > (-pushed[32:] * towards).sum(1)).all()
