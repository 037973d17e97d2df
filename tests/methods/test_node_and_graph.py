"""Nodes and graphs in one objective: the sum, its weight, and views that lose nodes."""

import copy

import pytest
import torch

from graphcl.augment import Identity, NodeDrop
from graphcl.losses.functional import grace, info_nce
from graphcl.methods import NodeAndGraph
from graphcl.nn import GIN, GraphEncoder


@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_loss_is_the_weighted_sum(batch, weight):
    method = NodeAndGraph(GraphEncoder(GIN(4, 8, 2)), weight=weight, seed=3)
    copied = copy.deepcopy(method)
    first, second = (copied.encoder.encode(view) for view in method.views_of(batch, method.key_at(0)))
    graphs = info_nce(
        copied.graph_head(first.graph), copied.graph_head(second.graph), temperature=0.2, positive_in_denominator=False
    )
    nodes = grace(copied.node_head(first.node), copied.node_head(second.node), temperature=0.5)
    torch.testing.assert_close(method(batch), graphs + weight * nodes)


def test_views_may_lose_nodes(batch):
    method = NodeAndGraph(GraphEncoder(GIN(4, 8, 2)), views=(Identity(), NodeDrop(drop=0.2)), seed=3)
    copied = copy.deepcopy(method)
    views = method.views_of(batch, method.key_at(0))
    first, second = (copied.encoder.encode(view) for view in views)
    kept = views[1].n_id + batch.ptr[views[1].batch]  # numbers within a graph
    graphs = info_nce(
        copied.graph_head(first.graph), copied.graph_head(second.graph), temperature=0.2, positive_in_denominator=False
    )
    nodes = grace(copied.node_head(first.node[kept]), copied.node_head(second.node), temperature=0.5)
    assert len(kept) < batch.num_nodes
    torch.testing.assert_close(method(batch), graphs + nodes)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="expected weight >= 0"):
        NodeAndGraph(GraphEncoder(GIN(4)), weight=-1.0)
