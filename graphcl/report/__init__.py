"""Figures and HTML pages, of a run and of a table. Needs matplotlib: the extra ``plot``."""

from graphcl.report.figures import diagnostic_curves, embedding_profile, lift_intervals, loss_curve, score_bars
from graphcl.report.page import write_report, write_table_report

__all__ = [
    "diagnostic_curves",
    "embedding_profile",
    "lift_intervals",
    "loss_curve",
    "score_bars",
    "write_report",
    "write_table_report",
]
