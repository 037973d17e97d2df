"""Milliseconds and memory of message passing, forwards and backwards: sparse products against gather and scatter.

    python benchmarks/message_passing.py

Every pair is timed in turn in one process, after it has been seen to give the same values and gradients; only the ratio
means anything on a shared machine. Memory is what a process of its own gains at its peak. Writes
``results/message_passing.csv``.
"""

import argparse
import csv
import datetime
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch_geometric
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv, global_add_pool

from graphcl import __version__
from graphcl.data import synthetic_molecules
from graphcl.nn import GAT, GCN, GIN, SAGE, Pattern, SparseMatrix, SparseSum, sum_readout

RESULTS = Path(__file__).parent / "results"
WIDTH = 128
Step = Callable[[], Sequence[Tensor]]


class Case(NamedTuple):
    """Two ways to the same values and gradients; ``goal`` is how many times faster ours should be."""

    scale: str
    what: str
    opponent: str
    goal: float | None
    ours: Step
    theirs: Step


def step(function: Callable[[], Tensor], leaves: Sequence[Tensor]) -> Step:
    """A function and its gradients, with a fixed gradient from above."""
    above = torch.randn(function().shape, generator=torch.Generator().manual_seed(1))

    def run() -> Sequence[Tensor]:
        out = function()
        return [out.detach(), *torch.autograd.grad(out, leaves, above)]

    return run


def gather_scatter(x: Tensor, edge_index: Tensor, weight: Tensor | None = None) -> Tensor:
    """What PyG does: a message per edge, written to memory and added up."""
    source, target = edge_index
    messages = x.index_select(0, source)
    messages = messages if weight is None else messages * weight[:, None]
    return torch.zeros_like(x).scatter_add(0, target[:, None].expand_as(messages), messages)


