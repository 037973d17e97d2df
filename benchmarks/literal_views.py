"""What the views of this package are compared with: the same changes, graph by graph, as they are usually written.

``authors_*`` follow the recipe of the GraphCL authors: a deep copy of each graph, numpy's choice of nodes, a dense
adjacency matrix, and afterwards a loop over all nodes of all graphs that renumbers what is left. ``torch_*`` are the
same changes in a loop over graphs with PyG's own functions. ``plain_*`` are the shortest tensor code for one large
graph, and ``pygcl_*`` the formulas of the PyGCL library. Written from descriptions of those programs, to measure by.
"""

import copy

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import subgraph

# --- the recipe of the GraphCL authors, one graph at a time ----------------------------------------------------------


def _dense(data: Data) -> Tensor:
    adjacency = torch.zeros((data.num_nodes, data.num_nodes))
    adjacency[data.edge_index[0], data.edge_index[1]] = 1
    return adjacency


def authors_drop_nodes(data: Data, rng: np.random.Generator, share: float = 0.1) -> Data:
    data = copy.deepcopy(data)
    n = data.num_nodes
    dropped = rng.choice(n, int(n * share), replace=False)
    adjacency = _dense(data)
    adjacency[dropped, :] = 0
    adjacency[:, dropped] = 0
    data.edge_index = adjacency.nonzero().t()
    return data


def authors_perturb_edges(data: Data, rng: np.random.Generator, share: float = 0.1) -> Data:
    data = copy.deepcopy(data)
    n, m = data.num_nodes, data.num_edges
    count = int(m * share)
    edges = data.edge_index.t().numpy()
    added = rng.choice(n, (count, 2))
    existing = {(int(a), int(b)) for a, b in edges}
    new = [pair for pair in added if (int(pair[0]), int(pair[1])) not in existing]
    kept = edges[rng.choice(m, m - count, replace=False)]
    joined = np.concatenate([kept, np.array(new).reshape(-1, 2)])
    data.edge_index = torch.tensor(joined, dtype=torch.int64).t()
    return data


def authors_mask_nodes(data: Data, rng: np.random.Generator, share: float = 0.1) -> Data:
    data = copy.deepcopy(data)
    n, width = data.x.shape
    masked = rng.choice(n, int(n * share), replace=False)
    data.x[masked] = torch.tensor(rng.normal(0.5, 0.5, size=(len(masked), width)), dtype=torch.float32)
    return data


def authors_subgraph(data: Data, rng: np.random.Generator, share: float = 0.2) -> Data:
    data = copy.deepcopy(data)
    n, wanted = data.num_nodes, int(data.num_nodes * share)
    edges = data.edge_index.numpy()
    kept = [int(rng.integers(n))]
    around = set(edges[1][edges[0] == kept[0]].tolist())
    tries = 0
    while len(kept) <= wanted and tries <= n and around:
        tries += 1
        chosen = int(rng.choice(sorted(around)))
        if chosen in kept:
            continue
        kept.append(chosen)
        around |= set(edges[1][edges[0] == chosen].tolist())
    dropped = [node for node in range(n) if node not in kept]
    adjacency = _dense(data)
    adjacency[dropped, :] = 0
    adjacency[:, dropped] = 0
    data.edge_index = adjacency.nonzero().t()
    return data


def authors_relabel(graphs: list[Data]) -> None:
    """The loop of the authors' training step: nodes without an edge go, the others are renumbered."""
    for data in graphs:
        edges = data.edge_index.numpy()
        left = [node for node in range(data.num_nodes) if node in edges[0] or node in edges[1]]
        if not left:
            continue
        number = {node: i for i, node in enumerate(left)}
        data.x = data.x[left]
        pairs = [[number[a], number[b]] for a, b in zip(edges[0], edges[1]) if a != b]
        data.edge_index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t()


# --- the same with PyG's functions, one graph at a time --------------------------------------------------------------


