"""The command line; it alone reads settings, flags and YAML. One file per command, imported when it is asked for."""

import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from graphcl.cli._parser import build_parser, command_in, module_of, parse
from graphcl.errors import GraphCLError

__all__ = ["main"]

INTERRUPTED = 130  # what a shell reports after Ctrl-C
# Of what cannot be written, and is not named: there is no room for it.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for a mistake that the message explains, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot say "±" shall not cost the scores
    try:
        with _told_warnings():
            status = _dispatch(arguments)
        print(end="", flush=True)  # what fails now can still be told
        return status
    except (GraphCLError, ValueError, TypeError, ImportError) as error:  # the last: an extra that is not installed
        if os.environ.get("GRAPHCL_DEBUG"):
            raise
        print(f"graphcl: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("graphcl: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has gone
        _end_output()
        return 0
    except OSError as error:  # a file that may not be read, a folder in its place
        _end_output()
        if os.environ.get("GRAPHCL_DEBUG"):
            raise
        if error.filename is None and error.errno in FULL:
            print(f"graphcl: error: cannot write the output: {error.strerror}", file=sys.stderr)
            return 2
        if error.filename is None:
            raise
        wanted = "to be able to read and write"
        print(f"graphcl: error: expected {wanted} {error.filename}, got: {error.strerror}", file=sys.stderr)
        return 2


def _end_output() -> None:
    """What cannot be written goes nowhere: at the end of the process it would fail once more."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Warnings of this package in a line of words, as errors are told, without the place in the code."""
    package, usual = f"{Path(__file__).parents[1]}{os.sep}", warnings.showwarning

    def tell(message: Any, category: type[Warning], filename: str, *place: Any, **more: Any) -> None:
        if filename.startswith(package):
            print(f"graphcl: warning: {message}", file=sys.stderr)
        else:
            usual(message, category, filename, *place, **more)

    with warnings.catch_warnings():
        warnings.showwarning = tell
        yield


def _dispatch(arguments: list[str]) -> int:
    command = command_in(arguments)
    if command is None:
        parse(build_parser(), arguments)  # shows help or the version, or refuses what is not a command
        build_parser().print_help()
        return 0
    module = module_of(command)
    defaults = module.unsaid(arguments) if arguments[0] == "pretrain" else {}
    config = parse(build_parser(command, defaults), arguments)[command]
    _spell(config)
    return module.run(config)


def _spell(config: Any) -> None:
    """The names of data sets and methods as cards and recipes spell them, by which settings and scores are found."""
    if config.get("dataset"):
        from graphcl.data.cards import spelled

        config["dataset"] = _each(partial(spelled, root=config.get("root")), config["dataset"])
    if config.get("method"):
        from graphcl import _recipes

        config["method"] = _each(_recipes.spelled, config["method"])


def _each(spell: Callable[[str], str], names: str | list[str]) -> str | list[str]:
    return spell(names) if isinstance(names, str) else [spell(name) for name in names]
