"""Pretraining on ZINC, transfer to MoleculeNet and OGB: frozen embeddings and fine-tuning, beside their baselines.

    python benchmarks/molecules_transfer.py --data zinc250k/smiles.csv.gz --epochs 10 --seeds 3

Pretrains on molecules of which those of all labelled sets are left out by InChIKey; one encoder per method, as the
field does it, unless ``--pretrained`` asks for more. Each is a run folder in ``--runs``, as ``graphcl pretrain`` makes
it, which ``graphcl export`` and ``graphcl finetune`` take. Scores per seed go to ``results/raw/``, the table to
``results/molecules.csv``, what was left out to ``results/molecules_overlap.csv``. Started again, it goes on where it
stopped.
The rows ``untrained`` (frozen) and ``scratch`` (tuned) are the same encoder without pretraining.
"""

import argparse
import copy
import csv
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from graphcl._recipes import recipe, settings_for
from graphcl._resolve import make_encoder, make_method
from graphcl.data import PackedDataset, card, load, load_molecules, with_vectors, without_overlap
from graphcl.data.home import home
from graphcl.data.overlap import Overlap
from graphcl.evaluate import (
    Evaluation,
    Note,
    Provenance,
    compared_molecule_embeddings,
    evaluate_molecules,
    finetune_molecules,
    format_table,
    molecule_protocol,
    ogb_scorer,
    raw_path,
    result_rows,
    with_tuning,
    write_results,
)
from graphcl.train import RunFolder, fit

RESULTS = Path(__file__).parent / "results"
# All of them are left out of the corpus, whichever of them are scored.
SETS = ["BBBP", "BACE", "Tox21", "HIV", "ESOL", "FreeSolv", "Lipo"]
SETS += ["ogbg-molhiv", "ogbg-molbace", "ogbg-molbbbp", "ogbg-molesol", "ogbg-molfreesolv"]
TRAINING = (
    "epochs",
    "batch_size",
    "lr",
    "weight_decay",
    "optimizer",
    "schedule",
    "warmup",
    "clip",
    "precision",
    "seed",
)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="the corpus; by default zinc250k in the data folder")
    parser.add_argument("--limit", type=int, default=None, help="take the first molecules of the corpus only")
    parser.add_argument("--methods", nargs="+", default=["graphcl", "molclr", "simgrace"])
    parser.add_argument("--datasets", nargs="+", default=SETS)
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... of heads, forests and fine-tuning")
    parser.add_argument("--pretrained", type=int, default=1, help="encoders per method; the seeds take them in turn")
    parser.add_argument("--epochs", type=int, default=None, help="of pretraining; by default the method's")
    parser.add_argument("--tune-epochs", type=int, default=0, help="of fine-tuning; 0 for frozen embeddings alone")
    parser.add_argument("--batch-size", type=int, default=None, help="of pretraining; by default the method's")
    parser.add_argument("--hidden", type=int, default=300)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "molecules")
    parser.add_argument("--out", type=Path, default=RESULTS / "molecules.csv")
    options = parser.parse_args(argv)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    options.data = options.data or home() / "zinc250k" / "smiles.csv.gz"
    given = sys.argv[1:] if argv is None else argv
    # Where the table goes, and where this machine keeps the runs, is no part of how its numbers were made.
    places = {at + i for at, word in enumerate(given) if word in ("--out", "--runs") for i in (0, 1)}
    options.command = " ".join(
        ["python benchmarks/molecules_transfer.py", *(w for i, w in enumerate(given) if i not in places)]
    )
    molecules = functools.cache(lambda: PackedDataset(corpus(options), graph_id=True))
    runs = {name: pretrain(name, molecules, options) for name in options.methods}
    for name in options.datasets:
        table(name, runs, options, options.command)


