"""The learning rate over time: its ends, its rise, and its middle."""

import pytest

from graphcl.train import rate_at


def test_rates():
    assert [rate_at(t, 10) for t in (0, 5, 10)] == [1.0, 1.0, 1.0]
    assert [rate_at(t, 10, warmup=4) for t in (0, 1, 4, 9)] == [0.0, 0.25, 1.0, 1.0]
    assert [rate_at(t, 10, schedule="cosine") for t in (0, 5, 10)] == pytest.approx([1.0, 0.5, 0.0])
    assert rate_at(3, 3, schedule="cosine", warmup=3) == 1.0
