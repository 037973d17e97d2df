"""The helpers of methods on graphs."""

import pytest
import torch

from graphcl.augment import Identity, RandomChoice
from graphcl.methods.base import check_two_views
from graphcl.methods.graphs import GraphViewMethod, two_random_views
from graphcl.nn import GIN, GraphEncoder, MLPHead, project_views


class Kept(GraphViewMethod):
    """Keeps what it is given to compare."""

    def __init__(self, encoder, **arguments):
        super().__init__(encoder, **arguments)
        self.head = MLPHead(encoder.graph_channels)

    def compare(self, z1, z2):
        self.given = [z1, z2]
        return (z1 - z2).square().mean()


def test_compares_projected_views(batch):
    method = Kept(GraphEncoder(GIN(4, 8, 2)))
    made = method.views_of(batch, method.key_at(0))
    method(batch)
    wanted = project_views(method.head, [method.encoder.encode(view).graph for view in made])
    torch.testing.assert_close(method.given, wanted)
    assert method.can_look_ahead


def test_both_views_are_random_by_default():
    views = Kept(GraphEncoder(GIN(4))).views
    assert [type(view) for view in views] == [RandomChoice] * 2 == [type(view) for view in two_random_views()]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_two_views_are_needed(count):
    with pytest.raises(ValueError, match=f"expected two views, got {count}"):
        check_two_views((Identity(),) * count)
    with pytest.raises(ValueError, match=f"expected two views, got {count}"):
        Kept(GraphEncoder(GIN(4)), views=(Identity(),) * count)
