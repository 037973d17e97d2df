"""One of several augmentations, or perhaps one: for each graph of a batch its own choice.

Graphs that drew different members are edited together: in pass 0 each by the first step of its member, in pass 1 by the
second, until the longest composition is through. A graph's choice is a hash of its name and so the same in every pass;
nothing is cut apart or joined but masks and indices.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._random import Key, fold, randint, upper_bits
from graphcl.augment._edit import Edit, merge
from graphcl.augment._graph import Graph
from graphcl.augment._select import check_share
from graphcl.augment.base import Augmentation, view_in_passes
from graphcl.augment.compose import Identity, members

__all__ = ["RandomApply", "RandomChoice", "choose"]


class RandomChoice(Augmentation):
    """Apply one of several augmentations, chosen independently for each graph of a batch.

    Each member sees only the graphs that drew it, and the batch is rebuilt once: as often as the longest member has
    steps, where members are compositions.

    Args:
        augmentations: At least one. Each has to say its changes as an edit (:class:`EditAugmentation`, as all views of
            molecules do), or to be a Compose, RandomChoice or RandomApply of such.
        p: How likely each is: one number per augmentation, not negative; only their ratios count. ``None``: all alike.

    Raises:
        ValueError: There is no augmentation; ``p`` has another length, a negative number, or a sum of zero.
        TypeError: A member cannot share a pass with others; ``p`` is no list of numbers.

    Example:
        >>> from graphcl.augment import EdgePerturb, NodeDrop
        >>> RandomChoice([NodeDrop(drop=0.1), EdgePerturb(drop=0.1, add=0.1)], p=[0.7, 0.3]).p
        [0.7, 0.3]

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 ("random4"
    in the authors' code).
    """

    def __init__(self, augmentations: Sequence[Augmentation], *, p: Sequence[float] | Tensor | None = None) -> None:
        self.augmentations = members(augmentations, edits=True)
        self.p = None if p is None else _check_weights(p, len(self.augmentations))

    def view(self, data: Data, key: Key) -> Data:
        return view_in_passes(self, data, key)

    @property
    def passes(self) -> int:
        return max(member.passes for member in self.augmentations)

    def edit_pass(self, graph: Graph, key: Key, number: int) -> Edit:
        choice = choose(graph.keys(key), self.p, len(self.augmentations))
        return _edit_parts(self.augmentations, choice, graph, key, number)

    @property
    def keyed_by_graph(self) -> bool:
        return all(member.keyed_by_graph for member in self.augmentations)


class RandomApply(Augmentation):
    """Apply an augmentation to each graph of a batch with probability ``p``; the other graphs stay as they are.

    Args:
        augmentation: What to apply; as for :class:`RandomChoice`.
        p: The probability that it is, within [0, 1].

    Raises:
        ValueError: ``p`` lies outside [0, 1].
        TypeError: The augmentation cannot share a pass with others.

    Example:
        >>> from graphcl.augment import Compose, NodeDrop
        >>> RandomApply(Compose([NodeDrop(drop=0.1), Identity()]), p=0.8).p
        0.8
    """

    def __init__(self, augmentation: Augmentation, p: float = 0.5) -> None:
        (self.augmentation,) = members([augmentation], edits=True)
        self.p = check_share("p", p)

    def view(self, data: Data, key: Key) -> Data:
        return view_in_passes(self, data, key)

    @property
    def passes(self) -> int:
        return self.augmentation.passes

    def edit_pass(self, graph: Graph, key: Key, number: int) -> Edit:
        choice = choose(graph.keys(key), [self.p, 1 - self.p], 2)
        return _edit_parts([self.augmentation, Identity()], choice, graph, key, number)

    @property
    def keyed_by_graph(self) -> bool:
        return self.augmentation.keyed_by_graph


def _edit_parts(augmentations: list[Augmentation], choice: Tensor, graph: Graph, key: Key, number: int) -> Edit:
    """Each member's changes to the graphs that chose it."""
    parts = graph.split(choice, len(augmentations))
    edits = []
    for i, (member, (part, _, _)) in enumerate(zip(augmentations, parts)):
        own = key[choice == i] if isinstance(key, Tensor) and key.dim() > 0 else key
        edits.append(member.edit_pass(part, fold(own, i + 1), number) if number < member.passes else Edit())
    return merge(graph, ((edit, nodes, edges) for edit, (_, nodes, edges) in zip(edits, parts)))


def choose(hashes: Tensor, p: list[float] | None, count: int) -> Tensor:
    """``[G]`` one of ``count`` numbers per hash, with probabilities in the ratios of ``p``."""
    if p is None:
        return randint(hashes, count)
    sums = list(accumulate(p))
    # Compared as whole numbers, as in `below`; the last bound is that of all numbers.
    bounds = torch.tensor([int(s / sums[-1] * 2.0**53) for s in sums[:-1]], dtype=torch.int64, device=hashes.device)
    return torch.searchsorted(bounds, upper_bits(hashes), right=True)


def _check_weights(p: Sequence[float] | Tensor, count: int) -> list[float]:
    given = p.tolist() if isinstance(p, Tensor) else p
    try:
        weights = [float(weight) for weight in given]
    except (TypeError, ValueError):  # a single number, or words
        raise TypeError(f"expected p as one number for each of {count} augmentations, got {p!r}") from None
    if len(weights) != count:
        raise ValueError(f"expected one number in p for each of {count} augmentations, got {len(weights)}")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or sum(weights) == 0:
        raise ValueError(f"expected p of numbers that are finite, not negative and not all zero, got {weights}")
    return weights
