"""Embeddings of the columns of atoms and bonds."""

import pytest
import torch

from graphcl.nn import AtomEmbedding, bond_counts


def test_bond_counts() -> None:
    edge_index = torch.tensor([[0, 1, 2, 1], [1, 1, 1, 2]])
    edge_attr = torch.tensor([[0, 1], [2, 0], [0, 1], [1, 1]])
    counts = bond_counts(edge_index, edge_attr, 3, [3, 2])
    assert counts.tolist() == [[0, 0, 0, 0, 0], [2, 0, 1, 1, 2], [0, 1, 0, 0, 1]]
    weighted = bond_counts(edge_index, edge_attr, 3, [3, 2], weight=torch.tensor([0.5, 1.0, 2.0, 3.0]))
    assert weighted[1].tolist() == [2.5, 0, 1, 1, 2.5]


def test_embeddings_are_drawn_by_the_size_of_their_column() -> None:
    embedding = AtomEmbedding(300, vocab="ogb")
    for size, part in zip(embedding.sizes, embedding.weight.split(embedding.sizes), strict=True):
        assert part.abs().max() <= (6 / (size + 300)) ** 0.5
        assert part.std().item() == pytest.approx((2 / (size + 300)) ** 0.5, rel=0.1)
