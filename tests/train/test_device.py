"""Devices by name."""

import pytest
import torch

from graphcl.errors import ConfigError
from graphcl.train import pick_device


def test_auto_and_cpu():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["cuda:63", "gpu", "tpu:0"])
def test_no_such_device(name):
    with pytest.raises(ConfigError, match=rf"expected a device of this machine \(cpu.*got '{name}'"):
        pick_device(name)
