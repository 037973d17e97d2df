"""Named protocols for graph embeddings: the name fixes the classifier, the scaler, the grid and the folds.

Every protocol that learns from labels is a nested cross-validation. The outer folds give the score; the penalty ``C``,
or the number of neighbours, is chosen inside the training part of each outer fold, so the test fold is read once.
Clusters and retrieval learn nothing from labels and choose nothing by them: all graphs take part, and every run counts.
Scores under different protocols are not comparable: the kernel alone moves GraphCL on REDDIT-BINARY from 89.5 to 82.6.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from graphcl._arguments import check_choice, plain
from graphcl.evaluate._names import check_protocol, named
from graphcl.evaluate.molecule_protocols import MOLECULE_PROTOCOLS
from graphcl.evaluate.node_protocols import NODE_PROTOCOLS
from graphcl.evaluate.semi_protocols import SEMI_PROTOCOLS

__all__ = ["PROTOCOLS", "Protocol", "protocol", "with_folds"]

PROBES = {
    "svm": ("linear", "rbf", "precomputed"),
    "knn": ("cosine", "precomputed"),
    "kmeans": ("cosine", "precomputed"),
    "retrieval": ("cosine", "precomputed"),
}  # with the kernels that each can have


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How frozen embeddings are scored.

    Args:
        name: The name that is printed beside every score.
        kernel: ``rbf`` (``SVC``, gamma ``scale``), ``linear`` (``LinearSVC`` in the primal), ``cosine`` (rows of length
            1, where nothing else is fitted) or ``precomputed`` (on a given kernel matrix).
        scaler: Whether a standard scaler, fitted on the training part only, comes before the classifier.
        probe: ``svm``; ``knn`` (a vote of the nearest training graphs, the first class among equals); ``kmeans``
            (clusters against classes); ``retrieval`` (of the nearest other graphs, how many are of the same class).
        grid: The values of ``C``, or of the number of neighbours, to choose from; the first best one wins. For
            ``retrieval`` the numbers of neighbours, each of which is scored.
        folds: Outer folds, stratified and shuffled by the seed; for ``kmeans`` the number of runs.
        inner_folds: Folds of the choice inside a training part, stratified and not shuffled.
        grouped: Whether graphs of one group (such as ``wl_classes``: graphs that no message passing tells apart) stay
            together in all folds, inner and outer; the groups are then an argument of what scores.
        max_iter: Iteration limit of ``LinearSVC``, scikit-learn's own by default. Fits that reach it are counted. On
            small sets whose embeddings have dependent columns, those with the largest C do (a quarter of the fits on
            MUTAG); there 50 times as many iterations changed no chosen C and no score.
        source: Where the protocol comes from.

    Raises:
        ValueError: An unknown probe or kernel, an empty or non-positive grid, fewer than two folds.
    """

    name: str
    kernel: str
    scaler: bool
    probe: str = "svm"
    grid: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
    folds: int = 10
    inner_folds: int = 5
    max_iter: int = 1000
    grouped: bool = False
    source: str = ""
    baseline: ClassVar[str] = "untrained"  # what lifts are over

    def __post_init__(self) -> None:
        check_choice("probe", self.probe, PROBES)
        check_choice(f"the kernel of {self.probe}", self.kernel, PROBES[self.probe])
        if self.scaler and self.kernel in ("precomputed", "cosine"):
            raise ValueError(
                f"expected no scaler with a {self.kernel} kernel, got scaler=True; scale the features before"
            )
        if self.probe != "kmeans" and (not self.grid or min(self.grid) <= 0):
            raise ValueError(f"expected a grid of positive values, got {self.grid}")
        if self.probe in ("knn", "retrieval") and any(k != int(k) for k in self.grid):
            raise ValueError(f"expected whole numbers of neighbours, got {self.grid}")
        if self.nested and min(self.folds, self.inner_folds) < 2:
            raise ValueError(f"expected at least 2 folds and 2 inner folds, got {self.folds} and {self.inner_folds}")
        if self.folds < 1 or (self.grouped and not self.nested):
            raise ValueError(f"expected folds to group, or runs, got {self.folds} and grouped={self.grouped}")

    @property
    def nested(self) -> bool:
        """Whether it is a nested cross-validation; else no label is learned from and nothing chosen."""
        return self.probe in ("svm", "knn")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of its scores, all in percent."""
        if self.probe == "kmeans":
            return ("nmi", "ari")
        return tuple(f"precision@{int(k)}" for k in self.grid) if self.probe == "retrieval" else ("accuracy",)


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
        Protocol(
            name="graph-knn",
            kernel="cosine",
            scaler=False,
            probe="knn",
            grid=(1, 3, 5, 10, 20),
            source="the folds of tu-rbf-svm; Cover and Hart, Nearest Neighbor Pattern Classification, 1967",
        ),
        Protocol(
            name="graph-kmeans",
            kernel="cosine",
            scaler=False,
            probe="kmeans",
            grid=(),
            source="as Lee et al., Augmentation-Free Self-Supervised Learning on Graphs, AAAI 2022, for nodes",
        ),
        Protocol(
            name="graph-retrieval",
            kernel="cosine",
            scaler=False,
            probe="retrieval",
            grid=(1, 5, 10),
            folds=1,
            source="Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, section 8.4",
        ),
    )
}
PROTOCOLS: dict[str, Protocol] = _STANDARD | {
    f"{name}-grouped": replace(
        entry, name=f"{name}-grouped", grouped=True, source=f"as {name}, duplicates kept together"
    )
    for name, entry in _STANDARD.items()
    if entry.nested
}


def protocol(name: str) -> Any:
    """The protocol of that name, whatever it scores; what it scores is its class.

    Args:
        name: A key of ``PROTOCOLS`` (graphs), ``NODE_PROTOCOLS`` (nodes and their links), ``MOLECULE_PROTOCOLS`` or
            ``SEMI_PROTOCOLS`` (graphs with few labels), or one of their short names.

    Returns:
        A :class:`Protocol`, :class:`NodeProtocol`, :class:`MoleculeProtocol` or :class:`SemiProtocol`.

    Raises:
        ValueError: No such protocol; the message lists the nearest names.

    Example:
        >>> protocol("tu-rbf-svm").folds, protocol("node-linear-public").splits
        (10, 'public')
    """
    known = {**PROTOCOLS, **NODE_PROTOCOLS, **MOLECULE_PROTOCOLS, **SEMI_PROTOCOLS}
    return named(name, known, "a known protocol", usual=sorted(_STANDARD))


def with_folds(base: Protocol, folds: int, inner_folds: int | None = None) -> Protocol:
    """The protocol with other fold counts, for small data, or another number of runs; its name says so.

    Args:
        base: The protocol to change.
        folds: Outer folds, or runs of k-means.
        inner_folds: Inner folds; as they are when left out.

    Raises:
        ValueError: A protocol without folds and runs, or without inner folds.

    Example:
        >>> with_folds(protocol("tu-rbf-svm"), 3).name
        'tu-rbf-svm-3x5-folds'
    """
    check_protocol(base, Protocol)
    folds, inner_folds = plain(folds), plain(inner_folds)
    if base.probe == "retrieval" or (not base.nested and inner_folds is not None):
        raise ValueError(f"expected a protocol with {'inner ' if base.probe == 'kmeans' else ''}folds, got {base.name}")
    if not base.nested:
        return base if folds == base.folds else replace(base, name=f"{base.name}-{folds}-runs", folds=folds)
    inner = base.inner_folds if inner_folds is None else inner_folds
    if (folds, inner) == (base.folds, base.inner_folds):
        return base
    return replace(base, name=f"{base.name}-{folds}x{inner}-folds", folds=folds, inner_folds=inner)
