"""Seconds per GraphCL epoch: this package against a plain PyG loop, in turn, in one process.

    python benchmarks/speed.py --datasets MUTAG PROTEINS

Both loops train the same recipe with the same views (a clean one and a random choice of four per graph) on the same
thread count. Only the ratio means anything on a shared machine. Writes ``results/speed.csv``: seconds per epoch, the
ratio round by round, and where the time of one step goes, its views made for itself alone.
"""

import argparse
import csv
import datetime
import platform
import statistics
import time
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path

import torch
from plain_pyg import PlainGIN, plain_loss
from torch_geometric.loader import DataLoader

from graphcl import __version__
from graphcl._random import fold
from graphcl.data import PackedDataset, load
from graphcl.methods import GraphCL, Method, random4
from graphcl.nn import GIN, GraphEncoder, project_views
from graphcl.train import losses_ahead

EPOCHS = 8  # a round; views are made for eight steps at once, and a round has a whole number of eights
RESULTS = Path(__file__).parent / "results"
# Seconds per epoch of the authors' code over those of a plain PyG loop, measured once on one 2-core machine:
# 0.147 / 0.033 on MUTAG, 1.86 / 0.197 on PROTEINS. The authors' code needs an old software stack and is not run here.
AUTHORS_OVER_PLAIN = {"MUTAG": 0.147 / 0.033, "PROTEINS": 1.86 / 0.197}


def plain_epoch(dataset: object, batch_size: int, in_channels: int, *, fused: bool = True) -> Callable[[], None]:
    """One epoch of the plain loop, with the optimiser in one kernel as ours has it, or in torch's usual way."""
    model, view = PlainGIN(in_channels), random4()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused or None)
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True)
    state = {"step": 0}

    def run() -> None:
        for batch in loader:
            optimizer.zero_grad()
            augmented = view.view(batch, fold(0, state["step"]))
            loss = plain_loss(model(batch), model(augmented))
            loss.backward()
            optimizer.step()
            loss.item()
            state["step"] += 1

    return run


def epoch_of(method: Method, graphs: PackedDataset, batch_size: int) -> Callable[[], None]:
    """One epoch of a method as ``graphcl.train.fit`` does it, without its bar and files."""
    trained = [p for p in method.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.01, fused=True)
    epochs = (graphs.loader(batch_size, shuffle=True, epoch=epoch).order.split(batch_size) for epoch in count())
    steps = losses_ahead(method, graphs, (index for batches in epochs for index in batches))

    def run() -> None:
        for _, loss_of_step in islice(steps, -(-len(graphs) // batch_size)):
            optimizer.zero_grad()
            loss = loss_of_step()
            loss.backward()
            optimizer.step()
            method.after_step()
            loss.item()

    return run


def phases(graphs: PackedDataset, batch_size: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of each part of one step."""
    method = GraphCL(GraphEncoder(GIN(graphs.num_features)))
    optimizer = torch.optim.Adam(method.parameters(), lr=0.01, fused=True)
    spent: dict[str, list[float]] = {}
    for step in range(repeats):
        marks = [("", time.perf_counter())]

        def mark(name: str, marks: list[tuple[str, float]] = marks) -> None:
            marks.append((name, time.perf_counter()))

        index = torch.randperm(len(graphs), generator=torch.Generator().manual_seed(step))[:batch_size]
        batch = graphs.batch(index)
        mark("batch")
        views = [view.view(batch, fold(step, i)) for i, view in enumerate(method.views)]
        mark("views")
        z1, z2 = project_views(method.head, [e.graph for e in method.encoder.encode_views(views)])
        mark("encoder forward")
        loss = method.loss(z1, z2)
        mark("loss forward")
        optimizer.zero_grad()
        loss.backward()
        mark("backward")
        optimizer.step()
        mark("optimiser")
        for (_, before), (name, after) in zip(marks, marks[1:], strict=False):
            spent.setdefault(name, []).append(1e3 * (after - before))
    return {name: statistics.median(times) for name, times in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["MUTAG", "PROTEINS"])
    parser.add_argument("--rounds", type=int, default=9, help="of eight epochs of each loop, in turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--out", type=Path, default=RESULTS / "speed.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for name in arguments.datasets:
        dataset = load(name)
        graphs = PackedDataset(dataset, graph_id=True)
        plain = plain_epoch([dataset[i] for i in range(len(dataset))], arguments.batch_size, dataset.num_features)
        ours = epoch_of(GraphCL(GraphEncoder(GIN(graphs.num_features))), graphs, arguments.batch_size)
        times: dict[str, list[float]] = {"plain": [], "ours": []}
        for _ in range(EPOCHS):
            plain(), ours()
        for _ in range(arguments.rounds):
            for label, run in (("plain", plain), ("ours", ours)):
                start = time.perf_counter()
                for _ in range(EPOCHS):
                    run()
                times[label].append((time.perf_counter() - start) / EPOCHS)
        ratios = [p / o for p, o in zip(times["plain"], times["ours"], strict=True)]
        parts = phases(graphs, min(arguments.batch_size, len(dataset)), 30)
        row = {
            "dataset": name,
            "plain_s_per_epoch": round(statistics.median(times["plain"]), 5),
            "ours_s_per_epoch": round(statistics.median(times["ours"]), 5),
            "ratio_median": round(statistics.median(ratios), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
            "authors_over_plain": round(AUTHORS_OVER_PLAIN[name], 2) if name in AUTHORS_OVER_PLAIN else "",
            **{f"{part.replace(' ', '_')}_ms": round(ms, 3) for part, ms in parts.items()},
            "rounds": arguments.rounds,
            "threads": arguments.threads,
            "device": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "version": __version__,
            "command": "python benchmarks/speed.py --datasets "
            f"{' '.join(arguments.datasets)} --threads {arguments.threads}",
            "date": datetime.date.today().isoformat(),
        }
        rows.append(row)
        print({key: row[key] for key in row if key not in ("command", "device")}, flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
