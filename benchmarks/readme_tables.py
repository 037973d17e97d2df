"""Writes the tables of README and docs from the committed results (``--check`` only looks whether they are current)."""

import argparse
import csv
import re
import statistics
import sys
from pathlib import Path

from graphcl.evaluate import Lift, holm, mean_lift

HERE = Path(__file__).parent
PAGES = (HERE.parent / "README.md", HERE.parent / "docs" / "results.md")


MARKED = re.compile(r"(<!-- ([a-z-]+) -->)\n.*?\n(<!-- /\2 -->)", re.DOTALL)  # where a table stands


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
    corrected = holm({row["dataset"]: float(row["p"]) for row in ours})
    lines.append(
        "| p of the lift, Holm's correction over the sets | "
        + " | ".join(f"{corrected[n]:.3f}" for n in datasets)
        + " |"
    )
    lines.append("| GraphCL as published | " + " | ".join(row["published"] or "-" for row in ours) + " |")
    lines += ["", f"Mean lift of GraphCL over these {len(datasets)} sets: {over_sets(ours)}."]
    return "\n".join(lines)


def methods_table() -> str:
    """One line per method of graphs, its lift over its own encoder untrained; the mean is over the sets all have."""
    rows = [row for row in read("tu") if row["protocol"] == "tu-rbf-svm"]
    at = {(row["dataset"], row["method"]): row for row in rows}
    methods = list(dict.fromkeys(row["method"] for row in rows if row["selected_by"]))
    run = {n: [m for m in methods if (n, m) in at] for n in dict.fromkeys(row["dataset"] for row in rows)}
    shared = [n for n, found in run.items() if len(found) == len(methods)]
    datasets = shared + [n for n, found in run.items() if 1 < len(found) < len(methods)]
    lines = ["| | " + " | ".join(datasets) + f" | mean lift over the first {len(shared)} |"]
    lines.append("| --- |" + " --- |" * (len(datasets) + 1))
    for method in methods:
        ours = [at.get((name, method)) for name in datasets]
        cells = [f"{cell(r)} ({float(r['lift']):+.1f})" if r else "-" for r in ours]
        lines.append(f"| {method} | {' | '.join(cells)} | {over_sets([at[name, method] for name in shared])} |")
    published = [f"{n}: " + ", ".join(f"{m} {p}" for m, p in quoted(at, n, run[n])) for n in datasets]
    lines += ["", "Published, other than GraphCL's: " + "; ".join(line for line in published if line[-1] != " ") + "."]
    return "\n".join(lines)


def over_sets(rows: list[dict[str, str]]) -> str:
    """The mean lift and its interval."""
    lifts = [Lift(*(float(row[name]) for name in ("lift", "lift_low", "lift_high", "p"))) for row in rows]
    mean = mean_lift(lifts, [int(row["seeds"]) * int(row["folds"]) for row in rows])
    return f"{mean.mean:+.2f} [{mean.low:+.2f}, {mean.high:+.2f}]"


def subtrees_table() -> str:
    """The encoder of SubtreeContrast, untrained and trained, beside the encoder that the other methods have."""
    usual = {
        row["dataset"]: row for row in read("tu") if (row["method"], row["protocol"]) == ("untrained", "tu-rbf-svm")
    }
    rows = [row for row in read("tu_subtrees") if row["protocol"] == "tu-rbf-svm"]
    at = {(row["dataset"], row["method"]): row for row in rows}
    names = list(dict.fromkeys(row["dataset"] for row in rows))
    ours = [at[name, "SubtreeContrast"] for name in names]
    corrected = holm({row["dataset"]: float(row["p"]) for row in ours})
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    lines.append("| the usual encoder, untrained | " + " | ".join(cell(usual.get(name)) for name in names) + " |")
    untrained = [at[name, "untrained (SubtreeContrast)"] for name in names]
    lines.append("| unit depths, width 128, untrained | " + " | ".join(map(cell, untrained)) + " |")
    lines.append("| SubtreeContrast | " + " | ".join(map(cell, ours)) + " |")
    lifts = [f"{float(r['lift']):+.2f} [{float(r['lift_low']):+.2f}, {float(r['lift_high']):+.2f}]" for r in ours]
    lines.append("| **lift over its encoder untrained** | " + " | ".join(lifts) + " |")
    lines.append("| p of the lift, Holm's correction | " + " | ".join(f"{corrected[n]:.3f}" for n in names) + " |")
    return "\n".join(lines)


