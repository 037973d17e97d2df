"""A run's encoder in a folder of its own, which embeds as the run does."""

from pathlib import Path

import numpy as np

import graphcl
from graphcl.cli import main
from graphcl.evaluate import Result, write_results


def test_an_encoder_is_exported_and_embeds(capsys, refused, molecules, fast_molecules):
    assert main(["pretrain", "--data", "my.smi.gz", "--method", "molclr", "--out", "run", *fast_molecules]) == 0
    capsys.readouterr()
    assert main(["export", "run", "--out", "mine"]) == 0
    assert capsys.readouterr().out.startswith("mine: 0.0 MB in float16   (next: graphcl embed --model mine ")
    card = Path("mine/card.md").read_text()
    assert "MolCLR" in card and "graphcl pretrain --data my.smi.gz --method molclr --vocab ogb --hidden 8" in card
    assert main(["embed", "--model", "mine", "--data", "my.smi.gz", "--out", "z.npz"]) == 0
    assert "1 of 69 rows are not molecules" in capsys.readouterr().out
    with np.load("z.npz", allow_pickle=False) as z:
        assert z["graph"].shape == (68, 8) and "node" not in z
        assert z["row"].tolist() == [*range(20), *range(21, 69)]
        embedded = z["graph"]
    assert Path("z.skipped.csv").read_text().splitlines()[1].startswith("20,nonsense,")
    np.testing.assert_allclose(graphcl.load("mine").embed(molecules[:20]).numpy(), embedded[:20], atol=1e-5)
    assert main(["embed", "run", "--out", "y.npz"]) == 0
    with np.load("y.npz", allow_pickle=False) as y:
        np.testing.assert_allclose(y["graph"], embedded, atol=2e-2)
    assert "expected a new folder" in refused("export", "run", "--out", "mine")
    Path("my mols.smi").write_text("\n".join(molecules))
    assert main(["pretrain", "--data", "my mols.smi", "--out", "spaced", *fast_molecules]) == 0
    assert main(["export", "spaced", "--out", "also mine"]) == 0
    assert "graphcl pretrain --data 'my mols.smi' --method" in Path("also mine/card.md").read_text()


def test_its_card_says_what_its_scores_are_over(molecules, fast_molecules):
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "run", *fast_molecules]) == 0
    few = "2 of 3 tasks without a score"
    row = Result(
        dataset="Tiny", method="GraphCL", protocol="moleculenet-linear", metric="auc", mean=70.0, seeds=1, folds=1,
        n_test=9, split_hash="0a", selected_by=f"fixed epoch; {few}",
    )  # fmt: skip
    write_results("run/scores.csv", [row])
    assert main(["export", "run", "--out", "mine"]) == 0
    title = f"    Tiny, moleculenet-linear: auc in %, 1 seed x 1 split, 9 molecules, split 0a, fixed epoch, {few}\n"
    assert title in Path("mine/card.md").read_text()


def test_an_encoder_of_other_graphs_is_said_to_embed_those(capsys, refused):
    few = ("--epochs", "1", "--hidden", "4", "--last-width", "4")
    assert main(["pretrain", "--method", "grace", "--dataset", "karate", "--out", "run", *few]) == 0
    assert main(["export", "run", "--out", "mine"]) == 0
    assert "embed --model mine --dataset NAME --out z.npz" in capsys.readouterr().out
    assert main(["embed", "--model", "mine", "--dataset", "karate", "--out", "z.npz"]) == 0
    assert "node [34, 4]" in capsys.readouterr().out
