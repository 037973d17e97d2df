"""Negatives minus the share of them that are positives in disguise."""

import math

import torch
from torch import Tensor

from graphcl.losses._checks import check_within
from graphcl.losses._negatives import mean_cost

__all__ = ["check_class_prior", "debiased_cost"]


def check_class_prior(class_prior: float) -> None:
    """A share of false negatives."""
    check_within("class_prior", class_prior, 0, 1)


def debiased_cost(
    positive: Tensor, negatives: Tensor, log_n: float | Tensor, class_prior: float, temperature: float | Tensor
) -> Tensor:
    r"""The mean of :math:`-\log(e^x / (e^x + N_g))` with
    :math:`N_g = \max\{(S - n \tau^+ e^x) / (1 - \tau^+),\ n e^{-1/\tau}\}`, all in logarithms.

    ``positive`` is x, ``negatives`` log S (n times the mean of the negatives), ``log_n`` log n.
    """
    if class_prior == 0:
        return mean_cost(positive, negatives)
    everything = negatives - math.log1p(-class_prior)
    disguised = log_n + math.log(class_prior) - math.log1p(-class_prior) + positive
    gap = disguised - everything  # the difference of both is positive where this is below 0
    real = everything + torch.log(-torch.expm1(torch.where(gap < 0, gap, -1.0)))
    least = log_n - 1.0 / temperature + torch.zeros_like(real)
    return mean_cost(positive, torch.where((gap < 0) & (real > least), real, least))
