"""What a user's own augmentation gets from the base classes: the seed, the pass over the batch, its name."""

import subprocess
import sys

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

from graphcl._random import Key, fold, seed_from
from graphcl.augment import (
    AdaptiveFeatureMask,
    Augmentation,
    Compose,
    EdgeDrop,
    EditAugmentation,
    FeatureDropout,
    FeatureMask,
    FeatureNoise,
    FeatureScale,
    FeatureShuffle,
    HeteroEdgeDrop,
    NodeDrop,
    NodeMask,
    RandomChoice,
)
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph


class Shift(Augmentation):
    """Adds the end of the key to every feature: the smallest augmentation there is."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def view(self, data: Data, key: Key) -> Data:
        out = data.clone()
        out.x = out.x + self.factor * (int(key) % 1000)
        return out


class DropFirst(EditAugmentation):
    """Drops the first node of every graph."""

    def edit(self, graph: Graph, key: Key) -> Edit:
        return Edit(keep_nodes=graph.local > 0)


class Token(EditAugmentation):
    """Replaces the first node's features by a learned row."""

    def __init__(self, token: torch.Tensor) -> None:
        self.token = token

    def edit(self, graph: Graph, key: Key) -> Edit:
        first = (graph.local == 0).nonzero().squeeze(1)
        return Edit(rows={"x": (first, self.token.expand(first.numel(), -1))})


def triangle() -> Data:
    return Data(x=torch.zeros(3, 2, dtype=torch.float64), edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]))


def test_a_call_draws_one_seed_and_makes_the_view_of_it() -> None:
    generator, same = (torch.Generator().manual_seed(5) for _ in range(2))
    for _ in range(3):
        assert int(Shift()(triangle(), generator=generator).x[0, 0]) == seed_from(same) % 1000


def test_the_generator_is_a_keyword() -> None:
    with pytest.raises(TypeError):
        Shift()(triangle(), torch.Generator())


def test_the_base_classes_are_abstract() -> None:
    for kind in (Augmentation, EditAugmentation):
        with pytest.raises(TypeError, match="abstract"):
            kind()


def test_the_name_shows_the_parameters() -> None:
    assert repr(Shift(factor=0.5)) == "Shift(factor=0.5)"
    assert repr(DropFirst()) == "DropFirst()"
    assert repr(Compose([Shift(2.0), DropFirst()])) == "Compose(augmentations=[Shift(factor=2.0), DropFirst()])"


def test_an_edit_is_all_that_a_new_augmentation_needs() -> None:
    batch = Batch.from_data_list([triangle(), triangle()])
    view = DropFirst().view(batch, 0)
    assert view.n_id.tolist() == [1, 2, 1, 2]
    assert view.edge_index.tolist() == [[0, 2], [1, 3]]
    assert [data.edge_index.tolist() for data in view.to_data_list()] == [[[0], [1]]] * 2
    assert torch.equal(RandomChoice([DropFirst()]).view(batch, 0).edge_index, view.edge_index)


def test_replaced_rows_pass_their_gradient_on() -> None:
    token = torch.ones(2, requires_grad=True)
    for aug in (Token(token), RandomChoice([Token(token)])):
        view = aug.view(triangle(), 0)
        assert view.x.dtype == torch.float64
        token.grad = None
        view.x.sum().backward()
        assert token.grad.tolist() == [1, 1]


def test_edges_without_ends_go_and_new_ones_need_both() -> None:
    class Both(EditAugmentation):
        def edit(self, graph: Graph, key: Key) -> Edit:
            new = torch.tensor([[0, 1], [2, 2]])
            return Edit(keep_nodes=graph.local > 0, new_edges=new, like_edges=torch.tensor([0, 1]))

    data = triangle()
    data.edge_attr = torch.tensor([5.0, 6.0, 7.0])
    view = Both().view(data, 0)
    assert view.edge_index.tolist() == [[0, 0], [1, 1]]
    assert view.edge_attr.tolist() == [6.0, 6.0]


