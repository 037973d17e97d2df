"""The contract of the augmentations of heterogeneous graphs, in one list and suite, and their laws."""

import copy
import pickle
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import BaseTransform

import graphcl.augment
from graphcl._random import fold
from graphcl.augment import (
    Compose,
    HeteroAugmentation,
    HeteroEdgeDrop,
    HeteroFeatureMask,
    HeteroNodeDrop,
    Views,
)

Compare = Callable[[Any, Any], list[str]]

RATES, BACK, FOLLOWS = ("user", "rates", "item"), ("item", "rev_rates", "user"), ("user", "follows", "user")
KINDS = (RATES, BACK, FOLLOWS)


def make(users: int, items: int, *, edges: int = 20, seed: int = 0, graph_id: int | None = None) -> HeteroData:
    """Users and items with features and lists, tags with none; ratings both ways; an undirected relation."""
    generator = torch.Generator().manual_seed(1000 * seed + 10 * users + items)

    def ends(a: int, b: int) -> torch.Tensor:
        count = edges if a > 0 and b > 0 else 0
        size = torch.tensor([[a], [b]]).clamp(min=1)
        return torch.randint(1 << 30, (2, count), generator=generator) % size

    data = HeteroData()
    data["user"].x = torch.randn(users, 6, generator=generator)
    data["user"].node_label = torch.arange(users) + 50
    data["user"].train_mask = torch.rand(users, generator=generator) < 0.5
    data["user"].target = torch.randn(1, 4, generator=generator)  # one per graph
    data["item"].x = torch.randint(5, (items, 3), generator=generator)
    data["item"].node_label = torch.arange(items) + 900
    data["item"].names = [f"item {i}" for i in range(items)]
    data["tag"].num_nodes = 3
    data["tag"].node_label = torch.arange(3)
    rated, followed = ends(users, items), ends(users, users)
    data[RATES].edge_index = rated
    data[RATES].edge_attr = torch.stack([rated[0] + 50.0, rated[1] + 900.0], 1)
    data[RATES].when = np.array([f"{a} {b}" for a, b in rated.t().tolist()])
    data[BACK].edge_index = rated.flip(0)
    data[BACK].weight = rated[0] * 1000 + rated[1]
    data[FOLLOWS].edge_index = torch.cat([followed, followed.flip(0)], 1)
    data[FOLLOWS].edge_attr = torch.cat([followed.min(0).values, followed.min(0).values])
    data["user", "has", "tag"].edge_index = ends(users, 3)
    data.y = torch.tensor([seed])
    data.title = f"graph {seed}"
    if graph_id is not None:
        data.graph_id = torch.tensor([graph_id])
    return data


ALL: list[HeteroAugmentation | Compose] = [
    HeteroEdgeDrop(drop=0.4),
    HeteroEdgeDrop(drop={RATES: 0.5, FOLLOWS: 0.3}),
    HeteroEdgeDrop(drop=0.4, reverse=False),
    HeteroEdgeDrop(drop={BACK: 0.5}, reverse={RATES: BACK, FOLLOWS: FOLLOWS}),
    HeteroNodeDrop(drop=0.4),
    HeteroNodeDrop(drop={"user": 0.7, "tag": 0.5}, count="floor"),
    HeteroNodeDrop(drop=1.0),
    HeteroFeatureMask(mask=0.5, fill=3),
    HeteroFeatureMask(mask={"user": 0.5}, count="round", shared=True),
    Compose([HeteroNodeDrop(drop={"item": 0.3}), HeteroFeatureMask(mask=0.3), HeteroEdgeDrop(drop=0.2)]),
]
every = pytest.mark.parametrize("aug", ALL, ids=[f"{i}-{type(aug).__name__}" for i, aug in enumerate(ALL)])

SHAPES = [(8, 5, 20), (1, 1, 1), (0, 4, 0), (5, 0, 7), (12, 3, 3), (3, 9, 40), (0, 0, 0)]


@pytest.fixture
def members() -> list[HeteroData]:
    return [make(u, i, edges=e, seed=k, graph_id=7 * k + 3) for k, (u, i, e) in enumerate(SHAPES)]


