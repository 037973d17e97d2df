"""``graphcl report``: write the page of a run."""

from typing import Any

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = "Write a page with the loss curve, scores and settings of a run (needs matplotlib: the extra plot)."


def add_options(parser: Any) -> None:
    """The options of report."""
    parser.add_argument("run", type=str, help="the run folder")


def run(config: Any) -> int:
    """Write the page, and say where it is."""
    from graphcl.report import write_report
    from graphcl.train import RunFolder

    print(write_report(RunFolder(config.run)))
    return 0
