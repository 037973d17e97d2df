"""One of several, or perhaps one: each graph its own choice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl._random import Key, fold
from graphcl.augment import (
    Augmentation,
    Compose,
    EdgeDrop,
    EdgePerturb,
    FeatureMask,
    FeatureShuffle,
    HeteroNodeDrop,
    Identity,
    NodeDrop,
    NodeMask,
    RandomApply,
    RandomChoice,
    RandomWalkSubgraph,
)
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment.base import EditAugmentation
from graphcl.augment.choice import choose

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]


MEMBERS = [NodeDrop(drop=0.3), EdgePerturb(drop=0.2, add=0.4), NodeMask(mask=0.5), RandomWalkSubgraph(keep=0.5)]


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


def test_every_view_of_a_choice_has_the_same_attributes(ring: Make) -> None:
    aug = RandomChoice([NodeDrop(drop=0.5), NodeMask(mask=0.5)])
    names = {tuple(aug.view(ring(8, graph_id=i), 0).keys()) for i in range(20)}
    assert len(names) == 1
    assert "n_id" in names.pop()


def test_a_choice_may_hold_choices(graphs: list[Data], differences: Compare) -> None:
    batch = Batch.from_data_list(graphs)
    nested = RandomChoice([RandomChoice(MEMBERS)])
    assert differences(nested.view(batch, 4), RandomChoice(MEMBERS).view(batch, fold(4, 1))) == []


def test_features_reach_only_the_members_graphs(ring: Make) -> None:
    graphs = [ring(6, seed=i, graph_id=i) for i in range(12)]
    aug = RandomChoice([RandomChoice([NodeMask(mask=1.0, fill="mean"), Identity()]), NodeMask(mask=1.0, fill=9.0)])
    outcomes = Counter()
    for view, data in zip(aug.view(Batch.from_data_list(graphs), 0).to_data_list(), graphs, strict=True):
        mean = torch.allclose(view.x, data.x.mean(0).expand_as(data.x))
        outcomes[mean, torch.equal(view.x, data.x), bool((view.x == 9).all())] += 1
    assert set(outcomes) == {(True, False, False), (False, True, False), (False, False, True)}


def lonely(count: int) -> Batch:
    return Batch.from_data_list([Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=1)] * count)


@pytest.mark.parametrize("p", [[1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4], [0.5, 0.0, 0.5, 0.0]], ids=str)
def test_weights_are_kept_to(p: list[float]) -> None:
    members = [Told() for _ in p]
    RandomChoice(members, p=p).view(lonely(5000), 3)
    counts = [len(member.seen) for member in members]
    assert sum(counts) == 5000
    expected = [5000 * weight / sum(p) for weight in p]
    assert [n for n, e in zip(counts, expected, strict=True) if e == 0] == [0] * p.count(0.0)
    likely = [(n, e) for n, e in zip(counts, expected, strict=True) if e > 0]
    assert stats.chisquare(*zip(*likely, strict=True)).pvalue > 1e-3


def test_bounds_belong_to_the_next_member() -> None:
    lowest, half, highest = 0, -(2**63), -1  # hashes are compared as unsigned numbers
    hashes = torch.tensor([lowest, 2**63 - 1, half, highest])
    assert choose(hashes, [0.0, 1.0], 2).tolist() == [1, 1, 1, 1]
    assert choose(hashes, [1.0, 0.0], 2).tolist() == [0, 0, 0, 0]
    assert choose(hashes, [1.0, 1.0], 2).tolist() == [0, 0, 1, 1]


def test_a_member_with_all_the_weight_is_certain(graphs: list[Data]) -> None:
    batch = Batch.from_data_list(graphs)
    assert RandomChoice(MEMBERS[:2], p=torch.tensor([0.25, 0.75])).p == [0.25, 0.75]
    certain = RandomChoice([MEMBERS[0], MEMBERS[2]], p=[0, 2]).view(batch, 4)
    expected = MEMBERS[2].view(batch, fold(4, 2))
    assert torch.equal(certain.x, expected.x)
    assert torch.equal(certain.edge_index, expected.edge_index)


def test_a_choice_among_compositions_is_what_each_would_have_made(graphs: list[Data], differences: Compare) -> None:
    long = Compose([NodeDrop(drop=0.3), Compose([FeatureMask(mask=0.5), EdgePerturb(drop=0.3)]), NodeMask(mask=0.5)])
    members = [long, FeatureShuffle(), Compose([EdgeDrop(drop=0.5), FeatureShuffle()])]
    views = RandomChoice(members).view(Batch.from_data_list(graphs), 5).to_data_list()
    drawn = Counter()
    for view, data in zip(views, graphs, strict=True):
        matches = []
        for i, member in enumerate(members):
            own = member.view(data, fold(5, i + 1))
            own.n_id = own.get("n_id", torch.arange(data.num_nodes))
            names = [key for key in own.keys() if key not in ("smiles", "weight_in_dalton")]
            if not any(differences(view[key], own[key]) for key in names):
                matches.append(i)
        assert len(matches) == 1
        drawn[matches[0]] += 1
    assert set(drawn) == set(range(3))


def test_the_batch_is_rebuilt_as_often_as_the_longest_member_has_steps(graphs: list[Data]) -> None:
    shown: list[int] = []

    class Counting(EditAugmentation):
        def edit(self, graph: Graph, key: Key) -> Edit:
            shown.append(graph.num_graphs)
            return Edit()

    aug = RandomChoice([Compose([Counting(), Counting()]), Identity(), RandomApply(Compose([Counting()] * 3), p=1.0)])
    aug.view(Batch.from_data_list(graphs), 0)
    assert len(shown) == 5
    assert shown[0] == shown[2]
    assert shown[1] == shown[3] == shown[4]


class Twice(Augmentation):
    """An augmentation of one's own that is made of another."""

    def __init__(self, augmentation: Augmentation) -> None:
        self.augmentation = augmentation

    def view(self, data: Data, key: Key) -> Data:
        return Compose([self.augmentation] * 2).view(data, key)

    @property
    def passes(self) -> int:
        return 2 * self.augmentation.passes

    def edit_pass(self, graph: Graph, key: Key, number: int) -> Edit:
        return Compose([self.augmentation] * 2).edit_pass(graph, key, number)


