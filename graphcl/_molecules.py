"""What the command line does with molecules: files of them, and scores of runs on labelled sets."""

import copy
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from graphcl._recipes import recipe, settings_for
from graphcl._resolve import make_encoder, make_method
from graphcl.errors import ConfigError, DataError, RunError

__all__ = ["export", "leave_out", "load_data", "score_molecules", "tell_overlaps", "tell_skipped", "tune"]

FEW = 500  # tested molecules, below which a score of one run says little


def load_data(settings: Mapping[str, Any], *, root: str | None) -> Any:
    """The data set, or file of molecules, that a run's settings name."""
    from graphcl.data import load, load_molecules

    if settings["data"] is None:
        return load(settings["dataset"], root=root, features=settings["features"], vocab=settings["vocab"])
    return load_molecules(
        settings["data"], vocab=settings["vocab"] or "ogb", smiles=settings["smiles_column"], root=root
    )


def tell_skipped(dataset: Any, path: Path) -> None:
    """Say how many rows are no molecules, and list them in a file."""
    if getattr(dataset, "skipped", ()):
        count = dataset.write_skipped(path)
        print(f"{count:,} of {dataset.num_rows:,} rows are no molecules and are left out; {path} lists them")


def leave_out(dataset: Any, names: Sequence[str], by: str, *, root: str | None) -> tuple[Any, list[Any]]:
    """The set without the molecules of the named sets, and what it shared with each."""
    from graphcl.data import MoleculeDataset, load, without_overlap

    if not names:
        return dataset, []
    if by not in ("inchikey", "skeleton"):
        raise ConfigError(f"expected exclude-by to be inchikey or skeleton, got {by!r}")
    if not isinstance(dataset, MoleculeDataset):
        raise ConfigError(f"expected molecules to leave out those of {', '.join(names)}, got {dataset.name}")
    others = {}
    for name in names:
        other = load(name, root=root)
        if not isinstance(other, MoleculeDataset):
            raise ConfigError(f"expected sets of molecules to exclude, got {name}")
        others[name] = list(other.smiles)
        if not any(others[name]):
            raise DataError(f"{name} came without SMILES (its folder mapping is missing), by which to exclude it.")
    return without_overlap(dataset, others, by=by, root=root)  # type: ignore[arg-type]


def tell_overlaps(overlaps: Sequence[Any], before: int, after: int, path: Path) -> None:
    """Say what was shared and left out, and keep it in a file."""
    import csv

    if not overlaps:
        return
    for overlap in overlaps:
        print(f"{overlap.name}: {overlap.shared:,} of its {overlap.molecules:,} molecules are in the data as well")
    print(f"{before - after:,} of {before:,} molecules are left out; {path} has the counts")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(overlaps[0]._fields)
        writer.writerows(overlaps)


def score_molecules(
    folder: Any, config: Mapping[str, Any], entry: Any, protocol_name: str | None, root: str | None, device: Any, *,
    jobs: int,
) -> None:  # fmt: skip
    """Score a run's frozen embeddings of a labelled set beside raw counts, the untrained encoder and fingerprints."""
    from graphcl.data import PackedDataset, load
    from graphcl.evaluate import compared_molecule_embeddings, evaluate_molecules, molecule_protocol

    chosen = molecule_protocol(protocol_name or "moleculenet-linear")
    if chosen.probe != "linear":
        raise RunError(f"expected a protocol for frozen embeddings, got {chosen.name}; use graphcl finetune")
    _check_run(config)
    dataset: Any = load(entry.name, root=root, vocab=config["vocab"])
    molecules = PackedDataset(dataset, graph_id=True).to(device)

    def make(seed: int) -> Any:
        return make_method(config, dataset.num_features, seed=seed).to(device)

    def trained(seed: int) -> Any:
        method = make(seed)
        folder.load_weights(method)
        return method

    name, seed = recipe(config["method"]).name, config["seed"]
    smiles = list(dataset.smiles)
    evaluation = evaluate_molecules(
        compared_molecule_embeddings(
            molecules, [seed], make=make, trained={name: trained}, batch_size=config["batch_size"]
        ),
        molecules.y.cpu().numpy(),
        _split(dataset),
        chosen,
        [seed],
        classification=entry.task == "classification",
        smiles=smiles if all(smiles) else None,
        score=_judge(entry),
        raw=_raw(folder, entry, chosen),
        jobs=jobs,
    )
    command = f"graphcl evaluate {shlex.quote(str(folder.path))} --dataset {entry.name} --protocol {chosen.name}"
    _tell(folder, config, evaluation, entry, command, device, {name: config["epochs"], "untrained": 0})
    print("One seed of pretraining: no interval. The committed tables are over several seeds.")


