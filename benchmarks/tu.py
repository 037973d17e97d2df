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
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from graphcl import __version__
from graphcl._recipes import recipe, settings_for
from graphcl._resolve import make_method
from graphcl.data import PackedDataset, card, load
from graphcl.evaluate import (
    Evaluation,
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
from graphcl.pretrained import embeds_by_encoder
from graphcl.train import fit

RESULTS = Path(__file__).parent / "results"
OPTIONS = ("epochs", "batch_size", "lr", "weight_decay", "optimizer", "schedule", "warmup", "clip", "precision")
ENCODER = ("encoder", "conv", "virtual_node", "hidden", "last_width", "layers", "activation", "act_last", "norm")
ENCODER += ("joined", "unit", "dropout", "readout")
# As the papers write them.
NAMES = {"ad-gcl": "AD-GCL", "mvgrl-graph": "MVGRL", "graphmae-graph": "GraphMAE"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["MUTAG", "PROTEINS", "NCI1", "IMDB-BINARY"])
    # Each with the settings of its paper; none was tuned, and none may be, on these scores.
    parser.add_argument("--methods", nargs="+", default=["graphcl"], help="as graphcl methods lists them")
    parser.add_argument("--protocols", nargs="+", default=["tu-rbf-svm", "tu-rbf-svm-scaled", "tu-linear-svm"])
    parser.add_argument("--seeds", type=int, default=5, help="model seeds 0, 1, ...; each is the seed of its folds too")
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
    twins: dict[str, str]  # the row that a method's lift is over
    settings: dict[str, dict[str, Any]]


def embed(name: str, seeds: range, methods: Sequence[str], cache: Path) -> Embedded:
    """The embeddings by every method and by its encoder untrained; trained now, or kept from before."""
    dataset = load(name)
    graphs = PackedDataset(dataset, graph_id=True)
    chosen = {NAMES.get(method, recipe(method).name): settings_for(method) for method in ["graphcl", *methods]}
    embeddings: dict[str, list[Any]] = {}
    twins: dict[str, str] = {}
    for method, settings in chosen.items():

        def make(seed: int, settings: dict[str, Any] = settings) -> Any:
            steps = settings["epochs"] * -(-len(graphs) // settings["batch_size"])
            return make_method({**settings, "seed": seed}, dataset.num_features, total_steps=steps)

        def trained(seed: int, settings: dict[str, Any] = settings, make: Callable[[int], Any] = make) -> Any:
            model = make(seed)
            if fit(model, graphs, **{option: settings[option] for option in OPTIONS}, seed=seed).interrupted:
                raise KeyboardInterrupt  # nothing half trained may be kept
            return model

        key = {**settings, "dataset": name, "version": __version__, "torch": torch.__version__}
        rows, found = compared_embeddings(
            graphs, seeds, make=make, trained={method: trained}, cache=cache, key=key, kernel=not embeddings
        )
        if not embeddings:
            embeddings, kernels = {row: rows[row] for row in ("raw", "untrained-init", "untrained")}, found
        alike = all(settings[part] == chosen["GraphCL"][part] for part in ENCODER)
        shared = alike and embeds_by_encoder(make(0))  # MVGRL embeds by two encoders
        twins[method] = "untrained" if shared else f"untrained ({method})"
        embeddings |= {twins[method]: rows["untrained"], method: rows[method]} if not shared else {method: rows[method]}
    return Embedded(graphs, embeddings, kernels, twins, chosen)


def table(name: str, seeds: range, arguments: argparse.Namespace) -> None:
    """All rows of one data set."""
    entry = card(name)
    graphs, embeddings, kernels, twins, chosen = embed(name, seeds, arguments.methods, arguments.cache)
    if arguments.train_only:
        return
    features = entry.features or "original"
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
        published = {quote.method: quote for quote in entry.published if quote.protocol == protocol_name}
        rows = []
        for method in evaluation.seconds:
            quoted, settings = published.get(method), chosen.get(method, {})
            note = Note(
                epochs=settings.get("epochs", 0 if method.startswith("untrained") else None),
                selected_by="fixed epoch" if settings else "",
                published=quoted.mean if quoted else None,
                published_source=quoted.source if quoted else "",
            )
            rows += [
                row
                for row in result_rows(
                    beside(evaluation, method, twins.get(method, "untrained")),
                    dataset=name,
                    features=features,
                    notes={method: note},
                    provenance=Provenance(device="cpu", command=command),
                )
                if row.method == method
            ]
        write_results(arguments.out, rows)
        print(format_table(rows), flush=True)


def beside(evaluation: Evaluation, method: str, twin: str) -> Evaluation:
    """The scores of a method and, as the row that its lift is over, those of its encoder untrained."""

    def kept(table: dict[str, Any]) -> dict[str, Any]:
        own = {method: table[method]}
        return own if method.startswith("untrained (") else own | {"untrained": table[twin]}

    accuracy = kept(evaluation.accuracy) if evaluation.accuracy else {}  # clusters and retrieval have other metrics
    return replace(evaluation, accuracy=accuracy, others={name: kept(t) for name, t in evaluation.others.items()})


if __name__ == "__main__":
    main()
