"""The contract of every augmentation: one list, one suite. A new augmentation joins by a line in ``ALL``."""

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import BaseTransform
from torch_geometric.transforms import Compose as PyGCompose
from torch_geometric.utils import is_undirected

import graphcl.augment
from graphcl.augment import (
    AdaptiveEdgeDrop,
    AdaptiveFeatureMask,
    Augmentation,
    Compose,
    EdgeAdd,
    EdgeDrop,
    EdgeMask,
    EdgePerturb,
    EdgeRewire,
    EgoSubgraph,
    FeatureDropout,
    FeatureMask,
    FeatureNoise,
    FeatureScale,
    FeatureShuffle,
    GrowthSubgraph,
    HeatDiffusion,
    HeteroAugmentation,
    Identity,
    NodeDrop,
    NodeMask,
    PairIndex,
    PPRDiffusion,
    RandomApply,
    RandomChoice,
    RandomWalkSubgraph,
    SpectralEdgeDrop,
    StarSubgraph,
)

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]

RANDOM4 = [
    NodeDrop(drop=0.1, count="floor"),
    EdgePerturb(drop=0.1, add=0.1, count="floor"),
    NodeMask(mask=0.1, fill="gaussian", count="floor"),
    RandomWalkSubgraph(keep=0.2, count="floor"),
]
ALL: list[Augmentation] = [
    Identity(),
    NodeDrop(drop=0.3),
    NodeDrop(drop=1.0, count="floor"),
    NodeDrop(drop=0.4, remove=False),
    NodeMask(mask=0.5),
    NodeMask(mask=0.5, fill=-2),
    NodeMask(mask=0.9, fill="gaussian"),
    NodeMask(mask=0.5, fill=[7, -1, 0]),
    PairIndex(),
    EdgeDrop(drop=0.4),
    EdgeDrop(drop=0.4, directed=True),
    EdgeDrop(drop=0.4, count="round"),
    EdgeAdd(add=0.4),
    EdgeAdd(add=1.0, directed=True, count="floor", fill=3),
    EdgeRewire(share=0.5),
    EdgeRewire(share=0.9, directed=True, count="floor"),
    EdgeMask(mask=0.5),
    EdgeMask(mask=0.6, attr=["edge_weight", "edge_type"], fill=-3),
    EdgePerturb(drop=0.3, add=0.3),
    EdgePerturb(drop=0.2, add=1.0, directed=True),
    EdgePerturb(drop=1.0, add=0.0),
    RandomWalkSubgraph(keep=0.5),
    RandomWalkSubgraph(keep=0.2, count="floor"),
    GrowthSubgraph(keep=0.6),
    GrowthSubgraph(keep=0.2, count="floor"),
    EgoSubgraph(hops=2),
    EgoSubgraph(hops=3, keep=0.5),
    StarSubgraph(keep=0.2),
    AdaptiveEdgeDrop(drop=0.4),
    AdaptiveEdgeDrop(drop=0.4, centrality="pagerank", directed=True),
    AdaptiveEdgeDrop(drop=0.4, centrality="eigenvector"),
    AdaptiveFeatureMask(mask=0.4, centrality="pagerank"),
    SpectralEdgeDrop(drop=0.4),
    SpectralEdgeDrop(drop=0.4, change="small"),
    RandomChoice([AdaptiveFeatureMask(mask=0.5), GrowthSubgraph(keep=0.5), SpectralEdgeDrop(drop=0.5)]),
    Compose([RandomWalkSubgraph(keep=0.9), EdgePerturb(drop=0.5, add=0.5), NodeDrop(drop=0.3)]),
    RandomChoice(RANDOM4),
    RandomChoice([Identity(), RandomChoice([EdgeDrop(drop=0.9), NodeDrop(drop=0.5)]), NodeMask(mask=0.5)]),
    FeatureMask(mask=0.5),
    FeatureMask(mask=0.4, count="round", fill=3, shared=True),
    FeatureDropout(drop=0.3),
    FeatureDropout(drop=0.3, rescale=True),
    FeatureNoise(std=0.5),
    FeatureScale(low=0.5, high=2.0, per="column"),
    FeatureScale(low=0.5, high=2.0, per="element"),
    FeatureShuffle(),  # across the batch it depends on the batch: see test_feature_shuffle.py
    RandomApply(RandomWalkSubgraph(keep=0.5), p=0.5),
    RandomChoice(
        [
            Compose([NodeDrop(drop=0.3), RandomApply(Compose([FeatureMask(mask=0.5), EdgePerturb(drop=0.5)]), p=0.7)]),
            Compose([FeatureShuffle(), NodeMask(mask=0.5), RandomChoice([NodeDrop(drop=0.5), Identity()], p=[3, 1])]),
            EdgeDrop(drop=0.5),
        ],
        p=[0.4, 0.4, 0.2],
    ),
    PPRDiffusion(alpha=0.2, top_k=3),
    PPRDiffusion(threshold=0.01, normalisation="rw", self_loops=False, method="push", cache_bytes=0),
    HeatDiffusion(t=2.0, top_k=2, normalisation="rw", renormalise=True),
    HeatDiffusion(t=5.0, threshold=0.02, method="push", tolerance=1e-5),
    RandomChoice([NodeDrop(drop=0.4, remove=False), EdgeAdd(add=0.6, fill=2), EdgeRewire(share=0.5), PairIndex()]),
    RandomChoice([EdgeMask(mask=0.5, fill=[1, 2]), EdgePerturb(drop=0.2, add=0.6, fill=3), NodeDrop(drop=0.4)]),
    Compose([PairIndex(), EdgeDrop(drop=0.5, count="round"), EdgeAdd(add=0.5), EdgeRewire(share=0.5)]),
]
FEATURES = (FeatureDropout, FeatureMask, FeatureNoise, FeatureScale, FeatureShuffle)
DIFFUSION = (PPRDiffusion, HeatDiffusion)  # the same in every call; edges are new, without the attributes of the old
NEW_EDGES = ("EdgeAdd", "EdgePerturb", "EdgeRewire")  # they copy attributes of other edges, or move edges
KEEP_NODES: tuple[type, ...] = (Identity, PairIndex, NodeMask, EdgeDrop, EdgeAdd, EdgePerturb, EdgeRewire, EdgeMask)
KEEP_NODES += (AdaptiveEdgeDrop, AdaptiveFeatureMask, SpectralEdgeDrop, *FEATURES, *DIFFUSION)
SAME = (Identity(), PairIndex(), EdgePerturb(drop=1.0, add=0.0))
RANDOM = [aug for aug in ALL if repr(aug) not in map(repr, SAME) and not isinstance(aug, DIFFUSION)]
# The others need features of nodes or of edges.
STRUCTURAL = [aug for aug in ALL if not re.search("NodeMask|EdgeMask|Feature", repr(aug))]
# These ask for molecules (test_molecule.py, test_fragments.py), or are no augmentations.
ELSEWHERE = {"AtomDrop", "AtomMask", "BondDrop", "BRICSFragment", "SubgraphRemove"}
ELSEWHERE |= {"EdgeDropper", "JOAO", "MarkFragments", "MarkFunctionalGroups", "MarkScaffold"}
UNDIRECTED = [aug for aug in ALL if not getattr(aug, "directed", False)]


