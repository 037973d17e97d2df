"""Files of settings that are none, told before anything is read into them."""

from pathlib import Path

import pytest
import yaml

from graphcl.cli import main


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected settings, one KEY: VALUE in a line, got an empty file"),
        ("# lr: 0.5\n", "got an empty file"),
        ("- lr\n- 0.5\n", "expected settings, one KEY: VALUE in a line, got a list"),
        ("views: node-drop\n", "expected a list for views, got 'node-drop'; write views: [node-drop]"),
        ("epochs:\n", "expected a value for epochs, got none; leave out the key"),
        ("epochs: [1\n", "expected YAML, got while parsing a flow sequence"),
    ],
)
@pytest.mark.parametrize("flag", [("--config", "settings.yaml"), ("--config=settings.yaml",)])
def test_what_is_no_file_of_settings_is_refused(refused, flag, text, words):
    Path("settings.yaml").write_text(text)
    said = refused("pretrain", *flag, "--out", "run")
    assert "settings.yaml: expected " in said and words in said


def test_bytes_that_are_no_text_are_refused(refused):
    Path("settings.yaml").write_bytes(b"lr: \xff\xfe\n")
    assert "settings.yaml: expected a YAML file of settings" in refused("pretrain", "--config", "settings.yaml")


def test_null_stands_where_nothing_is_a_value(capsys):
    Path("settings.yaml").write_text("clip: null\ntemperature: null\nexclude: []\n")
    with pytest.raises(SystemExit):
        main(["pretrain", "--config", "settings.yaml", "--print-config"])
    assert yaml.safe_load(capsys.readouterr().out)["clip"] is None


def test_a_key_that_is_there_twice_is_refused(refused):
    Path("c.yaml").write_text("dataset: MUTAG\nepochs: 1\ndataset: PTC_MR\n")
    assert "expected each key once, got dataset several times" in refused("pretrain", "--config", "c.yaml")
