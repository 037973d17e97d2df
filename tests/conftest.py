"""What every test may use: a seeded generator, the benchmark data where it is at hand, and no network."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import jaxtyping
import pytest
import torch

import graphcl

# The tests' tensors are tiny: threads would only wait for each other, and one thread makes sums reproducible.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

# No deadline, because a shared machine stalls now and then; the same examples in every run, so that a failure repeats.
hypothesis.settings.register_profile("graphcl", deadline=None, derandomize=True)
hypothesis.settings.load_profile("graphcl")


@pytest.fixture
def generator() -> torch.Generator:
    """A generator with a fixed seed, for every random choice of a test."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def _same_weights() -> Iterator[None]:
    """The weights of every network are drawn alike in every run, whichever tests ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def graphcl_home() -> Path:
    """The folder of real benchmark data, `$GRAPHCL_HOME`; a test that asks for it is skipped where there is none."""
    home = os.environ.get("GRAPHCL_HOME")
    if not home:
        pytest.skip(
            "needs real benchmark data: set GRAPHCL_HOME to a writable folder that holds TU/MUTAG/raw and the like"
        )
    path = Path(home)
    if not path.is_dir():
        pytest.fail(f"expected GRAPHCL_HOME to name a folder, got {path}, which is none; mend or unset the variable")
    return path


@pytest.fixture(scope="session")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Any]]:
    """Runs a function of the test's file in W processes of one group (gloo) and returns what it returns in each.

    ``ranks(function, world, inputs)``: inputs and results are tensors and plain containers of them.
    """

    def run(function: Callable[[Any], Any], world: int, inputs: Any) -> list[Any]:
        child = Path(__file__).parent / "distributed" / "child.py"
        folder = tmp_path_factory.mktemp(function.__name__)
        torch.save(inputs, folder / "inputs.pt")
        command = [sys.executable, str(child), function.__code__.co_filename, function.__name__]
        # The package that is tested here, not another one that is installed.
        here = os.pathsep.join(filter(None, [str(Path(graphcl.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
        processes = [
            subprocess.Popen(
                [*command, str(rank), str(world), str(folder)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(world)
        ]
        try:
            said = [process.communicate(timeout=300)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
        failed = [f"rank {r}:\n{said[r]}" for r, process in enumerate(processes) if process.returncode]
        assert not failed, "\n".join(failed)
        return [torch.load(folder / f"result{rank}.pt", weights_only=True) for rank in range(world)]

    return run


@pytest.fixture(autouse=True)
def _offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses connections to other machines, as a machine without a network would, unless the test is marked `net`."""
    if request.node.get_closest_marker("net"):
        return
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address}; mark it `net` if it needs the network")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(autouse=True)
def _refusals_are_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the shape checks of the tests (`--jaxtyping-packages`) away inside `pytest.raises`.

    There a wrong argument is given on purpose, and what is asked for is the refusal that users will see.
    """
    raises = pytest.raises

    @contextmanager
    def unchecked(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with raises(*args, **kwargs) as caught:
            jaxtyping.config.update("jaxtyping_disable", True)
            try:
                yield caught
            finally:
                jaxtyping.config.update("jaxtyping_disable", False)

    monkeypatch.setattr(pytest, "raises", unchecked)
