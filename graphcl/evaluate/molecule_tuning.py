"""Fine-tuning an encoder of molecules as a protocol says."""

import copy
from collections.abc import Mapping
from typing import Any

from graphcl.evaluate._names import check_protocol
from graphcl.evaluate.finetune import Finetuned, finetune
from graphcl.evaluate.molecule_protocols import MoleculeProtocol
from graphcl.nn import GraphEncoder

__all__ = ["check_tunes", "finetune_by"]

_NUMBERS = ("epochs", "batch_size", "lr", "encoder_lr", "select", "head_only")


def finetune_by(
    protocol: MoleculeProtocol,
    encoder: GraphEncoder,
    dataset: Any,
    split: Mapping[str, Any] | None = None,
    **other: Any,
) -> Finetuned:
    """Tune a copy of an encoder as a protocol says, to score it or to predict with it; see :func:`finetune`.

    Args:
        protocol: One of fine-tuning; it names the dropout of the encoder, too.
        encoder: Graphs to embeddings.
        dataset: Molecules with labels ``y`` ``[1, tasks]``.
        split: Positions under ``train``, ``valid`` and ``test``; by default the data set's own.
        other: What the protocol leaves open: ``classification``, ``settle``, ``seed``, ``device``, ``precision`` and
            ``score``.

    Raises:
        ValueError: The protocol is not one of fine-tuning, or what :func:`finetune` refuses.

    Example:
        >>> import torch
        >>> from graphcl.data import from_smiles_list
        >>> from graphcl.evaluate import molecule_protocol, with_tuning
        >>> from graphcl.nn import MoleculeEncoder, mean_readout
        >>> molecules = from_smiles_list(["C" * n + end for n in range(1, 11) for end in ("O", "N")])
        >>> molecules._data.y, molecules.slices["y"] = torch.tensor([[0.0], [1.0]] * 10), molecules.slices["row"]
        >>> split = {"train": torch.arange(12), "valid": torch.arange(12, 16), "test": torch.arange(16, 20)}
        >>> few = with_tuning(molecule_protocol("moleculenet-finetune"), epochs=20, batch_size=8, dropout=0.0)
        >>> encoder = GraphEncoder(MoleculeEncoder(16, 2), mean_readout)
        >>> tuned = finetune_by(few, encoder, molecules, split, classification=True)
        >>> alcohol, amine = tuned.predict(from_smiles_list(["CCCO", "CCCN"]))
        >>> bool(amine > alcohol)
        True
    """
    check_tunes(protocol)
    encoder = copy.deepcopy(encoder)
    if hasattr(encoder.gnn, "dropout"):
        encoder.gnn.dropout = protocol.dropout  # type: ignore[assignment]
    numbers = {key: getattr(protocol, key) for key in _NUMBERS}
    return finetune(encoder, dataset, split, **numbers, **other)


def check_tunes(protocol: MoleculeProtocol) -> None:
    """Refuse a protocol of frozen embeddings."""
    check_protocol(protocol, MoleculeProtocol)
    if protocol.probe != "finetune":
        raise ValueError(f"expected a protocol of fine-tuning, got {protocol.name}; use evaluate_molecules")
