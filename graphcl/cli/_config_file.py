"""What a file of settings must be before its values are read: keys with values, lists where several are meant."""

from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from graphcl.errors import ConfigError

__all__ = ["check_config_files"]


def check_config_files(words: Sequence[str], parser: Any) -> None:
    """Refuse a file named by ``--config`` whose form the parser would complain of in Python's words, or take.

    Args:
        words: The command line.
        parser: That of its command.

    Raises:
        ConfigError: The file is empty or not a mapping, a key has no value, or one value where a list is due.
    """
    files = [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
    files += [path for word, path in zip(words, words[1:], strict=False) if word == "--config"]
    actions = {action.dest: action for action in parser._actions}
    for file in files:
        if "config" in actions and Path(file).is_file():  # of a file that is not there the parser speaks
            _check(Path(file), actions)


def _check(path: Path, actions: dict[str, Any]) -> None:
    settings = _read(path)
    if not isinstance(settings, dict):
        got = "an empty file" if settings is None else f"a {type(settings).__name__}"
        raise ConfigError(f"{path}: expected settings, one KEY: VALUE in a line, got {got}")
    for key, value in settings.items():
        action = actions.get(key)
        if action is None:  # the parser names the nearest known one
            continue
        if value is None and NoneType not in get_args(getattr(action, "_typehint", None)):
            raise ConfigError(f"{path}: expected a value for {key}, got none; leave out the key for the usual one")
        if action.nargs in ("*", "+") and not isinstance(value, list):
            raise ConfigError(f"{path}: expected a list for {key}, got {value!r}; write {key}: [{value}]")


def _read(path: Path) -> Any:
    import yaml

    class Once(yaml.SafeLoader):
        """Of a key that is there twice YAML would take the last without a word."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = sorted({str(key) for key in keys if keys.count(key) > 1})
            if twice:
                raise ConfigError(f"{path}: expected each key once, got {', '.join(twice)} several times")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Once)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a YAML file of settings, got one that cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
