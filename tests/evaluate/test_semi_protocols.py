"""Protocols of few labels: what the names promise, other numbers in other names, refusals."""

import pytest

from graphcl.evaluate import SEMI_PROTOCOLS, SemiProtocol, semi_protocol, with_semi_tuning


def test_registry_holds_what_the_names_promise() -> None:
    for percent in (1, 10):
        entry = semi_protocol(f"semi-supervised-{percent}")
        assert entry is semi_protocol(f"tu-semi-{percent}") is SEMI_PROTOCOLS[entry.name]
        assert entry.share == percent / 100
        assert (entry.folds, entry.epochs, entry.batch_size, entry.lr, entry.seeds) == (10, 100, 128, 1e-3, 5)
        assert not entry.head_only and "GraphCL" not in entry.name and "NeurIPS 2020" in entry.source


def test_unknown_name_lists_near_ones() -> None:
    with pytest.raises(ValueError, match="got 'semi-supervised-5'; did you mean semi-supervised-1 or"):
        semi_protocol("semi-supervised-5")


def test_other_numbers_change_the_name() -> None:
    base = semi_protocol("semi-supervised-1")
    changed = with_semi_tuning(base, folds=5, epochs=20, batch_size=16, lr=1e-2)
    assert changed.name == "semi-supervised-1-5-folds-20-epochs-batch-size-16-lr-0.01"
    assert (changed.folds, changed.epochs, changed.batch_size, changed.lr) == (5, 20, 16, 1e-2)
    assert with_semi_tuning(base, epochs=100) == base
    assert with_semi_tuning(base, encoder_lr=1e-4).name == "semi-supervised-1-encoder-lr-0.0001"
    assert with_semi_tuning(base, head_only=True).head_only


@pytest.mark.parametrize(
    "change", [{"share": 0.0}, {"share": 1.5}, {"folds": 2}, {"epochs": 0}, {"lr": 0.0}, {"encoder_lr": 0.0}]
)
def test_refusals(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SemiProtocol(**({"name": "x", "share": 0.1} | change))  # type: ignore[arg-type]
