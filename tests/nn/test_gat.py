"""GAT against PyG's layers with the same weights, and its softmax against torch's."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_geometric.nn import GATConv

from graphcl.nn import GAT, JointEncoder
from graphcl.nn._loops import Looped
from graphcl.nn.gat import edge_softmax


def problem(generator, num_nodes=9, num_edges=24, width=5):
    """Repeated edges, self-loops (one of them twice), isolated nodes."""
    edge_index = torch.randint(num_nodes - 2, (2, num_edges), generator=generator)
    edge_index[:, :3] = torch.tensor([[2, 2, 4], [2, 2, 4]])
    return torch.randn(num_nodes, width, generator=generator, dtype=torch.float64).requires_grad_(), edge_index


def plain(gat):
    convs = nn.ModuleList()
    for conv in gat.convs:
        heads, width = conv.source.shape
        convs.append(GATConv(conv.weight.size(1), width, heads, concat=conv.concat, negative_slope=conv.negative_slope))
        with torch.no_grad():
            convs[-1].lin.weight.copy_(conv.weight)
            convs[-1].att_src.copy_(conv.source[None])
            convs[-1].att_dst.copy_(conv.target[None])
            convs[-1].bias.copy_(conv.bias)
    return convs.double()


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("act_last", [True, False])
def test_equals_pyg_with_the_same_weights(heads, concat, act_last, generator):
    x, edge_index = problem(generator)
    ours = GAT(5, 8, 3, heads=heads, concat=concat, act_last=act_last, negative_slope=0.1).double()
    with torch.no_grad():
        for conv in ours.convs:
            conv.bias.copy_(torch.randn(conv.bias.shape, generator=generator))
    convs = plain(ours)
    y, z = ours(x, edge_index), x
    for i, conv in enumerate(convs):
        z = conv(z, edge_index)
        z = F.elu(z) if act_last or i < 2 else z
    torch.testing.assert_close(y, z)
    mine = [x, *(p for c in ours.convs for p in (c.weight, c.source, c.target, c.bias))]
    theirs = [x, *(p for c in convs for p in (c.lin.weight, c.att_src, c.att_dst, c.bias))]
    found, wanted = torch.autograd.grad(y.sin().sum(), mine), torch.autograd.grad(z.sin().sum(), theirs)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b.view_as(a))


def test_softmax_row_by_row(generator):
    _, edge_index = problem(generator)
    looped = Looped.of(edge_index, 9)
    score = torch.randn(33, 2, generator=generator, dtype=torch.float64).requires_grad_()
    found = edge_softmax(score, looped)
    rows = looped.pattern.row
    truth = torch.zeros_like(found)
    for i in range(9):
        at = ((rows == i) & ~looped.void).nonzero().squeeze(1)
        assert (looped.pattern.col[at] == i).sum() == 1  # the one self-loop
        truth = truth.index_put((at,), score[at].softmax(0))
    torch.testing.assert_close(found, truth)
    weight = torch.randn(33, 2, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(torch.autograd.grad(found, score, weight), torch.autograd.grad(truth, score, weight))
    assert torch.autograd.gradcheck(lambda s: edge_softmax(s, looped), (score,))


def test_softmax_of_large_scores(generator):
    _, edge_index = problem(generator)
    looped = Looped.of(edge_index, 9)
    score = (1e4 * torch.randn(33, 1, generator=generator)).requires_grad_()
    value = edge_softmax(score, looped)
    torch.testing.assert_close(looped.pattern.from_rows.T(value), torch.ones(9, 1))
    assert torch.autograd.grad(value.square().sum(), score)[0].isfinite().all()


def test_gradients_in_double_precision(generator):
    x, edge_index = problem(generator, 6, 10, 2)
    gat = GAT(2, 4, 2, heads=2, norm="batch").double()
    assert torch.autograd.gradcheck(lambda x: gat(x, edge_index, splits=[2, 4]), (x,))


def test_no_edges(generator):
    gat, empty = GAT(2, 4, 1, heads=2, activation="none"), torch.zeros(2, 0, dtype=torch.int64)
    x = torch.randn(3, 2, generator=generator)
    torch.testing.assert_close(gat(x, empty), x @ gat.convs[0].weight.T)
    assert gat(torch.ones(0, 2), empty).shape == (0, 4)


def test_initial_weights():
    gat = GAT(16, 16, 2, heads=4)
    assert isinstance(gat, JointEncoder)
    for conv in gat.convs:
        assert 0.9 * (6 / 32) ** 0.5 < conv.weight.abs().max() <= (6 / 32) ** 0.5
        assert conv.source.abs().max() <= (6 / 8) ** 0.5
        assert (conv.bias == 0).all()
    before = gat.convs[1].target.clone()
    gat.reset_parameters()
    assert not torch.equal(gat.convs[1].target, before)


def test_bfloat16_autocast(generator):
    x, edge_index = problem(generator)
    x = x.detach().float()
    gat = GAT(5, 8, 2, heads=2)
    with torch.autocast("cpu", torch.bfloat16):
        low = gat(x, edge_index)
    torch.testing.assert_close(low.float(), gat(x, edge_index), rtol=0.1, atol=0.1)
    low.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in gat.parameters())


class TestRefusals:
    @pytest.mark.parametrize("widths", [{"hidden_channels": 6}, {"hidden_channels": 8, "out_channels": 6}])
    def test_heads_must_share(self, widths):
        with pytest.raises(ValueError, match="expected a width that 4 heads can share, got 6; or use concat=False"):
            GAT(5, heads=4, **widths)
        assert (
            GAT(5, heads=4, concat=False, **widths)(torch.ones(2, 5), torch.zeros(2, 0, dtype=torch.int64)).size(1) == 6
        )

    def test_heads(self):
        with pytest.raises(ValueError, match="expected heads of at least 1, got 0"):
            GAT(5, heads=0)

    def test_width(self):
        with pytest.raises(ValueError, match=r"expected x of shape \[N, 5\], got \[3, 4\]"):
            GAT(5)(torch.ones(3, 4), torch.zeros(2, 0, dtype=torch.int64))
