"""Seconds per epoch of the graph-level methods, against the plain PyG loop for GraphCL, in turn, in one process.

    python benchmarks/methods.py --datasets PROTEINS NCI1

Every method trains as ``graphcl.train.fit`` does it, without its bar and files, with its default settings, on a GIN of
width 32 with ``--layers`` layers. The machine is shared, so only ratios mean anything: ``over_plain`` is the method's
time over the plain loop's (three layers) in the same round. Writes ``results/methods.csv``. ``peer_ratio`` is how much
faster than PyGCL's recipe the method is: the recipe's seconds per epoch over (``over_plain`` times the seconds of the
plain loop), both measured once on one 2-core machine. PyGCL's recipes have two layers.
"""

import argparse
import csv
import datetime
import platform
import statistics
import time
from pathlib import Path

import torch
from speed import RESULTS, epoch_of, plain_epoch

from graphcl import __version__, methods
from graphcl.data import PackedDataset, load
from graphcl.nn import GIN, GraphEncoder

NAMES = ["GraphCL", "InfoGraph", "GraphMoCo", "GraphBYOL", "GraphSwAV", "GraphBarlowTwins", "GraphVICReg", "PCL"]
NAMES += [
    "GraphSupCon",
    "GraphSimCSE",
    "SimGRACE",
    "JOAO",
    "JOAOv2",
    "ADGCL",
    "MVGRLGraph",
    "GraphMAEGraph",
    "NodeAndGraph",
]
# Seconds per epoch on PROTEINS, measured once on one 2-core machine: the plain loop, and PyGCL's recipes.
PLAIN_THEN = {"PROTEINS": 0.197}
PEERS_THEN = {("PROTEINS", "GraphCL"): 0.285, ("PROTEINS", "GraphMoCo"): 0.285, ("PROTEINS", "InfoGraph"): 0.731}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["PROTEINS"])
    parser.add_argument("--methods", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=8, help="in a round; views are made eight steps ahead")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--out", type=Path, default=RESULTS / "methods.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for name in arguments.datasets:
        dataset = load(name)
        graphs = PackedDataset(dataset, graph_id=True)
        listed = [dataset[i] for i in range(len(dataset))]
        # As it was when its seconds above were measured, without a fused optimiser.
        runs = {"plain": plain_epoch(listed, arguments.batch_size, dataset.num_features, fused=False)}
        for label in arguments.methods:
            encoder = GraphEncoder(GIN(dataset.num_features, 32, arguments.layers))
            method = getattr(methods, label)(encoder)
            runs[label] = epoch_of(method, graphs, arguments.batch_size)
        times: dict[str, list[float]] = {label: [] for label in runs}
        for round_number in range(arguments.rounds + 1):
            for label, run in runs.items():
                start = time.perf_counter()
                for _ in range(arguments.epochs):
                    run()
                if round_number:  # the first one warms up
                    times[label].append((time.perf_counter() - start) / arguments.epochs)
        for label in arguments.methods:
            ratios = [ours / plain for ours, plain in zip(times[label], times["plain"], strict=True)]
            ratio, peer = statistics.median(ratios), PEERS_THEN.get((name, label))
            seconds = statistics.median(times[label])
            row = {
                "dataset": name,
                "method": label,
                "s_per_epoch": round(seconds, 5),
                "graphs_per_s": round(len(dataset) / seconds),
                "plain_s_per_epoch": round(statistics.median(times["plain"]), 5),
                "over_plain_median": round(ratio, 3),
                "over_plain_min": round(min(ratios), 3),
                "over_plain_max": round(max(ratios), 3),
                "peer_s_per_epoch_then": peer or "",
                "peer_ratio": round(peer / (ratio * PLAIN_THEN[name]), 2) if peer else "",
                "layers": arguments.layers,
                "rounds": arguments.rounds,
                "threads": arguments.threads,
                "device": platform.processor() or platform.machine(),
                "torch": torch.__version__,
                "version": __version__,
                "command": f"python benchmarks/methods.py --datasets {' '.join(arguments.datasets)} "
                f"--methods {' '.join(arguments.methods)} --layers {arguments.layers} --threads {arguments.threads}",
                "date": datetime.date.today().isoformat(),
            }
            rows.append(row)
            print({key: row[key] for key in list(row)[:10]}, flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