def compared(differences: Compare, a: HeteroData, b: HeteroData) -> list[str]:
    """Where two graphs or batches differ: type, every attribute of every type and their order, the bookkeeping."""
    books = [
        {name: value for name, value in d._global_store.__dict__.items() if name in ("_slice_dict", "_inc_dict")}
        for d in (a, b)
    ]
    kind = [] if type(a) is type(b) else [f"{type(a).__name__} and {type(b).__name__}"]
    return kind + differences(as_lists(a.to_dict()), as_lists(b.to_dict())) + differences(*books)


def as_lists(value: Any) -> Any:
    """The same with lists for numpy's arrays, which have no truth value."""
    if isinstance(value, dict):
        return {key: as_lists(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_lists(entry) for entry in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


# --- the contract -----------------------------------------------------------------------------------------------------


def test_the_list_is_complete() -> None:
    public = {getattr(graphcl.augment, name) for name in graphcl.augment.__all__}
    classes = {cls for cls in public if isinstance(cls, type)}
    hetero = {cls for cls in classes if issubclass(cls, HeteroAugmentation)} - {HeteroAugmentation}
    assert hetero <= {type(aug) for aug in ALL}


@every
def test_is_a_transform_that_tells_its_parameters_and_can_be_sent(
    aug: HeteroAugmentation, members: list[HeteroData], differences: Compare
) -> None:
    assert isinstance(aug, BaseTransform)
    assert repr(eval(repr(aug), vars(graphcl.augment))) == repr(aug)
    batch = Batch.from_data_list(members)
    again = pickle.loads(pickle.dumps(aug))
    assert compared(differences, again.view(batch, 3), aug.view(batch, 3)) == []


@every
@pytest.mark.parametrize("wrong", [None, Data(x=torch.ones(2, 1)), "graph"], ids=lambda v: type(v).__name__)
def test_refuses_what_is_not_heterogeneous(aug: HeteroAugmentation, wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"HeteroData or a batch of them, got {type(wrong).__name__}"):
        aug(wrong)


@every
def test_leaves_its_input_alone(aug: HeteroAugmentation, members: list[HeteroData], differences: Compare) -> None:
    for data in (Batch.from_data_list(members), members[0]):
        before = copy.deepcopy(data)
        before._global_store.__dict__.update(
            copy.deepcopy({name: value for name, value in data._global_store.__dict__.items() if name != "_parent"})
        )
        view = aug.view(data, 5)
        view["user"].extra = torch.ones(1)
        view["user"].x = None
        assert compared(differences, data, before) == []


@every
def test_the_key_decides(aug: HeteroAugmentation, members: list[HeteroData], differences: Compare) -> None:
    batch = Batch.from_data_list(members)
    assert compared(differences, aug.view(batch, 8), aug.view(batch, torch.tensor(8))) == []
    assert any(compared(differences, aug.view(batch, key), aug.view(batch, 8)) for key in range(3))
    before = torch.get_rng_state()
    seeded = [aug(batch, generator=torch.Generator().manual_seed(4)) for _ in range(2)]
    assert compared(differences, *seeded) == []
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_the_view_of_a_batch_is_the_batch_of_views(
    aug: HeteroAugmentation, members: list[HeteroData], differences: Compare
) -> None:
    for some in (members, members[:1], members[2:], members[::-1]):
        views = [aug.view(data, 1) for data in some]
        view, expected = aug.view(Batch.from_data_list(some), 1), Batch.from_data_list(views)
        assert compared(differences, view, expected) == []
        assert view.num_graphs == len(some)
        for part, single in zip(view.to_data_list(), views, strict=True):
            assert differences(as_lists(part.to_dict()), as_lists(Batch.from_data_list([single])[0].to_dict())) == []
            assert part.validate()


@every
def test_a_view_does_not_depend_on_the_company(
    aug: HeteroAugmentation, members: list[HeteroData], differences: Compare
) -> None:
    whole = aug.view(Batch.from_data_list(members), 6).to_data_list()
    for order in ([5, 0], [3, 3, 1], [6, 4]):
        parts = aug.view(Batch.from_data_list([members[i] for i in order]), 6).to_data_list()
        for part, i in zip(parts, order, strict=True):
            assert compared(differences, part, whole[i]) == []


@every
def test_graphs_without_a_name_are_named_by_their_place(aug: HeteroAugmentation, differences: Compare) -> None:
    named = [make(6, 5, seed=i, graph_id=i) for i in range(4)]
    expected = aug.view(Batch.from_data_list(named), 2)
    del expected.graph_id
    del expected._slice_dict["graph_id"], expected._inc_dict["graph_id"]
    view = aug.view(Batch.from_data_list([make(6, 5, seed=i) for i in range(4)]), 2)
    assert compared(differences, view, expected) == []


@every
def test_a_type_does_not_depend_on_the_other_types(aug: HeteroAugmentation, members: list[HeteroData]) -> None:
    if isinstance(aug, Compose | HeteroNodeDrop):
        return
    data = members[0]
    alone = HeteroData()
    for kind in ("item", "user"):
        for name, value in data[kind].items():
            alone[kind][name] = value
    for kind in KINDS[::-1]:
        for name, value in data[kind].items():
            alone[kind][name] = value
    alone.graph_id = data.graph_id
    view, expected = aug.view(alone, 3), aug.view(data, 3)
    assert torch.equal(view["user"].x, expected["user"].x)
    assert all(torch.equal(view[kind].edge_index, expected[kind].edge_index) for kind in KINDS)


@every
def test_everything_is_carried(aug: HeteroAugmentation, members: list[HeteroData]) -> None:
    views = aug.view(Batch.from_data_list(members), 4).to_data_list()
    for data, view in zip(members, views, strict=True):
        kept = {kind: view[kind].get("n_id", torch.arange(data[kind].num_nodes)) for kind in data.node_types}
        for kind, rows in kept.items():
            assert view[kind].num_nodes == rows.numel() >= min(data[kind].num_nodes, 1)
            assert (rows[1:] > rows[:-1]).all()
            assert torch.equal(view[kind].node_label, data[kind].node_label[rows])
            if kind != "tag" and "FeatureMask" not in repr(aug):
                assert torch.equal(view[kind].x, data[kind].x[rows])
            assert all(view[kind][name].dtype == value.dtype for name, value in data[kind].items("x", "node_label"))
        assert torch.equal(view["user"].train_mask, data["user"].train_mask[kept["user"]])
        assert torch.equal(view["user"].target, data["user"].target)
        assert view["item"].names == [f"item {i}" for i in kept["item"].tolist()]
        for kind in data.edge_types:
            source, target = kept[kind[0]], kept[kind[2]]
            edges = torch.stack([source[view[kind].edge_index[0]], target[view[kind].edge_index[1]]])
            left = Counter(map(tuple, data[kind].edge_index.t().tolist()))
            assert Counter(map(tuple, edges.t().tolist())) <= left
            if kind == RATES:
                assert torch.equal(view[kind].edge_attr, torch.stack([edges[0] + 50.0, edges[1] + 900.0], 1))
                assert list(view[kind].when) == [f"{a} {b}" for a, b in edges.t().tolist()]
            if kind == BACK:
                assert torch.equal(view[kind].weight, edges[1] * 1000 + edges[0])
            if kind == FOLLOWS:
                assert torch.equal(view[kind].edge_attr, edges.min(0).values)
        assert torch.equal(view.y, data.y)
        assert view.title == data.title


@every
def test_views_of_views(aug: HeteroAugmentation, members: list[HeteroData], differences: Compare) -> None:
    first = HeteroNodeDrop(drop=0.3).view(Batch.from_data_list(members), 0)
    second = aug.view(first, 1)
    for part, data in zip(second.to_data_list(), members, strict=True):
        for kind in data.node_types:
            assert torch.equal(part[kind].node_label, data[kind].node_label[part[kind].n_id])
    singles = [aug.view(HeteroNodeDrop(drop=0.3).view(data, 0), 1) for data in members]
    assert compared(differences, second, Batch.from_data_list(singles)) == []


@every
def test_follow_batch_vectors_are_kept_up(aug: HeteroAugmentation, differences: Compare) -> None:
    members = [make(6, 5, seed=i, graph_id=i) for i in range(4)]
    view = aug.view(Batch.from_data_list(members, follow_batch=["x", "edge_attr"]), 1)
    expected = Batch.from_data_list([aug.view(data, 1) for data in members], follow_batch=["x", "edge_attr"])
    for kind, name in (("user", "x"), ("item", "x"), (RATES, "edge_attr"), (FOLLOWS, "edge_attr")):
        for end in ("batch", "ptr"):
            assert torch.equal(view[kind][f"{name}_{end}"], expected[kind][f"{name}_{end}"])


@every
def test_labels_of_links_follow_their_nodes(aug: HeteroAugmentation, differences: Compare) -> None:
    refused = carried = 0
    for key in range(12):
        members = []
        for k in range(3):
            data = make(10, 9, seed=k, graph_id=k)
            data[RATES].edge_label_index = torch.tensor([[0, 4], [1, 8]])
            data[RATES].edge_label = torch.tensor([1.0, 0.0])
            members.append(data)
        try:
            view = aug.view(Batch.from_data_list(members), key)
        except ValueError as error:
            if "'edge_label_index' of ('user', 'rates', 'item')" not in str(error):
                raise
            refused += 1
            continue
        carried += 1
        assert compared(differences, view, Batch.from_data_list([aug.view(data, key) for data in members])) == []
        for part in view.to_data_list():
            users, items = part[RATES].edge_label_index
            assert part["user"].node_label[users].tolist() == [50, 54]
            assert part["item"].node_label[items].tolist() == [901, 908]
            assert part[RATES].edge_label.tolist() == [1.0, 0.0]
    assert refused + carried == 12
    assert carried == 12 or "NodeDrop" in repr(aug)


@every
def test_as_many_links_to_be_predicted_as_edges(aug: HeteroAugmentation) -> None:
    data = make(8, 5, seed=1)
    data[RATES].edge_label_index = data[RATES].edge_index.flip(1)
    data[RATES].edge_label = torch.arange(20)
    ends = [data[kind].node_label[row] for kind, row in zip(("user", "item"), data[RATES].edge_label_index)]
    for key in range(5):
        try:
            views = [aug.view(data, key), aug.view(Batch.from_data_list([data, data]), key)[0]]
        except ValueError as error:
            if "'edge_label_index'" not in str(error):
                raise
            continue
        for view in views:
            assert view[RATES].edge_label.tolist() == list(range(20))
            for kind, row, labels in zip(("user", "item"), view[RATES].edge_label_index, ends):
                assert torch.equal(view[kind].node_label[row], labels)


@every
def test_the_seeds_of_a_loader_are_those_that_stay(aug: HeteroAugmentation) -> None:
    data = make(8, 5, seed=1, graph_id=1)
    data["user"].n_id = torch.arange(8) + 1000
    data["user"].input_id, data["user"].batch_size = torch.arange(3) + 1000, 3
    for key in range(5):
        user = aug.view(data, key)["user"]
        assert torch.equal(user.n_id[: user.batch_size], user.input_id)
        assert user.input_id.tolist() == [i for i in user.n_id.tolist() if i < 1003]


@every
def test_an_edge_index_of_pyg(aug: HeteroAugmentation, differences: Compare) -> None:
    data, same = make(8, 5, seed=1), make(8, 5, seed=1)
    for store in data.edge_stores:
        store.edge_index = EdgeIndex(store.edge_index)
    view = aug.view(data, 2)
    for store in view.edge_stores:
        store.edge_index = torch.stack(store.edge_index.unbind())
    assert compared(differences, view, aug.view(same, 2)) == []


@every
def test_node_numbers_of_a_loader_are_subset(aug: HeteroAugmentation) -> None:
    data = make(10, 8, graph_id=1)
    for kind in ("user", "item", "tag"):
        data[kind].n_id = torch.arange(data[kind].num_nodes) * 11 + 1000
    view = aug.view(data, 2)
    for kind, first in (("user", 50), ("item", 900), ("tag", 0)):
        assert torch.equal(view[kind].n_id, (view[kind].node_label - first) * 11 + 1000)


@every
def test_as_transform_of_a_loader(aug: HeteroAugmentation, members: list[HeteroData]) -> None:
    class Graphs(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(members)

        def __getitem__(self, i: int) -> Any:
            return Views(aug, aug).view(members[i], 3)

    first, second = next(iter(DataLoader(Graphs(), batch_size=4)))
    expected = aug.view(Batch.from_data_list(members[:4]), fold(3, 1))
    assert torch.equal(second["user"].x, expected["user"].x)
    assert all(torch.equal(second[kind].edge_index, expected[kind].edge_index) for kind in KINDS)
    assert first.num_graphs == 4


@pytest.mark.gpu
@every
def test_a_gpu_makes_the_same_views(aug: HeteroAugmentation, members: list[HeteroData], differences: Compare) -> None:
    batch = Batch.from_data_list(members)
    view = aug.view(batch.clone().to("cuda"), 3)
    assert all(v.is_cuda for store in view.stores for v in store.values() if isinstance(v, torch.Tensor))
    assert compared(differences, view.cpu(), aug.view(batch, 3)) == []


@every
@settings(max_examples=15)
@given(
    shapes=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 12)), min_size=1, max_size=4),
    key=st.integers(-(2**63), 2**63 - 1),
)
def test_any_batch(aug: HeteroAugmentation, shapes: list[tuple[int, int, int]], key: int, differences: Compare) -> None:
    members = [make(u, i, edges=e, seed=k, graph_id=3 * k) for k, (u, i, e) in enumerate(shapes)]
    batch = Batch.from_data_list(members)
    view = aug.view(batch, key)
    assert compared(differences, view, Batch.from_data_list([aug.view(data, key) for data in members])) == []
    assert view.validate()


