"""One base class for everything that can go wrong outside the program."""

import graphcl.errors
from graphcl.errors import GraphCLError


def test_every_error_is_one_of_the_package() -> None:
    for name in graphcl.errors.__all__:
        error = getattr(graphcl.errors, name)
        assert issubclass(error, GraphCLError)
        assert error.__doc__
        assert not issubclass(error, ValueError | TypeError)  # those are for wrong arguments in Python
