"""GCN against PyG's layers with the same weights, and its matrix against PyG's normalisation."""

import copy

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from graphcl.nn import GCN, JointEncoder, normalised_adjacency, weighted_adjacency


def problem(generator, num_nodes=9, num_edges=24, width=5, twice=False):
    """Repeated edges, self-loops at some nodes (at one of them two), isolated nodes."""
    edge_index = torch.randint(num_nodes - 2, (2, num_edges), generator=generator)
    edge_index[1] += (edge_index[0] == edge_index[1]).long()
    edge_index[:, :2] = torch.tensor([[2, 2 if twice else 3], [2, 2 if twice else 3]])
    x = torch.randn(num_nodes, width, generator=generator, dtype=torch.float64).requires_grad_()
    edge_weight = (torch.rand(num_edges, generator=generator, dtype=torch.float64) + 0.1).requires_grad_()
    return x, edge_index, edge_weight


class PlainGCN(nn.Module):
    """The same network out of PyG's and torch's layers, with the weights of ours."""

    def __init__(self, gcn):
        super().__init__()
        self.jk, self.convs = gcn.jk, nn.ModuleList()
        for conv in gcn.convs:
            self.convs.append(GCNConv(conv.weight.size(1), conv.weight.size(0)))
            self.convs[-1].lin.weight = nn.Parameter(conv.weight.detach().clone())
            self.convs[-1].bias = nn.Parameter(conv.bias.detach().clone())
        kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": lambda width: nn.Identity()}
        self.norms = nn.ModuleList(kinds[gcn.norm](gcn.convs[i].weight.size(0)) for i in range(len(gcn.norms)))
        self.activations = copy.deepcopy(gcn.activations)

    def forward(self, x, edge_index, edge_weight=None):
        outputs = []
        for i, conv in enumerate(self.convs):
            x = conv(x, edge_index, edge_weight)
            if i < len(self.norms):
                x = self.activations[i](self.norms[i](x))
            outputs.append(x)
        return torch.cat(outputs, 1) if self.jk == "cat" else x


class TestMatrix:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_equals_gcn_norm(self, generator, weighted):
        _, edge_index, edge_weight = problem(generator, twice=True)
        edge_weight = edge_weight if weighted else None
        found = normalised_adjacency(edge_index, 9, edge_weight, dtype=torch.float64)(torch.eye(9).double())
        (source, target), value = gcn_norm(edge_index, edge_weight, 9, dtype=torch.float64)
        truth = torch.zeros(9, 9).double().index_put((target, source), value, accumulate=True)
        torch.testing.assert_close(found, truth)

    def test_gradients_of_the_weights_in_double_precision(self, generator):
        _, edge_index, edge_weight = problem(generator, 6, 10, twice=True)
        x = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)

        def product(edge_weight, x):
            return normalised_adjacency(edge_index, 6, edge_weight, dtype=torch.float64)(x)

        assert torch.autograd.gradcheck(product, (edge_weight, x))
        assert torch.autograd.gradgradcheck(product, (edge_weight, x))

    def test_a_self_loop_weighs_what_its_last_edge_does(self):
        edge_index, edge_weight = torch.tensor([[0, 0, 1], [0, 0, 1]]), torch.tensor([5.0, 3.0, 0.0])
        matrix = normalised_adjacency(edge_index, 3, edge_weight)
        # Node 1 has weights that sum to zero: it takes part in nothing, and nothing is divided by it.
        torch.testing.assert_close(matrix(torch.eye(3)), torch.diag(torch.tensor([1.0, 0.0, 1.0])))

    def test_no_edges(self):
        empty = torch.zeros(2, 0, dtype=torch.int64)
        for weight in (None, torch.zeros(0)):
            torch.testing.assert_close(normalised_adjacency(empty, 3, weight)(torch.eye(3)), torch.eye(3))
            assert normalised_adjacency(empty, 0, weight)(torch.zeros(0, 2)).shape == (0, 2)

    def test_weights_of_any_kind(self, generator):
        _, edge_index, _ = problem(generator)
        counts = torch.randint(1, 4, (24,), generator=generator)
        wanted = normalised_adjacency(edge_index, 9, counts.float())(torch.eye(9))
        torch.testing.assert_close(normalised_adjacency(edge_index, 9, counts)(torch.eye(9)), wanted)
        torch.testing.assert_close(normalised_adjacency(edge_index, 9, counts[:, None])(torch.eye(9)), wanted)

    @pytest.mark.parametrize("shape", [(3,), (24, 2), (24, 1, 1)])
    def test_other_shapes_are_refused(self, generator, shape):
        _, edge_index, _ = problem(generator)
        with pytest.raises(ValueError, match="expected edge_weight with one number for each of 24 edges, got"):
            normalised_adjacency(edge_index, 9, torch.ones(shape))


