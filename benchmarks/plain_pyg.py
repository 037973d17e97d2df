"""GraphCL as one writes it with plain PyG: GINConv, one pass per view, the authors' loss. The yardstick of speed.py."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Batch
from torch_geometric.nn import GINConv, global_add_pool


class PlainGIN(nn.Module):
    """The encoder of the GraphCL recipe out of PyG's and torch's layers."""

    def __init__(self, in_channels: int, hidden: int = 32, layers: int = 3) -> None:
        super().__init__()
        widths = [in_channels] + [hidden] * (layers - 1)
        self.convs = nn.ModuleList(
            GINConv(nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden))) for width in widths
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in widths)
        self.head = nn.Sequential(
            nn.Linear(hidden * layers, hidden * layers), nn.ReLU(), nn.Linear(hidden * layers, hidden * layers)
        )

    def forward(self, batch: Batch) -> Tensor:
        x, pooled = batch.x, []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.relu(conv(x, batch.edge_index)))
            pooled.append(global_add_pool(x, batch.batch, size=batch.num_graphs))
        return self.head(torch.cat(pooled, 1))


def plain_loss(z1: Tensor, z2: Tensor, temperature: float = 0.2) -> Tensor:
    """The loss of the GraphCL authors, with one matrix product."""
    similarity = torch.exp(F.normalize(z1) @ F.normalize(z2).T / temperature)
    positive = similarity.diagonal()
    return -torch.log(positive / (similarity.sum(1) - positive)).mean()
