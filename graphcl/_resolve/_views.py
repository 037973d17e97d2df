"""Views in words: NAME, NAME:SHARE, several in turn, or one of several."""

from collections.abc import Callable, Mapping
from typing import Any

from graphcl import augment
from graphcl._recipes import near
from graphcl._vocabulary import VOCABULARIES
from graphcl.augment import Augmentation
from graphcl.errors import ConfigError
from graphcl.methods import random4

__all__ = ["VIEWS", "make_view", "of_molecules"]

Make = Callable[[float], Augmentation]

# Each with the share it has unless another is given ("node-drop:0.2"); those of the GraphCL recipe as they are there.
_WITH_SHARE: Mapping[str, tuple[float, Make]] = {
    "node-drop": (0.1, lambda share: augment.NodeDrop(share, count="floor")),
    "edge-drop": (0.1, lambda share: augment.EdgeDrop(share)),
    "edge-drop-directed": (0.1, lambda share: augment.EdgeDrop(share, directed=True)),
    "edge-add": (0.1, lambda share: augment.EdgeAdd(share)),
    "edge-perturb": (0.1, lambda share: augment.EdgePerturb(share, share, count="floor")),
    "edge-rewire": (0.1, lambda share: augment.EdgeRewire(share)),
    "edge-drop-adaptive": (0.1, lambda share: augment.AdaptiveEdgeDrop(share)),
    "edge-drop-adaptive-directed": (0.1, lambda share: augment.AdaptiveEdgeDrop(share, directed=True)),
    "edge-drop-spectral": (0.1, lambda share: augment.SpectralEdgeDrop(share)),
    "node-mask": (0.1, lambda share: augment.NodeMask(share, fill="gaussian", count="floor")),
    "feature-mask": (0.1, lambda share: augment.FeatureMask(share)),
    "feature-mask-adaptive": (0.1, lambda share: augment.AdaptiveFeatureMask(share)),
    "feature-dropout": (0.1, lambda share: augment.FeatureDropout(share)),
    "feature-noise": (0.1, lambda share: augment.FeatureNoise(share)),
    "subgraph": (0.2, lambda share: augment.RandomWalkSubgraph(share, count="floor")),
    "subgraph-growth": (0.8, lambda share: augment.GrowthSubgraph(share)),
    "subgraph-star": (0.2, lambda share: augment.StarSubgraph(share)),
    "ppr": (0.01, lambda share: _pagerank(share)),
    "ppr-scaled": (0.01, lambda share: _pagerank(share, renormalise="max")),
}
# The same for molecules, whose index table they have to be told.
_OF_MOLECULES: Mapping[str, tuple[float, Callable[[float, Any], Augmentation]]] = {
    "atom-mask": (0.25, lambda share, vocab: augment.AtomMask(share, vocab=vocab)),
    "atom-drop": (0.2, lambda share, vocab: augment.AtomDrop(share, vocab=vocab)),
    "bond-drop": (0.25, lambda share, vocab: augment.BondDrop(share, vocab=vocab)),
    "subgraph-remove": (0.25, lambda share, vocab: augment.SubgraphRemove(share, vocab=vocab)),
}
_ALONE: Mapping[str, Callable[[], Augmentation]] = {"identity": augment.Identity, "random4": random4}
VIEWS = (*_ALONE, *_WITH_SHARE, *_OF_MOLECULES)


def _pagerank(threshold: float, **options: Any) -> Augmentation:
    """MVGRL's diffusion, without entries below the threshold and accurate to a tenth of it."""
    return augment.PPRDiffusion(alpha=0.2, threshold=threshold, tolerance=threshold / 10, **options)


def make_view(words: str, vocab: str | None = None) -> Augmentation:
    """An augmentation from ``NAME`` or ``NAME:SHARE``; those joined by ``+`` are applied one after the other.

    Out of several that are joined by ``|``, which binds less closely, each graph draws one.

    Args:
        words: The description.
        vocab: The index table of the molecules, for views of molecules.

    Raises:
        ConfigError: The name is unknown, the share no number within [0, 1], or a view is one of molecules and the data
            are none.

    Example:
        >>> make_view("node-drop:0.2")
        NodeDrop(drop=0.2, remove=True, count='floor')
        >>> len(make_view("edge-drop:0.2+feature-mask:0.3").augmentations)
        2
        >>> make_view("atom-drop|bond-drop:0.1", "ogb").augmentations[1].drop
        0.1
    """
    either = [_in_turn(part, vocab) for part in words.split("|")]
    return either[0] if len(either) == 1 else augment.RandomChoice(either)


def of_molecules(words: str) -> bool:
    """Whether there is a view of molecules among these, so that an index table must be known.

    Example:
        >>> of_molecules("edge-drop:0.2|node-drop+atom-mask:0.25"), of_molecules("random4")
        (True, False)
    """
    names = (part.partition(":")[0].strip() for part in words.replace("|", "+").split("+"))
    return any(name in _OF_MOLECULES for name in names)


def _in_turn(words: str, vocab: str | None) -> Augmentation:
    parts = [_one_view(part.strip(), vocab) for part in words.split("+")]
    return parts[0] if len(parts) == 1 else augment.Compose(parts)


def _one_view(words: str, vocab: str | None) -> Augmentation:
    name, colon, share = words.partition(":")
    if name not in VIEWS:
        raise ConfigError(f"expected a view out of {', '.join(VIEWS)}, got {name!r}; nearest: {near(name, VIEWS)}")
    if colon and not share:
        raise ConfigError(f"expected a share after the colon, got {words!r}; leave out both for the usual one")
    if name in _ALONE:
        if share:
            raise ConfigError(f"expected {name} without a share, got {words!r}")
        return _ALONE[name]()
    if name in _OF_MOLECULES and vocab is None:
        raise ConfigError(
            f"expected graphs made from SMILES for the view {name} (--data FILE, or a set such as BBBP), got graphs "
            "without an index table of atoms; for these take --views node-drop, edge-drop, ..."
        )
    if name in _OF_MOLECULES and vocab not in VOCABULARIES:
        raise ConfigError(
            f"expected vocab {' or '.join(VOCABULARIES)} for the view {name}, got {vocab}, whose atoms have nothing "
            f"derived from their bonds; take node-drop, edge-drop or subgraph"
        )
    try:
        if name in _OF_MOLECULES:
            usual, make_of = _OF_MOLECULES[name]
            return make_of(float(share) if share else usual, vocab)
        usual, make = _WITH_SHARE[name]
        return make(float(share) if share else usual)
    except ValueError as error:
        raise ConfigError(f"view {words!r}: {error}") from error
