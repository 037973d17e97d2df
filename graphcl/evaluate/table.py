"""Result rows as a text table for terminals."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from graphcl.evaluate.lift import holm
from graphcl.evaluate.molecule_protocols import MOLECULE_PROTOCOLS, MoleculeProtocol
from graphcl.evaluate.node_protocols import NODE_PROTOCOLS, NodeProtocol
from graphcl.evaluate.protocols import PROTOCOLS, Protocol
from graphcl.evaluate.results import Result, two_digits, with_unit
from graphcl.evaluate.semi_protocols import SEMI_PROTOCOLS
from graphcl.evaluate.splits import split_hash

__all__ = ["format_table", "spread_of"]

NO_SPLIT = split_hash([])  # of what is scored on all graphs at once


def format_table(rows: Sequence[Result], *, among: Sequence[Result] | None = None) -> str:
    """Aligned text: one block per data set, features and protocol, one line per method.

    Rows of other seeds, folds or splits, as from another command, have a block of their own, whose first line says
    them, and the hash of the split; there, too, is what chose the epoch and how many tasks have no score, where that is
    said of all rows.

    Where a method and protocol has lifts on several data sets, their p values are corrected by Holm's procedure.

    Args:
        rows: The rows of a table.
        among: The rows whose p values are corrected together, where the table is a part of them.

    Returns:
        Text without a final line break; "no results" for no rows.

    Example:
        >>> row = Result(dataset="MUTAG", method="GraphCL", protocol="tu-rbf-svm", mean=88.25, std=0.5, std_folds=7.0,
        ...              seeds=5, folds=10, n_test=188, lift=0.4, lift_low=-1.2, lift_high=2.0, p=0.6)
        >>> print(format_table([row]))
        MUTAG, tu-rbf-svm: accuracy in %, 5 seeds x 10 folds, 188 graphs
        method   mean ± over seeds  ± over folds  lift over untrained [95 %]       p
        GraphCL  88.25 ± 0.50       7.00          +0.40 [-1.20, +2.00]        0.6000
    """
    if not rows:
        return "no results"
    among = rows if among is None else among
    corrected = _corrected_p(among)
    several = max(Counter(_family(row) for row in among if row.p is not None).values(), default=0) > 1
    texts = []
    for block in in_blocks(rows):
        texts.append(_title(block))
        baseline = _words(block[0])[2]
        p_title = "p (Holm)" if several else "p"
        lift = f"lift over {baseline} [95 %]"
        lines = [("method", "mean ± over seeds", "± over folds", lift, p_title)]
        lines += [_cells(row, corrected.get(row.key)) for row in block]
        texts += _align(lines)
        texts.append("")
    return "\n".join(texts[:-1])


def in_blocks(rows: Iterable[Result]) -> list[list[Result]]:
    """The rows that are to be read side by side: of one set, protocol and metric, over the same seeds and split."""
    blocks: dict[tuple[object, ...], list[Result]] = {}
    for row in rows:
        about = (row.dataset, row.features, row.protocol, row.metric)
        blocks.setdefault((*about, row.seeds, row.folds, row.n_test, row.split_hash), []).append(row)
    return list(blocks.values())


def _title(block: Sequence[Result]) -> str:
    """What holds of all rows of a block."""
    row = block[0]
    parts, tested, _ = _words(row)
    about = [row.dataset, row.features and f"features {row.features}", row.protocol]
    seeds = f"{row.seeds} {'seed' if row.seeds == 1 else 'seeds'}{parts}"
    split = "" if row.split_hash in ("", NO_SPLIT) else f"split {row.split_hash}"
    notes = [other.selected_by.split("; ") for other in block]
    common = [note for note in notes[0] if all(note in other for other in notes)]
    of = [with_unit(row.metric), seeds, f"{row.n_test} {tested}", split, *common]
    return f"{', '.join(filter(None, about))}: {', '.join(filter(None, of))}"


def spread_of(rows: Sequence[Result]) -> tuple[list[float], str]:
    """Standard deviations that stand beside the means in a figure, and what they are over: folds, or else seeds."""
    if any(row.std_folds for row in rows):
        return [row.std_folds or 0.0 for row in rows], _words(rows[0])[0].split()[-1].rstrip("s") + "s"
    return [row.std or 0.0 for row in rows], "seeds" if any(row.std for row in rows) else ""


def _words(row: Result) -> tuple[str, str, str]:
    """What the scores of a seed are over, what is tested, and what lifts are over; also under changed numbers."""
    known: dict[str, Any] = {**PROTOCOLS, **NODE_PROTOCOLS, **MOLECULE_PROTOCOLS, **SEMI_PROTOCOLS}
    base = known.get(max((name for name in known if row.protocol.startswith(name)), key=len, default=""))
    part, tested = "fold", "graphs"
    match base:
        case NodeProtocol():
            part, tested = "split", "pairs a split" if base.probe == "link" else "nodes a split"
        case MoleculeProtocol():
            part, tested = "split", "molecules"
    match base:
        case Protocol(probe="retrieval"):  # one look at all graphs
            return "", tested, base.baseline
        case Protocol(probe="kmeans") | NodeProtocol(probe="kmeans"):
            part = "run"
    plural = "" if row.folds == 1 and part != "fold" else "s"
    return f" x {row.folds} {part}{plural}", tested, "untrained" if base is None else base.baseline


def _cells(row: Result, p: float | None) -> tuple[str, str, str, str, str]:
    mean = two_digits(row.mean) + (f" ± {row.std:.2f}" if row.std is not None else "")
    folds = f"{row.std_folds:.2f}" if row.std_folds is not None else "-"
    if row.lift is None:
        return row.method, mean, folds, "-", "-"
    if row.lift_low is None or row.lift_high is None:  # one seed on one split: a difference without an interval
        return row.method, mean, folds, two_digits(row.lift, "+"), "-"
    lift, low, high = (two_digits(value, "+") for value in (row.lift, row.lift_low, row.lift_high))
    lift = f"{lift} [{low}, {high}]"
    return row.method, mean, folds, lift, "-" if p is None else f"{p:.4f}"


def _family(row: Result) -> tuple[str, ...]:
    """What p values are corrected over: the data sets, and their features, of a method."""
    return row.method, row.protocol, row.metric


def _corrected_p(rows: Sequence[Result]) -> dict[tuple[str, ...], float]:
    families: dict[tuple[str, ...], dict[str, Result]] = {}
    for row in rows:
        if row.p is not None:
            families.setdefault(_family(row), {})[f"{row.dataset}/{row.features}"] = row
    corrected: dict[tuple[str, ...], float] = {}
    for family in families.values():
        p_values = holm({name: row.p for name, row in family.items() if row.p is not None})
        corrected.update({family[name].key: p for name, p in p_values.items()})
    return corrected


def _align(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell.rjust(width) if column == last else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
