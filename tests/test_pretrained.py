"""Pretrained encoders: what is written is what is read, in half precision, without unpickling, mismatches refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch_geometric.data import Data

import graphcl
from graphcl import pretrained
from graphcl._recipes import settings_for
from graphcl._resolve import make_encoder
from graphcl.data import PackedDataset, from_smiles_list, load
from graphcl.errors import CheckpointError, RunError
from graphcl.methods import MVGRL, GraphCL, MVGRLGraph
from graphcl.nn import GCN, GraphEncoder
from graphcl.pretrained import embeds_by_encoder, names, save

SMALL = {"hidden": 8, "layers": 2}
SMILES = ["CCO", "c1ccccc1", "CC(=O)[O-].[Na+]", "C"]


def molecules(vocab: str = "ogb", **more: Any) -> tuple[GraphEncoder, dict[str, Any]]:
    settings = settings_for("graphcl", vocab=vocab) | SMALL | more
    return make_encoder(settings, 9), settings


def test_it_embeds_as_the_encoder_does(tmp_path: Path) -> None:
    encoder, settings = molecules(virtual_node=True, conv="gcn")
    folder = save(encoder, tmp_path / "mine", settings, in_channels=9, card="# mine\n", command="graphcl pretrain")
    model = graphcl.load(folder)
    assert (model.name, model.vocab, model.card, model.facts["command"]) == (
        "mine",
        "ogb",
        "# mine\n",
        "graphcl pretrain",
    )
    out = model.embed(SMILES)
    expected = encoder.eval().encode(next(iter(PackedDataset(from_smiles_list(SMILES)).batches(8)))).graph
    assert out.dtype == torch.float32 and not out.requires_grad
    torch.testing.assert_close(out, expected, rtol=2e-2, atol=2e-3)
    torch.testing.assert_close(model.embed(SMILES, batch_size=1), out, rtol=1e-5, atol=1e-6)
    again = graphcl.load(folder / "model.safetensors").embed(from_smiles_list(SMILES))
    torch.testing.assert_close(again, out)
    stored = load_file(folder / "model.safetensors")
    assert {value.dtype for value in stored.values() if value.is_floating_point()} == {torch.float16}


def test_it_embeds_in_evaluation_mode_and_leaves_every_part_in_its_own(tmp_path: Path) -> None:
    encoder, settings = molecules(dropout=0.5)
    model = graphcl.load(save(encoder, tmp_path / "mine", settings, in_channels=9))
    expected = model.embed(SMILES)
    model.encoder.train()
    frozen = next(part for part in model.encoder.modules() if isinstance(part, torch.nn.BatchNorm1d)).eval()
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    assert torch.equal(model.embed(SMILES), expected)
    assert model.encoder.training and not frozen.training
    assert all(torch.equal(value, before[name]) for name, value in model.encoder.state_dict().items())


def test_an_encoder_of_other_graphs(tmp_path: Path) -> None:
    dataset = load("synthetic-molecules")[:5]
    settings = settings_for("graphcl") | {"hidden": 4}
    model = graphcl.load(save(make_encoder(settings, 4), tmp_path / "tu", settings, in_channels=4))
    assert model.vocab is None and model.embed(dataset).shape == (5, 12)
    assert torch.equal(model.embed([dataset[0], dataset[1]]), model.embed(dataset[:2]))
    with pytest.raises(ValueError, match="no encoder of molecules"):
        model.embed(SMILES)
    with pytest.raises(ValueError, match="expected graphs with 4 features"):
        model.embed([Data(x=torch.ones(2, 3), edge_index=torch.tensor([[0], [1]]))])


def test_those_of_the_package_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "MODELS", tmp_path)
    assert names() == []
    encoder, settings = molecules()
    save(encoder, tmp_path / "tiny", settings, in_channels=9)
    assert names() == ["tiny"] and graphcl.load("tiny").name == "tiny"
    with pytest.raises(CheckpointError, match="found nothing; those that come with the package: tiny"):
        graphcl.load("tinny")


def test_what_is_no_molecule_is_named(tmp_path: Path) -> None:
    encoder, settings = molecules()
    model = graphcl.load(save(encoder, tmp_path / "mine", settings, in_channels=9))
    with pytest.raises(ValueError, match="got 1 that are none, the first at 1: 'C1CC'"):
        model.embed(["C", "C1CC"])
    with pytest.raises(TypeError, match="expected a list of SMILES"):
        model.embed("CCO")
    for gap in (None, float("nan"), ""):
        with pytest.raises(ValueError, match=r"got 1 that are none, the first at 1: '' \(empty\)"):
            model.embed(["C", gap])


def test_arrays_and_columns_of_smiles(tmp_path: Path) -> None:
    encoder, settings = molecules()
    model = graphcl.load(save(encoder, tmp_path / "mine", settings, in_channels=9))
    expected = model.embed(SMILES)
    column = pandas.Series(SMILES, index=range(7, 7 + len(SMILES)))
    whole = from_smiles_list(SMILES).smiles
    for given in (tuple(SMILES), np.array(SMILES), np.array(SMILES, dtype=object), column, whole):
        assert torch.equal(model.embed(given), expected)
    with pytest.raises(ValueError, match="expected one table of atoms and bonds"):
        model.embed(from_smiles_list(SMILES, vocab="pyg"))
    for other in (pandas.DataFrame({"smiles": SMILES}), np.array([SMILES]), iter(SMILES), from_smiles_list(SMILES)[0]):
        with pytest.raises(TypeError, match="expected a list, array or column of SMILES, or a set or list of graphs"):
            model.embed(other)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    encoder, settings = molecules()
    folder = save(encoder, tmp_path / "mine", settings, in_channels=9)
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    tensors = {name: value.clone() for name, value in load_file(path).items()}  # not of the file that is written over
    path.write_bytes(whole[:200])
    with pytest.raises(CheckpointError, match="is damaged"):
        graphcl.load(folder)
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match="graphcl export RUN"):
        graphcl.load(folder)
    about = {"form": pretrained.FORM, "name": "mine", "settings": settings | {"hidden": 9}, "in_channels": 9}
    save_file(tensors, path, {"graphcl": json.dumps(about)})
    with pytest.raises(CheckpointError, match="expected the weights that its settings tell of"):
        graphcl.load(folder)
    about["settings"] = settings | {"vocab": "pyg"}
    save_file(tensors, path, {"graphcl": json.dumps(about)})
    with pytest.raises(CheckpointError):
        graphcl.load(folder)
    torch.save({"a": 1}, path)
    with pytest.raises(CheckpointError, match="is damaged"):
        graphcl.load(folder)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    encoder, settings = molecules()
    save(encoder, tmp_path / "mine", settings, in_channels=9)
    with pytest.raises(RunError, match="expected a new folder"):
        save(encoder, tmp_path / "mine", settings, in_channels=9)
    with torch.no_grad():
        next(encoder.parameters()).mul_(1e9)
    with pytest.raises(ValueError, match="that float16 can hold"):
        save(encoder, tmp_path / "other", settings, in_channels=9)
    assert not (tmp_path / "other").exists()


def test_a_method_with_more_than_an_encoder_is_told_apart() -> None:
    assert embeds_by_encoder(GraphCL(GraphEncoder(GCN(3, 4, 1))))
    assert not embeds_by_encoder(MVGRL(GraphEncoder(GCN(3, 4, 1))))
    assert not embeds_by_encoder(MVGRLGraph(GraphEncoder(GCN(3, 4, 1))))


def test_the_random_state_is_left_alone(tmp_path: Path) -> None:
    encoder, settings = molecules()
    folder = save(encoder, tmp_path / "mine", settings, in_channels=9)
    state = torch.get_rng_state()
    graphcl.load(folder)
    assert torch.equal(state, torch.get_rng_state())


def test_every_encoder_of_the_package_works_and_is_small() -> None:
    for name in names():
        model = graphcl.load(name)
        assert model.card and model.facts["command"]
        assert (pretrained.MODELS / name / "model.safetensors").stat().st_size <= 5_000_000
        assert model.vocab is None or bool(model.embed(SMILES).isfinite().all())


def test_a_write_that_fails_leaves_nothing_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pretrained
    settings = settings_for("graphcl") | {"hidden": 4}
    write = module.write_atomically

    def fails(path: Path, fill: Any) -> None:
        if path.suffix == ".safetensors":
            raise RunError(f"could not write {path}")
        write(path, fill)

    monkeypatch.setattr(module, "write_atomically", fails)
    with pytest.raises(RunError, match="could not write"):
        save(make_encoder(settings, 3), tmp_path / "mine", settings, in_channels=3)
    monkeypatch.undo()
    assert save(make_encoder(settings, 3), tmp_path / "mine", settings, in_channels=3) == tmp_path / "mine"
