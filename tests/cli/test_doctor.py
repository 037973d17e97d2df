"""What the doctor finds."""

import configparser
from pathlib import Path

import pytest
import torch

import graphcl.pretrained
from graphcl.cli import doctor, main

SETUP = Path(__file__).parents[2] / "setup.cfg"


def test_all_is_well(capsys):
    Path("home/TU/MUTAG/raw").mkdir(parents=True)
    Path("home/Planetoid").mkdir()
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "all is well" and not any(line.startswith("!") for line in lines)
    assert any(f"torch {torch.__version__}" in line for line in lines)
    assert any("one step of GraphCL there: loss" in line for line in lines)
    assert any("tiled" in line for line in lines)
    assert "  in it: Planetoid; of TU MUTAG" in lines


def test_a_folder_that_is_not_there_is_no_fault(capsys):
    assert main(["doctor", "--root", "nowhere"]) == 0
    assert "data folder nowhere: not there yet" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["afile", "afile/data", "/proc/data"])
def test_a_folder_that_cannot_be_made_is_told(capsys, monkeypatch, place):
    monkeypatch.setattr(doctor, "_loss", lambda device: 1.0)
    Path("afile").write_text("")
    if not Path(place).parent.exists():
        pytest.skip(f"{place} could be made here")
    assert main(["doctor", "--root", place]) == 1
    out = capsys.readouterr().out
    assert f"! data folder {place}: " in out and "cannot be written to" in out and "choose another one" in out


def test_what_breaks_the_doctor_is_a_finding(capsys, monkeypatch):
    def breaks():
        yield "before"
        raise OSError("no such\nextra")

    found = doctor.importlib.metadata.version

    def version(name):
        if name == "ogb":
            raise doctor.importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(doctor, "_loss", lambda device: 1.0)
    monkeypatch.setattr(doctor, "_extras", breaks)
    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    Path("home/cards").mkdir(parents=True)
    Path("home/cards/Broken.yaml").write_text("name: [")
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "! ogb: not installed; pip install ogb" in lines and "torch " in lines[1]
    assert lines[lines.index("before") + 1] == "! OSError: no such extra"
    assert any(line.startswith("! ") and "Broken.yaml" in line for line in lines)
    assert any(line.startswith("encoder zinc-gin: loads") for line in lines)
    assert lines[-1] == "3 of these want mending"


def test_what_is_wrong_is_told(capsys, monkeypatch):
    steps = iter([1.0, RuntimeError("no kernel image\nand more")])

    def step(device):
        found = next(steps)
        if isinstance(found, Exception):
            raise found
        return found

    def refuses(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor, "_loss", step)
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuses)
    broken = Path("models/broken/model.safetensors")
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"nothing")
    monkeypatch.setattr(graphcl.pretrained, "MODELS", Path("models").resolve())
    Path("home").mkdir()
    assert main(["doctor"]) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("! ")]
    assert all(
        word in line for word, line in zip(["no kernel image;", "Permission denied", "broken"], wrong, strict=True)
    )


def test_a_device_that_computes_something_else_is_told(capsys, monkeypatch):
    answers = iter([1.0, 1.1])
    monkeypatch.setattr(doctor, "_loss", lambda device: next(answers))
    assert main(["doctor"]) == 1
    assert "! one step of GraphCL there: loss 1.1000, expected 1.0000" in capsys.readouterr().out


def test_every_extra_of_users_is_looked_for():
    setup = configparser.ConfigParser()
    setup.read(SETUP)
    assert set(doctor.EXTRAS) == set(setup["options.extras_require"]) - {"test", "dev", "docs"}
