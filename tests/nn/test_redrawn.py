"""A network drawn anew shares no weights with the one that it was copied from, or says why it would."""

import pytest
import torch
from torch import nn

from graphcl.nn._redrawn import draw_anew, redrawn, wholes


class Constant(nn.Module):
    """A module that knows better than its parts, which have weights of their own."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.scales = nn.ParameterList([torch.ones(2)])

    def reset_parameters(self):
        for weight in self.parameters():
            nn.init.constant_(weight, 7)


def test_a_copy_draws_as_the_whole_does():
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.ModuleList([Constant()]))
    before = [weight.clone() for weight in network.parameters()]
    torch.manual_seed(0)
    found = redrawn(network, "another")
    torch.manual_seed(0)
    assert torch.equal(found[0].weight, nn.Linear(2, 2).weight)
    assert all((weight == 7).all() for weight in found[2].parameters())
    assert [path for path, _ in wholes(network)] == ["", "0", "1", "2", "2.0"]
    torch.testing.assert_close(list(network.parameters()), before, rtol=0, atol=0)


@pytest.mark.parametrize("order", [list, lambda parts: list(parts)[::-1]])
def test_a_whole_draws_for_its_parts_in_any_order(order):
    network = nn.Sequential(Constant())
    draw_anew(order(network.named_modules()), "another")
    assert (network[0].scales[0] == 7).all()


def test_weights_that_would_be_shared_are_refused():
    network = nn.Sequential(nn.Linear(2, 2), nn.ParameterList([torch.ones(2)]))
    with pytest.raises(ValueError, match="have reset_parameters, got ParameterList at 1, which has none; give another"):
        redrawn(network, "another")
    with pytest.raises(ValueError, match="got ParameterList at the top, which has none; give another"):
        draw_anew(network[1].named_modules(), "another")
