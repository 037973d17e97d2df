"""Where a run's settings come from: flags, YAML, the method, and the run that is gone on with."""

from pathlib import Path

import pytest
import yaml

from graphcl.cli import main
from graphcl.cli._settings import CALL_ONLY, run_config
from graphcl.errors import ConfigError
from graphcl.train import RunFolder


def test_flags_win_over_yaml_and_the_run_remembers(fast):
    Path("settings.yaml").write_text("lr: 0.5\nbatch_size: 50\nviews: [random4, 'node-drop:0.2']\n")
    assert main(["pretrain", "--config", "settings.yaml", "--lr", "0.02", "--out", "run", *fast]) == 0
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    assert (config["lr"], config["batch_size"], config["views"]) == (0.02, 50, ["random4", "node-drop:0.2"])
    # What a run wrote is a valid settings file.
    assert main(["pretrain", "--config", "run/config.yaml", "--out", "again", "--device", "cpu"]) == 0
    assert Path("again/model.safetensors").read_bytes() == Path("run/model.safetensors").read_bytes()


def test_print_config_is_yaml_that_pretrain_takes(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", "--batch-size", "7", "--print-config"])
    assert stop.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["batch_size"] == 7


def test_resume_uses_the_run_s_own_settings(fast):
    assert main(["pretrain", "--out", "whole", "--batch-size", "90", *fast, "--epochs", "4"]) == 0
    assert main(["pretrain", "--out", "parts", "--batch-size", "90", *fast]) == 0
    assert main(["pretrain", "--resume", "--out", "parts", "--epochs", "4", "--device", "cpu"]) == 0
    assert Path("parts/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    assert len(Path("parts/metrics.jsonl").read_text().splitlines()) == 4


def test_settings_are_the_methods_own_unless_something_is_said(capsys):
    Path("settings.yaml").write_text("method: grace\nlr: 0.5\n")
    for arguments in (
        ["--config", "settings.yaml"],
        ["--method", "grace", "--lr", "0.5"],
        ["--method=grace", "--lr=0.5"],
    ):
        with pytest.raises(SystemExit):
            main(["pretrain", *arguments, "--print-config"])
        settings = yaml.safe_load(capsys.readouterr().out)
        assert (settings["encoder"], settings["temperature"], settings["epochs"]) == ("gcn", 0.4, 200)
        assert settings["lr"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "method"),
    [
        ([], "graphcl"),
        (["--dataset", "MUTAG"], "graphcl"),
        (["--data", "mine.smi"], "graphcl"),
        (["--dataset", "karate"], "cca-ssg"),
        (["--dataset", "ogbl-collab"], "cca-ssg"),
        (["--dataset", "karate", "--method", "graphcl"], "graphcl"),
        (["--config", "settings.yaml"], "cca-ssg"),
    ],
)
def test_where_no_method_is_named_the_data_set_decides(arguments, method, capsys):
    Path("settings.yaml").write_text("dataset: karate\n")
    with pytest.raises(SystemExit):
        main(["pretrain", *arguments, "--print-config"])
    settings = yaml.safe_load(capsys.readouterr().out)
    assert settings["method"] == method
    assert (settings["encoder"] == "gcn") == (method == "cca-ssg")


def test_no_method_at_all_is_refused(refused):
    Path("settings.yaml").write_text("dataset: karate\nmethod: null\n")
    assert "expected a value for method, got none" in refused("pretrain", "--config", "settings.yaml")


def test_a_data_set_s_settings_are_found_whatever_the_case_of_its_name(capsys):
    with pytest.raises(SystemExit):
        main(["pretrain", "--method", "grace", "--dataset", "citeseer", "--print-config"])
    assert yaml.safe_load(capsys.readouterr().out)["hidden"] == 512


def test_a_run_keeps_the_name_of_its_method_however_it_was_spelled(fast):
    assert main(["pretrain", "--method", "GraphCL", "--out", "run", *fast]) == 0
    assert RunFolder("run").read_config()["method"] == "graphcl"


def test_a_run_of_few_settings_has_those_of_its_method_beside_them(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create({"method": "grace", "dataset": "CiteSeer", "lr": 0.5})
    config = run_config(folder)
    assert (config["lr"], config["temperature"], config["seed"]) == (0.5, 0.9, 0)
    assert not {"help", "print_config", *CALL_ONLY} & set(config)
    folder.write_config({"method": "grace", "temprature": 0.5})
    with pytest.raises(ConfigError, match=r"config.yaml: unknown key 'temprature'; nearest: temperature"):
        run_config(folder)


def test_settings_that_the_encoder_does_not_read_are_refused(refused):
    assert "encoders with one are gcn, sage, gat, molecule" in refused("pretrain", "--dropout", "0.5")
    assert "no virtual_node with encoder gcn" in refused("pretrain", "--encoder", "gcn", "--virtual-node", "true")
    assert "no joined with encoder gin" in refused("pretrain", "--joined", "false")


@pytest.mark.parametrize("command", [("pretrain",), ("finetune", "run", "--dataset", "MUTAG")])
def test_no_threads_are_refused(refused, command):
    assert "expected threads of at least 1, got 0" in refused(*command, "--threads", "0")


def test_a_method_says_what_it_needs(refused):
    said = refused("pretrain", "--method", "cross-modal")
    assert "expected modality and modality_channels for cross-modal, got none; it needs the vectors" in said


def test_settings_on_a_set_that_is_none_are_refused(refused):
    assert "foo" in refused("methods", "grace", "--dataset", "foo")
