"""What training k seeds in one step could gain: a step of one model against k such steps joined, in turn.

    python benchmarks/seeds.py --datasets MUTAG PTC_MR IMDB-BINARY --seeds 10

The k batches, each with views of its own, go through one encoder as one block-diagonal batch, normalised apart, and one
backward pass. The weights are shared, so that this trains nothing of use: it estimates what stacked weights would cost
with the same kernels, without what the k-fold number of products and parameters would add. The optimiser is left out.
One model's views are made for one step here, where ``fit`` makes them for eight, so that the ratio flatters the joint
step.
Writes ``results/seeds.csv``.
"""

import argparse
import csv
import datetime
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl import __version__
from graphcl.data import PackedDataset, load
from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder, project_views, split_batch

RESULTS = Path(__file__).parent / "results"


def views_of(method: GraphCL, graphs: PackedDataset, batches: Sequence[Tensor]) -> list[list[Data]]:
    """For each batch its two views, all made at once, each batch with the key of another step."""
    counts = [index.numel() for index in batches]
    keys = torch.tensor([method.key_at(i) for i in range(len(batches))]).repeat_interleave(torch.tensor(counts))
    views = [split_batch(view, counts) for view in method.views_of(graphs.batch(torch.cat(list(batches))), keys)]
    return [list(pair) for pair in zip(*views, strict=True)]


def step(method: GraphCL, pairs: Sequence[Sequence[Data]]) -> None:
    """Forward and backward of the sum of the pairs' losses, encoded in one pass."""
    flat = [view for pair in pairs for view in pair]
    z = project_views(method.head, [e.graph for e in method.encoder.encode_views(flat)])
    method.zero_grad()
    torch.stack([method.loss(z[2 * i], z[2 * i + 1]) for i in range(len(pairs))]).sum().backward()


def milliseconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def measure(name: str, seeds: int, rounds: int, batch_size: int) -> dict[str, object]:
    graphs = PackedDataset(load(name), graph_id=True)
    method = GraphCL(GraphEncoder(GIN(graphs.num_features)))
    one, joined = [], []
    for number in range(rounds + 2):
        generator = torch.Generator().manual_seed(number)
        batches = [torch.randperm(len(graphs), generator=generator)[:batch_size] for _ in range(seeds)]
        # New views in every round, as in training: nothing is sorted already.
        alone = batches[:1]
        one.append(milliseconds(lambda alone=alone: step(method, views_of(method, graphs, alone))))
        joined.append(milliseconds(lambda batches=batches: step(method, views_of(method, graphs, batches))))
    one, joined = one[2:], joined[2:]
    return {
        "dataset": name,
        "seeds": seeds,
        "one_ms": round(statistics.median(one), 3),
        "joined_ms": round(statistics.median(joined), 3),
        "ratio_median": round(statistics.median(b / a for a, b in zip(one, joined, strict=True)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["MUTAG", "PTC_MR", "IMDB-BINARY"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "seeds.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for name in arguments.datasets:
        for size in arguments.batch_sizes:
            row = measure(name, arguments.seeds, arguments.rounds, size)
            row |= {"batch_size": size, "rounds": arguments.rounds, "threads": arguments.threads}
            row |= {"torch": torch.__version__, "version": __version__, "date": datetime.date.today().isoformat()}
            rows.append(row)
            print(row, flush=True)
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
