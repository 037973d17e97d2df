"""OGB's molecules: graphs, labels and split as OGB has them, rows and table named."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from graphcl.data import PackedDataset, load, load_ogb
from graphcl.data.ogb_molecules import load_ogb_molecules
from graphcl.errors import DataError

SMILES = ["CO", "CCO", "[Na+].[Cl-]", "C"]


def write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.writelines(",".join(str(value) for value in row) + "\n" for row in rows)


@pytest.fixture
def molesol(tmp_path: Path) -> Path:
    """Four molecules in OGB's own files: each bond once, as there."""
    from ogb.utils import smiles2graph

    graphs = [smiles2graph(text) for text in SMILES]
    folder = tmp_path / "ogb" / "ogbg_molesol"
    files = {
        "edge": [row for g in graphs for row in g["edge_index"].T[::2].tolist()],
        "edge-feat": [row for g in graphs for row in g["edge_feat"][::2].tolist()],
        "node-feat": [row for g in graphs for row in g["node_feat"].tolist()],
        "num-node-list": [[g["num_nodes"]] for g in graphs],
        "num-edge-list": [[g["edge_index"].shape[1] // 2] for g in graphs],
        "graph-label": [[0.5], [1.5], [-2.0], [0.0]],
    }
    for name, rows in files.items():
        write(folder / "raw" / f"{name}.csv.gz", rows)
    for part, rows in (("train", [[3], [0]]), ("valid", [[1]]), ("test", [[2]])):
        write(folder / f"split/scaffold/{part}.csv.gz", rows)
    write(folder / "mapping/mol.csv.gz", [["target", "smiles", "mol_id"], *([0, text, "x"] for text in SMILES)])
    (folder / "RELEASE_v1.txt").touch()
    return tmp_path / "ogb"


def test_it_is_what_ogb_has(molesol: Path) -> None:
    dataset, theirs = load_ogb_molecules("ogbg-molesol", molesol), load_ogb("ogbg-molesol", molesol)
    assert repr(dataset) == "ogbg-molesol(4, vocab='ogb')" and list(dataset.smiles) == SMILES
    for i, (one, other) in enumerate(zip(dataset, theirs, strict=True)):
        for key in ("x", "edge_index", "edge_attr"):
            assert one[key].dtype == torch.int64 and torch.equal(one[key], other[key])
        assert one.row.item() == i and torch.equal(one.y, other.y.float())
    assert dataset.split is not None
    assert {k: v.tolist() for k, v in dataset.split.items()} == {"train": [3, 0], "valid": [1], "test": [2]}
    assert dataset.num_rows == 4 and PackedDataset(dataset).packed


def test_without_the_mapping_there_are_no_smiles(molesol: Path) -> None:
    (molesol / "ogbg_molesol/mapping/mol.csv.gz").unlink()
    assert list(load_ogb_molecules("ogbg-molesol", molesol).smiles) == [""] * 4


def test_refusals(molesol: Path) -> None:
    write(molesol / "ogbg_molesol/mapping/mol.csv.gz", [["smiles"], ["C"]])
    with pytest.raises(DataError, match="has 1 molecules, ogbg-molesol 4"):
        load_ogb_molecules("ogbg-molesol", molesol)
    with pytest.raises(DataError, match="expected a set of molecules, whose name begins with ogbg-mol"):
        load_ogb_molecules("ogbg-ppa", molesol)


@pytest.mark.parametrize("name", ["ogbg-molbace", "ogbg-molbbbp", "ogbg-molesol", "ogbg-molfreesolv"])
def test_real_sets_through_their_cards(graphcl_home: Path, name: str) -> None:
    if not (graphcl_home / "ogb" / name.replace("-", "_")).is_dir():
        pytest.skip(f"needs {name} in {graphcl_home}/ogb")
    dataset = load(name, root=graphcl_home)
    assert dataset[0].x.dtype == torch.int64 and dataset.split["test"].numel() > 0
    with pytest.raises(ValueError, match=f"expected vocab='ogb' for {name}"):
        load(name, root=graphcl_home, vocab="pyg")


def test_the_graphs_of_ogb_are_those_made_here(graphcl_home: Path) -> None:
    if not (graphcl_home / "ogb/ogbg_molbace").is_dir() or not (graphcl_home / "MoleculeNet/bace").is_dir():
        pytest.skip("needs both editions of BACE")
    theirs, ours = (load(name, root=graphcl_home) for name in ("ogbg-molbace", "BACE"))
    for key in ("x", "edge_attr", "edge_index", "y"):
        np.testing.assert_array_equal(ours._data[key], theirs._data[key])
