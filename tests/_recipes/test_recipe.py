"""Every recipe changes settings that there are, of a method that there is."""

import inspect

import pytest

from graphcl._recipes import METHODS, SETTINGS, recipe, settings_for
from graphcl._recipes._graphs import GRAPHS
from graphcl._recipes._nodes import NODES
from graphcl.data import cards
from graphcl.errors import ConfigError


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_changes_known_settings_on_known_data(name: str) -> None:
    known = METHODS[name]
    assert set(known.datasets) <= {card.name for card in cards()}
    for changed in (known.settings, known.molecules, *known.datasets.values()):
        assert set(changed) <= set(SETTINGS)
        assert set(changed.get("arguments", {})) <= set(inspect.signature(known.kind).parameters)
    assert set(settings_for(name)) == {*SETTINGS, "method"}


def test_recipes_lie_where_their_level_says() -> None:
    assert {known.kind.level for known in NODES.values()} == {"node"}
    assert all(known.kind.level != "node" for known in GRAPHS.values())


def test_a_data_set_s_settings_win() -> None:
    assert settings_for("grace")["hidden"] == 256 and settings_for("grace", "Cora")["features"] == "normalized"
    citeseer = settings_for("grace", "CiteSeer")
    assert (citeseer["hidden"], citeseer["temperature"], citeseer["epochs"]) == (512, 0.9, 200)


def test_an_unknown_method() -> None:
    with pytest.raises(ConfigError, match="nearest: grace"):
        recipe("grase")
