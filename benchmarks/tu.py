"""Graph classification on TU data sets with frozen embeddings: every method beside all that it has to beat.

    python benchmarks/tu.py --datasets MUTAG PROTEINS NCI1 IMDB-BINARY --seeds 5
    python benchmarks/tu.py --datasets MUTAG --methods graphcl infograph simgrace --protocols tu-rbf-svm

Pretrains once per data set, method and seed, keeps the embeddings by hash, scores them under every protocol, writes the
scores per seed and fold to ``results/raw/`` and the table to ``results/tu.csv``. Started again, it goes on where it
stopped. A method's lift is over its own encoder untrained: the row ``untrained`` is GraphCL's encoder, and one that
differs has a row ``untrained (METHOD)``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from graphcl._recipes import settings_for
from graphcl.cli._bench_plan import notes_on, untrained_as
from graphcl.cli._bench_training import Training, train_all
from graphcl.data import PackedDataset, card
from graphcl.evaluate import (
    Provenance,
    evaluate_embeddings,
    format_table,
    protocol,
    raw_path,
    result_rows,
    write_results,
)

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["MUTAG", "PROTEINS", "NCI1", "IMDB-BINARY"])
    # Each with the settings of its paper; none was tuned, and none may be, on these scores.
    parser.add_argument("--methods", nargs="+", default=["graphcl"], help="as graphcl methods lists them")
    parser.add_argument("--protocols", nargs="+", default=["tu-rbf-svm", "tu-rbf-svm-scaled", "tu-linear-svm"])
    parser.add_argument("--seeds", type=int, default=5, help="model seeds 0, 1, ...; each is the seed of its folds too")
    parser.add_argument("--workers", type=int, default=1, help="processes that train at once")
    parser.add_argument("--jobs", type=int, default=1, help="threads that share the folds")
    parser.add_argument("--train-only", action="store_true", help="make the embeddings and score nothing")
    parser.add_argument("--out", type=Path, default=RESULTS / "tu.csv")
    parser.add_argument("--cache", type=Path, default=Path("runs") / "embeddings")
    arguments = parser.parse_args()
    for name in arguments.datasets:
        table(name, range(arguments.seeds), arguments)


class Embedded(NamedTuple):
    """What there is to score of one data set."""

    graphs: PackedDataset
    embeddings: dict[str, list[Any]]  # of every row, one array per seed
    kernels: dict[str, Any]
    over: dict[str, str | None]  # the row that a method's lift is over
    settings: dict[str, dict[str, Any]]


def embed(name: str, seeds: range, methods: Sequence[str], cache: Path, *, workers: int = 1) -> Embedded:
    """The embeddings by every method and by its encoder untrained; trained now, or kept from before."""
    usual = settings_for("graphcl")
    chosen = dict.fromkeys(["graphcl", *methods])
    trainings = [Training(name, None, settings_for(method), "cpu", cache) for method in chosen]
    for _ in train_all(trainings, seeds, workers=workers):
        pass
    embeddings: dict[str, list[Any]] = {}
    kernels: dict[str, Any] = {}
    over: dict[str, str | None] = {}
    settings: dict[str, dict[str, Any]] = {}
    for training in trainings:
        rows, kernel = training.embeddings(seeds, kernel=not embeddings)
        kernels |= kernel
        if not embeddings:
            embeddings = {row: rows[row] for row in ("raw", "untrained-init", "untrained")}
        over[training.name] = "untrained" if untrained_as(training, usual) else f"untrained ({training.name})"
        embeddings |= {over[training.name]: rows["untrained"], training.name: rows[training.name]}
        settings[training.name] = dict(training.settings)
    return Embedded(trainings[0].data, embeddings, kernels, over, settings)


def table(name: str, seeds: range, arguments: argparse.Namespace) -> None:
    """All rows of one data set."""
    entry = card(name)
    graphs, embeddings, kernels, over, chosen = embed(
        name, seeds, arguments.methods, arguments.cache, workers=arguments.workers
    )
    if arguments.train_only:
        return
    for protocol_name in arguments.protocols:
        rules = protocol(protocol_name)
        evaluation = evaluate_embeddings(
            embeddings,
            graphs.y.numpy(),
            rules,
            list(seeds),
            kernels=kernels,
            raw=raw_path(arguments.out.parent / "raw", name, rules),
            n_jobs=arguments.jobs,
            progress=lambda method, seed, at=f"{name} {protocol_name}": print(at, method, seed, file=sys.stderr),
        )
        methods = "" if arguments.methods == ["graphcl"] else f" --methods {' '.join(arguments.methods)}"
        command = f"python benchmarks/tu.py --datasets {name}{methods} --protocols {protocol_name} --seeds {len(seeds)}"
        rows = result_rows(
            evaluation,
            dataset=name,
            features=entry.features or "original",
            notes=notes_on(evaluation.seconds, chosen, entry, protocol_name),
            provenance=Provenance(device="cpu", command=command),
            over=over,
        )
        write_results(arguments.out, rows)
        print(format_table(rows), flush=True)


if __name__ == "__main__":
    main()
