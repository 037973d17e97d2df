"""Everything on a device that is not the CPU: the members of the contract suites, each check in a process of its own.

No GPU is needed: the device is made of the CPU, but mixes with it as little as a GPU does.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.utils.backend_registration as backends

import graphcl

CHECKS = Path(__file__).parent / "elsewhere" / "checks.py"


@pytest.mark.skipif(
    not hasattr(backends, "_setup_privateuseone_for_python_backend"),
    reason="this version of torch knows no device that is written in Python",
)
@pytest.mark.parametrize(
    "check", ["itself", "views", "losses", "graph_methods", "node_methods", "training", "more_views", "large_graphs"]
)
def test_elsewhere(check: str) -> None:
    here = os.pathsep.join(filter(None, [str(Path(graphcl.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(CHECKS), check],
        env={**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.stdout.rstrip().endswith("checked, 0 wrong")
