"""Whether the view of a graph depends on its own name and key alone, and on nothing that a call has in common."""

from typing import Any

from graphcl.augment.base import EditAugmentation
from graphcl.augment.compose import Compose, RandomApply, RandomChoice
from graphcl.augment.feature_mask import FeatureMask
from graphcl.augment.feature_shuffle import FeatureShuffle

__all__ = ["is_keyed_by_graph"]


def is_keyed_by_graph(transform: Any) -> bool:
    """Whether ``transform.view(batch, keys)`` takes a ``[G]`` tensor of keys, one per graph."""
    if isinstance(transform, Compose | RandomChoice):
        return all(map(is_keyed_by_graph, transform.augmentations))
    if isinstance(transform, RandomApply):
        return is_keyed_by_graph(transform.augmentation)
    if isinstance(transform, FeatureMask):
        return not transform.shared
    if isinstance(transform, FeatureShuffle):
        return not transform.across
    return isinstance(transform, EditAugmentation)
