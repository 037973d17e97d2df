"""GraphEncoder: graphs in, embeddings out, and several views in one pass as if each had its own."""

import copy
import re
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GAT as PyGGAT
from torch_geometric.nn import GCN as PyGGCN
from torch_geometric.nn import GIN as PyGGIN
from torch_geometric.nn import GATConv, GCNConv, GINEConv, GraphNorm, Sequential, SGConv

from graphcl.augment import PPRDiffusion
from graphcl.methods import GraphCL
from graphcl.nn import (
    GAT,
    GCN,
    GIN,
    SAGE,
    EdgeEncoder,
    Embeddings,
    GraphEncoder,
    MoleculeEncoder,
    mean_readout,
    split_batch,
    sum_readout,
)


def random_graph(num_nodes, num_edges, generator):
    x = torch.randn(num_nodes, 4, generator=generator, dtype=torch.float64)
    return Data(x=x, edge_index=torch.randint(num_nodes, (2, num_edges), generator=generator))


def batch_of(sizes, generator):
    return Batch.from_data_list([random_graph(n, 2 * n, generator) for n in sizes])


class TestEncode:
    def test_a_single_graph(self, generator):
        graph = random_graph(5, 8, generator)
        encoder = GraphEncoder(GIN(4, 8, 2, norm="none").double())
        out = encoder.encode(graph)
        assert isinstance(out, Embeddings)
        torch.testing.assert_close(out.graph, out.node.sum(0, keepdim=True))
        torch.testing.assert_close(encoder(graph.x, graph.edge_index).graph, out.graph)

    def test_readout_is_used(self, generator):
        graph = random_graph(5, 8, generator)
        out = GraphEncoder(GIN(4, 8, 2, norm="none").double(), mean_readout).encode(graph)
        torch.testing.assert_close(out.graph, out.node.mean(0, keepdim=True))

    def test_number_of_graphs_from_the_batch_vector(self, generator):
        batch = batch_of([3, 4], generator)
        encoder = GraphEncoder(GIN(4, 8, 2, norm="none").double())
        plain = encoder(batch.x, batch.edge_index, batch.batch)
        torch.testing.assert_close(plain.graph, encoder.encode(batch).graph)

    def test_a_batch_vector_without_a_batch(self, generator):
        batch = batch_of([3, 4], generator)
        plain = Data(x=batch.x, edge_index=batch.edge_index, batch=batch.batch)
        encoder = GraphEncoder(GIN(4, 8, 2, norm="none").double())
        torch.testing.assert_close(encoder.encode(plain), encoder.encode(batch))
        torch.testing.assert_close(encoder.encode_views([plain, batch])[0], encoder.encode(batch))

    def test_trailing_empty_graphs_count(self, generator):
        empty = Data(x=torch.zeros(0, 4).double(), edge_index=torch.zeros(2, 0, dtype=torch.int64))
        batch = Batch.from_data_list([random_graph(3, 4, generator), empty])
        assert GraphEncoder(GIN(4, 8, 2).double()).encode(batch).graph.shape == (2, 16)

    def test_a_users_own_network(self, generator):
        class Own(nn.Module):
            out_channels = 3

            def forward(self, x, edge_index):
                return x[:, :3]

        graph = random_graph(5, 8, generator)
        encoder = GraphEncoder(Own())
        assert encoder.out_channels == 3
        torch.testing.assert_close(encoder.encode(graph).graph[0], graph.x[:, :3].sum(0))

    def test_a_users_own_network_that_asks_for_the_graph_of_each_node(self, generator):
        class Centred(nn.Module):
            out_channels = 4

            def forward(self, x, edge_index, batch):
                return x - mean_readout(x, batch, int(batch.max()) + 1)[batch]

        batch, encoder = batch_of([3, 4], generator), GraphEncoder(Centred())
        torch.testing.assert_close(encoder.encode(batch).graph, torch.zeros(2, 4).double())
        torch.testing.assert_close(encoder.encode(batch[0]).graph, torch.zeros(1, 4).double())

    @pytest.mark.parametrize("norm", ["layer", "graph_norm", "instance", "pair_norm"])  # each over the nodes of a graph
    def test_a_norm_over_graphs_keeps_them_apart(self, norm, generator):
        encoder = GraphEncoder(PyGGCN(4, 8, 2, norm=norm).double())
        batch = batch_of([5, 3, 9], generator)
        alone = torch.cat([encoder.encode(graph).graph for graph in batch.to_data_list()])
        torch.testing.assert_close(encoder.encode(batch).graph, alone)
        for view in encoder.encode_views([batch, batch]):
            torch.testing.assert_close(view.graph, alone)


