"""SMILES to graphs: equal, array for array, to the packages whose tables they follow, and nothing silently dropped."""

import builtins
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from graphcl._vocabulary import TABLES
from graphcl.data import PackedDataset, from_smiles, from_smiles_list

# Rings, charges, stereo marks on atoms and bonds, isotopes, salts, explicit hydrogens, metals, radicals, one atom.
SMILES = [
    "C", "CCO", "c1ccccc1", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "C/C=C/C", "C/C=C\\C", "[2H]C([2H])O", "[H]C([H])[H]",
    "O1C=C[C@H]([C@H]1O2)c3c2cc(OC)c4c3OC(=O)C5=C4CCC(=O)5", "CCC1=[O+][Cu-3]2([O+]=C(CC)C1)[O+]=C(CC)CC(CC)=[O+]2",
    "[CH3]", "[O-][N+](=O)c1ccc(Br)cc1", "F[P](F)(F)(F)F", "FS(F)(F)(F)(F)F", "N#N", "C1CC1C(=O)NC2CCN(C)CC2", "[OH2]",
]  # fmt: skip
# What the packages' own code stops at, or has no index for: a dummy atom, a bond to a metal, odd geometry.
UNUSUAL = ["*CC", "[NH3]->[Cu]", "N[Pt@SP1](N)(Cl)Cl", "[Fe+6]", "[C-6]"]


@pytest.mark.parametrize("smiles", SMILES + UNUSUAL)
def test_ogb(smiles: str) -> None:
    from ogb.utils import smiles2graph

    ours, theirs = from_smiles(smiles, vocab="ogb"), smiles2graph(smiles)
    for key, name in (("x", "node_feat"), ("edge_index", "edge_index"), ("edge_attr", "edge_feat")):
        assert ours[key].dtype == torch.int64
        np.testing.assert_array_equal(ours[key].numpy(), theirs[name])


@pytest.mark.parametrize("smiles", SMILES)
def test_pyg(smiles: str) -> None:
    from torch_geometric.utils import from_smiles as theirs

    ours, other = from_smiles(smiles, vocab="pyg"), theirs(smiles)
    assert ours.keys() == other.keys() and ours.smiles == other.smiles
    for key in ("x", "edge_index", "edge_attr"):
        assert ours[key].dtype == torch.int64 and torch.equal(ours[key], other[key])


def literal_hu2020(smiles: str) -> tuple[Any, Any, Any]:
    """Element and chirality; type and direction, from RDKit's names, as the paper lists them."""
    from rdkit import Chem

    chirality = ["CHI_UNSPECIFIED", "CHI_TETRAHEDRAL_CW", "CHI_TETRAHEDRAL_CCW", "CHI_OTHER"]
    molecule = Chem.MolFromSmiles(smiles)
    x = [[a.GetAtomicNum() - 1, chirality.index(str(a.GetChiralTag()))] for a in molecule.GetAtoms()]
    edges, attr = [], []
    for bond in molecule.GetBonds():
        kind = ["SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"].index(str(bond.GetBondType()))
        direction = ["NONE", "ENDUPRIGHT", "ENDDOWNRIGHT"].index(str(bond.GetBondDir()))
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        edges += [[i, j], [j, i]]
        attr += [[kind, direction]] * 2
    return x, edges, attr


@pytest.mark.parametrize("smiles", SMILES)
def test_hu2020(smiles: str) -> None:
    x, edges, attr = literal_hu2020(smiles)
    ours = from_smiles(smiles, vocab="hu2020")
    assert ours.x.tolist() == x and ours.edge_index.t().tolist() == edges and ours.edge_attr.tolist() == attr


def test_the_direction_of_bonds_is_seen() -> None:
    one, other = (from_smiles(s, vocab="hu2020").edge_attr[:, 1].tolist() for s in ("C/C=C/C", "C/C=C\\C"))
    assert one != other and {1, 2} <= set(one + other)


@pytest.mark.parametrize(("vocab", "atom"), [("ogb", 118), ("pyg", 0), ("hu2020", 118)])
def test_an_unknown_atom_has_the_index_for_it(vocab: str, atom: int) -> None:
    assert from_smiles("*C", vocab=vocab).x[0, 0] == atom


@pytest.mark.parametrize("vocab", TABLES)
@pytest.mark.parametrize("smiles", SMILES + UNUSUAL)
def test_every_number_fits_an_embedding_of_the_tables_size(smiles: str, vocab: str) -> None:
    graph = from_smiles(smiles, vocab=vocab)
    assert graph.x.size(1) == len(TABLES[vocab].atom) and graph.edge_attr.size(1) == len(TABLES[vocab].bond)
    for values, columns in ((graph.x, TABLES[vocab].atom), (graph.edge_attr, TABLES[vocab].bond)):
        for column, numbers in zip(columns, values.t(), strict=True):
            assert bool((numbers >= 0).all()) and bool((numbers < column.size).all())


