"""Named protocols for node embeddings: the name fixes scaler, probe, grid, splits and which nodes choose.

The training nodes fit the probe, the validation nodes choose its one setting (or, where a paper did so, folds of the
training nodes do), and the test nodes are read once. "A random split" has meant at least four things in the literature,
with two-fold differences in the number of labels: scores under different names are not comparable.

One row is scored with another scaler: ``raw``, the node features themselves, has its rows scaled to length 1 where the
protocol says ``standard``. A standard scaler blows up rare words and costs bags of words 5 to 10 points (Cora, public
split: 52.9 against 60.4), and a baseline must not be made weak. Pairs of nodes are scored as the protocol says: there
the standard scaler is the better one (Cora, AUC: 80.4 against 79.7).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from graphcl._arguments import check_choice
from graphcl.evaluate._names import check_protocol, named

__all__ = ["NODE_PROTOCOLS", "NodeProtocol", "node_protocol", "with_splits"]

PROBES = ("logistic", "liblinear", "knn", "kmeans", "link")
SPLITS = ("public", "fixed", "random", "none")
SCALERS = ("standard", "l2", "none")
INNER = ("", "kfold", "shuffle")


@dataclass(frozen=True, kw_only=True)
class NodeProtocol:
    """How frozen node embeddings are scored.

    Args:
        name: The name that is printed beside every score.
        probe: ``logistic`` (multinomial logistic regression, L2), ``liblinear`` (one logistic regression per class by
            scikit-learn's liblinear), ``knn`` (cosine neighbours), ``kmeans`` (clusters against classes) or ``link``
            (logistic regression on the products of two nodes' embeddings).
        splits: ``public`` (the one split that comes with the graph), ``fixed`` (all that come with it), ``random``, or
            ``none`` where no label is learned from.
        scaler: ``standard`` (fitted on the training nodes), ``l2`` (each row to length 1) or ``none``.
        grid: The settings to choose from, ``C`` or the number of neighbours; the first best one wins.
        train: Share of training nodes in a random split.
        validation: Share of validation nodes in a random split; 0 where inner folds choose.
        count: Number of random splits, or of runs of k-means. The same for every model seed.
        inner: How the training part is divided to choose ``C`` where there are no validation nodes: ``kfold`` (5 folds,
            then fitted on all) or ``shuffle`` (5 random halves, then fitted on all).
        max_iter: Iteration limit of the logistic regression; fits that reach it are counted.
        source: Where the protocol comes from.

    Raises:
        ValueError: An unknown word, an empty or non-positive grid, shares that leave no test nodes.
    """

    name: str
    probe: str
    splits: str
    scaler: str
    grid: tuple[float, ...] = ()
    train: float = 0.0
    validation: float = 0.0
    count: int = 1
    inner: str = ""
    max_iter: int = 1000
    source: str = ""
    baseline: ClassVar[str] = "untrained"  # what lifts are over

    def __post_init__(self) -> None:
        words = {"probe": PROBES, "splits": SPLITS, "scaler": SCALERS, "inner": INNER}
        for key, known in words.items():
            check_choice(key, getattr(self, key), known)
        if self.probe != "kmeans" and (not self.grid or min(self.grid) <= 0):
            raise ValueError(f"expected a grid of positive values, got {self.grid}")
        if self.splits == "random" and not (0 < self.train and 0 <= self.validation < 1 - self.train):
            raise ValueError(f"expected shares that leave test nodes, got {self.train} and {self.validation}")
        if self.splits == "random" and self.probe != "link" and bool(self.validation) == bool(self.inner):
            raise ValueError("expected validation nodes or inner folds to choose the setting, got both or neither")
        if self.count < 1:
            raise ValueError(f"expected a count of at least 1, got {self.count}")


_PENALTIES = tuple(10.0**power for power in range(-4, 5))

_ALL = (
    NodeProtocol(
        name="node-linear-public",
        probe="logistic",
        splits="public",
        scaler="standard",
        grid=_PENALTIES,
        source="Yang et al., Revisiting Semi-Supervised Learning with Graph Embeddings, ICML 2016 (the split); "
        "Velickovic et al., Deep Graph Infomax, ICLR 2019 (logistic regression on frozen embeddings)",
    ),
    NodeProtocol(
        name="node-linear-random-10-10-80",
        probe="logistic",
        splits="random",
        scaler="standard",
        grid=_PENALTIES,
        train=0.1,
        validation=0.1,
        count=20,
        source="Zhu et al., Graph Contrastive Learning with Adaptive Augmentation, WWW 2021 (the shares)",
    ),
    NodeProtocol(
        name="node-bgrl-20-80",
        probe="liblinear",
        splits="random",
        scaler="l2",
        grid=tuple(2.0**power for power in range(-10, 11)),
        train=0.2,
        count=20,
        inner="shuffle",
        source="Thakoor et al., Large-Scale Representation Learning on Graphs via Bootstrapping, ICLR 2022, code",
    ),
    NodeProtocol(
        name="node-grace-10-90",
        probe="liblinear",
        splits="random",
        scaler="l2",
        grid=tuple(2.0**power for power in range(-10, 10)),
        train=0.1,
        count=3,
        inner="kfold",
        source="Zhu et al., Deep Graph Contrastive Representation Learning, ICML 2020 workshop, authors' code",
    ),
    NodeProtocol(
        name="node-fixed-splits",
        probe="logistic",
        splits="fixed",
        scaler="standard",
        grid=_PENALTIES,
        source="Pei et al., Geom-GCN, ICLR 2020 (ten splits); Platonov et al., ICLR 2023; Mernyei and Cangea, 2020",
    ),
    NodeProtocol(
        name="ogb-linear",
        probe="logistic",
        splits="public",
        scaler="standard",
        grid=_PENALTIES,
        source="Hu et al., Open Graph Benchmark, NeurIPS 2020 (the split and the metric); Thakoor et al., ICLR 2022",
    ),
    NodeProtocol(
        name="knn",
        probe="knn",
        splits="random",
        scaler="l2",
        grid=(1, 3, 5, 10, 20),
        train=0.1,
        validation=0.1,
        count=20,
    ),
    NodeProtocol(
        name="kmeans",
        probe="kmeans",
        splits="none",
        scaler="l2",
        count=10,
    ),
    NodeProtocol(
        name="link",
        probe="link",
        splits="random",
        scaler="standard",
        grid=_PENALTIES[:7],
        train=0.85,
        validation=0.05,
        source="Kipf and Welling, Variational Graph Auto-Encoders, 2016 (the shares of edges)",
    ),
    NodeProtocol(
        name="ogb-link",
        probe="link",
        splits="public",
        scaler="standard",
        grid=_PENALTIES[:7],
        source="Hu et al., Open Graph Benchmark, NeurIPS 2020 (split, negative pairs and metric)",
    ),
)

NODE_PROTOCOLS: dict[str, NodeProtocol] = {entry.name: entry for entry in _ALL}


def node_protocol(name: str) -> NodeProtocol:
    """The protocol of that name; ``node-linear-random`` is short for ``node-linear-random-10-10-80``.

    Args:
        name: A key of ``NODE_PROTOCOLS``, or the short name.

    Raises:
        ValueError: No such protocol; the message lists the nearest names.

    Example:
        >>> node_protocol("node-linear-random").count
        20
    """
    return named(name, NODE_PROTOCOLS, "a known node-level protocol", usual=sorted(NODE_PROTOCOLS))


def with_splits(base: NodeProtocol, count: int) -> NodeProtocol:
    """The protocol with another number of random splits or runs, for a first look; its name says so.

    Args:
        base: The protocol to change, one with random splits or runs of k-means.
        count: How many.

    Raises:
        ValueError: A protocol whose splits come with the graph.

    Example:
        >>> with_splits(node_protocol("kmeans"), 2).name
        'kmeans-2-runs'
    """
    check_protocol(base, NodeProtocol)
    if base.splits in ("public", "fixed") or base.probe == "link":
        raise ValueError(f"expected a protocol that draws splits, got {base.name}, whose splits are given")
    if count == base.count:
        return base
    return replace(base, name=f"{base.name}-{count}-{'runs' if base.probe == 'kmeans' else 'splits'}", count=count)
