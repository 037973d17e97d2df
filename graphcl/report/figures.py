"""Figures of runs and tables, as SVG text."""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from graphcl.errors import GraphCLError
from graphcl.evaluate.results import with_unit

__all__ = ["diagnostic_curves", "embedding_profile", "lift_intervals", "loss_curve", "score_bars"]


def loss_curve(metrics: Sequence[Mapping[str, float]]) -> str:
    """A figure of the loss by epoch.

    Args:
        metrics: Rows with ``epoch`` and ``loss``, as in ``metrics.jsonl``.

    Returns:
        SVG text.

    Raises:
        GraphCLError: Matplotlib is not installed.
    """
    figure, axes = _new_figure(5.0, 3.0)
    axes.plot([row["epoch"] for row in metrics], [row["loss"] for row in metrics], marker=".", color="#33658a")
    unit = "nodes" if any("nodes_per_s" in row for row in metrics) else "graphs"
    axes.set(xlabel="epoch", ylabel=f"loss (mean over {unit})")
    axes.xaxis.get_major_locator().set_params(integer=True)
    return _svg(figure)


def diagnostic_curves(metrics: Sequence[Mapping[str, float]]) -> str:
    """Curves of a run's diagnostics by epoch: alignment and uniformity, effective rank, similarities.

    Args:
        metrics: Rows as in ``metrics.jsonl``; those with ``effective_rank`` were looked at.

    Returns:
        SVG text, a panel for each quantity; those that no row has are left out.

    Raises:
        ValueError: No row was looked at.
        GraphCLError: Matplotlib is not installed.
    """
    rows = [row for row in metrics if "effective_rank" in row]
    if not rows:
        raise ValueError("expected rows with diagnostics, got none; pass callbacks=[Diagnostics(batch)] to fit")
    panels = (
        ("effective_rank",),
        ("spread",),
        ("uniformity",),
        ("alignment",),
        ("positive_similarity", "negative_similarity"),
    )
    shown = [names for names in panels if any(names[0] in row for row in rows)]
    figure, _ = _new_figure(8.0, 2.2 * -(-len(shown) // 2))
    figure.clear()
    for place, names in enumerate(shown, start=1):
        axes = figure.add_subplot(-(-len(shown) // 2), 2, place)
        axes.spines[["top", "right"]].set_visible(False)
        for name, colour in zip(names, ("#33658a", "#bb5533"), strict=False):
            values = [row.get(name, math.nan) for row in rows]
            axes.plot([row["epoch"] for row in rows], values, ".-", color=colour, label=name)
        axes.set_title(", ".join(names).replace("_", " "), fontsize="medium")
        if len(names) > 1:
            axes.legend(frameon=False, fontsize="small")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    return _svg(figure)


def embedding_profile(profile: Mapping[str, Sequence[float]]) -> str:
    """The spectrum of the embeddings, the spread of each dimension, and how similar pairs are, side by side.

    Args:
        profile: As :func:`graphcl.evaluate.profile` returns it, or read from a run's ``embeddings.json``.

    Returns:
        SVG text; without views the similarities are left out.

    Raises:
        GraphCLError: Matplotlib is not installed.
    """
    figure, _ = _new_figure(8.0, 2.4)
    figure.clear()
    spectrum, spread, *similarities = figure.subplots(1, 3 if "edges" in profile else 2)
    values = [max(value, 1e-8) for value in profile["singular_values"]]  # a logarithm has no place for 0
    spectrum.plot(range(1, len(values) + 1), values, color="#33658a")
    spectrum.set(title="singular values, centred", xlabel="number", yscale="log")
    deviations = sorted(profile["dimension_std"], reverse=True)
    spread.plot(range(1, len(deviations) + 1), deviations, color="#33658a")
    spread.axhline(len(deviations) ** -0.5, color="#bbbbbb", ls=":")
    spread.set(title="deviation of dimensions", xlabel="number (dots: rows that fill the sphere)", ylim=(0, None))
    for axes in similarities:
        for name, colour in (("positive", "#33658a"), ("negative", "#bb5533")):
            axes.stairs(profile[f"{name}_similarity"], profile["edges"], fill=True, alpha=0.6, color=colour, label=name)
        axes.set(title="share of pairs", xlabel="cosine")
        axes.legend(frameon=False, fontsize="small")
    for axes in (spectrum, spread, *similarities):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize("medium")
    return _svg(figure)


def score_bars(
    names: Sequence[str], means: Sequence[float], spreads: Sequence[float], metric: str, *, over: str = "folds"
) -> str:
    """A chart of scores with their spread; the axis begins near the lowest, not at zero.

    Args:
        names: The methods.
        means: Their scores.
        spreads: Standard deviations.
        metric: What the scores are, percent or for ``rmse`` the target's unit.
        over: What the deviations are over; empty if there are none.

    Returns:
        SVG text.

    Raises:
        GraphCLError: Matplotlib is not installed.
    """
    figure, axes = _new_figure(5.0, 0.5 + 0.4 * len(names))
    rows = range(len(names))
    axes.errorbar(means, rows, xerr=spreads if over else None, fmt="o", color="#33658a", ecolor="#bbbbbb", capsize=3)
    axes.set_yticks(list(rows), names, parse_math=False)
    axes.invert_yaxis()
    axes.set(xlabel=with_unit(metric) + (f" (bars: standard deviation over {over})" if over else ""))
    axes.grid(axis="x", color="#eeeeee")
    return _svg(figure)


def lift_intervals(
    names: Sequence[str], lifts: Sequence[float], lows: Sequence[float], highs: Sequence[float], metric: str
) -> str:
    """A figure of lifts over the untrained encoder with their intervals; those that exclude 0 are dark.

    Args:
        names: Of what each lift is.
        lifts: How far each is above the same encoder untrained.
        lows: The lower end of each interval.
        highs: The upper end.
        metric: What the scores are, percent or for ``rmse`` the target's unit.

    Returns:
        SVG text.

    Raises:
        GraphCLError: Matplotlib is not installed.
    """
    figure, axes = _new_figure(6.0, 0.8 + 0.3 * len(names))
    for row, (lift, low, high) in enumerate(zip(lifts, lows, highs, strict=True)):
        colour = "#9bb3c7" if low <= 0 <= high else "#33658a"
        axes.errorbar([lift], [row], xerr=[[lift - low], [high - lift]], fmt="o", color=colour, capsize=3)
    axes.axvline(0, color="#bbbbbb", zorder=0)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(xlabel=f"lift, {with_unit(metric)} (95 % interval)", ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x", color="#eeeeee")
    return _svg(figure)


def _new_figure(width: float, height: float) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise GraphCLError("figures need matplotlib: pip install 'graphcl[plot]'") from error
    # Figure alone, without pyplot: no global state and no window.
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    from matplotlib import rc_context

    text = io.StringIO()
    # Words stay words, which a browser has letters for in any script; matplotlib measures them with what it has.
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
