"""Seconds, memory and error of the contrast over all pairs on one GPU, beside ceilings measured in the same run.

    python benchmarks/similarity_cuda.py

Needs a CUDA GPU and Triton; about eight minutes on an H100 or H200. Every row is one loss, that of GRACE, which is
NT-Xent over 2N rows. The goals, by their names in the last column:

- L1, L2: share of the matmul ceiling that the forward and the backward kernels reach, by the products they execute
  (each pair once forward, twice where a tile is made again backward), at 65,536 rows of one view.
- L3: forward and backward at 169,343 rows (ogbn-arxiv), width 256, within 380 ms. L5: its memory beyond the inputs
  within 14 bytes for every number of both views, and 64 MB.
- L4: forward and backward at 2,708 rows (Cora), replayed as a CUDA graph, within 250 microseconds.
- L7: against the eager formula of GRACE at 19,717 rows (PubMed): 8 times as fast as float32, 3 times as tf32.

Values and gradients are checked against float64 first. Times are medians, of CUDA events; peers in turn with ours. No
measurement starts after ``--seconds``. Writes ``results/similarity_cuda.csv``.
"""

import argparse
import csv
import datetime
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from similarity import RESULTS, TEMPERATURE, grace
from torch import Tensor
from torch.nn.functional import normalize

from graphcl import __version__
from graphcl.similarity import logsumexp
from graphcl.similarity import triton as launch
from graphcl.similarity._rounded import barred_of, prepare


def fused(z1: Tensor, z2: Tensor, precision: str = "fp16", impl: str = "triton") -> Tensor:
    """Ours: the positive pair in the open, all other pairs through the engine."""
    z1, z2 = normalize(z1), normalize(z2)
    positive = ((z1 * z2).sum(1) / TEMPERATURE).repeat(2)
    item = torch.arange(len(z1), device=z1.device).repeat(2)
    negatives = logsumexp(
        torch.cat([z1, z2]),
        scale=1 / TEMPERATURE,
        exclude=[(item, item)],
        similarity="dot",
        impl=impl,
        precision=precision,
    )
    return (torch.logaddexp(positive, negatives) - positive).mean()


