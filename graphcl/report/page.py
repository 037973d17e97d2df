"""Pages to look at: of a run, how its loss went and what its embeddings are worth; of a table, its lifts and scores."""

import html
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from graphcl.errors import RunError
from graphcl.evaluate import Result, format_table, read_results
from graphcl.evaluate.results import of_weights
from graphcl.evaluate.table import in_blocks, spread_of
from graphcl.report.figures import diagnostic_curves, embedding_profile, lift_intervals, loss_curve, score_bars
from graphcl.train import RunFolder
from graphcl.train.checkpoint import write_atomically

__all__ = ["write_report", "write_table_report"]

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f6f6f6;padding:1rem;overflow-x:auto}svg{max-width:100%;height:auto}"
)


def write_report(folder: RunFolder | Path | str) -> Path:
    """Write ``report.html`` into the run folder: one file, with its figures in it.

    Args:
        folder: A run with at least one finished epoch; scores are shown if it has been evaluated, settings if it has
            been made from the command line.

    Returns:
        The path of the page.

    Raises:
        RunError: There is no finished epoch, or the page cannot be written.
        GraphCLError: Matplotlib is not installed.
    """
    folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    made_in_python = folder.metrics_file.is_file() and not folder.config_file.is_file()
    config, metrics = {} if made_in_python else folder.read_config(), folder.read_metrics()
    if not metrics:
        raise RunError(f"expected a run with a finished epoch, {folder.path} has none; train it first")
    settings = folder.config_file.read_text(encoding="utf-8") if config else ""
    data = config.get("dataset") or Path(config.get("data") or "").name
    told = [str(word) for word in (config.get("method"), data) if word]
    title = " on ".join(told) or folder.path.resolve().name
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<h2>Loss</h2>{loss_curve(metrics)}",
        *_embeddings(metrics, folder.read_profile()),
        *_scores(folder.path / "scores.csv", config.get("epochs")),
        *([f"<h2>Settings</h2><pre>{html.escape(settings)}</pre>"] if config else []),
    ]
    return _write(folder.path, parts)


def write_table_report(folder: Path | str) -> Path:
    """Write ``report.html`` beside the scores of several methods: the lifts as a figure, then every table.

    Args:
        folder: A folder with ``scores.csv``, as ``graphcl bench`` makes it.

    Returns:
        The path of the page.

    Raises:
        RunError: There are no scores, or the page cannot be written.
        GraphCLError: Matplotlib is not installed.
    """
    path = Path(folder) / "scores.csv"
    if not path.is_file():
        raise RunError(f"expected scores at {path}, found none; make them: graphcl bench --out {folder}")
    return _write(path.parent, ["<h1>Scores</h1>", *_lifts(read_results(path)), *_scores(path)])


def _write(folder: Path, parts: Iterable[str]) -> Path:
    text = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(str(folder))}</title>"
    text += f"<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    path = folder / "report.html"
    write_atomically(path, lambda file: file.write(text.encode()))
    return path


# What a table scores beside encoders that have learned; so is every "untrained (METHOD)".
BASELINES = ("raw", "wl", "untrained", "untrained-init", "scratch", "supervised", "fingerprint", "properties")


def _lifts(rows: Iterable[Result]) -> list[str]:
    """A figure for each protocol and metric, of the encoders that were trained."""
    blocks: dict[tuple[str, str], list[Result]] = {}
    for row in rows:
        baseline = row.method in BASELINES or row.method.startswith("untrained (")
        if not baseline and row.lift_low is not None:
            blocks.setdefault((row.protocol, row.metric), []).append(row)
    parts = ["<h2>What training has added</h2>"] if blocks else []
    for (protocol, metric), block in blocks.items():
        alike = Counter((row.method, row.dataset) for row in block)
        names = [
            f"{row.method} on {row.dataset}"
            + (f", features {row.features}" if row.features and alike[row.method, row.dataset] > 1 else "")
            for row in block
        ]
        lifts, lows, highs = ([getattr(row, end) for row in block] for end in ("lift", "lift_low", "lift_high"))
        figure = lift_intervals(names, lifts, lows, highs, metric)
        parts.append(f"<h3>{html.escape(protocol)}</h3>{figure}")
    return parts


def _embeddings(metrics: list[dict[str, float]], profile: Mapping[str, list[float]]) -> list[str]:
    """The curves of the diagnostics, for a run that was looked at, and what was seen at its end."""
    looks = [row for row in metrics if "effective_rank" in row]
    parts = ["<h2>Embeddings</h2>", diagnostic_curves(looks)] if looks else []
    return [*parts, "<h3>At the end of the run</h3>", embedding_profile(profile)] if looks and profile else parts


def _scores(path: Path, epochs: int | None = None) -> list[str]:
    results = of_weights(read_results(path), epochs)
    if not results:
        return ["<h2>Scores</h2><p>Not evaluated yet: <code>graphcl evaluate</code> adds the scores.</p>"]
    parts = ["<h2>Scores</h2>"]
    for rows in in_blocks(results):
        spreads, over = spread_of(rows)
        bars = score_bars([r.method for r in rows], [r.mean for r in rows], spreads, rows[0].metric, over=over)
        parts.append(f"{bars}<pre>{html.escape(format_table(rows, among=results))}</pre>")
    return parts
