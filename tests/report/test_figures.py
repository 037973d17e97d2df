"""Figures are SVG with what they claim to show."""

import sys

import pytest
import torch

from graphcl.errors import GraphCLError
from graphcl.evaluate import profile
from graphcl.report import diagnostic_curves, embedding_profile, lift_intervals, loss_curve, score_bars

METRICS = [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.5}]


def test_svg():
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    for figure in (loss_curve(METRICS), score_bars(["raw", "GraphCL"], [80.0, 85.0], [5.0, 4.0], "accuracy")):
        assert figure.startswith("<svg") and figure.rstrip().endswith("</svg>")


@pytest.mark.parametrize("unit", ["nodes", "graphs"])
def test_a_loss_says_what_it_is_a_mean_over(unit):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    assert f">loss (mean over {unit})</text>" in loss_curve([row | {f"{unit}_per_s": 1.0} for row in METRICS])


@pytest.mark.parametrize("name", ["原子图 ü", "x^{2$", "5$ and 6$"])
def test_names_are_shown_as_they_are(name):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    figures = score_bars([name], [80.0], [1.0], "accuracy"), lift_intervals([name], [1.0], [0.0], [2.0], "accuracy")
    assert all(f">{name}</text>" in figure for figure in figures)


def test_errors_are_in_the_unit_of_the_target():
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    figure = score_bars(["raw"], [2.5], [0.0], "rmse")
    assert "rmse in the target's unit" in figure and "%" not in figure.partition("rmse in")[2][:60]
    lifts = lift_intervals(["GraphCL"], [0.1], [0.0], [0.2], "rmse")
    assert ">lift, rmse in the target's unit (95 % interval)</text>" in lifts and "points" not in lifts


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(GraphCLError, match=r"graphcl\[plot\]"):
        loss_curve(METRICS)


def test_diagnostic_curves_have_a_panel_for_each_quantity():
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    row = {"epoch": 1, "effective_rank": 5.0, "spread": 0.5, "uniformity": -1.0}
    pairs = {"alignment": 0.1, "positive_similarity": 0.9, "negative_similarity": 0.1}
    few = diagnostic_curves([{"epoch": 0, "loss": 1.0}, row])
    many = diagnostic_curves([row | pairs, row | pairs | {"epoch": 2}])
    assert few.count('id="axes_') == 3 and many.count('id="axes_') == 5
    gaps = diagnostic_curves([{"epoch": 1, "effective_rank": 5.0}, row | pairs, {"epoch": 3, "effective_rank": 4.0}])
    assert gaps.count('id="axes_') == 5
    with pytest.raises(ValueError, match="diagnostics"):
        diagnostic_curves([{"epoch": 1, "loss": 1.0}])


@pytest.mark.parametrize("views", [True, False])
def test_a_profile_of_embeddings(views):
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    z = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    figure = embedding_profile(profile(z, (z, z.flip(1)) if views else None))
    assert ">singular values, centred</text>" in figure
    assert (">share of pairs</text>" in figure) == views
    assert ">deviation of dimensions</text>" in embedding_profile(profile(torch.ones(4, 3)))  # collapsed
