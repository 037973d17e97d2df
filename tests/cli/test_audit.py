"""An audit of any encoder from the command line."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch_geometric.nn import GIN

from graphcl.cli import main
from graphcl.cli.audit import _lift
from graphcl.evaluate import Result

USUAL = ["--dataset", "Rings", "--features", "constant", "--seeds", "1", "--device", "cpu"]
PYG = ["torch_geometric.nn:GIN", *USUAL, "--arguments.hidden_channels", "4", "--arguments.num_layers", "2"]


@pytest.fixture(autouse=True)
def _encoders(rings, capsys):
    """A data set to audit on, and two things of the user's, one of which is an encoder."""
    assert main(["datasets", "add", "Rings", "--from", str(rings)]) == 0
    capsys.readouterr()
    Path("mine.py").write_text(
        "import torch\n"
        "from torch_geometric.nn import GIN, global_add_pool\n"
        "class Pooling(torch.nn.Module):\n"
        "    def __init__(self, in_channels, width=4):\n"
        "        super().__init__()\n"
        "        self.gin = GIN(in_channels, width, num_layers=1)\n"
        "    def forward(self, x, edge_index, batch):\n"
        "        return global_add_pool(self.gin(x, edge_index), batch)\n"
        "def number():\n"
        "    return 3\n"
    )


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (PYG, "GIN"),
        ([*PYG, "--protocol", "tu-linear-svm"], "GIN"),
        ([*PYG, "--protocol", "graph-retrieval"], "GIN"),
        (["mine:Pooling", *USUAL, "--readout", "none"], "Pooling"),
        (["gcn", *USUAL, "--arguments.hidden_channels", "4"], "gcn"),
    ],
)
def test_audit_of_any_encoder(capsys, arguments, title):
    assert main(["audit", *arguments]) == 0
    table = capsys.readouterr().out
    assert all(f"\n{row} " in table for row in ("raw", "untrained-init", "untrained", "wl", title))
    metrics = [f", precision@{k}" for k in (1, 5, 10)] if "graph-retrieval" in arguments else [""]
    assert all(f"\n{title}{metric}: lift over the same network untrained" in table for metric in metrics)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere:GIN", *USUAL], "nowhere"),
        (["torch_geometric.nn:GINN", *USUAL], "nearest: GIN"),
        (["GIN", *USUAL], "MODULE:NAME"),
        (["molecule", *USUAL], "or out of gin, gcn, sage, gat, got 'molecule'"),
        (["torch_geometric.nn:GIN", *USUAL, "--arguments.widht", "4"], "hidden_channels"),
        (["mine:number", *USUAL], "torch module"),
        (["torch_geometric.nn:GIN"], "--dataset"),
        ([*PYG, "--weights", "none.pt"], "none.pt"),
        ([*PYG, "--readout", "median"], "readout"),
        ([*PYG, "--seeds", "1", "1"], "each once"),
        ([*PYG, "--seeds", "0", "-1"], "seeds of at least 0 and below 2**32, got -1"),
        ([*PYG, "--seeds", str(2**32)], "seeds of at least 0 and below 2**32, got 4294967296"),
        ([*PYG, "--jobs", "0"], "expected jobs of at least 1, got 0"),
        ([*PYG, "--protocol", "knn"], "got 'knn'; nearest: graph-knn"),
        (["torch_geometric.nn:GIN", "--dataset", "BBBP"], "molecules are scored by graphcl evaluate"),
        ([*PYG, "--dataset", "synthetic-social"], "class per graph"),
        ([*PYG, "--dataset", "karate"], "evaluate_nodes"),
        (["./mine.py:Pooling", *USUAL], "write mine:Pooling"),
        ([*PYG, "--protocol", "tu-rbf-svm-grouped"], "groups of equal graphs"),
    ],
)
def test_refusals(refused, arguments, words):
    assert words in refused("audit", *arguments)


