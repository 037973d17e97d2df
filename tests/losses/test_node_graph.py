"""Nodes against graphs: loops over all pairs, and no matrix of nodes by graphs in training."""

import functools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from graphcl.losses import _blocks, _jsd
from graphcl.losses.functional import node_graph_info_nce, node_graph_jsd


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def literal_info_nce(node, graph, batch, tau):
    total = 0.0
    for h, own in zip(node.tolist(), batch.tolist(), strict=True):
        scores = [math.exp(dot(h, g) / math.sqrt(dot(h, h) * dot(g, g)) / tau) for g in graph.tolist()]
        total -= math.log(scores[own] / math.fsum(scores))
    return total / len(node)


def literal_jsd(node, graph, batch):
    """-(E over true pairs of -sp(-T)) + E over foreign pairs of sp(T)."""
    true, foreign = [], []
    for h, own in zip(node.tolist(), batch.tolist(), strict=True):
        for number, g in enumerate(graph.tolist()):
            if number == own:
                true.append(math.log1p(math.exp(-dot(h, g))))
            else:
                foreign.append(math.log1p(math.exp(dot(h, g))))
    return math.fsum(true) / len(true) + math.fsum(foreign) / len(foreign)


@given(batch=st.lists(st.integers(0, 3), min_size=1, max_size=8), tau=st.sampled_from([0.1, 0.5]), seed=st.integers(0))
def test_equals_the_literal_loop(batch, tau, seed):
    generator = torch.Generator().manual_seed(seed % 2**31)
    node = torch.randn(len(batch), 3, generator=generator, dtype=torch.float64)
    graph = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    batch = torch.tensor(batch)
    value = node_graph_info_nce(node, graph, batch, temperature=tau)
    assert value.item() == pytest.approx(literal_info_nce(node, graph, batch, tau), rel=1e-9, abs=1e-9)
    assert node_graph_jsd(node, graph, batch).item() == pytest.approx(literal_jsd(node, graph, batch), rel=1e-9)


@pytest.mark.parametrize("pairs", [1, 1 << 20])
def test_what_shares_a_group_is_no_negative(pairs, generator, monkeypatch):
    monkeypatch.setattr(_blocks, "PAIRS", pairs)
    node = torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_()
    graph = torch.randn(4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    batch, groups = torch.tensor([0, 0, 1, 2, 3, 3, 3]), torch.tensor([5, -1, 5, -1])  # 0 and 2 are duplicates
    cost, foreign, contrast = 0.0, [], 0.0
    for h, own in zip(node, batch.tolist(), strict=True):
        others = [g for g in range(4) if g != own and {g, own} != {0, 2}]
        cost = cost + F.softplus(-h @ graph[own])
        foreign += [F.softplus(h @ graph[g]) for g in others]
        scores = F.cosine_similarity(h[None], graph[[own, *others]]) / 0.3
        contrast = contrast + scores.logsumexp(0) - scores[0]
    wanted = {
        node_graph_jsd: cost / 7 + torch.stack(foreign).mean(),
        functools.partial(node_graph_info_nce, temperature=0.3): contrast / 7,
    }
    for loss, value in wanted.items():
        found = loss(node, graph, batch, exclude=[groups])
        torch.testing.assert_close(found, value)
        grads = [torch.autograd.grad(each, (node, graph), retain_graph=True) for each in (found, value)]
        torch.testing.assert_close(*grads)
        nothing = loss(node, graph, batch, exclude=[torch.full((4,), -1)])
        torch.testing.assert_close(nothing, loss(node, graph, batch))
        with pytest.raises(ValueError, match=r"expected exclude\[0\] of shape \[4\].*got \[7\]"):
            loss(node, graph, batch, exclude=[batch])
    alone = node_graph_jsd(node, graph, batch, exclude=[torch.zeros(4, dtype=torch.int64)])
    torch.testing.assert_close(alone, cost / 7)


def test_hand_computed():
    node, graph = torch.tensor([[1.0, 0], [2, 0]]).double(), torch.tensor([[1.0, 0], [0, 3]]).double()
    batch = torch.tensor([0, 1])
    # Cosines 1, 0 and 1, 0: log(e + 1) - 1 and log(e + 1) - 0.
    assert node_graph_info_nce(node, graph, batch, temperature=1.0).item() == pytest.approx(math.log(math.e + 1) - 0.5)
    # Products 1, 0 and 2, 0: true pairs sp(-1), sp(0); foreign pairs sp(0), sp(2).
    wanted = (math.log1p(math.exp(-1)) + math.log(2)) / 2 + (math.log(2) + math.log1p(math.exp(2))) / 2
    assert node_graph_jsd(node, graph, batch).item() == pytest.approx(wanted)


def test_the_authors_code_differs_by_a_constant(generator):
    node, graph = torch.randn(7, 4, generator=generator), torch.randn(3, 4, generator=generator)
    batch = torch.tensor([0, 0, 1, 1, 1, 2, 2])
    scores = node @ graph.T
    own = torch.nn.functional.one_hot(batch, 3).bool()
    positive = (math.log(2) - torch.nn.functional.softplus(-scores[own])).sum() / 7
    negative = (torch.nn.functional.softplus(-scores[~own]) + scores[~own] - math.log(2)).sum() / (7 * 2)
    torch.testing.assert_close(node_graph_jsd(node, graph, batch), negative - positive + 2 * math.log(2))


def test_blocks_change_nothing_and_keep_nothing(generator, monkeypatch):
    node = torch.randn(500, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    graph = torch.randn(40, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    batch = torch.randint(40, (500,), generator=generator)

    def run():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            value = node_graph_jsd(node, graph, batch)
        return value, torch.autograd.grad(value, (node, graph)), max(kept)

    value, grads, most = run()
    assert most <= 500 * 8  # the inputs, or as much, and nothing of the size of all pairs
    monkeypatch.setattr(_jsd, "PAIRS", 1000)
    blocked, blocked_grads, most = run()
    torch.testing.assert_close(blocked, value)
    torch.testing.assert_close(blocked_grads, grads)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)  # as on other devices
    for pairs, kept in ((1 << 20, 500 * 40), (1000, 500 * 8)):
        monkeypatch.setattr(_blocks, "PAIRS", pairs)
        blocked, blocked_grads, most = run()
        torch.testing.assert_close(blocked, value)
        torch.testing.assert_close(blocked_grads, grads)
        assert most <= kept


def test_second_derivatives_of_the_estimator(generator):
    node, graph = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (5, 2))
    batch = torch.tensor([0, 1, 1, 0, 1])
    inputs = node.clone().requires_grad_(), graph.clone().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda n, g: node_graph_jsd(n, g, batch), inputs)
    assert torch.autograd.gradgradcheck(lambda n: node_graph_jsd(n, n[:2], batch), inputs[0])
    assert torch.autograd.gradgradcheck(lambda g: node_graph_jsd(node, g, batch), inputs[1])
    # A penalty on the gradient counts, also where nothing else of the loss depends on the rows.
    (grad,) = torch.autograd.grad(node_graph_jsd(*inputs, batch), inputs[0], create_graph=True)
    assert (torch.autograd.grad(grad.square().sum(), inputs[0])[0] != 0).all()


