"""Evaluation mode for a while."""

import pytest
from torch import nn

from graphcl.nn._modes import evaluating


def test_evaluating_restores_every_part_even_after_an_error():
    module = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())

    def fail():
        with evaluating(module):
            assert not any(part.training for part in module.modules())
            raise RuntimeError("within")

    with pytest.raises(RuntimeError, match="within"):
        fail()
    assert [part.training for part in module.modules()] == [True, True, False]
