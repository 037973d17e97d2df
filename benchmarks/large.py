"""What large graphs cost: sampling, batches, layer-wise inference; seconds and memory, on a graph of arxiv's size.

    python benchmarks/large.py

Everything that the committed table holds, in one command (about ten minutes on one core). The graph is
``power_law_graph()``: 169,343 nodes, 2,332,486 directed edges, 128 features.

- ``sampling``: seeds per second of processor time at fan-out [15, 10], batches of 1,024, beside two plain loops: one
  takes each seed by itself and each node with tensor operations, the other goes through the batch's nodes in pure
  Python, draws with ``random.sample`` and numbers with a dictionary. All in turn in one process, medians; the time of
  the thread, because on a shared machine the clock on the wall counts others' work, too. Then PyG's ``NodeLoader`` with
  features fetched, by the clock on the wall, and resident memory after each epoch.
- ``batches``: random walks and clusters, an epoch of each.
- ``inference``: layer by layer and the usual forward pass of the whole graph, each in a process of its own: seconds,
  and peak resident memory above the level before the call.
- ``grace``: pretraining by GRACE, a two-layer GCN of widths 256 and 128, with all pairs, with sampled negatives, and on
  sampled neighbourhoods; seconds and memory of each epoch.

Another section is a function that yields rows, and a line in ``SECTIONS``. Writes ``results/large.csv``.
"""

import argparse
import csv
import datetime
import json
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader
from torch_geometric.nn import GCN as PyGGCN
from torch_geometric.nn import GraphSAGE
from torch_geometric.sampler import NodeSamplerInput

from graphcl import __version__
from graphcl.data import ClusterBatches, NeighbourSampler, RandomWalkBatches, partition, power_law_graph
from graphcl.losses import SampledNTXent
from graphcl.methods import GRACE, edge_and_feature_drop
from graphcl.nn import GCN, GIN, GraphEncoder, embed_layerwise

RESULTS = Path(__file__).parent / "results"
FAN_OUT, BATCH = [15, 10], 1024
Row = dict[str, Any]
MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    "GIN(128, 64, 3)": lambda: GIN(128, 64, 3),
    "GCN(128, 128, 2)": lambda: PyGGCN(128, 128, 2),
    "GraphSAGE(128, 128, 2)": lambda: GraphSAGE(128, 128, 2),
}


def sorted_edges(graph: Data) -> tuple[Tensor, Tensor]:
    edge_index = graph.edge_index[:, graph.edge_index[1].argsort(stable=True)]
    return torch.searchsorted(edge_index[1], torch.arange(graph.num_nodes + 1)), edge_index[0]


def loop_over_seeds(graph: Data) -> Callable[[Tensor], int]:
    """One seed after the other, one node after the other, with tensor operations; returns the number of edges."""
    begins, source = sorted_edges(graph)

    def neighbours(node: Tensor, k: int) -> Tensor:
        found = source[begins[node] : begins[node + 1]]
        return found if len(found) <= k else found[torch.randperm(len(found))[:k]]

    def sample(seeds: Tensor) -> int:
        edges = []
        for seed in seeds:
            frontier = seed[None]
            for k in FAN_OUT:
                found = [neighbours(node, k) for node in frontier]
                target = frontier.repeat_interleave(torch.tensor([len(other) for other in found]))
                frontier = torch.cat(found)
                edges.append(torch.stack([frontier, target]))
                frontier = frontier.unique()
                if not len(frontier):
                    break
        _, edge_index = torch.cat(edges, 1).unique(return_inverse=True)
        return edge_index.size(1)

    return sample


def loop_over_nodes(graph: Data) -> Callable[[Tensor], int]:
    """The nodes of the batch one after the other, in pure Python; returns the number of edges."""
    begins, source = (part.tolist() for part in sorted_edges(graph))
    rng = random.Random(0)

    def sample(seeds: Tensor) -> int:
        nodes = seeds.tolist()
        number = {node: place for place, node in enumerate(nodes)}
        row, col = [], []
        frontier = nodes
        for k in FAN_OUT:
            found = []
            for node in frontier:
                begin, end = begins[node], begins[node + 1]
                places = range(begin, end) if end - begin <= k else rng.sample(range(begin, end), k)
                for place in places:
                    neighbour = source[place]
                    if neighbour not in number:
                        number[neighbour] = len(number)
                        found.append(neighbour)
                    row.append(number[neighbour])
                    col.append(number[node])
            frontier = found
        torch.tensor(list(number)), torch.tensor([row, col])
        return len(row)

    return sample