# --- edges ------------------------------------------------------------------------------------------------------------


def pairs(edges: torch.Tensor) -> set[tuple[int, ...]]:
    return set(map(tuple, edges.t().tolist()))


def many_edges() -> HeteroData:
    """Every edge once: 60 users rate 50 items; 90 users follow each other."""
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 90, 50
    data[RATES].edge_index = torch.cartesian_prod(torch.arange(60), torch.arange(50)).t()
    follows = torch.combinations(torch.arange(90)).t()
    data[FOLLOWS].edge_index = torch.cat([follows, follows.flip(0)], 1)
    return data


def with_reverse(data: HeteroData, kind: tuple[str, str, str]) -> HeteroData:
    order = torch.randperm(data[RATES].num_edges, generator=torch.Generator().manual_seed(0))
    data[kind].edge_index = data[RATES].edge_index.flip(0)[:, order]
    return data


def test_edges_of_each_type_are_dropped_at_its_rate() -> None:
    data = many_edges()
    view = HeteroEdgeDrop(drop={RATES: 0.3, FOLLOWS: 0.8}, reverse=False).view(data, 1)
    assert stats.binomtest(view[RATES].num_edges, 3000, 0.7).pvalue > 1e-3
    assert stats.binomtest(view[FOLLOWS].num_edges, 90 * 89, 0.2).pvalue > 1e-3
    whole = HeteroEdgeDrop(drop={RATES: 0.3}).view(data, 1)
    assert whole[FOLLOWS].edge_index is data[FOLLOWS].edge_index
    assert "n_id" not in view["user"]