class TestWeightedMatrix:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_equals_the_dense_matrix(self, generator, weighted):
        _, edge_index, edge_weight = problem(generator, twice=True)
        found = weighted_adjacency(edge_index, 9, edge_weight if weighted else None, dtype=torch.float64)
        value = edge_weight if weighted else torch.ones(24).double()
        truth = torch.zeros(9, 9).double().index_put((edge_index[1], edge_index[0]), value, accumulate=True)
        torch.testing.assert_close(found(torch.eye(9).double()), truth)

    def test_gradients_of_the_weights_in_double_precision(self, generator):
        _, edge_index, edge_weight = problem(generator, 6, 10, twice=True)
        x = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)

        def product(edge_weight, x):
            return weighted_adjacency(edge_index, 6, edge_weight, dtype=torch.float64)(x)

        assert torch.autograd.gradcheck(product, (edge_weight, x))

    def test_weights_of_other_shapes(self, generator):
        _, edge_index, edge_weight = problem(generator)
        wanted = weighted_adjacency(edge_index, 9, edge_weight)(torch.eye(9))
        torch.testing.assert_close(weighted_adjacency(edge_index, 9, edge_weight[:, None])(torch.eye(9)), wanted)
        with pytest.raises(ValueError, match="expected edge_weight with one number for each of 24 edges, got"):
            weighted_adjacency(edge_index, 9, torch.ones(3))


class TestGCN:
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize(
        "options",
        [
            {"hidden_channels": 8},
            {"hidden_channels": 3, "activation": "prelu", "norm": "batch"},  # mapped before it is summed
            {"hidden_channels": 8, "norm": "layer", "jk": "cat"},
            {"hidden_channels": 8, "out_channels": 2, "activation": "elu", "act_last": False, "norm": "batch"},
            {"hidden_channels": 4, "num_layers": 1, "activation": "none"},
        ],
        ids=str,
    )
    def test_equals_pyg_with_the_same_weights(self, options, weighted, generator):
        # No node has two self-loops: PyG gives both the gradient of the one that it uses.
        x, edge_index, edge_weight = problem(generator)
        given = (edge_weight,) if weighted else ()
        ours = GCN(5, **{"num_layers": 3, **options}).double()
        pyg = PlainGCN(ours).double()
        values = [model(x, edge_index, *given) for model in (ours, pyg)]
        torch.testing.assert_close(*values)
        assert values[0].size(1) == ours.out_channels
        mine = {name.removesuffix(".weight"): p for name, p in ours.named_parameters()}
        renamed = {name.replace(".lin.", ".").removesuffix(".weight"): p for name, p in pyg.named_parameters()}
        assert mine.keys() == renamed.keys()
        found, wanted = (
            torch.autograd.grad(value.sin().sum(), [x, *given, *(named[name] for name in mine)])
            for value, named in zip(values, (mine, renamed), strict=True)
        )
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(list(ours.norms.buffers()), list(pyg.norms.buffers()))
        torch.testing.assert_close(ours.eval()(x, edge_index, *given), pyg.eval()(x, edge_index, *given))

    @pytest.mark.parametrize("weighted", [False, True])
    def test_without_normalisation_equals_pyg_without(self, weighted, generator):
        x, edge_index, edge_weight = problem(generator, twice=True)
        given = (edge_weight,) if weighted else ()
        ours = GCN(5, 8, 3, normalise=False).double()
        pyg = PlainGCN(ours).double()
        for conv in pyg.convs:
            conv.normalize = False
        torch.testing.assert_close(ours(x, edge_index, *given), pyg(x, edge_index, *given))

    def test_hand_computed(self):
        gcn = GCN(1, 1, 1)
        with torch.no_grad():
            gcn.convs[0].weight.fill_(2.0)
            gcn.convs[0].bias.fill_(-1.0)
        # Two nodes and an edge each way: every entry is 1/2; 2 * (x0 + x1) / 2 - 1 = 3, and 2 * -7 - 1 < 0 alone.
        x, edge_index = torch.tensor([[1.0], [3.0], [-7.0]]), torch.tensor([[0, 1], [1, 0]])
        torch.testing.assert_close(gcn(x, edge_index).squeeze(1), torch.tensor([3.0, 3.0, 0.0]))

    def test_the_order_of_map_and_sum_does_not_matter(self, generator, monkeypatch):
        x, edge_index, edge_weight = problem(generator)
        gcn = GCN(5, 4, 2).double()
        results = []
        for first in (True, False):
            monkeypatch.setattr("graphcl.nn.gcn.is_mapped_first", lambda x, weight, first=first: first)
            y = gcn(x, edge_index, edge_weight)
            results.append([y, *torch.autograd.grad(y.square().sum(), [x, edge_weight, *gcn.parameters()])])
        torch.testing.assert_close(*results)

    def test_a_random_slope_is_drawn_in_training_and_its_mean_in_evaluation(self, generator):
        x, edge_index, _ = problem(generator)
        gcn, bare = GCN(5, 4, 1, activation="rrelu").double(), GCN(5, 4, 1, activation="none").double()
        bare.load_state_dict(gcn.state_dict())
        with torch.no_grad():
            inner = bare(x, edge_index)
            slopes = (gcn(x, edge_index) / inner)[inner < 0]
            gcn.eval()
            torch.testing.assert_close(gcn(x, edge_index), torch.where(inner < 0, inner * (1 / 8 + 1 / 3) / 2, inner))
        assert slopes.unique().numel() > 1 and 1 / 8 <= slopes.min() and slopes.max() <= 1 / 3

    def test_initial_weights(self):
        gcn = GCN(16, 16, 2, activation="prelu", norm="batch")
        bound = (6 / 32) ** 0.5
        for conv in gcn.convs:
            assert 0.9 * bound < conv.weight.abs().max() <= bound
            assert (conv.bias == 0).all()
        before = gcn.convs[0].weight.clone()
        gcn.norms[0].running_mean.fill_(3.0)
        with torch.no_grad():
            gcn.activations[1].weight.fill_(3.0)
        gcn.reset_parameters()
        assert not torch.equal(gcn.convs[0].weight, before)
        assert (gcn.norms[0].running_mean == 0).all()
        assert gcn.activations[1].weight.item() == 0.25
        assert gcn.activations[0].weight is not gcn.activations[1].weight

    def test_is_a_joint_encoder_with_a_width(self):
        assert isinstance(GCN(3, 7), JointEncoder)
        assert GCN(3, 7, 2).out_channels == 7
        assert GCN(3, 7, 2, out_channels=4).out_channels == 4
        assert GCN(3, 7, 3, jk="cat").out_channels == 21

    def test_dropout_between_layers_in_training_only(self, generator):
        x, edge_index, _ = problem(generator)
        gcn = GCN(5, 64, 2, dropout=0.5, activation="none").double()
        plain = copy.deepcopy(gcn)
        plain.dropout = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            runs = torch.stack([gcn(x, edge_index) for _ in range(200)])
        assert not torch.equal(runs[0], runs[1])
        error = (runs.mean(0) - plain(x, edge_index)).abs()
        assert (error < 5 * runs.std(0) / 200**0.5 + 1e-9).all()
        assert torch.equal(gcn.eval()(x, edge_index), plain.eval()(x, edge_index))

    def test_bfloat16_autocast(self, generator):
        x, edge_index, edge_weight = problem(generator)
        x, edge_weight = x.detach().float(), edge_weight.detach().float().requires_grad_()
        for width in (2, 8):
            gcn = GCN(5, width, 2, norm="batch", activation="prelu")
            plain = gcn(x, edge_index, edge_weight)
            with torch.autocast("cpu", torch.bfloat16):
                low = gcn(x, edge_index, edge_weight)
            torch.testing.assert_close(low.float(), plain, rtol=0.1, atol=0.1)
            low.float().square().sum().backward()
            assert all(p.grad.isfinite().all() for p in [edge_weight, *gcn.parameters()])

    def test_low_precision_of_everything(self, generator):
        # A hub with 400 neighbours, which bfloat16 cannot count to.
        hub = torch.stack([torch.arange(1, 401), torch.zeros(400, dtype=torch.int64)])
        edge_index = torch.cat([hub, hub.flip(0)], 1)
        x, gcn = torch.randn(401, 4, generator=generator), GCN(4, 4, 1, activation="none")
        wanted = gcn(x, edge_index)
        torch.testing.assert_close(gcn.bfloat16()(x.bfloat16(), edge_index).float(), wanted, rtol=0.05, atol=0.02)


