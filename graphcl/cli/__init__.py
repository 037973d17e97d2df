"""The command line; it alone reads settings, flags and YAML. One file per command, imported when it is asked for."""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphcl.cli._parser import build_parser, command_in, module_of, parse
from graphcl.errors import GraphCLError

__all__ = ["main"]

INTERRUPTED = 130  # what a shell reports after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for a mistake that the message explains, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with _told_warnings():
            return _dispatch(arguments)
    except (GraphCLError, ValueError, TypeError, ImportError) as error:  # the last: an extra that is not installed
        if os.environ.get("GRAPHCL_DEBUG"):
            raise
        print(f"graphcl: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("graphcl: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a file that may not be read, a folder in its place
        if error.filename is None or os.environ.get("GRAPHCL_DEBUG"):
            raise
        wanted = "to be able to read and write"
        print(f"graphcl: error: expected {wanted} {error.filename}, got: {error.strerror}", file=sys.stderr)
        return 2


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
        parse(build_parser(), arguments)  # shows help or the version, or refuses what is no command
        build_parser().print_help()
        return 0
    module = module_of(command)
    defaults = module.unsaid(arguments) if arguments[0] == "pretrain" else {}
    config = parse(build_parser(command, defaults), arguments)[command]
    _spell(config)
    return module.run(config)


def _spell(config: Any) -> None:
    """The names of data sets as their cards spell them, by which settings and scores are found."""
    names = config.get("dataset")
    if names:
        from graphcl.data.cards import spelled

        root = config.get("root")
        config["dataset"] = (
            spelled(names, root=root) if isinstance(names, str) else [spelled(n, root=root) for n in names]
        )
