"""Settings become methods, with their encoders and views."""

import pytest

from graphcl._recipes import settings_for
from graphcl._resolve import make_method, make_view
from graphcl.augment import PPRDiffusion
from graphcl.errors import ConfigError


def test_arguments_and_objectives_reach_the_method() -> None:
    made = make_method({**settings_for("bgrl"), "arguments": {"momentum": 0.5}, "seed": 0}, 4, total_steps=7)
    assert (made.target.momentum, made.target.total_steps) == (0.5, 7)
    made = make_method({**settings_for("cca-ssg", "CiteSeer"), "seed": 0}, 4)
    assert made.loss.decorrelation == 1e-3 and len(made.encoder.gnn.convs) == 1


@pytest.mark.parametrize("method", ["mvgrl", "mvgrl-graph"])
def test_a_diffusion_in_words(method: str) -> None:
    settings = {**settings_for(method), "seed": 0}
    made = make_method({**settings, "views": ["ppr-scaled:0.05"]}, 4)
    found = made.views[1] if method == "mvgrl" else made.diffusion
    assert isinstance(found, PPRDiffusion)
    assert (found.alpha, found.threshold, found.tolerance, found.renormalise) == (0.2, 0.05, 0.005, "max")
    plain = make_view("ppr")
    assert isinstance(plain, PPRDiffusion) and (plain.threshold, plain.renormalise) == (0.01, False)
    with pytest.raises(ConfigError, match="expected one view for .*, its diffusion, got"):
        make_method({**settings, "views": ["ppr", "ppr"]}, 4)


def test_the_diffusion_of_mvgrl_on_citeseer_is_scaled_and_not_normalised_again() -> None:
    made = make_method({**settings_for("mvgrl", "CiteSeer"), "seed": 0}, 4)
    assert made.encoder.gnn.normalise and not made.second.gnn.normalise
    assert (made.views[1].threshold, made.views[1].renormalise) == (0.01, "max")


def test_unit_depths_of_any_network_with_all_layers() -> None:
    settings = {**settings_for("subtree-contrast"), "seed": 0}
    made = make_method(settings, 4)
    assert made.encoder.gnn.widths == [4, 128, 128, 128] and made.loss.temperature == 0.2
    assert make_method({**settings, "encoder": "sage"}, 4).encoder.graph_channels == 4 + 3 * 128
    plain = {key: value for key, value in settings.items() if key != "unit"}  # as runs of before have it
    assert make_method(plain, 4).encoder.graph_channels == 3 * 128
    with pytest.raises(ConfigError, match="expected joined .* where unit is asked for"):
        make_method({**settings, "encoder": "gcn", "joined": False}, 4)
    assert make_method({**settings_for("subtree-contrast", vocab="ogb"), "seed": 0}, 9).encoder.graph_channels == 300
