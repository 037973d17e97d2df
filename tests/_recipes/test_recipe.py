"""Every recipe changes settings that there are, of a method that there is."""

import inspect

import pytest

from graphcl._recipes import DEFAULTS, METHODS, SETTINGS, near, recipe, settings_for, spelled
from graphcl._recipes._graphs import GRAPHS
from graphcl._recipes._nodes import NODES
from graphcl._resolve import make_method
from graphcl.data import cards
from graphcl.errors import ConfigError
from graphcl.nn import GIN, GraphEncoder


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_changes_known_settings_on_known_data(name: str) -> None:
    known = METHODS[name]
    assert set(known.datasets) <= {card.name for card in cards()}
    for changed in (known.settings, known.molecules, *known.datasets.values()):
        assert set(changed) <= set(SETTINGS)
        assert set(changed.get("arguments", {})) <= set(inspect.signature(known.kind).parameters)
    assert set(settings_for(name)) == {*SETTINGS, "method"}


ALONE = [name for name, known in GRAPHS.items() if known.loss and not known.settings.get("temperature")]


@pytest.mark.parametrize("name", ALONE)
def test_where_nothing_is_said_the_loss_is_that_of_the_method(name: str) -> None:
    known = GRAPHS[name]
    needed = {"modality": "text", "modality_channels": 3} if name == "cross-modal" else {}
    own, made = known.kind(GraphEncoder(GIN(4)), **needed).loss, known.loss()
    assert type(own) is type(made)
    assert repr(own) == repr(made)
    assert {k: v for k, v in vars(own).items() if k[0] != "_"} == {k: v for k, v in vars(made).items() if k[0] != "_"}


@pytest.mark.parametrize("name", ["graph-moco", "graph-simcse", "graph-supcon", "graph-swav", "ad-gcl", "pcl", "rgcl"])
def test_words_set_the_temperature(name: str) -> None:
    usual, asked = settings_for(name), {"temperature": 0.33, "seed": 0}
    own, changed = (make_method({**usual, "seed": 0, **more}, 4).loss for more in ({}, asked))
    assert changed.temperature == 0.33 != own.temperature
    assert type(own) is type(changed)
    others = [{k: v for k, v in vars(loss).items() if k[0] != "_" and k != "temperature"} for loss in (own, changed)]
    assert others[0] == others[1]


def test_the_objective_s_own_words_win() -> None:
    settings = {**settings_for("costa"), "objective": {"temperature": 0.1}, "seed": 0}
    assert make_method(settings, 4).loss.temperature == 0.1


def test_recipes_lie_where_their_level_says() -> None:
    assert {known.kind.level for known in NODES.values()} == {"node"}
    assert all(known.kind.level != "node" for known in GRAPHS.values())


@pytest.mark.parametrize(("name", "epochs"), [("PubMed", 1500), ("DBLP", 1000)])
def test_grace_on_the_larger_citation_graphs_is_as_in_its_authors_configuration(name: str, epochs: int) -> None:
    settings = settings_for("grace", name)
    assert (settings["features"], settings["temperature"], settings["lr"]) == ("normalized", 0.7, 1e-3)
    assert (settings["hidden"], settings["last_width"], settings["epochs"]) == (512, 256, epochs)
    make_method(settings, 10, seed=0)


def test_a_data_set_s_settings_win() -> None:
    assert settings_for("grace")["hidden"] == 256 and settings_for("grace", "Cora")["features"] == "normalized"
    citeseer = settings_for("grace", "CiteSeer")
    assert (citeseer["hidden"], citeseer["temperature"], citeseer["epochs"]) == (512, 0.9, 200)


