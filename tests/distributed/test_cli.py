"""``torchrun -m graphcl pretrain``: several processes, one run."""

import os
import subprocess
import sys
from pathlib import Path

import graphcl
from graphcl.train import RunFolder


def pretrain(*options, ranks):
    starter = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks > 1 else []
    here = os.pathsep.join(filter(None, [str(Path(graphcl.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, *starter, "-m", "graphcl", "pretrain", "--device", "cpu", "--threads", "1", *options],
        env={**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_one_run_whose_files_one_rank_writes(tmp_path):
    code, said, error = pretrain("--epochs", "1", "--out", str(tmp_path / "run"), "--evaluate", ranks=2)
    assert code == 0, error
    assert said.count("GraphCL on 2 ranks") == said.count("epoch 1: loss") == said.count("untrained-init") == 1
    assert {"model.safetensors", "scores.csv"} <= {file.name for file in (tmp_path / "run").iterdir()}
    code, said, error = pretrain("--resume", "--epochs", "2", "--out", str(tmp_path / "run"), ranks=1)
    assert code == 2
    assert "got ranks=1 (there 2)" in error
    assert (tmp_path / "run" / "model.safetensors").is_file()  # a refusal touches nothing
    assert RunFolder(tmp_path / "run").read_config()["epochs"] == 1