def choose_table() -> str:
    """The lift of the inner validation accuracy, the highest mean first, and how far the others are behind it."""
    rows = read("choose")
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    lifts = {(row["method"], row["dataset"]): float(row["lift"]) for row in rows}
    mean = {m: statistics.mean(lifts[m, name] for name in datasets) for m in dict.fromkeys(r["method"] for r in rows)}
    ordered = sorted(mean, key=lambda method: -mean[method])
    by_seed = {method: inner_lifts(method, datasets) for method in ordered}
    lines = ["| | " + " | ".join(datasets) + " | mean | behind the first |", "| --- |" + " --- |" * (len(datasets) + 2)]
    for method in ordered:
        behind = [a - b for a, b in zip(by_seed[ordered[0]], by_seed[method], strict=True)]
        error = statistics.stdev(behind) / len(behind) ** 0.5
        cells = [f"{lifts[method, name]:+.2f}" for name in datasets]
        last = "-" if method == ordered[0] else f"{statistics.mean(behind):.2f} ± {error:.2f}"
        lines.append(f"| {method} | {' | '.join(cells)} | {mean[method]:+.2f} | {last} |")
    return "\n".join(lines)


def inner_lifts(method: str, datasets: list[str]) -> list[float]:
    """The lift on each data set with each seed, over the method's own encoder untrained."""
    found = []
    for name in datasets:
        scores: dict[tuple[str, str], list[float]] = {}
        for row in read(f"raw/{name}.choose"):
            scores.setdefault((row["method"], row["seed"]), []).append(100 * float(row["validation"]))
        own = f"untrained ({method})"
        twin = own if any(row == own for row, _ in scores) else "untrained"
        seeds = sorted(seed for row, seed in scores if row == method)
        found += [statistics.mean(scores[method, seed]) - statistics.mean(scores[twin, seed]) for seed in seeds]
    return found


def choose_nodes_table() -> str:
    """The validation accuracy of methods of nodes on random splits, the highest mean first, and how far others are."""
    protocol, datasets = "node-linear-random-10-10-80", ("Cora", "CiteSeer", "Cora_ML")
    scores: dict[str, dict[tuple[str, str], list[float]]] = {}
    for name in datasets:
        for row in read(f"raw/{name}.{protocol}"):
            if row["method"] in NODE_METHODS:
                of_seed = scores.setdefault(row["method"], {}).setdefault((name, row["seed"]), [])
                of_seed.append(100 * float(row["validation"]))
    means = {m: {key: statistics.mean(found) for key, found in by.items()} for m, by in scores.items()}
    ordered = sorted(means, key=lambda method: -statistics.mean(means[method].values()))
    first = means[ordered[0]]
    lines = ["| | " + " | ".join(datasets) + " | mean | behind the first |", "| --- |" + " --- |" * (len(datasets) + 2)]
    for method in ordered:
        own = means[method]
        cells = [f"{statistics.mean(v for (at, _), v in own.items() if at == name):.2f}" for name in datasets]
        behind = [first[key] - own[key] for key in first]
        error = statistics.stdev(behind) / len(behind) ** 0.5
        last = "-" if method == ordered[0] else f"{statistics.mean(behind):.2f} ± {error:.2f}"
        lines.append(f"| {method} | {' | '.join(cells)} | {statistics.mean(own.values()):.2f} | {last} |")
    return "\n".join(lines)


def probes_table() -> str:
    """One line per method of graphs: its mean lift under other protocols, and on how many sets it is significant."""
    metrics = {"accuracy": "graph-knn", "nmi": "graph-kmeans", "ari": "graph-kmeans", "precision@10": "graph-retrieval"}
    rows = [row for row in read("tu") if metrics.get(row["metric"]) == row["protocol"] and row["selected_by"]]
    at = {(row["dataset"], row["method"], row["metric"]): row for row in rows}
    methods = list(dict.fromkeys(row["method"] for row in rows))
    datasets = [
        name
        for name in dict.fromkeys(row["dataset"] for row in rows)
        if all((name, m, metric) in at for m in methods for metric in metrics)
    ]
    heads = [f"`{protocol}`, {metric}" for metric, protocol in metrics.items()]
    lines = [f"| mean lift over {len(datasets)} sets | {' | '.join(heads)} |", "| --- |" + " --- |" * len(metrics)]
    for method in methods:
        cells = []
        for metric in metrics:
            ours = [at[name, method, metric] for name in datasets]
            sure = [r for r in ours if float(r["lift_low"]) > 0 or float(r["lift_high"]) < 0]
            up = sum(float(r["lift"]) > 0 for r in sure)
            mean = sum(float(r["lift"]) for r in ours) / len(ours)
            cells.append(f"{mean:+.2f} ({up} up, {len(sure) - up} down)")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    lines += ["", f"Sets: {', '.join(datasets)}."]
    return "\n".join(lines)