def test_large_scores_and_nearly_solved_pairs(generator):
    node = torch.randn(30, 8, generator=generator, dtype=torch.float64)
    graph, batch = torch.randn(4, 8, generator=generator, dtype=torch.float64), torch.arange(30) % 4
    for scale in (1e-3, 10.0, 1e4):
        for sign in (1, -1):
            inputs = [(scale * node).requires_grad_(), (sign * scale * graph).requires_grad_()]
            value = node_graph_jsd(*inputs, batch)
            s = inputs[0] @ inputs[1].T
            own = batch[:, None] == torch.arange(4)
            wanted = -F.logsigmoid(s[own]).mean() - F.logsigmoid(-s[~own]).mean()
            torch.testing.assert_close(value, wanted)
            torch.testing.assert_close(torch.autograd.grad(value, inputs), torch.autograd.grad(wanted, inputs))


def test_order_of_the_graphs_does_not_matter(generator):
    node, graph = torch.randn(6, 4, generator=generator), torch.randn(3, 4, generator=generator)
    batch, order = torch.tensor([0, 1, 2, 2, 1, 0]), torch.tensor([2, 0, 1])
    moved = torch.empty(3, dtype=torch.int64).scatter(0, order, torch.arange(3))[batch]
    for loss in (node_graph_info_nce, node_graph_jsd):
        torch.testing.assert_close(loss(node, graph[order], moved), loss(node, graph, batch))


def test_own_graph_is_no_negative(generator):
    # A node that matches its own graph, and no other, costs next to nothing however many nodes share the graph.
    graph = 20 * torch.eye(3)
    batch = torch.tensor([0] * 5 + [1] * 5 + [2] * 5)
    node = torch.where(torch.eye(3)[batch] > 0, 1.0, -1.0)
    assert node_graph_jsd(node, graph, batch) < 1e-6
    assert node_graph_info_nce(node, graph, batch, temperature=0.05) < 1e-6


@pytest.mark.parametrize("loss", [node_graph_info_nce, node_graph_jsd])
def test_refusals(loss):
    node = torch.ones(4, 3)
    with pytest.raises(ValueError, match="expected at least 2 graphs to contrast, got 1"):
        loss(node, torch.ones(1, 3), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"expected batch in \[0, 2\), got values from 0 to 2"):
        loss(node, torch.ones(2, 3), torch.tensor([0, 1, 2, 0]))
    with pytest.raises(ValueError, match="expected node and graph of one width D"):
        loss(node, torch.ones(2, 4), torch.tensor([0, 1, 1, 0]))
    with pytest.raises(ValueError, match="expected node with at least 1 row, got 0"):
        loss(node[:0], torch.ones(2, 3), torch.tensor([], dtype=torch.int64))
