"""``graphcl bench``: train methods with several seeds, and tabulate their scores beside what they have to beat."""

import shlex
import tempfile
from pathlib import Path
from typing import Any

from graphcl._recipes import DEFAULTS
from graphcl.cli._bench_plan import Plan
from graphcl.cli._bench_training import train_all
from graphcl.cli._protocols import check_jobs, check_seeds
from graphcl.cli._settings import DEFAULT_DATASET
from graphcl.errors import ConfigError, RunError

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Train methods with several seeds each and the settings of their papers, and print the table of their scores: mean "
    "and deviation over seeds, and the lift over each method's own encoder untrained, beside raw features and the "
    "Weisfeiler-Lehman kernel. Embeddings and scores are kept in the folder of the table; started again, it goes on "
    "where it stopped, and asked for more, it adds to them."
)


def add_options(parser: Any) -> None:
    """The options of bench."""
    add = parser.add_argument
    add("--dataset", type=str, nargs="+", default=[DEFAULT_DATASET], metavar="NAME", help="names of data sets")
    add(
        "--method",
        type=str,
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"see graphcl methods; by default {DEFAULTS['graph']}, and on nodes {DEFAULTS['node']}",
    )
    add(
        "--protocol",
        type=str,
        nargs="+",
        default=[],
        metavar="NAME",
        help="as for evaluate, on graphs with classes and on nodes; by default the first one on each data set's card",
    )
    add(
        "--seeds",
        type=int,
        nargs="+",
        default=[0, 1, 2, 3, 4],
        metavar="SEED",
        help="of weights, order and views, and on graphs of the folds; by default 0 to 4",
    )
    add("--features", type=str | None, default=None, help="node features, as for pretrain, in the place of the papers'")
    add("--epochs", type=int | None, default=None, help="passes over the data, in the place of the papers'")
    add("--workers", type=int, default=1, help="processes that train at once, each with its share of the threads")
    add("--jobs", type=int, default=1, help="threads that share the folds or splits when scoring")
    add("--root", type=str | None, default=None, help="data folder; by default $GRAPHCL_HOME, else the user's cache")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--out", type=str, default="runs/bench", help="the folder of the table")


def run(config: Any) -> int:
    """Train what is not kept yet, then score all, one table per data set and protocol."""
    from tqdm import tqdm

    from graphcl.data import card
    from graphcl.train import pick_device

    if config.workers < 1:
        raise ConfigError(f"expected workers of at least 1, got {config.workers}")
    if config.epochs is not None and config.epochs < 1:
        raise ConfigError(f"expected epochs of at least 1, got {config.epochs}")
    check_jobs(config.jobs)
    check_seeds(config.seeds)
    for option in ("dataset", "method", "seeds"):
        if len(set(config[option])) != len(config[option]):
            raise ConfigError(f"expected each {option} once, got {' '.join(map(str, config[option]))}")
    folder, device = Path(config.out).expanduser(), pick_device(config.device)
    # Everything that can be refused is refused before anything is trained.
    plans = [Plan(card(name, root=config.root), config, folder, str(device)) for name in config.dataset]
    _make(folder)
    trainings = [training for plan in plans for training in plan.trainings.values()]
    total = len(trainings) * len(config.seeds)
    for _ in tqdm(train_all(trainings, config.seeds, workers=config.workers), "train", total, disable=None):
        pass
    for plan in plans:
        plan.score()
    print(f"scores: {folder / 'scores.csv'}; a page of them: graphcl report {shlex.quote(str(folder))}")
    return 0


def _make(folder: Path) -> None:
    """Make the folder of the table, or see that it can be written to: a long training would be lost."""
    if (folder / "config.yaml").exists():
        raise RunError(f"expected a folder for tables, got the run {folder}; choose another")
    try:
        (folder / "embeddings").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder / "embeddings"):
            pass
    except OSError as error:
        raise RunError(f"expected a folder that can be written to, got {folder}: {error.strerror or error}") from error
