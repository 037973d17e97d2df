"""A graph too large for one step: features on disk, sampled neighbourhoods, contrast over the seeds, exact embeddings.

The same four steps serve a graph of millions of nodes; this one has 20,000, so that it takes seconds on a CPU.
"""

import tempfile

import torch
from sklearn.linear_model import LogisticRegression
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader
from torch_geometric.nn import GraphSAGE

from graphcl.augment import Compose, EdgeDrop, FeatureMask
from graphcl.data import FetchRows, MappedRows, NeighbourSampler, power_law_graph, write_rows
from graphcl.losses import GRACE
from graphcl.nn import embed_layerwise

EPOCHS = 3
view = Compose([EdgeDrop(drop=0.3), FeatureMask(0.2)])


def pretrain(model: torch.nn.Module, graph: Data, rows: MappedRows) -> None:
    sampler = NeighbourSampler(graph, [10, 5], seed=0)
    loader = NodeLoader(graph, sampler, batch_size=1024, shuffle=True, transform=FetchRows(rows))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    contrast = GRACE(temperature=0.5)
    for epoch in range(1, EPOCHS + 1):
        sampler.set_epoch(epoch)  # other neighbours in every epoch
        for batch in loader:
            first, second = view(batch), view(batch)
            seeds = slice(batch.batch_size)  # the seeds come first, and only they have their whole neighbourhood
            z1, z2 = (model(v.x, v.edge_index)[seeds] for v in (first, second))
            loss = contrast(z1, z2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}")


def accuracy(model: torch.nn.Module, graph: Data, rows: MappedRows) -> float:
    """A linear classifier on one node in ten; all nodes are embedded from all of their neighbours."""
    z, y = embed_layerwise(model, rows, graph.edge_index), graph.y
    train = torch.rand(len(y), generator=torch.Generator().manual_seed(0)) < 0.1
    z = (z - z[train].mean(0)) / z[train].std(0).clamp(min=1e-6)
    probe = LogisticRegression(max_iter=300).fit(z[train].numpy(), y[train].numpy())
    return float(probe.score(z[~train].numpy(), y[~train].numpy()))


def main() -> None:
    whole = power_law_graph(20_000, 140_000, num_features=256, num_classes=10, signal=2.0)
    with tempfile.TemporaryDirectory() as folder:
        rows = write_rows(f"{folder}/x.npy", whole.x.split(4096), whole.num_nodes)
        graph = Data(edge_index=whole.edge_index, y=whole.y, num_nodes=whole.num_nodes)  # no features in memory
        model = GraphSAGE(256, 64, 2)
        untrained = accuracy(model, graph, rows)
        pretrain(model, graph, rows)
        print(f"linear probe: untrained {100 * untrained:.1f} %, GRACE {100 * accuracy(model, graph, rows):.1f} %")


if __name__ == "__main__":
    main()
