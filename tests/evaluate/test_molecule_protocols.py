"""Protocols for molecules: what each name fixes, and that changed numbers change the name."""

import pytest

from graphcl.data import cards
from graphcl.evaluate import MOLECULE_PROTOCOLS, molecule_protocol, with_tuning


def test_the_names_fix_what_the_papers_do() -> None:
    hu, last = molecule_protocol("moleculenet-finetune"), molecule_protocol("moleculenet-finetune-last-epoch")
    assert (hu.epochs, hu.batch_size, hu.lr, hu.dropout, hu.seeds, hu.select) == (100, 32, 1e-3, 0.5, 10, "valid")
    assert last.select == "last" and molecule_protocol("ogb-finetune").ogb
    assert molecule_protocol("moleculenet-linear").probe == "linear"


def test_every_molecule_card_names_protocols_that_are_there() -> None:
    named = {name for card in cards() for name in card.protocols if card.loader == "moleculenet"}
    named |= {name for card in cards() for name in card.protocols if card.name.startswith("ogbg-mol")}
    assert named and named <= set(MOLECULE_PROTOCOLS)


def test_other_numbers_have_another_name() -> None:
    base = molecule_protocol("moleculenet-finetune")
    assert with_tuning(base) == base == with_tuning(base, epochs=100, lr=1e-3)
    changed = with_tuning(base, epochs=20, lr=0.01, batch_size=64, dropout=0.0, head_only=True)
    assert changed.name == "moleculenet-finetune-head-20-epochs-batch-size-64-lr-0.01-dropout-0"
    assert (changed.epochs, changed.lr, changed.batch_size, changed.dropout) == (20, 0.01, 64, 0.0)
    assert changed.head_only and not base.head_only
    slow = with_tuning(base, encoder_lr=1e-4)
    assert slow.name == "moleculenet-finetune-encoder-lr-0.0001" and slow.encoder_lr == 1e-4


def test_refusals() -> None:
    with pytest.raises(ValueError, match="expected encoder_lr > 0, got 0"):
        with_tuning(molecule_protocol("moleculenet-finetune"), encoder_lr=0.0)
    with pytest.raises(ValueError, match="expected no encoder_lr where the head alone is tuned"):
        with_tuning(molecule_protocol("moleculenet-finetune"), encoder_lr=1e-4, head_only=True)
    with pytest.raises(ValueError, match="did you mean moleculenet-linear"):
        molecule_protocol("moleculenet-liner")
    with pytest.raises(ValueError, match="expected a protocol that tunes"):
        with_tuning(molecule_protocol("moleculenet-linear"), epochs=3)
    for wrong in ({"epochs": 0}, {"batch_size": 1}, {"lr": 0.0}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="expected epochs >= 1"):
            with_tuning(molecule_protocol("moleculenet-finetune"), **wrong)  # type: ignore[arg-type]
