"""A method is a module whose call is a loss: train it in a loop of your own."""

import torch
from torch_geometric.loader import DataLoader

from graphcl.data import load
from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder

dataset = load("synthetic-molecules")
method = GraphCL(GraphEncoder(GIN(dataset.num_features)))
optimizer = torch.optim.Adam(method.parameters(), lr=0.01)
for epoch in range(5):
    for batch in DataLoader(dataset, batch_size=60, shuffle=True):
        optimizer.zero_grad()
        loss = method(batch)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f}")

embeddings = method.embed(next(iter(DataLoader(dataset, batch_size=len(dataset)))))
print("graph embeddings", list(embeddings.graph.shape), "node embeddings", list(embeddings.node.shape))
