"""Seconds per GRACE epoch on Cora: this package against the authors' formula and PyGCL's, in turn, in one process.

    python benchmarks/node_speed.py

All train a two-layer GCN of widths 256 and 128 with the paper's probabilities on the same thread count, in float32;
``products in bf16`` is this package with ``torch.backends.mkldnn.matmul.fp32_precision = "bf16"``, which machines with
such instructions (AMX) round the factors of matrix products by. Only ratios mean anything on a shared machine. Writes
``results/node_speed.csv``.
"""

import argparse
import csv
import datetime
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from plain_grace import PlainGRACE, plain_view

from graphcl import __version__
from graphcl._recipes import settings_for
from graphcl._resolve import make_method
from graphcl.data import load

RESULTS = Path(__file__).parent / "results"
STEPS = 3  # a round


def plain(data: object, loss: str) -> Callable[[], None]:
    model = PlainGRACE(data.num_features)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, weight_decay=1e-5, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        views = (plain_view(data.x, data.edge_index, *drops) for drops in ((0.2, 0.3), (0.4, 0.4)))
        model(*views, loss).backward()
        optimizer.step()

    return step


def ours(data: object) -> Callable[[], None]:
    method = make_method({**settings_for("grace", "Cora"), "seed": 0}, data.num_features)
    optimizer = torch.optim.Adam(method.parameters(), lr=5e-4, weight_decay=1e-5, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        method(data).backward()
        optimizer.step()

    return step


@contextmanager
def bf16_products() -> Iterator[None]:
    before = torch.backends.mkldnn.matmul.fp32_precision
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="of three steps of each, in turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "node_speed.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = load("Cora", features="normalized")[0]
    runs = {
        "graphcl": (ours(data), nullcontext),
        "graphcl, products in bf16": (ours(data), bf16_products),
        "authors' formula": (plain(data, "authors"), nullcontext),
        "PyGCL's formula": (plain(data, "pygcl"), nullcontext),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(arguments.rounds + 1):
        for name, (step, context) in runs.items():
            with context():
                start = time.perf_counter()
                for _ in range(STEPS):
                    step()
                if number:  # the first round warms up
                    times[name].append((time.perf_counter() - start) / STEPS)
    common = {
        "dataset": "Cora",
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "version": __version__,
        "torch": torch.__version__,
        "command": f"python benchmarks/node_speed.py --rounds {arguments.rounds} --threads {arguments.threads}",
        "date": datetime.date.today().isoformat(),
    }
    rows = []
    for name, spent in times.items():
        row = {"run": name, "seconds_per_epoch": f"{statistics.median(spent):.4f}"}
        for other, label in (("graphcl", "over_graphcl"), ("graphcl, products in bf16", "over_graphcl_bf16")):
            ratios = [a / b for a, b in zip(spent, times[other], strict=True)]
            row[label] = f"{statistics.median(ratios):.2f}"
            row[f"{label}_range"] = f"{min(ratios):.2f} to {max(ratios):.2f}"
        rows.append({**row, **common})
        print(row, flush=True)
    known = []
    if arguments.out.is_file():
        with open(arguments.out, newline="") as file:
            known = [row for row in csv.DictReader(file) if row["threads"] != str(arguments.threads)]
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows([*known, *rows])


if __name__ == "__main__":
    main()
