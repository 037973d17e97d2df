"""Hard negative mixing: harder negatives than there are, made of those there are."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from graphcl._arguments import check_whole
from graphcl._random import Key, fold, hash_ids, randint, seed_from, uniform
from graphcl.losses._blocks import by_blocks
from graphcl.losses._checks import as_temperature, check_query_key_queue, check_temperature
from graphcl.losses._negatives import log_sum, mean_cost, queue_groups, shares_group, stack_groups
from graphcl.losses._numerics import number_beside, widened
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows

__all__ = ["HardMixing", "hard_mixing"]


@torch.compiler.disable  # hashes of integers, partly in numpy: nothing for a compiler
def hard_mixing(
    query: Float[Tensor, "n d"],
    key: Float[Tensor, "n d"],
    queue: Float[Tensor, "k d"],
    *,
    temperature: float | Tensor = 0.2,
    hardest: int = 1024,
    mixed: int = 512,
    query_mixed: int = 256,
    exclude: Sequence[tuple[Int[Tensor, " n"], Int[Tensor, " k"]]] = (),
    generator: Generator | None = None,
) -> Float[Tensor, ""]:
    r"""Contrast with a queue and with negatives mixed from the hardest keys in it.

    .. math:: L = -\frac1N \sum_i \log \frac{e^{q_i \cdot k_i/\tau}}{e^{q_i \cdot k_i/\tau}
        + \sum_{m \in \text{queue}} e^{q_i \cdot m/\tau} + \sum_k e^{q_i \cdot h_k/\tau}
        + \sum_k e^{q_i \cdot h'_k/\tau}}

    .. math:: h_k \propto \alpha_k n + (1 - \alpha_k) n', \qquad h'_k \propto \beta_k q_i + (1 - \beta_k) n

    n and n' are drawn from the keys of the queue that are most similar to the query, alpha_k from [0, 1), beta_k from
    [0, 0.5); all vectors have length one. Like the queue, the mixed negatives get no gradient. Without mixed ones it is
    :func:`moco`. The memory is linear: the mixed negatives of a few queries at a time, computed again in backward.

    Args:
        query: ``[N, D]`` embeddings; any length, they are normalised here.
        key: ``[N, D]`` embeddings of the same items by the momentum encoder.
        queue: ``[K, D]`` keys of earlier batches. They get no gradient.
        temperature: tau > 0; a tensor gets a gradient.
        hardest: From how many of the hardest keys of each query to mix (all K if fewer).
        mixed: How many mixtures of two keys per query.
        query_mixed: How many mixtures of the query and a key per query.
        exclude: Pairs of group vectors ``([N], [K])``: a queued key that shares a group with the query is not a
            negative, nor are there mixtures with it. -1 is no group.
        generator: Where the seed of the mixtures comes from; if None torch's default generator, in a method its step.

    Returns:
        A scalar, the mean over the queries.

    Raises:
        ValueError: The shapes do not fit, the temperature is not positive, or a count is negative (``hardest``: not
            positive).
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> q = torch.tensor([[1.0, 0.0]])
        >>> loss = hard_mixing(q, q, torch.tensor([[0.0, 1.0]]), temperature=1.0, mixed=2, query_mixed=0)
        >>> round(loss.item(), 4)  # one key mixed with itself twice: log(e + 3) - 1
        0.7437

    Source: Kalantidis, Sariyildiz, Pion, Weinzaepfel, Larlus, "Hard Negative Mixing for Contrastive Learning", NeurIPS
    2020.
    """
    check_query_key_queue(query, key, queue)
    temperature = as_temperature(temperature)
    hardest, mixed = check_whole("hardest", hardest, 1), check_whole("mixed", mixed)
    query_mixed = check_whole("query_mixed", query_mixed)
    groups = queue_groups(query, queue, exclude)
    query, key, queue = (unit_rows(z) for z in widened(query, key, queue.detach()))
    positive = (query * key).sum(1) / temperature
    negatives = log_sum(query, queue, scale=1.0 / temperature, exclude=groups)
    if mixed + query_mixed == 0:
        return mean_cost(positive, negatives)
    hard = _hardest(query, queue, groups, min(hardest, queue.size(0)))
    seed = seed_from(generator)

    def similarity_to_mixtures(q: Tensor, hard: Tensor, row: Tensor, queue: Tensor, tau: Tensor) -> Tensor:
        # Detached, as forward derivatives know of no no_grad.
        mixtures = _mixtures(q.detach(), hard, row, queue, seed, mixed, query_mixed)
        found = torch.logsumexp(torch.einsum("nd,nkd->nk", q, mixtures) / tau, 1)
        # Nothing to mix: e to this is nothing; of two infinities the gradient of a sum would be none.
        return found.masked_fill(hard[:, -1] == 0, torch.finfo(found.dtype).min / 4)

    row = torch.arange(query.size(0), device=query.device)
    tau = number_beside(query, temperature)
    columns = (mixed + query_mixed) * query.size(1)
    synthetic = by_blocks(similarity_to_mixtures, [query, hard, row], [queue, tau], columns=columns)
    return mean_cost(positive, torch.logaddexp(negatives, synthetic))


@torch.no_grad()
def _hardest(query: Tensor, queue: Tensor, groups: Sequence[tuple[Tensor, Tensor]], near: int) -> Tensor:
    """``[N, near + 1]`` the places of each query's hardest keys, and how many are negatives: the others come last."""
    if not groups:
        found = by_blocks(lambda q, k: (q @ k.T).topk(near).indices, [query], [queue], columns=queue.size(0))
        return nn.functional.pad(found, (0, 1), value=near)

    def without_barred(q: Tensor, own: Tensor, k: Tensor, theirs: Tensor) -> Tensor:
        found = (q @ k.T).masked_fill(shares_group(own, theirs), -torch.inf).topk(near)
        return torch.cat([found.indices, (found.values > -torch.inf).sum(1, keepdim=True)], 1)

    own, theirs = stack_groups(groups)
    return by_blocks(without_barred, [query, own], [queue, theirs], columns=queue.size(0))


@torch.no_grad()
def _mixtures(
    query: Tensor, hard: Tensor, row: Tensor, queue: Tensor, seed: Key, mixed: int, query_mixed: int
) -> Tensor:
    """``[N, K, D]`` for each query mixtures of two of its hardest keys, then of the query and one; at length one.

    ``hard`` is what ``_hardest`` found, and ``row`` counts the queries of all blocks: a query's mixtures do not
    depend on its block.
    """
    slot = torch.arange(mixed + query_mixed, device=query.device)
    ids = row[:, None] * slot.numel() + slot
    negatives = hard[:, -1:].clamp(min=1).expand_as(ids)
    first, second = (queue[hard.gather(1, randint(hash_ids(fold(seed, i), ids), negatives))] for i in (0, 1))
    own = (slot >= mixed)[:, None]
    share = uniform(hash_ids(fold(seed, 2), ids)).to(first.dtype)[..., None] * torch.where(own, 0.5, 1.0)
    mixture = share * torch.where(own, query[:, None], first) + (1 - share) * second
    length = torch.linalg.vector_norm(mixture, dim=2, keepdim=True)
    return mixture / length.masked_fill(length == 0, torch.inf)


class HardMixing(Objective):
    """Contrast with a queue and mixtures of its hardest keys; see :func:`hard_mixing`.

    Args:
        temperature: tau > 0.
        hardest: From how many of the hardest keys of each query to mix.
        mixed: How many mixtures of two keys per query.
        query_mixed: How many mixtures of the query and a key per query.

    Example:
        >>> HardMixing(hardest=64, mixed=16, query_mixed=8)
        HardMixing(temperature=0.2, hardest=64, mixed=16, query_mixed=8)
    """

    def __init__(
        self, *, temperature: float = 0.2, hardest: int = 1024, mixed: int = 512, query_mixed: int = 256
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.hardest = check_whole("hardest", hardest, 1)
        self.mixed = check_whole("mixed", mixed)
        self.query_mixed = check_whole("query_mixed", query_mixed)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        queue: Tensor,
        *,
        exclude: Sequence[tuple[Tensor, Tensor]] = (),
        generator: Generator | None = None,
    ) -> Tensor:
        return hard_mixing(
            query,
            key,
            queue,
            temperature=self.temperature,
            hardest=self.hardest,
            mixed=self.mixed,
            query_mixed=self.query_mixed,
            exclude=exclude,
            generator=generator,
        )
