"""Seconds, memory and error of the contrast over all pairs: this package against the formulas that others use.

    python benchmarks/similarity.py

Everything that the committed table holds, in one command (about half an hour on two cores). All rows are one loss, that
of GRACE, which is NT-Xent over 2N rows: its value and gradient are checked against float64 before anything is timed.

- Time: forward and backward, all implementations in turn in one process (A B A B ...), medians. On a shared machine
  only the ratios mean anything.
- Memory: each implementation and size in a process of its own; peak resident memory above the level before the call,
  after a tiny call that loads the libraries; the gradients of the inputs are in it. Address space is limited
  (``--memory-limit``), and an implementation that needs more is listed as out of memory.

The peers' formulas are written here from their description, not imported. Writes ``results/similarity.csv``.
"""

import argparse
import csv
import datetime
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from graphcl import __version__
from graphcl.similarity import logsumexp

RESULTS = Path(__file__).parent / "results"
TEMPERATURE = 0.5


def grace(z1: Tensor, z2: Tensor) -> Tensor:
    """The formula of GRACE as its authors write it: exponentials, two N x N matrices, once for each direction."""
    z1, z2 = normalize(z1), normalize(z2)

    def one_way(own: Tensor, other: Tensor) -> Tensor:
        within, between = (own @ own.T / TEMPERATURE).exp(), (own @ other.T / TEMPERATURE).exp()
        return -(between.diag() / (within.sum(1) + between.sum(1) - within.diag())).log()

    return ((one_way(z1, z2) + one_way(z2, z1)) / 2).mean()


def cross_entropy_nt_xent(z1: Tensor, z2: Tensor) -> Tensor:
    """NT-Xent as in most code: 2N x 2N scores, the diagonal at -inf, the other view as the class."""
    z, n = normalize(torch.cat([z1, z2])), len(z1)
    scores = (z @ z.T / TEMPERATURE).fill_diagonal_(-torch.inf)
    return cross_entropy(scores, torch.arange(2 * n).roll(n))


def pygcl(z1: Tensor, z2: Tensor) -> Tensor:
    """What PyGCL's InfoNCE with negatives of both views does: float masks of N x 2N, twice.

    The mask is mended (there each row is its own negative), which changes the value and not the work.
    """

    def one_way(anchor: Tensor, sample: Tensor) -> Tensor:
        n = len(anchor)
        own = torch.eye(n)
        positive_mask = torch.cat([own, torch.zeros_like(own)], 1)
        negative_mask = torch.cat([1 - own, 1 - own], 1)
        scores = normalize(anchor) @ normalize(torch.cat([sample, anchor])).T / TEMPERATURE
        terms = scores.exp() * (positive_mask + negative_mask)
        log_share = (scores - terms.sum(1, keepdim=True).log()) * positive_mask
        return -(log_share.sum(1) / positive_mask.sum(1)).mean()

    return (one_way(z1, z2) + one_way(z2, z1)) / 2


def tiled(z1: Tensor, z2: Tensor, precision: str = "float32") -> Tensor:
    """Ours: the positive pair in the open, all other pairs through the engine."""
    z1, z2 = normalize(z1), normalize(z2)
    positive = ((z1 * z2).sum(1) / TEMPERATURE).repeat(2)
    item = torch.arange(len(z1)).repeat(2)
    negatives = logsumexp(
        torch.cat([z1, z2]),
        scale=1 / TEMPERATURE,
        exclude=[(item, item)],
        similarity="dot",
        impl="tiled",
        precision=precision,
    )
    return (torch.logaddexp(positive, negatives) - positive).mean()


def tiled_bf16(z1: Tensor, z2: Tensor) -> Tensor:
    return tiled(z1, z2, "bf16")


IMPLEMENTATIONS: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "grace": ("float32", grace),
    "cross-entropy": ("float32", cross_entropy_nt_xent),
    "pygcl": ("float32", pygcl),
    "tiled": ("float32", tiled),
    "tiled-bf16": ("float32, products of bfloat16", tiled_bf16),
    "grace-compiled": ("float32", grace),
    "cross-entropy-compiled": ("float32", cross_entropy_nt_xent),
}