def torch_drop_nodes(data: Data, share: float = 0.1) -> Data:
    n = data.num_nodes
    kept = torch.randperm(n)[int(n * share) :].sort().values
    edge_index, edge_attr = subgraph(kept, data.edge_index, data.edge_attr, relabel_nodes=True, num_nodes=n)
    return Data(x=data.x[kept], edge_index=edge_index, edge_attr=edge_attr, y=data.y)


def torch_drop_edges(data: Data, share: float = 0.1) -> Data:
    one_way = data.edge_index[0] < data.edge_index[1]
    pairs, attributes = data.edge_index[:, one_way], data.edge_attr[one_way]
    kept = torch.randperm(pairs.size(1))[int(pairs.size(1) * share) :]
    pairs, attributes = pairs[:, kept], attributes[kept]
    edge_index = torch.cat([pairs, pairs.flip(0)], 1)
    return Data(x=data.x, edge_index=edge_index, edge_attr=attributes.repeat(2, 1), y=data.y)


def torch_mask_nodes(data: Data, share: float = 0.1) -> Data:
    x = data.x.clone()
    x[torch.randperm(data.num_nodes)[: int(data.num_nodes * share)]] = x.mean(0)
    return Data(x=x, edge_index=data.edge_index, edge_attr=data.edge_attr, y=data.y)


def torch_walk(data: Data, share: float = 0.2) -> Data:
    n, (src, dst) = data.num_nodes, data.edge_index
    here = int(torch.randint(n, ()))
    seen = {here}
    for _ in range(4 * n):
        if len(seen) >= max(1, int(n * share)):
            break
        ways = dst[src == here]
        if ways.numel() == 0:
            break
        here = int(ways[torch.randint(ways.numel(), ())])
        seen.add(here)
    kept = torch.tensor(sorted(seen))
    edge_index, edge_attr = subgraph(kept, data.edge_index, data.edge_attr, relabel_nodes=True, num_nodes=n)
    return Data(x=data.x[kept], edge_index=edge_index, edge_attr=edge_attr, y=data.y)


# --- one large graph --------------------------------------------------------------------------------------------------


def plain_drop_edges(data: Data, share: float) -> Data:
    return Data(x=data.x, edge_index=data.edge_index[:, torch.rand(data.num_edges) >= share], num_nodes=data.num_nodes)


def plain_mask_features(data: Data, share: float) -> Data:
    x = data.x.clone()
    x[:, torch.rand(x.size(1)) < share] = 0
    return Data(x=x, edge_index=data.edge_index)


def pygcl_drop_nodes(data: Data, share: float) -> Data:
    """Edges at dropped nodes go; nodes and features stay."""
    keep = torch.tensor([1 - share] * data.num_nodes).bernoulli().bool()
    return Data(x=data.x, edge_index=subgraph(keep, data.edge_index, num_nodes=data.num_nodes)[0])


def pygcl_drop_edges(data: Data, share: float) -> Data:
    keep = torch.bernoulli(torch.full((data.num_edges,), 1 - share)).bool()
    return Data(x=data.x, edge_index=data.edge_index[:, keep])


def pygcl_mask_features(data: Data, share: float) -> Data:
    drop = torch.empty(data.x.size(1)).uniform_(0, 1) < share
    x = data.x.clone()
    x[:, drop] = 0
    return Data(x=x, edge_index=data.edge_index)


def pygcl_pagerank(data: Data, alpha: float = 0.2, eps: float = 1e-4) -> Data:
    """The whole batch as one matrix, inverted."""
    n = data.num_nodes
    adjacency = torch.zeros((n, n))
    adjacency[data.edge_index[0], data.edge_index[1]] = 1
    adjacency += torch.eye(n)
    scale = adjacency.sum(1).pow(-0.5)
    transition = scale[:, None] * adjacency * scale
    spread = alpha * torch.inverse(torch.eye(n) - (1 - alpha) * transition)
    spread[spread < eps] = 0
    edge_index = spread.nonzero().t()
    return Data(x=data.x, edge_index=edge_index, edge_weight=spread[edge_index[0], edge_index[1]])