ENCODERS = {
    "GIN": lambda norm: GIN(4, 8, 3, norm=norm),
    "GCN": lambda norm: GCN(4, 8, 3, norm=norm, jk="cat"),
    "SAGE": lambda norm: SAGE(4, 8, 2, norm=norm, activation="prelu"),
    "GAT": lambda norm: GAT(4, 8, 2, norm=norm, heads=2),
}


class TestViews:
    """One pass over all views equals one pass per view: embeddings, gradients, running statistics."""

    @pytest.mark.parametrize("kind", ENCODERS)
    @pytest.mark.parametrize("norm", ["batch", "layer", "none"])
    @pytest.mark.parametrize("training", [True, False])
    @pytest.mark.parametrize("sizes", [[[3, 4, 5], [2, 3, 9]], [[3, 4], [6, 2], [5, 5]], [[8, 8], [1, 1]]], ids=str)
    def test_jointly_or_one_by_one(self, kind, norm, training, sizes, generator):
        views = [batch_of(s, generator) for s in sizes]
        joint = GraphEncoder(ENCODERS[kind](norm).double()).train(training)
        apart = copy.deepcopy(joint)
        found, wanted = joint.encode_views(views), [apart.encode(view) for view in views]
        assert len(found) == len(views)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other)
        for out in (found, wanted):
            sum((k + 1) * (e.graph.sin().sum() + e.node.cos().sum()) for k, e in enumerate(out)).backward()
        for p, q in zip(joint.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad)
        torch.testing.assert_close(joint.state_dict(), apart.state_dict())  # running statistics among them

    def test_single_graphs_as_views(self, generator):
        views = [random_graph(5, 8, generator), random_graph(3, 2, generator)]
        encoder = GraphEncoder(GIN(4, 8, 2, norm="none").double())
        for found, view in zip(encoder.encode_views(views), views, strict=True):
            torch.testing.assert_close(found, encoder.encode(view))

    def test_views_are_left_alone(self, generator):
        views = [batch_of([3, 4], generator), batch_of([2, 5], generator)]
        before = [view.clone() for view in views]
        GraphEncoder(GIN(4, 8, 2).double()).encode_views(views)
        for view, old in zip(views, before, strict=True):
            assert torch.equal(view.x, old.x)
            assert torch.equal(view.edge_index, old.edge_index)
            assert torch.equal(view.batch, old.batch)

    def test_a_pyg_network_gets_one_pass_per_view(self, generator):
        views = [batch_of([3, 4], generator), batch_of([2, 5], generator)]
        joint = GraphEncoder(PyGGCN(4, 8, 2, norm="batch_norm").double())
        apart = copy.deepcopy(joint)
        for found, view in zip(joint.encode_views(views), views, strict=True):
            torch.testing.assert_close(found, apart.encode(view))
        torch.testing.assert_close(joint.state_dict(), apart.state_dict())

    def test_one_view_too_small_is_refused(self, generator):
        views = [batch_of([3, 4], generator), batch_of([1], generator)]
        with pytest.raises(ValueError, match="expected at least 2 rows .* in every view to normalise over, got 1"):
            GraphEncoder(GIN(4, 8, 2).double()).encode_views(views)

    @pytest.mark.parametrize("end", [-1, 7])
    def test_edges_that_leave_their_view_are_refused(self, end, generator):
        """Side by side they would have ended in another view."""
        whole, other = random_graph(7, 9, generator), random_graph(9, 9, generator)
        whole.edge_index = torch.cat([whole.edge_index, torch.tensor([[0], [end]])], 1)
        for views in ([whole, other], [other, whole]):
            with pytest.raises(IndexError, match=f"expected node numbers from 0 to 6 in edge_index, .* got {end}"):
                GraphEncoder(GIN(4, 8, 2).double()).encode_views(views)

    def test_sparse_edges_are_refused_by_name(self, generator):
        view = random_graph(5, 8, generator)
        view.edge_index = torch.ones(5, 5).to_sparse()
        with pytest.raises(TypeError, match="expected edge_index as a list of edges"):
            GraphEncoder(GIN(4, 8, 2).double()).encode_views([view, view])

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
    def test_edges_numbered_in_few_bytes(self, dtype, generator):
        views = [random_graph(200, 300, generator) for _ in range(2)]
        for view in views:
            view.edge_index = view.edge_index.to(dtype)
        encoder = GraphEncoder(GIN(4, 8, 2).double())
        for found, view in zip(encoder.encode_views(views), views, strict=True):
            torch.testing.assert_close(found, encoder.encode(view))