def test_the_reverse_edge_goes_too() -> None:
    data = with_reverse(many_edges(), BACK)
    for drop in (0.4, {RATES: 0.4}, {BACK: 0.4}, {RATES: 0.4, BACK: 0.4}):
        view = HeteroEdgeDrop(drop=drop).view(data, 1)
        assert stats.binomtest(view[RATES].num_edges, 3000, 0.6).pvalue > 1e-3
        assert pairs(view[RATES].edge_index) == pairs(view[BACK].edge_index.flip(0))
    follows = HeteroEdgeDrop(drop=0.4).view(data, 1)[FOLLOWS].edge_index
    assert pairs(follows) == pairs(follows.flip(0))


def test_the_reverse_type_may_have_any_name() -> None:
    rated_by = ("item", "rated_by", "user")
    data = with_reverse(many_edges(), rated_by)
    view = HeteroEdgeDrop(drop=0.4, reverse={RATES: rated_by}).view(data, 1)
    assert pairs(view[RATES].edge_index) == pairs(view[rated_by].edge_index.flip(0))
    assert pairs(view[FOLLOWS].edge_index) != pairs(view[FOLLOWS].edge_index.flip(0))


def test_a_pair_of_types_may_be_named_both_ways() -> None:
    data = with_reverse(many_edges(), BACK)
    for drop in (0.4, {RATES: 0.4}, {BACK: 0.4}):
        once = HeteroEdgeDrop(drop=drop, reverse={RATES: BACK}).view(data, 1)
        twice = HeteroEdgeDrop(drop=drop, reverse={RATES: BACK, BACK: RATES}).view(data, 1)
        for kind in (RATES, BACK):
            assert torch.equal(once[kind].edge_index, twice[kind].edge_index)


