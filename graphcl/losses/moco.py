"""The loss of momentum contrast: negatives come from a queue of earlier keys."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from graphcl.losses._checks import as_temperature, check_query_key_queue, check_temperature
from graphcl.losses._contrast import mean_contrast
from graphcl.losses._negatives import queue_groups
from graphcl.losses._objective import Objective
from graphcl.similarity._fold import unit_rows

__all__ = ["MoCo", "moco"]


def moco(
    query: Float[Tensor, "n d"],
    key: Float[Tensor, "n d"],
    queue: Float[Tensor, "k d"],
    *,
    temperature: float | Tensor = 0.07,
    positive_in_denominator: bool = True,
    exclude: Sequence[tuple[Int[Tensor, " n"], Int[Tensor, " k"]]] = (),
) -> Float[Tensor, ""]:
    r"""Tell the key of each query from the keys in a queue.

    .. math:: L = -\frac1N \sum_i \log \frac{e^{q_i \cdot k_i/\tau}}
        {e^{q_i \cdot k_i/\tau} + \sum_{m \in \text{queue}} e^{q_i \cdot m/\tau}}

    with all vectors at length one. A batch of one will do: the negatives are the queue's.

    Args:
        query: ``[N, D]`` embeddings; any length, they are normalised here.
        key: ``[N, D]`` embeddings of the same items by the momentum encoder (compute them under ``torch.no_grad()``).
        queue: ``[K, D]`` keys of earlier batches. They get no gradient.
        temperature: tau > 0; a tensor gets a gradient.
        positive_in_denominator: Whether the positive pair counts in the denominator.
        exclude: Pairs of group vectors ``([N], [K])``: a queued key that shares a group with the query is not a
            negative. -1 is no group.

    Returns:
        A scalar, the mean over the queries.

    Raises:
        ValueError: The shapes do not fit, or the temperature is not positive.
        TypeError: The embeddings are not floating point, or the groups are not integers.

    Example:
        >>> import torch
        >>> q = torch.tensor([[1.0, 0.0]])
        >>> round(moco(q, q, torch.tensor([[0.0, 1.0]]), temperature=1.0).item(), 4)  # log(e + 1) - 1
        0.3133

    Source: He, Fan, Wu, Xie, Girshick, "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020,
    equation 1.
    """
    check_query_key_queue(query, key, queue)
    temperature = as_temperature(temperature)
    groups = queue_groups(query, queue, exclude)
    query, key, queue = unit_rows(query), unit_rows(key), unit_rows(queue.detach())
    positive = (query * key).sum(1) / temperature
    return mean_contrast(
        query,
        queue,
        groups,
        scale=1.0 / temperature,
        positive=positive,
        positive_in_denominator=positive_in_denominator,
    )


class MoCo(Objective):
    """Contrast with a queue; see :func:`moco`.

    Args:
        temperature: tau > 0.
        positive_in_denominator: Whether the positive pair counts in the denominator.

    Example:
        >>> import torch
        >>> loss = MoCo(temperature=0.2)
        >>> loss(torch.eye(3), torch.eye(3), -torch.eye(3)).shape
        torch.Size([])
    """

    def __init__(self, *, temperature: float = 0.07, positive_in_denominator: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.positive_in_denominator = positive_in_denominator

    def forward(
        self, query: Tensor, key: Tensor, queue: Tensor, *, exclude: Sequence[tuple[Tensor, Tensor]] = ()
    ) -> Tensor:
        return moco(
            query,
            key,
            queue,
            temperature=self.temperature,
            positive_in_denominator=self.positive_in_denominator,
            exclude=exclude,
        )
