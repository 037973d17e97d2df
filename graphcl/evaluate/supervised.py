"""The supervised yardstick of node classification: a two-layer GCN that sees the labels of the training nodes."""

import hashlib
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import cumsum, to_undirected

from graphcl._random import torch_seeded
from graphcl.evaluate._checks import FloatArray
from graphcl.evaluate.node_splits import NodeSplit

__all__ = ["NodeModel", "SupervisedGCN"]

SPARSE = 0.2  # share of non-zero features below which only these are multiplied


class NodeModel(ABC):
    """A model that learns from the labels of a split: what frozen embeddings compete with."""

    @property
    @abstractmethod
    def key(self) -> str:
        """All that decides its scores beside split and seed, as a text."""

    @abstractmethod
    def __call__(self, split: NodeSplit, seed: int) -> FloatArray:
        """Scores ``[nodes, classes]``, the classes in ascending order, without a look at the test nodes' labels."""


class SupervisedGCN(NodeModel):
    """A two-layer GCN trained with the labels of a split; the row ``supervised`` of a table.

    Features that are nowhere negative are scaled to rows of sum 1, and a directed graph is taken as undirected. Trained
    by Adam with the full graph; the weights of the epoch with the best validation accuracy (the lowest loss among
    equals) are kept, and training ends when there was none for ``patience`` epochs. Test labels are not looked at.

    Args:
        data: The graph, with ``x``, ``edge_index`` and ``y`` [nodes], negative or NaN where a node has no class.
        hidden: Width of the hidden layer.
        dropout: Of the input and of the hidden layer.
        lr: Learning rate.
        weight_decay: L2 penalty of the first layer.
        epochs: The most epochs.
        patience: Epochs without a better validation accuracy.

    Raises:
        ValueError: A graph without features or labels; a split without validation nodes.

    Example:
        >>> from graphcl.data import load
        >>> from graphcl.evaluate import node_protocol, node_splits
        >>> network = load("synthetic-social")[0]
        >>> split = node_splits(network, node_protocol("node-linear-public"))[0]
        >>> SupervisedGCN(network, epochs=5)(split, seed=0).shape
        (1000, 5)

    Source: Kipf and Welling, Semi-Supervised Classification with Graph Convolutional Networks, ICLR 2017, section 5.2.

    Differs from the paper: 64 hidden units instead of 16, and validation accuracy with more patience instead of the
    validation loss over a window of 10 epochs.
    """

    def __init__(
        self,
        data: Data,
        *,
        hidden: int = 64,
        dropout: float = 0.5,
        lr: float = 0.01,
        weight_decay: float = 5e-4,
        epochs: int = 200,
        patience: int = 100,
    ) -> None:
        if data.x is None or data.y is None or data.y.dim() != 1:
            raise ValueError("expected a graph with features x and labels y [nodes], got one without")
        self.x, self.edge_index = _row_sums_one(data.x.float()), data.edge_index
        labelled = data.y >= 0  # -1 and NaN are nodes without a class
        self.y = torch.full_like(data.y, -1, dtype=torch.int64)
        self.y[labelled] = torch.unique(data.y[labelled], return_inverse=True)[1]
        self.settings: dict[str, Any] = {
            "hidden": hidden, "dropout": dropout, "lr": lr, "weight_decay": weight_decay, "epochs": epochs,
            "patience": patience,
        }  # fmt: skip

    @property
    def key(self) -> str:
        """All that decides its scores beside split and seed."""
        digest = hashlib.sha256()
        for tensor in (self.x, self.edge_index, self.y):
            digest.update(tensor.cpu().numpy().tobytes())
        return f"GCN {self.settings} {digest.hexdigest()[:16]}"

    def __call__(self, split: NodeSplit, seed: int) -> FloatArray:
        """Scores ``[nodes, classes]`` of the network trained with this split and seed.

        Raises:
            ValueError: A split without validation nodes, whose accuracy ends the training.
        """
        if not len(split.validation):
            raise ValueError("expected validation nodes to end the training by, got none; use another protocol")
        device = self.x.device
        with torch_seeded(seed, device):
            network = _GCN(self.x.size(1), int(self.y.max()) + 1, self.settings["hidden"], self.settings["dropout"])
            return self._train(network.to(device), split)

    def _train(self, network: "_GCN", split: NodeSplit) -> FloatArray:
        x, adjacency = _features(self.x), _adjacency(self.edge_index, len(self.x))
        train, validation = (torch.from_numpy(part).to(self.x.device) for part in split[:2])
        groups = [
            {"params": network.first.parameters(), "weight_decay": self.settings["weight_decay"]},
            {"params": network.second.parameters(), "weight_decay": 0.0},
        ]
        optimizer = torch.optim.Adam(groups, lr=self.settings["lr"])
        best, scores, waited = (-1.0, 0.0), None, 0
        for _ in range(self.settings["epochs"]):
            network.train()
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x, adjacency)[train], self.y[train]).backward()
            optimizer.step()
            network.eval()
            with torch.no_grad():
                found = network(x, adjacency)
            right = (found[validation].argmax(1) == self.y[validation]).double().mean()
            loss = nn.functional.cross_entropy(found[validation], self.y[validation])
            value, waited = (float(right), -float(loss)), waited + 1
            if value > best:
                waited = 0 if value[0] > best[0] else waited
                best, scores = value, found
            if waited >= self.settings["patience"]:
                break
        assert scores is not None  # there is at least one epoch
        return scores.double().cpu().numpy().astype(np.float64)


