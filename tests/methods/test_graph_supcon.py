"""Supervised contrast of graphs, by the paper's formula."""

import pytest
import torch
from torch_geometric.data import Batch

from graphcl.methods import GraphSupCon
from graphcl.nn import GIN, GraphEncoder


def literal(z, labels, temperature=0.1):
    z = torch.nn.functional.normalize(z)
    costs = []
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        norm = torch.logsumexp(torch.stack([z[i] @ z[a] / temperature for a in others]), 0)
        same = [p for p in others if labels[p] == labels[i] and labels[i] != -1]
        if same:
            costs.append(-sum(z[i] @ z[p] / temperature - norm for p in same) / len(same))
    return torch.stack(costs).mean()


@pytest.mark.parametrize("unlabelled", [(), (0, 5)])
def test_loss_is_that_of_the_paper(batch, unlabelled):
    batch.y[list(unlabelled)] = -1
    method = GraphSupCon(GraphEncoder(GIN(4, 8, 2)), seed=2)
    z = [method.head(method.encoder.encode(view).graph) for view in method.views_of(batch, method.key_at(0))]
    torch.testing.assert_close(method(batch), literal(torch.cat(z), batch.y.repeat(2)), rtol=1e-4, atol=1e-4)


def test_labels_under_another_name(batch):
    batch.kind = batch.y.clone()
    whole = GraphSupCon(GraphEncoder(GIN(4, 8, 2)))
    other = GraphSupCon(GraphEncoder(GIN(4, 8, 2)), label="kind")
    other.load_state_dict(whole.state_dict())
    torch.testing.assert_close(whole(batch), other(batch))


def test_labels_that_do_not_fit_are_refused(batch):
    graphs = batch.to_data_list()
    for graph in graphs:
        graph.y = None
    with pytest.raises(ValueError, match="expected one label per graph in the attribute 'y', got none"):
        GraphSupCon(GraphEncoder(GIN(4, 8, 2)))(Batch.from_data_list(graphs))
    with pytest.raises(ValueError, match=r"expected one label per graph in the attribute 'text', got \[8, 5\]"):
        GraphSupCon(GraphEncoder(GIN(4, 8, 2)), label="text")(batch)
    batch.y = batch.y.float()
    with pytest.raises(TypeError, match="expected classes in the attribute 'y', got torch.float32"):
        GraphSupCon(GraphEncoder(GIN(4, 8, 2)))(batch)
