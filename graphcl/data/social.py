"""One generated social network, and Zachary's karate club: node-level sets that need no download."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch_geometric.data import Data

__all__ = ["karate_club", "synthetic_social"]

IntArray = npt.NDArray[np.int64]

_NODES, _COMMUNITIES, _DEGREE = 1000, 5, 10.0
_MIXING = 0.4  # share of a node's expected ties that leave its community
_TOPICS, _OWN_TOPICS = 50, 10  # interests, and how many of them a community favours
_RATE, _OWN_RATE = 0.15, 0.27  # chance that a member has a topic: any, and one that the community favours
_TRAIN_PER_CLASS, _VALIDATION = 20, 200
_HELD_OUT = 0.1


def synthetic_social(seed: int = 0) -> Data:
    """Generate one friendship network with communities, interests, node splits and held-out edges.

    The network is synthetic: a degree-corrected stochastic block model of 1000 people in five communities of unequal
    size. The class of a node is its community. Some people have many friends and most have few; 40 % of the ties leave
    the community. The features are 50 interests, of which each community favours ten, faintly. A tenth of the edges is
    held out; a spanning tree never is, so what remains is connected.

    Args:
        seed: Of a generator of its own (PCG64); the same seed gives the same network.

    Returns:
        `Data` with `x` [n, 50] zeros and ones, `edge_index` [2, E] with both directions, sorted, without the held-out
        edges, `y` [n], boolean `train_mask` (20 nodes a class), `val_mask` (200), `test_mask` (the others), and the
        held-out pairs `edge_label_index` [2, P], one direction each: first the true edges (`edge_label` [P] 1), then
        equally many pairs that are not edges of the full network (0).

    Example:
        >>> network = synthetic_social()
        >>> network.is_undirected(), network.has_isolated_nodes()
        (True, False)

    Source: Karrer and Newman, "Stochastic blockmodels and community structure in networks", Physical Review E 83, 2011.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    community = rng.choice(_COMMUNITIES, size=_NODES, p=_shares())
    pairs = _block_model(community, rng)
    kept = _largest_component(pairs, _NODES)
    community, pairs = community[kept], _relabel(pairs, kept)
    observed, held_out = _hold_out(pairs, len(community), rng)
    absent = _non_edges(pairs, len(community), held_out.shape[1], rng)
    data = Data(
        x=torch.from_numpy(_interests(community, rng)),
        edge_index=_both_directions(observed),
        y=torch.from_numpy(community),
        edge_label_index=torch.from_numpy(np.concatenate([held_out, absent], axis=1)),
        edge_label=torch.from_numpy(np.repeat([1.0, 0.0], held_out.shape[1]).astype(np.float32)),
    )
    data.train_mask, data.val_mask, data.test_mask = _masks(community, rng)
    return data


def karate_club() -> Data:
    """Zachary's karate club: who met whom outside the club, and which side each of the 34 members took.

    Returns:
        `Data` with `x` [34, 34] the identity (the network has no features), `edge_index` [2, 156] with both
        directions, sorted, and `y` [34]: 0 for the side of Mr. Hi, 1 for the side of the officer.

    Example:
        >>> karate_club()
        Data(x=[34, 34], edge_index=[2, 156], y=[34])

    Source: Zachary, "An information flow model for conflict and fission in small groups", Journal of Anthropological
    Research 33, 1977; as in networkx.
    """
    import networkx as nx

    graph = nx.karate_club_graph()
    pairs = np.asarray(graph.edges, dtype=np.int64).T
    sides = [int(graph.nodes[node]["club"] != "Mr. Hi") for node in range(graph.number_of_nodes())]
    return Data(x=torch.eye(len(sides)), edge_index=_both_directions(pairs), y=torch.tensor(sides))


def _shares() -> npt.NDArray[np.float64]:
    weights = np.linspace(1.0, 2.0, _COMMUNITIES)
    return weights / weights.sum()