def sampling(graph: Data, arguments: argparse.Namespace) -> Iterator[Row]:
    sampler = NeighbourSampler(graph, FAN_OUT, seed=0)
    ways: dict[str, Callable[[Tensor], int]] = {
        "NeighbourSampler": lambda seeds: sampler.sample_from_nodes(NodeSamplerInput(None, seeds)).row.numel(),
        "loop over seeds, tensors": loop_over_seeds(graph),
        "loop over nodes, pure Python": loop_over_nodes(graph),
    }
    batches = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(0)).split(BATCH)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for seeds in batches[: 2 + arguments.rounds]:
        for name, way in ways.items():
            start = time.thread_time()
            way(seeds)
            seconds[name].append(time.thread_time() - start)
    for name, spent in seconds.items():
        ratios = [other / own for other, own in zip(spent[2:], seconds["NeighbourSampler"][2:], strict=True)]
        value = BATCH / statistics.median(spent[2:])
        yield {"measure": name, "value": value, "unit": "seeds/s", "ratio": statistics.median(ratios)}
    loader = NodeLoader(graph, sampler, batch_size=BATCH, shuffle=True)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        start = time.perf_counter()
        nodes = sum(batch.num_nodes for batch in loader)
        took = time.perf_counter() - start
        yield {"measure": f"NodeLoader, epoch {epoch}", "value": graph.num_nodes / took, "unit": "seeds/s"}
        yield {"measure": f"NodeLoader, epoch {epoch}: rows of features", "value": nodes / took, "unit": "rows/s"}
        yield {"measure": f"resident memory after epoch {epoch}", "value": resident(), "unit": "MiB"}


def batches(graph: Data, arguments: argparse.Namespace) -> Iterator[Row]:
    made: dict[str, Callable[[], Any]] = {
        "RandomWalkBatches(roots=3000, length=2)": lambda: RandomWalkBatches(graph),
        "ClusterBatches, 100 by bandwidth, 10 each": lambda: ClusterBatches(
            graph, partition(graph, 100, method="bandwidth"), clusters=10
        ),
    }
    for name, make in made.items():
        start = time.perf_counter()
        batches = make()
        middle = time.perf_counter()
        edges = sum(batch.num_edges for batch in batches)
        end = time.perf_counter()
        yield {"measure": f"{name}: set up", "value": middle - start, "unit": "s"}
        yield {"measure": f"{name}: epoch of {len(batches)}", "value": end - middle, "unit": "s"}
        yield {"measure": f"{name}: edges in an epoch", "value": edges, "unit": "edges"}


def inference(graph: Data, arguments: argparse.Namespace) -> Iterator[Row]:
    for name in MODELS:
        whole, layerwise = (in_a_child(name, how, arguments.threads) for how in ("whole graph", "layer by layer"))
        for how, (seconds, peak) in (("whole graph", whole), ("layer by layer", layerwise)):
            yield {"measure": f"{name}, {how}", "value": seconds, "unit": "s", "ratio": whole[0] / seconds}
            yield {"measure": f"{name}, {how}: peak memory", "value": peak, "unit": "MiB", "ratio": whole[1] / peak}


def in_a_child(name: str, how: str, threads: int) -> tuple[float, float]:
    seconds, peak = json.loads(in_a_child_of(name, how, threads))
    return seconds, peak


def in_a_child_of(name: str, how: str, threads: int) -> str:
    command = [sys.executable, "-W", "ignore", __file__, "--threads", str(threads), "--child", name, how]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def child(name: str, how: str) -> None:
    """One model, one way: seconds and the peak of memory in MiB; a small graph first, which loads the libraries."""
    if name == "grace":
        return train_grace(how)
    model = MODELS[name]().eval()
    small, graph = power_law_graph(1000, 5000), power_law_graph()

    def run(data: Data) -> None:
        with torch.no_grad():
            if how == "layer by layer":
                embed_layerwise(model, data.x, data.edge_index)
            else:
                model(data.x, data.edge_index)

    run(small)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to the present level
    before = resident()
    start = time.perf_counter()
    run(graph)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, resident("VmHWM") - before]))


