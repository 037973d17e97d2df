"""Result rows as a text table for terminals."""

from collections.abc import Sequence

from graphcl.evaluate.lift import holm
from graphcl.evaluate.molecule_protocols import MOLECULE_PROTOCOLS, MoleculeProtocol
from graphcl.evaluate.node_protocols import NODE_PROTOCOLS, NodeProtocol
from graphcl.evaluate.protocols import PROTOCOLS
from graphcl.evaluate.results import Result
from graphcl.evaluate.semi_protocols import SEMI_PROTOCOLS

__all__ = ["format_table"]


def format_table(rows: Sequence[Result]) -> str:
    """Aligned text: one block per data set, features and protocol, one line per method.

    Where a method and protocol has lifts on several data sets, their p values are corrected by Holm's procedure.

    Args:
        rows: The rows of a table.

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
    corrected = _corrected_p(rows)
    many = len({row.dataset for row in rows if row.p is not None}) > 1
    blocks: dict[tuple[str, ...], list[Result]] = {}
    for row in rows:
        blocks.setdefault((row.dataset, row.features, row.protocol, row.metric), []).append(row)
    texts = []
    for (dataset, features, protocol, metric), block in blocks.items():
        first = block[0]
        seeds = f"{first.seeds} {'seed' if first.seeds == 1 else 'seeds'}{_parts(first)}"
        title = ", ".join(part for part in (dataset, features and f"features {features}", protocol) if part)
        texts.append(f"{title}: {metric} in {_unit(metric)}, {seeds}, {first.n_test} {_tested(first)}")
        p_title = "p (Holm)" if many else "p"
        lift = f"lift over {_baseline(first)} [95 %]"
        lines = [("method", "mean ± over seeds", "± over folds", lift, p_title)]
        lines += [_cells(row, corrected.get(row.key)) for row in block]
        texts += _align(lines)
        texts.append("")
    return "\n".join(texts[:-1])


def _base(row: Result) -> NodeProtocol | None:
    """The node-level protocol of a row, also under a changed number of splits."""
    return next((entry for name, entry in NODE_PROTOCOLS.items() if row.protocol.startswith(name)), None)


def _molecules(row: Result) -> MoleculeProtocol | None:
    """The protocol for molecules of a row, also under changed numbers; the longest name that fits."""
    names = [name for name in MOLECULE_PROTOCOLS if row.protocol.startswith(name)]
    return MOLECULE_PROTOCOLS[max(names, key=len)] if names else None


def _baseline(row: Result) -> str:
    base = _molecules(row)
    tuned = base is not None and base.probe == "finetune" or row.protocol.startswith(tuple(SEMI_PROTOCOLS))
    return "scratch" if tuned else "untrained"


def _unit(metric: str) -> str:
    return "the target's unit" if metric == "rmse" else "%"


def _parts(row: Result) -> str:
    """What the scores of a seed are over: `` x 10 folds``; nothing for retrieval, which is one look at all graphs."""
    base, probe = _base(row), _probe(row)
    if probe == "retrieval":
        return ""
    word = (
        "split" if _molecules(row) is not None else "run" if probe == "kmeans" else "fold" if base is None else "split"
    )
    return f" x {row.folds} {word}" + ("" if row.folds == 1 and word != "fold" else "s")


def _probe(row: Result) -> str:
    """The probe of a node-level protocol, or of one for graphs; also under changed numbers."""
    base = _base(row) or next((entry for name, entry in PROTOCOLS.items() if row.protocol.startswith(name)), None)
    return "" if base is None else base.probe


def _tested(row: Result) -> str:
    base = _base(row)
    if _molecules(row) is not None:
        return "molecules"
    return "graphs" if base is None else "pairs a split" if base.probe == "link" else "nodes a split"


def _cells(row: Result, p: float | None) -> tuple[str, str, str, str, str]:
    mean = f"{row.mean:.2f}" + (f" ± {row.std:.2f}" if row.std is not None else "")
    folds = f"{row.std_folds:.2f}" if row.std_folds is not None else "-"
    if row.lift is None:
        return row.method, mean, folds, "-", "-"
    if row.lift_low is None or row.lift_high is None:  # one seed on one split: a difference without an interval
        return row.method, mean, folds, f"{row.lift:+.2f}", "-"
    lift = f"{row.lift:+.2f} [{row.lift_low:+.2f}, {row.lift_high:+.2f}]"
    return row.method, mean, folds, lift, "-" if p is None else f"{p:.4f}"


def _corrected_p(rows: Sequence[Result]) -> dict[tuple[str, ...], float]:
    families: dict[tuple[str, ...], dict[str, Result]] = {}
    for row in rows:
        if row.p is not None:
            families.setdefault((row.method, row.protocol, row.metric), {})[f"{row.dataset}/{row.features}"] = row
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