def _block_model(community: IntArray, rng: np.random.Generator) -> IntArray:
    """Edges [2, M], row < column: independent, each with its rate as probability."""
    size = len(community)
    activity = np.minimum(rng.pareto(2.5, size) + 1, 8)  # heavy-tailed, with a limit so that no one knows everyone
    member = np.eye(_COMMUNITIES)[community]
    within = (member.T @ activity)[community]
    # Of a node's ties, 1 - mixing lie within its community and the rest anywhere; activity sets its expected degree.
    own = (1 - _MIXING) * (community[:, None] == community[None, :]) / np.sqrt(within[:, None] * within[None, :])
    rate = _DEGREE * size / activity.sum() * np.outer(activity, activity) * (own + _MIXING / activity.sum())
    row, col = np.triu_indices(size, k=1)
    drawn = rng.random(len(row)) < rate[row, col]
    return np.stack([row[drawn], col[drawn]]).astype(np.int64)


def _largest_component(pairs: IntArray, size: int) -> IntArray:
    """Sorted nodes of the largest connected component."""
    from scipy.sparse.csgraph import connected_components

    _, component = connected_components(_sparse(pairs, np.ones(pairs.shape[1]), size), directed=False)
    return np.flatnonzero(component == np.bincount(component).argmax())


def _relabel(pairs: IntArray, kept: IntArray) -> IntArray:
    """The edges between kept nodes, in the nodes' new numbers."""
    inside = np.isin(pairs, kept).all(axis=0)
    return np.searchsorted(kept, pairs[:, inside]).astype(np.int64)


def _hold_out(pairs: IntArray, size: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Observed and held-out edges; a random spanning tree stays observed, so that no node is cut off."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    tree = minimum_spanning_tree(_sparse(pairs, 1 + rng.random((pairs.shape[1],)), size)).tocoo()
    in_tree = np.isin(pairs[0] * size + pairs[1], tree.row.astype(np.int64) * size + tree.col)
    chosen = rng.choice(np.flatnonzero(~in_tree), size=round(_HELD_OUT * pairs.shape[1]), replace=False)
    mask = np.zeros(pairs.shape[1], dtype=bool)
    mask[chosen] = True
    return pairs[:, ~mask], pairs[:, mask]


def _non_edges(pairs: IntArray, size: int, count: int, rng: np.random.Generator) -> IntArray:
    """Pairs row < column that are not edges, drawn evenly without replacement, sorted."""
    row, col = np.triu_indices(size, k=1)
    free = np.flatnonzero(~np.isin(row * size + col, pairs[0] * size + pairs[1]))
    chosen = np.sort(rng.choice(free, size=count, replace=False))
    return np.stack([row[chosen], col[chosen]]).astype(np.int64)


def _interests(community: IntArray, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    favours = np.arange(_TOPICS) // _OWN_TOPICS == np.arange(_COMMUNITIES)[:, None]
    rate = np.where(favours, _OWN_RATE, _RATE)[community]
    return (rng.random(rate.shape) < rate).astype(np.float32)


def _masks(community: IntArray, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Training nodes by class, then validation nodes from the rest; all others are for the test."""
    order = rng.permutation(len(community))
    train = np.concatenate([order[community[order] == c][:_TRAIN_PER_CLASS] for c in range(_COMMUNITIES)])
    rest = order[~np.isin(order, train)]
    masks = torch.zeros(3, len(community), dtype=torch.bool)
    for mask, nodes in zip(masks, (train, rest[:_VALIDATION], rest[_VALIDATION:]), strict=True):
        mask[torch.from_numpy(nodes)] = True
    return masks[0].clone(), masks[1].clone(), masks[2].clone()


def _both_directions(pairs: IntArray) -> Tensor:
    both = np.concatenate([pairs, pairs[::-1]], axis=1)
    return torch.from_numpy(both[:, np.lexsort((both[1], both[0]))].copy())


def _sparse(pairs: IntArray, weight: npt.NDArray[np.float64], size: int):  # type: ignore[no-untyped-def]
    from scipy.sparse import coo_array

    ends = pairs.astype(np.int32)  # csgraph of SciPy 1.12 takes no wider ones
    return coo_array((weight, (ends[0], ends[1])), shape=(size, size)).tocsr()
