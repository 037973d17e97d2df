"""Graphs made in memory, as a PyTorch Geometric data set."""

from collections.abc import Sequence

from torch_geometric.data import Data, InMemoryDataset

__all__ = ["ListDataset"]


class ListDataset(InMemoryDataset):
    """A named data set from a list of graphs, packed once and never written to disk.

    Args:
        graphs: The graphs, at least one, all with the same attributes.
        name: The data set's name.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> ListDataset([Data(edge_index=edge_index, num_nodes=2)] * 3, name="pairs")
        pairs(3)
    """

    def __init__(self, graphs: Sequence[Data], *, name: str) -> None:
        if not graphs:
            raise ValueError("expected at least one graph, got none")
        super().__init__()
        self.name = name
        self.data, self.slices = self.collate(graphs)

    def __repr__(self) -> str:
        return f"{self.name}({len(self)})"