def test_carbon_differs_between_tables() -> None:
    assert [from_smiles("C", vocab=v).x[0, 0].item() for v in ("ogb", "pyg", "hu2020")] == [5, 6, 5]


@pytest.mark.parametrize(
    ("smiles", "why"),
    [
        ("", "empty"),
        ("C1CC", "not a SMILES"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("c1cccc1", "kekulize"),
        ("[#200]", "Atomic number not"),
    ],
)
def test_what_is_no_molecule_says_why(smiles: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"(?i)expected a SMILES of a molecule, got '.*{why}"):
        from_smiles(smiles)


def test_an_unknown_table() -> None:
    with pytest.raises(ValueError, match="expected vocab to be 'ogb', 'pyg' or 'hu2020', got 'moleculenet'"):
        from_smiles("C", vocab="moleculenet")


def test_salts_hydrogens_and_single_atoms() -> None:
    assert from_smiles("[Na+].[Cl-]").num_nodes == 2 and from_smiles("[Na+].[Cl-]").num_edges == 0
    assert torch.equal(from_smiles("[H]C([H])([H])[H]").x, from_smiles("C").x)
    assert from_smiles("C").edge_index.shape == (2, 0) and from_smiles("C").edge_attr.shape == (0, 3)


def test_a_thousand_atoms() -> None:
    graph = from_smiles("C" * 1000)
    assert (graph.num_nodes, graph.num_edges) == (1000, 1998)
    assert from_smiles_list(["C" * 1000, "C"])[0].edge_index.max() == 999


def test_a_list_keeps_rows_and_tells_what_it_left_out() -> None:
    dataset = from_smiles_list(["CCO", "C1CC", "", "c1ccccc1", "CCO"], vocab="pyg", name="mine")
    assert repr(dataset) == "mine(3, vocab='pyg', 2 skipped)"
    assert [graph.row.item() for graph in dataset] == [0, 3, 4]  # duplicates stay
    assert dataset.skipped == ((1, "C1CC", "not a SMILES"), (2, "", "empty"))
    assert list(dataset.smiles) == ["CCO", "c1ccccc1", "CCO"] and dataset.num_rows == 5
    for i, text in enumerate(dataset.smiles):
        alone = from_smiles(text, vocab="pyg")
        for key in ("x", "edge_index", "edge_attr"):
            assert torch.equal(dataset[i][key], alone[key]) and dataset[i][key].dtype == torch.int64


def test_what_is_no_text_is_told_from_a_gap() -> None:
    dataset = from_smiles_list(["C", None, float("nan"), 3, b"C"])
    assert [why for _, _, why in dataset.skipped] == ["empty", "empty", "no text, but int", "no text, but bytes"]
    half = "\ud800"
    dataset = from_smiles_list(["C", half])
    assert dataset.skipped == ((1, "", "no text that UTF-8 can hold"),)
    with pytest.raises(ValueError, match=r"got '\\ud800': no text that UTF-8 can hold"):
        from_smiles(half)
    for given in (None, 3, b"C"):
        with pytest.raises(TypeError, match="expected a SMILES as text, got"):
            from_smiles(given)  # type: ignore[arg-type]


def test_nothing_at_all() -> None:
    with pytest.raises(
        ValueError, match="expected at least one molecule, got none out of 1 SMILES; the first, 'C1CC': not a"
    ):
        from_smiles_list(["C1CC"])
    with pytest.raises(ValueError, match="got none out of 0 SMILES"):
        from_smiles_list([])
    with pytest.raises(TypeError, match="expected a list of SMILES, got one text 'CCO'"):
        from_smiles_list("CCO")


@pytest.mark.parametrize("vocab", TABLES)
def test_a_packed_batch_is_the_batch_of_the_graphs(vocab: str) -> None:
    dataset = from_smiles_list(SMILES, vocab=vocab)
    packed = PackedDataset(dataset, graph_id=True)
    assert packed.packed, packed.reason
    for index in ([3, 0, 9, 9], list(range(len(SMILES)))):
        ours, theirs = packed.batch(index), Batch.from_data_list([dataset[i] for i in index])
        for key in ("x", "edge_index", "edge_attr", "row", "batch", "ptr"):
            assert ours[key].dtype == theirs[key].dtype and torch.equal(ours[key], theirs[key])
        for one, other in zip(ours.to_data_list(), theirs.to_data_list(), strict=True):
            assert torch.equal(one.edge_index, other.edge_index)
    assert torch.equal(PackedDataset(dataset[3:6]).batch([1]).x, dataset[4].x)


def test_without_rdkit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "rdkit":
            raise ImportError("no rdkit")
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.split(".")[0] == "rdkit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install 'graphcl\[molecules\]'"):
        from_smiles("C")
