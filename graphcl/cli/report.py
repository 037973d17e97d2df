"""``graphcl report``: write the page of a run, or of a table."""

from typing import Any

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Write a page with the loss curve, scores and settings of a run, or with the lifts and scores of a table (needs "
    "matplotlib: the extra plot)."
)


def add_options(parser: Any) -> None:
    """The options of report."""
    parser.add_argument("run", type=str, help="the run folder, or the folder of a table that graphcl bench has made")


def run(config: Any) -> int:
    """Write the page, and say where it is."""
    from graphcl.report import write_report, write_table_report
    from graphcl.train import RunFolder

    folder = RunFolder(config.run)
    is_run = folder.config_file.is_file() or folder.metrics_file.is_file()
    is_table = (folder.path / "scores.csv").is_file() and not is_run
    print(write_table_report(folder.path) if is_table else write_report(folder))
    return 0