class TestRefusals:
    @pytest.mark.parametrize("x", [torch.ones(3, 4), torch.ones(3), torch.ones(3, 5, 1)])
    def test_width(self, x):
        with pytest.raises(ValueError, match=r"expected x of shape \[N, 5\], got"):
            GCN(5)(x, torch.zeros(2, 0, dtype=torch.int64))

    def test_edges_to_nowhere(self):
        with pytest.raises(IndexError, match="expected indices from 0 to 2, got 3"):
            GCN(5)(torch.ones(3, 5), torch.tensor([[0], [3]]))

    @pytest.mark.parametrize("name", ["in_channels", "hidden_channels", "num_layers", "out_channels"])
    def test_sizes(self, name):
        sizes = {"in_channels": 5, "hidden_channels": 8, "num_layers": 2} | {name: 0}
        with pytest.raises(ValueError, match=f"expected {name} of at least 1, got 0"):
            GCN(**sizes)

    @pytest.mark.parametrize("name", ["norm", "activation", "jk"])
    def test_words(self, name):
        with pytest.raises(ValueError, match=f"expected {name} to be '.*' or '.*', got 'group'"):
            GCN(5, **{name: "group"})

    @pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
    def test_dropout(self, dropout):
        with pytest.raises(ValueError, match=r"expected dropout within \[0, 1\), got"):
            GCN(5, dropout=dropout)

    def test_a_width_that_concatenation_overrules(self):
        with pytest.raises(ValueError, match="expected no out_channels with jk='cat', got 4"):
            GCN(5, 8, 2, out_channels=4, jk="cat")

    def test_one_node_cannot_be_normalised(self):
        with pytest.raises(ValueError, match="expected at least 2 rows .* in every view to normalise over, got 1"):
            GCN(5, norm="batch")(torch.ones(1, 5), torch.zeros(2, 0, dtype=torch.int64))
