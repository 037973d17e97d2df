"""Nothing, one after the other, one of several: keys of their own, and each graph its own choice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import ToUndirected

from graphcl._random import Key, fold, seed_from
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
    PPRDiffusion,
    RandomApply,
    RandomChoice,
    RandomWalkSubgraph,
    Views,
)
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment.base import EditAugmentation
from graphcl.augment.compose import _choose

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
    assert _choose(hashes, [0.0, 1.0], 2).tolist() == [1, 1, 1, 1]
    assert _choose(hashes, [1.0, 0.0], 2).tolist() == [0, 0, 0, 0]
    assert _choose(hashes, [1.0, 1.0], 2).tolist() == [0, 0, 1, 1]


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


# --- several views ----------------------------------------------------------------------------------------------------


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


def test_views_take_any_transform_and_leave_the_input_alone(make: Make, differences: Compare) -> None:
    data = make(6, ring(6), directed=True)
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


def test_later_changes_of_the_list_change_nothing() -> None:
    members = [NodeDrop()]
    aug = Compose(members)
    members.append(Identity())
    assert len(aug.augmentations) == 1


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


def test_views_are_at_least_two_transforms() -> None:
    for few in ((), (Identity(),)):
        with pytest.raises(ValueError, match=f"expected at least two transforms, one per view, got {len(few)}"):
            Views(*few)
    for wrong in (NodeDrop, "NodeDrop", None):
        with pytest.raises(TypeError, match="expected transforms that can be called"):
            Views(Identity(), wrong)
