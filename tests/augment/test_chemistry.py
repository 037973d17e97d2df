"""Features that follow from atoms and bonds: brought up to date as RDKit would have them, and left alone elsewhere."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from ogb.utils.features import allowable_features as ogb
from ogb.utils.features import atom_to_feature_vector, bond_to_feature_vector
from rdkit import Chem
from torch_geometric.data import Data
from torch_geometric.utils import from_smiles
from torch_geometric.utils.smiles import e_map, x_map

from graphcl.augment import AtomDrop, AtomMask, BondDrop, BRICSFragment, Compose, MarkFragments, SubgraphRemove
from graphcl.augment._apply import apply
from graphcl.augment._chemistry import Molecule, _refresh_bonds, _still_aromatic, refresh
from graphcl.augment._cycles import on_cycle

Make = Callable[..., Data]

SMILES = {
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "caffeine": "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "omeprazole": "COc1ccc2nc(S(=O)Cc3ncc(C)c(OC)c3C)[nH]c2c1",
    "penicillin": "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O",
    "cyclopropyls": "C1CC1C2CC2c1ccc2ccccc2c1",
    "azulene": "c1ccc2cccc-2cc1",
    "biphenylene": "c1ccc2c(c1)c1ccccc12",
    "pyrene": "c1cc2ccc3cccc4ccc(c1)c2c34",
    "carbazole": "c1ccc2c(c1)[nH]c1ccccc12",
    "norbornane": "C1CC2CCC1C2",
    "spiro": "C1CCC2(CC1)OCCO2",
    "quinone": "O=C1C=CC(=O)C=C1",
    "bipyridyl": "c1ccc(-c2ccccn2)cc1",
    "enyne": "C=CC=CC#N",
    "stereo": "F/C=C/[C@H](Cl)C(=O)N",
    "arginine": "NC(=N)NCCC[C@@H](C(=O)O)N",
    "azide": "OS(=O)(=O)c1ccc(N=[N+]=[N-])cc1",
    "nitro": "O=[N+]([O-])c1ccccc1",
    "salt": "CC(=O)[O-].[Na+]",
    "ions": "[Na+].[Cl-]",
    "methane": "C",
    "joint": "*c1ccccc1",
    "palmitic acid": "CCCCCCCCCCCCCCCC(=O)O",
}
every_molecule = pytest.mark.parametrize("smiles", SMILES.values(), ids=SMILES)
both = pytest.mark.parametrize("vocab", ["ogb", "pyg"])


def cut(data: Data, *, bonds: list[tuple[int, int]] | None = None, atoms: list[int] | None = None, vocab: str = "ogb"):
    """The view without these bonds and atoms."""
    molecule = Molecule.of(data, vocab)
    keep_nodes = keep_edges = None
    if bonds is not None:
        gone = {frozenset(pair) for pair in bonds}
        keep_edges = torch.tensor([frozenset(pair) not in gone for pair in data.edge_index.t().tolist()]).bool()
    if atoms is not None:
        keep_nodes = torch.ones(data.num_nodes, dtype=torch.bool)
        keep_nodes[atoms] = False
    return apply(data, molecule.graph, refresh(molecule, keep_nodes=keep_nodes, keep_edges=keep_edges))


def bond(view: Data, a: int, b: int) -> list[int]:
    at = (view.edge_index == torch.tensor([[a], [b]])).all(0).nonzero()
    return view.edge_attr[int(at)].tolist()


# --- whole molecules --------------------------------------------------------------------------------------------------


@every_molecule
@both
def test_the_rules_give_a_whole_molecule_the_features_it_has(smiles: str, vocab: str, molecule: Make) -> None:
    data = molecule(smiles, vocab)
    as_read = Molecule.of(data, vocab)
    alive = torch.ones(data.num_edges, dtype=torch.bool)
    cyclic = on_cycle(data.edge_index, data.num_nodes)
    aromatic = _still_aromatic(as_read, alive, cyclic, None)
    bonds, unconjugated = _refresh_bonds(as_read, alive, aromatic, torch.zeros(data.num_nodes, dtype=torch.bool))
    at_atoms = [torch.zeros(data.num_nodes, dtype=torch.bool) for _ in range(2)]
    for at, flag in zip(at_atoms, (cyclic, aromatic), strict=True):
        at[data.edge_index[0, flag]] = True
    assert torch.equal(at_atoms[0].long(), data.x[:, 8])
    assert torch.equal(at_atoms[1].long(), data.x[:, 7])
    assert torch.equal(bonds, data.edge_attr)
    assert not unconjugated.any()


@every_molecule
@both
def test_nothing_lost_nothing_changed(smiles: str, vocab: str, molecule: Make) -> None:
    data = molecule(smiles, vocab)
    view = cut(data, bonds=[], atoms=[], vocab=vocab)
    for name in ("x", "edge_index", "edge_attr"):
        assert torch.equal(view[name], data[name])


# --- what is left of one, by RDKit ------------------------------------------------------------------------------------


def edited(smiles: str, nodes: list[int], bonds: list[list[int]], *, hydrogens: bool) -> Any:
    """What RDKit makes of the molecule with these atoms and bonds only, with open valences or with ``hydrogens``."""
    mol = Chem.RWMol(Chem.MolFromSmiles(smiles))
    keep = {frozenset(pair) for pair in bonds}
    if hydrogens:
        Chem.Kekulize(mol, clearAromaticFlags=True)
    for atom in mol.GetAtoms():
        if not hydrogens:
            atom.SetNumExplicitHs(atom.GetTotalNumHs())
            atom.SetNoImplicit(True)
    for link in list(mol.GetBonds()):
        ends = (link.GetBeginAtom(), link.GetEndAtom())
        pair = [atom.GetIdx() for atom in ends]
        if frozenset(pair) not in keep:
            for atom in ends:
                if hydrogens and (atom.GetNoImplicit() or atom.GetNumExplicitHs()):
                    atom.SetNumExplicitHs(atom.GetNumExplicitHs() + int(link.GetBondTypeAsDouble()))
            mol.RemoveBond(*pair)
    for i in sorted(set(range(mol.GetNumAtoms())) - set(nodes), reverse=True):
        mol.RemoveAtom(i)
    mol.UpdatePropertyCache(strict=False)
    if hydrogens:
        Chem.SanitizeMol(mol)
    else:
        Chem.FastFindRings(mol)
    return mol


def views(data: Data) -> list[Data]:
    augmentations = [BondDrop(drop=0.2), AtomDrop(drop=0.2), SubgraphRemove(remove=0.3), BRICSFragment()]
    return [aug.view(data, key) for aug in augmentations for key in range(8)]


def parts(view: Data, n: int) -> tuple[list[int], list[list[int]]]:
    nodes = view.n_id if "n_id" in view else torch.arange(n)
    return nodes.tolist(), nodes[view.edge_index].t().tolist()


@every_molecule
def test_degree_and_rings_are_those_of_what_is_left(smiles: str, molecule: Make) -> None:
    data = MarkFragments()(molecule(smiles))
    for view in views(data):
        nodes, bonds = parts(view, data.num_nodes)
        atoms = edited(smiles, nodes, bonds, hydrogens=False).GetAtoms()
        assert view.x[:, 2].tolist() == [atom.GetTotalDegree() for atom in atoms]
        assert view.x[:, 8].tolist() == [int(atom.IsInRing()) for atom in atoms]
        assert view.x[:, 4].tolist() == [min(atom.GetTotalNumHs(), 9) for atom in atoms]
        unchanging = [0, 3, 4, 5]  # element, charge, hydrogens, radical electrons
        assert torch.equal(view.x[:, unchanging], data.x[nodes][:, unchanging])


@every_molecule
def test_what_is_said_of_hybridisation_aromaticity_and_conjugation_is_true(smiles: str, molecule: Make) -> None:
    data = MarkFragments()(molecule(smiles))
    for view in views(data):
        nodes, bonds = parts(view, data.num_nodes)
        mol = edited(smiles, nodes, bonds, hydrogens=True)
        aromatic = view.x[:, 7] == 1
        # What RDKit makes of an aromatic ring that has lost a ring at its side depends on where it had put the double
        # bonds; everywhere else the two must agree.
        for i, atom in enumerate(mol.GetAtoms()):
            assert aromatic[i] or view.x[i, 6] in (5, atom_to_feature_vector(atom)[6])
            in_aromatic_ring = any(len(ring) <= 7 and i in ring and aromatic[list(ring)].all() for ring in rings(mol))
            assert aromatic[i] == 0 or in_aromatic_ring or smiles == SMILES["azulene"]
        for (a, b), (kind, stereo, conjugated) in zip(view.edge_index.t().tolist(), view.edge_attr.tolist()):
            expected = bond_to_feature_vector(mol.GetBondBetweenAtoms(a, b))
            if not (aromatic[a] or aromatic[b]):
                assert kind in (4, expected[0])
                assert conjugated <= expected[2]
            assert kind != 3 or (aromatic[a] and aromatic[b])
            assert stereo in (0, data.edge_attr[:, 1].max())


def rings(mol: Any) -> list[tuple[int, ...]]:
    return list(mol.GetRingInfo().AtomRings())


@every_molecule
def test_both_vocabularies_say_the_same(smiles: str, molecule: Make) -> None:
    for key in range(3):
        told = [in_words(AtomDrop(drop=0.25, vocab=v).view(molecule(smiles, v), key), v) for v in ("ogb", "pyg")]
        assert told[0] == told[1]


def in_words(view: Data, vocab: str) -> list[list[str]]:
    columns = list(ogb.values()) if vocab == "ogb" else [*x_map.values(), *e_map.values()]
    # OGB has no word for an ion's 'S' and an atom of element 0.
    unknown = {"misc": "?", "UNSPECIFIED": "?", "S": "?", "0?": "?"}
    rows = [[str(column[v]) for column, v in zip(columns, row)] for row in view.x.tolist()]
    rows += sorted([str(column[v]) for column, v in zip(columns[9:], row)] for row in view.edge_attr.tolist())
    rows = [["0?" if i == 0 and word == "0" else word for i, word in enumerate(row)] for row in rows]
    return [[unknown.get(word, word) for word in row] for row in rows]


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_broken_benzene_is_a_chain_of_unknown_bonds(molecule: Make) -> None:
    view = cut(molecule("c1ccccc1"), bonds=[(0, 1)])
    assert view.x[:, 7].tolist() == view.x[:, 8].tolist() == [0] * 6
    assert view.x[:, 2].tolist() == [2, 2, 3, 3, 3, 3]
    assert view.x[:, 6].tolist() == [5] * 6
    assert view.edge_attr.tolist() == [[4, 0, 0]] * 10


def test_the_other_ring_of_naphthalene_stays_aromatic(molecule: Make) -> None:
    view = cut(molecule("c1ccc2ccccc2c1"), bonds=[(0, 1)])
    ring, rest = [3, 4, 5, 6, 7, 8], [0, 1, 2, 9]
    assert view.x[ring][:, 7:].tolist() == [[1, 1]] * 6
    assert view.x[rest][:, 7:].tolist() == [[0, 0]] * 4
    assert bond(view, 3, 8) == [3, 0, 1]
    assert bond(view, 2, 3) == [4, 0, 0]


def test_naphthalene_without_its_middle_bond_is_a_ring_but_not_aromatic(molecule: Make) -> None:
    view = cut(molecule("c1ccc2ccccc2c1"), bonds=[(3, 8)])
    assert view.x[:, 7:].tolist() == [[0, 1]] * 10
    assert view.edge_attr[:, 0].tolist() == [4] * 20


def test_benzenes_of_carbazole_survive_its_nitrogen(molecule: Make) -> None:
    view = cut(molecule(SMILES["carbazole"]), atoms=[6])
    assert view.x[:, 7].tolist() == [1] * 12


def test_a_ring_atom_that_leaves_divided_rings_takes_their_aromaticity(molecule: Make) -> None:
    # The two inner carbons of pyrene: its rim of 14 atoms remains.
    mol = Chem.MolFromSmiles(SMILES["pyrene"])
    inner = [a.GetIdx() for a in mol.GetAtoms() if mol.GetRingInfo().NumAtomRings(a.GetIdx()) == 3]
    assert len(inner) == 2
    view = cut(molecule(SMILES["pyrene"]), atoms=inner)
    assert view.x[:, 7:].tolist() == [[0, 1]] * 14


def test_conjugation_ends_with_the_double_bond(molecule: Make) -> None:
    view = cut(molecule("C=CC=C"), bonds=[(2, 3)])
    assert view.edge_attr[:, 2].tolist() == [0] * 4
    assert view.x[:, 6].tolist() == [5, 5, 5, 5]
    amide = cut(molecule("CC(=O)N"), atoms=[2])
    assert amide.edge_attr[:, 2].tolist() == [0] * 4
    assert amide.x[:, 6].tolist() == [2, 5, 5]  # methyl is still SP3


def test_conjugation_elsewhere_stays(molecule: Make) -> None:
    data = molecule("C=CC=CCCC=CC=C")
    view = cut(data, bonds=[(0, 1)])
    assert bond(view, 2, 3)[2] == 0
    for pair in ((6, 7), (7, 8), (8, 9)):
        assert bond(view, *pair) == bond(data, *pair)


def test_chirality_and_stereo_go_with_a_neighbour(molecule: Make) -> None:
    data = molecule("F/C=C/[C@H](Cl)N")
    assert data.x[3, 1] > 0 and bond(data, 1, 2)[1] > 0
    view = cut(data, atoms=[0])
    assert view.x[2, 1] == data.x[3, 1]
    assert bond(view, 0, 1)[1] == 0
    view = cut(data, atoms=[4])
    assert view.x[3, 1] == 0
    assert bond(view, 1, 2)[1] == bond(data, 1, 2)[1]


def test_kekulised_molecules_keep_their_aromatic_atoms() -> None:
    data = from_smiles("c1ccc(-c2ccccc2)cc1", kekulize=True)
    assert 12 not in data.edge_attr[:, 0]
    view = cut(data, bonds=[(0, 1)], vocab="pyg")
    assert view.x[:, 7].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]


def test_molecules_without_bond_features(molecule: Make) -> None:
    data = molecule("c1ccc(-c2ccccc2)cc1")
    del data.edge_attr
    view = cut(data, bonds=[(0, 1)])
    assert view.x[:, 7].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]
    assert "edge_attr" not in view


def test_masked_atoms_and_bonds_break_no_ring(molecule: Make) -> None:
    data = molecule("CCCCc1ccccc1")
    view = Compose([AtomMask(mask=0.2, bonds=True), BondDrop(drop=0.0)]).view(data, 1)
    assert torch.equal(view.x, AtomMask(mask=0.2, bonds=True).view(data, -1).x) or (view.x[:, 0] == 118).sum() == 2
    token = Molecule.of(data, "ogb").vocabulary.atom
    data.x[6] = torch.tensor(token)
    data.edge_attr[(data.edge_index == 6).any(0)] = torch.tensor([4, 0, 0])
    view = cut(data, bonds=[(0, 1)])
    assert torch.equal(view.x[4:, 7:], data.x[4:, 7:])
    assert view.x[6].tolist() == list(token)


def test_unknown_and_high_degrees_stay_unknown(molecule: Make) -> None:
    data = molecule("CC")
    data.x[0, 2] = 11
    assert cut(data, bonds=[(0, 1)]).x[:, 2].tolist() == [11, 3]
    data = molecule("CC", "pyg")
    data.x[0, 2] = 0
    assert cut(data, bonds=[(0, 1)], vocab="pyg").x[:, 2].tolist() == [0, 3]


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_refuses_what_is_no_molecule(molecule: Make, make: Make) -> None:
    with pytest.raises(ValueError, match=r"x \[atoms, 9\] of int64, got torch.float32 \[5, 3\].*smiles2graph"):
        BondDrop()(make(5, [(0, 1)]))
    with pytest.raises(ValueError, match="got none"):
        BondDrop()(Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=2))
    data = molecule("CC")
    data.edge_attr = data.edge_attr.float()
    with pytest.raises(ValueError, match=r"edge_attr \[bonds, 3\] of int64, got torch.float32"):
        BondDrop()(data)
    data.edge_attr = ["single", "single"]
    with pytest.raises(ValueError, match=r"edge_attr \[bonds, 3\] of int64, got a list"):
        BondDrop()(data)
    data.num_nodes, data.x = 2, data.x.numpy()
    with pytest.raises(ValueError, match=r"x \[atoms, 9\] of int64, got a ndarray"):
        BondDrop()(data)


def test_refuses_pygs_bonds_as_ogbs(molecule: Make) -> None:
    with pytest.raises(ValueError, match=r"got PyG's aromatic bond \(12\); give vocab='pyg'"):
        BondDrop()(molecule("c1ccccc1", "pyg"))


def test_refuses_unknown_tables() -> None:
    with pytest.raises(ValueError, match="vocab to be 'ogb' or 'pyg', got 'hu'"):
        BondDrop(vocab="hu")