def over(augmentations: list[Augmentation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "aug", augmentations, ids=[f"{ALL.index(a)}-{type(a).__name__}" for a in augmentations]
    )


every = over(ALL)


def path(n: int) -> list[tuple[int, int]]:
    return [(i, i + 1) for i in range(n - 1)]


def ring(n: int) -> list[tuple[int, int]]:
    return [(i, (i + 1) % n) for i in range(n)]


def complete(n: int) -> list[tuple[int, int]]:
    return [(i, j) for j in range(n) for i in range(j)]


def tree(n: int) -> list[tuple[int, int]]:
    return [((i * 7 + 3) % i, i) for i in range(1, n)]


ZOO: dict[str, Callable[[Make], list[Data]]] = {
    "molecules": lambda make: [make(n, [*tree(n), (0, n - 1)], seed=n, graph_id=n * 5) for n in (9, 17, 12, 30)],
    "all sorts": lambda make: [
        make(5, seed=1, graph_id=70),  # no edges
        make(7, ring(7), directed=True, seed=2, graph_id=3),  # as many edges as nodes
        make(1, seed=3, graph_id=11),  # one node
        make(40, [*path(25), *[(i + 26, i + 27) for i in range(6)]], seed=4, graph_id=2),  # parts, isolated nodes
        make(0, seed=5, graph_id=9),  # nothing at all
        make(6, [(0, 0), (0, 1), (0, 1), (2, 2), (3, 4)], seed=6, graph_id=4),  # self-loops, duplicates
        make(6, complete(6), seed=7, graph_id=5),
        make(1, [(0, 0)], seed=8, graph_id=6),
        make(2, [(0, 1)], directed=True, seed=9, graph_id=7),  # one edge
        make(8, [(0, 1), (1, 0), (1, 2), (5, 4), (4, 3)], directed=True, seed=10, graph_id=8),
    ],
    "one graph": lambda make: [make(12, tree(12), seed=1, graph_id=3)],
    "one empty graph": lambda make: [make(0, seed=1, graph_id=3)],
    "first ones empty": lambda make: [
        make(0, seed=1, graph_id=3),
        make(0, seed=2, graph_id=4),
        make(9, ring(9), seed=3, graph_id=6),
    ],
    "as many graphs as nodes": lambda make: [
        make(n, path(n), seed=n + i, graph_id=i) for i, n in enumerate((2, 0, 1, 0, 3, 0))
    ],
    "one node each": lambda make: [make(1, [(0, 0)] if i == 2 else [], seed=i, graph_id=i) for i in range(5)],
    "as many graphs as edges": lambda make: [
        make(4, path(3), seed=1, graph_id=1),
        make(4, seed=2, graph_id=2),
        make(3, path(3), seed=3, graph_id=3),
        *[make(3, seed=i, graph_id=i) for i in range(4, 9)],
    ],
    "one edge each": lambda make: [make(4, [(i, 3)], directed=True, seed=i, graph_id=i) for i in range(3)],
    "as many edges as nodes each": lambda make: [
        make(n, ring(n), directed=True, seed=n, graph_id=n) for n in (4, 4, 6)
    ],
    "one of them huge": lambda make: [
        make(8, path(8), seed=1, graph_id=1),
        make(200, path(200), seed=2, graph_id=2),
        make(8, path(8), seed=3, graph_id=3),
    ],
}
zoo = pytest.mark.parametrize("graphs", list(ZOO))


@pytest.fixture
def batch(make: Make) -> Batch:
    return Batch.from_data_list(ZOO["all sorts"](make))


def bare(data: Data) -> Data:
    """The structure alone, without features or any other attribute."""
    out = Data(edge_index=data.edge_index, num_nodes=data.num_nodes)
    out.graph_id = data.graph_id
    return out


# --- what it is and what it takes -------------------------------------------------------------------------------------


def test_the_list_is_complete() -> None:
    public = {getattr(graphcl.augment, name) for name in graphcl.augment.__all__ if name not in ELSEWHERE}
    flat = {c for c in public if isinstance(c, type) and issubclass(c, Augmentation)}
    flat = {c for c in flat if not issubclass(c, HeteroAugmentation) and not getattr(c, "__abstractmethods__", ())}
    assert flat <= {type(aug) for aug in ALL}


@every
def test_is_a_transform_that_tells_its_parameters(aug: Augmentation) -> None:
    assert isinstance(aug, BaseTransform)
    again = eval(repr(aug), vars(graphcl.augment))
    assert type(again) is type(aug)
    assert repr(again) == repr(aug)
    if not isinstance(aug, Compose | RandomChoice | RandomApply):
        assert vars(again) == vars(aug)


@every
def test_can_be_sent_to_a_worker(aug: Augmentation, batch: Batch, differences: Compare) -> None:
    again = pickle.loads(pickle.dumps(aug))
    assert differences(again.view(batch, 3), aug.view(batch, 3)) == []


@every
@pytest.mark.parametrize("wrong", [None, HeteroData(), "graph", [Data()]], ids=lambda v: type(v).__name__)
def test_refuses_what_is_no_graph(aug: Augmentation, wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"Data or Batch, got {type(wrong).__name__}"):
        aug(wrong)


@every
def test_refuses_a_batch_of_heterogeneous_graphs(aug: Augmentation) -> None:
    hetero = HeteroData()
    hetero["atom"].x = torch.ones(2, 1)
    with pytest.raises(TypeError, match="Data or Batch"):
        aug(Batch.from_data_list([hetero]))


@every
def test_refuses_a_graph_without_edge_index(aug: Augmentation) -> None:
    with pytest.raises(ValueError, match="edge_index"):
        aug(Data(x=torch.ones(3, 1)))


# --- the input, the key, the generator --------------------------------------------------------------------------------


@every
@zoo
def test_leaves_its_input_alone(aug: Augmentation, graphs: str, make: Make, differences: Compare) -> None:
    batch = Batch.from_data_list(ZOO[graphs](make))
    for data in (batch, ZOO[graphs](make)[0]):
        before = copy.deepcopy(data)
        books = {k: copy.deepcopy(v) for k, v in data._store.__dict__.items() if k != "_parent"}
        before._store.__dict__.update(books)
        aug.view(data, 5)
        assert differences(data, before) == []
        assert set(data._store.__dict__) - {"_parent"} == set(books)


@every
def test_a_view_can_be_changed_without_changing_the_input(aug: Augmentation, make: Make) -> None:
    data = make(9, ring(9), graph_id=1)
    view = aug.view(data, 1)
    view.extra = torch.ones(9)
    view.x = None
    assert "extra" not in data
    assert data.x.shape == (9, 3)


@every
def test_the_same_key_gives_the_same_view(aug: Augmentation, batch: Batch, differences: Compare) -> None:
    assert differences(aug.view(batch, 8), aug.view(batch, 8)) == []
    assert differences(aug.view(batch, torch.tensor(8)), aug.view(batch, 8)) == []


@over(RANDOM)
def test_another_key_gives_another_view(aug: Augmentation, batch: Batch, differences: Compare) -> None:
    assert any(differences(aug.view(batch, key), aug.view(batch, 8)) for key in range(3))
    generator = torch.Generator().manual_seed(4)
    first = aug(batch, generator=generator)
    assert any(differences(aug(batch, generator=generator), first) for _ in range(3))


@every
def test_the_generator_is_the_seed(aug: Augmentation, batch: Batch, differences: Compare) -> None:
    before = torch.get_rng_state()
    first, same = (aug(batch, generator=torch.Generator().manual_seed(4)) for _ in range(2))
    assert differences(first, same) == []
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_without_a_generator_torch_seeds_it(aug: Augmentation, batch: Batch, differences: Compare) -> None:
    views = []
    for call in (aug, aug.forward):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(12)
            views.append(call(batch))
    assert differences(*views) == []
    assert differences(views[0], aug(batch, generator=torch.Generator().manual_seed(12))) == []


# --- a batch is its graphs --------------------------------------------------------------------------------------------


@every
@zoo
def test_the_view_of_a_batch_is_the_batch_of_views(
    aug: Augmentation, graphs: str, make: Make, differences: Compare
) -> None:
    members = ZOO[graphs](make)
    batch = Batch.from_data_list(members)
    for key in (0, 1):
        views = [aug.view(data, key) for data in members]
        view = aug.view(batch, key)
        assert differences(view, Batch.from_data_list(views)) == []
        assert view.num_graphs == len(members)
        assert differences(view.to_data_list(), Batch.from_data_list(views).to_data_list()) == []
        assert differences(view.get_example(0), view.to_data_list()[0]) == []
        for part, single in zip(view.to_data_list(), views, strict=True):
            for name in single.keys():
                if isinstance(single[name], torch.Tensor):
                    assert differences(part[name], single[name]) == []


@over(STRUCTURAL)
@zoo
def test_graphs_without_any_attribute(aug: Augmentation, graphs: str, make: Make, differences: Compare) -> None:
    members = [bare(data) for data in ZOO[graphs](make)]
    view, expected = aug.view(Batch.from_data_list(members), 0), [aug.view(data, 0) for data in members]
    together = Batch.from_data_list(expected)
    assert differences(view, together) == []
    assert differences(view.to_data_list(), together.to_data_list()) == []
    assert [data.num_nodes for data in view.to_data_list()] == [data.num_nodes for data in expected]


@every
def test_batches_of_1_7_and_128_graphs(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = [make(n := 3 + i % 10, [*tree(n), (0, n - 1)], seed=i, graph_id=3 * i) for i in range(128)]
    singles = [aug.view(data, 5) for data in members]
    for size in (1, 7, 128):
        batches = [members[i : i + size] for i in range(0, 128, size)]
        views = [Batch.from_data_list(singles[i : i + size]) for i in range(0, 128, size)]
        for some, view in list(zip(batches, views, strict=True))[:8]:
            assert differences(aug.view(Batch.from_data_list(some), 5), view) == []


@every
def test_a_view_does_not_depend_on_the_company(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = ZOO["all sorts"](make)
    whole = aug.view(Batch.from_data_list(members), 6).to_data_list()
    for order in ([3, 1, 0, 2, 4, 5, 6, 7, 8, 9][::-1], [8, 3], [5, 5, 6], [4, 9, 4]):
        part = aug.view(Batch.from_data_list([members[i] for i in order]), 6).to_data_list()
        assert differences(part, [whole[i] for i in order]) == []


@every
def test_graphs_without_a_name_are_named_by_their_place(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = [make(9, ring(9), seed=i) for i in range(4)]
    named = [make(9, ring(9), seed=i, graph_id=i) for i in range(4)]
    with_names = aug.view(Batch.from_data_list(named), 2)
    expected = with_names.to_data_list()
    for data in expected:
        del data.graph_id
    assert differences(aug.view(Batch.from_data_list(members), 2).to_data_list(), expected) == []


@over([aug for aug in RANDOM if not getattr(aug, "shared", False)])
def test_equal_graphs_get_different_views(aug: Augmentation, make: Make) -> None:
    batch = Batch.from_data_list([make(20, ring(20))] * 40)
    views = aug.view(batch, 0).to_data_list()
    told = {
        repr([view.x.tolist(), view.edge_index.tolist(), view.edge_attr.tolist(), view.edge_weight.tolist()])
        for view in views
    }
    assert len(told) > 3


@every
def test_a_name_may_be_a_number(aug: Augmentation, make: Make, differences: Compare) -> None:
    data = make(12, tree(12), graph_id=7)
    expected = aug.view(data, 3)
    data.graph_id = 7
    view = aug.view(data, 3)
    assert view.graph_id == 7
    view.graph_id = expected.graph_id
    assert differences(view, expected) == []


@every
@pytest.mark.parametrize("graphs", ["as many graphs as nodes", "as many graphs as edges", "molecules"])
def test_names_may_come_after_batching(aug: Augmentation, graphs: str, make: Make) -> None:
    members = ZOO[graphs](make)
    expected = aug.view(Batch.from_data_list(members), 1)
    names = torch.cat([data.graph_id for data in members])
    for data in members:
        del data.graph_id
    batch = Batch.from_data_list(members)
    batch.graph_id = names
    view = aug.view(batch, 1)
    assert torch.equal(view.graph_id, names)
    assert torch.equal(view.edge_index, expected.edge_index)
    assert torch.equal(view.x, expected.x)


@every
@pytest.mark.parametrize(
    "wrong", [torch.tensor([0, 1, 2]), torch.tensor([0.5, 1.0]), ["a", "b"]], ids=["count", "dtype", "words"]
)
def test_refuses_names_that_do_not_fit(aug: Augmentation, wrong: Any, make: Make) -> None:
    batch = Batch.from_data_list([make(3, path(3)), make(4, path(4))])
    batch.graph_id = wrong
    with pytest.raises((ValueError, TypeError), match="graph_id"):
        aug.view(batch, 0)


# --- what a view carries ----------------------------------------------------------------------------------------------


@every
@zoo
def test_everything_is_carried(aug: Augmentation, graphs: str, make: Make) -> None:
    members = ZOO[graphs](make)
    views = aug.view(Batch.from_data_list(members), 1).to_data_list()
    for data, view in zip(members, views, strict=True):
        n, e = view.x.size(0), view.edge_index.size(1)
        kept = view.n_id if "n_id" in view else torch.arange(n)
        assert (view.num_nodes, view.num_edges) == (n, e)
        assert n >= min(data.num_nodes, 1)
        assert not isinstance(aug, KEEP_NODES) or n == data.num_nodes
        # Node level: the rows of the nodes that stayed, in their order.
        assert (kept[1:] > kept[:-1]).all()
        for name in ("pos", "node_label", "train_mask"):
            assert torch.equal(view[name], data[name][kept])
        if "NodeMask" not in repr(aug) and "Feature" not in repr(aug):
            assert torch.equal(view.x, data.x[kept])
        assert e == 0 or int(view.edge_index.max()) < n
        # Edge level: every kept or copied edge brings the attributes of one edge of its graph, all of the same one.
        if isinstance(aug, DIFFUSION):
            assert view.edge_weight.shape == (e,) and "edge_attr" not in view and "edge_type" not in view
        else:
            assert view.edge_attr.shape == (e, 2)
            if not ("EdgeMask" in repr(aug) or ("Edge" in repr(aug) and re.search(r"fill=\d", repr(aug)))):
                triples = {tuple(row) for row in torch.cat([data.edge_attr, _column(data)], 1).tolist()}
                assert {tuple(row) for row in torch.cat([view.edge_attr, _column(view)], 1).tolist()} <= triples
        if not any(name in repr(aug) for name in (*NEW_EDGES, "EdgeMask")) and not isinstance(aug, DIFFUSION):
            assert torch.equal(view.edge_type, _types(kept[view.edge_index]))
        # Graph level: as it was.
        for name in ("y", "target", "graph_id"):
            assert torch.equal(view[name], data[name])
        assert view.smiles == data.smiles
        assert float(view.weight_in_dalton) == data.weight_in_dalton
        for name, value in data.items():
            if isinstance(value, torch.Tensor) and name in view:
                assert view[name].dtype == value.dtype


def _column(data: Data) -> torch.Tensor:
    return torch.stack([data.edge_weight, data.edge_type.float()], 1)


def _types(edges: torch.Tensor) -> torch.Tensor:
    return edges.min(0).values * 1000 + edges.max(0).values


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64])
def test_the_dtype_of_features_is_kept(aug: Augmentation, dtype: torch.dtype, make: Make) -> None:
    data = make(10, ring(10), graph_id=1)
    data.x = (10 * data.x).to(dtype)
    needs_floats = r"NodeMask[^)]*fill='(mean|gaussian)'|FeatureNoise|FeatureScale|rescale=True"
    if dtype == torch.int64 and re.search(needs_floats, repr(aug)):
        with pytest.raises(TypeError, match="floating-point"):
            aug.view(data, 0)
    else:
        assert aug.view(data, 0).x.dtype == dtype


@every
def test_features_keep_their_gradient(aug: Augmentation, make: Make) -> None:
    data = make(10, ring(10), graph_id=1)
    data.x.requires_grad_()
    aug.view(data, 0).x.sum().backward()
    assert data.x.grad is not None


@over(UNDIRECTED)
def test_undirected_stays_undirected(aug: Augmentation, make: Make) -> None:
    data = make(12, [*complete(5), *[(i, i + 1) for i in range(4, 11)], (3, 3)], graph_id=1)
    for key in range(5):
        view = aug.view(data, key)
        assert is_undirected(view.edge_index, view.edge_attr, num_nodes=view.num_nodes)


@every
def test_node_ids_follow_their_nodes(aug: Augmentation, make: Make) -> None:
    data = make(20, tree(20), graph_id=1)
    data.anchor_index = torch.tensor([0, 19, 3])
    data.pair_index = torch.tensor([[3, 4, 5, 6], [6, 5, 4, 3]])
    batch_of_two = Batch.from_data_list([data, data])
    refused = carried = 0
    for key in range(30):
        try:
            views = [aug.view(data, key), aug.view(batch_of_two, key)[1]]
        except ValueError as error:
            if "'anchor_index'" not in str(error) and "'pair_index'" not in str(error):
                raise
            refused += 1
            continue
        carried += 1
        for view in views:
            assert view.node_label[view.anchor_index].tolist() == [50, 69, 53]
            assert view.node_label[view.pair_index].tolist() == [[53, 54, 55, 56], [56, 55, 54, 53]]
    assert refused + carried == 30
    if isinstance(aug, KEEP_NODES):
        assert carried == 30
    if isinstance(aug, NodeDrop):
        assert (refused > 0) == aug.remove


@every
def test_views_of_views(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = ZOO["all sorts"](make)
    first = NodeDrop(drop=0.2).view(Batch.from_data_list(members), 0)
    assert "n_id" in first
    second = aug.view(first, 1)
    for part, before, data in zip(second.to_data_list(), first.to_data_list(), members, strict=True):
        assert set(part.n_id.tolist()) <= set(before.n_id.tolist())
        assert torch.equal(part.node_label, data.node_label[part.n_id])
    singles = [aug.view(NodeDrop(drop=0.2).view(data, 0), 1) for data in members]
    assert differences(second, Batch.from_data_list(singles)) == []


@every
def test_node_numbers_of_a_loader_are_subset(aug: Augmentation, make: Make) -> None:
    data = make(10, ring(10), graph_id=1)
    data.n_id = torch.arange(10) * 11 + 1000
    view = aug.view(data, 2)
    assert torch.equal(view.n_id, (view.node_label - 50) * 11 + 1000)


@every
def test_the_seeds_of_a_loader_are_those_that_stay(aug: Augmentation, make: Make) -> None:
    data = make(10, ring(10), graph_id=1)
    data.n_id = torch.arange(10) + 1000
    data.input_id, data.batch_size = torch.arange(4) + 1000, 4
    for key in range(5):
        view = aug.view(data, key)
        assert torch.equal(view.n_id[: view.batch_size], view.input_id)
        assert view.input_id.tolist() == [i for i in view.n_id.tolist() if i < 1004]


@pytest.mark.parametrize("number", [-1, 5, 12])
def test_an_index_of_something_else_is_not_taken_for_a_node(number: int, make: Make) -> None:
    # Two graphs of five nodes: in the batch 12 is no node of any graph, and -1 or 5 would be one of the other.
    graphs = [make(5, ring(5), graph_id=i) for i in range(2)]
    graphs[0].mol_index, graphs[1].mol_index = torch.tensor([number]), torch.tensor([number])
    for data in (graphs[0], Batch.from_data_list(graphs)):
        with pytest.raises(
            ValueError, match=f"'mol_index' to hold numbers of nodes of its graph, .* got {number}; give"
        ):
            NodeDrop(drop=0.2).view(data, 0)
        assert torch.equal(EdgeDrop(drop=0.5).view(data, 0).mol_index, data.mol_index)


@every
def test_links_of_another_kind_are_no_edges(aug: Augmentation, make: Make) -> None:
    # As RandomLinkSplit leaves them: one negative link for each positive one, so as many links as edges.
    data = make(12, tree(12), graph_id=1)
    data.edge_label_index = torch.randint(12, (2, data.num_edges), generator=torch.Generator().manual_seed(1))
    data.edge_label = torch.arange(data.num_edges)
    data.neg_edge_index = data.edge_label_index.flip(1)
    both = Batch.from_data_list([data, data])
    for key in range(5):
        try:
            views = [aug.view(data, key), aug.view(both, key)[0]]
        except ValueError as error:
            if "_index' to refer to kept nodes" not in str(error):
                raise
            continue
        for view in views:
            assert torch.equal(view.edge_label, data.edge_label)
            for name in ("edge_label_index", "neg_edge_index"):
                assert torch.equal(view.node_label[view[name]], data.node_label[data[name]])


@every
def test_faces_and_other_lists_of_nodes_are_no_edges(aug: Augmentation) -> None:
    # A tetrahedron has as many faces as corners; of the other lists there are as many as edges.
    edges = torch.tensor(complete(4)).t()
    data = Data(x=torch.randn(4, 3), edge_index=torch.cat([edges, edges.flip(0)], 1), node_label=torch.arange(4))
    data.edge_attr, data.edge_weight, data.edge_type = torch.ones(12, 2), torch.ones(12), torch.ones(12).long()
    data.face = torch.tensor([[0, 0, 0, 1], [1, 1, 2, 2], [2, 3, 3, 3]])
    data.knn_index = torch.arange(24).view(2, 12) % 4
    data.hyperedge_index = data.knn_index.flip(1)
    both = Batch.from_data_list([data, data])
    for key in range(3):
        try:
            views = [aug.view(data, key), aug.view(both, key)[1]]
        except ValueError as error:
            if "to refer to kept nodes" not in str(error):
                raise
            continue
        for view in views:
            for name in ("face", "knn_index", "hyperedge_index"):
                assert torch.equal(view.node_label[view[name]], data[name])


@every
def test_attributes_that_only_look_as_if_follow_batch_had_made_them(aug: Augmentation, make: Make) -> None:
    members = [make(n, ring(n), seed=n, graph_id=n) for n in (2, 4, 3)]
    for data in members:
        data.part_batch = torch.arange(3)  # three numbers per graph, and in the batch as many as nodes
    parts = aug.view(Batch.from_data_list(members), 0).to_data_list()
    assert all(torch.equal(part.part_batch, torch.arange(3)) for part in parts)


@every
def test_follow_batch_vectors_are_kept_up(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = ZOO["molecules"](make)
    follow = ["x", "edge_index", "edge_weight", "target"]
    batch = Batch.from_data_list(members, follow_batch=follow)
    view, expected = aug.view(batch, 1), Batch.from_data_list([aug.view(g, 1) for g in members], follow_batch=follow)
    for name in (f"{key}_{kind}" for key in follow for kind in ("batch", "ptr")):
        assert differences(view[name], expected[name]) == []


@every
def test_lists_with_one_entry_per_node_or_edge(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = ZOO["all sorts"](make)
    for data in members:
        data.atoms = [f"atom {i}" for i in range(data.num_nodes)]
    views = [aug.view(data, 1) for data in members]
    for view in views:
        assert view.atoms == [f"atom {i - 50}" for i in view.node_label.tolist()]
    assert differences(aug.view(Batch.from_data_list(members), 1), Batch.from_data_list(views)) == []


class Tree(Data):
    """A graph class with node ids under names that only it knows."""

    def __inc__(self, key: str, value: Any, *args: Any) -> Any:
        if key == "parent":
            return torch.tensor([self.num_nodes])
        return self.num_nodes if key in ("root", "ends") else super().__inc__(key, value, *args)

    def __cat_dim__(self, key: str, value: Any, *args: Any) -> Any:
        return 1 if key == "ends" else super().__cat_dim__(key, value, *args)


@every
def test_a_class_with_its_own_rules(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = []
    for n in (5, 9, 7):
        data = Tree(**make(n, tree(n), seed=n, graph_id=n).to_dict())
        data.parent = torch.arange(n)  # node level: a dropped node takes its reference along
        if not any(name in repr(aug) for name in NEW_EDGES) and not isinstance(aug, DIFFUSION):
            data.ends = data.edge_index.clone()  # edge level, joined along the second dimension
        members.append(data)
    views = [aug.view(data, 1) for data in members]
    view = aug.view(Batch.from_data_list(members), 1)
    assert differences(view, Batch.from_data_list(views)) == []
    for part in views:
        assert isinstance(part, Tree)
        assert torch.equal(part.parent, torch.arange(part.num_nodes))
        assert "ends" not in part or torch.equal(part.ends, part.edge_index)


class Reverses(Data):
    """Knows the other direction of every edge, and pairs of edges, by their numbers."""

    def __inc__(self, key: str, value: Any, *args: Any) -> Any:
        return self.num_edges if key in ("rev_edge_index", "turns") else super().__inc__(key, value, *args)


@every
def test_numbers_of_edges_follow_their_edges(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = []
    for n in (5, 9, 7):
        data = Reverses(**make(n, tree(n), seed=n, graph_id=n).to_dict())
        data.rev_edge_index = torch.arange(data.num_edges).roll(data.num_edges // 2)
        data.turns = torch.tensor([[0], [data.num_edges // 2]])  # an edge and its reverse
        members.append(data)
    refused = 0
    for key in range(6):
        try:
            views = [aug.view(data, key) for data in members]
        except ValueError as error:
            if "to refer to kept edges" not in str(error):
                raise
            with pytest.raises(ValueError, match="to refer to kept edges, got"):
                aug.view(Batch.from_data_list(members), key)
            refused += 1
            continue
        assert differences(aug.view(Batch.from_data_list(members), key), Batch.from_data_list(views)) == []
        if any(name in repr(aug) for name in NEW_EDGES) or isinstance(aug, DIFFUSION):
            continue  # a new edge has a copy of another's reverse
        for part in views:
            assert torch.equal(part.edge_index[:, part.rev_edge_index], part.edge_index.flip(0))
            first, second = part.turns
            assert torch.equal(part.edge_index[:, first], part.edge_index[:, second].flip(0))
    assert refused == 0 or not isinstance(aug, KEEP_NODES[:3] + FEATURES + (EdgeMask, EdgeAdd))


class Counted(Data):
    """Counts its node ids up by an attribute, which a batch holds once for every graph."""

    def __inc__(self, key: str, value: Any, *args: Any) -> Any:
        return self.num_atoms if key == "roots" else super().__inc__(key, value, *args)


@every
def test_increments_that_a_batch_cannot_tell(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = []
    for n in (6, 5, 9):
        data = Counted(**make(n, ring(n), graph_id=n).to_dict(), num_atoms=n)
        data.roots = torch.arange(n)
        members.append(data)
    view = aug.view(Batch.from_data_list(members), 0)
    for part in view.to_data_list():
        assert torch.equal(part.roots, torch.arange(part.num_nodes))


@every
def test_a_batch_put_together_by_hand(aug: Augmentation, make: Make) -> None:
    batch = Batch.from_data_list(ZOO["molecules"](make))
    hand = Data(x=batch.x, edge_index=batch.edge_index, batch=batch.batch, edge_attr=batch.edge_attr)
    hand.update({name: batch[name] for name in ("edge_weight", "edge_type")})
    hand.graph_id = batch.graph_id
    view, expected = aug.view(hand, 1), aug.view(batch, 1)
    for name in ("x", "edge_index", "batch", "edge_weight"):
        assert torch.equal(view[name], expected[name])


@every
def test_edges_may_come_after_batching(aug: Augmentation, make: Make) -> None:
    members = ZOO["molecules"](make)
    batch = Batch.from_data_list(members)
    points = Batch.from_data_list([Data(x=data.x, graph_id=data.graph_id) for data in members])
    points.edge_index = batch.edge_index  # as torch_cluster.knn_graph(pos, batch=...) gives them
    points.update({name: batch[name] for name in ("edge_attr", "edge_weight", "edge_type")})
    view, expected = aug.view(points, 1), aug.view(batch, 1)
    for name in ("x", "edge_index", "batch", "ptr"):
        assert torch.equal(view[name], expected[name])
    assert [data.num_nodes for data in view.to_data_list()] == [data.num_nodes for data in expected.to_data_list()]


@every
def test_refuses_graphs_that_are_mixed_up(aug: Augmentation) -> None:
    edge_index = torch.tensor([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="grouped by graph"):
        aug(Data(x=torch.ones(3, 1), edge_index=edge_index, batch=torch.tensor([0, 1, 0])))


@every
def test_refuses_edges_between_graphs(aug: Augmentation) -> None:
    edge_index = torch.tensor([[0, 0, 1, 2], [1, 2, 0, 0]])
    data = Data(x=torch.ones(3, 1), edge_index=edge_index, batch=torch.tensor([0, 0, 1]))
    with pytest.raises(
        ValueError, match="expected edges within graphs, got 2 from one graph of the batch into another"
    ):
        aug(data)


# Features and masks with a fill of their own do not ask which edges are whose.
BY_GRAPH = [aug for aug in ALL if "Edge" in repr(aug) or not isinstance(aug, KEEP_NODES)]
BY_GRAPH = [aug for aug in BY_GRAPH if not (isinstance(aug, EdgeMask) and aug.fill != "mean")]


@over(BY_GRAPH)
def test_refuses_edges_that_were_mixed_up_after_batching(aug: Augmentation, make: Make) -> None:
    batch = Batch.from_data_list([make(n, ring(n), seed=n) for n in (5, 6, 7)])
    assert aug.view(batch, 0).num_graphs == 3
    back = torch.arange(batch.num_edges).flip(0)
    for name in ("edge_index", "edge_attr", "edge_weight", "edge_type"):
        batch[name] = batch[name].index_select(-1 if name == "edge_index" else 0, back)
    with pytest.raises(ValueError, match=r"grouped by graph, got a batch whose graphs are mixed up"):
        aug.view(batch, 0)


@every
def test_refuses_a_batch_of_batches(aug: Augmentation, make: Make) -> None:
    batches = [Batch.from_data_list([make(5, ring(5), seed=i) for i in range(n)]) for n in (2, 3)]
    with pytest.raises(ValueError, match=r"expected a batch of single graphs, got one of 2 batches with 5 graphs"):
        aug(Batch.from_data_list(batches))


@every
def test_refuses_features_of_other_nodes(aug: Augmentation) -> None:
    edge_index = torch.tensor([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match=r"expected x with one row for each of 4 nodes, got \[3, 1\]"):
        aug(Data(x=torch.ones(3, 1), edge_index=edge_index, num_nodes=4))


@every
def test_refuses_an_unknown_number_of_nodes(aug: Augmentation) -> None:
    with pytest.raises(ValueError, match="num_nodes"):
        aug(Data(edge_index=torch.tensor([[0, 1], [1, 0]])))


@every
def test_refuses_edges_of_another_shape(aug: Augmentation) -> None:
    for shape in ((4, 2), (4,), (3, 4)):
        with pytest.raises(ValueError, match=r"expected edge_index of shape \[2, E\], got .*edge_index.t\(\)"):
            aug(Data(x=torch.ones(3, 3), edge_index=torch.zeros(shape, dtype=torch.int64)))


@every
def test_refuses_edges_of_another_type(aug: Augmentation) -> None:
    with pytest.raises(TypeError, match="int64"):
        aug(Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0, 1], [1, 0]], dtype=torch.int32)))


@every
def test_refuses_a_batch_vector_of_another_type(aug: Augmentation) -> None:
    edge_index, batch = torch.tensor([[0, 1], [1, 0]]), torch.zeros(3, dtype=torch.int32)
    with pytest.raises(TypeError, match=r"expected batch of dtype int64, got torch.int32; write batch.long\(\)"):
        aug(Data(x=torch.ones(3, 1), edge_index=edge_index, batch=batch))


@every
def test_an_edge_index_of_pyg(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = ZOO["molecules"](make)
    for data in members:
        data.edge_index = EdgeIndex(data.edge_index, sparse_size=(data.num_nodes, data.num_nodes))
    for kind in (members[0], Batch.from_data_list(members)):
        plain = copy.copy(kind)
        plain.edge_index = kind.edge_index.as_tensor()
        view, expected = aug.view(kind, 1), aug.view(plain, 1)
        view.edge_index = torch.stack(view.edge_index.unbind())
        assert differences(view, expected) == []


# --- in the company of PyG --------------------------------------------------------------------------------------------


class Graphs(InMemoryDataset):
    def __init__(self, graphs: list[Data], transform: Any = None) -> None:
        super().__init__(None, transform)
        self.data, self.slices = self.collate(graphs)


@every
@pytest.mark.filterwarnings("ignore:It is not recommended to directly access the internal storage")
def test_as_transform_of_a_data_set(aug: Augmentation, make: Make, differences: Compare) -> None:
    members = [make(n, tree(n), graph_id=n) for n in (6, 9)]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        view = Graphs(members, transform=aug)[1]
    expected = aug(Graphs(members)[1], generator=torch.Generator().manual_seed(3))
    assert differences(view, expected) == []


@every
def test_inside_compose_of_pyg(aug: Augmentation, batch: Batch, differences: Compare) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        view = PyGCompose([aug, Identity()])(batch)
    assert differences(view, aug(batch, generator=torch.Generator().manual_seed(3))) == []


class Keyed(torch.utils.data.Dataset):
    """Views under a fixed key, made wherever the loader asks for them."""

    def __init__(self, graphs: list[Data], aug: Augmentation) -> None:
        self.graphs, self.aug = graphs, aug

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, i: int) -> Data:
        return self.aug.view(self.graphs[i], 17)


def test_workers_make_the_same_views(make: Make, differences: Compare) -> None:
    members = ZOO["molecules"](make)
    for aug in (RandomChoice(RANDOM4), EdgePerturb(drop=0.3, add=0.3)):
        expected = aug.view(Batch.from_data_list(members), 17)
        for workers in (0, 2):
            loader = DataLoader(Keyed(members, aug), batch_size=2, num_workers=workers)
            views = [data for view in loader for data in view.to_data_list()]
            assert differences(views, expected.to_data_list()) == []


@pytest.mark.gpu
@every
def test_a_gpu_makes_the_same_views(aug: Augmentation, make: Make, differences: Compare) -> None:
    for graphs in ("molecules", "all sorts", "one of them huge"):
        batch = Batch.from_data_list(ZOO[graphs](make))
        view = aug.view(batch.clone().to("cuda"), 3)
        assert all(value.is_cuda for value in view._store.values() if isinstance(value, torch.Tensor))
        assert differences(view.cpu(), aug.view(batch, 3)) == []
        seeded = [aug(data, generator=torch.Generator().manual_seed(2)) for data in (batch.clone().to("cuda"), batch)]
        assert differences(seeded[0].cpu(), seeded[1]) == []


# --- one key per graph ------------------------------------------------------------------------------------------------


@over([aug for aug in ALL if aug.keyed_by_graph])
@zoo
def test_one_key_per_graph_gives_each_its_own_view(
    aug: Augmentation, graphs: str, make: Make, differences: Compare
) -> None:
    members = ZOO[graphs](make)
    keys = [11, -5, 2**60] * len(members)
    views = [aug.view(data, key) for data, key in zip(members, keys, strict=False)]
    view = aug.view(Batch.from_data_list(members), torch.tensor(keys[: len(members)]))
    assert differences(view, Batch.from_data_list(views)) == []


# --- arguments --------------------------------------------------------------------------------------------------------

SHARES = [(NodeDrop, "drop"), (NodeMask, "mask"), (EdgeDrop, "drop"), (EdgePerturb, "drop"), (EdgePerturb, "add")]
SHARES += [(RandomWalkSubgraph, "keep"), (FeatureMask, "mask"), (FeatureDropout, "drop")]
SHARES += [(GrowthSubgraph, "keep"), (StarSubgraph, "keep"), (SpectralEdgeDrop, "drop")]
SHARES += [(AdaptiveEdgeDrop, "drop"), (AdaptiveEdgeDrop, "cutoff"), (AdaptiveFeatureMask, "mask")]
SHARES += [(EdgeAdd, "add"), (EdgeRewire, "share"), (EdgeMask, "mask")]


@pytest.mark.parametrize(("kind", "name"), SHARES)
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf"), 2])
def test_a_share_lies_within_0_and_1(kind: type, name: str, share: float) -> None:
    with pytest.raises(ValueError, match=rf"expected {name} within \[0, 1\].*got {share}"):
        kind(**{name: share})
    for allowed in (0, 1, 0.5):
        assert getattr(kind(**{name: allowed}), name) == allowed


@pytest.mark.parametrize(("kind", "name"), SHARES)
@pytest.mark.parametrize("share", ["0.1", None, True, [0.1]], ids=repr)
def test_a_share_is_a_number(kind: type, name: str, share: Any) -> None:
    with pytest.raises(TypeError, match=f"expected {name} as a share"):
        kind(**{name: share})


COUNTS = [NodeDrop, NodeMask, EdgePerturb, EdgeAdd, EdgeRewire, EdgeMask]
COUNTS += [RandomWalkSubgraph, GrowthSubgraph, StarSubgraph]


@pytest.mark.parametrize("kind", COUNTS)
def test_count_is_round_or_floor(kind: type) -> None:
    with pytest.raises(ValueError, match="expected count to be 'round' or 'floor', got 'ceil'"):
        kind(count="ceil")


# --- any batch at all -------------------------------------------------------------------------------------------------


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[int, list[tuple[int, int]], bool]]:
    graphs = []
    for _ in range(draw(st.integers(1, 5))):
        n = draw(st.integers(0, 7))
        node = st.integers(0, max(n - 1, 0))
        edges = draw(st.lists(st.tuples(node, node), max_size=10)) if n else []
        graphs.append((n, edges, draw(st.booleans())))
    return graphs


@every
@settings(max_examples=12)
@given(shapes=batches(), key=st.integers(-(2**63), 2**63 - 1))
def test_any_batch(
    aug: Augmentation, shapes: list[tuple[int, list[tuple[int, int]], bool]], key: int, make: Make, differences: Compare
) -> None:
    members = [make(n, e, directed=d, seed=i, graph_id=3 * i) for i, (n, e, d) in enumerate(shapes)]
    batch = Batch.from_data_list(members)
    before = copy.deepcopy(batch)
    view = aug.view(batch, key)
    assert differences(view, Batch.from_data_list([aug.view(data, key) for data in members])) == []
    assert differences(batch, before) == []
    assert view.validate()
