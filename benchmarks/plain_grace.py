"""GRACE as one writes it with plain PyG, with the loss as its authors' formula and as PyGCL's; see node_speed.py."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import GCNConv


class PlainGRACE(nn.Module):
    """Two GCN layers, a projection head, N x N similarities."""

    def __init__(self, in_channels: int, hidden: int = 256, out: int = 128, tau: float = 0.4) -> None:
        super().__init__()
        self.convs = nn.ModuleList([GCNConv(in_channels, hidden), GCNConv(hidden, out)])
        self.lower, self.upper, self.tau = nn.Linear(out, out), nn.Linear(out, out), tau

    def encode(self, x: Tensor, edge_index: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.relu(conv(x, edge_index))
        return x

    def project(self, z: Tensor) -> Tensor:
        return self.upper(F.elu(self.lower(z)))

    def forward(self, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], loss: str) -> Tensor:
        h1, h2 = (F.normalize(self.project(self.encode(*view))) for view in (first, second))
        one = authors_loss if loss == "authors" else pygcl_loss
        return (one(h1, h2, self.tau) + one(h2, h1, self.tau)).mean() / 2


def authors_loss(h1: Tensor, h2: Tensor, tau: float) -> Tensor:
    """``[N]``; each call forms both matrices, as the authors' does."""
    own, other = (h1 @ h1.T / tau).exp(), (h1 @ h2.T / tau).exp()
    return -torch.log(other.diag() / (own.sum(1) + other.sum(1) - own.diag()))


def pygcl_loss(h1: Tensor, h2: Tensor, tau: float) -> Tensor:
    """``[N]``; N x 2N similarities with masks of the same size, as PyGCL has them (its own negatives included)."""
    size = h1.size(0)
    positive = torch.cat([torch.eye(size), torch.zeros(size, size)], 1)
    negative = 1.0 - positive
    similarity = h1 @ torch.cat([h2, h1]).T / tau
    logarithm = similarity - torch.log((similarity.exp() * (positive + negative)).sum(1, keepdim=True))
    return -(logarithm * positive).sum(1) / positive.sum(1)


def plain_view(x: Tensor, edge_index: Tensor, edges: float, features: float) -> tuple[Tensor, Tensor]:
    """Each direction of an edge dropped by itself, and whole columns of the features, as the authors do it."""
    kept = torch.rand(edge_index.size(1)) >= edges
    masked = x.clone()
    masked[:, torch.rand(x.size(1)) < features] = 0
    return masked, edge_index[:, kept]
