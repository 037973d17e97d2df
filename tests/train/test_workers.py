"""Workers of loaders: signals to all processes stop a run between steps, and no worker outlives it."""

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import sys

import torch
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader

from graphcl.augment import EdgeDrop
from graphcl.data import NeighbourSampler
from graphcl.methods import GRACE
from graphcl.nn import GIN, GraphEncoder
from graphcl.train import fit

data = Data(x=torch.rand(60, 3), edge_index=torch.randint(60, (2, 300)))


def view(batch):
    print("training", flush=True)
    if sys.argv[1:]:
        raise ZeroDivisionError
    return batch


method = GRACE(GraphEncoder(GIN(3, 4, 1)), views=(view, EdgeDrop(drop=0.1)))
sampler = NeighbourSampler(data, [3], seed=0)
loader = NodeLoader(data, sampler, batch_size=20, num_workers=2, multiprocessing_context="fork")
print("interrupted", fit(method, loader, epochs=10_000, folder="run").interrupted)
"""


def start(folder, *arguments):
    """A process in a group of its own that has begun to train."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert process.stdout.readline() == "training\n"
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers end by any signal")
def test_a_signal_to_all_processes_leaves_a_checkpoint(tmp_path):
    process = start(tmp_path)
    os.killpg(process.pid, signal.SIGTERM)
    out, error = process.communicate(timeout=60)
    assert out.splitlines()[-1:] == ["interrupted True"], error
    assert (tmp_path / "run" / "checkpoint.pt").is_file()


def test_workers_end_with_a_run_that_fails(tmp_path):
    process = start(tmp_path, "fail")
    assert "ZeroDivisionError" in process.communicate(timeout=60)[1]  # which waits for all that could write to it
