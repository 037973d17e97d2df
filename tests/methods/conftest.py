"""What the tests of the methods share: a small graph, a small batch, and the step of an optimiser."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from graphcl.methods import Method


def random_graph(num_nodes: int, generator: torch.Generator) -> Data:
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    return Data(
        x=torch.randn(num_nodes, 4, generator=generator),
        edge_index=torch.cat([edges, edges.flip(0)], 1).unique(dim=1),
        text=torch.randn(1, 5, generator=generator),
        y=torch.tensor([num_nodes % 3]),
    )


@pytest.fixture
def data(generator: torch.Generator) -> Data:
    """One graph of twelve nodes."""
    return random_graph(12, generator)


@pytest.fixture
def batch(generator: torch.Generator) -> Batch:
    return Batch.from_data_list([random_graph(n, generator) for n in range(6, 14)])


class Spy(nn.Module):
    def forward(self, *given: Tensor, **options: object) -> Tensor:
        self.given = given
        return given[0].sum()


@pytest.fixture
def spy() -> Spy:
    """A loss that remembers what it was given."""
    return Spy()


@pytest.fixture
def take_step() -> Callable[..., float]:
    """A step of an optimiser, plain gradient descent unless another is given, with what comes after it."""

    def take(method: Method, data: Data, optimizer: torch.optim.Optimizer | None = None, lr: float = 0.1) -> float:
        trained = [p for p in method.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=lr) if optimizer is None else optimizer
        optimizer.zero_grad()
        loss = method(data)
        loss.backward()
        optimizer.step()
        method.after_step()
        return loss.item()

    return take