def test_a_type_has_one_reverse() -> None:
    other, more = ("item", "sold_to", "user"), ("user", "buys", "item")
    for reverse in (
        {RATES: BACK, BACK: more},
        {RATES: BACK, more: BACK},
        {FOLLOWS: FOLLOWS, RATES: other, more: other},
    ):
        with pytest.raises(ValueError, match="expected one reverse for each edge type, got two for"):
            HeteroEdgeDrop(reverse=reverse)


@pytest.mark.parametrize("reverse", ["rev_", 1, [(RATES, BACK)], None])
def test_refuses_what_names_no_reverse_types(reverse: Any) -> None:
    with pytest.raises(TypeError, match="expected reverse to be True, False or a mapping"):
        HeteroEdgeDrop(reverse=reverse)


def test_without_a_reverse_both_types_draw_for_themselves() -> None:
    data = with_reverse(many_edges(), BACK)
    view = HeteroEdgeDrop(drop=0.5, reverse=False).view(data, 1)
    there, back = pairs(view[RATES].edge_index), pairs(view[BACK].edge_index.flip(0))
    assert stats.binomtest(len(there & back), 3000, 0.25).pvalue > 1e-3
    both = pairs(view[FOLLOWS].edge_index)
    assert stats.binomtest(sum((b, a) in both for a, b in both), len(both), 0.5).pvalue > 1e-3


