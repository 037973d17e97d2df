"""Plug single parts into what you already have: PyG's GCN as the encoder, two views of your choice, one loss."""

import torch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCN, global_mean_pool

from graphcl.augment import Compose, EdgeDrop, NodeDrop, NodeMask
from graphcl.data import load
from graphcl.losses import NTXent

dataset = load("synthetic-molecules")
first = NodeDrop(drop=0.2)
second = Compose([EdgeDrop(drop=0.2), NodeMask(mask=0.2)])
model, loss_function = GCN(dataset.num_features, 32, 2), NTXent(temperature=0.2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(3):
    for batch in DataLoader(dataset, batch_size=60, shuffle=True):
        z = [
            global_mean_pool(model(view.x, view.edge_index), view.batch, size=batch.num_graphs)
            for view in (first(batch), second(batch))
        ]
        loss = loss_function(*z)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f}")
