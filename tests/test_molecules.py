"""Molecules on the command line: from a file of SMILES to a pretrained encoder and a scored downstream task."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import graphcl
from graphcl._recipes import METHODS, NOT_ON_MOLECULES, recipe, settings_for
from graphcl._resolve import make_encoder, make_method, make_view
from graphcl.augment import AtomMask, BondDrop, Compose, RandomChoice, SubgraphRemove
from graphcl.cli import main
from graphcl.data import from_smiles_list, moleculenet
from graphcl.errors import ConfigError
from graphcl.evaluate import read_results
from graphcl.losses import NTXent
from graphcl.nn import MoleculeEncoder
from graphcl.train import fit

pytest.importorskip("rdkit", reason="needs the extra molecules")

FAST = ["--epochs", "1", "--hidden", "8", "--layers", "2", "--batch-size", "16", "--threads", "1", "--device", "cpu"]
TUNED = ["--epochs", "2", "--batch-size", "8", "--threads", "1", "--device", "cpu"]
# Rings of their own, so that a scaffold split has something to split.
CORES = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCCC1", "C1CCNCC1", "c1ccsc1", "C1CCOCC1", "c1ccoc1"]
SMILES = [f"{'C' * (1 + i % 5)}{'ON'[i % 2]}C{core}" for core in CORES for i in range(6)]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs land in a scratch folder, with two labelled sets in a data folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHCL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GRAPHCL_DEBUG", raising=False)
    rows = [f"{text},{i % 2},{'' if i % 3 else (i // 2) % 2},{0.1 * i}" for i, text in enumerate(SMILES)]
    add_set(monkeypatch, "Tiny", rows, ("a", "b"), "classification")
    add_set(monkeypatch, "TinyValues", rows, ("c",), "regression")
    with gzip.open("my.smi.gz", "wt") as file:
        file.write("\n".join([*SMILES[:20], "nonsense", *(f"CCC{text}" for text in SMILES)]) + "\n")


def add_set(monkeypatch: pytest.MonkeyPatch, name: str, rows: list[str], tasks: tuple[str, ...], task: str) -> None:
    """A set in MoleculeNet's form, with a card of the user's."""
    home = Path("home")
    raw = home / "MoleculeNet" / name.lower() / "raw"
    raw.mkdir(parents=True)
    (raw / f"{name}.csv").write_text("\n".join(["smiles,a,b,c", *rows]) + "\n")
    monkeypatch.setitem(moleculenet.MOLECULENET, name, moleculenet.Source(f"{name}.csv", tasks))  # type: ignore[arg-type]
    dataset = moleculenet.load_moleculenet(name, home)
    counts = {"graphs": len(dataset), "nodes": dataset._data.num_nodes, "edges": dataset._data.num_edges}
    counts |= {"features": 9, "edge_features": 3, "classes": 2 if task == "classification" else 0}
    card = dict.fromkeys(("title", "licence", "citation", "source"), "made up")
    card |= {"name": name, "loader": "moleculenet", "level": "graph", "task": task, "metric": "rocauc"}  # type: ignore[dict-item]
    (home / "cards").mkdir(exist_ok=True)
    (home / "cards" / f"{name}.yaml").write_text(yaml.safe_dump({**card, "counts": counts}))


def there() -> list[Path]:
    """All files but those of the data folder, where what was read is kept."""
    return sorted(path for path in Path().rglob("*") if path.parts[0] != "home")


def refused(capsys: Any, *arguments: str) -> str:
    before = there()
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("graphcl: error: ") and "Traceback" not in error
    assert there() == before, "something half-written was left behind"
    return error


def overlap() -> tuple[int, int]:
    """How many molecules of Tiny are in the file, and of the file in Tiny, by canonical SMILES."""
    from rdkit.Chem import CanonSmiles

    tiny, file = ([CanonSmiles(t) for t in texts] for texts in (SMILES, [*SMILES[:20], *(f"CCC{t}" for t in SMILES)]))
    return sum(text in file for text in tiny), sum(text in tiny for text in file)


def test_from_a_file_to_a_scored_task_in_three_commands(capsys: Any) -> None:
    assert main(["pretrain", "--data", "my.smi.gz", "--exclude", "Tiny", "--out", "run", *FAST]) == 0
    out = capsys.readouterr().out
    assert "1 of 69 rows are no molecules and are left out" in out and "nonsense" in Path("run/skipped.csv").read_text()
    shared, left_out = overlap()
    assert f"Tiny: {shared} of its 48 molecules are in the data as well" in out
    assert f"my: {68 - left_out} graphs, GraphCL on cpu" in out and "--dataset NAME" in out
    assert Path("run/overlap.csv").read_text().splitlines()[1] == f"Tiny,48,{shared},{left_out}"
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    assert (config["vocab"], config["encoder"], config["dataset"], config["exclude"]) == (
        "ogb",
        "molecule",
        None,
        ["Tiny"],
    )

    tuning = ["--dataset", "Tiny", "--seeds", "0", "1", *TUNED]
    assert main(["finetune", "run", *tuning]) == 0
    out = capsys.readouterr().out
    assert "Tiny, features ogb, moleculenet-finetune-2-epochs-batch-size-8: auc in %, 2 seeds x 1 split" in out
    assert "lift over scratch" in out and "molecules are tested: expect several points" in out
    raw = Path("run/raw/Tiny.moleculenet-finetune-2-epochs-batch-size-8.csv")
    stored = raw.read_bytes()
    assert main(["finetune", "run", *tuning]) == 0 and raw.read_bytes() == stored
    assert main(["finetune", "run", "--head-only", "--protocol", "moleculenet-finetune-last-epoch", *tuning]) == 0
    assert main(["finetune", "run", "--dataset", "TinyValues", "--seeds", "0", "--precision", "bf16", *TUNED]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run", "--dataset", "Tiny", "--device", "cpu"]) == 0
    assert "Tiny, features ogb, moleculenet-linear: auc in %, 1 seed x 1 split" in capsys.readouterr().out
    assert main(["evaluate", "run", "--dataset", "TinyValues", "--protocol", "moleculenet-linear"]) == 0
    assert "rmse in the target's unit" in capsys.readouterr().out
    rows = read_results("run/scores.csv")
    assert [row.method for row in rows] == [
        *["scratch", "GraphCL"] * 3,
        *["raw", "untrained-init", "untrained", "GraphCL", "fingerprint"] * 2,
    ]
    assert rows[1].selected_by == "best validation epoch" and rows[3].selected_by == "last epoch"
    assert rows[3].protocol == "moleculenet-finetune-last-epoch-head-2-epochs-batch-size-8"
    assert (
        "--head-only" in rows[3].command and "--seeds 0 1" in rows[3].command and len({r.split_hash for r in rows}) == 1
    )


def test_an_encoder_is_exported_and_embeds(capsys: Any) -> None:
    assert main(["pretrain", "--data", "my.smi.gz", "--method", "molclr", "--out", "run", *FAST]) == 0
    assert main(["export", "run", "--out", "mine"]) == 0
    card = Path("mine/card.md").read_text()
    assert "MolCLR" in card and "graphcl pretrain --data my.smi.gz --method molclr --vocab ogb --hidden 8" in card
    assert main(["embed", "--model", "mine", "--data", "my.smi.gz", "--out", "z.npz"]) == 0
    assert "1 of 69 rows are no molecules" in capsys.readouterr().out
    with np.load("z.npz", allow_pickle=False) as z:
        assert z["graph"].shape == (68, 8) and "node" not in z
        assert z["row"].tolist() == [*range(20), *range(21, 69)]
        embedded = z["graph"]
    assert Path("z.skipped.csv").read_text().splitlines()[1].startswith("20,nonsense,")
    np.testing.assert_allclose(graphcl.load("mine").embed(SMILES[:20]).numpy(), embedded[:20], atol=1e-5)
    assert main(["embed", "run", "--out", "y.npz"]) == 0
    with np.load("y.npz", allow_pickle=False) as y:
        np.testing.assert_allclose(y["graph"], embedded, atol=2e-2)
    assert main(["embed", "run", "--dataset", "Tiny", "--nodes", "true", "--out", "x.npz"]) == 0
    with np.load("x.npz", allow_pickle=False) as x:
        assert x["y"].shape == (48, 2) and x["ptr"][-1] == len(x["node"])
    capsys.readouterr()
    assert "both" in refused(capsys, "embed", "run", "--model", "mine", "--out", "w.npz")
    assert "neither" in refused(capsys, "embed", "--model", "mine", "--out", "w.npz")
    assert "found nothing" in refused(capsys, "embed", "--model", "zinc", "--data", "my.smi.gz", "--out", "w.npz")
    assert "expected a new folder" in refused(capsys, "export", "run", "--out", "mine")


@pytest.mark.parametrize("method", ["simgrace", "joao", "joao-v2", "infograph", "graph-byol", "grace", "dgi"])
def test_other_methods_run(method: str, capsys: Any) -> None:
    assert main(["pretrain", "--dataset", "Tiny", "--method", method, "--out", "run", *FAST]) == 0
    assert f"Tiny: 48 graphs, {recipe(method).name}" in capsys.readouterr().out


@pytest.mark.parametrize("vocab", ["pyg", "hu2020"])
def test_another_index_table_is_kept_and_not_mixed(vocab: str, capsys: Any) -> None:
    few = FAST[2:]
    assert main(["pretrain", "--dataset", "Tiny", "--vocab", vocab, "--epochs", "2", "--out", "whole", *few]) == 0
    assert main(["pretrain", "--dataset", "Tiny", "--vocab", vocab, "--epochs", "1", "--out", "run", *few]) == 0
    resume = ["pretrain", "--resume", "--out", "run", "--device", "cpu", "--epochs", "2"]
    assert "expected the index table of the run" in refused(capsys, *resume, "--vocab", "ogb")
    assert main(resume) == 0
    assert Path("run/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    assert main(["finetune", "run", "--dataset", "Tiny", "--seeds", "0", *TUNED]) == 0
    assert read_results("run/scores.csv")[0].features == vocab


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "my.smi.gz", "--dataset", "Tiny"], "expected --dataset or --data, got both"),
        (["--data", "other.smi"], "is not there"),
        (["--data", "my.smi.gz", "--smiles-column", "text"], "has lines of SMILES and no columns"),
        (["--data", "my.smi.gz", "--evaluate"], "expected a data set with labels for --evaluate"),
        (["--dataset", "Tiny", "--smiles-column", "text"], "expected --smiles-column with --data"),
        (["--dataset", "Tiny", "--vocab", "odb"], "expected vocab to be one of"),
        (["--dataset", "Tiny", "--encoder", "gin"], "expected encoder molecule for a set of molecules"),
        (["--encoder", "molecule"], "expected a set of molecules for encoder molecule"),
        (["--vocab", "ogb"], "expected vocab for a set of molecules alone"),
        (["--method", "molclr"], "expected molecules for the view atom-mask"),
        (["--dataset", "Tiny", "--conv", "gat"], "out of gin, gcn"),
        (["--dataset", "Tiny", "--views", "atom-mask:2", "identity"], "within [0, 1]"),
        (["--dataset", "Tiny", "--method", "molclr", "--vocab", "hu2020"], "expected vocab ogb or pyg for the view"),
        (["--exclude", "Tiny"], "expected molecules to leave out those of Tiny"),
        (["--dataset", "Tiny", "--exclude", "karate"], "expected sets of molecules to exclude, got karate"),
        (["--dataset", "Tiny", "--exclude", "TinyValues"], "expected molecules that are in none of TinyValues"),
        (["--dataset", "Tiny", "--exclude", "TinyValues", "--exclude-by", "name"], "expected exclude-by to be"),
    ],
)
def test_refusals(arguments: list[str], words: str, capsys: Any) -> None:
    assert words in refused(capsys, "pretrain", "--out", "run", *arguments)


def test_runs_that_cannot_be_tuned_or_scored(capsys: Any) -> None:
    assert main(["pretrain", "--out", "other", *FAST]) == 0
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "run", *FAST]) == 0
    capsys.readouterr()
    assert "expected a run on molecules" in refused(capsys, "finetune", "other", "--dataset", "Tiny")
    assert "expected a run on molecules" in refused(capsys, "evaluate", "other", "--dataset", "Tiny")
    assert "expected a labelled set of molecules" in refused(capsys, "finetune", "run", "--dataset", "karate")
    ogb = ["finetune", "run", "--dataset", "Tiny", "--protocol", "ogb-finetune"]
    assert "expected a set of OGB" in refused(capsys, *ogb)
    assert "expected a protocol that tunes" in refused(capsys, *ogb[:-1], "moleculenet-linear")
    assert "use graphcl finetune" in refused(capsys, "evaluate", "run", "--dataset", "Tiny", "--protocol", ogb[-1])
    assert "expected --dataset NAME" in refused(capsys, "evaluate", "run")
    assert "expected precision" in refused(capsys, *ogb[:4], "--precision", "fp8")
    assert "expected an encoder of molecules" in refused(
        capsys, "embed", "other", "--data", "my.smi.gz", "--out", "z.npz"
    )


def test_views_in_words() -> None:
    view = make_view("atom-mask:0.25+bond-drop:0.25|subgraph-remove", "pyg")
    assert isinstance(view, RandomChoice) and isinstance(view.augmentations[0], Compose)
    mask, bonds = view.augmentations[0].augmentations
    assert (
        isinstance(mask, AtomMask) and isinstance(bonds, BondDrop) and isinstance(view.augmentations[1], SubgraphRemove)
    )
    assert (mask.vocab, mask.mask, view.augmentations[1].remove) == ("pyg", 0.25, 0.25)
    with pytest.raises(ConfigError, match="expected molecules"):
        make_view("atom-mask")


def test_recipes_have_their_papers_numbers() -> None:
    molclr = settings_for("molclr", vocab="ogb")
    assert (molclr["temperature"], molclr["batch_size"], molclr["hidden"], molclr["layers"]) == (0.1, 512, 300, 5)
    method = make_method({**molclr, "seed": 0}, 9)
    assert isinstance(method.loss, NTXent) and method.loss.temperature == 0.1 and recipe("molclr").name == "MolCLR"
    chosen = settings_for("graphcl", vocab="ogb")
    assert (chosen["temperature"], chosen["epochs"], chosen["batch_size"], chosen["lr"]) == (0.1, 100, 256, 1e-3)
    assert settings_for("graphcl", vocab="hu2020")["views"] == ["node-drop:0.2|subgraph:0.8"] * 2
    encoder = make_encoder({**chosen, "virtual_node": True, "conv": "gcn", "hidden": 8}, 9).gnn
    assert isinstance(encoder, MoleculeEncoder) and encoder.conv == "gcn" and encoder.virtual is not None


@pytest.mark.parametrize("name", [name for name, known in METHODS.items() if not known.needs or name == "molclr"])
def test_every_method_trains_on_molecules_or_says_why_not(name: str) -> None:
    if name in NOT_ON_MOLECULES:
        with pytest.raises(ConfigError, match=f"expected a method for molecules, got {name}, which"):
            settings_for(name, vocab="ogb")
        return
    small = {"hidden": 8, "layers": 2, "seed": 0}
    method = make_method({**settings_for(name, vocab="ogb"), **small}, 9, total_steps=3)
    fit(method, from_smiles_list(SMILES), epochs=1, batch_size=16)
    assert all(bool(torch.isfinite(p).all()) for p in method.parameters())
