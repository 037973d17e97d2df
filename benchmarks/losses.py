"""Time of every loss, forward and backward, against its formula written plainly.

    python benchmarks/losses.py

At a few hundred rows, as in training on batches of graphs, the matrix of all similarities is small and a plain formula
is hard to beat; with more rows it is what the time goes into. Value and gradients are compared before anything is
timed. Both are timed in turn in one process, and only the ratios mean anything on a shared machine.
Writes ``results/losses.csv``.
"""

import argparse
import csv
import datetime
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from plain_losses import PLAIN
from torch import Tensor

from graphcl import __version__
from graphcl.losses import functional

RESULTS = Path(__file__).parent / "results"
SECONDS = 0.6  # for one loss and size
Inputs = tuple[Tensor, ...]


def two_views(n: int, d: int, draw: torch.Generator) -> Inputs:
    z = torch.randn(n, d, generator=draw)
    return z, z + torch.randn(n, d, generator=draw)


def short_views(n: int, d: int, draw: torch.Generator) -> Inputs:
    """For losses of products or distances that no norm bounds."""
    return tuple(z / d**0.5 for z in two_views(n, d, draw))


def inputs_of(loss: str, n: int, d: int, draw: torch.Generator) -> tuple[Inputs, Inputs]:
    """What has gradients, and what has not, in the order of the arguments."""
    one, other = two_views(n, d, draw)
    match loss:
        case "moco":
            return (one,), (other, torch.randn(4 * n, d, generator=draw))
        case "bootstrap":
            return (one,), (other,)
        case "sup_con":
            return (one,), (torch.randint(10, (n,), generator=draw),)
        case "clip":
            return (one, other, torch.tensor(0.07)), ()
        case "swav":
            return (one, other, torch.randn(32, d, generator=draw)), ()
        case "proto_nce":
            clusters = torch.randint(32, (n,), generator=draw)
            return (one,), (torch.randn(32, d, generator=draw), clusters, torch.rand(32, generator=draw) / 10 + 0.1)
        case "node_graph_info_nce" | "node_graph_jsd":  # n nodes in graphs of 16
            graphs = torch.randn(max(n // 16, 2), d, generator=draw)
            batch = torch.arange(n) * len(graphs) // n
            return (one / d**0.5, graphs), (batch,)
        case "margin_contrastive" | "n_pair":
            return short_views(n, d, draw), ()
    return (one, other), ()


def arguments_of(loss: str, inputs: tuple[Inputs, Inputs]) -> tuple[list[Tensor], dict[str, Tensor]]:
    trained, fixed = inputs
    leaves = [z.clone().requires_grad_() for z in trained]
    if loss == "clip":
        return leaves[:2], {"temperature": leaves[2]}
    return [*leaves, *fixed], {}


def gradients(function: Callable[..., Tensor], positional: Sequence[Tensor], named: dict[str, Tensor]) -> list[Tensor]:
    value = function(*positional, **named)
    leaves = [z for z in (*positional, *named.values()) if z.requires_grad]
    return [value.detach(), *torch.autograd.grad(value, leaves)]


def measure(loss: str, n: int, d: int) -> dict[str, object]:
    inputs = inputs_of(loss, n, d, torch.Generator().manual_seed(n))
    positional, named = arguments_of(loss, inputs)
    ours, everything = getattr(functional, loss), [*positional, *named.values()]

    def take_ours() -> list[Tensor]:
        return gradients(ours, positional, named)

    def take_plain() -> list[Tensor]:
        return gradients(PLAIN[loss], everything, {})

    for found, expected in zip(take_ours(), take_plain(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    times: list[tuple[float, float]] = []
    many, begin = max(1, int(0.004 / max(seconds(take_plain, 1), 1e-9))), time.perf_counter()
    while len(times) < 7 or (len(times) < 61 and time.perf_counter() - begin < SECONDS):
        pair = {take: seconds(take, many) for take in ((take_ours, take_plain)[:: 1 - 2 * (len(times) % 2)])}
        times.append((pair[take_ours], pair[take_plain]))
    return {
        "loss": loss,
        "n": n,
        "d": d,
        "ours_ms": f"{1e3 * statistics.median(a for a, _ in times):.3g}",
        "plain_ms": f"{1e3 * statistics.median(b for _, b in times):.3g}",
        "ratio": f"{statistics.median(a / b for a, b in times):.2f}",
    }


def seconds(take: Callable[[], object], many: int) -> float:
    start = time.perf_counter()
    for _ in range(many):
        take()
    return (time.perf_counter() - start) / many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--losses", nargs="+", choices=list(PLAIN), default=list(PLAIN), metavar="LOSS")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 512, 4096], help="N, rows of one view")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "losses.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    about = {"threads": arguments.threads, "device": platform.processor() or platform.machine()}
    about |= {"torch": torch.__version__, "version": __version__, "command": f"python {' '.join(sys.argv)}"}
    about["date"] = datetime.date.today().isoformat()
    rows = []
    for loss in arguments.losses:
        for n in arguments.sizes:
            rows.append({**measure(loss, n, arguments.width), **about})
            print(*(f"{key} {value}" for key, value in rows[-1].items() if key not in about), flush=True)
    rows += [row for row in read(arguments.out) if row["loss"] not in arguments.losses]
    rows.sort(key=lambda row: list(PLAIN).index(row["loss"]))
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows that are there; those of losses that are not measured anew stay."""
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
