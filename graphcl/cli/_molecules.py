"""Scoring on a labelled set of molecules, and what tuning on one shares with it."""

from collections.abc import Mapping
from typing import Any

from graphcl.cli._scoring import Scoring
from graphcl.errors import DataError, RunError

__all__ = ["check_run", "judge", "keep", "score_molecules", "split_of"]

FEW = 500  # tested molecules, below which a score of one run says little


def score_molecules(scoring: Scoring, protocol_name: str | None, jobs: int) -> None:
    """Score a run's frozen embeddings of a labelled set beside raw counts, the untrained encoder and fingerprints."""
    from graphcl.data import PackedDataset, load
    from graphcl.evaluate import compared_molecule_embeddings, evaluate_molecules, molecule_protocol, raw_path

    config, entry = scoring.config, scoring.entry
    chosen = molecule_protocol(protocol_name or "moleculenet-linear")
    if chosen.probe != "linear":
        raise RunError(f"expected a protocol for frozen embeddings, got {chosen.name}; use graphcl finetune")
    check_run(config)
    scoring.check_unseen()
    dataset: Any = load(entry.name, root=scoring.root, vocab=config["vocab"])
    molecules = PackedDataset(dataset, graph_id=True).to(scoring.device)
    make, trained = scoring.makers(dataset.num_features)
    smiles = list(dataset.smiles)
    if not all(smiles):
        print(
            f"no row of fingerprints: {entry.name} came without SMILES; put OGB's folder mapping, with mol.csv.gz in "
            "it, into the folder of the set"
        )
    evaluation = evaluate_molecules(
        compared_molecule_embeddings(
            molecules, [config["seed"]], make=make, trained={scoring.name: trained}, batch_size=config["batch_size"]
        ),
        molecules.y.cpu().numpy(),
        split_of(dataset),
        chosen,
        [config["seed"]],
        classification=entry.task == "classification",
        smiles=smiles if all(smiles) else None,
        score=judge(entry),
        raw=raw_path(scoring.folder.path / "raw", entry.name, chosen),
        n_jobs=jobs,
    )
    keep(
        scoring, evaluation, scoring.command("evaluate", chosen.name), {scoring.name: config["epochs"], "untrained": 0}
    )
    print("One seed of pretraining: no interval. The committed tables are over several seeds.")


def check_run(config: Mapping[str, Any]) -> None:
    """Refuse a run on graphs that are not molecules."""
    if config["vocab"] is None:
        raise RunError(
            "expected a run on molecules, whose encoder looks up atoms and bonds, got one on other graphs; pretrain "
            "with --data FILE, or on a set of molecules"
        )


def split_of(dataset: Any) -> Any:
    """The split of a labelled set, which it must have."""
    if dataset.split is None:
        raise DataError(f"{dataset.name} came without a split.")
    return dataset.split


def judge(entry: Any) -> Any:
    """OGB's evaluator for OGB's sets, whatever the protocol."""
    from graphcl.evaluate import ogb_scorer

    return ogb_scorer(entry.name) if entry.loader == "ogb" else None


def keep(scoring: Scoring, evaluation: Any, command: str, epochs: Mapping[str, int | None]) -> None:
    """Append the scores to the run's and print them, with what is to be known about them."""
    from graphcl.evaluate import Note

    chosen = evaluation.protocol
    by = "last epoch" if chosen.select == "last" else "best validation epoch"
    by = "fixed epoch" if chosen.probe == "linear" else by
    few = f"{evaluation.skipped} of {evaluation.tasks} tasks"
    without = [f"{few} without a score"] if evaluation.skipped else []
    notes = {
        method: Note(epochs=epochs.get(method), selected_by="; ".join([*([by] if method in epochs else []), *without]))
        for method in evaluation.scores
    }
    scoring.keep(evaluation, command, features=scoring.config["vocab"], notes=notes)
    if without:
        print(f"{few} have labels of one class only or none in the test part, or none to learn from: not counted")
    if evaluation.num_tested < FEW:
        print(f"{evaluation.num_tested} molecules are tested: expect several points between runs")
    print(f"run folder: {scoring.folder.path}")