def tune(folder: Any, config: Mapping[str, Any], options: Any, device: Any) -> None:
    """Fine-tune a run's encoder on a labelled set, beside the same encoder from random weights."""
    from graphcl.data import card, load
    from graphcl.data.load import is_molecules
    from graphcl.evaluate import finetune_molecules, molecule_protocol, with_tuning

    root = options.root or config["root"]
    entry = card(options.dataset, root=root)
    if not is_molecules(entry):
        raise RunError(
            f"expected a labelled set of molecules to fine-tune on, got {entry.name}, whose loader is another"
        )
    ogb = entry.name.startswith("ogbg-")
    base = molecule_protocol(options.protocol or ("ogb-finetune" if ogb else "moleculenet-finetune"))
    if base.ogb and not ogb:
        raise RunError(f"expected a set of OGB for {base.name}, got {entry.name}; use moleculenet-finetune")
    numbers = {key: options[key] for key in ("head_only", "epochs", "batch_size", "lr", "dropout")}
    chosen = with_tuning(base, **numbers)
    _check_run(config)
    if options.precision not in ("fp32", "bf16"):
        raise ConfigError(f"expected precision to be fp32 or bf16, got {options.precision!r}")
    dataset: Any = load(entry.name, root=root, vocab=config["vocab"])

    def scratch(seed: int) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return make_encoder(config, dataset.num_features)

    pretrained = make_method(config, dataset.num_features)
    folder.load_weights(pretrained)
    name = recipe(config["method"]).name
    seeds = list(range(chosen.seeds)) if options.seeds is None else options.seeds
    evaluation = finetune_molecules(
        {"scratch": scratch, name: lambda seed: copy.deepcopy(pretrained.encoder)},
        dataset,
        chosen,
        seeds,
        classification=entry.task == "classification",
        split=_split(dataset),
        score=_judge(entry),
        device=device,
        bf16=options.precision == "bf16",
        raw=_raw(folder, entry, chosen),
        progress=lambda method, seed: print(f"{entry.name}, {method}, seed {seed}: done", file=sys.stderr),
    )
    changed = [f"--{key.replace('_', '-')} {options[key]}" for key in ("epochs", "batch_size", "lr", "dropout")
               if options[key] is not None]  # fmt: skip
    changed += ["--head-only"] if options.head_only else []
    changed += [f"--precision {options.precision}"] if options.precision != "fp32" else []
    command = f"graphcl finetune {shlex.quote(str(folder.path))} --dataset {entry.name} --protocol {base.name}"
    command = " ".join([command, *changed, f"--seeds {' '.join(map(str, seeds))}"])
    _tell(folder, config, evaluation, entry, command, device, {name: config["epochs"], "scratch": 0})


def _check_run(config: Mapping[str, Any]) -> None:
    if config["vocab"] is None:
        raise RunError(
            "expected a run on molecules, whose encoder looks up atoms and bonds, got one on other graphs; pretrain "
            "with --data FILE, or on a set of molecules"
        )


def _split(dataset: Any) -> Any:
    if dataset.split is None:
        raise DataError(f"{dataset.name} came without a split.")
    return dataset.split


def _judge(entry: Any) -> Any:
    """OGB's evaluator for OGB's sets, whatever the protocol."""
    from graphcl.evaluate import ogb_scorer

    return ogb_scorer(entry.name) if entry.name.startswith("ogbg-") else None


def _raw(folder: Any, entry: Any, chosen: Any) -> Path:
    path: Path = folder.path / "raw" / f"{entry.name}.{chosen.name}.csv"
    path.parent.mkdir(exist_ok=True)
    return path


def _tell(
    folder: Any, config: Mapping[str, Any], evaluation: Any, entry: Any, command: str, device: Any,
    epochs: Mapping[str, int],
) -> None:  # fmt: skip
    from graphcl.evaluate import Note, Provenance, format_table, result_rows, write_results

    chosen = evaluation.protocol
    by = "last epoch" if chosen.select == "last" else "best validation epoch"
    by = "fixed epoch" if chosen.probe == "linear" else by
    notes = {}
    for method, skipped in evaluation.skipped.items():
        without = f"; {skipped} of {evaluation.tasks} tasks without a score" if skipped else ""
        chosen_by = by if method in epochs else ""
        notes[method] = Note(epochs=epochs.get(method), selected_by=f"{chosen_by}{without}".removeprefix("; "))
    rows = result_rows(
        evaluation,
        dataset=entry.name,
        features=config["vocab"],
        notes=notes,
        provenance=Provenance(device=str(device), command=command),
    )
    write_results(folder.path / "scores.csv", rows)
    print(format_table(rows))
    skipped = max(evaluation.skipped.values())
    if skipped:
        print(f"{skipped} of {evaluation.tasks} tasks have molecules of one class only in the test part: not counted")
    if evaluation.num_tested < FEW:
        print(f"{evaluation.num_tested} molecules are tested: expect several points between runs")
    print(f"split {evaluation.split_hash}; run folder: {folder.path}")