def views(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Rows in 64 clusters, and the same rows with noise: neither isotropic nor solved."""
    generator = torch.Generator("cuda").manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, device="cuda")  # noqa: E731
    z1 = draw(64, d)[torch.randint(64, (n,), generator=generator, device="cuda")] + draw(n, d)
    return z1.requires_grad_(), (z1.detach() + 0.5 * draw(n, d)).requires_grad_()


def seconds(step: Callable[[], object], rounds: int) -> list[float]:
    """Of every call after one that is not counted."""
    step()
    found = []
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        step()
        end.record()
        end.synchronize()
        found.append(start.elapsed_time(end) / 1e3)
    return found


def ceilings() -> dict[str, float]:
    """Products of 8192 x 8192 float16 matrices, FLOP/s, and copies, bytes/s."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))
    product = statistics.median(seconds(lambda: a @ b, 20))
    source = torch.empty(2**30, device="cuda")
    target = torch.empty_like(source)
    copy = statistics.median(seconds(lambda: target.copy_(source), 10))
    return {"matmul": 2 * 8192**3 / product, "copy": 2 * 4 * 2**30 / copy}


def step(function: Callable[..., Tensor], z1: Tensor, z2: Tensor, **options: str) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: torch.autograd.grad(function(z1, z2, **options), (z1, z2))


def truth(z1: Tensor, z2: Tensor, block: int = 1024) -> tuple[Tensor, Tensor]:
    """The loss and the gradient of both views in float64, in blocks of rows, without any code of the package."""
    n, leaf = len(z1), torch.cat([z1, z2]).detach().double().requires_grad_()
    unit = normalize(leaf)
    z = unit.detach()
    partner, every = torch.arange(2 * n, device="cuda").roll(n), torch.arange(2 * n, device="cuda")
    sums = torch.empty(2 * n, dtype=torch.float64, device="cuda")
    for i in range(0, 2 * n, block):
        e = (z[i : i + block] @ z.T / TEMPERATURE).exp_()
        sums[i : i + block] = e.sum(1) - e[every[: len(e)], every[i : i + len(e)]]
    loss = (sums.log() - (z * z[partner]).sum(1) / TEMPERATURE).mean()
    grad = -2 * z[partner]
    for i in range(0, 2 * n, block):
        e = (z[i : i + block] @ z.T / TEMPERATURE).exp_()
        e[every[: len(e)], every[i : i + len(e)]] = 0
        e *= 1 / sums[i : i + block, None] + 1 / sums
        grad[i : i + block] += e @ z
    unit.backward(grad / (2 * n * TEMPERATURE))
    assert leaf.grad is not None
    return loss, leaf.grad


class Table:
    """The rows of the result, written after each of them."""

    def __init__(self, path: Path, ceiling: dict[str, float]) -> None:
        self.path, self.ceiling, self.rows = path, ceiling, list[dict[str, object]]()

    def add(self, what: str, impl: str, n: int, d: int, times: list[float], goal: str = "", **more: object) -> None:
        row: dict[str, object] = {"what": what, "impl": impl, "n": n, "d": d}
        row["median_ms"] = f"{1e3 * statistics.median(times):.4g}"
        row["spread_ms"] = f"{1e3 * (max(times) - min(times)):.2g}"
        row["repetitions"] = len(times)
        for name in ("executed_tflops", "share_of_matmul", "peak_extra_mb", "error_loss", "error_gradient", "ratio"):
            row[name] = more.get(name, "")
        row |= {"goal": goal, "matmul_tflops": f"{self.ceiling['matmul'] / 1e12:.0f}"}
        row |= {"copy_tbps": f"{self.ceiling['copy'] / 1e12:.2f}", "device": torch.cuda.get_device_name()}
        row |= {"torch": torch.__version__, "triton": triton_version(), "version": __version__}
        row |= {"command": " ".join(["python benchmarks/similarity_cuda.py", *sys.argv[1:]])}
        row |= {"date": datetime.date.today().isoformat()}
        self.rows.append(row)
        print("  ".join(f"{k} {v}" for k, v in list(row.items())[:14] if v != ""), flush=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(self.rows)

    def executed(self, flops: float, times: list[float]) -> dict[str, str]:
        rate = flops / statistics.median(times)
        return {"executed_tflops": f"{rate / 1e12:.0f}", "share_of_matmul": f"{rate / self.ceiling['matmul']:.3f}"}


def triton_version() -> str:
    import triton

    return triton.__version__


def check(table: Table) -> None:
    """Errors against float64, before anything is timed."""
    for n, d in ((2708, 128), (19_717, 256), (5000, 200)):
        z1, z2 = views(n, d)
        loss, grad = truth(z1, z2)
        for precision in ("fp16", "float32"):
            value = fused(z1, z2, precision)
            found = torch.cat(torch.autograd.grad(value, (z1, z2))).double()
            errors = (value.double() - loss).abs().item(), ((found - grad).norm() / grad.norm()).item()
            shown = {"error_loss": f"{errors[0]:.1e}", "error_gradient": f"{errors[1]:.1e}"}
            run = seconds(step(fused, z1, z2, precision=precision), 5)
            table.add("forward + backward", f"triton-{precision}", n, d, run, **shown)
            if not (errors[0] < 1e-4 and errors[1] < 5e-3):
                raise RuntimeError(f"wrong at {n} x {d} in {precision}: {errors}")


def small(table: Table) -> None:
    """L4: launches cost as much as the work, so the step is replayed as a CUDA graph."""
    for d in (128, 256):
        z1, z2 = views(2708, d)
        work = step(fused, z1, z2)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        table.add("forward + backward, graph", "triton-fp16", 2708, d, seconds(graph.replay, 50), "L4: 0.25 ms")


def peers(table: Table) -> None:
    """L7, in turn with the eager formula."""
    z1, z2 = views(19_717, 256)
    times: dict[str, list[float]] = {"triton-fp16": [], "grace-float32": [], "grace-tf32": [], "triton-float32": []}
    for _ in range(7):
        for name, found in times.items():
            tf32 = name == "grace-tf32"
            torch.backends.cuda.matmul.allow_tf32 = tf32
            function = grace if name.startswith("grace") else fused
            options = {} if function is grace else {"precision": name.removeprefix("triton-")}
            found += seconds(step(function, z1, z2, **options), 1)
    torch.backends.cuda.matmul.allow_tf32 = False
    ours = statistics.median(times["triton-fp16"])
    for name, found in times.items():
        goal = {"grace-float32": "L7: 8", "grace-tf32": "L7: 3"}.get(name, "")
        ratio = f"{statistics.median(found) / ours:.1f}"
        table.add("forward + backward", name, 19_717, 256, found, goal, ratio=ratio)


def kernels(table: Table, d: int, n: int = 65_536) -> None:
    """L1 and L2: the kernels by themselves, with scaled rows at hand."""
    from graphcl.similarity._pairs import as_pairs
    from graphcl.similarity._tiles import Operands

    z = normalize(torch.cat(views(n, d))).detach()
    item = torch.arange(n, device="cuda").repeat(2)
    rows = prepare(Operands(z, z, torch.full((1,), 1 / TEMPERATURE, device="cuda"), None, None), "fp16")
    barred = barred_of(as_pairs(z, z, [(item, item)], None, None))
    pairs = (2.0 * n) ** 2
    strips = seconds(lambda: launch._sums(rows, barred, (0,)), 10)
    goal = {128: "L1: 0.45", 256: "L1: 0.60", 512: "L1: 0.65"}[d]
    table.add("forward kernel, strips", "triton-fp16", n, d, strips, goal, **table.executed(2 * pairs * d, strips))
    triangle = seconds(lambda: launch._sums_both(rows, barred, triangle=True), 10)
    table.add("forward kernel, triangle", "triton-fp16", n, d, triangle, **table.executed(pairs * d, triangle))
    sums = launch._sums_both(rows, barred, triangle=True)[0]
    weights = launch._weights(torch.full_like(sums, launch.LIFT), sums, rows.bounded)
    factor = torch.ones_like(rows.times)
    backward = seconds(lambda: launch._pull(rows, barred, weights, weights, factor, d), 10)
    goal = {128: "L2: 0.50", 256: "L2: 0.50", 512: "L2: 0.40"}[d]
    table.add("backward kernel", "triton-fp16", n, d, backward, goal, **table.executed(4 * pairs * d, backward))


def large(table: Table, n: int = 169_343, d: int = 256) -> None:
    """L3 and L5."""
    z1, z2 = views(n, d)
    work = step(fused, z1, z2)
    work()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    extra = torch.cuda.max_memory_allocated() - before
    bound = (14 * 2 * n * d + 64e6) / 1e6
    goal = f"L3: 380 ms; L5: {bound:.0f} MB"
    table.add("forward + backward", "triton-fp16", n, d, seconds(work, 7), goal, peak_extra_mb=f"{extra / 1e6:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=420, help="no new measurement starts after this")
    parser.add_argument("--out", type=Path, default=RESULTS / "similarity_cuda.csv")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("needs a CUDA GPU")
    begin = time.perf_counter()
    table = Table(arguments.out, ceilings())
    works = [lambda: check(table), lambda: large(table), lambda: small(table), lambda: peers(table)]
    works += [lambda d=d: kernels(table, d) for d in (256, 128, 512)]
    for work in works:
        if time.perf_counter() - begin > arguments.seconds:
            print("out of time", flush=True)
            break
        work()


if __name__ == "__main__":
    main()
