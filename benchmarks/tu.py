"""Graph classification on TU data sets with frozen embeddings: GraphCL beside all that it has to beat.

    python benchmarks/tu.py --datasets MUTAG PROTEINS NCI1 IMDB-BINARY --seeds 5

Pretrains once per data set and seed, keeps the embeddings by hash, scores them under every protocol, writes the scores
per seed and fold to ``results/raw/`` and the table to ``results/tu.csv``. Started again, it goes on where it stopped.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch

from graphcl import __version__
from graphcl._recipes import settings_for
from graphcl._resolve import make_method
from graphcl.data import PackedDataset, card, load
from graphcl.evaluate import (
    Note,
    Provenance,
    compared_embeddings,
    evaluate_embeddings,
    format_table,
    protocol,
    raw_path,
    result_rows,
    write_results,
)
from graphcl.train import fit

RESULTS = Path(__file__).parent / "results"
# The recipe of the paper and of the authors' TU code; nothing here was tuned, and nothing may be, on these scores.
RECIPE: dict[str, Any] = settings_for("graphcl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["MUTAG", "PROTEINS", "NCI1", "IMDB-BINARY"])
    parser.add_argument("--protocols", nargs="+", default=["tu-rbf-svm", "tu-rbf-svm-scaled", "tu-linear-svm"])
    parser.add_argument("--seeds", type=int, default=5, help="model seeds 0, 1, ...; each is the seed of its folds too")
    parser.add_argument("--jobs", type=int, default=1, help="threads that share the folds")
    parser.add_argument("--out", type=Path, default=RESULTS / "tu.csv")
    parser.add_argument("--cache", type=Path, default=Path("runs") / "embeddings")
    arguments = parser.parse_args()
    command = f"python benchmarks/tu.py --datasets {' '.join(arguments.datasets)} --seeds {arguments.seeds}"
    for name in arguments.datasets:
        table(name, range(arguments.seeds), arguments, command)


def table(name: str, seeds: range, arguments: argparse.Namespace, command: str) -> None:
    """All rows of one data set."""
    entry, dataset = card(name), load(name)
    graphs = PackedDataset(dataset, graph_id=True)
    seconds: list[float] = []

    def make(seed: int) -> Any:
        return make_method({**RECIPE, "seed": seed}, dataset.num_features)

    def trained(seed: int) -> Any:
        method, start = make(seed), time.perf_counter()
        options = {"epochs": RECIPE["epochs"], "batch_size": RECIPE["batch_size"], "lr": RECIPE["lr"]}
        if fit(method, graphs, **options, seed=seed).interrupted:  # nothing half trained may be kept
            raise KeyboardInterrupt
        seconds.append(time.perf_counter() - start)
        return method

    key = {**RECIPE, "dataset": name, "version": __version__, "torch": torch.__version__}
    embeddings, kernels = compared_embeddings(
        graphs, seeds, make=make, trained={"GraphCL": trained}, cache=arguments.cache, key=key
    )
    published = {entry.method: entry for entry in entry.published if entry.protocol == "tu-rbf-svm"}
    for protocol_name in arguments.protocols:
        chosen = protocol(protocol_name)
        evaluation = evaluate_embeddings(
            embeddings,
            graphs.y.numpy(),
            chosen,
            list(seeds),
            kernels=kernels,
            raw=raw_path(arguments.out.parent / "raw", name, chosen),
            n_jobs=arguments.jobs,
            progress=lambda method, seed, at=f"{name} {protocol_name}": print(at, method, seed, file=sys.stderr),
        )
        notes = {"untrained-init": Note(epochs=0), "untrained": Note(epochs=0)}
        quoted = published.get("GraphCL") if protocol_name == "tu-rbf-svm" else None
        notes["GraphCL"] = Note(
            epochs=RECIPE["epochs"],
            selected_by="fixed epoch",
            published=quoted.mean if quoted else None,
            published_source=quoted.source if quoted else "",
        )
        rows = result_rows(
            evaluation,
            dataset=name,
            features=entry.features or "original",
            notes=notes,
            provenance=Provenance(device="cpu", command=command),
        )
        write_results(arguments.out, rows)
        print(format_table(rows), flush=True)


if __name__ == "__main__":
    main()
