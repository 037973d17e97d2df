"""SMILES to graphs under a named index table."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch_geometric.data import Data

from graphcl.data._featurise import featurise, in_utf8, texts_of
from graphcl.data.molecule_set import MoleculeDataset

__all__ = ["from_smiles", "from_smiles_list"]


def from_smiles(smiles: str, *, vocab: str = "ogb") -> Data:
    """One molecule as a graph: its heavy atoms, and each bond in both directions.

    What RDKit reads is taken as it is: the fragments of a salt are one graph of several components, explicit hydrogens
    are implied again, an atom alone has no edges. An atom or bond that the table does not list has its 'misc' index.
    PyG's table has none: there it is 'OTHER' where a column has that, else element 0, no charge, degree 0.

    Chirality is told by the order of an atom's bonds, in every table: a chiral molecule that is written in another way
    may have the other of two marks, and a slightly different embedding. Canonical SMILES give each molecule one graph.

    Args:
        smiles: The SMILES.
        vocab: The index table: ``"ogb"`` (equal to ``ogb.utils.smiles2graph``), ``"pyg"`` (equal to
            ``torch_geometric.utils.from_smiles``) or ``"hu2020"`` (element and chirality; bond type and direction).

    Returns:
        ``x`` ``[atoms, 9]``, ``edge_attr`` ``[2 * bonds, 3]`` (2 columns each for ``hu2020``), ``edge_index``, all
        int64, and ``smiles``.

    Raises:
        ValueError: RDKit reads no molecule there (the message says why), or there is no such table.
        TypeError: ``smiles`` is not a text.
        ImportError: RDKit is not installed.

    Example:
        >>> from_smiles("CO").x[:, 0].tolist(), from_smiles("CO", vocab="pyg").x[:, 0].tolist()
        ([5, 7], [6, 8])

    Source: Hu et al., "Open Graph Benchmark", NeurIPS 2020 (``ogb``); Hu, Liu, Gomes, Zitnik, Liang, Pande, Leskovec,
    "Strategies for Pre-training Graph Neural Networks", ICLR 2020, appendix C (``hu2020``).
    """
    if not isinstance(smiles, str):
        raise TypeError(f"expected a SMILES as text, got {type(smiles).__name__}")
    packed = featurise(texts_of([smiles]), vocab)
    if packed.failed:
        raise ValueError(f"expected a SMILES of a molecule, got {smiles!r}: {_no_text(smiles) or packed.failed[0][1]}")
    return Data(
        x=torch.from_numpy(packed.x).long(),
        edge_index=torch.from_numpy(packed.edge_index).long(),
        edge_attr=torch.from_numpy(packed.edge_attr).long(),
        smiles=smiles,
    )


def from_smiles_list(smiles: Sequence[Any], *, vocab: str = "ogb", name: str = "molecules") -> MoleculeDataset:
    """Many molecules as a packed set. Those that RDKit cannot read are left out, counted and listed in ``skipped``.

    Args:
        smiles: The SMILES; the row of a molecule is its place among them. None and NaN are empty rows.
        vocab: The index table; see :func:`from_smiles`.
        name: The set's name.

    Raises:
        ValueError: Not one of them is a molecule, or there is no such table.
        TypeError: ``smiles`` is a single text.
        ImportError: RDKit is not installed.

    Example:
        >>> dataset = from_smiles_list(["CCO", "C1CC", "c1ccccc1"])
        >>> dataset, dataset.skipped
        (molecules(2, vocab='ogb', 1 skipped), ((1, 'C1CC', 'not a SMILES'),))
        >>> dataset[1].row.item(), dataset[1].num_nodes
        (2, 6)
    """
    given = smiles if isinstance(smiles, str) else list(smiles)
    texts = texts_of(given)
    packed = featurise(texts, vocab)
    packed = replace(packed, failed=[(i, _no_text(given[i]) or why) for i, why in packed.failed])
    if len(packed.position) == 0:
        first = packed.failed[:1]
        why = "".join(f"; the first, {texts[i]!r}: {why}" for i, why in first)
        raise ValueError(f"expected at least one molecule, got none out of {len(texts)} SMILES{why}")
    return MoleculeDataset.of(packed, texts, name=name, vocab=vocab)


def _no_text(given: Any) -> str:
    """What stands there in the place of a text; nothing for a gap, such as None or NaN."""
    if isinstance(given, str):
        return "" if in_utf8(given) else "no text that UTF-8 can hold"
    gap = given is None or type(given).__name__ == "NAType" or given != given
    return "" if gap else f"no text, but {type(given).__name__}"