def test_sparse_attributes_are_refused_by_name() -> None:
    data = triangle()
    data.adj_t = torch.eye(3).to_sparse()
    with pytest.raises(ValueError, match="sparse 'adj_t'"):
        DropFirst().view(data, 0)
    assert NodeMask(mask=0.0).view(data, 0).adj_t is data.adj_t


def test_a_stale_batch_is_refused() -> None:
    batch = Batch.from_data_list([triangle(), triangle()])
    part = batch.subgraph(torch.tensor([0, 1, 3]))
    with pytest.raises(ValueError, match=r"batch of 6 nodes.*got 3.*before batching"):
        DropFirst().view(part, 0)


def test_keys_of_graphs_steps_and_views_do_not_meet() -> None:
    keys = {fold(fold(seed, step), view) for seed in range(5) for step in range(200) for view in range(2)}
    assert len(keys) == 2000


def test_views_within_a_compiled_step() -> None:
    # In a process of its own: the shape checks that the tests switch on cannot be traced.
    program = """
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCN
from graphcl.augment import EdgeDrop, FeatureMask, NodeDrop, Views

graph = Data(x=torch.randn(20, 4), edge_index=torch.randint(20, (2, 50)))
model, views, mask = GCN(4, 8, 2), Views(EdgeDrop(drop=0.3), NodeDrop(drop=0.3)), FeatureMask(mask=0.3)
def step(generator):
    first, second = views(mask(graph, generator=generator), generator=generator)
    return model(first.x, first.edge_index).sin().sum() + model(second.x, second.edge_index).cos().sum()
plain, compiled = (f(torch.Generator().manual_seed(0)) for f in (step, torch.compile(step, backend="eager")))
torch.testing.assert_close(compiled, plain)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)


def test_refusals_say_what_to_do_instead() -> None:
    graph = Data(x=torch.eye(4), edge_index=torch.tensor([[0, 1], [1, 2]]))
    with pytest.raises(ValueError, match="leave out ToSparseTensor, which has put the edges into adj_t"):
        NodeMask(mask=0.5)(Data(x=graph.x, adj_t=torch.eye(4).to_sparse()))
    with pytest.raises(TypeError, match="got HeteroData; take HeteroNodeDrop, HeteroEdgeDrop or HeteroFeatureMask"):
        NodeMask(mask=0.5)(HeteroData())
    with pytest.raises(TypeError, match="got Data; for nodes and edges of one type take NodeDrop, EdgeDrop"):
        HeteroEdgeDrop(drop=0.5)(graph)


@pytest.mark.parametrize(
    "view",
    [NodeDrop(), NodeMask(), FeatureMask(), FeatureDropout(), FeatureNoise(), FeatureScale()]
    + [AdaptiveFeatureMask(mask=0.5), EdgeDrop()],
    ids=lambda view: type(view).__name__,
)
def test_sparse_features_are_refused_by_name(view: Augmentation) -> None:
    graph = Data(x=torch.eye(4).to_sparse(), edge_index=torch.tensor([[0, 1], [1, 2]]))
    with pytest.raises(ValueError, match=r"write data.x = data.x.to_dense\(\)"):
        view(graph)


@pytest.mark.parametrize(
    "aug",
    [NodeMask(), FeatureMask(), FeatureNoise(), FeatureShuffle(), AdaptiveFeatureMask()],
    ids=lambda aug: type(aug).__name__,
)
def test_features_are_a_tensor(aug: Augmentation) -> None:
    data = triangle()
    data.num_nodes, data.x = 3, data.x.numpy()
    with pytest.raises(TypeError, match=r"expected a tensor of node features .*got a ndarray; write data.x = torch.as"):
        aug(data)
    assert NodeDrop(0.4)(data).x.shape == (2, data.x.shape[1])
