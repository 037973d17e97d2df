"""Graph classification on TU data sets with 1 % and 10 % of the labels: pretrained encoders beside one from scratch.

    python benchmarks/tu_semi.py --datasets NCI1 PROTEINS --methods graphcl simgrace --seeds 5

Pretrains each method once per data set and seed on all graphs, without labels, tunes it fold by fold, keeps the scores
per seed and fold in ``results/raw/`` and writes the table to ``results/tu.csv``. Started again, it tunes what is
missing. Published scores are of another encoder, and by default of the epoch with the best test accuracy.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from graphcl._recipes import recipe, settings_for
from graphcl._resolve import make_method
from graphcl.data import PackedDataset, card, load
from graphcl.evaluate import (
    Note,
    Provenance,
    finetune_on_few,
    format_table,
    raw_path,
    result_rows,
    semi_protocol,
    write_results,
)
from graphcl.train import fit

RESULTS = Path(__file__).parent / "results"
OPTIONS = ("epochs", "batch_size", "lr", "weight_decay", "optimizer", "schedule", "warmup", "clip", "precision")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["NCI1", "PROTEINS"])
    parser.add_argument("--methods", nargs="+", default=["graphcl"], help="as graphcl methods lists them")
    parser.add_argument("--protocols", nargs="+", default=["semi-supervised-1", "semi-supervised-10"])
    parser.add_argument("--seeds", type=int, default=5, help="0, 1, ...: of pretraining, folds, labels and heads")
    parser.add_argument("--out", type=Path, default=RESULTS / "tu.csv")
    parser.add_argument("--cache", type=Path, default=Path("runs") / "encoders")
    arguments = parser.parse_args()
    for name in arguments.datasets:
        for protocol_name in arguments.protocols:
            table(name, protocol_name, arguments)


def table(name: str, protocol_name: str, arguments: argparse.Namespace) -> None:
    """The rows of one data set and share of labels."""
    entry, graphs = card(name), PackedDataset(load(name), graph_id=True)
    chosen = {recipe(method).name: settings_for(method) for method in arguments.methods}
    rules, seeds = semi_protocol(protocol_name), list(range(arguments.seeds))

    def scratch(seed: int) -> Any:
        return make_method({**settings_for("graphcl"), "seed": seed}, graphs.num_features).encoder

    evaluation = finetune_on_few(
        {"scratch": scratch, **{m: pretrained(m, s, name, graphs, arguments.cache) for m, s in chosen.items()}},
        graphs,
        rules,
        seeds,
        raw=raw_path(arguments.out.parent / "raw", name, rules),
        progress=lambda method, seed: print(name, rules.name, method, seed, file=sys.stderr, flush=True),
    )
    words = f"other: {100 * rules.share:.0f} % of the labels"
    published = {quote.method: quote for quote in entry.published if quote.protocol.startswith(words)}
    notes = {}
    for method in evaluation.seconds:
        quoted = published.get(method)
        notes[method] = Note(
            epochs=chosen[method]["epochs"] if method in chosen else 0,
            selected_by="best validation epoch",
            published=quoted.mean if quoted else None,
            published_source=quoted.source if quoted else "",
        )
    command = f"python benchmarks/tu_semi.py --datasets {name} --methods {' '.join(arguments.methods)}"
    command += f" --protocols {rules.name} --seeds {len(seeds)}"
    features = entry.features or "original"
    provenance = Provenance(device="cpu", command=command)
    rows = result_rows(evaluation, dataset=name, features=features, notes=notes, provenance=provenance)
    write_results(arguments.out, rows)
    print(format_table(rows), flush=True)


def pretrained(
    method: str, settings: dict[str, Any], name: str, graphs: PackedDataset, cache: Path
) -> Callable[[int], Any]:
    """From a seed to the encoder that the method has trained on all graphs; kept on disk, so that shares share it."""

    def make(seed: int) -> Any:
        steps = settings["epochs"] * -(-len(graphs) // settings["batch_size"])
        model = make_method({**settings, "seed": seed}, graphs.num_features, total_steps=steps)
        file = cache / f"{name}.{method}.{seed}.pt"
        if file.exists():
            model.encoder.load_state_dict(torch.load(file, weights_only=True))
            return model.encoder
        if fit(model, graphs, **{option: settings[option] for option in OPTIONS}, seed=seed).interrupted:
            raise KeyboardInterrupt  # nothing half trained may be kept
        cache.mkdir(parents=True, exist_ok=True)
        torch.save(model.encoder.state_dict(), file)
        return model.encoder

    return make


if __name__ == "__main__":
    main()
