"""One loss in a model you already have, in three lines each: a GCN on a network, a GIN on molecules, no graph at all.

The lines marked 1, 2 and 3 are all that contrast adds; the rest is what anyone's training code looks like. With names,
`loss_in_existing_model.py Cora MUTAG`, it takes these sets for the two that come with the package.
"""

import argparse

import torch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCN, GIN, global_add_pool

from graphcl.augment import EdgeDrop, NodeDrop
from graphcl.data import card, load
from graphcl.losses import GRACE, InfoNCE, SupCon


def nodes(name: str) -> None:
    """A plain GCN on one graph, without labels: every node against all others of two views."""
    network = load(name)[0]
    model = GCN(network.num_features, 64, 2, 64)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    contrast, view = GRACE(temperature=0.4), EdgeDrop(drop=0.3)  # 1
    for epoch in range(1, 31):
        first, second = view(network), view(network)  # 2
        loss = contrast(model(first.x, first.edge_index), model(second.x, second.edge_index))  # 3
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 10 == 0:
            print(f"GCN, {name:19} epoch {epoch:2}: loss {loss.item():.4f}")


def graphs(name: str) -> None:
    """A plain GIN classifier of graphs, with supervised contrast of two views beside its cross entropy."""
    dataset = load(name)
    model = GIN(dataset.num_features, 64, 4, norm="batch_norm")
    classifier = torch.nn.Linear(64, dataset.num_classes)
    optimizer = torch.optim.Adam([*model.parameters(), *classifier.parameters()], lr=0.005)
    contrast, view = SupCon(temperature=0.1), NodeDrop(drop=0.1)  # 1
    for epoch in range(1, 9):
        for batch in DataLoader(dataset, batch_size=128, shuffle=True):
            z = global_add_pool(model(batch.x, batch.edge_index), batch.batch, batch.num_graphs)
            loss = torch.nn.functional.cross_entropy(classifier(z), batch.y)
            other = view(batch)
            z2 = global_add_pool(model(other.x, other.edge_index), other.batch, batch.num_graphs)  # 2
            loss = loss + 0.1 * contrast(torch.cat([z, z2]), batch.y.repeat(2))  # 3
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"GIN, {name:19} epoch {epoch:2}: loss {loss.item():.4f}")


def no_graphs() -> None:
    """A perceptron on rows of numbers: two noisy copies of a row are its views."""
    x = torch.randn(1000, 20, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    contrast = InfoNCE(temperature=0.2, symmetric=True)  # 1
    for epoch in range(1, 31):
        z1, z2 = (model(x + 0.3 * torch.randn_like(x)) for _ in range(2))  # 2
        loss = contrast(z1, z2)  # 3
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 10 == 0:
            print(f"MLP, random rows         epoch {epoch:2}: loss {loss.item():.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="?", default="synthetic-social", help="a set that is one graph, such as Cora")
    parser.add_argument("molecules", nargs="?", default="synthetic-molecules", help="one of many graphs, such as MUTAG")
    names = parser.parse_args()
    if card(names.network).level == "graph":
        parser.error(f"expected one graph as the first set, such as Cora, got {names.network}, a set of many")
    if "tu-rbf-svm" not in card(names.molecules).protocols:
        parser.error(f"expected graphs with a class each as the second set, such as MUTAG, got {names.molecules}")
    nodes(names.network)
    graphs(names.molecules)
    no_graphs()
