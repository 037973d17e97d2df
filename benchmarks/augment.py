"""Milliseconds per view: whole batches at once against loops over graphs; one large graph against plain tensor code.

    python benchmarks/augment.py

Every pair is timed in turn in one process; only the ratio means anything on a shared machine. Of a batch of molecules
ours takes a finished ``Batch``, and a loop over graphs makes one; as that is most of a cheap loop's time, it is timed
twice more: with no batch made by either, and with one made by both, by ours out of a packed set. Writes
``results/augment.csv``: median times, the median ratio of the rounds, and peak memory where it is the question.
"""

import argparse
import csv
import datetime
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import literal_views as literal
import numpy as np
import torch
from torch_geometric.data import Batch, Data

from graphcl import __version__
from graphcl.augment import (
    EdgeDrop,
    EdgePerturb,
    FeatureMask,
    NodeDrop,
    NodeMask,
    PairIndex,
    PPRDiffusion,
    RandomWalkSubgraph,
    StarSubgraph,
)
from graphcl.data import PackedDataset, synthetic_molecules

RESULTS = Path(__file__).parent / "results"
Case = tuple[str, str, str, float, Callable[[], Any], Callable[[], Any]]  # scale, view, opponent, goal, ours, theirs
SHARE = 0.1


def molecule_cases(count: int) -> list[Case]:
    """A batch of ``count`` molecules: the authors' recipe with its renumbering, and a plain loop with PyG."""
    graphs = synthetic_molecules(count)
    packed = PackedDataset(graphs, graph_id=True)
    everything = torch.arange(count)
    batch = Batch.from_data_list(graphs)
    rng = np.random.default_rng(0)
    perturb = literal.authors_perturb_edges
    authors = {
        "node drop": (NodeDrop(SHARE, count="floor"), literal.authors_drop_nodes, 80),
        "edge perturb, dropping only, as theirs": (
            EdgePerturb(SHARE, 0, count="floor"),
            literal.authors_perturb_edges,
            25,
        ),
        "edge perturb, also adding": (EdgePerturb(SHARE, SHARE, count="floor"), perturb, 25),
        "node mask": (NodeMask(SHARE, fill="gaussian", count="floor"), literal.authors_mask_nodes, 80),
        "subgraph, a star, as theirs": (StarSubgraph(0.2, count="floor"), literal.authors_subgraph, 40),
        "subgraph, a walk": (RandomWalkSubgraph(0.2, count="floor"), literal.authors_subgraph, 40),
    }
    loops = {
        "node drop": (NodeDrop(SHARE, count="floor"), literal.torch_drop_nodes, 20),
        "edge drop": (EdgeDrop(SHARE), literal.torch_drop_edges, 20),
        "node mask": (NodeMask(SHARE, count="floor"), literal.torch_mask_nodes, 20),
        "subgraph": (RandomWalkSubgraph(0.2, count="floor"), literal.torch_walk, 20),
    }

    def by_authors(change: Callable[..., Data]) -> Callable[[], Any]:
        return lambda: literal.authors_batch([change(data, rng) for data in graphs])

    def by_loop(change: Callable[[Data], Data]) -> Callable[[], Any]:
        return lambda: Batch.from_data_list([change(data) for data in graphs])

    cases: list[Case] = [
        (f"{count} molecules", view, "authors' recipe", goal, lambda aug=aug: aug(batch), by_authors(change))
        for view, (aug, change, goal) in authors.items()
    ]
    cases += [
        (f"{count} molecules", view, "PyG loop", goal, lambda aug=aug: aug(batch), by_loop(change))
        for view, (aug, change, goal) in loops.items()
    ]
    for view, (aug, change, goal) in loops.items():
        alone = lambda aug=aug: aug(batch)  # noqa: E731
        both = lambda aug=aug: aug(packed.batch(everything))  # noqa: E731
        unbatched = lambda change=change: [change(data) for data in graphs]  # noqa: E731
        cases.append((f"{count} molecules", view, "PyG loop, no batch made", goal, alone, unbatched))
        cases.append((f"{count} molecules", view, "PyG loop, both make a batch", goal, both, by_loop(change)))
    if count <= 128:  # the whole batch as one dense matrix: with 512 molecules it takes minutes
        diffusion = PPRDiffusion(0.2, threshold=1e-4)
        dense = lambda: literal.pygcl_pagerank(batch)  # noqa: E731
        cases.append((f"{count} molecules", "PageRank", "PyGCL formula", 100, lambda: diffusion(batch), dense))
    return cases


def large_graph(nodes: int = 100_000, pairs: int = 500_000, width: int = 128) -> Data:
    """A random undirected graph."""
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(nodes, (2, 3 * pairs), generator=generator)
    ends = ends[:, ends[0] < ends[1]]
    ends = torch.unique(ends, dim=1)
    ends = ends[:, torch.randperm(ends.size(1), generator=generator)[:pairs]]
    edge_index = torch.cat([ends, ends.flip(0)], 1)
    edge_index = edge_index[:, (edge_index[0] * nodes + edge_index[1]).argsort()]
    return Data(x=torch.randn(nodes, width, generator=generator), edge_index=edge_index)


