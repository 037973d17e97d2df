"""What is said to no words at all, and to words that are unknown or of a wrong type."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from graphcl.cli import main
from graphcl.cli._parser import COMMANDS, build_parser


def test_no_arguments_show_help(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {command} " in shown and words.split()[0] in shown for command, words in COMMANDS.items())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"graphcl [options] {command}" in capsys.readouterr().out


def test_help_imports_no_torch(environment):
    code = "import sys; from graphcl.cli import main; main([]); sys.exit('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "pretrain" in ran.stdout and ran.returncode == 0, ran.stderr


def test_only_the_command_that_is_asked_for_has_options():
    actions = build_parser("export")._subcommands_action._name_parser_map
    assert [name for name, parser in actions.items() if len(parser._actions) > 1] == ["export"]


def test_an_unknown_command_names_the_nearest(refused):
    assert "got 'pretrian'; nearest: pretrain" in refused("pretrian", "--dataset", "MUTAG")


def test_words_without_a_flag_are_named(refused):
    assert "one value each, got 'MUTAG' besides; see graphcl pretrain --help" in refused("pretrain", "MUTAG")
    assert "got '1 2' besides; several seeds are for graphcl bench --seeds" in refused(
        "pretrain", "--seed", "0", "1", "2"
    )


def test_wrong_yaml_key_names_the_nearest(refused):
    Path("settings.yaml").write_text("temprature: 0.5\n")
    message = refused("pretrain", "--config", "settings.yaml", "--out", "run")
    assert "'temprature'" in message and "temperature" in message


def test_unknown_flag_names_the_nearest(refused):
    message = refused("pretrain", "--temprature", "0.5")
    assert "--temprature" in message and "--temperature" in message


def test_a_flag_like_no_other_gets_a_short_answer(refused):
    message = refused("pretrain", "--zzqqzz", "3")
    assert "in all; graphcl pretrain --help shows them)?" in message and len(message) < 300


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["datasets", "list", "--rot", "x"], "got '--rot'; did you mean --root?"),
        (["datasets", "add", "Mine", "--form", "x"], "did you mean --from, "),
        (["datasets", "shwo"], "expected an action out of list, show, add, got 'shwo'; nearest: show"),
    ],
)
def test_an_unknown_word_of_an_action_names_the_nearest_there(refused, arguments, words):
    assert words in refused(*arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["embed", "run"], "expected --out, got none; see graphcl embed --help"),
        (["finetune"], "expected --dataset, got none"),
        (["datasets", "add", "Mine"], "expected --from, got none"),
    ],
)
def test_what_is_lacking_is_named_as_it_is_typed(refused, arguments, words):
    assert words in refused(*arguments)


def test_wrong_type(refused):
    message = refused("pretrain", "--epochs", "many")
    assert "epochs" in message and "many" in message


def test_unknown_command_lists_the_known(refused):
    message = refused("prtrain")
    assert "'prtrain'" in message and all(command in message for command in COMMANDS)


def test_warnings_of_the_package_are_told_as_errors_are(capsys, monkeypatch):
    def run(config):
        warnings.warn("the words", RuntimeWarning, stacklevel=1)
        return 0

    monkeypatch.setattr("graphcl.cli.methods.run", run)
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr("graphcl.cli.__file__", str(Path(__file__).parents[0] / "cli" / "__init__.py"))
        assert main(["methods"]) == 0
        assert capsys.readouterr().err == "graphcl: warning: the words\n"
    assert warnings.showwarning is before


def test_warnings_of_others_stay_as_they_are(capsys, monkeypatch):
    monkeypatch.setattr("graphcl.cli.methods.run", lambda config: warnings.warn("theirs", stacklevel=1) or 0)
    with pytest.warns(UserWarning, match="theirs"):
        assert main(["methods"]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_may_not_be_read_is_named(capsys, monkeypatch):
    def run(config):
        raise PermissionError(13, "Permission denied", "secret.csv")

    monkeypatch.setattr("graphcl.cli.doctor.run", run)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == (
        "graphcl: error: expected to be able to read and write secret.csv, got: Permission denied\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("arguments", [[], ["datasets", "list"]])
def test_a_full_device_is_told_in_a_line(environment, arguments):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "graphcl", *arguments]
        ran = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.stderr == "graphcl: error: cannot write the output: No space left on device\n" and ran.returncode == 2
