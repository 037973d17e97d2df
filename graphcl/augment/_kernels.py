"""The two diffusions of the field, each as a power series in a transition matrix T: all at once, or term by term."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphcl.augment._matrices import Array

__all__ = ["Heat", "Kernel", "PageRank", "Term"]


@dataclass(frozen=True)
class Term:
    """One round of the large-graph algorithm.

    Attributes:
        share: What part of the walkers stops where it is.
        onwards: What part takes one more step.
        bar: Walkers are followed where there are more of them than this, in units of the tolerance.
    """

    share: float
    onwards: float
    bar: float


class Kernel(ABC):
    """A diffusion; ``waits`` says whether walkers too few to be followed wait for others, or else are left out."""

    waits: ClassVar[bool]

    @abstractmethod
    def dense(self, transition: Array) -> Array:
        """``[B, n, n]`` the diffusion of each ``transition``, whose columns sum to at most 1."""

    @abstractmethod
    def term(self, k: int) -> Term:
        """The k-th round."""


@dataclass(frozen=True)
class PageRank(Kernel):
    """alpha (I - (1 - alpha) T)^-1."""

    alpha: float
    waits: ClassVar[bool] = True

    def dense(self, transition: Array) -> Array:
        # numpy solves one matrix after the other, each in a buffer of its own, so that the bits do not depend on how
        # many there are; torch's batched solver, with several threads, is not like that.
        return self.alpha * np.linalg.inv(np.eye(transition.shape[-1]) - (1 - self.alpha) * transition)

    def term(self, k: int) -> Term:
        return Term(self.alpha, 1 - self.alpha, 1.0)


@dataclass(frozen=True)
class Heat(Kernel):
    """exp(-t (I - T))."""

    t: float
    waits: ClassVar[bool] = False

    def dense(self, transition: Array) -> Array:
        # exp(-t (I - T)) = exp(-h (I - T))^(2^s), and the series for a short time h <= 1/2 ends after 16 terms. Nothing
        # in it is negative, so nothing cancels. By powers of T^4 it takes six products.
        squarings = max(0, math.ceil(math.log2(self.t / 0.5)))
        h = self.t / 2**squarings
        c = [math.exp(-h) * h**k / math.factorial(k) for k in range(16)]
        one = np.eye(transition.shape[-1])
        two = transition @ transition
        three, four = two @ transition, two @ two
        parts = [c[k] * one + c[k + 1] * transition + c[k + 2] * two + c[k + 3] * three for k in (12, 8, 4, 0)]
        out: Array = parts[0]
        for part in parts[1:]:
            out = out @ four + part
        for _ in range(squarings):
            out = out @ out
        return out

    def term(self, k: int) -> Term:
        # Leaving out d_k walkers in round k costs the result C_k d_k, C_k = c_k + c_(k+1) + ... Half the tolerance goes
        # to rounds in proportion to C_k (which sum to t + 1), half is halved from round to round, which ends the loop.
        logs = [i * math.log(self.t) - self.t - math.lgamma(i + 1) for i in range(k, k + 200 + int(4 * self.t))]
        rest = math.fsum(math.exp(x) for x in logs)
        early = 0.5 / (self.t + 1)
        return Term(math.exp(logs[0]), 1.0, max(early, 0.5 ** (k + 2) / rest) if rest > 1e-300 else math.inf)
