"""What every encoder must do, the package's own and PyG's behind GraphEncoder: one list, one suite; and refuse."""

import io

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GAT as PyGGAT
from torch_geometric.nn import GCN as PyGGCN
from torch_geometric.nn import GIN as PyGGIN
from torch_geometric.nn import PNA, ClusterGCNConv, GCNConv, GraphConv, GraphSAGE

from graphcl.nn import (
    GAT,
    GCN,
    GIN,
    SAGE,
    GraphEncoder,
    MLPHead,
    UnitDepths,
    max_readout,
    mean_readout,
    root_readout,
)
from graphcl.nn._signature import takes_weights

F_IN = 5
DEGREES = torch.tensor([1, 4, 3, 2])  # a histogram, which PNA scales by
ENCODERS = {
    "GIN-batch": lambda: GraphEncoder(GIN(F_IN, 8, 2)),
    "GIN-layer": lambda: GraphEncoder(GIN(F_IN, 8, 2, norm="layer"), mean_readout),
    "GIN-none": lambda: GraphEncoder(GIN(F_IN, 8, 3, norm="none"), max_readout),
    "GIN-wide": lambda: GraphEncoder(GIN(F_IN, 2, 2)),  # features wider than twice the layers
    "GCN": lambda: GraphEncoder(GCN(F_IN, 8, 2)),
    "GCN-batch": lambda: GraphEncoder(GCN(F_IN, 4, 3, norm="batch", activation="prelu", jk="cat"), mean_readout),
    "GCN-layer": lambda: GraphEncoder(GCN(F_IN, 8, 2, out_channels=3, norm="layer", act_last=False), max_readout),
    "SAGE": lambda: GraphEncoder(SAGE(F_IN, 8, 2)),
    "unit depths": lambda: GraphEncoder(UnitDepths(GIN(F_IN, 8, 2)), root_readout),
    "unit depths of SAGE": lambda: GraphEncoder(UnitDepths(SAGE(F_IN, 8, 2, jk="cat"))),
    "SAGE-batch": lambda: GraphEncoder(SAGE(F_IN, 2, 3, norm="batch", activation="elu", jk="cat"), mean_readout),
    "GAT": lambda: GraphEncoder(GAT(F_IN, 8, 2, heads=4)),
    "GAT-batch": lambda: GraphEncoder(GAT(F_IN, 8, 2, heads=2, concat=False, norm="batch", jk="cat"), max_readout),
    "PyG-GCN": lambda: GraphEncoder(PyGGCN(F_IN, 8, 2, jk="cat")),
    "PyG-GraphSAGE": lambda: GraphEncoder(GraphSAGE(F_IN, 8, 2), mean_readout),
    "PyG-GIN": lambda: GraphEncoder(PyGGIN(F_IN, 8, 2, norm="batch_norm")),
    "PyG-GAT": lambda: GraphEncoder(PyGGAT(F_IN, 8, 2, heads=2)),
    "PyG-PNA": lambda: GraphEncoder(PNA(F_IN, 8, 2, aggregators=["mean", "max"], scalers=["identity"], deg=DEGREES)),
    "PyG-GCNConv": lambda: GraphEncoder(GCNConv(F_IN, 8)),
    "PyG-GraphConv": lambda: GraphEncoder(GraphConv(F_IN, 8)),
    "PyG-ClusterGCNConv": lambda: GraphEncoder(ClusterGCNConv(F_IN, 8)),
}


def random_graph(num_nodes, num_edges, generator, dtype=torch.float64):
    x = torch.randn(num_nodes, F_IN, generator=generator, dtype=dtype)
    edges = torch.randint(max(num_nodes, 1), (2, num_edges if num_nodes else 0), generator=generator)
    return Data(x=x, edge_index=edges[:, edges[0] != edges[1]])  # isolated nodes, repeated edges, one direction


@pytest.fixture
def graphs(generator):
    """Graphs of all kinds: random ones, one without edges, one of a single node."""
    return [random_graph(n, e, generator) for n, e in ((6, 10), (4, 0), (1, 0), (9, 20))]


