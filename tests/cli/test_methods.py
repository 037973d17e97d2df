"""The methods as the command line lists them."""

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
