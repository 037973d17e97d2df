"""What the views of this package are compared with: the same changes, graph by graph, as they are usually written.

``authors_*`` follow the recipe of the GraphCL authors: a deep copy of each graph, numpy's choice of nodes, a dense
adjacency matrix, collation, and a loop over all nodes and edges of the batch that renumbers. ``torch_*`` are the
same changes in a loop over graphs with PyG's own functions. ``plain_*`` are the shortest tensor code for one large
graph, and ``pygcl_*`` the formulas of the PyGCL library. Written anew, to measure by; the
authors' own node drop and subgraph leave fewer edges to renumber, because they clear the rows of the nodes they keep.
"""

import copy

import numpy as np
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import subgraph

# --- the recipe of the GraphCL authors, one graph at a time ----------------------------------------------------------


def _keep_only(data: Data, kept: list[int], dropped: np.ndarray | list[int]) -> Data:
    """By a dense matrix, and with a table of new numbers that their code makes here and uses nowhere."""
    _ = {node: i for i, node in enumerate(kept)}
    adjacency = torch.zeros((data.num_nodes, data.num_nodes))
    adjacency[data.edge_index[0], data.edge_index[1]] = 1
    adjacency[dropped, :] = 0
    adjacency[:, dropped] = 0
    data.edge_index = adjacency.nonzero().t()
    return data


def authors_drop_nodes(data: Data, rng: np.random.Generator, share: float = 0.1) -> Data:
    data = copy.deepcopy(data)
    n = data.num_nodes
    dropped = rng.choice(n, int(n * share), replace=False)
    return _keep_only(data, [node for node in range(n) if node not in dropped], dropped)


def authors_perturb_edges(data: Data, rng: np.random.Generator, share: float = 0.1) -> Data:
    """Drops edges, each direction by itself; their code for these data sets adds none."""
    data = copy.deepcopy(data)
    m = data.num_edges
    edges = data.edge_index.t().numpy()
    kept = edges[rng.choice(m, m - int(m * share), replace=False)]
    data.edge_index = torch.tensor(kept).t()
    return data


def authors_mask_nodes(data: Data, rng: np.random.Generator, share: float = 0.1) -> Data:
    data = copy.deepcopy(data)
    n, width = data.x.shape
    masked = rng.choice(n, int(n * share), replace=False)
    data.x[masked] = torch.tensor(rng.normal(0.5, 0.5, size=(len(masked), width)), dtype=torch.float32)
    return data


def authors_subgraph(data: Data, rng: np.random.Generator, share: float = 0.2) -> Data:
    """Draws from the neighbours of the first node until it has enough, or has tried as often as there are nodes."""
    data = copy.deepcopy(data)
    n, wanted = data.num_nodes, int(data.num_nodes * share)
    edges = data.edge_index.numpy()
    kept = [int(rng.integers(n))]
    around = set(edges[1][edges[0] == kept[0]].tolist())
    for _ in range(n):
        if len(kept) > wanted or not around:
            break
        chosen = int(rng.choice(list(around)))
        if chosen not in kept:
            kept.append(chosen)
            around.union(edges[1][edges[0] == chosen].tolist())  # their code forgets the result, too
    return _keep_only(data, kept, [node for node in range(n) if node not in kept])


def authors_batch(graphs: list[Data]) -> Batch:
    """Collation, and the loop of their training step over all nodes and edges of the batch.

    Nodes that no edge names go, and the others are renumbered: every node is looked for among all edges.
    """
    batch = Batch.from_data_list(graphs)
    edges = batch.edge_index.numpy()
    left = [node for node in range(batch.num_nodes) if node in edges[0] or node in edges[1]]
    number = {node: i for i, node in enumerate(left)}
    batch.x, batch.batch = batch.x[left], batch.batch[left]
    pairs = [[number[edges[0, e]], number[edges[1, e]]] for e in range(edges.shape[1]) if edges[0, e] != edges[1, e]]
    batch.edge_index = torch.tensor(pairs).t()
    return batch


# --- the same with PyG's functions, one graph at a time --------------------------------------------------------------


def torch_drop_nodes(data: Data, share: float = 0.1) -> Data:
    n = data.num_nodes
    kept = torch.randperm(n)[int(n * share) :].sort().values
    edge_index, edge_attr = subgraph(kept, data.edge_index, data.edge_attr, relabel_nodes=True, num_nodes=n)
    return Data(x=data.x[kept], edge_index=edge_index, edge_attr=edge_attr, y=data.y)


def torch_drop_edges(data: Data, share: float = 0.1) -> Data:
    one_way = data.edge_index[0] < data.edge_index[1]
    pairs, attributes = data.edge_index[:, one_way], data.edge_attr[one_way]
    kept = torch.rand(pairs.size(1)) >= share
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