class _Rows:
    """A constant sparse matrix, row by row: its product with a dense one costs its non-zero entries."""

    def __init__(self, row: Tensor, col: Tensor, value: Tensor, num_rows: int) -> None:
        order = torch.argsort(row, stable=True)
        self.col, self.value = col[order], value[order]
        self.ptr = cumsum(torch.bincount(row, minlength=num_rows))

    def times(self, dense: Tensor, dropout: float = 0.0, training: bool = False) -> Tensor:
        """``self @ dense``, with dropout of the entries."""
        value = nn.functional.dropout(self.value, dropout, training)
        return nn.functional.embedding_bag(
            self.col, dense, self.ptr, mode="sum", per_sample_weights=value, include_last_offset=True
        )


class _GCN(nn.Module):
    """``A relu(A X W1 + b1) W2 + b2`` with the normalised adjacency A and dropout of X and of the hidden layer."""

    def __init__(self, features: int, classes: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.second = nn.Linear(hidden, classes)
        for layer in (self.first, self.second):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.dropout = dropout

    def forward(self, x: "_Rows | Tensor", adjacency: _Rows) -> Tensor:
        if isinstance(x, _Rows):
            product = x.times(self.first.weight.T.contiguous(), self.dropout, self.training)
        else:
            product = nn.functional.dropout(x, self.dropout, self.training) @ self.first.weight.T
        hidden = (adjacency.times(product) + self.first.bias).relu()
        hidden = nn.functional.dropout(hidden, self.dropout, self.training)
        return adjacency.times(hidden @ self.second.weight.T) + self.second.bias


def _adjacency(edge_index: Tensor, num_nodes: int) -> _Rows:
    """The symmetric normalised adjacency with self loops, both directions of every edge."""
    edges, weight = gcn_norm(to_undirected(edge_index, num_nodes=num_nodes), None, num_nodes)
    return _Rows(edges[1], edges[0], weight, num_nodes)


def _features(x: Tensor) -> _Rows | Tensor:
    """The features as they are, or their non-zero entries where these are few."""
    row, col = x.nonzero(as_tuple=True)
    return _Rows(row, col, x[row, col], len(x)) if len(row) < SPARSE * x.numel() else x


def _row_sums_one(x: Tensor) -> Tensor:
    return x if bool((x < 0).any()) else x / x.sum(dim=1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
