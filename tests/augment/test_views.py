"""Several views at once, each with a key of its own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import ToUndirected

from graphcl._random import fold, seed_from
from graphcl.augment import (
    Compose,
    EdgePerturb,
    Identity,
    NodeDrop,
    NodeMask,
    RandomWalkSubgraph,
    Views,
)

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]


MEMBERS = [NodeDrop(drop=0.3), EdgePerturb(drop=0.2, add=0.4), NodeMask(mask=0.5), RandomWalkSubgraph(keep=0.5)]


def test_each_view_has_a_key_of_its_own(graphs: list[Data], differences: Compare) -> None:
    batch = Batch.from_data_list(graphs)
    views = Views(MEMBERS[0], MEMBERS[0], Compose([MEMBERS[1]]))
    made = views.view(batch, 9)
    assert isinstance(made, tuple)
    for i, member in enumerate((MEMBERS[0], MEMBERS[0], Compose([MEMBERS[1]]))):
        assert differences(made[i], member.view(batch, fold(9, i))) == []
    assert not torch.equal(made[0].n_id, made[1].n_id)
    called = views(batch, generator=torch.Generator().manual_seed(2))
    key = seed_from(torch.Generator().manual_seed(2))
    assert [differences(*pair) for pair in zip(called, views.view(batch, key), strict=True)] == [[]] * 3


def test_views_take_any_transform_and_leave_the_input_alone(ring: Make, differences: Compare) -> None:
    data = ring(6, directed=True)
    before = data.clone()

    def lazy(given: Data) -> Data:
        given.x = given.x * 0
        return given

    clean, undirected, zero = Views(Identity(), ToUndirected(), lazy)(data)
    assert differences(data, before) == []
    assert differences(clean, before) == []
    assert undirected.num_edges == 12
    assert not zero.x.any()
    assert repr(Views(Identity(), ToUndirected())) == "Views(Identity(), ToUndirected())"


def test_a_data_set_of_views_loads_as_one_batch_per_view(graphs: list[Data]) -> None:
    class Tuples(torch.utils.data.Dataset):
        def __init__(self) -> None:
            self.transform = Views(Identity(), NodeDrop(drop=0.5), NodeDrop(drop=0.5))

        def __len__(self) -> int:
            return len(graphs)

        def __getitem__(self, i: int) -> Any:
            return self.transform(graphs[i])

    first, second, third = next(iter(DataLoader(Tuples(), batch_size=8)))
    assert [batch.num_graphs for batch in (first, second, third)] == [8, 8, 8]
    assert first.num_nodes == sum(data.num_nodes for data in graphs[:8])
    assert second.ptr.tolist() == third.ptr.tolist()
    assert second.n_id.tolist() != third.n_id.tolist()


def test_views_are_at_least_two_transforms() -> None:
    for few in ((), (Identity(),)):
        with pytest.raises(ValueError, match=f"expected at least two transforms, one per view, got {len(few)}"):
            Views(*few)
    for wrong in (NodeDrop, "NodeDrop", None):
        with pytest.raises(TypeError, match="expected transforms that can be called"):
            Views(Identity(), wrong)
