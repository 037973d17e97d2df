"""The Jensen-Shannon estimator over node-graph pairs with its gradient, both from one pass over blocks in the cache."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from graphcl._twice import gradients_again, is_looked_into
from graphcl.losses._blocks import by_blocks
from graphcl.similarity._precision import full_precision, product

__all__ = ["jsd"]

PAIRS = 1 << 17  # of a block, 512 KiB in float32: measured, four times less or more takes longer


def jsd(node: Tensor, graph: Tensor, batch: Tensor, groups: Sequence[tuple[Tensor, Tensor]] = ()) -> Tensor:
    """The mean of sp(-s) over a node's own graph plus that of sp(s) over all others, sp(x) = log(1 + exp(x)).

    ``groups`` are pairs of group vectors ``[G]``: what shares one is left out of the second mean.

    Nothing of the size of all pairs is kept. On a CPU the gradient is computed with the value; for other devices,
    compilers, transforms and second derivatives there is the formula.
    """
    if node.device.type != "cpu" or is_looked_into() or groups:
        return _formula(node, graph, batch, groups)
    with full_precision(node):
        result: Tensor = _JSD.apply(node, graph, batch)  # type: ignore[no-untyped-call]
    return result


def _formula(node: Tensor, graph: Tensor, batch: Tensor, groups: Sequence[tuple[Tensor, Tensor]] = ()) -> Tensor:
    own = (node * graph.index_select(0, batch)).sum(1)
    cost, count = by_blocks(partial(_foreign, groups=groups), [node, batch], [graph], columns=graph.size(0)).sum(0)
    return -F.logsigmoid(own).mean() + cost / count.clamp(min=1)


def _foreign(node: Tensor, batch: Tensor, graph: Tensor, groups: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """``[N, 2]`` the sum of a node's costs over the graphs that are foreign to it, and how many these are."""
    barred = batch[:, None] == torch.arange(graph.size(0), device=batch.device)
    for mine, theirs in groups:
        barred = barred | (mine.index_select(0, batch)[:, None] == theirs)
    cost = -F.logsigmoid(-product(node, graph.T)).masked_fill(barred, 0).sum(1)
    return torch.stack([cost, graph.size(0) - barred.sum(1).to(cost)], 1)


class _JSD(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, node: Tensor, graph: Tensor, batch: Tensor) -> Tensor:
        wants = any(ctx.needs_input_grad[:2])
        inputs = node, graph, batch
        node, graph = node.detach().contiguous(), graph.detach().contiguous()
        others, step = graph.size(0) - 1, max(1, PAIRS // graph.size(0))
        total, numbers = node.new_zeros(()), torch.finfo(node.dtype)
        least, tiny = math.log(numbers.tiny) / 2 + 2, numbers.eps / 2  # nothing subnormal, nothing that rounds away
        grad_node, grad_graph = torch.empty_like(node), torch.zeros_like(graph)
        first = torch.arange(min(step, node.size(0))) * graph.size(0)
        buffers = node.new_empty(3, first.numel(), graph.size(0))
        for start in range(0, node.size(0), step):
            part, mine = node[start : start + step], batch[start : start + step]
            score, e, cost = buffers[:, : part.size(0)]
            torch.mm(part, graph.T, out=score)
            flat, place = score.view(-1), first[: part.size(0)] + mine
            own = flat[place]
            flat[place] = -torch.inf
            # log(1 + e) is e where e is small, as it mostly is; there both functions' own ways take ten times as long.
            torch.abs(score, out=e).neg_().clamp_(min=least).exp_()
            large = F.threshold(e, tiny, 0.0)
            e -= large
            total += e.add_(large.log1p_()).add_(torch.clamp(score, min=0, out=cost)).sum()
            total -= others * F.logsigmoid(own).sum()
            if wants:
                score.sigmoid_()  # the derivative
                flat[place] = -others * torch.sigmoid(-own)
                torch.mm(score, graph, out=grad_node[start : start + step])
                grad_graph.addmm_(score.T, part)
        ctx.save_for_backward(*inputs, grad_node, grad_graph)
        ctx.share = 1 / (node.size(0) * others)
        return total * ctx.share

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        node, graph, batch, grad_node, grad_graph = ctx.saved_tensors
        if torch.is_grad_enabled():  # what came with the value has no derivative of its own
            return *gradients_again(partial(_formula, batch=batch), [node, graph], grad), None
        grad = grad * ctx.share
        return grad_node * grad, grad_graph * grad, None