class Weighing(EdgeEncoder):
    """Gives every node the sum of the edge weights."""

    out_channels = 1

    def forward(self, x, edge_index, edge_attr=None, *, edge_weight=None, **counts):
        return x.new_zeros(len(x), 1, dtype=torch.float32) + (0 if edge_weight is None else edge_weight.sum())


class TestWeights:
    """Edge weights reach the networks that take them, alone and jointly."""

    def test_an_encoder_that_takes_them(self, generator):
        plain = batch_of([4, 6], generator)
        view = PPRDiffusion(alpha=0.2, threshold=0.01)(plain)
        for gnn in (GCN(4, 8, 2), GIN(4, 8, 2, norm="layer"), SAGE(4, 8, 2), PyGGCN(4, 8, 2)):
            encoder = GraphEncoder(gnn.double())
            wanted = gnn(view.x, view.edge_index, view.edge_weight)
            assert not torch.allclose(wanted, gnn(view.x, view.edge_index))
            torch.testing.assert_close(encoder.encode(view).node, wanted)
            found = encoder.encode_views([plain, view])
            torch.testing.assert_close(found[0], encoder.encode(plain))
            torch.testing.assert_close(found[1], encoder.encode(view))

    def test_gradients_reach_them(self, generator):
        plain, other = batch_of([4, 6], generator), batch_of([3, 3], generator)
        other.edge_weight = torch.rand(12, generator=generator, dtype=torch.float64).requires_grad_()
        encoder = GraphEncoder(GCN(4, 8, 2).double())
        (joint,) = torch.autograd.grad(encoder.encode_views([plain, other])[1].graph.sin().sum(), other.edge_weight)
        (alone,) = torch.autograd.grad(encoder.encode(other).graph.sin().sum(), other.edge_weight)
        torch.testing.assert_close(joint, alone)
        assert (alone != 0).any()

    @pytest.mark.parametrize("gnn", [GAT(4, 8, 2), PyGGIN(4, 8, 2)], ids=["ours", "PyG's"])
    def test_an_encoder_that_does_not(self, gnn, generator):
        view, encoder = batch_of([4, 6], generator), GraphEncoder(gnn.double())
        wanted = encoder.encode(view)
        view.edge_weight = torch.rand(20, generator=generator)
        torch.testing.assert_close(encoder.encode(view), wanted)
        with pytest.raises(ValueError, match="expected no edge_weight, got one; G[AI][TN] does not take it"):
            encoder(view.x, view.edge_index, view.batch, edge_weight=view.edge_weight)

    def test_an_encoder_of_edge_features_takes_them_or_says_so(self, generator):
        view = batch_of([4, 6], generator)
        view.edge_attr = torch.rand(20, 1, generator=generator)
        weight = torch.rand(20, generator=generator)
        encoder = GraphEncoder(Weighing())
        found = encoder(view.x, view.edge_index, view.batch, edge_attr=view.edge_attr, edge_weight=weight).node
        assert torch.equal(found, weight.sum().expand(10, 1))
        assert torch.equal(encoder.encode(view).node, torch.zeros(10, 1))
        plain = GraphEncoder(GAT(4, 8, 2))
        with pytest.raises(ValueError, match="expected no edge_weight, got one; GAT does not take it"):
            plain(view.x, view.edge_index, view.batch, edge_weight=weight)

    def test_each_sequential_network_by_its_own_arguments(self, generator):
        """PyG's ``Sequential`` writes the forward of the last one that was made into the class."""
        view = batch_of([4, 6], generator)
        layers = [(GCNConv(4, 8), "x, edge_index, edge_weight -> x")]
        weighted = Sequential("x, edge_index, edge_weight", layers).double()
        normed = Sequential("x, edge_index, batch", [(GraphNorm(4), "x, batch -> x")]).double()
        encoder, plain = GraphEncoder(weighted), GraphEncoder(normed)
        torch.testing.assert_close(encoder.encode(view).node, weighted[0](view.x, view.edge_index))
        view.edge_weight = torch.rand(20, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(encoder.encode(view).node, weighted[0](view.x, view.edge_index, view.edge_weight))
        torch.testing.assert_close(plain.encode(view).node, normed[0](view.x, view.batch))

    def test_parts_of_a_batch_keep_theirs(self, generator):
        view = PPRDiffusion(alpha=0.2, threshold=0.01)(batch_of([4, 6, 5], generator))
        encoder = GraphEncoder(GCN(4, 8, 2).double())
        parts = [encoder.encode(part).graph for part in split_batch(view, [1, 2])]
        torch.testing.assert_close(torch.cat(parts), encoder.encode(view).graph)


class TestEdgeFeatures:
    """They reach a network that was made for them, without being told."""

    @staticmethod
    def graphs(generator):
        batch = batch_of([4, 6], generator)
        batch.edge_attr = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        return batch

    def test_a_model_with_a_width_for_them(self, generator):
        batch, gnn = self.graphs(generator), PyGGAT(4, 8, 2, edge_dim=3).double()
        wanted = gnn(batch.x, batch.edge_index, edge_attr=batch.edge_attr)
        assert not torch.allclose(wanted, gnn(batch.x, batch.edge_index))
        torch.testing.assert_close(GraphEncoder(gnn).encode(batch).node, wanted)
        without = GraphEncoder(gnn, edge_attr=False).encode(batch).node
        torch.testing.assert_close(without, gnn(batch.x, batch.edge_index))

    def test_a_model_made_without(self, generator):
        batch = self.graphs(generator)
        for gnn in (PyGGAT(4, 8, 2, v2=True).double(), PyGGIN(4, 8, 2).double()):
            encoder = GraphEncoder(gnn)
            assert not encoder.edge_attr
            torch.testing.assert_close(encoder.encode(batch).node, gnn(batch.x, batch.edge_index))

    def test_a_network_of_ones_own_that_may_do_without(self, generator):
        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = GINEConv(nn.Linear(4, 8), edge_dim=3)

            def forward(self, x, edge_index, edge_attr=None):
                return x if edge_attr is None else self.conv(x, edge_index, edge_attr)

        batch, gnn = self.graphs(generator), Own().double()
        wanted = gnn.conv(batch.x, batch.edge_index, batch.edge_attr)
        torch.testing.assert_close(GraphEncoder(gnn).encode(batch).node, wanted)
        del batch.edge_attr
        assert torch.equal(GraphEncoder(gnn).encode(batch).node, batch.x)

    def test_a_network_that_cannot_do_without(self, generator):
        batch, gnn = self.graphs(generator), GINEConv(nn.Linear(4, 8), edge_dim=3).double()
        wrapped = Sequential("x, edge_index, edge_attr", [(gnn, "x, edge_index, edge_attr -> x")])
        encoder = GraphEncoder(wrapped)
        torch.testing.assert_close(encoder.encode(batch).node, gnn(batch.x, batch.edge_index, batch.edge_attr))
        with pytest.raises(ValueError, match="expected edge features for Sequential, got data without edge_attr"):
            encoder.encode(batch_of([4, 6], generator))


@pytest.mark.parametrize("kind", ENCODERS)
def test_the_same_views_are_joined_and_sorted_once(kind, generator, monkeypatch):
    import graphcl.nn.sparse as sparse

    sorts, plain = [], sparse.counting_sort
    monkeypatch.setattr(sparse, "counting_sort", lambda *args: sorts.append(1) or plain(*args))
    encoder = GraphEncoder(ENCODERS[kind]("layer").double())
    graph = random_graph(6, 12, generator)
    views = [graph, Data(x=graph.x * 0.5, edge_index=graph.edge_index)]
    before = [encoder.encode_views(views) for _ in range(3)][-1]
    assert len(sorts) == 1
    graph.edge_index.copy_(graph.edge_index.flip(1).roll(1, 0))
    changed = encoder.encode_views(views)
    assert len(sorts) == 2
    assert not torch.allclose(changed[0].node, before[0].node)
    torch.testing.assert_close(changed[1], encoder.encode(views[1].clone()))


def test_a_compiled_network_is_given_what_it_takes():
    program = """
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GAT, GCN
from graphcl.nn import GIN, GraphEncoder, MoleculeEncoder, SAGE, UnitDepths
edge_index = torch.randint(12, (2, 30))
data = Data(x=torch.randn(12, 4), edge_index=edge_index, edge_weight=torch.rand(30), edge_attr=torch.rand(30, 3))
molecule = Data(torch.zeros(12, 9, dtype=torch.int64), edge_index, torch.zeros(30, 3, dtype=torch.int64))
for gnn, graph in (
    *((gnn, data) for gnn in (GCN(4, 8, 2), GAT(4, 8, 2, edge_dim=3), GIN(4), SAGE(4), UnitDepths(GIN(4)))),
    (MoleculeEncoder(8, 2), molecule),
):
    plain, compiled = GraphEncoder(gnn.eval()), GraphEncoder(torch.compile(gnn.eval(), backend="eager"))
    torch.testing.assert_close(compiled.encode(graph), plain.encode(graph))
    torch.testing.assert_close(compiled.encode_views([graph, graph]), plain.encode_views([graph, graph]))
    torch.testing.assert_close(torch.compile(plain, backend="eager").encode(graph), plain.encode(graph))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)


def test_compiled_and_not():
    # In a process of its own: the shape checks that the tests switch on cannot be traced.
    program = """
import copy, torch
from graphcl.nn import GCN, GIN, GraphEncoder
x, edge_index, batch = torch.randn(12, 4), torch.randint(12, (2, 30)), torch.arange(12) // 4
for ours in (GraphEncoder(GIN(4, 8, 2)), GraphEncoder(GCN(4, 8, 2, norm="batch", activation="prelu"))):
    compiled = copy.deepcopy(ours)
    for encoder, call in ((ours, ours), (compiled, torch.compile(compiled, backend="eager"))):
        call(x, edge_index, batch, num_graphs=3, splits=[5, 7]).graph.sin().sum().backward()
    torch.testing.assert_close([p.grad for p in ours.parameters()], [p.grad for p in compiled.parameters()])
    torch.testing.assert_close(ours.state_dict(), compiled.state_dict())
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)


