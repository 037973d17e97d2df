"""Figures are SVG with what they claim to show."""

import sys

import pytest

from graphcl.errors import GraphCLError
from graphcl.report import loss_curve, score_bars

METRICS = [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.5}]


def test_svg():
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    for figure in (loss_curve(METRICS), score_bars(["raw", "GraphCL"], [80.0, 85.0], [5.0, 4.0], "accuracy")):
        assert figure.startswith("<svg") and figure.rstrip().endswith("</svg>")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(GraphCLError, match=r"graphcl\[plot\]"):
        loss_curve(METRICS)
