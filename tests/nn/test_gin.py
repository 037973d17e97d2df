"""GIN itself, its layers as one step of autograd, and with weights on the edges."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINConv

from graphcl.nn import GIN, GraphEncoder

F_IN = 5


@pytest.fixture
def batch(generator):
    """Graphs of all kinds: random ones, one without edges, one of a single node."""

    def graph(num_nodes, num_edges):
        x = torch.randn(num_nodes, F_IN, generator=generator, dtype=torch.float64)
        return Data(x=x, edge_index=torch.randint(num_nodes, (2, num_edges), generator=generator))

    return Batch.from_data_list([graph(n, e) for n, e in ((6, 10), (4, 0), (1, 0), (9, 20))])


class PlainGIN(nn.Module):
    """The same network out of PyG's and torch's layers, with the weights of ours."""

    def __init__(self, gin):
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for lower, upper in zip(gin.lower, gin.upper, strict=True):
            mlp = nn.Sequential(nn.Linear(*lower.weight.T.shape), nn.ReLU(), nn.Linear(*upper.weight.T.shape))
            self.convs.append(GINConv(mlp, eps=0.0))  # which draws the weights anew
            mlp[0].load_state_dict(lower.state_dict())
            mlp[2].load_state_dict(upper.state_dict())
            kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": lambda width: nn.Identity()}
            self.norms.append(kinds[gin.norm](gin.hidden_channels))

    def forward(self, x, edge_index):
        layers = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.relu(conv(x, edge_index)))
            layers.append(x)
        return torch.cat(layers, 1)


class TestGIN:
    @pytest.mark.parametrize("norm", ["batch", "layer", "none"])
    @pytest.mark.parametrize("hidden", [2, 8])
    def test_equals_pyg_with_the_same_weights(self, norm, hidden, batch, generator):
        ours = GIN(F_IN, hidden, 3, norm=norm).double()
        pyg = PlainGIN(ours).double()
        x = batch.x.requires_grad_()
        weight = torch.randn(20, 3 * hidden, generator=generator, dtype=torch.float64)
        values = [model(x, batch.edge_index) for model in (ours, pyg)]
        torch.testing.assert_close(*values)
        names = [(f"lower.{i}", f"convs.{i}.nn.0") for i in range(3)]
        names += [(f"upper.{i}", f"convs.{i}.nn.2") for i in range(3)]
        names += [(f"norms.{i}", f"norms.{i}") for i in range(3)] * (norm != "none")
        ends = [(a + end, b + end) for a, b in names for end in (".weight", ".bias")]
        assert len(ends) == len(list(ours.parameters()))
        mine, theirs = dict(ours.named_parameters()), dict(pyg.named_parameters())
        found = torch.autograd.grad(values[0], [x, *(mine[a] for a, _ in ends)], weight)
        wanted = torch.autograd.grad(values[1], [x, *(theirs[b] for _, b in ends)], weight)
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(list(ours.norms.buffers()), list(pyg.norms.buffers()))
        torch.testing.assert_close(ours.eval()(x, batch.edge_index), pyg.eval()(x, batch.edge_index))

    def test_hand_computed(self):
        gin = GIN(1, 1, 1, norm="none")
        with torch.no_grad():
            for p in gin.parameters():
                p.fill_(1.0)
        # 0 -> 1 -> 2, x = 1, 2, 4: sums 1, 3, 6; relu(relu(s + 1) + 1).
        x, edge_index = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0, 1], [1, 2]])
        assert gin(x, edge_index).squeeze(1).tolist() == [3.0, 5.0, 8.0]

    def test_initial_weights(self):
        gin = GIN(16, 16, 2)
        bound = (6 / 32) ** 0.5
        for linear in [*gin.lower, *gin.upper]:
            assert 0.9 * bound < linear.weight.abs().max() <= bound
            assert (linear.bias == 0).all()
        before = gin.lower[0].weight.clone()
        gin.norms[0].running_mean.fill_(3.0)
        gin.reset_parameters()
        assert not torch.equal(gin.lower[0].weight, before)
        assert (gin.norms[0].running_mean == 0).all()

    def test_gradients_in_double_precision(self, generator):
        gin = GIN(2, 3, 2, norm="batch").double()
        x = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        edge_index = torch.randint(6, (2, 9), generator=generator)
        assert torch.autograd.gradcheck(lambda x: gin(x, edge_index, splits=[2, 4]), (x,))

    def test_bfloat16_autocast(self, batch):
        gin = GIN(F_IN, 8, 2)
        plain = gin(batch.x.float(), batch.edge_index)
        with torch.autocast("cpu", torch.bfloat16):
            low = gin(batch.x.float(), batch.edge_index)
        torch.testing.assert_close(low.float(), plain, rtol=0.1, atol=0.1)
        low.float().square().sum().backward()
        assert all(p.grad.isfinite().all() for p in gin.parameters())


class TestFusedLayers:
    """In training on a CPU the layers run as one step of autograd; a hook on any module makes them run one by one."""

    @pytest.mark.parametrize("width", [3, 16], ids=["map last", "map first"])
    @pytest.mark.parametrize("splits", [None, [20, 30]], ids=["one view", "two views"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("norm", ["batch", "none"])
    def test_bit_for_bit_what_the_modules_give(self, generator, width, splits, dtype, norm):
        x = torch.randn(50, width, generator=generator, dtype=dtype)
        edges = torch.randint(50, (2, 160), generator=generator)
        results = []
        for alone in (False, True):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                encoder = GIN(width, 6, 3, norm=norm).to(dtype)
            if alone:
                encoder.lower[1].register_forward_hook(lambda module, inputs, output: None)
            leaf = x.clone().requires_grad_()
            out = encoder(leaf, edges, splits=splits)
            out.square().mul(torch.arange(1, out.numel() + 1, dtype=dtype).view_as(out)).sum().backward()
            grads = [p.grad for p in encoder.parameters()]
            results.append([out.detach(), leaf.grad, *grads, *encoder.buffers()])
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))

    @pytest.mark.parametrize("width", [256, 600], ids=["map last", "map first"])
    @pytest.mark.parametrize("norm", ["batch", "none"])
    @pytest.mark.parametrize("depth", [1, 2])
    def test_gradients_of_several_blocks_of_rows(self, generator, width, norm, depth):
        x = torch.randn(2500, width, generator=generator, dtype=torch.float64)
        edges = torch.randint(2500, (2, 4000), generator=generator)
        encoder = GIN(width, 256, depth, norm=norm).double()
        weight = torch.randn(2500, 256 * depth, generator=generator, dtype=torch.float64)
        leaves = [x.requires_grad_(), *encoder.parameters()]
        found = torch.autograd.grad(encoder(x, edges), leaves, weight)
        encoder.lower[0].register_forward_hook(lambda module, inputs, output: None)
        torch.testing.assert_close(found, torch.autograd.grad(encoder(x, edges), leaves, weight))

    def test_without_a_norm_one_node_will_do_and_the_gradient_from_above_is_left_alone(self):
        above = torch.ones(1, 4)
        out = GIN(3, 4, 1, norm="none")(torch.ones(1, 3), torch.zeros(2, 0, dtype=torch.int64))
        (out - 1).backward(above)
        assert bool((above == 1).all())

    @pytest.mark.parametrize("part", ["lower", "upper"])
    def test_a_map_without_a_bias(self, generator, part):
        encoder = GIN(3, 4, 1)
        getattr(encoder, part)[0] = torch.nn.Linear(getattr(encoder, part)[0].in_features, 4, bias=False)
        encoder(torch.randn(5, 3, generator=generator), torch.tensor([[0, 1], [1, 0]])).sum().backward()
        assert getattr(encoder, part)[0].weight.grad.isfinite().all()

    @pytest.mark.parametrize("width", [3, 16], ids=["map last", "map first"])
    @pytest.mark.parametrize("norm", ["batch", "none"])
    def test_second_derivatives_are_those_of_the_modules(self, generator, width, norm):
        x = torch.randn(12, width, generator=generator, dtype=torch.float64)
        edges = torch.randint(12, (2, 40), generator=generator)
        weight = torch.randn(12, 8, generator=generator, dtype=torch.float64)
        results = []
        for alone in (False, True):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                encoder = GIN(width, 4, 2, norm=norm).double()
            if alone:
                encoder.lower[1].register_forward_hook(lambda module, inputs, output: None)
            leaf = x.clone().requires_grad_()
            first = torch.autograd.grad(encoder(leaf, edges, splits=[5, 7]), leaf, weight, create_graph=True)[0]
            first.square().sum().backward()
            results.append([first.detach(), leaf.grad, *(p.grad for p in encoder.parameters() if p.grad is not None)])
        torch.testing.assert_close(*results)

    def test_hooks_are_called(self, generator):
        encoder, seen = GIN(F_IN, 4, 2), []
        x, edges = torch.randn(9, F_IN, generator=generator), torch.randint(9, (2, 20), generator=generator)
        for norm in encoder.norms:
            norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
        out = encoder(x, edges)
        torch.testing.assert_close(torch.cat(seen, 1), out)

    def test_frozen_parts_get_no_gradient(self, generator):
        encoder = GIN(F_IN, 4, 2)
        encoder.lower[0].requires_grad_(False)
        encoder(
            torch.randn(9, F_IN, generator=generator), torch.randint(9, (2, 20), generator=generator)
        ).sum().backward()
        assert encoder.lower[0].weight.grad is None and encoder.upper[0].weight.grad is not None

    @pytest.mark.parametrize("width", [3, 16], ids=["map last", "map first"])
    def test_gradient_checkpointing(self, generator, width):
        x, edges = torch.randn(9, width, generator=generator), torch.randint(9, (2, 20), generator=generator)
        encoder = GIN(width, 4, 2)
        wanted = torch.autograd.grad(encoder(x, edges).sin().sum(), list(encoder.parameters()))
        out = checkpoint(encoder, x, edges, use_reentrant=False)
        torch.testing.assert_close(torch.autograd.grad(out.sin().sum(), list(encoder.parameters())), wanted)

    @pytest.mark.parametrize("hook", ["register_full_backward_hook", "register_full_backward_pre_hook"])
    @pytest.mark.parametrize("part", ["lower", "upper", "norms"])
    def test_hooks_on_gradients_are_called(self, generator, hook, part):
        encoder, seen = GIN(F_IN, 4, 2), []
        getattr(getattr(encoder, part)[0], hook)(lambda *args: seen.append(args))
        x, edges = torch.randn(9, F_IN, generator=generator), torch.randint(9, (2, 20), generator=generator)
        encoder(x.requires_grad_(), edges).sum().backward()
        assert len(seen) == 1

    def test_autocast_and_evaluation_take_the_modules(self, generator):
        encoder = GIN(F_IN, 4, 2)
        x, edges = torch.randn(9, F_IN, generator=generator), torch.randint(9, (2, 20), generator=generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert encoder(x, edges).dtype in (torch.bfloat16, torch.float32)
        torch.testing.assert_close(encoder.eval()(x, edges), encoder(x, edges))
        assert int(encoder.norms[0].num_batches_tracked) == 1


class TestWeights:
    @pytest.mark.parametrize("norm", ["batch", "layer", "none"])
    @pytest.mark.parametrize("width", [2, 8], ids=["map first", "map last"])
    def test_weights_of_one_change_nothing(self, batch, norm, width):
        encoder = GraphEncoder(GIN(F_IN, width, 2, norm=norm).double())
        wanted = encoder.encode(batch)
        batch.edge_weight = torch.ones(batch.num_edges)
        torch.testing.assert_close(encoder.encode(batch), wanted)

    def test_weights_of_zero_drop_edges(self, batch, generator):
        gin = GIN(F_IN, 8, 2).double()
        keep = torch.rand(batch.num_edges, generator=generator) > 0.5
        found = gin(batch.x, batch.edge_index, keep.double())
        torch.testing.assert_close(found, gin(batch.x, batch.edge_index[:, keep]))

    def test_hand_computed(self):
        gin = GIN(1, 1, 1, norm="none")
        with torch.no_grad():
            for p in gin.parameters():
                p.fill_(1.0)
        # 0 -> 1 -> 2 by halves, x = 1, 2, 4: sums 1, 2.5, 5; relu(relu(s + 1) + 1).
        x, edge_index = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0, 1], [1, 2]])
        assert gin(x, edge_index, torch.tensor([[0.5], [0.5]])).squeeze(1).tolist() == [3.0, 4.5, 7.0]

    @pytest.mark.parametrize("width", [1, 8], ids=["map first", "map last"])
    def test_gradients(self, batch, width):
        gin = GIN(F_IN, width, 2, norm="none").double()
        weight = torch.full((batch.num_edges,), 0.7, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda w: gin(batch.x, batch.edge_index, w), (weight,))

    def test_one_for_each_edge(self):
        with pytest.raises(ValueError, match="expected edge_weight with one number for each of 2 edges"):
            GIN(3)(torch.ones(3, 3), torch.tensor([[0, 1], [1, 2]]), torch.ones(3))

    @pytest.mark.parametrize("width", [1, 8], ids=["map first", "map last"])
    def test_what_stands_in_for_a_linear_map_is_called(self, batch, width):
        gin = GIN(F_IN, width, 2).double().eval()
        gin.lower[0] = nn.Sequential(gin.lower[0], nn.Tanh())
        found = gin(batch.x, batch.edge_index, torch.ones(batch.num_edges))
        torch.testing.assert_close(found, gin(batch.x, batch.edge_index))
