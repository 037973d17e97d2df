"""The base of all methods: keys, steps, abstractness. What every method shares is in test_contract.py."""

import pytest
import torch
from torch_geometric.data import Data

from graphcl._random import fold, seed_from
from graphcl.methods import Method
from graphcl.nn import GIN, GraphEncoder


class KeyOnly(Method):
    """Its loss is the key that it was given."""

    def loss_of(self, data, key):
        if data is None:
            raise ValueError("no data")
        return torch.tensor(key)


@pytest.fixture
def method():
    return KeyOnly(GraphEncoder(GIN(2)), seed=7)


DATA = Data(x=torch.ones(2, 2), edge_index=torch.zeros(2, 0, dtype=torch.int64))


def test_the_key_is_that_of_seed_and_step(method):
    assert [method(DATA).item() for _ in range(3)] == [fold(7, step) for step in range(3)]


def test_the_key_of_a_generator(method, generator):
    expected = seed_from(torch.Generator().manual_seed(0))
    assert method(DATA, generator=generator).item() == expected
    assert method.step == 0


def test_a_failed_step_is_not_counted(method):
    with pytest.raises(ValueError, match="no data"):
        method(None)
    assert method.step == 0


def test_step_is_saved_and_loaded(method):
    method(DATA)
    other = KeyOnly(GraphEncoder(GIN(2)), seed=7)
    other.load_state_dict(method.state_dict())
    assert other.step == 1
    assert other.step.dtype == torch.int64
    assert other(DATA).item() == fold(7, 1)


def test_casting_the_method_does_not_cast_the_step(method):
    assert method.half().step.dtype == torch.int64


def test_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Method(GraphEncoder(GIN(2)))


def test_after_step_does_nothing_by_default(method):
    assert method.after_step() is None
