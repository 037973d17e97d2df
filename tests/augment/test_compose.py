"""Nothing, or one after the other, each with a key of its own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import ToUndirected

from graphcl._random import fold
from graphcl.augment import (
    Compose,
    EdgeDrop,
    EdgePerturb,
    FeatureMask,
    Identity,
    NodeDrop,
    NodeMask,
    PPRDiffusion,
    RandomChoice,
    RandomWalkSubgraph,
)

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]


MEMBERS = [NodeDrop(drop=0.3), EdgePerturb(drop=0.2, add=0.4), NodeMask(mask=0.5), RandomWalkSubgraph(keep=0.5)]


# --- identity ---------------------------------------------------------------------------------------------------------


def test_identity_gives_an_equal_graph_that_is_not_the_same(ring: Make, differences: Compare) -> None:
    data = ring(6)
    view = Identity()(data)
    assert view is not data
    assert differences(view, data) == []
    view.x = None
    assert data.x is not None


# --- one after the other ----------------------------------------------------------------------------------------------


def test_compose_folds_the_key_for_each_step(graphs: list[Data], differences: Compare) -> None:
    batch = Batch.from_data_list(graphs)
    expected = batch
    for i, member in enumerate(MEMBERS):
        expected = member.view(expected, fold(11, i))
    assert differences(Compose(MEMBERS).view(batch, 11), expected) == []


def test_equal_steps_draw_for_themselves(graphs: list[Data]) -> None:
    batch = Batch.from_data_list(graphs)
    once = EdgeDrop(drop=0.5).view(batch, fold(3, 0))
    twice = Compose([EdgeDrop(drop=0.5), EdgeDrop(drop=0.5)]).view(batch, 3)
    share = twice.num_edges / once.num_edges
    assert 0.4 < share < 0.6


def test_compose_takes_compositions(graphs: list[Data], differences: Compare) -> None:
    inner = Compose([NodeDrop(drop=0.2)])
    view = Compose([inner, Identity()]).view(graphs[9], 2)
    assert differences(view, NodeDrop(drop=0.2).view(graphs[9], fold(fold(2, 0), 0))) == []


@pytest.mark.parametrize("key", range(3))
def test_what_an_attribute_belongs_to_is_not_forgotten_on_the_way(key: int) -> None:
    # After the first view the ring of 6 has as many edges as nodes, after the third 4 nodes: sizes alone would mislead.
    ring = torch.stack([torch.arange(6), (torch.arange(6) + 1) % 6])
    data = Data(
        x=torch.arange(6.0)[:, None],
        edge_index=torch.cat([ring, ring.flip(0)], 1),
        length=torch.arange(12),
        edge_number=torch.arange(12),
        four=torch.arange(4),
        six=torch.arange(6),  # by its size of the nodes, and so it stays
    )
    for between in (FeatureMask(mask=0.0), Identity()):
        aug = Compose([EdgeDrop(drop=0.5, count="round"), between, NodeDrop(drop=0.34), NodeDrop(drop=0.5)])
        view = aug.view(data, key)
        assert torch.equal(view.length, view.edge_number)
        assert view.four.tolist() == [0, 1, 2, 3]
        assert view.six.tolist() == view.x.flatten().tolist()
    mixed = Compose([EdgeDrop(drop=0.5, count="round"), PPRDiffusion(top_k=2), NodeDrop(drop=0.34), NodeDrop(drop=0.5)])
    view = mixed.view(data, key)
    assert "length" not in view
    assert view.four.tolist() == [0, 1, 2, 3]


# --- what they refuse -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Compose, RandomChoice])
def test_at_least_one_member(kind: type) -> None:
    with pytest.raises(ValueError, match="expected at least one augmentation, got none"):
        kind([])


@pytest.mark.parametrize("kind", [Compose, RandomChoice])
def test_members_come_in_a_list(kind: type) -> None:
    for wrong in (NodeDrop(), None):
        with pytest.raises(TypeError, match="expected a list of augmentations, got .*; write \\[first, second\\]"):
            kind(wrong)


@pytest.mark.parametrize("kind", [Compose, RandomChoice])
@pytest.mark.parametrize("wrong", [NodeDrop, "NodeDrop", ToUndirected()], ids=["class", "name", "transform"])
def test_members_are_augmentations(kind: type, wrong: Any) -> None:
    with pytest.raises(TypeError, match="expected instances of") as refusal:
        kind([NodeDrop(), wrong])
    told = "torch_geometric.transforms.Compose chains transforms of any kind" in str(refusal.value)
    assert told == (kind is Compose and isinstance(wrong, ToUndirected))


def test_later_changes_of_the_list_change_nothing() -> None:
    members = [NodeDrop()]
    aug = Compose(members)
    members.append(Identity())
    assert len(aug.augmentations) == 1