def test_near_names_all_only_where_they_are_few() -> None:
    assert near("zz", "abcdefgh") == "a, b, c, d, e, f, g, h"
    assert near("zz", "abcdefghi") == "a, b, c, d, e, f, g, h, ... (9 in all)"
    assert near("zz", []) == ""
    many = [f"name-{i}" for i in range(1000)]
    assert near("name-7", many).split(", ")[0] == "name-7" and "in all" not in near("name-7", many)
    assert near("zz", many, listed_by="ls") == ", ".join(many[:8]) + ", ... (1000 in all; ls shows them)"


def test_near_is_blind_to_case() -> None:
    assert near("GRASE", ["grace", "dgi"]) == "grace" and near("gni", ["GIN", "gin", "dgi"]) == "GIN, gin, dgi"


def test_methods_have_the_names_of_their_papers_too() -> None:
    assert all(spelled(name.upper()) == name for name in METHODS)
    asked = {"CCA-SSG": "cca-ssg", "G-BT": "g-bt", "MolCLR": "molclr", "MVGRLGraph": "mvgrl-graph", "ADGCL": "ad-gcl"}
    assert {name: spelled(name) for name in asked} == asked
    assert spelled("GraphCL") == "graphcl", "also MolCLR's class, but the name of one method"
    assert recipe("GraphCL") is METHODS["graphcl"]
    assert settings_for("GRACE", "Cora") == settings_for("grace", "Cora")
    assert settings_for("MolCLR", vocab="ogb") == settings_for("molclr", vocab="ogb")


def test_an_unknown_method() -> None:
    with pytest.raises(ConfigError, match="nearest: grace"):
        recipe("grase")


@pytest.mark.parametrize("name", [name for name, known in NODES.items() if set(known.datasets) - {"Cora", "CiteSeer"}])
def test_every_set_s_settings_make_a_method(name: str) -> None:
    for dataset in NODES[name].datasets:
        method = make_method({**settings_for(name, dataset), "seed": 0}, 10, total_steps=1)
        assert method.encoder.out_channels == (settings_for(name, dataset)["last_width"] or method.encoder.out_channels)


def test_settings_on_the_graphs_of_goods_and_authors_are_as_published() -> None:
    gca = settings_for("gca", "Amazon-Photo")
    assert (gca["hidden"], gca["last_width"], gca["temperature"], gca["lr"]) == (512, 256, 0.3, 0.1)
    assert gca["views"][1] == "feature-mask-adaptive:0.1+edge-drop-adaptive-directed:0.5"
    bgrl = settings_for("bgrl", "Coauthor-Physics")
    assert (bgrl["hidden"], bgrl["last_width"], bgrl["lr"], bgrl["epochs"]) == (256, 128, 1e-5, 10_000)
    assert bgrl["views"] == ["edge-drop-directed:0.4+feature-mask:0.1", "edge-drop-directed:0.1+feature-mask:0.4"]
    cca = settings_for("cca-ssg", "PubMed")
    assert (cca["epochs"], cca["layers"], cca["objective"]) == (100, 2, {"decorrelation": 2e-3})
    assert cca["views"] == ["edge-drop-directed:0.5+feature-mask:0.3"] * 2
    ggd = settings_for("ggd", "Amazon-Computers")
    assert (ggd["hidden"], ggd["arguments"], ggd["epochs"], ggd["lr"]) == (1024, {"power": 10}, 1500, 1e-4)


def test_costa_s_loss_is_its_own_whatever_the_temperature() -> None:
    own, made = (
        recipe("costa").kind(GraphEncoder(GIN(4))).loss,
        make_method({**settings_for("costa"), "seed": 0}, 4).loss,
    )
    assert repr(own) == repr(made) and vars(own)["temperature"] == vars(made)["temperature"] == 0.4


def test_each_level_has_a_method_of_its_kind_where_none_is_named() -> None:
    assert {recipe(method).kind.level for level, method in DEFAULTS.items() if level != "graph"} == {"node"}
    assert recipe(DEFAULTS["graph"]).kind.level == "graph"
    assert {card.level for card in cards()} <= set(DEFAULTS)
