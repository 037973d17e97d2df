"""The memory returns what belongs to the same content, and forgets the oldest."""

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphcl.augment._graph import Graph
from graphcl.augment._memory import Memory


def graph(*edges: tuple[int, int], n: int = 4) -> Graph:
    return Graph.of(Data(edge_index=torch.tensor(edges).t(), num_nodes=n))


class Counter:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Tensor:
        self.calls += 1
        return torch.tensor(self.calls)


def test_the_same_content_is_computed_once() -> None:
    memory, compute = Memory(), Counter()
    first = memory.get("a", graph((0, 1), (1, 2)), compute)
    assert memory.get("a", graph((0, 1), (1, 2)), compute) is first
    assert compute.calls == 1


def test_any_difference_is_another_graph() -> None:
    memory, compute = Memory(9), Counter()
    for other in (graph((0, 1), (1, 2)), graph((1, 2), (0, 1)), graph((0, 1), (1, 3)), graph((0, 1), (1, 2), n=5)):
        memory.get("a", other, compute)
    memory.get("b", graph((0, 1), (1, 2)), compute)
    assert compute.calls == 5


def test_a_change_in_place_is_seen() -> None:
    memory, compute = Memory(), Counter()
    whole = graph((0, 1), (1, 2))
    memory.get("a", whole, compute)
    whole.edge_index[0, 0] = 3
    memory.get("a", whole, compute)
    assert compute.calls == 2


def test_the_longest_unused_goes_first() -> None:
    memory, compute = Memory(2), Counter()
    one, two, three = graph((0, 1)), graph((0, 2)), graph((0, 3))
    for whole in (one, two, one, three, one):
        memory.get("a", whole, compute)
    assert compute.calls == 3
    memory.get("a", two, compute)
    assert compute.calls == 4


def test_batches_are_not_kept() -> None:
    memory, compute = Memory(), Counter()
    single = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)
    for _ in range(2):
        memory.get("a", Graph.of(Batch.from_data_list([single, single])), compute)
    assert compute.calls == 2
