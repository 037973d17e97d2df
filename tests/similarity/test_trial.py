"""The trial of the kernels: what it finds, that it is made once, and that nothing around it comes in or is touched."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from graphcl.similarity import _trial, explain
from graphcl.similarity._trial import UNTRIED, fault
from graphcl.similarity.explain import choose, decide_for

CPU = torch.device("cpu")
real = _trial._small_problem


def by_tiles(device: torch.device, impl: str, format: str) -> list[Tensor]:
    """Tiles in the place of the kernels, which this machine may not have."""
    return real(device, "tiled" if impl == "triton" else impl, format)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Makes a trial of something, and counts how often it was asked."""
    monkeypatch.setattr(_trial, "_found", {})

    def use(problem: Callable[..., list[Tensor]] = by_tiles) -> list[str]:
        asked: list[str] = []

        def counted(device: torch.device, impl: str, format: str) -> list[Tensor]:
            asked.append(impl)
            return problem(device, impl, format)

        monkeypatch.setattr(_trial, "_small_problem", counted)
        return asked

    return use


def test_what_agrees_is_asked_once_for_a_device_and_a_format(tried: Any) -> None:
    asked = tried()
    assert [fault(CPU, "float32") for _ in range(3)] == ["", "", ""]
    assert asked == ["triton", "dense"]
    assert fault(CPU, "fp16") == "" and len(asked) == 4


def test_coarser_products_are_tried_apart(tried: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tried()
    formats: list[str] = []
    monkeypatch.setattr(_trial, "_try", lambda device, format: (formats.append(format), "")[1])
    try:
        for allowed in ("high", "medium", "highest"):
            torch.set_float32_matmul_precision(allowed)
            assert fault(CPU, "float32") == ""
    finally:
        torch.set_float32_matmul_precision("highest")
    assert formats == ["tf32", "fp16", "float32"]


@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize("wrong", [1e-2, float("nan")])
def test_one_wrong_number_is_found(tried: Any, which: int, wrong: float) -> None:
    def off(device: torch.device, impl: str, format: str) -> list[Tensor]:
        results = [result.detach().clone() for result in by_tiles(device, impl, format)]
        if impl == "triton":
            part = results[which].view(-1)
            part[part.numel() // 2] += wrong * (1 if which < 3 else results[which].abs().max())
        return results

    asked = tried(off)
    with pytest.warns(
        RuntimeWarning, match="the kernels of Triton were off by .* on cpu, so log-sums are made in tiles"
    ):
        assert "more than 0.0001" in fault(CPU, "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fault(CPU, "float32")  # known, and not told again
    assert len(asked) == 2


def test_what_fails_is_told(tried: Any) -> None:
    def fails(device: torch.device, impl: str, format: str) -> list[Tensor]:
        raise RuntimeError("no such instruction")

    tried(fails)
    with pytest.warns(RuntimeWarning, match=r"failed \(RuntimeError: no such instruction\)"):
        assert "no such instruction" in fault(CPU, "float32")


def test_a_graph_that_is_recorded_is_left_alone(tried: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tried()
    monkeypatch.setattr(_trial, "_is_capturing", lambda device: True)
    assert fault(CPU, "float32") == UNTRIED and not asked
    monkeypatch.undo()


def test_a_compiler_makes_the_trial_as_it_reads() -> None:
    # In a process without the type checks of the tests, which the compiler cannot read.
    script = """
import torch
from graphcl.similarity import _trial
real, asked = _trial._small_problem, []
def by_tiles(device, impl, format):
    asked.append(impl)
    return real(device, "tiled" if impl == "triton" else impl, format)
_trial._small_problem = by_tiles
step = torch.compile(lambda x: 2 * x if _trial.fault(x.device, "float32") == "" else x, fullgraph=True, backend="eager")
with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
    assert step(torch.ones(3)).tolist() == [2, 2, 2] and step(torch.ones(4)).tolist() == [2, 2, 2, 2]
assert asked == ["triton", "dense"], asked
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_on_around_it_stays_outside(tried: Any) -> None:
    tried()
    seen: list[Tensor] = []
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda x: (seen.append(x), x)[1], lambda x: x)
    state = torch.get_rng_state()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), hooks:
        assert fault(CPU, "float32") == ""
    assert not seen and torch.equal(torch.get_rng_state(), state)


class OnCuda(torch.Tensor):
    """Rows that say that they are on a GPU."""

    device = torch.device("cuda", 0)  # type: ignore[assignment]


def test_a_large_call_on_a_gpu_takes_the_kernels_if_they_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    module = __import__("sys").modules[choose.__module__]
    asked: list[str] = []
    said = {"float32": "", "fp16": "they were off"}
    monkeypatch.setattr(module, "is_available", lambda: True)
    monkeypatch.setattr(module, "fault", lambda device, format: (asked.append(format), said[format])[1])
    rows = torch.empty(600, 8).as_subclass(OnCuda)
    assert decide_for(rows, rows, "auto", "float32", None).impl == "triton"
    assert "agree with dense sums on this device" in explain(rows).reason
    halves = torch.empty(600, 8, dtype=torch.bfloat16).as_subclass(OnCuda)
    assert decide_for(halves, halves, "auto", "float32", None).why.startswith("they were off; {pairs} are more")
    assert asked == ["float32", "float32", "fp16"]
    asked.clear()
    few = rows[:10]
    assert decide_for(few, few, "auto", "float32", None).impl == "dense"
    for impl, precision in (("tiled", "float32"), ("triton", "float32"), ("auto", "fp16")):
        decide_for(rows, rows, impl, precision, None)
    assert decide_for(rows, rows, "auto", "float32", torch.zeros(2, 1).long()).impl == "tiled"
    double = torch.empty(600, 8, dtype=torch.float64).as_subclass(OnCuda)
    assert decide_for(double, double, "auto", "float32", None).impl == "tiled"
    monkeypatch.setattr(module, "is_available", lambda: False)
    assert decide_for(rows, rows, "auto", "float32", None).impl == "tiled"
    assert not asked  # nothing is tried where it would not be chosen