def copy_weights(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for mine, other in zip(ours, theirs, strict=True):
            other.copy_(mine.view_as(other))


def large_cases(nodes: int = 100_000, edges: int = 1_000_000) -> dict[str, Callable[[], Case]]:
    """One random graph; each case is made when it is measured."""
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(nodes, (2, edges), generator=generator)
    x = torch.randn(nodes, WIDTH, generator=generator).requires_grad_()
    weight = torch.rand(edges, generator=generator).requires_grad_()
    scale = f"{nodes // 1000}k nodes, {edges // 1_000_000}M edges, {WIDTH} features"

    def sums(sort: bool) -> Case:
        neighbours = SparseSum.adjacency(edge_index, nodes)
        ours = (lambda: SparseSum.adjacency(edge_index, nodes)(x)) if sort else (lambda: neighbours(x))
        what = "sum over neighbours" + (", sorted each time" if sort else "")
        theirs = step(lambda: gather_scatter(x, edge_index), [x])
        return Case(scale, what, "gather and scatter", None if sort else 3.5, step(ours, [x]), theirs)

    def weighted() -> Case:
        pattern = Pattern.adjacency(edge_index, nodes)
        ours = step(lambda: SparseMatrix(pattern, weight.index_select(0, pattern.pair))(x), [x, weight])
        theirs = step(lambda: gather_scatter(x, edge_index, weight), [x, weight])
        return Case(scale, "weighted sum, gradient of the weights too", "gather and scatter", 3.5, ours, theirs)

    def gcn(sort: bool, cached: bool) -> Case:
        ours, theirs = GCN(WIDTH, WIDTH, 1, act_last=False), GCNConv(WIDTH, WIDTH, cached=cached)
        mine = [ours.convs[0].weight, ours.convs[0].bias]
        other = [theirs.lin.weight, theirs.bias]
        copy_weights(mine, other)
        run = (lambda: ours(x, edge_index.clone())) if sort else (lambda: ours(x, edge_index))
        what = "GCN layer" + (", sorted each time" if sort else "")
        opponent = "PyG GCNConv" + (", cached" if cached else "")
        goal = None if sort else 4
        return Case(
            scale, what, opponent, goal, step(run, [x, *mine]), step(lambda: theirs(x, edge_index), [x, *other])
        )

    def gin() -> Case:
        ours = GIN(WIDTH, WIDTH, 1, norm="none")
        theirs = GINConv(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)))
        mine, other = list(ours.parameters()), list(theirs.parameters())
        copy_weights(mine, other)
        one = step(lambda: ours(x, edge_index), [x, *mine])
        return Case(
            scale, "GIN layer", "PyG GINConv", None, one, step(lambda: theirs(x, edge_index).relu(), [x, *other])
        )

    def sage() -> Case:
        ours, theirs = SAGE(WIDTH, WIDTH, 1, act_last=False), SAGEConv(WIDTH, WIDTH)
        mine, other = list(ours.parameters()), list(theirs.parameters())
        copy_weights(mine, other)
        one = step(lambda: ours(x, edge_index), [x, *mine])
        return Case(scale, "SAGE layer", "PyG SAGEConv", None, one, step(lambda: theirs(x, edge_index), [x, *other]))

    def gat(heads: int) -> Case:
        ours = GAT(WIDTH, WIDTH, 1, heads=heads, act_last=False)
        theirs = GATConv(WIDTH, WIDTH // heads, heads)
        conv = ours.convs[0]
        mine = [conv.weight, conv.source, conv.target, conv.bias]
        other = [theirs.lin.weight, theirs.att_src, theirs.att_dst, theirs.bias]
        copy_weights(mine, other)
        one = step(lambda: ours(x, edge_index), [x, *mine])
        what = f"GAT layer, heads: {heads}"
        return Case(scale, what, "PyG GATConv", None, one, step(lambda: theirs(x, edge_index), [x, *other]))

    return {
        "sum": lambda: sums(False),
        "sum-sorted": lambda: sums(True),
        "weighted": weighted,
        "gcn": lambda: gcn(False, False),
        "gcn-sorted": lambda: gcn(True, False),
        "gcn-both-cached": lambda: gcn(False, True),
        "gin": gin,
        "sage": sage,
        "gat-1": lambda: gat(1),
        "gat-4": lambda: gat(4),
    }


def small_cases(count: int = 512) -> dict[str, Callable[[], Case]]:
    """A batch of molecules: what they are pooled with, and three layers of GIN."""
    batch = Batch.from_data_list(synthetic_molecules(count))
    scale, graphs = f"{count} molecules", batch.batch

    def pool() -> Case:
        x = torch.randn(batch.num_nodes, WIDTH, generator=torch.Generator().manual_seed(0)).requires_grad_()
        ours = step(lambda: sum_readout(x, graphs, count), [x])
        return Case(
            scale, "sum readout", "PyG global_add_pool", 1, ours, step(lambda: global_add_pool(x, graphs, count), [x])
        )

    def gin() -> Case:
        ours, convs = GIN(batch.num_features, 32, 3), nn.ModuleList()
        for lower in ours.lower:
            perceptron = nn.Sequential(nn.Linear(lower.in_features, 32), nn.ReLU(), nn.Linear(32, 32))
            convs.append(GINConv(perceptron))
        norms = nn.ModuleList(nn.BatchNorm1d(32) for _ in convs)
        mine = [p for pair in zip(ours.lower, ours.upper, strict=True) for m in pair for p in m.parameters()]
        mine += list(ours.norms.parameters())
        other = [*convs.parameters(), *norms.parameters()]
        copy_weights(mine, other)

        def plain() -> Tensor:
            x, outputs = batch.x, []
            for conv, norm in zip(convs, norms, strict=True):
                x = norm(conv(x, batch.edge_index).relu())
                outputs.append(x)
            return torch.cat(outputs, 1)

        one = step(lambda: ours(batch.x, batch.edge_index.clone()), mine)
        return Case(
            scale, "3 GIN layers with BatchNorm, sorted each time", "PyG GINConv", None, one, step(plain, other)
        )

    return {"pool": pool, "small-gin": gin}


def check(case: Case) -> None:
    for mine, other in zip(case.ours(), case.theirs(), strict=True):
        error = (mine - other.view_as(mine)).norm() / other.norm()
        # A score of attention within rounding of zero may fall on either side of the LeakyReLU's kink.
        if not error < (5e-3 if "GAT" in case.what else 1e-4):
            raise AssertionError(f"{case.what}: {error:.1e} from what {case.opponent} gives")


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Both in turn, each as often as fills 30 ms; the ratio is that of each round's pair."""
    check(case)
    runs = {"theirs": case.theirs, "ours": case.ours}
    repeats = {name: max(1, int(30 / timed(run, 1))) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(timed(run, repeats[name]))
    ratios = [b / a for a, b in zip(times["ours"], times["theirs"], strict=True)]
    return {
        "scale": case.scale,
        "what": case.what,
        "opponent": case.opponent,
        "ours_ms": round(statistics.median(times["ours"]), 2),
        "theirs_ms": round(statistics.median(times["theirs"]), 2),
        "ratio_median": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
        "goal": case.goal or "",
    }


def timed(run: Step, repeats: int) -> float:
    """Milliseconds per run."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return 1e3 * (time.perf_counter() - start) / repeats


def peak(name: str, side: str, threads: int) -> float:
    """MB that one run gains at its peak, in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--peak", name, side, "--threads", str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(name: str, side: str) -> None:
    large_cases(100, 1_000_000 // 1000)[name]()  # what is imported and set up at first use
    case = large_cases()[name]()
    run = case.ours if side == "ours" else case.theirs
    before = current_mb()
    reset_peak()
    run()
    print(highest_mb() - before)


def current_mb() -> float:
    return _status("VmRSS")


def highest_mb() -> float:
    return _status("VmHWM")


def reset_peak() -> None:
    """Linux forgets the highest mark of a process that says so."""
    Path("/proc/self/clear_refs").write_text("5")


def _status(key: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[key].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="measure everything at each")
    parser.add_argument("--only", nargs="+", help="names of cases")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS / "message_passing.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads[0])
    torch.manual_seed(0)
    if arguments.peak:
        return print_peak(*arguments.peak)
    common = {
        "rounds": arguments.rounds,
        "device": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
        "version": __version__,
        "command": f"python benchmarks/message_passing.py --rounds {arguments.rounds}",
        "date": datetime.date.today().isoformat(),
    }
    large = large_cases()
    cases = large | small_cases()
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for name in arguments.only or cases:
            row = measure(cases[name](), arguments.rounds) | {"ours_peak_mb": "", "theirs_peak_mb": ""}
            if name in large and threads == arguments.threads[-1]:
                row |= {f"{side}_peak_mb": round(peak(name, side, threads)) for side in ("ours", "theirs")}
            rows.append(row | {"threads": threads} | common)
            print({key: row[key] for key in list(row)[1:6] + ["ours_peak_mb", "theirs_peak_mb"]}, threads, flush=True)
            write(rows, arguments.out)


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """After each case, so that what was measured is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
