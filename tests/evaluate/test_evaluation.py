"""One result for all protocols: the short way to its scores, and what they are compared with."""

from typing import Any

import numpy as np
import pytest

from graphcl.evaluate import Evaluation, molecule_protocol, node_protocol, protocol, semi_protocol


def evaluation(chosen: Any, **tables: Any) -> Evaluation:
    zeros = {"raw": np.zeros((2, 3))}
    return Evaluation(
        protocol=chosen,
        seeds=(0, 1),
        tables={metric: {"raw": table} for metric, table in tables.items()},
        choice=zeros,
        validation=zeros,
        unconverged={"raw": 0},
        seconds={"raw": 0.5},
        num_tested=30,
        sizes=(10, 20),
        split_hash="abc",
    )


def test_scores_are_those_of_the_first_metric() -> None:
    nmi, ari = np.ones((2, 3)), np.zeros((2, 3))
    found = evaluation(protocol("graph-kmeans"), nmi=nmi, ari=ari)
    assert found.scores["raw"] is nmi and list(found.tables) == ["nmi", "ari"]
    assert (found.skipped, found.tasks) == (0, 1)


@pytest.mark.parametrize(
    ("chosen", "baseline"),
    [
        (protocol("tu-rbf-svm"), "untrained"),
        (node_protocol("kmeans"), "untrained"),
        (molecule_protocol("moleculenet-linear"), "untrained"),
        (molecule_protocol("ogb-finetune"), "scratch"),
        (semi_protocol("semi-supervised-1"), "scratch"),
    ],
)
def test_what_was_tuned_is_compared_with_scratch(chosen: Any, baseline: str) -> None:
    assert evaluation(chosen, accuracy=np.ones((2, 3))).baseline == baseline