@pytest.fixture(params=ENCODERS)
def encoder(request):
    """Each encoder in turn, in double precision and evaluation mode, with running statistics that are not trivial."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = ENCODERS[request.param]().double()
        module.train()
        module(torch.randn(40, F_IN, dtype=torch.float64) * 2 + 1, torch.randint(40, (2, 80)))
    return module.eval()


class TestContract:
    def test_shapes(self, encoder, graphs):
        out = encoder.encode(Batch.from_data_list(graphs))
        assert out.node.shape == (20, encoder.out_channels)
        assert out.graph.shape == (4, encoder.out_channels)

    @pytest.mark.parametrize("training", [False, True])
    def test_node_permutation(self, encoder, graphs, generator, training):
        encoder.train(training)
        batch = Batch.from_data_list(graphs)
        p = torch.randperm(batch.num_nodes, generator=generator)
        where = p.argsort()
        edges = torch.randperm(batch.num_edges, generator=generator)
        out = encoder(batch.x, batch.edge_index, batch.batch, num_graphs=4)
        moved = encoder(batch.x[p], where[batch.edge_index[:, edges]], batch.batch[p], num_graphs=4)
        torch.testing.assert_close(moved.node, out.node[p])
        torch.testing.assert_close(moved.graph, out.graph)

    def test_batch_equals_a_loop_over_graphs(self, encoder, graphs):
        out = encoder.encode(Batch.from_data_list(graphs))
        alone = [encoder.encode(graph) for graph in graphs]
        torch.testing.assert_close(out.node, torch.cat([e.node for e in alone]))
        torch.testing.assert_close(out.graph, torch.cat([e.graph for e in alone]))

    @pytest.mark.parametrize("where", [0, 1, 3])
    def test_an_empty_graph_gives_zeros_and_changes_nothing(self, encoder, graphs, generator, where):
        whole = graphs[:2] + graphs[3:]
        with_empty = Batch.from_data_list([*whole[:where], random_graph(0, 0, generator), *whole[where:]])
        out, without = encoder.encode(with_empty), encoder.encode(Batch.from_data_list(whole))
        torch.testing.assert_close(out.node, without.node)
        rest = [i for i in range(4) if i != where]
        torch.testing.assert_close(out.graph[rest], without.graph)
        assert (out.graph[where] == 0).all()

    def test_edges_matter(self, encoder, graphs):
        graph = graphs[3]
        without = Data(x=graph.x, edge_index=graph.edge_index[:, :0])
        assert not torch.allclose(encoder.encode(graph).node, encoder.encode(without).node)

    def test_weights_of_edges_count_where_they_are_taken(self, encoder, graphs):
        batch = Batch.from_data_list(graphs)
        batch.edge_weight = torch.linspace(0.1, 1, batch.num_edges)
        weighted, without = encoder.encode(batch).node, encoder(batch.x, batch.edge_index).node
        assert torch.allclose(weighted, without) is not takes_weights(encoder.gnn)
        batch.edge_weight = torch.ones(batch.num_edges)
        torch.testing.assert_close(encoder.encode(batch).node, without)

    def test_views_of_which_one_is_weighted(self, encoder, graphs):
        weighted, other = graphs[3], graphs[0]
        weighted.edge_weight = torch.linspace(0.1, 1, weighted.num_edges)
        for found, view in zip(encoder.encode_views([weighted, other]), (weighted, other), strict=True):
            torch.testing.assert_close(found, encoder.encode(view))

    def test_every_parameter_gets_a_gradient(self, encoder, graphs):
        encoder.train()
        out = encoder.encode(Batch.from_data_list(graphs))
        (out.graph.square().sum() + out.node.square().sum()).backward()
        silent = [name for name, p in encoder.named_parameters() if p.grad is None or (p.grad == 0).all()]
        assert silent == []
        assert all(p.grad.isfinite().all() for p in encoder.parameters())

    def test_float32(self, encoder, graphs):
        encoder.float()
        batch = Batch.from_data_list(graphs)
        double, single = encoder.double().encode(batch), None
        batch.x = batch.x.float()
        single = encoder.float().encode(batch)
        assert single.graph.dtype == torch.float32
        torch.testing.assert_close(single.graph.double(), double.graph, rtol=1e-3, atol=1e-3)

    def test_integer_features_are_taken(self, encoder, graphs):
        batch = Batch.from_data_list(graphs)
        batch.x = batch.x.round().long()
        whole = encoder.float().encode(batch)
        batch.x = batch.x.float()
        assert torch.equal(whole.graph, encoder.encode(batch).graph)

    def test_input_is_left_alone(self, encoder, graphs):
        batch = Batch.from_data_list(graphs)
        before = batch.clone()
        encoder.train().encode(batch).graph.sum().backward()
        assert torch.equal(batch.x, before.x)
        assert torch.equal(batch.edge_index, before.edge_index)

    def test_state_round_trip(self, encoder, graphs, request):
        file = io.BytesIO()
        torch.save(encoder.state_dict(), file)
        other = ENCODERS[request.node.callspec.params["encoder"]]().double().eval()
        other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
        batch = Batch.from_data_list(graphs)
        assert torch.equal(other.encode(batch).graph, encoder.encode(batch).graph)


class TestRefusals:
    @pytest.mark.parametrize("x", [torch.ones(3, 4), torch.ones(3), torch.ones(3, 5, 1)])
    def test_width(self, x):
        with pytest.raises(ValueError, match=r"expected x of shape \[N, 5\], got"):
            GIN(5)(x, torch.zeros(2, 0, dtype=torch.int64))

    @pytest.mark.parametrize("kind", [GIN, GCN, SAGE, GAT])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
    def test_another_precision(self, kind, dtype):
        x, edges = torch.ones(3, 5, dtype=dtype), torch.zeros(2, 0, dtype=torch.int64)
        with pytest.raises(
            TypeError, match=r"expected x of torch.float32, .* write data.x = data.x.to\(torch.float32\)"
        ):
            kind(5, 8, 2)(x, edges)

    @pytest.mark.parametrize("shape", [(4, 2), (4,), (3, 4)])
    def test_shape_of_the_edges(self, shape):
        with pytest.raises(ValueError, match=r"expected edge_index of shape \[2, E\], got .*edge_index.t\(\)"):
            GraphEncoder(GIN(5))(torch.ones(3, 5), torch.zeros(shape, dtype=torch.int64))

    @pytest.mark.parametrize("kind", [GIN, GCN, SAGE, GAT])
    def test_edges_that_are_no_list_of_edges(self, kind):
        """Of the transposed list two edges would have been taken for all."""
        edges = torch.tensor([[0, 1], [1, 2], [2, 0], [0, 2]])
        with pytest.raises(
            ValueError, match=r"expected edge_index of shape \[2, E\], got \[4, 2\]; .*edge_index.t\(\)"
        ):
            kind(5, 8, 2)(torch.ones(3, 5), edges)
        with pytest.raises(TypeError, match=r"expected edge_index of whole numbers, got torch.float32"):
            kind(5, 8, 2)(torch.ones(3, 5), edges.t().float())
        for network in (kind(5, 8, 2), GraphEncoder(kind(5, 8, 2))):
            with pytest.raises(TypeError, match="expected edge_index as a list of edges .*to_edge_index"):
                network(torch.ones(3, 5), torch.ones(3, 3).to_sparse())

    @pytest.mark.parametrize("kind", [GIN, GCN, SAGE, GAT])
    def test_sparse_features(self, kind):
        with pytest.raises(TypeError, match=r"expected dense features, .*torch.sparse_coo.*x.to_dense\(\)"):
            kind(5, 8, 2)(torch.eye(5).to_sparse(), torch.zeros(2, 0, dtype=torch.int64))

    def test_edges_to_nowhere(self):
        with pytest.raises(IndexError, match="expected indices from 0 to 2, got 3"):
            GIN(5)(torch.ones(3, 5), torch.tensor([[0], [3]]))

    @pytest.mark.parametrize("sizes", [(0, 8, 2), (5, 0, 2), (5, 8, 0)])
    def test_sizes(self, sizes):
        with pytest.raises(ValueError, match="expected .* of at least 1, got 0"):
            GIN(*sizes)

    @pytest.mark.parametrize("kind", [GIN, GCN, SAGE, GAT])
    def test_sizes_that_are_no_whole_numbers(self, kind):
        with pytest.raises(TypeError, match="expected hidden_channels as a whole number, got 32.5"):
            kind(3, 32.5)

    def test_norm(self):
        with pytest.raises(ValueError, match="expected norm to be 'batch', 'layer' or 'none', got 'group'"):
            GIN(5, norm="group")

    def test_one_node_cannot_be_normalised(self):
        with pytest.raises(ValueError, match="expected at least 2 rows .* in every view to normalise over, got 1"):
            GIN(5)(torch.ones(1, 5), torch.zeros(2, 0, dtype=torch.int64))


class Adapted(nn.Linear):
    """An adapter has the weights of the map that it stands in for, and more."""

    def __init__(self, linear):
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None)
        self.load_state_dict(linear.state_dict())
        self.shift = nn.Parameter(torch.full((linear.out_features,), 0.5))

    def forward(self, input):
        return super().forward(input) + self.shift


class Packed(nn.Module):
    """A quantised map has no parameters, and its ``weight`` is a function."""

    def __init__(self, linear):
        super().__init__()
        self.held = [linear]

    def weight(self):
        return self.held[0].weight

    def forward(self, x):
        return self.held[0](x)


class TestReplacedParts:
    """What stands in the place of a linear map or a norm is called, not read."""

    @pytest.mark.parametrize("make", [GIN, SAGE])
    @pytest.mark.parametrize("width", [3, 40], ids=["map last", "map first"])
    @pytest.mark.parametrize("training", [True, False])
    def test_an_adapter(self, make, width, training, generator):
        encoder = make(width, 4, 2).train(training)
        owner = encoder.convs[0] if make is SAGE else encoder
        modules, name = (owner, "neighbours") if make is SAGE else (owner.lower, "0")
        linear = getattr(modules, name)
        x, edges = torch.randn(9, width, generator=generator), torch.randint(9, (2, 20), generator=generator)
        setattr(modules, name, Adapted(linear))
        found = encoder(x, edges)
        grad = torch.autograd.grad(found.square().sum(), getattr(modules, name).shift)[0]
        with torch.no_grad():
            linear.bias += 0.5
        setattr(modules, name, linear)
        wanted = encoder(x, edges)
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(grad, torch.autograd.grad(wanted.square().sum(), linear.bias)[0])

    @pytest.mark.parametrize("make", [lambda: GIN(20, 8, 2, norm="none"), lambda: SAGE(20, 8, 2)])
    def test_packed_maps(self, make, generator):
        x, edges = torch.randn(30, 20, generator=generator), torch.randint(30, (2, 90), generator=generator)
        encoder = make().eval()
        wanted = encoder(x, edges)
        for module in list(encoder.modules()):
            for name, part in list(module.named_children()):
                if isinstance(part, nn.Linear):
                    setattr(module, name, Packed(part))
        assert not list(encoder.parameters())
        torch.testing.assert_close(encoder(x, edges), wanted)

    @pytest.mark.parametrize("make", [lambda: GIN(5, 4, 2), lambda: GCN(5, 4, 2, norm="batch"), lambda: MLPHead(5, 4)])
    def test_a_norm_of_another_kind_sees_one_view_at_a_time(self, make, generator):
        model = make()
        model.norms[0] = nn.BatchNorm1d(4)
        views = [torch.randn(n, 5, generator=generator) + n for n in (6, 4)]
        edges = [torch.randint(len(view), (2, 12), generator=generator) for view in views]
        if isinstance(model, MLPHead):
            found, wanted = model(torch.cat(views), [6, 4]), [model(view) for view in views]
        else:
            joined = torch.cat([edges[0], edges[1] + 6], 1)
            found = model(torch.cat(views), joined, splits=[6, 4])
            wanted = [model(*view) for view in zip(views, edges, strict=True)]
        torch.testing.assert_close(found, torch.cat(wanted))
