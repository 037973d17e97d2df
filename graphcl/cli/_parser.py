"""The parser of all commands, and what it says to words that it does not know."""

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from graphcl.cli._config_file import check_config_files
from graphcl.errors import ConfigError

__all__ = ["COMMANDS", "build_parser", "command_in", "module_of", "new_parser", "parse"]

# Each is a module of this folder, with ABOUT, add_options(parser) and run(config) -> exit status.
COMMANDS: Mapping[str, str] = {
    "pretrain": "train an encoder by contrast, without labels",
    "evaluate": "score a run's embeddings beside the untrained encoder's",
    "bench": "train methods with several seeds, and tabulate their scores beside baselines",
    "audit": "score any encoder of graphs, whoever trained it, beside the same one untrained",
    "finetune": "tune a run's encoder on molecules, or on few labels of graphs, beside one from scratch",
    "predict": "tune a run's encoder on labelled molecules, and predict the labels of others",
    "embed": "write a run's embeddings to a file",
    "export": "write a run's encoder, to share and to embed with",
    "report": "write the page of a run or of a table, report.html",
    "methods": "list the methods, or the settings of one",
    "datasets": "list, show and add data sets",
    "doctor": "say what this installation has, and whether it computes what it should",
}


def command_in(arguments: Sequence[str]) -> str | None:
    """The command that the arguments name, if any."""
    return next((word for word in arguments if word in COMMANDS), None)


def module_of(command: str) -> Any:
    """The module of a command."""
    return import_module(f"graphcl.cli.{command}")


def new_parser(about: str | None = None, **options: Any) -> Any:
    """A parser that raises where another would end the program."""
    from jsonargparse import ArgumentParser

    # The name of the flag that prints settings; only a parser with --config has it.
    return ArgumentParser(
        description=about, exit_on_error=False, print_config="--print-%s", allow_abbrev=False, **options
    )


def build_parser(command: str | None = None, defaults: Mapping[str, Any] | None = None) -> Any:
    """The parser of all commands. One of them has its options, so that the others need not be imported.

    Args:
        command: The one that has its options.
        defaults: What its options are where nothing is said, in the place of what it says itself.
    """
    from graphcl import __version__

    parser = new_parser(
        "Graph contrastive learning: pretrain a graph neural network without labels, see what it is worth.",
        prog="graphcl",
        epilog="Begin with: graphcl pretrain --evaluate   (offline, on a data set that the package makes itself)",
        version=__version__,
    )
    commands = parser.add_subcommands(required=False, dest="command", metavar="COMMAND")
    for name, words in COMMANDS.items():
        if name != command:
            commands.add_subcommand(name, new_parser(), help=words)
            continue
        module = module_of(name)
        chosen = new_parser(module.ABOUT)
        commands.add_subcommand(name, chosen, help=words)  # before its own actions, as jsonargparse demands
        module.add_options(chosen)
        known = {action.dest for action in chosen._actions}
        chosen.set_defaults({key: value for key, value in (defaults or {}).items() if key in known})
    return parser


def parse(parser: Any, arguments: Sequence[str]) -> Any:
    """Read the arguments.

    Raises:
        ConfigError: One is unknown, with the nearest known one, its value is of a wrong type, or a file of settings is
            not as :func:`check_config_files` wants it.
    """
    from argparse import ArgumentError

    # Both spellings work, as YAML keys have underscores and flags hyphens.
    words = [re.sub(r"^--[\w-]+", lambda m: "--" + m[0][2:].replace("_", "-"), word) for word in arguments]
    command = command_in(words)
    if command is not None:
        check_config_files(words, parser._subcommands_action._name_parser_map[command])
    try:
        return parser.parse_args(words)
    except ArgumentError as error:
        raise ConfigError(_with_hint(str(error), parser, words)) from error


def _as_typed(place: str, parser: Any) -> str:
    """An argument as a user types it, from its place among the commands: ``embed.out`` is ``--out``."""
    *commands, name = place.split(".")
    for command in commands:
        parser = parser._subcommands_action._name_parser_map[command]
    found = next((action for action in parser._actions if action.dest == name), None)
    return found.option_strings[0] if found is not None and found.option_strings else name.upper()


def _asked_of(parser: Any, arguments: Sequence[str]) -> tuple[Any, str]:
    """The parser of the innermost command that the arguments name, and how that is called."""
    called = ["graphcl"]
    for word in arguments:
        inner = getattr(parser._subcommands_action, "_name_parser_map", {})
        if word in inner:
            parser = inner[word]
            called.append(word)
        elif inner and not word.startswith("-"):  # what is not a command has nothing under it
            break
    return parser, " ".join(called)


def _with_hint(message: str, parser: Any, arguments: Sequence[str]) -> str:
    """Add the nearest valid key to a complaint about an unknown one."""
    from graphcl._recipes import near

    asked_of, command = _asked_of(parser, arguments)
    key = r"does not accept (?:option|nested key) '([\w.-]+)'"  # as newer and older versions of jsonargparse say
    lacking = re.search(r"arguments are required: (.*)", message)
    if lacking is not None:
        words = [_as_typed(word, parser) for word in lacking[1].split(", ")]
        return f"expected {' and '.join(words)}, got none; see {command} --help"
    wrong = re.search(r"argument (COMMAND|ACTION): invalid choice: '([^']*)'", message)
    if wrong is not None:
        what, word, known = wrong[1].lower(), wrong[2], list(asked_of._subcommands_action._name_parser_map)
        a = "an" if what == "action" else "a"
        return f"expected {a} {what} out of {', '.join(known)}, got {word!r}; nearest: {near(word, known)}"
    more = re.search(r"Unrecognized arguments: ([^-].*)", message, re.IGNORECASE)
    if more is not None:
        seeds = "; several seeds are for graphcl bench --seeds" if "--seed" in arguments else ""
        return f"expected flags with one value each, got {more[1]!r} besides{seeds}; see {command} --help"
    unknown = re.search(rf"{key}|Unrecognized arguments: (-\S+)", message, re.IGNORECASE)
    if unknown is None:
        return " ".join(message.split())
    word = (unknown[1] or unknown[2]).lstrip("-")
    flags = [action for action in asked_of._actions if action.option_strings and action.dest not in ("help", "config")]
    spelling = [flag.dest if unknown[1] else flag.option_strings[-1] for flag in flags]
    asked = word if unknown[1] else f"--{word}"
    shown = near(asked, spelling, listed_by=f"{command} --help")
    return f"expected a known setting, got {asked!r}; did you mean {shown}?"