def implementation(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    function = IMPLEMENTATIONS[name][1]
    return torch.compile(function, dynamic=False) if name.endswith("compiled") else function


def views(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Rows in 64 clusters, and the same rows with noise: neither isotropic nor solved."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(64, d, generator=generator)
    z1 = centres[torch.randint(64, (n,), generator=generator)] + torch.randn(n, d, generator=generator)
    z2 = z1 + 0.5 * torch.randn(n, d, generator=generator)
    return z1.requires_grad_(), z2.requires_grad_()


def step(function: Callable[[Tensor, Tensor], Tensor], z1: Tensor, z2: Tensor) -> float:
    """Forward and backward; seconds."""
    z1.grad = z2.grad = None
    start = time.perf_counter()
    function(z1, z2).backward()
    return time.perf_counter() - start


def truth(z1: Tensor, z2: Tensor, block: int = 512) -> tuple[Tensor, Tensor]:
    """The loss and the gradient of both views in float64, in blocks of rows, without any code of the package."""
    n, leaf = len(z1), torch.cat([z1, z2]).detach().double().requires_grad_()
    unit = normalize(leaf)
    z = unit.detach()
    partner = torch.arange(2 * n).roll(n)
    sums = torch.empty(2 * n, dtype=torch.float64)
    for i in range(0, 2 * n, block):
        e = (z[i : i + block] @ z.T / TEMPERATURE).exp_()
        sums[i : i + block] = e.sum(1) - e[torch.arange(len(e)), torch.arange(i, i + len(e))]
    loss = (sums.log() - (z * z[partner]).sum(1) / TEMPERATURE).mean()
    grad = -2 * z[partner]
    for i in range(0, 2 * n, block):
        e = (z[i : i + block] @ z.T / TEMPERATURE).exp_()
        e[torch.arange(len(e)), torch.arange(i, i + len(e))] = 0
        e *= 1 / sums[i : i + block, None] + 1 / sums
        grad[i : i + block] += e @ z
    unit.backward(grad / (2 * n * TEMPERATURE))
    return loss, leaf.grad


def error(function: Callable[[Tensor, Tensor], Tensor], z1: Tensor, z2: Tensor, wanted: tuple[Tensor, Tensor]) -> float:
    """The greater of the relative errors of the loss and of the gradient (in the norm)."""
    z1.grad = z2.grad = None
    loss = function(z1, z2)
    loss.backward()
    grad = torch.cat([z1.grad, z2.grad]).double()
    relative = (loss.detach().double() - wanted[0]).abs() / wanted[0].abs()
    return max(relative.item(), ((grad - wanted[1]).norm() / wanted[1].norm()).item())


def child(name: str, n: int, d: int) -> None:
    """Prints seconds and peak megabytes of one call in this fresh process."""
    function = implementation(name)
    step(function, *views(600, d))
    z1, z2 = views(n, d)
    if name.endswith("compiled"):  # what is measured is the loss, not the compiler
        step(function, z1, z2)
    z1.grad = z2.grad = None
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again
    before = memory("VmRSS")
    seconds = step(function, z1, z2)
    print(json.dumps({"peak_mb": (memory("VmHWM") - before) / 1e3, "seconds": seconds}))


def memory(field: str) -> float:
    """Kilobytes of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1.024 for line in lines if line.startswith(field))


def measure_memory(name: str, n: int, d: int, threads: int, limit: float) -> dict[str, float] | None:
    """What :func:`child` prints, or None where the memory does not suffice."""
    command = [sys.executable, __file__, "--child", name, str(n), str(d), "--threads", str(threads)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (int(limit * 2**30),) * 2),
    )
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "can't allocate memory" in done.stderr or "MemoryError" in done.stderr:
        return None
    raise RuntimeError(done.stderr)


def table(arguments: argparse.Namespace, names: list[str], n: int, d: int) -> list[dict[str, object]]:
    """The rows of one size."""
    peaks = {name: measure_memory(name, n, d, arguments.threads, arguments.memory_limit) for name in names}
    fit = [name for name in names if peaks[name] is not None]
    z1, z2 = views(n, d)
    wanted = truth(z1, z2) if n <= arguments.check_up_to else None
    errors, times = {}, {name: [] for name in fit}
    if wanted is None:  # one run each, of the process that measured the memory
        times = {name: [peaks[name]["seconds"]] for name in fit}
    else:
        functions = {name: implementation(name) for name in fit}
        for name, function in functions.items():
            errors[name] = error(function, z1, z2, wanted)
            tolerance = 1e-2 if "bf16" in name else 1e-4
            if not errors[name] < tolerance:
                raise RuntimeError(f"{name} is wrong at {n} x {d}: relative error {errors[name]:.1e}")
        # About as long for every size, and three rounds at least.
        rounds = max(3, min(arguments.rounds, round(arguments.rounds * (2708 / n) ** 1.5)))
        for _ in range(rounds):
            for name, function in functions.items():
                times[name].append(step(function, z1, z2))
    seconds = {name: statistics.median(values) for name, values in times.items()}
    rows = []
    for name in names:
        row: dict[str, object] = {"loss": "grace/nt-xent", "impl": name, "n": n, "d": d}
        row |= {"dtype": IMPLEMENTATIONS[name][0], "threads": arguments.threads}
        row["median_s"] = f"{seconds[name]:.4g}" if name in seconds else "out of memory"
        for peer in ("grace", "pygcl"):
            known = name in seconds and peer in seconds
            row[f"ratio_to_{peer}"] = f"{seconds[peer] / seconds[name]:.2f}" if known else ""
        row["peak_extra_mb"] = f"{peaks[name]['peak_mb']:.0f}" if name in fit else f"> {arguments.memory_limit} GiB"
        row["error_vs_float64"] = f"{errors[name]:.1e}" if name in errors else ""
        row |= {"device": device(), "torch": torch.__version__, "version": __version__}
        row |= {"command": arguments.command, "date": datetime.date.today().isoformat()}
        rows.append(row)
        shown = ("impl", "n", "d", "median_s", "ratio_to_grace", "ratio_to_pygcl", "peak_extra_mb", "error_vs_float64")
        print("  ".join(f"{key} {row[key]}" for key in shown), flush=True)
    return rows


def device() -> str:
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("model name", "flags"))]
    name = cpu[0].split(":")[1].strip() if cpu else platform.machine()
    return f"{name}, {'AMX' if cpu and 'amx_bf16' in ' '.join(cpu[:2]) else 'no AMX'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2708, 8192, 16384], help="N, rows of one view")
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--large", type=int, nargs="*", default=[100_000], help="N for one run of ours, width 128")
    parser.add_argument("--rounds", type=int, default=11, help="at the least size; fewer at larger ones, at least 3")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="also torch.compile of the first two formulas")
    parser.add_argument("--memory-limit", type=float, default=14, help="GiB of address space of one implementation")
    parser.add_argument("--check-up-to", type=int, default=20_000, help="greatest N that is checked against float64")
    parser.add_argument("--out", type=Path, default=RESULTS / "similarity.csv")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.child:
        child(arguments.child[0], *map(int, arguments.child[1:]))
        return
    arguments.command = " ".join(["python benchmarks/similarity.py", *sys.argv[1:]])
    names = [name for name in IMPLEMENTATIONS if arguments.compile or not name.endswith("compiled")]
    cases = [(names, n, d) for n in arguments.sizes for d in arguments.widths]
    cases += [(["tiled", "tiled-bf16"], n, 128) for n in arguments.large]
    rows: list[dict[str, object]] = []
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    for case in cases:
        rows += table(arguments, *case)
        with open(arguments.out, "w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
