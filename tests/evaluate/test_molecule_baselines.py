"""What molecules are made of, counted, and the rows that every table of molecules has."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from graphcl._vocabulary import table
from graphcl.data import PackedDataset, from_smiles, from_smiles_list
from graphcl.evaluate import compared_molecule_embeddings, embed_graphs, raw_molecule_embeddings
from graphcl.methods import GraphCL
from graphcl.nn import GraphEncoder, MoleculeEncoder, mean_readout

SMILES = ["CCO", "c1ccccc1C#N", "C", "[Na+].[Cl-]", "CC(=O)O"]


@pytest.mark.parametrize("vocab", ["ogb", "pyg", "hu2020"])
def test_counts_are_those_of_a_loop(vocab: str) -> None:
    graphs = [from_smiles(text, vocab=vocab) for text in SMILES]
    sizes = [[column.size for column in columns] for columns in (table(vocab).atom, table(vocab).bond)]
    expected = np.zeros((len(graphs), sum(map(sum, sizes))))
    for row, graph in zip(expected, graphs, strict=True):
        for atom in graph.x.tolist():
            for column, value in enumerate(atom):
                row[sum(sizes[0][:column]) + value] += 1
        for bond in graph.edge_attr.tolist():
            for column, value in enumerate(bond):
                row[sum(sizes[0]) + sum(sizes[1][:column]) + value] += 0.5
    batches = [Batch.from_data_list(graphs[:2]), Batch.from_data_list(graphs[2:])]
    np.testing.assert_array_equal(raw_molecule_embeddings(batches, vocab=vocab), expected)


def make(seed: int) -> GraphCL:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphCL(GraphEncoder(MoleculeEncoder(8, 2), mean_readout), seed=seed)


def test_the_rows_and_their_seeds() -> None:
    molecules = PackedDataset(from_smiles_list(SMILES * 3))
    rows = compared_molecule_embeddings(molecules, [0, 3], make=make, trained={"Mine": make}, batch_size=4)
    assert list(rows) == ["raw", "untrained-init", "untrained", "Mine"] and {len(own) for own in rows.values()} == {2}
    np.testing.assert_array_equal(rows["Mine"][1], embed_graphs(make(3), molecules.batches(64)))
    np.testing.assert_array_equal(rows["untrained-init"][0], embed_graphs(make(0), molecules.batches(64)))
    assert not np.allclose(rows["untrained"][0], rows["untrained-init"][0])
    np.testing.assert_array_equal(rows["raw"][0], rows["raw"][1])


def test_refusals() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        raw_molecule_embeddings([], vocab="ogb")
    with pytest.raises(TypeError, match="expected batches of graphs, got a single graph; write DataLoader"):
        raw_molecule_embeddings([from_smiles("CCO")], vocab="ogb")
    bare = from_smiles("C")
    del bare.smiles  # by which it would be told
    with pytest.raises(ValueError, match="expected molecules that say their index table"):
        compared_molecule_embeddings(PackedDataset([bare]), [0], make=make, trained={})
