"""GraphCL's loss, recomputed by hand from its views, and its recipe."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform

from graphcl._random import fold
from graphcl.augment import EdgePerturb, Identity, NodeDrop, NodeMask, RandomChoice, RandomWalkSubgraph
from graphcl.losses import InfoNCE
from graphcl.methods import GraphCL, random4
from graphcl.nn import GIN, GraphEncoder


def graph(num_nodes, generator):
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    return Data(
        x=torch.randn(num_nodes, 4, generator=generator), edge_index=torch.cat([edges, edges.flip(0)], 1).unique(dim=1)
    )


@pytest.fixture
def batch(generator):
    return Batch.from_data_list([graph(n, generator) for n in range(6, 14)])


class DropHalfTheFeatures(BaseTransform):
    """A PyG transform that knows nothing of keys."""

    def forward(self, data):
        data.x = data.x.clone()
        data.x[:, :2] = 0
        return data


def literal(method, views, temperature=0.2):
    """-log( e^(cos/T) / sum over the others ), from embeddings made view by view."""
    z1, z2 = (method.head(method.encoder.encode(view).graph) for view in views)
    total = 0.0
    for i in range(len(z1)):
        s = [torch.cosine_similarity(z1[i], z2[j], dim=0) / temperature for j in range(len(z2))]
        total = total - torch.log(s[i].exp() / sum(s[j].exp() for j in range(len(s)) if j != i))
    return total / len(z1)


@pytest.mark.parametrize("views", [None, (random4(), random4()), (NodeDrop(drop=0.2), DropHalfTheFeatures())])
def test_loss_equals_a_literal_recomputation(views, batch):
    method = GraphCL(GraphEncoder(GIN(4, 8, 2)), views=views, seed=3).double()
    batch.x = batch.x.double()
    method.step += 5
    loss = method(batch)
    key = fold(3, 5)
    made = [
        view(batch) if isinstance(view, DropHalfTheFeatures) else view.view(batch, fold(key, i))
        for i, view in enumerate(method.views)
    ]
    wanted = literal(method, made)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(loss, list(method.parameters())), torch.autograd.grad(wanted, list(method.parameters()))
    )


def test_the_two_views_differ_even_with_one_augmentation(batch):
    seen = []

    class Spy(nn.Module):
        def forward(self, z1, z2):
            seen.append((z1, z2))
            return InfoNCE()(z1, z2)

    augmentation = random4()
    GraphCL(GraphEncoder(GIN(4, 8, 2)), views=(augmentation, augmentation), loss=Spy())(batch)
    assert not torch.allclose(*seen[0])


class TestRecipe:
    def test_defaults_are_those_of_the_authors_code(self):
        method = GraphCL(GraphEncoder(GIN(4)))
        first, second = method.views
        assert isinstance(first, Identity)
        assert isinstance(second, RandomChoice)
        assert (method.loss.temperature, method.loss.positive_in_denominator, method.loss.symmetric) == (
            0.2,
            False,
            False,
        )
        assert [tuple(p.shape) for p in method.head.parameters()] == [(96, 96), (96,), (96, 96), (96,)]

    def test_random4(self):
        kinds = [NodeDrop, EdgePerturb, NodeMask, RandomWalkSubgraph]
        assert [type(augmentation) for augmentation in random4().augmentations] == kinds
        drop, perturb, mask, walk = random4().augmentations
        assert (drop.drop, perturb.drop, perturb.add, mask.mask, walk.keep) == (0.1, 0.1, 0.1, 0.1, 0.2)

    @pytest.mark.parametrize("view", ["node-drop", None, 3])
    def test_a_view_is_something_to_call(self, view):
        with pytest.raises(TypeError, match="expected a view to be a transform of graphs, got"):
            GraphCL(GraphEncoder(GIN(4)), views=(Identity(), view))


def test_a_single_small_graph_is_refused_for_what_it_is(generator):
    single = graph(3, generator)  # of which a view may keep one node, of which a norm would complain
    method = GraphCL(GraphEncoder(GIN(4, 8, 2)), views=(Identity(), NodeDrop(drop=0.9)))
    with pytest.raises(ValueError, match="expected at least 2 graphs to contrast, got 1: .*drop a last one"):
        method(single)
