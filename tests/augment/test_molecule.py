"""Views of molecules: counts, what they touch and what they protect, and the contract of every augmentation."""

import copy
import math
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_undirected

import graphcl.augment
from graphcl._random import fold, hash_ids
from graphcl.augment import (
    AtomDrop,
    AtomMask,
    Augmentation,
    BondDrop,
    BRICSFragment,
    Compose,
    MarkFragments,
    MarkScaffold,
    NodeDrop,
    RandomApply,
    RandomChoice,
    SubgraphRemove,
)
from graphcl.augment.choice import choose

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]

SMILES = [
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "COc1ccc2nc(S(=O)Cc3ncc(C)c(OC)c3C)[nH]c2c1",
    "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O",
    "CCCCCCCCCC(=O)O",
    "F/C=C/[C@H](Cl)C(=O)N",
    "CC(=O)[O-].[Na+]",
    "[Na+].[Cl-]",
    "C",
    "CC",
]
KINDS: list[tuple[type, dict[str, Any]]] = [
    (AtomMask, {"mask": 0.3}),
    (AtomMask, {"mask": 0.5, "bonds": True}),
    (AtomMask, {"mask": 0.5, "token": (119, 0, 0, 0, 0, 0, 0, 0, 0), "bonds": True, "bond_token": [5, 0, 0]}),
    (AtomDrop, {"drop": 0.3}),
    (AtomDrop, {"drop": 1.0, "count": "floor"}),
    (BondDrop, {"drop": 0.3}),
    (BondDrop, {"drop": 1.0}),
    (SubgraphRemove, {"remove": 0.3}),
    (SubgraphRemove, {"remove": 1.0}),
    (BRICSFragment, {}),
]
ALL: list[Augmentation] = [kind(**arguments, vocab=vocab) for vocab in ("ogb", "pyg") for kind, arguments in KINDS]
ALL += [
    kind(**{name: 0.4}, protect="scaffold")
    for kind, name in ((AtomMask, "mask"), (AtomDrop, "drop"), (BondDrop, "drop"), (SubgraphRemove, "remove"))
]
ALL.append(Compose([AtomMask(bonds=True), BondDrop(), SubgraphRemove(), AtomDrop()]))
ALL.append(RandomChoice([AtomMask(protect="scaffold"), Compose([BondDrop(), AtomDrop()]), BRICSFragment(), NodeDrop()]))
ALL.append(RandomApply(SubgraphRemove(), p=0.6))
every = pytest.mark.parametrize("aug", ALL, ids=[f"{i}-{type(a).__name__}" for i, a in enumerate(ALL)])
SHARES = [(AtomMask, "mask"), (AtomDrop, "drop"), (BondDrop, "drop"), (SubgraphRemove, "remove")]


@pytest.fixture(scope="module")
def molecules(molecule: Make) -> Callable[[Augmentation], list[Data]]:
    made = {}
    for vocab in ("ogb", "pyg"):
        made[vocab] = [MarkFragments()(MarkScaffold()(molecule(s, vocab, 3 * i))) for i, s in enumerate(SMILES)]
        for i, data in enumerate(made[vocab]):
            data.y = torch.tensor([float(i)])
            data.charges = torch.arange(data.num_nodes) / 7
            data.edge_sum = data.edge_index.sum(0)
    return lambda aug: made[getattr(aug, "vocab", "ogb")]


# --- the contract -----------------------------------------------------------------------------------------------------


@every
def test_the_view_of_a_batch_is_the_batch_of_views(
    aug: Augmentation, molecules: Callable[..., list[Data]], differences: Compare
) -> None:
    members = molecules(aug)
    singles = [aug.view(data, 1) for data in members]
    for size in (1, 7, 128):
        chosen = [i % len(members) for i in range(size)]
        batch = Batch.from_data_list([members[i] for i in chosen])
        before = copy.deepcopy(batch)
        view = aug.view(batch, 1)
        assert differences(view, Batch.from_data_list([singles[i] for i in chosen])) == []
        assert view.validate()
        assert differences(batch, before) == []


@every
def test_everything_is_carried(aug: Augmentation, molecules: Callable[..., list[Data]]) -> None:
    for data in molecules(aug):
        for key in range(4):
            view = aug.view(data, key)
            nodes = view.n_id if "n_id" in view else torch.arange(data.num_nodes)
            assert len(nodes) == view.num_nodes == len(view.x) >= 1
            for name in ("charges", "scaffold", "fragment"):
                assert torch.equal(view[name], data[name][nodes])
            assert torch.equal(view.edge_sum, nodes[view.edge_index].sum(0))
            assert view.y == data.y and view.smiles == data.smiles
            assert is_undirected(view.edge_index, view.edge_attr, num_nodes=view.num_nodes)
            assert {tuple(e) for e in nodes[view.edge_index].t().tolist()} <= {
                tuple(e) for e in data.edge_index.t().tolist()
            }
            assert view.x.dtype == view.edge_attr.dtype == torch.int64


