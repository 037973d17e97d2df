"""NodeSupCon: the paper's formula over both views of training nodes, and whose labels are never read."""

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Data

from graphcl.augment import EdgeDrop, Identity, NodeDrop
from graphcl.methods import NodeSupCon
from graphcl.nn import GIN, GraphEncoder


def graph(num_nodes=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    x = torch.randn(num_nodes, 4, generator=generator)
    data = Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1), y=torch.arange(num_nodes) % 3)
    data.train_mask = torch.arange(num_nodes) < num_nodes // 2
    return data


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NodeSupCon(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def literal(z, labels, tau):
    """L_out, anchor by anchor."""
    total = 0.0
    for i in range(len(z)):
        similarity = [F.cosine_similarity(z[i], z[a], dim=0) / tau for a in range(len(z))]
        rest = torch.stack([similarity[a] for a in range(len(z)) if a != i]).logsumexp(0)
        positives = [p for p in range(len(z)) if p != i and labels[p] == labels[i]]
        total = total - sum(similarity[p] - rest for p in positives) / len(positives)
    return total / len(z)


def test_loss_is_that_of_the_paper_over_both_views_of_the_training_nodes():
    method, data = make(views=(EdgeDrop(drop=0.3), Identity())), graph()
    views = method.views_of(data, method.key_at(0))
    z = torch.cat([method.head(method.encoder.encode(view).node[:6]) for view in views])
    torch.testing.assert_close(method(data), literal(z, data.y[:6].repeat(2), 0.1))


def test_no_other_label_is_read():
    data, other = graph(), graph()
    other.y = torch.where(other.train_mask, other.y, 77)
    assert make()(data).item() == make()(other).item()
    other.y[0] = 1
    assert make()(data).item() != make()(other).item()


def test_unlabelled_training_nodes_take_no_part():
    data, other = graph(), graph()
    data.y[2] = -1
    other.train_mask[2] = False
    assert make()(data).item() == make()(other).item()


def test_of_a_loaders_batch_the_seeds_take_part():
    data, other = graph(), graph()
    data.batch_size, data.n_id = 4, torch.arange(12)
    other.train_mask = torch.arange(12) < 4
    torch.testing.assert_close(make()(data), make()(other))


def test_seeds_without_a_label_are_answered_with_a_loader_that_works():
    data = graph()
    data.train_mask = torch.arange(12) >= 6
    data.batch_size, data.n_id = 5, torch.arange(12)
    with pytest.raises(ValueError, match=r"got none; give the loader .*input_nodes=data.train_mask"):
        make()(data)


def test_views_that_drop_nodes_keep_each_its_label(spy):
    method, data = make(views=(NodeDrop(drop=0.3), NodeDrop(drop=0.3)), loss=spy), graph(30)
    views = method.views_of(data, method.key_at(0))
    common = set(views[0].n_id.tolist()) & set(views[1].n_id.tolist())
    method(data)
    wanted = [int(data.y[i]) for i in sorted(common) if data.train_mask[i]]
    assert method.loss.given[1].tolist() == 2 * wanted


def test_missing_or_odd_labels_are_refused():
    def broken(**changes):
        data = graph()
        for name, value in changes.items():
            data[name] = value
        return data

    with pytest.raises(ValueError, match="expected data.train_mask with one entry.*got NoneType"):
        make()(broken(train_mask=None))
    with pytest.raises(ValueError, match=r"expected data.train_mask.*got \[12, 10\]; of several splits choose one"):
        make()(broken(train_mask=torch.ones(12, 10, dtype=torch.bool)))
    with pytest.raises(ValueError, match="expected data.y with one entry.*got NoneType"):
        make()(broken(y=None))
    with pytest.raises(TypeError, match="expected labels y of whole numbers, got torch.float32"):
        make()(broken(y=torch.ones(12)))
    with pytest.raises(ValueError, match="expected training nodes with labels in both views, got none"):
        make()(broken(train_mask=torch.zeros(12, dtype=torch.bool)))
