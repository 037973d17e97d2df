"""Nothing, one after the other, one of several: keys of their own, and each graph its own choice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import ToUndirected

from graphcl._random import Key, fold
from graphcl.augment import (
    Compose,
    EdgeDrop,
    EdgePerturb,
    Identity,
    NodeDrop,
    NodeMask,
    RandomChoice,
    RandomWalkSubgraph,
)
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment.base import EditAugmentation

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]


def ring(n: int) -> list[tuple[int, int]]:
    return [(i, (i + 1) % n) for i in range(n)]


@pytest.fixture
def graphs(make: Make) -> list[Data]:
    return [make(n, ring(n), seed=n, graph_id=7 * n) for n in range(5, 45)]


MEMBERS = [NodeDrop(drop=0.3), EdgePerturb(drop=0.2, add=0.4), NodeMask(mask=0.5), RandomWalkSubgraph(keep=0.5)]


# --- identity ---------------------------------------------------------------------------------------------------------


def test_identity_gives_an_equal_graph_that_is_not_the_same(make: Make, differences: Compare) -> None:
    data = make(6, ring(6))
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


# --- one of several ---------------------------------------------------------------------------------------------------


class Told(EditAugmentation):
    """Masks nothing; remembers which graphs it was shown."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def edit(self, graph: Graph, key: Key) -> Edit:
        self.seen += graph.graph_id.tolist()
        return Edit()


def test_each_graph_is_shown_to_one_member(graphs: list[Data]) -> None:
    members = [Told() for _ in range(4)]
    RandomChoice(members).view(Batch.from_data_list(graphs), 0)
    assert sorted(name for member in members for name in member.seen) == [7 * n for n in range(5, 45)]
    assert all(member.seen for member in members)


def test_members_are_chosen_uniformly_and_independently() -> None:
    single = Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=1)
    batch = Batch.from_data_list([single] * 4000)
    chosen = []
    for key in range(2):
        members = [Told() for _ in range(4)]
        RandomChoice(members).view(batch, key)
        choice = torch.empty(4000, dtype=torch.int64)
        for i, member in enumerate(members):
            choice[member.seen] = i
        chosen.append(choice)
        assert stats.chisquare(choice.bincount().numpy()).pvalue > 1e-3
    for a, b in ((chosen[0], chosen[1]), (chosen[0][1:], chosen[0][:-1])):
        assert stats.chisquare(torch.bincount(4 * a + b, minlength=16).numpy()).pvalue > 1e-3


def test_a_graphs_view_is_that_of_the_member_it_drew(graphs: list[Data], differences: Compare) -> None:
    views = RandomChoice(MEMBERS).view(Batch.from_data_list(graphs), 5).to_data_list()
    drawn = Counter()
    for view, data in zip(views, graphs, strict=True):
        matches = []
        for i, member in enumerate(MEMBERS):
            own = member.view(data, fold(5, i + 1))
            if "n_id" not in own:  # a choice that may drop nodes names them in every view
                own.n_id = torch.arange(data.num_nodes)
            own.weight_in_dalton = torch.tensor([own.weight_in_dalton])  # PyG makes tensors of numbers
            if not any(differences(view[key], own[key]) for key in own.keys() if key != "smiles"):
                matches.append(i)
        assert len(matches) == 1
        drawn[matches[0]] += 1
    assert set(drawn) == set(range(4))


def test_every_view_of_a_choice_has_the_same_attributes(make: Make) -> None:
    aug = RandomChoice([NodeDrop(drop=0.5), NodeMask(mask=0.5)])
    names = {tuple(aug.view(make(8, ring(8), graph_id=i), 0).keys()) for i in range(20)}
    assert len(names) == 1
    assert "n_id" in names.pop()


def test_a_choice_may_hold_choices(graphs: list[Data], differences: Compare) -> None:
    batch = Batch.from_data_list(graphs)
    nested = RandomChoice([RandomChoice(MEMBERS)])
    assert differences(nested.view(batch, 4), RandomChoice(MEMBERS).view(batch, fold(4, 1))) == []


def test_features_reach_only_the_members_graphs(make: Make) -> None:
    graphs = [make(6, ring(6), seed=i, graph_id=i) for i in range(12)]
    aug = RandomChoice([RandomChoice([NodeMask(mask=1.0, fill="mean"), Identity()]), NodeMask(mask=1.0, fill=9.0)])
    outcomes = Counter()
    for view, data in zip(aug.view(Batch.from_data_list(graphs), 0).to_data_list(), graphs, strict=True):
        mean = torch.allclose(view.x, data.x.mean(0).expand_as(data.x))
        outcomes[mean, torch.equal(view.x, data.x), bool((view.x == 9).all())] += 1
    assert set(outcomes) == {(True, False, False), (False, True, False), (False, False, True)}


# --- what they refuse -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Compose, RandomChoice])
def test_at_least_one_member(kind: type) -> None:
    with pytest.raises(ValueError, match="expected at least one augmentation, got none"):
        kind([])


@pytest.mark.parametrize("kind", [Compose, RandomChoice])
@pytest.mark.parametrize("wrong", [NodeDrop, "NodeDrop", ToUndirected()], ids=["class", "name", "transform"])
def test_members_are_augmentations(kind: type, wrong: Any) -> None:
    with pytest.raises(TypeError, match="expected instances of"):
        kind([NodeDrop(), wrong])


def test_a_choice_refuses_what_cannot_share_a_pass() -> None:
    with pytest.raises(TypeError, match="EditAugmentation"):
        RandomChoice([NodeDrop(), Compose([NodeDrop()])])


def test_later_changes_of_the_list_change_nothing() -> None:
    members = [NodeDrop()]
    aug = Compose(members)
    members.append(Identity())
    assert len(aug.augmentations) == 1
