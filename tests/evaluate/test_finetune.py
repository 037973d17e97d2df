"""Fine-tuning: masked labels, the chosen epoch, the test read once, and an encoder left as it was."""

import pickle
import sys
from typing import Any

import pytest
import torch
from sklearn.metrics import roc_auc_score

from graphcl.data import MoleculeDataset, PackedDataset, from_smiles_list
from graphcl.evaluate import finetune as run
from graphcl.methods import MVGRL, GraphCL
from graphcl.nn import ConcatReadout, GraphEncoder, MoleculeEncoder, max_readout, mean_readout
from graphcl.pretrained import Pretrained

NAN = float("nan")


def molecules(y: torch.Tensor) -> MoleculeDataset:
    dataset = from_smiles_list(["C" * (1 + n // 2) + "ON"[n % 2] for n in range(len(y))])
    dataset._data.y, dataset.slices["y"] = y, dataset.slices["row"]
    return dataset


def split(n: int) -> dict[str, torch.Tensor]:
    return {
        "train": torch.arange(n // 2),
        "valid": torch.arange(n // 2, 3 * n // 4),
        "test": torch.arange(3 * n // 4, n),
    }


def encoder(**arguments: Any) -> GraphEncoder:
    return GraphEncoder(MoleculeEncoder(16, 2, **arguments), mean_readout)


LABELS = torch.stack([torch.arange(32) % 2, 1 - torch.arange(32) % 2], 1).float()


def test_it_learns_through_gaps_and_leaves_the_encoder_as_it_was() -> None:
    y = LABELS.clone()
    y[1::5, 0] = NAN
    network = encoder()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    result = run(network, molecules(y), split(32), classification=True, epochs=15, batch_size=8)
    assert result.test.mean > 0.95 and result.test.skipped == 0 and len(result.valid) == 15
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert network.training


def test_regression_is_scored_in_the_targets_unit() -> None:
    y = 100 + 10 * LABELS[:, :1]
    result = run(encoder(), molecules(y), split(32), classification=False, epochs=40, batch_size=8, lr=3e-3)
    assert result.test.mean < 4.0 and result.valid[0] > result.valid[result.epoch - 1]


def test_the_first_best_epoch_on_validation_is_scored_and_the_test_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["graphcl.evaluate.finetune"]
    real, parts, curve = module._Tuning.score, [], iter([0.5, 0.9, 0.7, 0.9, 0.6])

    def score(self: Any, part: str) -> Any:
        parts.append(part)
        found = real(self, part)
        return found._replace(mean=next(curve)) if part == "valid" else found

    monkeypatch.setattr(module._Tuning, "score", score)
    result = run(encoder(), molecules(LABELS), split(32), classification=True, epochs=5, batch_size=8)
    assert result.epoch == 2 and result.valid == [0.5, 0.9, 0.7, 0.9, 0.6]
    assert parts == ["valid"] * 5 + ["test"]
    monkeypatch.undo()


def test_the_weights_are_those_of_the_chosen_epoch() -> None:
    network, data = encoder(), molecules(LABELS)
    short = run(network, data, split(32), classification=True, epochs=2, batch_size=8, select="last")
    long = run(network, data, split(32), classification=True, epochs=6, batch_size=8, select="last")
    assert (short.epoch, long.epoch) == (2, 6) and short.valid == long.valid[:2]
    weights = [p.clone() for p in short.model.parameters()]
    again = run(network, data, split(32), classification=True, epochs=2, batch_size=8, select="last")
    assert all(torch.equal(a, b) for a, b in zip(weights, again.model.parameters(), strict=True))
    other = run(network, data, split(32), classification=True, epochs=2, batch_size=8, select="last", seed=1)
    assert not all(torch.equal(a, b) for a, b in zip(weights, other.model.parameters(), strict=True))


def test_the_head_alone() -> None:
    network = encoder()
    result = run(network, molecules(LABELS), split(32), classification=True, epochs=3, batch_size=8, head_only=True)
    tuned = result.model[0].state_dict()
    assert all(torch.equal(value, tuned[key]) for key, value in network.state_dict().items())


def test_a_learning_rate_of_the_encoder_s_own() -> None:
    network, data = encoder(), molecules(LABELS)
    usual: dict[str, Any] = {"classification": True, "epochs": 3, "batch_size": 8, "lr": 1e-2, "select": "last"}
    same, one = (run(network, data, split(32), **usual, **more) for more in ({"encoder_lr": 1e-2}, {}))
    for a, b in zip(same.model.parameters(), one.model.parameters(), strict=True):
        assert torch.equal(a, b)
    slow = run(network, data, split(32), **usual, encoder_lr=1e-5)
    moved = [(a - b).abs().max() for a, b in zip(slow.model[0].parameters(), network.parameters(), strict=True)]
    assert 0 < max(moved) < 1e-4  # a step of Adam is about as long as its rate, and there are 9 at most
    with pytest.raises(ValueError, match="expected encoder_lr > 0, got 0"):
        run(network, data, split(32), classification=True, encoder_lr=0.0)
    with pytest.raises(ValueError, match="expected no encoder_lr where the head alone is tuned, got 0.001"):
        run(network, data, split(32), classification=True, encoder_lr=1e-3, head_only=True)


def test_random_state_is_left_alone_and_bfloat16_works() -> None:
    network = encoder(dropout=0.5)
    state = torch.get_rng_state()
    result = run(network, molecules(LABELS), split(32), classification=True, epochs=2, batch_size=31, precision="bf16")
    assert torch.equal(state, torch.get_rng_state()) and 0 <= result.test.mean <= 1


def test_the_head_is_as_wide_as_the_readout() -> None:
    wide = GraphEncoder(MoleculeEncoder(16, 2), ConcatReadout([mean_readout, max_readout]))
    result = run(wide, molecules(LABELS), split(32), classification=True, epochs=1, batch_size=8)
    head: Any = result.model[1]
    assert head.in_features == 32


def test_refusals() -> None:
    data, parts = molecules(LABELS), split(32)
    with pytest.raises(ValueError, match="expected a split, got none"):
        run(encoder(), data, classification=True)
    with pytest.raises(ValueError, match="expected molecules with labels"):
        run(encoder(), from_smiles_list(["C", "CC"]), parts, classification=True)
    with pytest.raises(ValueError, match="expected one table of atoms and bonds, got 'ogb' in dataset and 'pyg' in"):
        run(encoder(vocab="pyg"), data, parts, classification=True)
    with pytest.raises(ValueError, match="expected epochs >= 1"):
        run(encoder(), data, parts, classification=True, epochs=0)
    with pytest.raises(ValueError, match="expected select to be"):
        run(encoder(), data, parts, classification=True, select="test")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 2 graphs in the training part, got 1"):
        run(encoder(), data, parts | {"train": torch.tensor([0])}, classification=True)


def test_one_class_out_of_several_is_learned_by_cross_entropy() -> None:
    """Three classes with an output each; the accuracy is the share of largest outputs that are right."""
    dataset = from_smiles_list(["C" * (1 + n // 3) + "ONS"[n % 3] for n in range(48)])
    classes = torch.arange(48) % 3
    dataset._data.y, dataset.slices["y"] = classes, dataset.slices["row"]
    result = run(encoder(), dataset, split(48), classification=True, epochs=25, batch_size=8)
    assert result.model[1].out_features == 3
    assert result.test.mean > 0.9 and result.test.each.shape == (1,) and max(result.valid) <= 1
    dataset._data.y = classes.int()
    assert run(encoder(), dataset, split(48), classification=True, epochs=1, batch_size=8).valid == result.valid[:1]
    batch = PackedDataset(dataset).batch(split(48)["test"])
    said = result.model.eval()[1](result.model[0].encode(batch).graph)
    assert result.test.mean == pytest.approx((said.argmax(1) == batch.y).double().mean().item())


def test_an_accuracy_of_nan_is_refused() -> None:
    dataset = molecules(LABELS)
    dataset._data.y = torch.arange(32) % 2
    with pytest.raises(ValueError, match="expected finite predictions, got 16 that are NaN or infinite; take"):
        run(encoder(), dataset, split(32), classification=True, epochs=2, batch_size=8, lr=1e30)


def test_predictions_are_probabilities_or_in_the_targets_unit() -> None:
    """They are what the test part was scored by, and of graphs that have no labels, too."""
    parts = split(32)
    numbers = molecules(100 + 10 * LABELS[:, :1])
    tuned = run(encoder(), numbers, parts, classification=False, epochs=3, batch_size=8)
    said = tuned.predict([numbers[int(i)] for i in parts["test"]])
    wrong = (said - numbers._data.y[parts["test"]]).square().mean().sqrt().item()
    assert wrong == pytest.approx(tuned.test.mean, rel=1e-5) and said.mean() > 90
    classes = run(encoder(), molecules(LABELS), parts, classification=True, epochs=15, batch_size=8)
    unlabelled = from_smiles_list(["CCCO", "CCCN", "CCCO"])
    classes.model.train()
    chances = classes.predict(unlabelled)
    assert chances.shape == (3, 2) and torch.equal(chances[0], chances[2]) and classes.model[0].training
    assert 0 < chances[0, 0] < chances[1, 0] < 1 and not chances.requires_grad
    with pytest.raises(ValueError, match="vocab"):
        classes.predict(from_smiles_list(["CCO"], vocab="hu2020"))


def test_predictions_of_one_class_out_of_several_sum_to_one() -> None:
    dataset = from_smiles_list(["C" * (1 + n // 3) + "ONS"[n % 3] for n in range(48)])
    dataset._data.y, dataset.slices["y"] = torch.arange(48) % 3, dataset.slices["row"]
    tuned = run(encoder(), dataset, split(48), classification=True, epochs=25, batch_size=8)
    chances = tuned.predict(PackedDataset(dataset))
    assert torch.allclose(chances.sum(1), torch.ones(48)) and chances.shape == (48, 3)
    right = (chances.argmax(1) == dataset._data.y)[split(48)["test"]].double().mean().item()
    assert right == pytest.approx(tuned.test.mean)


def test_classes_that_are_no_classes_are_refused() -> None:
    dataset = molecules(LABELS)
    for y, classification in (
        (torch.arange(32).float(), True), (torch.arange(32) - 1, True), (torch.arange(32), False),
    ):  # fmt: skip
        dataset._data.y = y
        with pytest.raises(ValueError, match=r"classes 0, 1, \.\.\. as integers \[1\], got \[32\] of torch"):
            run(encoder(), dataset, split(32), classification=classification)


def test_a_head_of_ones_own() -> None:
    made = []

    def head(width: int, outputs: int) -> torch.nn.Module:
        made.append((width, outputs))
        return torch.nn.Sequential(torch.nn.BatchNorm1d(width), torch.nn.Linear(width, outputs))

    result = run(encoder(), molecules(LABELS), split(32), classification=True, epochs=2, batch_size=8, head=head)
    assert made == [(16, 2)] and isinstance(result.model[1], torch.nn.Sequential)
    assert result.model[1][0].num_batches_tracked == 2 * result.epoch


def test_statistics_that_have_settled_are_those_of_the_training_part() -> None:
    network, data, parts = encoder(), molecules(LABELS), split(32)
    state = torch.get_rng_state()
    tuned = run(network, data, parts, classification=True, epochs=2, batch_size=8, settle=True)
    assert torch.equal(torch.get_rng_state(), state)
    first = next(m for m in tuned.model.modules() if isinstance(m, torch.nn.BatchNorm1d))
    seen: list[torch.Tensor] = []
    hook = first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        tuned.model.eval()
        for batch in PackedDataset(data).batches(8, order=parts["train"]):
            tuned.model[0].encode(batch)  # type: ignore[operator]
    hook.remove()
    torch.testing.assert_close(first.running_mean, torch.stack([x.mean(0) for x in seen]).mean(0))
    torch.testing.assert_close(first.running_var, torch.stack([x.var(0) for x in seen]).mean(0))
    assert first.momentum == 0.1


def test_the_scores_are_those_of_the_predictions_and_do_not_saturate() -> None:
    """A few steps from statistics that are far off: what is scored as a rank must be told as one."""
    far = encoder()
    for part in far.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_var.fill_(1e-4)  # type: ignore[union-attr]
    data, parts = molecules(LABELS[:, :1]), split(32)
    for settle in (False, True):
        tuned = run(far, data, parts, classification=True, epochs=3, batch_size=8, settle=settle)
        found = tuned.predict(data)
        assert found.dtype == torch.float64
        test, wanted = parts["test"], LABELS[parts["test"], 0]
        assert tuned.test.mean == pytest.approx(roc_auc_score(wanted, found[test, 0]))
        if settle:
            assert 0.05 < found.mean() < 0.95 and found.max() < 1


def test_a_frozen_encoder_has_nothing_to_settle() -> None:
    network, data = encoder(), molecules(LABELS)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tuned = run(network, data, split(32), classification=True, epochs=1, batch_size=8, head_only=True, settle=True)
    torch.testing.assert_close(dict(tuned.model[0].state_dict()), before, rtol=0, atol=0)


def test_a_method_gives_its_encoder_and_a_network_is_told_what_it_lacks() -> None:
    method = GraphCL(encoder())
    found = run(method, molecules(LABELS), split(32), classification=True, epochs=1)
    expected = run(method.encoder, molecules(LABELS), split(32), classification=True, epochs=1)
    assert found.valid == expected.valid
    compiled: Any = torch.compile(method.encoder, backend="eager")  # has all that is asked of an encoder
    assert run(compiled, molecules(LABELS), split(32), classification=True, epochs=1).valid == expected.valid
    said = pickle.loads(pickle.dumps(expected)).predict(molecules(LABELS))
    torch.testing.assert_close(said, expected.predict(molecules(LABELS)))
    with pytest.raises(TypeError, match="a method that embeds by its encoder alone, got MVGRL"):
        run(MVGRL(encoder()), molecules(LABELS), split(32), classification=True)
    with pytest.raises(
        TypeError, match=r"expected a GraphEncoder, got Linear; wrap the network: GraphEncoder\(network"
    ):
        run(torch.nn.Linear(2, 2), molecules(LABELS), split(32), classification=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected a GraphEncoder, got Pretrained; give its encoder: \.encoder"):
        run(Pretrained("mine", encoder(), {}), molecules(LABELS), split(32), classification=True)  # type: ignore[arg-type]


def test_one_number_a_graph_is_one_task() -> None:
    """As PyG's ZINC has them."""
    y = 100 + 10 * LABELS[:, 0]
    network = encoder()
    flat, column = (
        run(network, molecules(labels), split(32), classification=False, epochs=2, batch_size=8)
        for labels in (y, y[:, None])
    )
    assert flat.valid == column.valid and flat.test.mean == column.test.mean
    assert flat.predict(molecules(y)).shape == (32, 1)


def test_targets_of_double_precision_keep_it() -> None:
    """In float32 all of them are one number, and the error nought."""
    y = 1e9 + torch.arange(32, dtype=torch.float64)[:, None]
    network = encoder()
    far = run(network, molecules(y), split(32), classification=False, epochs=2, batch_size=8)
    near = run(network, molecules(y - 1e9), split(32), classification=False, epochs=2, batch_size=8)
    assert far.test.mean == pytest.approx(near.test.mean, rel=1e-3) and near.test.mean > 1