def large_cases() -> list[Case]:
    """One graph of 100,000 nodes, 1,000,000 directed edges and 128 features."""
    data = large_graph()
    indexed = PairIndex()(data)
    order = torch.randperm(data.num_edges, generator=torch.Generator().manual_seed(0))
    shuffled = Data(x=data.x, edge_index=data.edge_index[:, order])
    plain_edges = lambda: literal.plain_drop_edges(data, SHARE)  # noqa: E731
    shuffled_edges = lambda: literal.plain_drop_edges(shuffled, SHARE)  # noqa: E731
    plain_features = lambda: literal.plain_mask_features(data, SHARE)  # noqa: E731
    pygcl_nodes = lambda: literal.pygcl_drop_nodes(data, SHARE)  # noqa: E731
    scale = "100k nodes, 1M edges"

    def on(aug: Any, graph: Data) -> Callable[[], Any]:
        return lambda: aug(graph)

    exact = EdgeDrop(SHARE, count="round")
    return [
        (
            scale,
            "edge drop, each direction",
            "plain tensors",
            1 / 1.2,
            on(EdgeDrop(SHARE, directed=True), data),
            plain_edges,
        ),
        (scale, "edge drop, undirected", "plain tensors", 1 / 3, on(EdgeDrop(SHARE), data), plain_edges),
        (
            scale,
            "edge drop, undirected, pairs kept",
            "plain tensors",
            1 / 1.2,
            on(EdgeDrop(SHARE), indexed),
            plain_edges,
        ),
        (scale, "edge drop, exact", "plain tensors", 1 / 3, on(exact, data), plain_edges),
        (scale, "edge drop, exact, edges in no order", "plain tensors", 1 / 3, on(exact, shuffled), shuffled_edges),
        (scale, "edge drop, exact, pairs kept", "plain tensors", 1 / 1.2, on(exact, indexed), plain_edges),
        (scale, "feature mask", "plain tensors", 1 / 1.2, on(FeatureMask(SHARE), data), plain_features),
        (scale, "node drop, as a mask", "PyGCL formula", 2, on(NodeDrop(SHARE, remove=False), data), pygcl_nodes),
        (scale, "node drop, removed", "PyGCL formula", 1, on(NodeDrop(SHARE), data), pygcl_nodes),
    ]


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Both in turn, each as often as fills 30 ms; the ratio is that of each round's pair."""
    scale, view, opponent, goal, ours, theirs = case
    runs = {"theirs": theirs, "ours": ours}
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    repeats = {name: max(1, int(30 / timed(run, 1))) for name, run in runs.items() if timed(run, 1)}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(timed(run, repeats[name]))
    ratios = [b / a for a, b in zip(times["ours"], times["theirs"], strict=True)]
    return {
        "scale": scale,
        "view": view,
        "opponent": opponent,
        "ours_ms": round(statistics.median(times["ours"]), 3),
        "theirs_ms": round(statistics.median(times["theirs"]), 3),
        "ratio_median": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
        "goal": round(goal, 2),
        "peak_extra_mb": "",
    }


def timed(run: Callable[[], Any], repeats: int) -> float:
    """Milliseconds per run."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return 1e3 * (time.perf_counter() - start) / repeats


def pagerank_of_the_large_graph() -> dict[str, Any]:
    """Time and memory in a process of its own: the dense formula would need 37 GiB for one matrix."""
    command = [sys.executable, __file__, "--pagerank-only", "--threads", str(torch.get_num_threads())]
    seconds, extra = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    row = {"scale": "100k nodes, 1M edges", "view": "PageRank", "opponent": "PyGCL formula (does not fit)"}
    return row | {"ours_ms": round(1e3 * float(seconds), 1), "peak_extra_mb": round(float(extra)), "goal": "< 2048 MB"}


def pagerank_only() -> None:
    data, view = large_graph(), PPRDiffusion(0.2, top_k=32)
    view(Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0, 1], [1, 0]])))
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    view(data)
    print(time.perf_counter() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="measure everything at each")
    parser.add_argument("--pagerank-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS / "augment.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads[0])
    if arguments.pagerank_only:
        return pagerank_only()
    common = {
        "rounds": arguments.rounds,
        "device": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "version": __version__,
        "command": f"python benchmarks/augment.py --rounds {arguments.rounds}",
        "date": datetime.date.today().isoformat(),
    }
    cases = [*molecule_cases(128), *molecule_cases(512), *large_cases()]
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for case in cases:
            rows.append(measure(case, 3 if "PageRank" in case[1] else arguments.rounds) | {"threads": threads} | common)
            print({key: rows[-1][key] for key in ("scale", "view", "opponent", "ours_ms", "ratio_median", "threads")})
    rows.append(pagerank_of_the_large_graph() | {"threads": arguments.threads[-1]} | common)
    print(rows[-1])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
