"""Graphs against vectors: CLIP's loss by cross entropy, and attributes that do not fit."""

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Batch

from graphcl.augment import NodeDrop
from graphcl.methods import CrossModal
from graphcl.nn import GIN, GraphEncoder


def make(**arguments):
    return CrossModal(GraphEncoder(GIN(4, 8, 2)), **{"modality": "text", "modality_channels": 5, **arguments})


@pytest.mark.parametrize("channels", [None, 7])
def test_loss_is_two_cross_entropies(batch, channels):
    method = make(channels=channels)
    z = F.normalize(method.head(method.encoder.encode(batch).graph))
    t = F.normalize(method.modality_head(batch.text))
    assert z.shape == t.shape == (8, channels or 16)
    logits = method.loss.log_scale.exp() * z @ t.T
    wanted = (F.cross_entropy(logits, torch.arange(8)) + F.cross_entropy(logits.T, torch.arange(8))) / 2
    torch.testing.assert_close(method(batch), wanted)


def test_the_temperature_is_learned(batch, take_step):
    method = make()
    before = method.loss.log_scale.item()
    take_step(method, batch)
    assert method.loss.log_scale.item() != before


def test_one_row_per_graph_or_none(batch):
    method, flat = make(), batch.to_data_list()
    for graph in flat:
        graph.text = graph.text[0]  # PyG joins these end to end
    torch.testing.assert_close(method(Batch.from_data_list(flat)), method(batch))


def test_integers_as_fingerprints_have_them(batch):
    batch.text = (batch.text > 0).long()
    assert make()(batch).isfinite()


def test_vectors_come_in_any_precision(batch):
    """Those of numpy are float64."""
    method = make()
    wanted = method(batch)
    batch.text = batch.text.double()
    torch.testing.assert_close(method(batch), wanted)
    batch.x, batch.text = batch.x.double(), batch.text.float()
    method.double()(batch).backward()
    batch.text = batch.text.half()
    assert method(batch).dtype == torch.float64


def test_a_view(batch):
    method = make(view=NodeDrop(drop=0.3))
    assert len({method(batch).item() for _ in range(3)}) == 3
    assert make(view=lambda data: data)(batch).isfinite()


def test_an_attribute_that_does_not_fit_is_refused(batch):
    with pytest.raises(
        ValueError, match="expected the attribute 'image' with 5 numbers for each of 8 graphs, got none"
    ):
        make(modality="image")(batch)
    with pytest.raises(ValueError, match=r"expected the attribute 'text' with 6 numbers .* got \[8, 5\]"):
        make(modality_channels=6)(batch)


def test_vectors_that_are_missing_are_named(batch):
    batch.text[2, 1] = float("nan")
    with pytest.raises(ValueError, match="finite numbers in the attribute 'text', got NaN or infinite ones in 1 of 8"):
        make()(batch)