def test_types_draw_independently() -> None:
    data = many_edges()
    likes = ("user", "likes", "item")
    data[likes].edge_index = data[RATES].edge_index
    view = HeteroEdgeDrop(drop=0.5).view(data, 1)
    assert stats.binomtest(len(pairs(view[RATES].edge_index) & pairs(view[likes].edge_index)), 3000, 0.25).pvalue > 1e-3


def test_a_relation_with_a_reverse_type_of_the_same_ends_is_directed() -> None:
    data = HeteroData()
    data["paper"].num_nodes = 60
    edges = torch.combinations(torch.arange(60)).t()
    cites, back = ("paper", "cites", "paper"), ("paper", "rev_cites", "paper")
    data[cites].edge_index = torch.cat([edges, edges.flip(0)], 1)
    data[back].edge_index = data[cites].edge_index.flip(0)
    view = HeteroEdgeDrop(drop=0.5).view(data, 1)
    assert pairs(view[cites].edge_index) == pairs(view[back].edge_index.flip(0))
    assert pairs(view[cites].edge_index) != pairs(view[cites].edge_index.flip(0))


def test_two_rates_of_a_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one drop for.*got 0.1 and 0.2; give one of them, or reverse=False"):
        HeteroEdgeDrop(drop={RATES: 0.1, BACK: 0.2}).view(with_reverse(many_edges(), BACK), 0)
    HeteroEdgeDrop(drop={RATES: 0.1, BACK: 0.2}, reverse=False).view(with_reverse(many_edges(), BACK), 0)


# --- nodes ------------------------------------------------------------------------------------------------------------


