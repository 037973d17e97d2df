"""The search for the default method, by inner validation scores alone.

    python benchmarks/choose.py --datasets PTC_MR IMDB-MULTI DD NCI1 --seeds 3

For every method, with its paper's settings, the accuracy on the inner folds of each training part, and the lift of that
over the method's own encoder untrained, as a mean over data sets, seeds and outer folds. No score of a test fold is
looked at. What is highest here may become the default, and is then scored on the other sets, once. Writes
``results/choose.csv`` and, fold by fold, ``results/raw/NAME.choose.csv``; embeddings are shared with ``tu.py``. Started
again, it goes on where it stopped.
"""

import argparse
import csv
import datetime
import hashlib
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from tu import RESULTS, embed

from graphcl import __version__
from graphcl.evaluate import fold_scores, protocol
from graphcl.evaluate._raw import PartRow, RawFile

NONE = float("nan")
METHODS = ["graphcl", "infograph", "joao-v2", "ad-gcl", "simgrace", "mvgrl-graph", "graph-moco", "graph-byol"]
METHODS += ["graph-swav", "graph-barlow-twins", "graph-vicreg", "subtree-contrast"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["PTC_MR", "IMDB-MULTI", "DD", "NCI1"])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--protocol", default="tu-rbf-svm")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="threads that share the folds")
    parser.add_argument("--out", type=Path, default=RESULTS / "choose.csv")
    parser.add_argument("--cache", type=Path, default=Path("runs") / "embeddings")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.datasets:
        rows += of_one_set(name, arguments)
    made_by = f"python benchmarks/choose.py --datasets {' '.join(arguments.datasets)} --seeds {arguments.seeds}"
    made_by += "" if arguments.methods == METHODS else f" --methods {' '.join(arguments.methods)}"
    about = {"version": __version__, "date": datetime.date.today().isoformat(), "command": made_by}
    with open(arguments.out, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=[*rows[0], *about])
        writer.writeheader()
        writer.writerows(row | about for row in rows)
    print("mean lift of the inner validation accuracy over the sets")
    lifts = {method: [row["lift"] for row in rows if row["method"] == method] for method in {r["method"] for r in rows}}
    for method, found in sorted(lifts.items(), key=lambda item: -statistics.mean(item[1])):
        print(f"{method:<20} {statistics.mean(found):+.2f}   {' '.join(f'{lift:+.2f}' for lift in found)}")


def of_one_set(name: str, arguments: argparse.Namespace) -> list[dict[str, object]]:
    rules, seeds = protocol(arguments.protocol), range(arguments.seeds)
    graphs, embeddings, _, over, _ = embed(name, seeds, arguments.methods, arguments.cache)
    labels = graphs.y.numpy()
    store = RawFile(arguments.out.parent / "raw" / f"{name}.choose.csv")

    def inner(method: str, seed: int, z: np.ndarray) -> list[float]:
        rows = np.ascontiguousarray(z)
        key = hashlib.sha256(f"{rules} {rows.shape}".encode() + rows.tobytes() + labels.tobytes()).hexdigest()[:16]
        found = store.find(method, seed, key)
        if not found:
            print(name, method, seed, file=sys.stderr, flush=True)
            start = time.perf_counter()
            scores = fold_scores(z, labels, rules, seed=seed, n_jobs=arguments.jobs)
            each = round((time.perf_counter() - start) / len(scores), 3)
            # The score of the test fold is not kept: nothing may be chosen by it.
            kept = [
                PartRow(method, seed, i, "accuracy", NONE, s.penalty, s.validation, s.unconverged, each, key)
                for i, s in enumerate(scores)
            ]
            store.put(method, seed, kept)
            found = store.find(method, seed, key)
        return [100 * row.validation for row in found.values()]

    wanted = dict.fromkeys([*over, *over.values()])
    found = {
        method: np.array([inner(method, seed, z) for seed, z in zip(seeds, embeddings[method], strict=True)])
        for method in wanted
    }
    return [
        {
            "dataset": name,
            "method": method,
            "protocol": rules.name,
            "seeds": len(seeds),
            "validation": round(float(found[method].mean()), 3),
            "std": round(float(found[method].mean(1).std(ddof=1)), 3) if len(seeds) > 1 else "",
            "untrained": round(float(found[twin].mean()), 3),
            "lift": round(float((found[method] - found[twin]).mean()), 3),
        }
        for method, twin in over.items()
    ]


if __name__ == "__main__":
    main()
