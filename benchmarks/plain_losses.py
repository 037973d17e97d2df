"""Every loss as one would write it plainly: a matrix of all similarities, and torch's own functions on it.

The opponents of ``losses.py``, written from the papers' formulas; where a paper leaves a choice, as the package chose.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["PLAIN"]


def norm(z: Tensor) -> Tensor:
    return F.normalize(z, dim=-1)


def own(rows: int, columns: int = 0) -> Tensor:
    return torch.eye(rows, columns or rows, dtype=torch.bool)


def info_nce(z1: Tensor, z2: Tensor, t: float | Tensor = 0.5) -> Tensor:
    return F.cross_entropy(norm(z1) @ norm(z2).T / t, torch.arange(len(z1)))


def clip(z1: Tensor, z2: Tensor, t: Tensor) -> Tensor:
    logits, target = norm(z1) @ norm(z2).T / t, torch.arange(len(z1))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def nt_xent(z1: Tensor, z2: Tensor, t: float = 0.5) -> Tensor:
    z = norm(torch.cat([z1, z2]))
    logits = (z @ z.T / t).masked_fill(own(len(z)), -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(z)).roll(len(z1)))


def dcl(z1: Tensor, z2: Tensor, t: float = 0.1) -> Tensor:
    z = norm(torch.cat([z1, z2]))
    s = z @ z.T
    rest = (s / t).masked_fill(own(len(z1)).repeat(2, 2), -torch.inf)
    return torch.logsumexp(rest, 1).mean() - (s.diagonal(len(z1)) / t).mean()


def moco(q: Tensor, k: Tensor, queue: Tensor, t: float = 0.07) -> Tensor:
    q = norm(q)
    logits = torch.cat([(q * norm(k)).sum(1, keepdim=True), q @ norm(queue).T], 1) / t
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.int64))


def debiased(z1: Tensor, z2: Tensor, t: float = 0.5, prior: float = 0.1, hard: bool = False) -> Tensor:
    n, z = len(z1), norm(torch.cat([z1, z2]))
    e = torch.exp(z @ z.T / t)
    positive = e.diagonal(n).repeat(2)
    e = e.masked_fill(own(n).repeat(2, 2), 0)
    count = 2 * n - 2
    negative = count * e.square().sum(1) / e.sum(1) if hard else e.sum(1)
    g = ((negative - count * prior * positive) / (1 - prior)).clamp(min=count * math.exp(-1 / t))
    return -torch.log(positive / (positive + g)).mean()


def sup_con(z: Tensor, y: Tensor, t: float = 0.1) -> Tensor:
    z, me = norm(z), own(len(z))
    logits = z @ z.T / t
    logs = logits - torch.logsumexp(logits.masked_fill(me, -torch.inf), 1, keepdim=True)
    positive = (y[:, None] == y) & ~me
    count = positive.sum(1)
    return (-(logs * positive).sum(1) / count.clamp(min=1))[count > 0].mean()


def node_graph_info_nce(h: Tensor, g: Tensor, batch: Tensor) -> Tensor:
    return F.cross_entropy(norm(h) @ norm(g).T / 0.5, batch)


def node_graph_jsd(h: Tensor, g: Tensor, batch: Tensor) -> Tensor:
    s, mine = h @ g.T, F.one_hot(batch, len(g)).bool()
    negative = F.softplus(s).masked_fill(mine, 0).sum() / (len(h) * (len(g) - 1))
    return F.softplus(-s[mine]).mean() + negative


def margin_contrastive(z1: Tensor, z2: Tensor) -> Tensor:
    n = len(z1)
    far = (1.0 - torch.cdist(z1, z2)).clamp(min=0).square().masked_fill(own(n), 0).sum() / (n * (n - 1))
    return (z1 - z2).square().sum(1).mean() / 2 + far / 2


def triplet(z1: Tensor, z2: Tensor) -> Tensor:
    s, me = norm(z1) @ norm(z2).T, own(len(z1))
    positive, fixed = s.diagonal(), s.detach()
    further = fixed.masked_fill(me | (fixed >= positive.detach()[:, None]), -torch.inf).max(1)
    least = fixed.masked_fill(me, torch.inf).argmin(1)
    chosen = torch.where(further.values > -torch.inf, further.indices, least)
    return (2 * (s.gather(1, chosen[:, None])[:, 0] - positive) + 0.2).clamp(min=0).mean()


def n_pair(z1: Tensor, z2: Tensor) -> Tensor:
    penalty = 0.002 / 2 * (z1.square().sum(1) + z2.square().sum(1)).mean()
    return F.cross_entropy(z1 @ z2.T, torch.arange(len(z1))) + penalty


def logistic(z1: Tensor, z2: Tensor) -> Tensor:
    sign = 2 * torch.eye(len(z1)) - 1
    return -F.logsigmoid(sign * (norm(z1) @ norm(z2).T * 10 - 10)).sum() / len(z1)


def bootstrap(p: Tensor, target: Tensor) -> Tensor:
    return 2 - 2 * (norm(p) * norm(target)).sum(1).mean()


def swav(z1: Tensor, z2: Tensor, prototypes: Tensor) -> Tensor:
    s1, s2 = (norm(z) @ norm(prototypes).T for z in (z1, z2))

    def sinkhorn(scores: Tensor) -> Tensor:
        q = torch.exp(scores.detach() / 0.05)
        for _ in range(3):
            q = q / q.sum(0) * (q.size(0) / q.size(1))
            q = q / q.sum(1, keepdim=True)
        return q

    return (F.cross_entropy(s1 / 0.1, sinkhorn(s2)) + F.cross_entropy(s2 / 0.1, sinkhorn(s1))) / 2


def standardised(z: Tensor) -> Tensor:
    z = z - z.mean(0)
    return z / z.norm(dim=0)


def barlow_twins(z1: Tensor, z2: Tensor) -> Tensor:
    c = standardised(z1).T @ standardised(z2)
    d = c.diagonal()
    return (1 - d).square().sum() + 0.005 * (c - torch.diag(d)).square().sum()


def vicreg(z1: Tensor, z2: Tensor) -> Tensor:
    cost = 25 * (z1 - z2).square().sum(1).mean()
    for z in (z1 - z1.mean(0), z2 - z2.mean(0)):
        covariance = z.T @ z / (len(z) - 1)
        variance = covariance.diagonal()
        cost = cost + 25 * F.relu(1 - torch.sqrt(variance + 1e-4)).mean()
        cost = cost + (covariance - torch.diag(variance)).square().sum() / z.size(1)
    return cost


def cca_ssg(z1: Tensor, z2: Tensor) -> Tensor:
    z1, z2, one = standardised(z1), standardised(z2), torch.eye(z1.size(1))
    spread = (z1.T @ z1 - one).square().sum() + (z2.T @ z2 - one).square().sum()
    return (z1 - z2).square().sum() + 1e-3 * spread


def proto_nce(z: Tensor, centroids: Tensor, clusters: Tensor, concentration: Tensor) -> Tensor:
    return F.cross_entropy(norm(z) @ norm(centroids).T / concentration, clusters)


def alignment_uniformity(z1: Tensor, z2: Tensor) -> Tensor:
    z1, z2 = norm(z1), norm(z2)

    def uniformity(z: Tensor) -> Tensor:
        pairs = (4 * (z @ z.T) - 4).masked_fill(own(len(z)), -torch.inf)
        return torch.logsumexp(pairs.flatten(), 0) - math.log(len(z) * (len(z) - 1))

    return (z1 - z2).square().sum(1).mean() + (uniformity(z1) + uniformity(z2)) / 2


PLAIN: dict[str, Callable[..., Tensor]] = {
    "info_nce": info_nce,
    "nt_xent": nt_xent,
    "grace": nt_xent,
    "dcl": dcl,
    "clip": clip,
    "moco": moco,
    "debiased": debiased,
    "hard_negative": partial(debiased, hard=True),
    "sup_con": sup_con,
    "node_graph_info_nce": node_graph_info_nce,
    "node_graph_jsd": node_graph_jsd,
    "margin_contrastive": margin_contrastive,
    "triplet": triplet,
    "n_pair": n_pair,
    "logistic": logistic,
    "bootstrap": bootstrap,
    "swav": swav,
    "barlow_twins": barlow_twins,
    "vicreg": vicreg,
    "cca_ssg": cca_ssg,
    "proto_nce": proto_nce,
    "alignment_uniformity": alignment_uniformity,
}
