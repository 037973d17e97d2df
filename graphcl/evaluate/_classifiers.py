"""The classifiers of the protocols, each a callable that fits one training part for several settings and predicts.

A setting is ``C``, or a number of neighbours. What does not depend on it (distances, kernels, scalers) is computed once
per training part and shared by the grid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphcl.evaluate._checks import FloatArray, IntArray
from graphcl.evaluate.knn import unit, unit_kernel, votes_by

__all__ = [
    "RBF",
    "Classifier",
    "Linear",
    "Neighbours",
    "Precomputed",
    "ScaledRBF",
    "scale_gamma",
    "squared_distances",
    "standardise",
]

# classifier(y, fit, predict, grid) -> predicted codes [len(grid), len(predict)], number of fits that did not converge
Classifier = Callable[[IntArray, IntArray, IntArray, Sequence[float]], tuple[IntArray, int]]


def scale_gamma(x: FloatArray) -> float:
    """The gamma of ``SVC(gamma="scale")`` on these training rows, its edge case of no variance included."""
    variance = float(x.var())
    return 1.0 / (x.shape[1] * variance) if variance != 0 else 1.0


def squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared distances [len(a), len(b)] in float64, by one matrix product."""
    # Distances do not change when both are moved; near the origin the subtraction below cancels least.
    centre = a.mean(axis=0)
    a, b = a - centre, b - centre
    product = a @ b.T
    product *= -2
    product += (a * a).sum(axis=1)[:, None]
    product += (b * b).sum(axis=1)[None, :]
    return np.maximum(product, 0, out=product)


def fit_kernel(
    y: IntArray, train_kernel: FloatArray, test_kernel: FloatArray, grid: Sequence[float]
) -> tuple[IntArray, int]:
    """Fit ``SVC`` on a kernel matrix [fit, fit] for every C, and predict from [predict, fit]."""
    from sklearn import config_context
    from sklearn.svm import SVC

    # A cache that holds the whole matrix in libsvm's float32, so that no row is computed twice.
    cache = max(200.0, 1.1 * train_kernel.size * 4 / 2**20)
    predictions = np.empty((len(grid), len(test_kernel)), dtype=np.int64)
    with config_context(assume_finite=True):  # checked once, at the entrance
        for row, penalty in enumerate(grid):
            machine = SVC(C=penalty, kernel="precomputed", cache_size=cache).fit(train_kernel, y)
            predictions[row] = machine.predict(test_kernel)
    return predictions, 0


def gaussian(distances: FloatArray, gamma: float) -> FloatArray:
    """exp(-gamma * distance), in place."""
    distances *= -gamma
    return np.exp(distances, out=distances)


@dataclass(frozen=True)
class RBF:
    """``SVC()`` on the embeddings as they are; the distances are computed once for all folds."""

    x: FloatArray
    distances: FloatArray

    def __call__(self, y: IntArray, fit: IntArray, predict: IntArray, grid: Sequence[float]) -> tuple[IntArray, int]:
        gamma = scale_gamma(self.x[fit])
        train_kernel = gaussian(self.distances[np.ix_(fit, fit)], gamma)
        return fit_kernel(y[fit], train_kernel, gaussian(self.distances[np.ix_(predict, fit)], gamma), grid)


@dataclass(frozen=True)
class ScaledRBF:
    """Standard scaler and ``SVC()``; the scaler differs per training part, and so do the distances."""

    x: FloatArray

    def __call__(self, y: IntArray, fit: IntArray, predict: IntArray, grid: Sequence[float]) -> tuple[IntArray, int]:
        train, test = standardise(self.x[fit], self.x[predict])
        gamma = scale_gamma(train)
        train_kernel = gaussian(squared_distances(train, train), gamma)
        return fit_kernel(y[fit], train_kernel, gaussian(squared_distances(test, train), gamma), grid)


@dataclass(frozen=True)
class Linear:
    """``LinearSVC`` in the primal, after a standard scaler if asked."""

    x: FloatArray
    scaler: bool
    max_iter: int

    def __call__(self, y: IntArray, fit: IntArray, predict: IntArray, grid: Sequence[float]) -> tuple[IntArray, int]:
        from sklearn.svm import LinearSVC

        train, test = self.x[fit], self.x[predict]
        if self.scaler:
            train, test = standardise(train, test)
        predictions = np.empty((len(grid), len(predict)), dtype=np.int64)
        unconverged = 0
        for row, penalty in enumerate(grid):
            machine: Any = LinearSVC(C=penalty, dual=False, max_iter=self.max_iter).fit(train, y[fit])
            unconverged += int(np.max(machine.n_iter_) >= self.max_iter)
            predictions[row] = machine.predict(test)
        return predictions, unconverged


@dataclass(frozen=True)
class Precomputed:
    """``SVC`` on a given kernel matrix, such as the one of Weisfeiler and Lehman."""

    gram: FloatArray

    def __call__(self, y: IntArray, fit: IntArray, predict: IntArray, grid: Sequence[float]) -> tuple[IntArray, int]:
        return fit_kernel(y[fit], self.gram[np.ix_(fit, fit)], self.gram[np.ix_(predict, fit)], grid)


@dataclass(frozen=True)
class Neighbours:
    """The vote of the most similar training graphs; similarities of all pairs are computed once for all folds."""

    similarity: FloatArray

    @classmethod
    def by_cosine(cls, x: FloatArray) -> "Neighbours":
        rows = unit(x)
        return cls(rows @ rows.T)

    @classmethod
    def by_kernel(cls, gram: FloatArray) -> "Neighbours":
        return cls(unit_kernel(gram))

    def __call__(self, y: IntArray, fit: IntArray, predict: IntArray, grid: Sequence[float]) -> tuple[IntArray, int]:
        counts = [min(int(k), len(fit)) for k in grid]  # all of them where there are fewer
        votes = votes_by(self.similarity[np.ix_(predict, fit)], y[fit], counts, classes=int(y.max()) + 1)
        return votes.argmax(axis=2), 0


def standardise(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both parts, scaled by the mean and standard deviation of the training part."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)
