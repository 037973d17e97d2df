"""Every recipe changes settings that there are, of a method that there is."""

import inspect

import pytest

from graphcl._recipes import METHODS, SETTINGS, near, recipe, settings_for
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


def test_an_unknown_method() -> None:
    with pytest.raises(ConfigError, match="nearest: grace"):
        recipe("grase")