@every
def test_it_is_a_keyed_transform(aug: Augmentation, molecules: Callable[..., list[Data]], differences: Compare) -> None:
    batch = Batch.from_data_list(molecules(aug))
    again = eval(repr(aug), vars(graphcl.augment))
    for same in (again, pickle.loads(pickle.dumps(aug))):
        assert repr(same) == repr(aug)
        assert differences(same.view(batch, 5), aug.view(batch, 5)) == []
    first, second = (aug(batch, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert differences(first, second) == []
    assert differences(aug.view(batch, torch.tensor(5)), aug.view(batch, 5)) == []
    if getattr(aug, "drop", 0) < 1:
        assert any(differences(aug.view(batch, key), first) for key in range(3))


def test_one_of_several_is_that_one_s_view(molecules: Callable[..., list[Data]]) -> None:
    members = [AtomMask(0.5, bonds=True, protect="scaffold"), AtomDrop(0.3), BondDrop(0.3), SubgraphRemove(0.3)]
    batch = Batch.from_data_list(molecules(members[0]) * 4)
    views = RandomChoice(members).view(batch, 5).to_data_list()
    chosen = choose(hash_ids(5, batch.graph_id), None, len(members)).tolist()
    assert set(chosen) == {0, 1, 2, 3}
    alone = [member.view(batch, fold(5, i + 1)).to_data_list() for i, member in enumerate(members)]
    for position, (which, view) in enumerate(zip(chosen, views, strict=True)):
        for key in ("x", "edge_index", "edge_attr", "scaffold", "charges"):
            assert torch.equal(view[key], alone[which][position][key])


def test_views_of_several_steps_are_those_of_single_steps(molecules: Callable[..., list[Data]]) -> None:
    aug = RandomChoice([AtomMask(), BondDrop(), SubgraphRemove(), AtomDrop()])
    assert aug.keyed_by_graph
    batch = Batch.from_data_list(molecules(aug))
    batch.graph_id = torch.arange(batch.num_graphs)
    keys = torch.tensor([fold(1, 0)] * (batch.num_graphs - 3) + [fold(1, 1)] * 3)
    together, first, second = aug.view(batch, keys), aug.view(batch, fold(1, 0)), aug.view(batch, fold(1, 1))
    for i, graph in enumerate(together.to_data_list()):
        other = (first if i < batch.num_graphs - 3 else second).get_example(i)
        assert torch.equal(graph.x, other.x) and torch.equal(graph.edge_index, other.edge_index)


@pytest.mark.gpu
@every
def test_a_gpu_makes_the_same_views(
    aug: Augmentation, molecules: Callable[..., list[Data]], differences: Compare
) -> None:
    batch = Batch.from_data_list(molecules(aug))
    assert differences(aug.view(batch.clone().to("cuda"), 3).cpu(), aug.view(batch, 3)) == []


@pytest.mark.parametrize(
    "aug", [a for a in ALL if not isinstance(a, BRICSFragment | Compose | RandomChoice | RandomApply)], ids=repr
)
def test_renumbered_atoms_have_the_same_views_in_law(aug: Augmentation, molecules: Callable[..., list[Data]]) -> None:
    data = molecules(aug)[0]
    order = torch.randperm(data.num_nodes, generator=torch.Generator().manual_seed(1))
    place = torch.argsort(order)
    other = Data(x=data.x[order], edge_index=place[data.edge_index], edge_attr=data.edge_attr)
    other.scaffold = data.scaffold[order]
    batches = [Batch.from_data_list([d] * 1500) for d in (Data(**{k: data[k] for k in other.keys()}), other)]
    seen = []
    for batch, names in zip(batches, (torch.arange(data.num_nodes), order), strict=True):
        view = aug.view(batch, 7)
        atoms = names[view.n_id] if "n_id" in view else names.repeat(1500)
        changed = atoms * 1000 + view.x[:, 2] * 100 + view.x[:, 7] * 10 + view.x[:, 8]
        seen.append(Counter(changed.tolist()))
    words = [w for w in set(seen[0]) | set(seen[1]) if seen[0][w] + seen[1][w] > 20]
    table = [[s[w] for w in words] for s in seen]
    if table[0] != table[1]:
        assert stats.chi2_contingency(table).pvalue > 1e-4


# --- atoms masked -----------------------------------------------------------------------------------------------------

TOKENS = {"ogb": ([118, 4, 11, 11, 9, 5, 5, 0, 0], [4, 0, 0]), "pyg": ([0, 0, 0, 5, 0, 0, 0, 0, 0], [0, 0, 0])}


@pytest.mark.parametrize("vocab", ["ogb", "pyg"])
@pytest.mark.parametrize("bonds", [False, True])
def test_an_exact_number_of_whole_atoms_is_masked(vocab: str, bonds: bool, molecule: Make) -> None:
    atom, bond = TOKENS[vocab]
    for smiles in SMILES:
        data = molecule(smiles, vocab)
        view = AtomMask(mask=0.3, bonds=bonds, vocab=vocab).view(data, 3)
        masked = (view.x == torch.tensor(atom)).all(1)
        assert masked.sum() == round(0.3 * data.num_nodes)
        assert torch.equal(view.x[~masked], data.x[~masked])
        at = masked[view.edge_index].any(0) & bonds
        assert torch.equal(view.edge_attr[at], torch.tensor(bond).expand(int(at.sum()), -1))
        assert torch.equal(view.edge_attr[~at], data.edge_attr[~at])
        assert torch.equal(view.edge_index, data.edge_index)


def test_masked_molecules_fit_the_encoders_of_ogb(molecule: Make) -> None:
    from ogb.graphproppred.mol_encoder import AtomEncoder, BondEncoder

    batch = Batch.from_data_list([molecule(smiles) for smiles in SMILES])
    view = AtomMask(mask=0.5, bonds=True).view(batch, 0)
    assert AtomEncoder(4)(view.x).shape == (batch.num_nodes, 4)
    assert BondEncoder(4)(view.edge_attr).shape == (batch.num_edges, 4)


def test_a_token_of_ones_own(molecule: Make) -> None:
    view = AtomMask(mask=1.0, token=range(9), bonds=True, bond_token=(7, 8, 9)).view(molecule("CCO"), 0)
    assert view.x.tolist() == [list(range(9))] * 3
    assert view.edge_attr.tolist() == [[7, 8, 9]] * 4


@pytest.mark.parametrize("token", [(1, 2), (0,) * 8 + (-1,), (0.5,) * 9])
def test_a_token_has_a_number_for_each_column(token: Any) -> None:
    with pytest.raises(ValueError, match="expected token to be 9 numbers"):
        AtomMask(token=token)


def test_atoms_are_masked_uniformly(molecule: Make) -> None:
    data = molecule("CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    view = AtomMask(mask=0.2).view(Batch.from_data_list([data] * 2000), 1)
    counts = (view.x[:, 0] == 118).view(2000, -1).sum(0)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


# --- bonds deleted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [0.0, 0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("count", ["round", "floor"])
def test_an_exact_number_of_bonds_goes(drop: float, count: str, molecule: Make) -> None:
    for smiles in SMILES:
        data = molecule(smiles)
        bonds = data.num_edges // 2
        gone = round(drop * bonds) if count == "round" else math.floor(drop * bonds + 1e-9)
        view = BondDrop(drop=drop, count=count).view(data, 5)
        assert view.num_edges == 2 * (bonds - gone)
        assert view.num_nodes == data.num_nodes and "n_id" not in view
        degrees = [torch.bincount(d.edge_index[0], minlength=d.num_nodes) for d in (data, view)]
        assert torch.equal(data.x[:, 2] - view.x[:, 2], degrees[0] - degrees[1])


# --- atoms and parts removed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.25, 0.6, 1.0])
def test_an_exact_number_of_atoms_goes(share: float, molecule: Make) -> None:
    for smiles in SMILES:
        data = molecule(smiles)
        n = data.num_nodes
        gone = min(round(share * n), n - 1)
        assert AtomDrop(drop=share).view(data, 1).num_nodes == n - gone
        component = max(len(part) for part in nx.connected_components(graph_of(data)))
        if component == n:
            assert SubgraphRemove(remove=share).view(data, 1).num_nodes == n - gone
        else:
            assert n - component <= SubgraphRemove(remove=share).view(data, 1).num_nodes <= n


def graph_of(data: Data) -> nx.Graph:
    graph = nx.Graph(data.edge_index.t().tolist())
    graph.add_nodes_from(range(data.num_nodes))
    return graph


@pytest.mark.parametrize("remove", [0.15, 0.4, 0.8])
def test_what_is_removed_is_one_part_grown_ring_by_ring(remove: float, molecule: Make) -> None:
    for smiles in SMILES:
        data = molecule(smiles)
        graph = graph_of(data)
        for key in range(20):
            view = SubgraphRemove(remove=remove).view(data, key)
            part = set(range(data.num_nodes)) - set(view.n_id.tolist())
            if part:
                assert nx.is_connected(graph.subgraph(part))
                assert any(is_ball(graph, start, part) for start in part)


def is_ball(graph: nx.Graph, start: int, part: set[int]) -> bool:
    distance = nx.single_source_shortest_path_length(graph, start)
    radius = max(distance[v] for v in part)
    return all(v in part for v, d in distance.items() if d < radius)


def test_parts_start_at_any_atom_and_end_by_chance(molecule: Make) -> None:
    batch = Batch.from_data_list([molecule("CC(C)(C)C")] * 4000)  # neopentane: a centre (atom 1) and four atoms
    view = SubgraphRemove(remove=0.4).view(batch, 2)  # two atoms: the centre, and one of the others
    left = torch.zeros(4000, 5, dtype=torch.bool)
    left[view.batch, view.n_id] = True
    assert not left[:, 1].any()
    assert stats.chisquare((~left[:, [0, 2, 3, 4]]).sum(0).numpy()).pvalue > 1e-3
    one = SubgraphRemove(remove=0.2).view(batch, 3)
    gone = 4000 - torch.bincount(one.n_id, minlength=5)
    assert stats.chisquare(gone.numpy()).pvalue > 1e-3


# --- protected atoms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), SHARES)
@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_protected_atoms_are_never_touched(kind: type, name: str, share: float, molecule: Make) -> None:
    aug = kind(**{name: share}, protect="scaffold")
    for smiles in SMILES:
        data = MarkScaffold()(molecule(smiles))
        keep = data.scaffold
        for key in range(5):
            view = aug.view(data, key)
            nodes = view.n_id if "n_id" in view else torch.arange(data.num_nodes)
            assert set(keep.nonzero().squeeze(1).tolist()) <= set(nodes.tolist())
            assert torch.equal(view.x[view.scaffold][:, :2], data.x[keep][:, :2])
            assert torch.equal(view.x[view.scaffold][:, 7:], data.x[keep][:, 7:])
            if kind in (AtomMask, BondDrop):
                assert torch.equal(view.x[keep], data.x[keep])
            inside = [d.edge_attr[d.scaffold[d.edge_index].all(0)] for d in (data, view)]
            assert torch.equal(*inside)
            if kind is BondDrop:
                at = keep[data.edge_index].any(0)
                free = int((~at).sum()) // 2
                assert data.num_edges - view.num_edges == 2 * min(round(share * data.num_edges / 2), free)
            if kind is AtomDrop:
                n, free = data.num_nodes, int((~keep).sum())
                assert n - view.num_nodes == min(round(share * n), free, n - 1)


def test_any_boolean_attribute_can_protect(molecule: Make) -> None:
    data = molecule("CCCCCO")
    data.warhead = torch.tensor([False, False, False, False, True, True])
    for key in range(10):
        assert {4, 5} <= set(SubgraphRemove(remove=0.5, protect="warhead").view(data, key).n_id.tolist())
    data.warhead = torch.ones(6, dtype=torch.bool)
    for kind, name in SHARES:
        view = kind(**{name: 0.5}, protect="warhead").view(data, 0)
        assert torch.equal(view.x, data.x) and torch.equal(view.edge_index, data.edge_index)


@pytest.mark.parametrize(("kind", "name"), SHARES)
def test_protection_must_be_there(kind: type, name: str, molecule: Make) -> None:
    data = molecule("CCO")
    with pytest.raises(ValueError, match=r"expected an attribute 'scaffold' .*got none; apply MarkScaffold\(\)"):
        kind(protect="scaffold")(data)
    data.scaffold = torch.ones(3)
    with pytest.raises(TypeError, match="expected 'scaffold' of dtype bool"):
        kind(protect="scaffold")(data)


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), SHARES)
def test_arguments_are_checked(kind: type, name: str) -> None:
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=rf"expected {name} within \[0, 1\]"):
            kind(**{name: share})
    with pytest.raises(TypeError, match=f"expected {name} as a share"):
        kind(**{name: "0.1"})
    with pytest.raises(ValueError, match="count to be 'round' or 'floor'"):
        kind(count="ceil")
    with pytest.raises(ValueError, match="vocab to be 'ogb' or 'pyg'"):
        kind(vocab="smiles")
    with pytest.raises(TypeError, match="Data or Batch"):
        kind()(None)