def test_compiled_with_edges_that_nobody_has_seen():
    program = """
import copy, torch
from graphcl.nn import GAT, GCN, GIN, SAGE
networks = (GAT(4, 8, 2, heads=2), False), (SAGE(4, 8, 2), False)
for ours, weighted in (*networks, (GCN(4, 8, 2), True), (GIN(4, 8, 2), True), (SAGE(4, 8, 2), True)):
    compiled = copy.deepcopy(ours)
    call = torch.compile(compiled, backend="aot_eager")
    for size in (12, 15):
        x, edge_index, weight = torch.randn(size, 4), torch.randint(size, (2, 30)), torch.rand(30)
        rest = (weight,) if weighted else ()
        found = call(x, edge_index.clone(), *rest)  # the first to see these edges
        found.sin().sum().backward()
        expected = ours(x, edge_index, *rest)
        expected.sin().sum().backward()
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close([p.grad for p in ours.parameters()], [p.grad for p in compiled.parameters()])
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)


class TestViewsOfOtherLengths:
    """What belongs to edges must be as many as the edges of each view, not of all together."""

    edges = torch.randint(6, (2, 9))

    def view(self, **more):
        return Data(x=torch.ones(6, 5), edge_index=self.edges, **more)

    def test_weights(self):
        views = [self.view(edge_weight=torch.rand(k)) for k in (8, 10)]
        with pytest.raises(ValueError, match="expected edge_weight for each of 9 edges of a view, got 8"):
            GraphEncoder(GCN(5, 8)).encode_views(views)

    def test_attributes(self):
        views = [self.view(edge_attr=torch.zeros(k, 3, dtype=torch.int64)) for k in (8, 10)]
        for view in views:
            view.x = torch.zeros(6, 9, dtype=torch.int64)
        with pytest.raises(ValueError, match="expected edge_attr for each of 9 edges of a view, got 8"):
            GraphEncoder(MoleculeEncoder(8, 2)).encode_views(views)


class TestRefusals:
    graph = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)

    def test_no_features(self):
        encoder = GraphEncoder(GIN(4))
        with pytest.raises(ValueError, match="expected node features x, got none; choose features"):
            encoder.encode(self.graph)
        with pytest.raises(ValueError, match="expected node features x, got none; choose features"):
            encoder.encode_views([self.graph, self.graph])

    def test_features_that_are_no_tensor(self):
        with pytest.raises(TypeError, match=r"expected node features x as a tensor \[N, F\], got list"):
            GraphEncoder(GIN(4)).encode(Data(x=[[1.0] * 4] * 2, edge_index=self.graph.edge_index))

    def test_no_edges_given(self):
        encoder = GraphEncoder(GIN(4))
        with pytest.raises(ValueError, match=r"expected edge_index of shape \[2, E\], got None; .* leave out ToSparse"):
            encoder.encode(Data(x=torch.ones(2, 4)))
        with pytest.raises(ValueError, match=r"expected edge_index of shape \[2, E\], got None"):
            encoder.encode_views([Data(x=torch.ones(2, 4))] * 2)

    @pytest.mark.parametrize(
        ("output", "got"),
        [
            (lambda x: (x, None), "tuple"),
            (lambda x: x.sum(0, keepdim=True), r"\[1, 4\]"),
            (lambda x: x[:, 0], r"\[3\]"),
        ],
    )
    def test_a_network_that_gives_no_node_embeddings(self, output, got):
        class Network(nn.Module):
            def forward(self, x, edge_index):
                return output(x)

        with pytest.raises(ValueError, match=rf"expected Network to return node embeddings \[3, D\], got {got}; "):
            GraphEncoder(Network())(torch.ones(3, 4), torch.zeros(2, 0, dtype=torch.int64))

    def test_a_network_that_is_called_otherwise(self):
        class OfData(nn.Module):
            def forward(self, data):
                return data.x

        class OfPositions(nn.Module):
            def forward(self, x, edge_index, pos):
                return x

        with pytest.raises(TypeError, match=r"called as forward\(x, edge_index\), .*, got OfData.forward\(data\): "):
            GraphEncoder(OfData())
        with pytest.raises(TypeError, match="missing a required argument: 'pos'; put it into a module"):
            GraphEncoder(OfPositions())

    def test_a_network_without_a_width(self):
        class Network(nn.Module):
            def forward(self, x, edge_index):
                return x

        encoder = GraphEncoder(Network(), sum_readout)
        with pytest.raises(ValueError, match="expected Network to have an integer out_channels, got None"):
            encoder.out_channels  # noqa: B018


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (
            torch.ones(3, 5),
            r"x \[3, 5\] of torch.float32 on cpu; its weights are torch.float32 on cpu, its in_channels 4",
        ),
        (torch.ones(3, 4).double(), r"x \[3, 4\] of torch.float64 on cpu; its weights are torch.float32"),
        (torch.ones(3), r"x \[3\] of torch.float32"),
    ],
)
def test_a_network_that_fails_says_what_it_was_given(x, words):
    encoder = GraphEncoder(PyGGIN(4, 8, 2))
    with pytest.raises((RuntimeError, IndexError)) as caught:
        encoder.encode(Data(x=x, edge_index=torch.tensor([[0, 1], [1, 2]])))
    (note,) = caught.value.__notes__
    assert re.match(f"GIN was given {words}", note)


def test_a_class_in_the_place_of_a_network_is_refused():
    with pytest.raises(TypeError, match=r"expected a network, got the class GIN; make one of it: GIN\(\.\.\.\)"):
        GraphEncoder(PyGGIN)


def test_a_width_that_the_network_has_not_is_refused_where_something_was_built_on_it():
    """Heads of attention that are joined are not in the ``out_channels`` of PyG's layer."""
    data = Data(x=torch.ones(3, 4), edge_index=torch.tensor([[0, 1], [1, 2]]))
    network = GATConv(4, 8, heads=2)
    assert GraphEncoder(network).encode(data).graph.shape == (1, 16)
    method = GraphCL(GraphEncoder(network))
    with pytest.raises(ValueError, match="GATConv to return .* out_channels, 8, got 16; put it into a module whose"):
        method(Batch.from_data_list([data, data]))

    class Joined(nn.Module):
        out_channels = 16

        def __init__(self):
            super().__init__()
            self.layer = network

        def forward(self, x, edge_index):
            return self.layer(x, edge_index)

    assert GraphCL(GraphEncoder(Joined()))(Batch.from_data_list([data, data])).isfinite()


