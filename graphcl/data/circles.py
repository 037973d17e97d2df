"""Generated circles of friends: a small graph-classification set of the social kind that needs no download."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch_geometric.data import Data

__all__ = ["synthetic_circles"]

_TOPICS, _PER_TOPIC = 5, 6  # interests belong to topics, six to each
_RATE, _OWN_RATE = 0.1, 0.4  # chance that someone has an interest: any, and one of the own two topics
_PEOPLE = (7, 12)  # members, and guests; upper end excluded
_FURTHER = 4.0  # friends of a member on average, besides those of the tree that holds the circle together


def _akin(first: int, second: int) -> bool:
    """Whether two topics are next to each other on the ring of all five."""
    return (second - first) % _TOPICS in (1, _TOPICS - 1)


_PAIRS = sorted(combinations(range(_TOPICS), 2), key=lambda pair: (not _akin(*pair), pair))


def synthetic_circles(num_graphs: int = 512, seed: int = 0) -> list[Data]:
    """Generate circles of friends whose class is whether the two topics that unite a circle are akin.

    The circles are synthetic. Each is about two of five topics, in one of ten pairs. Its 7 to 11 members know many of
    the others and have, faintly, the interests of both topics; 7 to 11 guests, each brought along by one member, have
    those of a pair drawn anew. The topics lie on a ring, and the class is whether the two of the members are neighbours
    there. Each topic is found in two pairs of either class, so that no single interest says anything: it takes the
    pair, and who knows whom to tell members from guests.

    The generator was tuned so that an untrained encoder is well above chance and well below 100 %, and so that
    contrast can help: what the members share is what two views of a circle share, most of the rest is chance, and the
    class is not a linear function of it. A gain here shows that training works; it says nothing about real networks.

    Args:
        num_graphs: How many circles.
        seed: Of a generator of its own (PCG64); the same seed gives the same circles.

    Returns:
        One `Data` per circle: `x` [n, 30] zeros and ones, `edge_index` [2, E] with both directions, sorted, `y` [1].
        The pairs of topics take turns, akin and not, so the classes are balanced if `num_graphs` is even.

    Raises:
        ValueError: `num_graphs` is less than one.

    Example:
        >>> circles = synthetic_circles(num_graphs=4)
        >>> [int(circle.y) for circle in circles]
        [1, 0, 1, 0]
    """
    if num_graphs < 1:
        raise ValueError(f"expected num_graphs >= 1, got {num_graphs}")
    rng = np.random.Generator(np.random.PCG64(seed))
    half = len(_PAIRS) // 2
    turns = [pair for both in zip(_PAIRS[:half], _PAIRS[half:], strict=True) for pair in both]
    return [_gather(*turns[i % len(turns)], rng) for i in range(num_graphs)]


def _gather(first: int, second: int, rng: np.random.Generator) -> Data:
    """One circle about two topics, and its guests, in random order."""
    members, guests = (int(count) for count in rng.integers(*_PEOPLE, size=2))
    interests = np.concatenate(
        [
            _interests(members, (first, second), rng),
            _interests(guests, _PAIRS[int(rng.integers(len(_PAIRS)))], rng),
        ]
    )
    order = rng.permutation(members + guests)
    known = _friendships(members, guests, rng)[np.ix_(order, order)]
    return Data(
        x=torch.from_numpy(interests[order]),
        edge_index=torch.from_numpy(np.stack(np.nonzero(known))),
        y=torch.tensor([int(_akin(first, second))]),
    )


def _interests(size: int, topics: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    own = np.isin(np.arange(_TOPICS * _PER_TOPIC) // _PER_TOPIC, topics)
    return (rng.random((size, len(own))) < np.where(own, _OWN_RATE, _RATE)).astype(np.float32)


def _friendships(members: int, guests: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """The adjacency matrix: members know an earlier one and any others, guests one member."""
    known = np.zeros((members + guests, members + guests), dtype=bool)
    known[:members, :members] = np.triu(rng.random((members, members)) < _FURTHER / (members - 1), k=1)
    earlier = [int(rng.integers(min(i, members))) for i in range(1, members + guests)]
    known[earlier, np.arange(1, members + guests)] = True
    return known | known.T
