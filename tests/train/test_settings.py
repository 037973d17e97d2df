"""What a checkpoint keeps of a run's settings."""

import math

from graphcl.train._settings import Settings

GIVEN = {"epochs": 9, "batch_size": 4, "lr": 0.1, "weight_decay": 0.0, "optimizer": "adam", "warmup": 0, "clip": None}
GIVEN |= {"accumulate": 1, "precision": "fp32", "patience": None, "seed": 0, "checkpoint_seconds": math.inf}
# Checkpoints that were written before have these names, and are gone on with by no others.
NAMES = {"seed", "size", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "warmup", "clip"}
NAMES |= {"precision", "patience", "length", "ranks", "accumulate"}


def test_names_are_those_of_the_checkpoints_there_are():
    assert Settings(schedule="constant", **GIVEN).kept(30).keys() == NAMES


def test_a_run_at_a_constant_rate_may_be_made_longer_and_another_not():
    constant, cosine = (Settings(schedule=schedule, **GIVEN).kept(30) for schedule in ("constant", "cosine"))
    assert constant["length"] is None and cosine["length"] == 9
    assert constant["size"] == 30 and constant["ranks"] == 1
