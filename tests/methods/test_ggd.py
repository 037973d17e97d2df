"""GGD: the paper's formula, its defaults, and the smoothing of embeddings by powers of the adjacency."""

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Batch

from graphcl.augment import Compose, FeatureMask, FeatureShuffle, Identity
from graphcl.methods import GGD
from graphcl.nn import GIN, GraphEncoder


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GGD(GraphEncoder(GIN(4, 3, 2, norm="none")), **arguments)


def test_loss_is_binary_cross_entropy_of_summed_projections(data):
    method = make(views=(Identity(), FeatureShuffle()))
    views = method.views_of(data, method.key_at(0))
    scores = [method.head(method.encoder.encode(view).node).sum(1) for view in views]
    labels = torch.cat([torch.ones(12), torch.zeros(12)])
    torch.testing.assert_close(method(data), F.binary_cross_entropy_with_logits(torch.cat(scores), labels))


def test_defaults_mask_a_fifth_of_the_features_in_both_and_shuffle_one():
    first, second = make().views
    assert isinstance(first, FeatureMask) and isinstance(second, Compose)
    assert [type(part) for part in second.augmentations] == [FeatureMask, FeatureShuffle]
    assert first.mask == second.augmentations[0].mask == 0.2


def dense(data):
    """The normalised adjacency with self-loops."""
    adjacency = torch.eye(data.num_nodes)
    for source, target in data.edge_index.T.tolist():
        if source != target:
            adjacency[target, source] += 1
        else:
            adjacency[source, source] = 1
    scale = adjacency.sum(1).rsqrt()
    return scale[:, None] * adjacency * scale


@pytest.mark.parametrize("power", [1, 3])
def test_embeddings_are_smoothed(data, power):
    method = make(power=power)
    h = method.encoder.encode(data).node
    found = method.embed(data)
    wanted = h + torch.linalg.matrix_power(dense(data), power) @ h
    torch.testing.assert_close(found.node, wanted)
    torch.testing.assert_close(found.graph, wanted.sum(0, keepdim=True))


def test_smoothing_stays_within_the_graphs_of_a_batch(data):
    method = make(power=4)
    whole = method.embed(Batch.from_data_list([data, data]))
    alone = method.embed(data)
    torch.testing.assert_close(whole.node, alone.node.repeat(2, 1))
    torch.testing.assert_close(whole.graph, alone.graph.repeat(2, 1))


def test_wrong_powers_are_refused():
    with pytest.raises(ValueError, match="expected power of at least 0, got -1"):
        make(power=-1)
    with pytest.raises(TypeError, match="expected power as a whole number, got True"):
        make(power=True)
