"""Named protocols for graph embeddings: the name fixes the classifier, the scaler, the grid and the folds.

Every protocol here is a nested cross-validation. The outer folds give the score; the penalty ``C`` is chosen inside the
training part of each outer fold, so the test fold is read once. Scores under different protocols are not comparable:
the kernel alone moves GraphCL on REDDIT-BINARY from 89.5 to 82.6.
"""

import difflib
from dataclasses import dataclass, replace

from graphcl.evaluate.node_protocols import NODE_PROTOCOLS

__all__ = ["PROTOCOLS", "Protocol", "protocol", "with_folds"]

KERNELS = ("linear", "rbf", "precomputed")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How frozen embeddings are scored.

    Args:
        name: the name that is printed beside every score.
        kernel: ``rbf`` (``SVC``, gamma ``scale``), ``linear`` (``LinearSVC`` in the primal) or ``precomputed`` (``SVC``
            on a given kernel matrix).
        scaler: whether a standard scaler, fitted on the training part only, comes before the classifier.
        grid: the values of ``C`` to choose from; the first best one wins.
        folds: outer folds, stratified and shuffled by the seed.
        inner_folds: folds of the choice of ``C`` inside a training part, stratified and not shuffled.
        grouped: whether graphs of one group (such as ``wl_classes``: graphs that no message passing tells apart) stay
            together in all folds, inner and outer; the groups are then an argument of what scores.
        max_iter: iteration limit of ``LinearSVC``, scikit-learn's own by default. Fits that reach it are counted. On
            small sets whose embeddings have dependent columns, those with the largest C do (a quarter of the fits on
            MUTAG); there 50 times as many iterations changed no chosen C and no score.
        source: where the protocol comes from.

    Raises:
        ValueError: an unknown kernel, an empty or non-positive grid, fewer than two folds.
    """

    name: str
    kernel: str
    scaler: bool
    grid: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
    folds: int = 10
    inner_folds: int = 5
    max_iter: int = 1000
    grouped: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise ValueError(f"expected kernel to be one of {', '.join(KERNELS)}, got {self.kernel!r}")
        if self.scaler and self.kernel == "precomputed":
            raise ValueError("expected no scaler with a precomputed kernel, got scaler=True; scale the features before")
        if not self.grid or min(self.grid) <= 0:
            raise ValueError(f"expected a grid of positive values of C, got {self.grid}")
        if min(self.folds, self.inner_folds) < 2:
            raise ValueError(f"expected at least 2 folds and 2 inner folds, got {self.folds} and {self.inner_folds}")


_STANDARD = {
    entry.name: entry
    for entry in (
        Protocol(
            name="tu-rbf-svm",
            kernel="rbf",
            scaler=False,
            source="You et al., Graph Contrastive Learning with Augmentations, NeurIPS 2020, authors' evaluation code",
        ),
        Protocol(
            name="tu-rbf-svm-scaled",
            kernel="rbf",
            scaler=True,
            source="as tu-rbf-svm, with a standard scaler fitted on the training fold",
        ),
        Protocol(
            name="tu-linear-svm",
            kernel="linear",
            scaler=True,
            source="Suresh et al., Adversarial Graph Augmentation to Improve Graph Contrastive Learning, NeurIPS 2021",
        ),
    )
}
PROTOCOLS: dict[str, Protocol] = _STANDARD | {
    f"{name}-grouped": replace(
        entry, name=f"{name}-grouped", grouped=True, source=f"as {name}, duplicates kept together"
    )
    for name, entry in _STANDARD.items()
}


def protocol(name: str) -> Protocol:
    """Returns the protocol of that name.

    Args:
        name: a key of ``PROTOCOLS``.

    Raises:
        ValueError: no such protocol; the message lists the nearest names.

    Example:
        >>> protocol("tu-rbf-svm").folds
        10
    """
    if name in NODE_PROTOCOLS:
        raise ValueError(f"expected a protocol for graphs, got {name}, which scores nodes; use node_protocol({name!r})")
    if name not in PROTOCOLS:
        near = difflib.get_close_matches(name, PROTOCOLS, n=3, cutoff=0.4) or sorted(_STANDARD)
        raise ValueError(f"expected a known protocol, got {name!r}; did you mean {' or '.join(near)}?")
    return PROTOCOLS[name]


def with_folds(base: Protocol, folds: int, inner_folds: int | None = None) -> Protocol:
    """Returns the protocol with other fold counts, for small data; its name says so.

    Args:
        base: the protocol to change.
        folds: outer folds.
        inner_folds: inner folds; as they are when left out.

    Example:
        >>> with_folds(protocol("tu-rbf-svm"), 3).name
        'tu-rbf-svm-3x5-folds'
    """
    inner = base.inner_folds if inner_folds is None else inner_folds
    if (folds, inner) == (base.folds, base.inner_folds):
        return base
    return replace(base, name=f"{base.name}-{folds}x{inner}-folds", folds=folds, inner_folds=inner)
