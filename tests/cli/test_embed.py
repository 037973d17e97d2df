"""Embeddings in a file, by a run or by an encoder."""

import sys
from pathlib import Path

import numpy as np
import pytest

from graphcl.cli import main


def test_arrays_of_graphs_and_their_nodes(refused, run):
    assert main(["embed", "run", "--out", "z.npz"]) == 0
    with np.load("z.npz", allow_pickle=False) as z:
        assert z["graph"].shape[1] == z["node"].shape[1] == 4
        assert len(z["graph"]) == len(z["y"]) == len(z["ptr"]) - 1 and z["ptr"][-1] == len(z["node"])
        sums = np.add.reduceat(z["node"], z["ptr"][:-1])
        np.testing.assert_allclose(sums, z["graph"], rtol=1e-4, atol=1e-4)
    assert "expected a new file" in refused("embed", "run", "--out", "z.npz")
    assert main(["embed", "run", "--out", "z.npz", "--overwrite"]) == 0
    assert "expected the folder nowhere to exist" in refused("embed", "run", "--out", "nowhere/z.npz")
    assert "expected a file that ends in .npz" in refused("embed", "run", "--out", "z.csv")


def test_one_run_or_one_encoder(refused):
    assert "both" in refused("embed", "run", "--model", "mine", "--out", "w.npz")
    assert "neither" in refused("embed", "--out", "w.npz")
    assert "found nothing" in refused("embed", "--model", "zinc", "--data", "my.smi.gz", "--out", "w.npz")


@pytest.mark.usefixtures("molecules")
def test_molecules_of_a_set_with_their_atoms(refused, fast_molecules):
    assert main(["pretrain", "--data", "my.smi.gz", "--out", "run", *fast_molecules]) == 0
    assert main(["embed", "run", "--dataset", "Tiny", "--nodes", "true", "--out", "x.npz"]) == 0
    with np.load("x.npz", allow_pickle=False) as x:
        assert x["y"].shape == (48, 2) and x["ptr"][-1] == len(x["node"])
    assert "expected a set of molecules for an encoder" in refused(
        "embed", "run", "--dataset", "karate", "--out", "y.npz"
    )
    both = ["--data", "my.smi.gz", "--dataset", "Tiny"]
    assert "expected --dataset or --data, got both" in refused("embed", "run", *both, "--out", "y.npz")


@pytest.mark.usefixtures("run")
def test_a_file_of_molecules_needs_an_encoder_of_molecules(refused):
    Path("my.smi").write_text("CCO\n")
    assert "expected an encoder of molecules" in refused("embed", "run", "--data", "my.smi", "--out", "z.npz")


def test_an_extra_that_is_not_installed_is_named(refused, monkeypatch):
    Path("my.smi").write_text("CCO\n")
    monkeypatch.setitem(sys.modules, "rdkit", None)
    said = refused("embed", "--model", "zinc-gin", "--data", "my.smi", "--out", "z.npz")
    assert "pip install 'graphcl[molecules]'" in said
