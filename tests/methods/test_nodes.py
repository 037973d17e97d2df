"""Rows of the same node: by graph and n_id, whatever the views have kept."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch_geometric.data import Batch, Data
from torch_geometric.loader import NodeLoader
from torch_geometric.sampler import BaseSampler, SamplerOutput

from graphcl.augment import EdgeDrop, FeatureMask, Identity, NodeDrop, RandomWalkSubgraph
from graphcl.data import NeighbourSampler, power_law_graph
from graphcl.losses import SampledNTXent
from graphcl.methods import GRACE, shared_nodes
from graphcl.methods.nodes import align, mark_seeds
from graphcl.nn import GCN, GIN, GraphEncoder


def graph(num_nodes=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, 3 * num_nodes), generator=generator)
    x = torch.randn(num_nodes, 4, generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1), name=torch.arange(num_nodes) + 100 * seed)


def method(*views):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GRACE(GraphEncoder(GIN(4, 8, 2)), views=views or None)


class TestSharedNodes:
    def test_views_of_the_same_nodes_need_no_rows(self):
        assert shared_nodes([graph(), graph()]) == [None, None]

    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 10**6), st.sampled_from([1, 4]), st.floats(0, 0.8), st.floats(0, 0.8))
    def test_rows_name_the_same_nodes_and_all_of_them(self, seed, graphs, first, second):
        batch = Batch.from_data_list([graph(5 + i, seed=i) for i in range(graphs)])
        generator = torch.Generator().manual_seed(seed)
        views = [NodeDrop(drop=share)(batch, generator=generator) for share in (first, second)]
        wanted = set(views[0].name.tolist()) & set(views[1].name.tolist())
        if not wanted:
            with pytest.raises(ValueError, match="nodes in common"):
                shared_nodes(views)
            return
        rows = shared_nodes(views)
        a, b = (view.name[index] for view, index in zip(views, rows, strict=True))
        assert torch.equal(a, b)
        assert set(a.tolist()) == wanted and len(a) == len(wanted)

    def test_three_views_and_one_that_kept_everything(self):
        data = graph(30)
        generator = torch.Generator().manual_seed(0)
        views = [data, *(NodeDrop(drop=0.3)(data, generator=generator) for _ in range(2))]
        a, b, c = (view.name[rows] for view, rows in zip(views, shared_nodes(views), strict=True))
        assert torch.equal(a, b) and torch.equal(b, c) and 0 < len(a) < 30

    def test_a_view_without_nodes_shares_none(self):
        data, n_id = graph(4), torch.zeros(0, dtype=torch.int64)
        empty = Data(x=torch.zeros(0, 4), edge_index=torch.zeros(2, 0, dtype=torch.int64), n_id=n_id)
        with pytest.raises(ValueError, match="expected views that have nodes in common, got none"):
            shared_nodes([data, empty])

    @pytest.mark.parametrize(
        ("first", "second"), [([0, 1, 1], [0, 1, 1]), ([0, 1, 2], [2, 1, 1]), ([1, 1, 2], [2, 1, 0])]
    )
    def test_a_node_named_twice_is_refused(self, first, second):
        views = [graph(3).update({"n_id": torch.tensor(names)}) for names in (first, second)]
        with pytest.raises(ValueError, match="expected n_id to name each node of a graph once, got a node twice"):
            shared_nodes(views)

    def test_nodes_of_two_graphs_may_have_one_name(self):
        batch = Batch.from_data_list([graph(3).update({"n_id": torch.tensor([4, 0, 2])}) for _ in range(2)])
        assert [rows.tolist() for rows in shared_nodes([batch, batch])] == [[0, 1, 2, 3, 4, 5]] * 2

    def test_views_of_other_sizes_without_names_are_refused(self):
        with pytest.raises(ValueError, match="expected views of the same nodes.*must carry n_id"):
            shared_nodes([graph(5), graph(6)])


def test_align_takes_the_rows():
    data = graph(20)
    generator = torch.Generator().manual_seed(3)
    views = [NodeDrop(drop=0.3)(data, generator=generator) for _ in range(2)]
    a, b = align(views, [view.x for view in views])
    assert torch.equal(a, b)


def test_dropped_nodes_do_not_shift_the_others():
    """With the same seed and clean features, the views of a kept node differ by its neighbourhood alone."""
    data = graph(40)
    data.edge_index = data.edge_index[:, :0]  # no neighbours: both embeddings of a node are the same
    m = method(NodeDrop(drop=0.3), NodeDrop(drop=0.3)).eval()
    seen = []
    m.compare = lambda z1, z2: seen.append((z1, z2)) or z1.sum()
    m(data)
    torch.testing.assert_close(*seen[0])
    assert 0 < len(seen[0][0]) < 40


def test_subgraph_views_learn():
    data, m = graph(60), method(RandomWalkSubgraph(keep=0.7), EdgeDrop(drop=0.2))
    loss = m(data)
    loss.backward()
    assert loss.isfinite() and all(p.grad is not None for p in m.parameters())


class Ring(BaseSampler):
    """The seeds and what lies next to them on a ring."""

    def __init__(self, size):
        self.size = size

    def sample_from_nodes(self, index):
        seeds = index.node
        others = torch.tensor([i for i in range(self.size) if i not in seeds.tolist()])
        node = torch.cat([seeds, others])
        place = torch.empty_like(node)
        place[node] = torch.arange(self.size)
        row, col = place[node], place[(node + 1) % self.size]
        return SamplerOutput(node=node, row=row, col=col, edge=node, metadata=(index.input_id, index.time))

    def sample_from_edges(self, index, neg_sampling=None):
        raise NotImplementedError


class TestSeeds:
    def test_only_the_seeds_of_a_loader_are_contrasted(self):
        ring = torch.stack([torch.arange(20), (torch.arange(20) + 1) % 20])
        data = Data(x=torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), edge_index=ring)
        loader = NodeLoader(data, Ring(20), input_nodes=torch.tensor([3, 8, 15, 16, 19]), batch_size=3)
        m = method(NodeDrop(drop=0.2), Identity())
        seen = []
        m.compare = lambda z1, z2: seen.append(len(z1)) or z1.sum()
        for batch in loader:
            m(batch)
        assert len(seen) == 2 and seen[0] <= 3 and seen[1] <= 2 and max(seen) > 0

    def test_marks_the_first_nodes_and_leaves_the_data_alone(self):
        data = graph(6)
        assert mark_seeds(data) is data
        data.batch_size, data.n_id = 2, torch.tensor([5, 1, 0, 2, 3, 4])
        marked = mark_seeds(data)
        assert marked.seed_mask.tolist() == [True, True, False, False, False, False]
        assert "seed_mask" not in data

    @pytest.mark.parametrize("kind", [np.int64, torch.tensor])
    def test_counts_of_numpy_and_torch_are_counts(self, kind):
        data = graph(6)
        data.batch_size, data.n_id = kind(2), torch.arange(6)
        assert mark_seeds(data).seed_mask.tolist() == [True, True, False, False, False, False]
        assert NodeDrop(drop=0.5)(data).batch_size <= 2

    def test_a_batch_of_graphs_has_a_batch_size_that_means_something_else(self):
        batch = Batch.from_data_list([graph(5), graph(6)])
        assert mark_seeds(batch) is batch


def test_a_seed_that_a_loader_gives_twice_is_contrasted_once():
    graph = power_law_graph(60, 200, num_features=4, num_classes=3)
    seeds = torch.tensor([5, 9, 5, 7, 9, 9])
    (batch,) = NodeLoader(graph, NeighbourSampler(graph, [3, 2], seed=0), input_nodes=seeds, batch_size=6)
    marked = mark_seeds(batch)
    assert marked.n_id[marked.seed_mask].tolist() == [5, 9, 7]
    for views in ((Identity(), FeatureMask(mask=0.5)), (NodeDrop(drop=0.1), Identity()), (NodeDrop(drop=0.2),) * 2):
        made = GRACE(GraphEncoder(GCN(4, 8, 2)), views=views).views_of(batch, 0)
        names = [view.n_id[rows].tolist() for view, rows in zip(made, shared_nodes(made), strict=True)]
        assert names[0] == names[1] and 0 < len(names[0]) == len({*names[0]}) <= 3


def test_a_loss_that_samples_follows_the_step_of_the_method():
    graph = power_law_graph(60, 200, num_features=4, num_classes=3)
    method = GRACE(GraphEncoder(GCN(4, 8, 2)), loss=SampledNTXent(samples=8))
    losses = [method(graph).item() for _ in range(2)]
    assert losses[0] != losses[1]
    method.step.zero_()
    torch.rand(1)
    assert [method(graph).item() for _ in range(2)] == losses
    given = [method(graph, generator=torch.Generator().manual_seed(1)).item() for _ in range(2)]
    assert given[0] == given[1]
