"""Named protocols of semi-supervised graph classification: how many labels, what chooses, how an encoder is tuned.

The encoder is pretrained on all graphs, those of the test fold included, without a label. The published protocol has
the same folds and shares, but its code scores by default at the epoch whose *test* accuracy, averaged over the folds,
is best, and the learning rate and the epoch of pretraining were searched as well. Here the epoch is chosen on the
validation fold, everything else is fixed, and the test fold is read once: expect lower numbers than published ones.
"""

from dataclasses import dataclass
from typing import ClassVar

from graphcl.evaluate._names import check_encoder_lr, check_protocol, named, retuned

__all__ = ["SEMI_PROTOCOLS", "SemiProtocol", "semi_protocol", "with_semi_tuning"]


@dataclass(frozen=True, kw_only=True)
class SemiProtocol:
    """How a pretrained encoder is tuned on few labels and scored, fold by fold.

    Args:
        name: The name that is printed beside every score.
        share: Of the graphs that are in neither the test fold nor the validation fold, those whose labels are seen.
        folds: Stratified and shuffled by the seed; each is the test fold once, and the one before it validates.
        epochs: Passes over the labelled graphs; the first with the best validation accuracy is scored.
        batch_size: Labelled graphs per step.
        lr: Of Adam.
        encoder_lr: That of the encoder, where it is another.
        head_only: Whether the encoder stays as it is and the head alone is tuned.
        seeds: How many seeds the protocol asks for.
        source: Where the protocol comes from.

    Raises:
        ValueError: A number is out of range.
    """

    name: str
    share: float
    folds: int = 10
    epochs: int = 100
    batch_size: int = 128
    lr: float = 1e-3
    encoder_lr: float | None = None
    head_only: bool = False
    seeds: int = 5
    source: str = ""
    baseline: ClassVar[str] = "scratch"  # what lifts are over

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.folds < 3:
            raise ValueError(
                f"expected a share within (0, 1] and at least 3 folds (to test, to validate and to learn from), got "
                f"{self.share} and {self.folds}"
            )
        check_encoder_lr(self.encoder_lr, self.head_only)
        if self.epochs < 1 or self.batch_size < 2 or not self.lr > 0:
            raise ValueError(
                f"expected epochs >= 1, batch_size >= 2 and lr > 0, got {self.epochs}, {self.batch_size} and {self.lr}"
            )


_SOURCE = "You et al., Graph Contrastive Learning with Augmentations, NeurIPS 2020, section 5, and the authors' code"
SEMI_PROTOCOLS: dict[str, SemiProtocol] = {
    entry.name: entry
    for entry in (
        SemiProtocol(name="semi-supervised-1", share=0.01, source=_SOURCE),
        SemiProtocol(name="semi-supervised-10", share=0.1, source=_SOURCE),
    )
}


def semi_protocol(name: str) -> SemiProtocol:
    """The protocol of that name; ``tu-semi-10`` is short for ``semi-supervised-10``, ``tu-semi-1`` alike.

    Args:
        name: A key of ``SEMI_PROTOCOLS``, or a short name.

    Raises:
        ValueError: No such protocol; the message lists the nearest names.

    Example:
        >>> semi_protocol("tu-semi-10").share
        0.1
    """
    return named(name, SEMI_PROTOCOLS, "a protocol of few labels")


def with_semi_tuning(
    base: SemiProtocol,
    *,
    head_only: bool = False,
    folds: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    encoder_lr: float | None = None,
) -> SemiProtocol:
    """The protocol with other numbers; its name says which.

    Args:
        base: The protocol to change.
        head_only: Tune the head alone.
        folds: As the protocol has them where left out.
        epochs: Likewise.
        batch_size: Likewise.
        lr: Likewise.
        encoder_lr: That of the encoder, where it is another.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> with_semi_tuning(semi_protocol("semi-supervised-10"), epochs=20, head_only=True).name
        'semi-supervised-10-head-20-epochs'
    """
    check_protocol(base, SemiProtocol)
    numbers = {"folds": folds, "epochs": epochs, "batch_size": batch_size, "lr": lr, "encoder_lr": encoder_lr}
    return retuned(base, head_only, **numbers)
