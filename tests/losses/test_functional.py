"""The functional form is the losses' own functions, no copies of them."""

import re
from importlib import import_module
from pathlib import Path

from graphcl import losses
from graphcl.losses import functional


def test_every_name_is_there_and_is_the_loss_itself():
    for name in functional.__all__:
        function = getattr(functional, name)
        assert function.__name__ == name
        assert getattr(import_module(function.__module__), name) is function


def test_every_file_offers_its_losses():
    files = [path.stem for path in Path(losses.__file__).parent.glob("[a-z]*.py") if path.stem != "functional"]
    offered = {getattr(functional, name).__module__.rsplit(".", 1)[1] for name in functional.__all__}
    assert offered == set(files)


def test_every_function_that_the_docstrings_name_is_there():
    for path in Path(losses.__file__).parent.glob("[a-z]*.py"):
        assert set(re.findall(r":func:`(\w+)`", path.read_text())) <= set(functional.__all__), path.name