def test_numbers_of_nodes_are_exact_and_the_choice_is_uniform() -> None:
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 5, 7
    data["user"].names = list("abcde")
    data["item"].x = torch.ones(7, 1)
    data[RATES].edge_index = torch.tensor([[0, 4], [6, 0]])
    batch = Batch.from_data_list([data] * 3000)
    view = HeteroNodeDrop(drop={"user": 0.4, "item": 0.5}).view(batch, 0)
    assert view["user"].ptr.diff().tolist() == [3] * 3000
    assert view["item"].ptr.diff().tolist() == [3] * 3000  # half of 7 rounds to the even 4
    kept = Counter(tuple(row) for row in view["user"].n_id.view(3000, 3).tolist())
    assert set(kept) == set(combinations(range(5), 3))
    assert stats.chisquare(list(kept.values())).pvalue > 1e-3
    # Independent of the other type: the edge (0, 6) survives if both of its ends do.
    stays = 3 / 5 * 3 / 7
    assert stats.binomtest(view[RATES].num_edges, 6000, stays).pvalue > 1e-3
    floored = HeteroNodeDrop(drop=0.5, count="floor").view(data, 0)
    assert (floored["user"].num_nodes, floored["item"].num_nodes) == (3, 4)


def test_only_named_types_lose_nodes_and_get_numbers() -> None:
    view = HeteroNodeDrop(drop={"item": 0.5}).view(make(6, 8, graph_id=0), 0)
    assert (view["user"].num_nodes, view["item"].num_nodes) == (6, 4)
    assert "n_id" in view["item"]
    assert "n_id" not in view["user"]


# --- features ---------------------------------------------------------------------------------------------------------


def test_columns_are_masked_by_type() -> None:
    data = HeteroData()
    data["user"].x, data["item"].x = torch.ones(3, 2000), torch.ones(4, 3000, dtype=torch.float64)
    data["tag"].num_nodes = 2
    view = HeteroFeatureMask(mask={"user": 0.2, "item": 0.7}).view(data, 0)
    for kind, share in (("user", 0.2), ("item", 0.7)):
        zero = view[kind].x == 0
        assert view[kind].x.dtype == data[kind].x.dtype
        assert torch.equal(zero, zero[:1].expand_as(zero))
        assert stats.binomtest(int(zero[0].sum()), zero.size(1), share).pvalue > 1e-3
    both = HeteroFeatureMask(mask=0.5).view(data, 0)
    equal = (both["user"].x[0] == both["item"].x[0, :2000]).sum()
    assert stats.binomtest(int(equal), 2000, 0.5).pvalue > 1e-3


@pytest.mark.parametrize("number", [-1, 6])
def test_refuses_numbers_of_no_node(number: int) -> None:
    data = make(6, 8, graph_id=0)
    data[RATES].edge_label_index = torch.tensor([[number], [0]])
    with pytest.raises(ValueError, match=f"'edge_label_index' of .* numbers of nodes, from 0 to 5, got {number}"):
        HeteroNodeDrop(drop={"user": 0.2}).view(data, 0)


# --- what they refuse -------------------------------------------------------------------------------------------------


def test_unknown_types_are_named() -> None:
    data = make(4, 4)
    for aug, name in (
        (HeteroEdgeDrop(drop={("user", "buys", "item"): 0.1}), "buys"),
        (HeteroEdgeDrop(reverse={RATES: ("item", "sold_to", "user")}), "sold_to"),
        (HeteroNodeDrop(drop={"shop": 0.1}), "shop"),
        (HeteroFeatureMask(mask={"tag": 0.1}), "tag"),
    ):
        with pytest.raises(ValueError, match=f"types of the data, got .*{name}.*; there are"):
            aug.view(data, 0)


@pytest.mark.parametrize(("kind", "name"), [(HeteroEdgeDrop, "drop"), (HeteroNodeDrop, "drop")])
def test_shares_lie_within_0_and_1(kind: type, name: str) -> None:
    for wrong in (-0.1, 1.5, float("nan"), {"user": 2.0}):
        with pytest.raises(ValueError, match=r"within \[0, 1\]"):
            kind(**{name: wrong})
    with pytest.raises(TypeError, match="as a share"):
        kind(**{name: "0.1"})


def test_a_reverse_type_joins_the_same_types_of_nodes() -> None:
    with pytest.raises(ValueError, match="expected the reverse of .* to join the same node types"):
        HeteroEdgeDrop(reverse={RATES: FOLLOWS})