def settings_of(method: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The settings of a run, as ``graphcl pretrain`` would keep them."""
    asked = {"hidden": options.hidden, "layers": options.layers, "precision": options.precision, "seed": seed}
    asked |= {"epochs": options.epochs, "batch_size": options.batch_size}
    given = {key: value for key, value in asked.items() if value is not None}
    source = {"dataset": None, "data": str(options.data.resolve()), "exclude": left_out(options)}
    settings = {**source, **settings_for(method, vocab="ogb"), **given}
    # A rise as long as the paper's would leave nothing of a shorter run.
    return settings | {"warmup": min(settings["warmup"], settings["epochs"] // 10)}


def pretrain(method: str, molecules: Callable[[], PackedDataset], options: argparse.Namespace) -> list[RunFolder]:
    """The runs of a method: those that are there, and those made now."""
    folders = []
    for seed in range(options.pretrained):
        settings = settings_of(method, seed, options)
        folder = RunFolder(options.runs / f"{method}-{seed}")
        folders.append(folder)
        if folder.path.is_dir() and (before := folder.read_config()) != settings:
            changed = sorted(key for key in settings if settings[key] != before.get(key))
            raise SystemExit(f"{folder.path} is a run with another {', '.join(changed)}: choose another --runs")
        if folder.weights_file.is_file():
            continue
        packed = molecules()
        trained = make_method(settings, 9, total_steps=settings["epochs"] * -(-len(packed) // settings["batch_size"]))
        resume = folder.checkpoint_file.is_file()
        if not resume:
            folder.create(settings, overwrite=True)
        start = time.perf_counter()
        training = {key: settings[key] for key in TRAINING}
        if fit(trained, packed, **training, device=options.device, folder=folder, resume=resume).interrupted:
            raise KeyboardInterrupt
        print(f"{folder.path}: {time.perf_counter() - start:,.0f} s", file=sys.stderr)
    return folders


def left_out(options: argparse.Namespace) -> list[str]:
    """The sets whose molecules are not trained on: all of ``SETS`` if one of them is scored, and what else is."""
    return list(dict.fromkeys([*(SETS if set(options.datasets) & set(SETS) else []), *options.datasets]))


def corpus(options: argparse.Namespace) -> Any:
    """The molecules to pretrain on, without those of the labelled sets."""
    dataset: Any = load_molecules(options.data)
    dataset = dataset if options.limit is None else dataset[: options.limit]
    if "cross-modal" in options.methods:
        dataset = with_vectors(dataset, settings_for("cross-modal", vocab="ogb")["arguments"]["modality"])
    others = {name: list(load(name).smiles) for name in left_out(options)}  # type: ignore[attr-defined]
    rest, overlaps = without_overlap(dataset, others)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with (options.out.parent / "molecules_overlap.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*Overlap._fields, "corpus", "kept", "command"])
        writer.writerows([*overlap, len(dataset), len(rest), options.command] for overlap in overlaps)
    for overlap in overlaps:
        print(f"{overlap.name}: {overlap.shared:,} of {overlap.molecules:,} molecules shared", file=sys.stderr)
    print(f"{len(rest):,} of {len(dataset):,} molecules to pretrain on", file=sys.stderr)
    return rest


def table(name: str, runs: dict[str, list[RunFolder]], options: argparse.Namespace, command: str) -> None:
    """All rows of one labelled set."""
    entry, dataset = card(name), load(name)
    seeds = list(range(options.seeds))
    first = next(iter(runs))

    def make(method: str, seed: int) -> Any:
        return make_method(settings_of(method, seed, options), 9).to(options.device)

    def trained(method: str) -> Callable[[int], Any]:
        def read(seed: int) -> Any:
            which = seed % options.pretrained
            made = make(method, which)
            runs[method][which].load_weights(made)
            return made

        return read

    def scratch(seed: int) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return make_encoder(settings_of(first, seed, options), 9)

    molecules: Any = dataset
    shared = {"classification": entry.task == "classification"}
    shared |= {"score": ogb_scorer(name) if name.startswith("ogbg-") else None}
    raw = options.out.parent / "raw"
    linear = molecule_protocol("moleculenet-linear")
    embeddings = compared_molecule_embeddings(
        PackedDataset(molecules, graph_id=True).to(options.device),
        seeds,
        make=lambda seed: make(first, seed),
        trained={recipe(method).name: trained(method) for method in runs},
    )
    smiles = list(molecules.smiles)
    if all(smiles):  # what cross-modal contrast is taught, by itself
        vectors = with_vectors(molecules, "properties")
        embeddings = {**embeddings, "properties": [torch.cat([one.properties for one in vectors]).numpy()] * len(seeds)}
    frozen = evaluate_molecules(
        embeddings,
        molecules.y,
        molecules.split,
        linear,
        seeds,
        smiles=smiles if all(smiles) else None,
        raw=raw_path(raw, name, linear),
        **shared,
    )
    report(frozen, name, options, command)
    if options.tune_epochs:
        tuned = with_tuning(molecule_protocol("moleculenet-finetune"), epochs=options.tune_epochs)
        encoders = {recipe(method).name: trained(method) for method in runs}
        evaluation = finetune_molecules(
            {"scratch": scratch}
            | {key: lambda seed, m=m: copy.deepcopy(m(seed).encoder) for key, m in encoders.items()},
            molecules,
            tuned,
            seeds,
            device=options.device,
            precision=options.precision,
            raw=raw_path(raw, name, tuned),
            progress=lambda method, seed: print(name, tuned.name, method, seed, file=sys.stderr),
            **shared,
        )
        report(evaluation, name, options, command)


def report(evaluation: Evaluation, name: str, options: argparse.Namespace, command: str) -> None:
    """Put the rows of an evaluation into the table."""
    tuned = evaluation.protocol.probe == "finetune"
    by = "best validation epoch" if tuned else "fixed epoch"
    epochs = {"untrained-init": 0, "untrained": 0, "scratch": 0}
    epochs |= {recipe(m).name: settings_of(m, 0, options)["epochs"] for m in options.methods}
    notes = {
        method: Note(epochs=epochs.get(method), selected_by=by if method in epochs else "")
        for method in evaluation.scores
    }
    device = torch.cuda.get_device_name() if options.device.startswith("cuda") else options.device
    rows = result_rows(
        evaluation, dataset=name, features="ogb", notes=notes, provenance=Provenance(device=device, command=command)
    )
    write_results(options.out, rows)
    print(format_table(rows), flush=True)


if __name__ == "__main__":
    main()