def resident(what: str = "VmRSS") -> float:
    """MiB that this process has in memory now, or has had at most (``VmHWM``)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def device() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(": ")[1] for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


GRACE_RUNS = {
    "full graph, all pairs": 1,
    "full graph, 2,048 sampled negatives": 3,
    "1,024 seeds a step, fan-out [15, 10]": 2,
}


def grace(graph: Data, arguments: argparse.Namespace) -> Iterator[Row]:
    """Pretraining by GRACE: an epoch is one step on the full graph, or as many as it takes to see every node once."""
    for how in GRACE_RUNS:
        epochs = json.loads(in_a_child_of("grace", how, arguments.threads))
        for number, (seconds, peak, held) in enumerate(epochs, start=1):
            yield {"measure": f"GRACE, {how}: epoch {number}", "value": seconds, "unit": "s"}
            yield {"measure": f"GRACE, {how}: peak memory in epoch {number}", "value": peak, "unit": "MiB"}
            yield {"measure": f"GRACE, {how}: resident memory after epoch {number}", "value": held, "unit": "MiB"}


def train_grace(how: str) -> None:
    """Prints (seconds, peak MiB above the level before training, resident MiB) of each epoch."""
    loss = SampledNTXent(samples=2048, temperature=0.4) if "sampled" in how else None
    views = (edge_and_feature_drop(0.2, 0.3), edge_and_feature_drop(0.4, 0.4))
    method = GRACE(GraphEncoder(GCN(128, 256, 2, out_channels=128)), views=views, loss=loss)
    optimizer = torch.optim.Adam(method.parameters(), lr=5e-4, fused=True)

    def run(data: Data, fan_out: list[int]) -> None:
        batches: Any = [data]
        if "seeds" in how:
            batches = NodeLoader(data, NeighbourSampler(data, fan_out), batch_size=BATCH, shuffle=True)
        for batch in batches:
            optimizer.zero_grad()
            method(batch).backward()
            optimizer.step()

    small, graph = power_law_graph(1000, 5000), power_law_graph()
    run(small, FAN_OUT)
    before, epochs = resident(), []
    for _ in range(GRACE_RUNS[how]):
        Path("/proc/self/clear_refs").write_text("5")
        start = time.perf_counter()
        run(graph, FAN_OUT)
        epochs.append([time.perf_counter() - start, resident("VmHWM") - before, resident()])
    print(json.dumps(epochs))


SECTIONS: dict[str, Callable[[Data, argparse.Namespace], Iterator[Row]]] = {
    "sampling": sampling,
    "batches": batches,
    "inference": inference,
    "grace": grace,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rounds", type=int, default=30, help="batches that are timed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS / "large.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.child:
        return child(*arguments.child)
    start = time.perf_counter()
    graph = power_law_graph()
    rows: list[Row] = [{"section": "graph", "measure": "made in", "value": time.perf_counter() - start, "unit": "s"}]
    for name in arguments.sections:
        for row in SECTIONS[name](graph, arguments):
            rows.append({"section": name, **row})
            print(rows[-1], flush=True)
    write(rows, arguments)


def write(rows: list[Row], arguments: argparse.Namespace) -> None:
    """The rows of the sections that ran, and those of the others as they were."""
    asked = "" if arguments.sections == list(SECTIONS) else f" --sections {' '.join(arguments.sections)}"
    common = {
        "nodes": 169_343,
        "edges": 2_332_486,
        "threads": arguments.threads,
        "device": device(),
        "torch": torch.__version__,
        "version": __version__,
        "command": f"python benchmarks/large.py{asked} --rounds {arguments.rounds} --threads {arguments.threads}",
        "date": datetime.date.today().isoformat(),
    }
    fields = ["section", "measure", "value", "unit", "ratio", *common]
    ran = {row["section"] for row in rows}
    kept = []
    if arguments.out.is_file():
        with open(arguments.out, newline="") as file:
            kept = [row for row in csv.DictReader(file) if row["section"] not in ran]
    for row in rows:
        rounded = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()}
        kept.append({"ratio": "", **rounded, **common})
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=fields)
        writer.writeheader()
        writer.writerows(sorted(kept, key=lambda row: ["graph", *SECTIONS].index(row["section"])))


if __name__ == "__main__":
    main()