def export(folder: Any, config: Mapping[str, Any], out: str) -> None:
    """Write a run's encoder with its card."""
    from graphcl import __version__
    from graphcl.pretrained import embeds_by_encoder, save

    weights = folder.weights()
    in_channels = _width(config, weights)
    method = make_method(config, in_channels)
    folder.load_weights(method)
    if not embeds_by_encoder(method):
        raise RunError(f"expected a method whose encoder is all there is to embed with, got {config['method']}")
    command = _command(config)
    path = save(
        method.encoder,
        out,
        config,
        in_channels=in_channels,
        card=_card(Path(out).name, folder, config, command),
        features=config["features"],
        method=recipe(config["method"]).name,
        data=config["data"] or config["dataset"],
        command=command,
        version=__version__,
    )
    size = sum(file.stat().st_size for file in path.iterdir())
    print(
        f"{path}: {size / 1e6:.1f} MB   (next: graphcl embed --model {shlex.quote(str(path))} --data FILE --out z.npz)"
    )


def _width(config: Mapping[str, Any], weights: Mapping[str, Any]) -> int:
    """The width of the node features that a run was trained on, told by its weights without its data."""
    if config["vocab"] is not None:
        from graphcl._vocabulary import table

        return len(table(config["vocab"]).atom)
    first = next(value for name, value in weights.items() if name.startswith("encoder.") and value.dim() == 2)
    return int(first.size(1))


def _command(config: Mapping[str, Any]) -> str:
    """The command that trains such a run: what differs from the method's own settings."""
    usual = settings_for(config["method"], config["dataset"], vocab=config["vocab"])
    own = {"exclude": [], "exclude_by": "inchikey", "seed": 0, "smiles_column": None, "vocab": None}
    source = f"--data {Path(config['data']).name}" if config["data"] else f"--dataset {config['dataset']}"
    words = [f"graphcl pretrain {source} --method {config['method']}"]
    for key, value in config.items():
        expected = {**usual, **own}.get(key, value)
        if value == expected or key in ("dataset", "data", "method", "root"):
            continue
        flag = f"--{key.replace('_', '-')}"
        if isinstance(value, dict):
            words += [f"{flag}.{name} {inner}" for name, inner in value.items()]
        elif isinstance(value, list):
            words.append(f"{flag} {' '.join(shlex.quote(str(item)) for item in value)}")
        else:
            words.append(f"{flag} {shlex.quote(str(value))}")
    return " ".join(words)


def _card(name: str, folder: Any, config: Mapping[str, Any], command: str) -> str:
    """What there is to say of an encoder, for people."""
    from graphcl.evaluate import read_results

    chosen = recipe(config["method"])
    history = folder.read_metrics()
    lines = [f"# {name}", "", f"An encoder pretrained by {chosen.name} ({chosen.paper}).", "", "    " + command, ""]
    if history:
        lines += [f"{int(history[-1]['epoch'])} epochs, last loss {history[-1]['loss']:.4f}.", ""]
    if config["vocab"] is not None:
        lines += [f"Molecules have the index table `{config['vocab']}`.", ""]
    overlap = folder.path / "overlap.csv"
    if overlap.is_file():
        lines += ["What the data shared with labelled sets, and was left out of them:", ""]
        lines += ["    " + line for line in overlap.read_text(encoding="utf-8").splitlines()] + [""]
    scores = read_results(folder.path / "scores.csv")
    if scores:
        lines += ["| set | protocol | method | metric | mean | std | seeds | lift |", "| --- " * 8 + "|"]
        for row in scores:
            spread = "" if row.std is None else f"{row.std:.2f}"
            lift = "" if row.lift is None else f"{row.lift:+.2f}"
            cells = [row.dataset, row.protocol, row.method, row.metric, f"{row.mean:.2f}", spread, str(row.seeds), lift]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