def test_a_member_may_be_made_of_edits_in_a_way_of_ones_own(graphs: list[Data], differences: Compare) -> None:
    batch = Batch.from_data_list(graphs)
    aug = RandomChoice([Twice(NodeDrop(drop=0.3)), NodeMask(mask=0.5)])
    expected = RandomChoice([Compose([NodeDrop(drop=0.3)] * 2), NodeMask(mask=0.5)])
    assert aug.passes == expected.passes == 2
    assert differences(aug.view(batch, 3), expected.view(batch, 3)) == []
    assert expected.keyed_by_graph and not aug.keyed_by_graph


def test_what_is_drawn_for_all_graphs_together_is_not_keyed_by_graph() -> None:
    class Shared(Told):
        @property
        def keyed_by_graph(self) -> bool:
            return False

    for whole in (Shared(), FeatureMask(shared=True), FeatureShuffle(across=True)):
        for aug in (Compose([whole]), RandomChoice([whole, Identity()]), RandomApply(Compose([Identity(), whole]))):
            assert not aug.keyed_by_graph
    assert RandomApply(Compose([Told(), FeatureMask(), FeatureShuffle()])).keyed_by_graph


# --- perhaps one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_every_graph_tosses_a_coin_of_its_own(p: float) -> None:
    hits = []
    for key in range(2):
        told = Told()
        RandomApply(told, p=p).view(lonely(4000), key)
        assert stats.binomtest(len(told.seen), 4000, p).pvalue > 1e-3
        hits.append(torch.zeros(4000).index_fill_(0, torch.tensor(told.seen), 1))
    for a, b in ((hits[0], hits[1]), (hits[0][1:], hits[0][:-1])):
        assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 4 / 4000**0.5


def test_a_certain_and_an_impossible_application(graphs: list[Data], differences: Compare) -> None:
    batch = Batch.from_data_list(graphs)
    expected = MEMBERS[0].view(batch, fold(8, 1))
    assert differences(RandomApply(MEMBERS[0], p=1.0).view(batch, 8), expected) == []
    never = RandomApply(MEMBERS[0], p=0.0).view(batch, 8)
    assert torch.equal(never.x, batch.x)
    assert torch.equal(never.edge_index, batch.edge_index)


def test_perhaps_one_is_a_choice_between_it_and_nothing(graphs: list[Data], differences: Compare) -> None:
    batch = Batch.from_data_list(graphs)
    choice = RandomChoice([MEMBERS[1], Identity()], p=[0.3, 0.7])
    assert differences(RandomApply(MEMBERS[1], p=0.3).view(batch, 6), choice.view(batch, 6)) == []


# --- what they refuse -------------------------------------------------------------------------------------------------


class Whole(Augmentation):
    """Says nothing of what it changes."""

    def view(self, data: Data, key: Key) -> Data:
        return data.clone()


def test_what_cannot_share_a_pass_is_refused_at_any_depth() -> None:
    assert Compose([NodeDrop(), Whole()]).augmentations
    for member in (Whole(), Compose([NodeDrop(), Whole()]), Compose([Compose([Whole()])]), HeteroNodeDrop()):
        with pytest.raises(TypeError, match="expected instances of EditAugmentation"):
            RandomChoice([NodeDrop(), member])
        with pytest.raises(TypeError, match="expected instances of EditAugmentation"):
            RandomApply(member)


def test_the_weights_are_those_of_the_members() -> None:
    with pytest.raises(ValueError, match="expected one number in p for each of 2 augmentations, got 1"):
        RandomChoice([NodeDrop(), Identity()], p=[1.0])
    for wrong in ([0.5, -0.1], [0.0, 0.0], [1.0, float("nan")], [1.0, float("inf")]):
        with pytest.raises(ValueError, match="expected p of numbers"):
            RandomChoice([NodeDrop(), Identity()], p=wrong)
    for none in (0.5, ["often", "rarely"], [None, 1.0], torch.tensor(0.5)):
        with pytest.raises(TypeError, match="expected p as one number for each of 2 augmentations, got"):
            RandomChoice([NodeDrop(), Identity()], p=none)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_coin_lies_within_0_and_1(p: float) -> None:
    with pytest.raises(ValueError, match=r"expected p within \[0, 1\]"):
        RandomApply(NodeDrop(), p=p)