def semi_table() -> str:
    """One line per data set and share of labels: tuned from scratch, tuned after pretraining, and what is published."""
    rows = [row for row in read("tu") if row["protocol"].startswith("semi-supervised-")]
    at = {(row["dataset"], row["protocol"], row["method"]): row for row in rows}
    lines = ["| | labels | scratch | GraphCL | lift | published: scratch, GraphCL |", "| --- " * 6 + "|"]
    for name, protocol in dict.fromkeys((row["dataset"], row["protocol"]) for row in rows):
        scratch, ours = (at[name, protocol, method] for method in ("scratch", "GraphCL"))
        lift = f"{float(ours['lift']):+.2f} [{float(ours['lift_low']):+.2f}, {float(ours['lift_high']):+.2f}]"
        published = f"{scratch['published'] or '-'}, {ours['published'] or '-'}"
        share = f"{protocol.rpartition('-')[2]} %"
        lines.append(f"| {name} | {share} | {cell(scratch)} | {cell(ours)} | {lift} | {published} |")
    return "\n".join(lines)


def quoted(at: dict[tuple[str, str], dict[str, str]], dataset: str, methods: list[str]) -> list[tuple[str, str]]:
    """What is published of the methods on a data set under the same protocol."""
    return [(m, at[dataset, m]["published"]) for m in methods if m != "GraphCL" and at[dataset, m]["published"]]


def molecules_table() -> str:
    """One line per data set, frozen embeddings; the fingerprint stands beside them."""
    return molecule_rows(
        "moleculenet-linear",
        ("raw", "fingerprint", "properties", "untrained", "GraphCL", "MolCLR", "SimGRACE", "CrossModal"),
    )


def tuned_table() -> str:
    """One line per data set, all weights tuned, from pretrained ones and from scratch."""
    return molecule_rows("moleculenet-finetune", ("scratch", "GraphCL", "MolCLR", "SimGRACE", "CrossModal"))


