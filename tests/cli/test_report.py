"""The page of a run from the command line."""

from pathlib import Path

import pytest

from graphcl.cli import main

pytest.importorskip("matplotlib", reason="figures need the extra plot")


def test_the_page_of_a_run(capsys, run):
    assert main(["report", "run"]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert Path("run/report.html").read_text().count("<svg") == 3  # loss, embeddings, these at the end; no scores


def test_there_must_be_a_run(refused):
    assert "found nothing" in refused("report", "elsewhere")
