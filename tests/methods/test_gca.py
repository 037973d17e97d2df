"""GCA: its views and defaults; the loss is GRACE's."""

import torch

from graphcl import losses
from graphcl.augment import AdaptiveEdgeDrop, AdaptiveFeatureMask
from graphcl.augment import centralities as module
from graphcl.methods import GCA, adaptive_drop
from graphcl.nn import GIN, GraphEncoder


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GCA(GraphEncoder(GIN(4, 6, 2, norm="none")), **arguments)


def test_loss_is_graces_on_the_views(data):
    method = make()
    z1, z2 = (method.head(method.encoder.encode(view).node) for view in method.views_of(data, method.key_at(0)))
    torch.testing.assert_close(method(data), losses.GRACE(temperature=0.4)(z1, z2))


def test_defaults_are_the_authors():
    method = make()
    drops = [(view.augmentations[1].drop, view.augmentations[0].mask) for view in method.views]
    assert drops == [(0.3, 0.1), (0.4, 0.0)]
    assert {view.augmentations[0].centrality for view in method.views} == {"degree"}


def test_views_mask_features_by_the_whole_graphs_centrality(data):
    masked, dropped = adaptive_drop(0.6, 0.4, "pagerank", cutoff=0.9).augmentations
    assert isinstance(masked, AdaptiveFeatureMask) and isinstance(dropped, AdaptiveEdgeDrop)
    assert masked.centrality == dropped.centrality == "pagerank"
    assert masked.cutoff == dropped.cutoff == 0.9


def test_centralities_are_worked_out_once_per_graph(data, monkeypatch):
    calls = []
    compute = module._pagerank
    monkeypatch.setattr(module, "_pagerank", lambda graph: calls.append(1) or compute(graph))
    method = make(views=[adaptive_drop(0.3, 0.2, "pagerank")] * 2)
    for _ in range(4):
        method(data)
    assert len(calls) == 1
