"""What every test may use: a seeded generator, the benchmark data where it is at hand, and no network."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import jaxtyping
import numpy as np
import pytest
import torch

import graphcl

# The tests' tensors are tiny: threads would only wait for each other, and one thread makes sums reproducible.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

# No deadline, because a shared machine stalls now and then; the same examples in every run, so that a failure repeats.
hypothesis.settings.register_profile("graphcl", deadline=None, derandomize=True)
hypothesis.settings.load_profile("graphcl")


def pytest_configure(config: pytest.Config) -> None:
    """With ``-n`` of pytest-xdist, tests go to its processes by the groups below; in all an interrupt is one."""
    if config.getoption("dist", "no") == "load":
        config.option.dist = "loadgroup"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script; the tests send it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests of a file share its fixtures; those on real data take turns, as loaders write beside what they read."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            real = "graphcl_home" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("real data" if real else item.nodeid.partition("::")[0]))


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


@pytest.fixture(autouse=True)
def _same_draws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module's generator ``RNG`` begins alike in each of its tests, whichever ran before."""
    module = getattr(request.node, "module", None)
    if hasattr(module, "RNG"):
        monkeypatch.setattr(module, "RNG", np.random.default_rng(1))


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


@pytest.fixture
def run_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs the fenced blocks of a page from top to bottom in a folder of their own, and returns what they define.

    ``run_page(page, known, languages, after)``: blocks of Python share one namespace, ``known`` at first; one that
    begins with a comment such as ``# script.py`` is saved under this name instead, for a later block of ``sh``, in
    which each line is a command. ``after`` blocks are left out at the top.
    """

    def run(page: Path, known: Any = None, languages: Any = ("python", "sh"), after: int = 0) -> dict[str, Any]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GRAPHCL_HOME", str(tmp_path / "home"))
        names, text, saved = dict(known or {}), page.read_text(), set()
        blocks = [block for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S) if block[1] in languages]
        for block in blocks[after:]:
            line = text.count("\n", 0, block.start(2))
            if script := re.match(r"# (\w+\.py)\n", block[2]):
                Path(script[1]).write_text(block[2])
                saved.add(script[1])
            elif block[1] == "python":
                exec(compile("\n" * line + block[2], str(page), "exec"), names)  # with the page's own line numbers
            else:
                for command in block[2].splitlines():
                    _run_command(shlex.split(command, comments=True), f"{page}:{line + 1}")
                    saved -= set(shlex.split(command))
        assert not saved, f"{page}: no command runs {saved}"
        return names

    return run


def _run_command(words: list[str], place: str) -> None:
    """Runs a line of a block of ``sh``: a command of graphcl here, torchrun in processes."""
    from graphcl.cli import main  # not at the top: what is imported before the tests begin has no shape checks

    if words[:1] == ["graphcl"]:
        assert main(words[1:]) == 0, f"{place}: {shlex.join(words)} failed"
    elif words[:1] == ["torchrun"]:
        here = os.pathsep.join(filter(None, [str(Path(graphcl.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
        environment["CUDA_VISIBLE_DEVICES"] = ""  # there may be fewer GPUs than processes
        command = [sys.executable, "-m", "torch.distributed.run", *words[1:]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{place}: {shlex.join(words)}: {done.stderr}"
    else:
        raise AssertionError(f"{place}: expected a command of graphcl or torchrun, got {shlex.join(words)}")


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
