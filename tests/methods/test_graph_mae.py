"""GraphMAE: what is masked, what the loss says of it, and the paper's error."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCN, GCNConv

from graphcl.methods import GraphMAE, scaled_cosine_error
from graphcl.nn import GIN, GraphEncoder


def graph(num_nodes=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    x = torch.randn(num_nodes, 4, generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1))


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = GraphMAE(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)
    with torch.no_grad():
        method.token += 7.0
    return method


class Layer(nn.Module):
    """A decoder that says what it was given."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, hidden, edge_index):
        self.hidden = hidden
        return self.linear(hidden)


def test_loss_is_that_of_the_paper():
    method, data = make(power=2), graph()
    view, masked = method.masked(data, method.key_at(0))
    hidden = method.to_decoder(method.encoder.encode(view).node)
    hidden = torch.where(masked[:, None], 0.0, hidden)
    z = method.decoder(hidden, data.edge_index)
    costs = [(1 - F.cosine_similarity(data.x[i], z[i], dim=0)) ** 2 for i in range(20) if masked[i]]
    torch.testing.assert_close(method(data), sum(costs) / len(costs))


def test_error_by_hand():
    found = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]])
    wanted = torch.tensor([[1.0, 0.0], [-2.0, 0.0], [1.0, 1.0]])
    assert scaled_cosine_error(found, wanted, 1.0).tolist() == pytest.approx([0.4, 2.0, 1.0])
    assert scaled_cosine_error(found, wanted, 3.0).tolist() == pytest.approx([0.064, 8.0, 1.0])


def test_error_of_a_perfect_row_is_zero_with_a_gradient():
    z = torch.randn(50, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    cost = scaled_cosine_error(3 * z, z.detach(), 1.5)
    cost.sum().backward()
    assert (cost >= 0).all() and cost.max() < 1e-6
    assert z.grad.isfinite().all()


def test_a_row_of_zeros_has_no_gradient():
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    scaled_cosine_error(z, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), 3.0).sum().backward()
    assert z.grad[0].tolist() == [0, 0] and z.grad[1].abs().sum() > 0


def test_gradients_stay_small_where_masked_nodes_have_masked_neighbours_only():
    method, data = make(mask=1.0), graph()
    loss = method(data)
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    assert all(p.grad is None or p.grad.norm() < 10 for p in method.parameters())
    method = make()
    data.edge_index = data.edge_index[:, :4]
    method(data).backward()
    assert 0 < method.to_decoder.weight.grad.norm() < 10
    assert all(p.grad is None or p.grad.norm() < 10 for p in method.parameters())


def test_half_of_each_graphs_nodes_are_masked():
    method, batch = make(replace=0.0), Batch.from_data_list([graph(10, 1), graph(7, 2), graph(1, 3)])
    view, masked = method.masked(batch, 3)
    assert [int(part.sum()) for part in masked.split([10, 7, 1])] == [5, 4, 0]
    assert torch.equal(view.x[masked], method.token.detach().expand(9, 4))
    assert torch.equal(view.x[~masked], batch.x[~masked])


def test_replaced_nodes_have_features_of_their_own_graph():
    batch = Batch.from_data_list([graph(300, 1), graph(200, 2)])
    batch.x = torch.cat([torch.full((300, 4), 1.0), torch.full((200, 4), 2.0)])
    method = make(mask=1.0, replace=0.3)
    view, _ = method.masked(batch, 5)
    first, second = view.x[:, 0].detach().split([300, 200])
    assert set(first.tolist()) == {1.0, 7.0} and set(second.tolist()) == {2.0, 7.0}
    share = float(torch.cat([first != 7, second != 7]).float().mean())
    assert abs(share - 0.3) < 0.07  # more than three standard deviations


def test_other_nodes_are_drawn_for_each_step_and_the_data_stay():
    method, data = make(), graph()
    before = data.x.clone()
    _, first = method.masked(data, method.key_at(0))
    _, second = method.masked(data, method.key_at(1))
    assert not torch.equal(first, second) and torch.equal(data.x, before)


def test_decoder_does_not_see_masked_embeddings():
    method, data = make(decoder=Layer()), graph()
    method(data)
    _, masked = method.masked(data, method.key_at(0))
    assert method.decoder.hidden[masked].abs().sum() == 0
    assert (method.decoder.hidden[~masked].abs().sum(1) > 0).all()


def test_of_a_loaders_batch_the_masked_seeds_count():
    method, data = make(), graph()
    whole = data.clone()
    data.batch_size, data.n_id = 8, torch.arange(20)
    view, masked = method.masked(whole, method.key_at(0))
    hidden = method.to_decoder(method.encoder.encode(view).node).masked_fill(masked[:, None], 0)
    cost = scaled_cosine_error(method.decoder(hidden, data.edge_index), data.x, 3.0)
    torch.testing.assert_close(method(data), cost[:8][masked[:8]].mean())
    data.batch_size = 0  # none is a seed
    assert method(data).item() == 0


def test_token_and_decoder_learn():
    method = make()
    method(graph()).backward()
    assert all(p.grad.abs().sum() > 0 for p in (method.token, method.to_decoder.weight, *method.encoder.parameters()))


def test_defaults_are_the_papers():
    method = make()
    assert (method.mask, method.replace, method.power) == (0.5, 0.05, 3.0)
    theirs, data = GCNConv(method.encoder.out_channels, 4), graph()
    with torch.no_grad():
        theirs.lin.weight.copy_(method.decoder.convs[0].weight)
    h = torch.randn(20, method.encoder.out_channels)
    torch.testing.assert_close(method.decoder(h, data.edge_index), theirs(h, data.edge_index))


def test_width_of_the_features():
    assert GraphMAE(GraphEncoder(GCN(5, 3, 1))).token.shape == (5,)

    class Silent(nn.Module):
        out_channels = 3

    with pytest.raises(ValueError, match="expected Silent to have an integer in_channels, got None.*num_features"):
        GraphMAE(GraphEncoder(Silent()))
    assert GraphMAE(GraphEncoder(Silent()), in_channels=9).token.shape == (9,)


@pytest.mark.parametrize("arguments", [{"mask": 1.5}, {"replace": -0.1}, {"power": 0.5}, {"power": float("nan")}])
def test_values_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=f"expected {next(iter(arguments))} "):
        make(**arguments)