def test_audit_of_given_weights(capsys, refused):
    network = GIN(1, 4, num_layers=2)
    save_file(network.state_dict(), "w.safetensors")
    torch.save(network.state_dict(), "w.pt")
    Path("bad.pt").write_bytes(b"no zip")
    tables = []
    for file in ("w.safetensors", "w.pt"):
        assert main(["audit", *PYG, "--weights", file]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert "cannot be read" in refused("audit", *PYG, "--weights", "bad.pt")
    wide = [*PYG, "--arguments.hidden_channels", "5"]
    assert "weights of this network" in refused("audit", *wide, "--weights", "w.pt")


def test_audit_of_a_run(capsys, refused, fast):
    # Every ring's embedding is a multiple of one row.
    assert main(["pretrain", "--dataset", "Rings", "--features", "constant", "--out", "run", *fast]) == 0
    assert "graphcl: warning: epoch 2: the embeddings have collapsed" in capsys.readouterr().err
    assert main(["audit", "run", "--seeds", "1", "--device", "cpu"]) == 0
    assert "\nGraphCL: lift over the same network untrained" in capsys.readouterr().out
    assert "run folder alone" in refused("audit", "run", "--weights", "w.pt")
    assert "run folder alone, got --readout beside it" in refused("audit", "run", "--readout", "sum")


def test_a_run_that_embeds_by_several_encoders_is_for_evaluate(refused, fast):
    words = ["--dataset", "Rings", "--features", "constant", "--method", "mvgrl-graph", "--out", "run", *fast]
    assert main(["pretrain", *words]) == 0
    assert "got one of mvgrl-graph; score all of it: graphcl evaluate run" in refused("audit", "run", "--seeds", "1")


def test_a_run_is_called_as_other_tables_call_it(capsys, fast):
    words = ["--dataset", "Rings", "--features", "constant", "--method", "graphmae-graph", "--out", "run", *fast]
    assert main(["pretrain", *words]) == 0
    assert main(["audit", "run", "--seeds", "1", "--device", "cpu"]) == 0
    assert "\nGraphMAE: lift over the same network untrained" in capsys.readouterr().out


def test_a_lift_that_rounds_to_zero_has_no_sign():
    lift = {"lift": -3.55e-16, "lift_low": -0.001, "lift_high": 0.5}
    row = Result(dataset="toy", method="GIN", protocol="tu-rbf-svm", mean=80, seeds=1, folds=10, n_test=60, **lift)
    assert "untrained 0.00 points, 95 % interval [0.00, +0.50]" in _lift("GIN", row)


def test_labels_that_the_run_has_learned_from_are_refused(capsys, refused, fast):
    words = ["--dataset", "Rings", "--features", "constant", "--method", "graph-supcon", "--out", "run", *fast]
    assert main(["pretrain", *words]) == 0
    capsys.readouterr()
    assert "expected labels that GraphSupCon has not seen, got Rings" in refused("audit", "run", "--seeds", "1")


def test_a_network_that_is_made_already_is_refused(refused, monkeypatch):
    Path("mynet.py").write_text("import torch\ninst = torch.nn.Linear(2, 2)\n")
    assert "a Linear that is made already" in refused("audit", "mynet:inst", "--dataset", "synthetic-molecules")


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (lambda weights: {"model": weights, "epoch": 3}, "holds more than weights: save 'model' of it alone"),
        (lambda weights: {f"module.{key}": value for key, value in weights.items()}, "all names begin with 'module.'"),
    ],
)
def test_weights_under_another_name(wrap, words, refused):
    from torch_geometric.nn import GIN

    torch.save(wrap(GIN(8, 4, 1).state_dict()), "ck.pt")
    options = ["--arguments.hidden_channels", "4", "--arguments.num_layers", "1", "--weights", "ck.pt"]
    assert words in refused("audit", "torch_geometric.nn:GIN", "--dataset", "synthetic-molecules", *options)