def test_features_have_to_be_there_and_fit() -> None:
    data = HeteroData()
    data["user"].num_nodes = 3
    with pytest.raises(ValueError, match="no node type has x"):
        HeteroFeatureMask().view(data, 0)
    with pytest.raises(TypeError, match="give a whole number"):
        HeteroFeatureMask(mask=0.5, fill=0.5).view(make(3, 3), 0)


def test_unknown_numbers_of_nodes_and_odd_edges_are_refused() -> None:
    data = HeteroData()
    data["user"].label = torch.ones(3)
    data["item"].x = torch.ones(3, 1)
    with pytest.raises(ValueError, match=r"number of nodes of type 'user'.*data\['user'\].num_nodes"):
        HeteroNodeDrop().view(data, 0)
    data["user"].num_nodes = 3
    data[RATES].edge_index = torch.ones(2, 1, dtype=torch.int32)
    with pytest.raises(TypeError, match=r"edge_index of dtype int64, got torch.int32; write .*edge_index.long\(\)"):
        HeteroEdgeDrop().view(data, 0)
    data[RATES].edge_index = torch.zeros(5, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"of shape \[2, E\], got \[5, 2\]; of \[E, 2\] write edge_index.t\(\)"):
        HeteroEdgeDrop().view(data, 0)
    data["user"].batch = torch.zeros(3, dtype=torch.int32)
    with pytest.raises(TypeError, match=r"expected data\['user'\].batch of dtype int64, got torch.int32"):
        HeteroNodeDrop().view(data, 0)
    del data["user"].batch
    data[RATES].edge_index = None
    data[RATES].adj_t = torch.eye(3).to_sparse()
    with pytest.raises(ValueError, match="expected an edge_index of edge type"):
        HeteroEdgeDrop().view(data, 0)
    del data[RATES]
    data["user", "sees", "film"].edge_index = torch.ones(2, 1, dtype=torch.int64)
    del data["film"]
    with pytest.raises(ValueError, match="expected nodes of type 'film'"):
        HeteroEdgeDrop().view(data, 0)


def test_an_empty_type_in_a_batch_without_ptr() -> None:
    batch = Batch.from_data_list([make(3, 3, seed=i) for i in range(2)])
    batch["ghost"].x, batch["ghost"].batch = torch.ones(0, 1), torch.empty(0, dtype=torch.int64)
    expected = HeteroNodeDrop(drop={"user": 0.4}).view(batch, 0)["user"].n_id
    for kind in ("user", "item"):
        del batch[kind].ptr
    assert torch.equal(HeteroNodeDrop(drop={"user": 0.4}).view(batch, 0)["user"].n_id, expected)


def test_edges_that_were_mixed_up_after_batching_are_refused() -> None:
    batch = Batch.from_data_list([make(3, 3, seed=1), make(4, 4, seed=2)])
    batch[RATES].edge_index = batch[RATES].edge_index.flip(1)
    with pytest.raises(ValueError, match="grouped by graph"):
        HeteroEdgeDrop().view(batch, 0)


def test_a_batch_of_batches_is_refused() -> None:
    batches = [Batch.from_data_list([make(3, 3, seed=i) for i in range(2)]) for _ in range(2)]
    with pytest.raises(ValueError, match="expected a batch of single graphs, got one of 2 batches with 4 graphs"):
        HeteroNodeDrop().view(Batch.from_data_list(batches), 0)


def test_stale_and_mixed_up_batches_are_refused() -> None:
    batch = Batch.from_data_list([make(3, 3, seed=1), make(4, 4, seed=2)])
    batch["user"].batch = batch["user"].batch[:5]
    with pytest.raises(ValueError, match=r"expected 7 nodes of type 'user', as its ptr says, got 5"):
        HeteroNodeDrop().view(batch, 0)
    data = HeteroData()
    data["user"].x = torch.ones(3, 1)
    data["user"].batch = torch.tensor([0, 1, 0])
    with pytest.raises(ValueError, match="grouped by graph"):
        HeteroNodeDrop().view(data, 0)
    data["user"].batch = torch.tensor([0, 0, 1])
    data["item"].x = torch.ones(3, 1)
    with pytest.raises(ValueError, match="every node type in the same number of graphs"):
        HeteroNodeDrop().view(data, 0)
