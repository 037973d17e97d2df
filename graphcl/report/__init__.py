"""Figures and the HTML page of a run. Needs matplotlib: the extra ``plot``."""

from graphcl.report.figures import diagnostic_curves, loss_curve, score_bars
from graphcl.report.page import write_report

__all__ = ["diagnostic_curves", "loss_curve", "score_bars", "write_report"]
