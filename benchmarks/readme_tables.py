"""Writes the README's tables from the committed results (``--check`` only looks whether they are current)."""

import argparse
import csv
import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent / "README.md"


def read(name: str) -> list[dict[str, str]]:
    with open(HERE / "results" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def cell(row: dict[str, str] | None) -> str:
    if row is None:
        return "-"
    return f"{float(row['mean']):.2f}" + (f" ± {float(row['std']):.2f}" if row["std"] else "")


def tu_table() -> str:
    """One line per method, one column per data set, under the protocol that the published numbers come from."""
    rows = [row for row in read("tu") if row["protocol"] == "tu-rbf-svm"]
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    at = {(row["dataset"], row["method"]): row for row in rows}
    lines = ["| | " + " | ".join(datasets) + " |", "| --- |" + " --- |" * len(datasets)]
    for method in ("raw", "wl", "untrained-init", "untrained", "GraphCL"):
        lines.append(f"| {method} | " + " | ".join(cell(at.get((name, method))) for name in datasets) + " |")
    ours = [at[name, "GraphCL"] for name in datasets]
    lifts = [f"{float(r['lift']):+.2f} [{float(r['lift_low']):+.2f}, {float(r['lift_high']):+.2f}]" for r in ours]
    lines.append("| **lift over `untrained`** | " + " | ".join(lifts) + " |")
    lines.append("| GraphCL as published | " + " | ".join(row["published"] or "-" for row in ours) + " |")
    return "\n".join(lines)


def speed_table() -> str:
    lines = ["| | plain PyG loop / graphcl, time per epoch | range over rounds |", "| --- | --- | --- |"]
    for row in read("speed"):
        lines.append(f"| {row['dataset']} | {row['ratio_median']} x | {row['ratio_min']} to {row['ratio_max']} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if the README is not current")
    check = parser.parse_args().check
    text = new = README.read_text()
    for name, table in (("tu", tu_table()), ("speed", speed_table())):
        before, rest = new.split(f"<!-- {name} -->\n", 1)
        after = rest[rest.index(f"<!-- /{name} -->") :]
        new = f"{before}<!-- {name} -->\n{table}\n{after}"
    if check:
        return int(new != text)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