def test_layers_that_keep_the_edges_of_their_first_call_are_refused():
    with pytest.raises(ValueError, match="got GCNConv with cached=True at convs.0, .* write cached=False"):
        GraphEncoder(PyGGCN(4, 8, 2, cached=True))
    with pytest.raises(ValueError, match="got SGConv with cached=True, "):
        GraphEncoder(SGConv(4, 8, cached=True))


@pytest.mark.parametrize("weight", [torch.ones(4, 1), torch.ones(4, dtype=torch.int64), torch.ones(4).double()])
def test_edge_weights_as_files_hold_them_reach_other_networks(weight):
    data = Data(x=torch.randn(3, 4), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    encoder = GraphEncoder(PyGGCN(4, 8, 2)).eval()
    wanted = encoder.encode(data).node
    data.edge_weight = weight
    torch.testing.assert_close(encoder.encode(data).node, wanted)


def test_a_gin_with_a_forward_of_its_own_sees_one_view_at_a_time():
    class Scaled(GIN):
        def forward(self, x, edge_index):
            return 2 * super().forward(x, edge_index)

    data = Data(x=torch.randn(3, 4), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    encoder = GraphEncoder(Scaled(4, 8, 2))
    first, second = encoder.encode_views([data, data])
    torch.testing.assert_close(first.node, encoder.encode(data).node)
    torch.testing.assert_close(first.node, second.node)
