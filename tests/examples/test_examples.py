"""Every example runs from top to bottom, offline, and prints something."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example(script, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GRAPHCL_HOME": str(tmp_path)}
    command = [sys.executable, "-W", "error::UserWarning", str(script)]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    assert len(script.read_text().splitlines()) <= 120


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["--help"], "[network] [molecules]"),
        (["synthetic-molecules", "synthetic-social"], "expected one graph as the first set"),
        (["synthetic-social", "karate"], "expected graphs with a class each as the second set"),
    ],
)
def test_sets_of_the_wrong_kind_are_told(names, words, tmp_path):
    command = [sys.executable, str(Path(__file__).parents[2] / "examples/loss_in_existing_model.py"), *names]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert words in ran.stdout + ran.stderr and "Traceback" not in ran.stderr
