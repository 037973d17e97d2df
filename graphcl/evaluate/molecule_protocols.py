"""Named protocols for molecules: the name fixes what is trained, how, and what chooses the epoch or the penalty."""

from dataclasses import dataclass, field
from typing import Literal

from graphcl.evaluate._names import check_encoder_lr, check_protocol, named, retuned

__all__ = ["MOLECULE_PROTOCOLS", "MoleculeProtocol", "molecule_protocol", "with_tuning"]


@dataclass(frozen=True, kw_only=True)
class MoleculeProtocol:
    """How an encoder of molecules is scored on a labelled set, on the split that comes with it.

    Args:
        name: The name that is printed beside every score.
        probe: ``linear``, linear models on frozen embeddings, or ``finetune``, the encoder with a linear head.
        select: Which epoch is scored: the first best on the validation part, or the last. The penalty of a linear model
            is chosen on the validation part in any case.
        head_only: Whether the encoder stays as it is and the head alone is tuned.
        epochs: Of fine-tuning, by Adam.
        batch_size: Of fine-tuning.
        lr: Of fine-tuning.
        encoder_lr: That of the encoder while it is tuned, where it is another.
        dropout: Of the encoder while it is tuned.
        seeds: How many seeds the protocol asks for.
        ogb: Whether it is for OGB's sets alone. Those are scored by ``ogb.Evaluator`` under every protocol.
        source: Where the protocol comes from.

    Raises:
        ValueError: A number is out of range.
    """

    name: str
    probe: Literal["linear", "finetune"]
    select: Literal["valid", "last"] = "valid"
    head_only: bool = False
    epochs: int = 100
    batch_size: int = 32
    lr: float = 1e-3
    encoder_lr: float | None = field(default=None, repr=False)  # not in the keys of scores that were made without
    dropout: float = 0.5
    seeds: int = 10
    ogb: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        check_encoder_lr(self.encoder_lr, self.head_only)
        if self.epochs < 1 or self.batch_size < 2 or not self.lr > 0 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"expected epochs >= 1, batch_size >= 2, lr > 0 and dropout within [0, 1), got {self.epochs}, "
                f"{self.batch_size}, {self.lr} and {self.dropout}"
            )

    @property
    def baseline(self) -> str:
        """What lifts are over, the same encoder untrained, or tuned from random weights."""
        return "scratch" if self.probe == "finetune" else "untrained"


_HU = "Hu et al., Strategies for Pre-training Graph Neural Networks, ICLR 2020"
MOLECULE_PROTOCOLS: dict[str, MoleculeProtocol] = {
    entry.name: entry
    for entry in (
        MoleculeProtocol(
            name="moleculenet-linear",
            probe="linear",
            source="linear models on frozen embeddings; scaffold split as in Wu et al., MoleculeNet, 2018",
        ),
        MoleculeProtocol(name="moleculenet-finetune", probe="finetune", source=_HU),
        MoleculeProtocol(
            name="moleculenet-finetune-last-epoch",
            probe="finetune",
            select="last",
            source="You et al., Graph Contrastive Learning with Augmentations, NeurIPS 2020, authors' code",
        ),
        MoleculeProtocol(
            name="ogb-finetune",
            probe="finetune",
            ogb=True,
            source="Hu et al., Open Graph Benchmark, NeurIPS 2020: OGB's split and Evaluator, 10 seeds",
        ),
    )
}


def molecule_protocol(name: str) -> MoleculeProtocol:
    """The protocol of that name.

    Raises:
        ValueError: No such protocol; the message lists the nearest names.

    Example:
        >>> molecule_protocol("moleculenet-finetune").select
        'valid'
    """
    return named(name, MOLECULE_PROTOCOLS, "a protocol for molecules")


def with_tuning(
    base: MoleculeProtocol,
    *,
    head_only: bool = False,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    encoder_lr: float | None = None,
    dropout: float | None = None,
) -> MoleculeProtocol:
    """The protocol with other numbers; its name says which.

    Args:
        base: The protocol to change, which must be one of fine-tuning.
        head_only: Tune the head alone.
        epochs: As the protocol has them where left out.
        batch_size: Likewise.
        lr: Likewise.
        encoder_lr: That of the encoder, where it is another.
        dropout: Likewise.

    Raises:
        ValueError: The protocol tunes nothing, or a number is out of range.

    Example:
        >>> with_tuning(molecule_protocol("moleculenet-finetune"), epochs=20, head_only=True).name
        'moleculenet-finetune-head-20-epochs'
    """
    check_protocol(base, MoleculeProtocol)
    if base.probe != "finetune":
        raise ValueError(f"expected a protocol that tunes, got {base.name}")
    numbers = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "encoder_lr": encoder_lr, "dropout": dropout}
    return retuned(base, head_only, **numbers)
