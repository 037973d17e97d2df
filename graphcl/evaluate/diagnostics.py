"""What embeddings look like while they are learnt: spread, rank, how near positives are, how far all others.

Pure functions on tensors. None of them builds all pairs: uniformity goes through the similarity engine, negative pairs
are a keyed sample of bounded size.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl._random import fold, hash_ids, randint
from graphcl.losses.functional import alignment, uniformity

__all__ = [
    "Histogram",
    "collapse_of",
    "diagnose",
    "dimension_std",
    "effective_rank",
    "false_negative_rate",
    "profile",
    "similarity_histogram",
    "similarity_samples",
    "singular_values",
]

PAIRS = 4096  # negatives in a sample
RANK_FLOOR, SPREAD_FLOOR = 1.1, 1e-3


class Histogram(NamedTuple):
    """``counts`` ``[B]`` of values between ``edges`` ``[B + 1]``."""

    counts: Tensor
    edges: Tensor


def singular_values(z: Float[Tensor, "n d"], *, centre: bool = False) -> Float[Tensor, " s"]:
    """The singular values of the embedding matrix, largest first.

    Args:
        z: ``[N, D]`` embeddings.
        centre: Whether the mean row is taken away first; the spectrum is then that of the covariance, up to a square.

    Returns:
        ``[min(N, D)]``.

    Raises:
        ValueError: ``z`` is not a matrix of at least one row, or is not finite.

    Example:
        >>> singular_values(torch.tensor([[3.0, 0.0], [0.0, 4.0]])).round()
        tensor([4., 3.])

    Source: Jing, Vincent, LeCun, Tian, "Understanding Dimensional Collapse in Contrastive Self-supervised Learning",
    ICLR 2022, section 3.
    """
    z = _checked(z)
    if centre:
        z = z - z.mean(0)
    rows, columns = z.shape
    if rows <= 4 * columns:
        return torch.linalg.svdvals(z)
    # A tall matrix is first made square, which leaves the values as they are.
    return torch.linalg.svdvals(torch.linalg.qr(z, mode="r").R)


def effective_rank(z: Float[Tensor, "n d"], *, centre: bool = False) -> Float[Tensor, ""]:
    r"""The effective rank: how many directions the embeddings really use.

    .. math:: \exp \Big( - \sum_k p_k \log p_k \Big), \quad p_k = \sigma_k / \sum_j \sigma_j

    with the singular values :math:`\sigma`.

    Args:
        z: ``[N, D]`` embeddings.
        centre: Whether the mean row is taken away first, so that what all rows share counts for nothing.

    Returns:
        A scalar from 1 to min(N, D); 0 for rows of zeros, and for equal rows where ``centre`` is set.

    Raises:
        ValueError: As :func:`singular_values`.

    Example:
        >>> effective_rank(torch.eye(5)).round(), effective_rank(torch.ones(5, 3)).round()
        (tensor(5.), tensor(1.))

    Source: Roy, Vetterli, "The Effective Rank: A Measure of Effective Dimensionality", EUSIPCO 2007, definition 1; for
    embeddings Garrido, Balestriero, Najman, LeCun, "RankMe", ICML 2023, equation 1 (which adds a small constant to the
    shares).
    """
    values = singular_values(z, centre=centre)
    # What rounding leaves of a direction that is not there is none: the bound of numpy's matrix_rank.
    size = z.detach().to(values.dtype).norm()
    values = torch.where(values > size * max(z.shape) * torch.finfo(values.dtype).eps, values, 0)
    share = values / values.sum()
    entropy = -torch.special.xlogy(share, share).sum()
    return torch.where(values[0] > 0, entropy.exp(), 0.0)


def dimension_std(z: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """The standard deviation of each dimension over the rows, rows at length one.

    Rows that fill the sphere evenly have ``1 / sqrt(D)`` in every dimension; a collapsed network has 0.

    Args:
        z: ``[N, D]`` embeddings; any length, they are normalised here.

    Returns:
        ``[D]`` (divisor N).

    Raises:
        ValueError: As :func:`singular_values`.

    Example:
        >>> dimension_std(torch.tensor([[2.0, 0.0], [-1.0, 0.0]]))
        tensor([1., 0.])

    Source: Chen, He, "Exploring Simple Siamese Representation Learning", CVPR 2021, section 4.1.
    """
    return _unit(_checked(z)).std(0, correction=0)


def similarity_samples(
    z1: Float[Tensor, "n d"], z2: Float[Tensor, "n d"], *, pairs: int = PAIRS, seed: int = 0
) -> tuple[Float[Tensor, " n"], Float[Tensor, " p"]]:
    """Cosines of the positive pairs, and of a keyed sample of negative ones.

    Args:
        z1: ``[N, D]`` embeddings of the first view.
        z2: ``[N, D]`` embeddings of the second view, row by row of the same items.
        pairs: P, how many negative pairs ``(i, j)``, j other than i, to draw, with replacement.
        seed: What the draw follows from; the same pairs for the same seed and N, on any device.

    Returns:
        ``[N]`` cosines of ``(z1_i, z2_i)`` and ``[P]`` cosines of ``(z1_i, z2_j)``.

    Raises:
        ValueError: The shapes differ, there are fewer than two rows, or ``pairs`` is not positive.

    Example:
        >>> z = torch.eye(3)
        >>> positive, negative = similarity_samples(z, z, pairs=4)
        >>> positive.tolist(), negative.tolist()
        ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0])
    """
    if z1.shape != z2.shape or len(z1) < 2:
        raise ValueError(f"expected two views [N, D] of at least 2 items, got {list(z1.shape)} and {list(z2.shape)}")
    a, b = _unit(_checked(z1)), _unit(_checked(z2))
    i, j = _negative_pairs(len(a), pairs, seed, a.device)
    return (a * b).sum(1), (a[i] * b[j]).sum(1)


def similarity_histogram(similarity: Float[Tensor, " p"], *, bins: int = 40) -> Histogram:
    """How often cosines fall into equal parts of [-1, 1].

    Args:
        similarity: ``[P]`` cosines, as :func:`similarity_samples` gives them.
        bins: B, the number of parts.

    Returns:
        A :class:`Histogram` whose counts sum to P.

    Raises:
        ValueError: ``bins`` is not positive, or a value is not a cosine.

    Example:
        >>> similarity_histogram(torch.tensor([-1.0, 0.1, 1.0]), bins=2).counts.tolist()
        [1, 2]
    """
    if bins < 1:
        raise ValueError(f"expected bins of at least 1, got {bins}")
    if not bool((similarity.abs() <= 1.001).all()):
        raise ValueError("expected cosines in [-1, 1], got values outside or NaN; normalise the rows first")
    place = ((similarity.double() + 1) * (bins / 2)).long().clamp(0, bins - 1)
    return Histogram(torch.bincount(place, minlength=bins), torch.linspace(-1, 1, bins + 1, device=similarity.device))


def false_negative_rate(labels: Int[Tensor, " n"]) -> float:
    r"""The share of negative pairs whose two items are of one class after all.

    .. math:: \frac{\sum_c n_c (n_c - 1)}{N (N - 1)}

    over the sizes n of the classes in a batch: all pairs count, no sample is drawn.

    Args:
        labels: ``[N]`` classes; a negative one means no class, and its item is left out.

    Returns:
        The rate, NaN where fewer than two items have a class.

    Raises:
        ValueError: There are fewer than two labels, not one a row, or some are NaN.

    Example:
        >>> round(false_negative_rate(torch.tensor([0, 0, 1])), 4)
        0.3333

    Source: Chuang, Robinson, Lin, Torralba, Jegelka, "Debiased Contrastive Learning", NeurIPS 2020, section 3 (the
    rate at which a drawn negative is of the anchor's class).
    """
    if labels.dim() != 1 or len(labels) < 2:
        raise ValueError(f"expected one label for each of at least 2 items, got shape {list(labels.shape)}")
    if bool(torch.isnan(labels).any()):
        raise ValueError("expected classes, got NaN among them; leave those items out")
    sizes = labels[labels >= 0].unique(return_counts=True)[1].double()
    known = sizes.sum()
    return float((sizes * (sizes - 1)).sum() / (known * (known - 1)).clamp(min=0)) if len(sizes) else math.nan


def diagnose(
    z: Float[Tensor, "n d"],
    views: tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]] | None = None,
    *,
    labels: Int[Tensor, " n"] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """All diagnostics that are single numbers, of one batch: uniformity, effective rank, spread, similarities.

    Args:
        z: ``[N, D]`` embeddings of the clean data, N of at least 2.
        views: The embeddings of two views of the same items; without them there are no positive pairs to speak of.
        labels: ``[N]`` classes, where there are any.
        seed: As in :func:`similarity_samples`.

    Returns:
        ``uniformity``; ``effective_rank`` (rows at length one, centred); ``spread``, the root of the mean square of
        :func:`dimension_std` times sqrt(D): 0 for a collapsed network, 1 for rows that fill the sphere;
        with views ``alignment``, ``positive_similarity`` and ``negative_similarity`` (means); with labels
        ``false_negative_rate``.

    Raises:
        TypeError: ``views`` are not two.
        ValueError: As the functions it calls.

    Example:
        >>> z = torch.eye(4)
        >>> {name: round(value, 2) for name, value in diagnose(z, (z, z)).items()}
        {'uniformity': -4.0, 'effective_rank': 3.0, 'spread': 0.87, 'alignment': 0.0, 'positive_similarity': 1.0, \
'negative_similarity': 0.0}
    """
    z = _unit(_checked(z))
    row = {
        "uniformity": uniformity(z),
        "effective_rank": effective_rank(z, centre=True),
        "spread": dimension_std(z).square().sum().sqrt(),
    }
    if views is not None:
        if isinstance(views, Tensor) or len(views) != 2:
            raise TypeError("expected views to be the embeddings of two views; write diagnose(z, (z1, z2))")
        first, second = (_unit(_checked(view)) for view in views)
        positive, negative = similarity_samples(first, second, seed=seed)
        row |= {"alignment": alignment(first, second)}
        row |= {"positive_similarity": positive.mean(), "negative_similarity": negative.mean()}
    values = dict(zip(row, torch.stack([value.double() for value in row.values()]).tolist(), strict=True))
    return values if labels is None else values | {"false_negative_rate": false_negative_rate(labels)}


def profile(
    z: Float[Tensor, "n d"],
    views: tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]] | None = None,
    *,
    bins: int = 40,
    seed: int = 0,
) -> dict[str, list[float]]:
    """All diagnostics that are lists of numbers, of one batch: what :func:`graphcl.report.embedding_profile` draws.

    Args:
        z: ``[N, D]`` embeddings of the clean data.
        views: The embeddings of two views of the same items; without them there are no similarities.
        bins: B, as in :func:`similarity_histogram`.
        seed: As in :func:`similarity_samples`.

    Returns:
        ``singular_values`` of the rows at length one, centred, largest first; ``dimension_std``; with views ``edges``
        ``[B + 1]`` and the shares of ``positive_similarity`` and ``negative_similarity`` between them ``[B]``.

    Raises:
        ValueError: As the functions it calls.

    Example:
        >>> z = torch.eye(3)
        >>> found = profile(z, (z, z), bins=2)
        >>> found["positive_similarity"], found["negative_similarity"]
        ([0.0, 1.0], [0.0, 1.0])
    """
    lists = {"singular_values": singular_values(_unit(_checked(z)), centre=True), "dimension_std": dimension_std(z)}
    if views is not None:
        for name, sample in zip(("positive", "negative"), similarity_samples(*views, seed=seed), strict=True):
            counts, lists["edges"] = similarity_histogram(sample, bins=bins)
            lists[f"{name}_similarity"] = counts / counts.sum()
    return {name: values.tolist() for name, values in lists.items()}


def collapse_of(row: Mapping[str, float]) -> str | None:
    """What is wrong with embeddings that have collapsed, and what to try; ``None`` if they have not.

    Args:
        row: As :func:`diagnose` returns it.

    Example:
        >>> collapse_of(diagnose(torch.ones(8, 4)))[:50]
        'the embeddings have collapsed: all rows point the '
        >>> collapse_of(diagnose(torch.eye(4))) is None
        True
    """
    advice = (
        "try a smaller learning rate, weaker views, another temperature (InfoNCE) or a larger weight of the variance "
        "or decorrelation term (VICReg, Barlow Twins), batch normalisation in the head, more graphs in a "
        "batch, or features that tell the items apart"
    )
    if row["spread"] < SPREAD_FLOOR:
        return f"the embeddings have collapsed: all rows point the same way (spread {row['spread']:.2g} of 1); {advice}"
    if row["effective_rank"] < RANK_FLOOR:
        return f"the embeddings have collapsed to a line (effective rank {row['effective_rank']:.2f}); {advice}"
    return None


def _negative_pairs(count: int, pairs: int, seed: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """``[P]`` rows i and j, never the same one in both."""
    if pairs < 1:
        raise ValueError(f"expected pairs of at least 1, got {pairs}")
    draw = torch.arange(pairs, device=device)
    i = randint(hash_ids(fold(seed, 0), draw), count)
    j = randint(hash_ids(fold(seed, 1), draw), count - 1)
    return i, j + (j >= i)


def _checked(z: Tensor) -> Tensor:
    """The rows in float32 at least, without a graph behind them."""
    if z.dim() != 2 or 0 in z.shape:
        raise ValueError(f"expected embeddings [N, D] of at least one row and dimension, got {list(z.shape)}")
    z = z.detach().to(torch.promote_types(torch.float32, z.dtype))
    if not bool(torch.isfinite(z).all()):
        raise ValueError("expected finite embeddings, got NaN or infinite values; check the loss and the features")
    return z


def _unit(z: Tensor) -> Tensor:
    """Rows of length 1, whatever their size; zeros stay zeros."""
    largest = z.abs().amax(1, keepdim=True)
    return torch.nn.functional.normalize(z / torch.where(largest > 0, largest, 1), dim=1)
