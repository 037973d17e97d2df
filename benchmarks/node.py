"""Node classification with frozen embeddings: every method with its paper's settings, beside its encoder untrained.

    python benchmarks/node.py --datasets Cora CiteSeer --seeds 10
    python benchmarks/node.py --datasets Cora_ML Actor Minesweeper Cornell Texas Wisconsin --seeds 3

Trains once per data set, method and seed, keeps the embeddings by hash, scores them under the protocols of the data
set's card, writes the scores per seed and split to ``results/raw/`` and the table to ``results/node.csv``. Started
again, it goes on where it stopped. Each method has an encoder of its own and so a row ``untrained (METHOD)``, over
which its lift is, and the row ``untrained`` is GRACE's encoder.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphcl import __version__
from graphcl._recipes import settings_for
from graphcl._resolve import make_method
from graphcl.cli._bench_plan import notes_on
from graphcl.data import card, load
from graphcl.evaluate import (
    Provenance,
    SupervisedGCN,
    cached,
    embed_nodes,
    evaluate_nodes,
    format_table,
    node_protocol,
    raw_node_embeddings,
    raw_path,
    read_results,
    result_rows,
    untrained_node_embeddings,
    write_results,
)
from graphcl.train import fit

RESULTS = Path(__file__).parent / "results"
NAMES = {
    "GRACE": "grace",
    "BGRL": "bgrl",
    "CCA-SSG": "cca-ssg",
    "DGI": "dgi",
    "GCA": "gca",
    "MVGRL": "mvgrl",
    "G-BT": "g-bt",
    "GGD": "ggd",
    "COSTA": "costa",
    "SGRL": "sgrl",
    "GraphMAE": "graphmae",
    "MVGRL-power-2": "mvgrl",
    "CCA-SSG-searched": "cca-ssg",
}
# What a row has on a set that its method's recipe has not; it is no part of the papers. By the mean accuracy on the
# validation nodes: for MVGRL the best of the powers 0, 1, 2, 3, 5 and 8, three seeds on both sets; for CCA-SSG of about
# twenty settings of drops, decorrelation, epochs, layers and width, three seeds each, and the best two with ten.
CHANGED: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "MVGRL-power-2": dict.fromkeys(("Cora", "CiteSeer"), {"arguments": {"power": 2}}),
    "CCA-SSG-searched": {
        "Cora": {"views": ["edge-drop-directed:0.6+feature-mask:0.3"] * 2, "arguments": {"power": 2}},
        "CiteSeer": {"views": ["edge-drop-directed:0.8"] * 2, "arguments": {"power": 5}},
    },
}
# What fits a session on two cores; the papers' own are in graphcl methods NAME.
EPOCHS = {"bgrl": 1000}
PROTOCOLS = {
    "Cora": ("node-linear-public", "node-linear-random-10-10-80", "node-grace-10-90", "kmeans"),
    "CiteSeer": ("node-linear-public", "node-linear-random-10-10-80", "node-grace-10-90", "kmeans"),
    "Cora_ML": ("node-linear-random-10-10-80",),
}
OPTIONS = ("epochs", "lr", "weight_decay", "optimizer", "schedule", "warmup", "clip", "precision", "patience")
# What decides the vectors; how long they took does not.
TRAINED = (
    "features",
    "encoder",
    "hidden",
    "last_width",
    "layers",
    "activation",
    "act_last",
    "norm",
    "joined",
    "dropout",
)
TRAINED += ("views", "temperature", "objective", "arguments", "method", *OPTIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["Cora", "CiteSeer"])
    parser.add_argument("--methods", nargs="+", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--protocols", nargs="+", default=None, help="by default those chosen for the data set")
    parser.add_argument(
        "--seeds", type=int, default=10, help="model seeds 0, 1, ...; the splits do not change with them"
    )
    parser.add_argument("--jobs", type=int, default=1, help="threads that share the splits")
    parser.add_argument("--train-only", action="store_true", help="make the embeddings and score nothing")
    parser.add_argument("--out", type=Path, default=RESULTS / "node.csv")
    parser.add_argument("--cache", type=Path, default=Path("runs") / "node-embeddings")
    arguments = parser.parse_args()
    for name in arguments.datasets:
        table(name, range(arguments.seeds), arguments)


def table(name: str, seeds: range, arguments: argparse.Namespace) -> None:
    """All rows of one data set."""
    entry = card(name)
    chosen = {
        method: settings_of(NAMES[method], name) | changed
        for method in arguments.methods
        if (changed := CHANGED.get(method, {name: {}}).get(name)) is not None
    }
    data = {
        features: load(name, features=features)[0] for features in {s["features"] for s in chosen.values()} | {None}
    }
    embeddings: dict[str, list[Any]] = {"raw": [raw_node_embeddings(data[None])] * len(seeds)}
    twins: dict[str, str] = {}
    for method, settings in chosen.items():
        graph = data[settings["features"]]

        def make(seed: int, settings: Mapping[str, Any] = settings, graph: Any = graph) -> Any:
            steps = settings["epochs"]
            return make_method({**settings, "seed": seed}, graph.num_features, total_steps=steps)

        twins[method] = "untrained" if method == "GRACE" else f"untrained ({method})"
        key = {**{k: settings[k] for k in TRAINED}, "dataset": name, "version": __version__, "torch": torch.__version__}
        for row, build in ((twins[method], untrained), (method, trained)):
            embeddings[row] = [
                cached(
                    arguments.cache,
                    {**key, "row": row, "seed": seed},
                    lambda seed=seed, build=build, make=make, graph=graph, settings=settings: build(
                        make, seed, graph, settings
                    ),
                )
                for seed in seeds
            ]
    if not arguments.train_only:
        for protocol_name in arguments.protocols or PROTOCOLS.get(name, ("node-fixed-splits",)):
            score(name, entry, data[None], embeddings, twins, chosen, protocol_name, seeds, arguments)


def settings_of(method: str, dataset: str) -> dict[str, Any]:
    settings = settings_for(method, dataset)
    epochs = min(settings["epochs"], EPOCHS.get(method, settings["epochs"]))
    return {**settings, "epochs": epochs, "warmup": settings["warmup"] * epochs // settings["epochs"]}


def untrained(make: Callable[[int], Any], seed: int, graph: Any, settings: Mapping[str, Any]) -> Any:
    return untrained_node_embeddings(lambda: make(seed), graph, seed=seed).astype(np.float32)


def trained(make: Callable[[int], Any], seed: int, graph: Any, settings: Mapping[str, Any]) -> Any:
    method, start = make(seed), time.perf_counter()
    history = fit(method, graph, **{option: settings[option] for option in OPTIONS}, seed=seed, progress=False)
    if history.interrupted:  # nothing half trained may be kept
        raise KeyboardInterrupt
    seconds, epochs = time.perf_counter() - start, history.best_epoch or len(history.epochs)
    print(f"  {type(method).__name__}, seed {seed}: {seconds:.0f} s, epoch {epochs}", file=sys.stderr, flush=True)
    return embed_nodes(method, graph).astype(np.float32)


def score(
    name: str, entry: Any, data: Any, embeddings: dict[str, list[Any]], twins: Mapping[str, str],
    chosen: Mapping[str, Any], protocol_name: str, seeds: range, arguments: argparse.Namespace,
) -> None:  # fmt: skip
    """Score all embeddings under one protocol; each method's lift is over its own encoder untrained."""
    protocol = node_protocol(protocol_name)
    models = {"supervised": SupervisedGCN(data)} if protocol.probe == "logistic" else None
    evaluation = evaluate_nodes(
        embeddings,
        data,
        protocol,
        list(seeds),
        models=models,
        metric="auc" if entry.metric == "auc" and protocol.probe == "logistic" else "accuracy",
        raw=raw_path(arguments.out.parent / "raw", name, protocol),
        n_jobs=arguments.jobs,
        progress=lambda method, seed: print(name, protocol_name, method, seed, file=sys.stderr, flush=True),
    )
    methods = "" if arguments.methods == list(NAMES) else f" --methods {' '.join(arguments.methods)}"
    command = f"python benchmarks/node.py --datasets {name}{methods} --seeds {len(seeds)} --protocols {protocol_name}"
    # Raw features and the supervised network have no encoder untrained to be beside.
    over: dict[str, str | None] = dict.fromkeys(evaluation.seconds)
    over = {row: twins.get(row) for row in over if row not in twins.values()}
    own = {row: chosen[method]["features"] for method, twin in twins.items() for row in (method, twin)}
    rows = [
        replace(row, features=own.get(row.method) or entry.features or "original")
        for row in result_rows(
            evaluation,
            dataset=name,
            notes=notes_on(evaluation.seconds, chosen, entry, protocol_name),
            provenance=Provenance(device="cpu", command=command),
            over=over,
        )
    ]
    known = {(r.dataset, r.method, r.protocol): r.seeds for r in read_results(arguments.out)}
    # What all methods share, such as raw, is not replaced by a run of some methods with fewer seeds.
    asked = {*chosen, *twins.values()}
    kept = [r for r in rows if r.method in asked or r.seeds >= known.get((r.dataset, r.method, r.protocol), 0)]
    write_results(arguments.out, kept)
    print(format_table(rows), flush=True)
    best = {m: float(np.nanmean(v)) for m, v in evaluation.validation.items() if m in twins and np.isfinite(v).all()}
    if best:
        first = max(best, key=lambda m: best[m])
        print(f"highest mean validation score: {first}, {best[first]:.2f}\n", flush=True)


if __name__ == "__main__":
    main()
