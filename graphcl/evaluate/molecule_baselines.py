"""The embeddings of molecules that a table compares: the trained encoder beside everything it has to beat."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch

from graphcl._vocabulary import table
from graphcl.data import PackedDataset
from graphcl.evaluate._checks import FloatArray, check_batch
from graphcl.evaluate.baselines import stack
from graphcl.evaluate.cache import rows_of
from graphcl.evaluate.suite import EMBED_BATCH, encoder_rows
from graphcl.methods import Method

__all__ = ["compared_molecule_embeddings", "raw_molecule_embeddings"]


def raw_molecule_embeddings(batches: Iterable[Any], *, vocab: str) -> FloatArray:
    """How often each value of each column occurs among a molecule's atoms, and its bonds: what it is made of.

    Args:
        batches: Batches of molecules, in the order of the data set.
        vocab: Their index table.

    Returns:
        ``[molecules, values of all columns]``.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.data import from_smiles
        >>> counts = raw_molecule_embeddings([Batch.from_data_list([from_smiles("CCO")])], vocab="ogb")
        >>> counts.shape, counts[0, [5, 7]].tolist(), counts[0, -13:-8].tolist()  # carbon, oxygen; single bonds, ...
        ((1, 187), [2.0, 1.0], [2.0, 0.0, 0.0, 0.0, 0.0])
    """
    columns = table(vocab)
    parts = []
    for batch in batches:
        check_batch(batch)
        home = batch.batch[batch.edge_index[0]]
        counts = [
            _counts(codes, where, [column.size for column in own], batch.num_graphs)
            for codes, where, own in ((batch.x, batch.batch, columns.atom), (batch.edge_attr, home, columns.bond))
        ]
        counts[1] /= 2  # a bond is there in both directions
        parts.append(torch.cat(counts, 1).cpu())
    return stack(parts)


def _counts(codes: torch.Tensor, home: torch.Tensor, sizes: list[int], graphs: int) -> torch.Tensor:
    starts = torch.tensor([0, *sizes[:-1]], device=codes.device).cumsum(0)
    place = home[:, None] * sum(sizes) + starts + codes
    return torch.bincount(place.flatten(), minlength=graphs * sum(sizes)).view(graphs, sum(sizes)).double()


def compared_molecule_embeddings(
    molecules: PackedDataset,
    seeds: Sequence[int],
    *,
    make: Callable[[int], Method],
    trained: Mapping[str, Callable[[int], Method]],
    batch_size: int = 256,
) -> dict[str, list[FloatArray]]:
    """The embeddings of ``raw``, ``untrained-init``, ``untrained`` and the trained methods.

    Args:
        molecules: The data set.
        seeds: The model seeds.
        make: From a seed to the method as training begins with it.
        trained: Under each name, from a seed to the trained method.
        batch_size: The batch size of the epoch that collects the statistics of ``untrained``.

    Returns:
        Embeddings by method, one array per seed, as :func:`evaluate_molecules` takes them.

    Raises:
        ValueError: The data set does not say its index table.

    Example:
        >>> from graphcl.data import PackedDataset, from_smiles_list
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GraphEncoder, MoleculeEncoder
        >>> molecules = PackedDataset(from_smiles_list(["CCO", "CCN", "c1ccccc1"]))
        >>> make = lambda seed: GraphCL(GraphEncoder(MoleculeEncoder(8, 2)), seed=seed)
        >>> list(compared_molecule_embeddings(molecules, [0], make=make, trained={}))
        ['raw', 'untrained-init', 'untrained']
    """
    if molecules.vocab is None:
        raise ValueError("expected molecules that say their index table, got a set without vocab")
    clean = list(molecules.batches(EMBED_BATCH))
    raw = raw_molecule_embeddings(clean, vocab=molecules.vocab)
    builds = encoder_rows(molecules, clean, make=make, trained=trained, batch_size=batch_size)
    return {"raw": [raw] * len(seeds)} | rows_of(builds, seeds)
