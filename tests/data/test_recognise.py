"""Molecules that carry their SMILES are told apart by it, wherever they are brought together with an encoder."""

import sys

import pytest
import torch
from torch.utils.data import ConcatDataset, Subset
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.utils import from_smiles as of_pyg

import graphcl
from graphcl.data import PackedDataset, from_smiles, from_smiles_list
from graphcl.data._recognise import recognised
from graphcl.methods import GraphCL
from graphcl.nn import GraphEncoder, MoleculeEncoder
from graphcl.train import fit


class Kept(InMemoryDataset):
    def __init__(self, graphs: list[Data]) -> None:
        super().__init__()
        self._data, self.slices = self.collate(graphs)


def test_every_table_is_recognised() -> None:
    for smiles in ("C", "CCO", "c1ccccc1", "[Na+].[Cl-]", "*C"):
        for vocab in ("ogb", "pyg", "hu2020"):
            graphs = [from_smiles(smiles, vocab=vocab), from_smiles("CC", vocab=vocab)]
            assert recognised(graphs) == recognised(Kept(graphs)) == PackedDataset(graphs).vocab == vocab
        assert recognised((of_pyg(smiles),)) == "pyg"


def test_nothing_is_told_without_smiles(monkeypatch: pytest.MonkeyPatch) -> None:
    ethanol = from_smiles("CCO")
    bare = Data(x=ethanol.x, edge_index=ethanol.edge_index, edge_attr=ethanol.edge_attr)
    other = Data(x=ethanol.x + 1, edge_index=ethanol.edge_index, smiles="CCO")
    wide = Data(x=ethanol.x.float(), edge_index=ethanol.edge_index, smiles="CCO")
    none = Data(x=ethanol.x, edge_index=ethanol.edge_index, smiles="no molecule")
    for graph in (bare, other, wide, none):
        assert recognised([graph]) is None and recognised(Kept([graph])) is None
    monkeypatch.setitem(sys.modules, "rdkit", None)
    assert recognised([ethanol]) is None


def test_a_list_of_two_tables_is_refused() -> None:
    ours, other = ([from_smiles(smiles, vocab=vocab) for smiles in ("CCO", "CCN")] for vocab in ("ogb", "pyg"))
    for mixed in (ours + other, ours * 50 + other, other + ours * 50, [ours[0], other[0]] * 50):
        with pytest.raises(ValueError, match="expected parts of one table of atoms and bonds, got '(ogb|pyg)' and '"):
            PackedDataset(mixed)
    assert PackedDataset(ours * 50).vocab == "ogb"


def test_molecules_of_another_table_are_refused() -> None:
    """Chains alone: all their numbers lie within OGB's table, too, where they are other atoms and bonds."""
    graphs = [of_pyg(smiles) for smiles in ("CCO", "CCN", "CCCO")]
    assert all(int(graph.edge_attr.max()) <= 1 for graph in graphs)
    message = "expected one table of atoms and bonds, got 'pyg' in .* and 'ogb' in"
    with pytest.raises(ValueError, match=message):
        graphcl.load("zinc-gin").embed(graphs)
    for given in (graphs, Kept(graphs), PackedDataset(graphs, graph_id=True)):
        with pytest.raises(ValueError, match=message):
            fit(GraphCL(GraphEncoder(MoleculeEncoder(8, 2))), given, epochs=1, batch_size=3)
    molecules = from_smiles_list(["CCO", "CCN"], vocab="pyg")
    for given in (molecules, graphs, Subset(molecules, [1, 0]), ConcatDataset([molecules, Subset(molecules, [0])])):
        with pytest.raises(ValueError, match=message):
            fit(GraphCL(GraphEncoder(MoleculeEncoder(8, 2))), DataLoader(given, batch_size=2), epochs=1)
    with pytest.raises(ValueError, match=message):
        graphcl.load("zinc-gin").embed(Subset(molecules, [1, 0]))
    with pytest.raises(ValueError, match="expected parts of one table of atoms and bonds, got 'pyg' and 'ogb'"):
        PackedDataset(ConcatDataset([molecules, from_smiles_list(["CCO"])]))
    assert torch.isfinite(graphcl.load("zinc-gin").embed([from_smiles("CCO")])).all()
