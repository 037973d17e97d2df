"""``graphcl evaluate``: score a run's embeddings beside the untrained encoder's."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphcl.cli._molecules import check_run, score_molecules
from graphcl.cli._protocols import GIVEN, check_graphs, check_jobs, check_nodes, protocol_for, score_graphs, score_nodes
from graphcl.cli._scoring import Scoring
from graphcl.cli._source import Source, add_source, source_that_is_asked_for
from graphcl.errors import RunError

__all__ = ["ABOUT", "add_options", "check_can_be_scored", "run", "score"]

ABOUT = (
    "Score the embeddings of a run, or of a pretrained encoder (--model), by a named protocol, beside raw features, "
    "the Weisfeiler-Lehman kernel and the same encoder untrained. Labels are used here and nowhere else."
)


def add_options(parser: Any) -> None:
    """The options of evaluate."""
    add = parser.add_argument
    add_source(add)
    add(
        "--protocol",
        action="append",  # and no type beside it, which jsonargparse 4.40 refuses
        default=[],
        help="for graphs tu-rbf-svm, tu-rbf-svm-scaled, tu-linear-svm, graph-knn, graph-kmeans or graph-retrieval; for "
        "nodes node-linear-public, node-linear-random, node-fixed-splits, node-bgrl-20-80, node-grace-10-90, "
        "ogb-linear, knn or kmeans; for molecules moleculenet-linear; by default the first one on the data set's card. "
        "It may be given several times",
    )
    add("--dataset", type=str | None, default=None, help="another data set than the run's")
    add("--root", type=str | None, default=None, help="data folder; by default the run's")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--jobs", type=int, default=1, help="threads that share the folds")


def run(config: Any) -> int:
    """Score the run of a folder, or a pretrained encoder."""
    options = {key: config[key] for key in ("dataset", "root", "device", "jobs")}
    with source_that_is_asked_for(config) as source:
        return score(source, protocols=config.protocol, **options)


def score(
    source: Source, *, protocols: Sequence[str] = (), dataset: str | None = None, root: str | None = None,
    device: str = "auto", jobs: int = 1,
) -> int:  # fmt: skip
    """Score a run on its own data set or on another one, as what that is: graphs, nodes or molecules."""
    from graphcl.data import card
    from graphcl.data.load import is_molecules
    from graphcl.train import pick_device

    check_jobs(jobs)
    root, name = root or source.config["root"], dataset or source.config["dataset"]
    if name is None:
        raise RunError("expected --dataset NAME to score on, as what is scored is not a run on a labelled set")
    entry = card(name, root=root)
    if source.config["vocab"] is not None and not is_molecules(entry):
        raise RunError(
            f"expected a labelled set of molecules for {source.name}, whose encoder looks up atoms and bonds, got "
            f"{entry.name}, whose graphs are others; graphcl datasets list shows them"
        )
    scoring = Scoring(source, entry, root, pick_device(device))
    names: list[str | None] = [*protocols] or [None]
    if not is_molecules(entry) and entry.level != "node":
        _score_graphs(scoring, names, jobs)
        return 0
    for protocol in names:
        (score_molecules if is_molecules(entry) else _score_nodes)(scoring, protocol, jobs)
    return 0


def check_can_be_scored(config: Mapping[str, Any], entry: Any, data: Any) -> None:
    """Refuse what a run with these settings, on these data, could not be scored on by the first protocol on their card.

    Raises:
        RunError: The set has no classes, or is one of molecules, and the encoder looks up no atoms.
        ValueError: A class is too rare for the folds, or the graph lacks what the protocol goes by.
    """
    from graphcl.data.load import is_molecules

    if is_molecules(entry):
        check_run(config)
        return
    _check_classes(entry)
    if entry.level == "node":
        check_nodes(data, entry, protocol_for(entry, None))
    else:
        check_graphs(data, entry, protocol_for(entry, None), [config["seed"]])


def _check_classes(entry: Any) -> None:
    """Refuse a set whose graphs, or nodes, have no classes."""
    if entry.level == "link":
        raise RunError(
            f"expected a data set with a class per graph or node, got {entry.name}, whose links are scored in Python, "
            f"by ogb_link_split and evaluate_links"
        )
    if entry.task != "classification":
        raise RunError(
            f"expected a data set with a class per {entry.level}, got {entry.name} ({entry.task} of {entry.level}s), "
            "for which there is no protocol; graphcl embed writes its embeddings"
        )


def _score_graphs(scoring: Scoring, names: Sequence[str | None], jobs: int) -> None:
    """Score a run on graphs, beside raw features, the Weisfeiler-Lehman kernel and the untrained encoder."""
    from graphcl.data import PackedDataset, load
    from graphcl.evaluate import compared_embeddings

    config, entry = scoring.config, scoring.entry
    _check_classes(entry)
    chosen = [protocol_for(entry, name) for name in names]
    scoring.check_unseen()
    dataset = load(entry.name, root=scoring.root, features=config["features"])
    graphs = PackedDataset(dataset, graph_id=True).to(scoring.device)
    for each in chosen:
        check_graphs(graphs, entry, each, [config["seed"]])
    make, trained = scoring.makers(dataset.num_features)
    embeddings, kernels = compared_embeddings(
        graphs, [config["seed"]], make=make, trained={scoring.name: trained}, batch_size=config["batch_size"]
    )
    for each in chosen:
        _keep(scoring, score_graphs(graphs, embeddings, kernels, each, [config["seed"]], n_jobs=jobs))
        print("One seed: the interval is over its folds." if each.nested else "One seed on all graphs: no interval.")
    print("The committed tables are over several seeds.")
    print(f"run folder: {scoring.folder.path}")


def _score_nodes(scoring: Scoring, protocol_name: str | None, jobs: int) -> None:
    """Score a run on one graph, its nodes beside raw features, the untrained encoder and a supervised network."""
    from graphcl.data import load
    from graphcl.evaluate import compared_node_embeddings

    config, entry = scoring.config, scoring.entry
    chosen = protocol_for(entry, protocol_name)
    scoring.check_unseen(tests_train_nodes=chosen.splits not in GIVEN)
    data = load(entry.name, root=scoring.root, features=config["features"])[0].to(str(scoring.device))
    check_nodes(data, entry, chosen)
    make, trained = scoring.makers(data.num_features)
    embeddings = compared_node_embeddings(data, [config["seed"]], make=make, trained={scoring.name: trained})
    _keep(scoring, score_nodes(data, entry, embeddings, chosen, [config["seed"]], n_jobs=jobs))
    print("One seed: an interval is over splits alone. The committed tables are over several seeds.")
    print(f"run folder: {scoring.folder.path}")


def _keep(scoring: Scoring, evaluation: Any) -> None:
    from graphcl.evaluate import Note

    config = scoring.config
    by = "lowest loss" if config.get("patience") else "fixed epoch"
    scoring.keep(
        evaluation,
        scoring.command("evaluate", evaluation.protocol.name),
        features=config["features"] or scoring.entry.features or "",
        notes={scoring.name: Note(epochs=config["epochs"], selected_by=by)},
    )