def molecule_rows(protocol: str, methods: tuple[str, ...]) -> str:
    """Under a protocol, and under the same with another number of epochs, which is then said."""
    rows = [row for row in read("molecules") if re.fullmatch(rf"{protocol}(-\d+-epochs)?", row["protocol"])]
    at = {(row["dataset"], row["protocol"], row["method"]): row for row in rows}
    lines = ["| | | " + " | ".join(methods) + " |", "| --- | --- |" + " --- |" * len(methods)]
    for name, used, metric in dict.fromkeys((row["dataset"], row["protocol"], row["metric"]) for row in rows):
        epochs = used.removeprefix(protocol).replace("-", " ").strip()
        cells = [f"{name}, {epochs}" if epochs else name, metric, *(cell(at.get((name, used, m))) for m in methods)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def node_table() -> str:
    """One line per method and data set under the public split; each beside its own encoder untrained."""
    rows = [row for row in read("node") if row["protocol"] == "node-linear-public"]
    at = {(row["dataset"], row["method"]): row for row in rows}
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    lines = ["| | " + " | ".join(f"{name} | its encoder untrained | lift | published" for name in datasets) + " |"]
    lines.append("| --- |" + " --- | --- | --- | --- |" * len(datasets))
    for method in ("raw", "supervised", *NODE_METHODS):
        cells = []
        for name in datasets:
            row = at.get((name, method))
            twin = at.get((name, "untrained" if method == "GRACE" else f"untrained ({method})"))
            lift = f"{float(row['lift']):+.1f}" if row and row["lift"] and twin else "-"
            seeds = f" ({row['seeds']})" if row and method in NODE_METHODS else ""
            cells += [cell(row) + seeds, cell(twin), lift, row["published"] or "-" if row else "-"]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


NODE_METHODS = ("GRACE", "GCA", "BGRL", "G-BT", "CCA-SSG", "DGI", "MVGRL", "GGD")


def passing_table() -> str:
    """Time and memory of theirs over ours, by threads."""
    rows = [row for row in read("message_passing") if "100k" in row["scale"]]
    lines = ["| 100,000 nodes, 1,000,000 edges, 128 features | against | 1 thread | 2 threads | memory, MB |"]
    lines.append("| --- | --- | --- | --- | --- |")
    at = {(row["what"], row["opponent"], row["threads"]): row for row in rows}
    for what, opponent in dict.fromkeys((row["what"], row["opponent"]) for row in rows):
        one, two = (at.get((what, opponent, threads)) for threads in ("1", "2"))
        ratios = [f"{float(r['ratio_median']):.1f} x" if r else "-" for r in (one, two)]
        memory = next((r for r in (one, two) if r and r["ours_peak_mb"]), None)
        held = f"{float(memory['ours_peak_mb']):.0f} / {float(memory['theirs_peak_mb']):.0f}" if memory else "-"
        lines.append(f"| {what} | {opponent} | {ratios[0]} | {ratios[1]} | {held} |")
    return "\n".join(lines)


def speed_table() -> str:
    lines = ["| | plain PyG loop / graphcl, time per epoch | range over rounds |", "| --- | --- | --- |"]
    for row in read("speed"):
        lines.append(f"| {row['dataset']} | {row['ratio_median']} x | {row['ratio_min']} to {row['ratio_max']} |")
    return "\n".join(lines)


def views_table() -> str:
    """Ratios at one thread: batches against loops over graphs, one large graph against plain tensor code."""
    rows = [row for row in read("augment") if row["threads"] == "1"]
    small = [row for row in rows if "molecules" in row["scale"]]
    scales = list(dict.fromkeys(row["scale"] for row in small))
    at = {(row["view"], row["opponent"], row["scale"]): row for row in small}
    lines = ["| batch of molecules | against | " + " | ".join(scales) + " |", "| --- | --- |" + " --- |" * len(scales)]
    for view, opponent in dict.fromkeys((row["view"], row["opponent"]) for row in small):
        ratios = [at.get((view, opponent, scale)) for scale in scales]
        lines.append(
            f"| {view} | {opponent} | "
            + " | ".join(f"{float(r['ratio_median']):.0f} x" if r else "-" for r in ratios)
            + " |"
        )
    lines += [
        "",
        "| 100,000 nodes, 1,000,000 edges, 128 features | against | time of theirs / ours |",
        "| --- | --- | --- |",
    ]
    for row in rows:
        if row not in small and row["ratio_median"]:
            lines.append(f"| {row['view']} | {row['opponent']} | {row['ratio_median']} |")
    return "\n".join(lines)


def similarity_table() -> str:
    """Time against the formula of GRACE, and memory."""
    rows = [row for row in read("similarity") if row["n"] and row["d"] in ("128", "256")]
    lines = ["| rows per view x width | " + " | ".join(NAMES.values()) + " |", "| --- |" + " --- |" * len(NAMES)]
    at = {(row["n"], row["d"], row["impl"]): row for row in rows}
    for n, d in dict.fromkeys((row["n"], row["d"]) for row in rows):
        cells = []
        for impl in NAMES:
            row = at.get((n, d, impl))
            cells.append("-" if row is None else cell_of_time(row))
        lines.append(f"| {int(n):,} x {d} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


NAMES = {
    "grace": "GRACE formula",
    "cross-entropy": "as cross-entropy",
    "pygcl": "PyGCL formula",
    "tiled": "graphcl",
    "tiled-bf16": "graphcl, bf16 products",
}


def cell_of_time(row: dict[str, str]) -> str:
    if not row["median_s"].replace(".", "").isdigit():
        return "out of memory"
    return f"{float(row['median_s']):.3g} s, {float(row['peak_extra_mb']):,.0f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if a page is not current")
    check = parser.parse_args().check
    tables = {"tu": tu_table(), "speed": speed_table(), "views": views_table(), "similarity": similarity_table()}
    tables |= {
        "methods": methods_table(),
        "probes": probes_table(),
        "choose": choose_table(),
        "choose-nodes": choose_nodes_table(),
        "semi": semi_table(),
        "subtrees": subtrees_table(),
        "molecules": molecules_table(),
        "tuned": tuned_table(),
        "node": node_table(),
        "passing": passing_table(),
    }
    stale = []
    for page in PAGES:
        text = page.read_text()
        new = re.sub(MARKED, lambda found: f"{found[1]}\n{tables[found[2]]}\n{found[3]}", text)
        stale += [page] * (new != text)
        if not check:
            page.write_text(new)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
