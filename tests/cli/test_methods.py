"""The methods as the command line lists them."""

import pytest

from graphcl._recipes import METHODS
from graphcl.cli import main


def test_methods_are_listed_with_their_paper_and_their_settings(capsys, refused):
    assert main(["methods"]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == list(METHODS)
    assert "grace" in listed and "Deep Graph Contrastive" in listed
    assert main(["methods", "grace", "--dataset", "CiteSeer"]) == 0
    shown = capsys.readouterr().out
    assert "temperature: 0.9" in shown and "on CiteSeer:" in shown
    assert "nearest: grace" in refused("methods", "grase")
    assert "nearest: grace" in refused("methods", "GRASE")


@pytest.mark.parametrize(("asked", "name"), [("GRACE", "grace"), ("G-BT", "g-bt"), ("GraphSwAV", "graph-swav")])
def test_a_method_is_found_as_papers_and_tables_spell_it(capsys, asked, name):
    assert main(["methods", asked]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: ")


def test_settings_on_molecules_are_those_of_pretrain(capsys, refused):
    assert main(["methods", "graphcl", "--dataset", "BBBP"]) == 0
    shown = capsys.readouterr().out
    assert "encoder: molecule" in shown and "vocab: ogb" in shown and "atom-drop" in shown
    assert "edges that are no bonds" in refused("methods", "mvgrl-graph", "--dataset", "BBBP")
    assert "Near names: BBBP" in refused("methods", "graphcl", "--dataset", "BBBQ")


def test_a_method_for_molecules_alone_is_shown_as_it_is_on_them(capsys):
    assert main(["methods", "molclr"]) == 0
    shown = capsys.readouterr().out
    assert "encoder: molecule" in shown and "vocab: ogb" in shown and "batch_size: 512" in shown


def test_upper_and_lower_case_of_a_data_set_are_one(capsys):
    assert main(["methods", "grace", "--dataset", "cora"]) == 0
    assert "features: normalized" in capsys.readouterr().out
