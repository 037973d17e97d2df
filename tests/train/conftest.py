"""A small set of rings and paths, and the method that the training tests use."""

from collections.abc import Callable

import pytest
import torch
from torch_geometric.data import Data

from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder


@pytest.fixture
def graphs() -> list[Data]:
    generator = torch.Generator().manual_seed(0)
    out = []
    for i in range(13):
        size = 5 + i
        around = torch.stack([torch.arange(size), (torch.arange(size) + 1) % size])
        edge_index = torch.cat([around, around.flip(0)], 1) if i % 2 else around[:, :-1]
        out.append(Data(x=torch.rand(size, 3, generator=generator), edge_index=edge_index, y=torch.tensor([i % 2])))
    return out


@pytest.fixture
def make() -> Callable[[], GraphCL]:
    def build(seed: int = 0) -> GraphCL:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return GraphCL(GraphEncoder(GIN(3, hidden_channels=4, num_layers=2)), seed=seed)

    return build
