"""SAGE against PyG's layers with the same weights."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import SAGEConv

from graphcl.nn import SAGE, JointEncoder, mean_adjacency


def problem(generator, num_nodes=9, num_edges=24, width=5):
    edge_index = torch.randint(num_nodes - 2, (2, num_edges), generator=generator)
    return torch.randn(num_nodes, width, generator=generator, dtype=torch.float64).requires_grad_(), edge_index


def plain(sage):
    convs = nn.ModuleList()
    for conv in sage.convs:
        convs.append(SAGEConv(conv.root.in_features, conv.root.out_features).double())
        convs[-1].lin_l.load_state_dict(conv.neighbours.state_dict())
        convs[-1].lin_r.load_state_dict(conv.root.state_dict())
    return convs


@pytest.mark.parametrize("width", [2, 8], ids=["map first", "map last"])
@pytest.mark.parametrize("act_last", [True, False])
def test_equals_pyg_with_the_same_weights(width, act_last, generator):
    x, edge_index = problem(generator)
    ours = SAGE(5, width, 3, act_last=act_last).double()
    convs = plain(ours)
    y, z = ours(x, edge_index), x
    for i, conv in enumerate(convs):
        z = conv(z, edge_index)
        z = z.relu() if act_last or i < 2 else z
    torch.testing.assert_close(y, z)
    mine = [x, *(p for c in ours.convs for p in (c.neighbours.weight, c.neighbours.bias, c.root.weight))]
    theirs = [x, *(p for c in convs for p in (c.lin_l.weight, c.lin_l.bias, c.lin_r.weight))]
    found, wanted = torch.autograd.grad(y.sin().sum(), mine), torch.autograd.grad(z.sin().sum(), theirs)
    torch.testing.assert_close(found, wanted)


def test_mean_by_hand():
    edge_index = torch.tensor([[0, 1, 1, 2, 3], [2, 2, 2, 2, 0]])  # one of them twice, a self-loop, one without any
    mean = mean_adjacency(edge_index, 4, dtype=torch.float64)
    x = torch.tensor([[1.0], [2.0], [7.0], [5.0]], dtype=torch.float64)
    assert mean(x).squeeze(1).tolist() == [5.0, 0.0, 3.0, 0.0]


def test_weighted_mean_by_hand():
    edge_index = torch.tensor([[0, 1, 1, 2, 3, 0], [2, 2, 2, 2, 0, 3]])
    weight = torch.tensor([[1.0], [0.5], [0.5], [2.0], [0.25], [0.0]])  # one node's alone, another's sum to zero
    mean = mean_adjacency(edge_index, 4, weight, dtype=torch.float64)
    x = torch.tensor([[1.0], [2.0], [7.0], [5.0]], dtype=torch.float64)
    assert mean(x).squeeze(1).tolist() == [5.0, 0.0, 4.25, 0.0]


@pytest.mark.parametrize("width", [2, 8], ids=["map first", "map last"])
def test_gradients_of_the_weights(width, generator):
    x, edge_index = problem(generator)
    sage = SAGE(5, width, 2).double()
    weight = torch.rand(24, generator=generator, dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(lambda x, w: sage(x, edge_index, w), (x, weight.requires_grad_()))


def test_weights_that_are_constant_are_those_that_learn(generator):
    """Without a gradient of theirs, both maps and the mean are one step."""
    x, edge_index = problem(generator)
    sage, weight = SAGE(5, 8, 2).double(), torch.rand(24, generator=generator, dtype=torch.float64)
    values = [sage(x, edge_index, w) for w in (weight, weight.clone().requires_grad_())]
    torch.testing.assert_close(*values)
    grads = [torch.autograd.grad(value.sin().sum(), [x, *sage.parameters()]) for value in values]
    torch.testing.assert_close(*grads)
    ones = torch.ones(24)
    torch.testing.assert_close(sage(x, edge_index, ones), sage(x, edge_index))


def test_no_edges():
    sage, empty = SAGE(2, 3, 1), torch.zeros(2, 0, dtype=torch.int64)
    torch.testing.assert_close(
        sage(torch.ones(2, 2), empty),
        (sage.convs[0].root.weight.sum(1) + sage.convs[0].neighbours.bias).relu().expand(2, 3),
    )
    assert sage(torch.ones(0, 2), empty).shape == (0, 3)


def test_gradients_in_double_precision(generator):
    x, edge_index = problem(generator, 6, 10, 2)
    sage = SAGE(2, 3, 2, norm="batch", activation="elu").double()
    assert torch.autograd.gradcheck(lambda x: sage(x, edge_index, splits=[2, 4]), (x,))


def in_two_ways(monkeypatch, function):
    """What a function gives by the layer's own step of autograd, and by torch's."""
    own = function()
    monkeypatch.setattr("graphcl.nn.sage._is_plain_training", lambda *_: False)
    return own, function()


@pytest.mark.parametrize("frozen", [(), ("x",), ("weight",), ("root", "bias"), ("x", "weight", "bias")])
def test_its_own_step_of_autograd_is_that_of_torch(frozen, generator, monkeypatch):
    x, edge_index = problem(generator)
    conv = SAGE(5, 8, 1, act_last=False).double().convs[0]
    leaves = {"x": x, "weight": conv.neighbours.weight, "root": conv.root.weight, "bias": conv.neighbours.bias}
    for name, leaf in leaves.items():
        leaf.requires_grad_(name not in frozen)
    mean = mean_adjacency(edge_index, x.size(0), dtype=torch.float64)
    above = torch.randn(x.size(0), 8, generator=generator, dtype=torch.float64)

    def both():
        out = conv(x, mean)
        again = [torch.autograd.grad(out, wanted, above, retain_graph=True) for _ in range(3)]
        assert not any(grad.requires_grad for grads in again for grad in grads)
        return out, *again, torch.autograd.grad(out, wanted, above, create_graph=True)

    wanted = [leaf for leaf in leaves.values() if leaf.requires_grad]
    own, usual = in_two_ways(monkeypatch, both)
    assert "_Sum" in type(own[0].grad_fn).__name__ and "_Sum" not in type(usual[0].grad_fn).__name__
    torch.testing.assert_close(own, usual)


def test_second_derivatives(generator):
    x, edge_index = problem(generator, 4, 6, 2)
    sage = SAGE(2, 3, 1, act_last=False).double()
    assert torch.autograd.gradgradcheck(lambda x: sage(x, edge_index).sin(), (x,))


def test_is_a_joint_encoder_drawn_anew():
    sage = SAGE(3, 7, 2, jk="cat")
    assert isinstance(sage, JointEncoder)
    assert sage.out_channels == 14
    before = [p.clone() for p in sage.parameters()]
    sage.reset_parameters()
    assert not any(torch.equal(a, b) for a, b in zip(before, sage.parameters(), strict=True))


def test_bfloat16_autocast(generator):
    x, edge_index = problem(generator)
    sage = SAGE(5, 8, 2)
    with torch.autocast("cpu", torch.bfloat16):
        low = sage(x.detach().float(), edge_index)
    torch.testing.assert_close(low.float(), sage(x.detach().float(), edge_index), rtol=0.1, atol=0.1)
    low.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in sage.parameters())


@pytest.mark.parametrize("part", ["neighbours", "root"])
def test_what_a_hook_sees_of_a_layer_stays_as_it_was(part, generator):
    x, edge_index = problem(generator)
    sage, seen = SAGE(5, 8, 1, act_last=False).double(), []
    plain = sage(x, edge_index)
    getattr(sage.convs[0], part).register_forward_hook(lambda module, inputs, output: seen.append((*inputs, output)))
    torch.testing.assert_close(sage(x, edge_index), plain)
    (into, out), linear = seen[0], getattr(sage.convs[0], part)
    torch.testing.assert_close(out, torch.nn.functional.linear(into, linear.weight, linear.bias))


def test_width_is_checked():
    with pytest.raises(ValueError, match=r"expected x of shape \[N, 5\], got \[3, 4\]"):
        SAGE(5)(torch.ones(3, 4), torch.zeros(2, 0, dtype=torch.int64))


def test_of_a_large_graph_the_gradient_takes_the_place_of_the_means(generator, monkeypatch):
    x, edge_index = problem(generator)
    sage = SAGE(5, 8, 2).double()
    wanted = torch.autograd.grad(sage(x, edge_index).square().sum(), [x, *sage.parameters()])
    monkeypatch.setattr("graphcl.nn.sage.LARGE", 0)
    loss = sage(x, edge_index).square().sum()
    for _ in range(2):
        found = torch.autograd.grad(loss, [x, *sage.parameters()], retain_graph=True)
        torch.testing.assert_close(found, wanted)
        assert not any(grad.requires_grad for grad in found)
