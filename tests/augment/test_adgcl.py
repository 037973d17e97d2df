"""The learned edge dropper: what it scores, what it draws, what it pays, and where gradients flow."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphcl._random import hash_ids
from graphcl.augment import EdgeDropper
from graphcl.augment.adgcl import concrete, mean_drop

Make = Callable[..., Data]


def seeded(**arguments: Any) -> EdgeDropper:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EdgeDropper(6, **arguments)


def graphs(make: Make) -> list[Data]:
    ring = [(i, (i + 1) % 9) for i in range(9)]
    shapes = [(9, ring), (4, []), (5, [(0, 1), (1, 2), (2, 2), (0, 1)]), (1, []), (7, [(0, 6), (3, 4)])]
    return [make(n, pairs, graph_id=i) for i, (n, pairs) in enumerate(shapes)]


def embeddings(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))


# --- draws ------------------------------------------------------------------------------------------------------------


def test_draws_are_the_formula() -> None:
    hashes = hash_ids(1, torch.arange(1000))
    logits = torch.linspace(-3, 3, 1000, dtype=torch.float64)
    u = ((hashes >> 12) & ((1 << 52) - 1)).double() / 2**52
    found = concrete(logits, hashes, 0.5)
    assert torch.allclose(found, torch.sigmoid((logits + (u / (1 - u)).log()) / 0.5))
    assert ((found > 0) & (found < 1)).all()


@pytest.mark.parametrize("logit", [-1.0, 0.0, 2.0])
def test_a_draw_is_above_one_half_with_the_probability_of_keeping(logit: float) -> None:
    drawn = concrete(torch.full((20000,), logit), hash_ids(2, torch.arange(20000)), 0.3) > 0.5
    p = torch.sigmoid(torch.tensor(logit)).item()
    assert stats.binomtest(int(drawn.sum()), 20000, p).pvalue > 1e-3


def test_the_uniform_numbers_are_uniform() -> None:
    u = concrete(torch.zeros(20000, dtype=torch.float64), hash_ids(3, torch.arange(20000)), 1.0)
    assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-3


def test_the_extreme_hashes_give_numbers_and_gradients() -> None:
    hashes = torch.tensor([0, -1, 1 << 63 - 1, (1 << 63) - 1, -(1 << 63)])
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        logits = torch.zeros(5, dtype=dtype, requires_grad=True)
        drawn = concrete(logits, hashes, 0.1)
        drawn.sum().backward()
        assert drawn.dtype == dtype
        assert drawn.isfinite().all() and logits.grad.isfinite().all()


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge_channels", [0, 2])
def test_both_directions_share_score_and_draw(edge_channels: int, make: Make) -> None:
    batch = Batch.from_data_list(graphs(make))
    dropper = seeded(edge_channels=edge_channels)
    edge_attr = batch.edge_attr if edge_channels else None
    weight = dropper(embeddings(batch.num_nodes), batch, 3, edge_attr=edge_attr)
    assert weight.shape == (batch.num_edges,)
    assert ((weight > 0) & (weight < 1)).all()
    of_pair: dict[frozenset[int], set[float]] = {}
    for (a, b), w in zip(batch.edge_index.t().tolist(), weight.tolist(), strict=True):
        of_pair.setdefault(frozenset((a, b)), set()).add(w)
    assert all(len(values) == 1 for values in of_pair.values())
    assert len({w for values in of_pair.values() for w in values}) == len(of_pair)


def test_the_weights_of_a_batch_are_those_of_its_graphs(make: Make) -> None:
    members = graphs(make)
    batch = Batch.from_data_list(members)
    dropper, h = seeded(), embeddings(batch.num_nodes)
    together = dropper(h, batch, 3)
    alone = torch.cat([dropper(part, data, 3) for part, data in zip(h.split([d.num_nodes for d in members]), members)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_the_score_does_not_depend_on_the_numbering(make: Make) -> None:
    data = graphs(make)[0]
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    place = torch.argsort(order)
    other = Data(edge_index=place[data.edge_index], num_nodes=9)
    h, dropper = embeddings(9), seeded()
    scores = dropper.score(h, data), dropper.score(h[order], other)
    assert torch.allclose(*scores, atol=1e-6)
    assert len({round(v, 5) for v in scores[0].tolist()}) == 9  # a ring of nine edges


def test_the_weight_is_the_draw_on_the_score(make: Make) -> None:
    data, dropper, h = graphs(make)[0], seeded(temperature=0.5), embeddings(9)
    noise = torch.logit(dropper(h, data, 3).double()) * 0.5 - dropper.score(h, data)
    dropper.mlp.requires_grad_(False)[2].bias.add_(1.0)
    again = torch.logit(dropper(h, data, 3).double()) * 0.5 - dropper.score(h, data)
    assert torch.allclose(noise, again, atol=1e-3)


def test_the_key_is_the_draw(make: Make) -> None:
    data, dropper = graphs(make)[0], seeded()
    h = embeddings(9)
    state = torch.get_rng_state()
    first, same, other = (dropper(h, data, key) for key in (5, torch.tensor(5), 6))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_edge_features_count(make: Make) -> None:
    data, dropper = graphs(make)[0], seeded(edge_channels=2)
    h = embeddings(9)
    first = dropper(h, data, 0, edge_attr=data.edge_attr)
    assert not torch.equal(first, dropper(h, data, 0, edge_attr=data.edge_attr + 1))
    assert torch.equal(first, dropper(h, data, 0, edge_attr=data.edge_attr.double()))


# --- the price --------------------------------------------------------------------------------------------------------


def test_the_price_is_the_papers(make: Make) -> None:
    batch = Batch.from_data_list(graphs(make))
    weight = torch.rand(batch.num_edges, generator=torch.Generator().manual_seed(0))
    shares = []
    for g in range(batch.num_graphs):
        own = [1 - w for e, w in enumerate(weight.tolist()) if int(batch.batch[batch.edge_index[0, e]]) == g]
        if own:
            shares.append(sum(own) / len(own))
    assert len(shares) == 3
    price = seeded(strength=5.0).penalty(weight, batch)
    assert price.item() == pytest.approx(5 * sum(shares) / 3, rel=1e-6)


def test_no_edges_cost_nothing() -> None:
    empty = Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=3)
    dropper = seeded()
    weight = dropper(embeddings(3), empty, 0)
    assert weight.shape == (0,)
    assert dropper.penalty(weight, empty).item() == 0
    assert mean_drop(torch.empty(0), torch.empty(0, dtype=torch.int64), 0).item() == 0


# --- gradients --------------------------------------------------------------------------------------------------------


def test_gradients_reach_scores_and_embeddings(make: Make) -> None:
    batch = Batch.from_data_list(graphs(make))
    dropper, h = seeded(), embeddings(batch.num_nodes).requires_grad_()
    weight = dropper(h, batch, 1)
    (weight.square().sum() - dropper.penalty(weight, batch)).backward()
    assert h.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in dropper.parameters())


def test_gradients_are_right(make: Make) -> None:
    data, dropper = graphs(make)[2], seeded(hidden_channels=5).double()
    h = embeddings(5).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: dropper(z, data, 1), (h,))


@pytest.mark.parametrize("strength", [0.0, 20.0])
def test_the_penalty_holds_the_dropper_back(strength: float, make: Make) -> None:
    # An adversary that gains by every edge it drops: without a price it drops them all, with a high one none.
    batch = Batch.from_data_list(graphs(make))
    dropper, h = seeded(strength=strength), embeddings(batch.num_nodes)
    optimizer = torch.optim.Adam(dropper.parameters(), lr=0.05)
    for step in range(150):
        weight = dropper(h, batch, step)
        objective = mean_drop(weight, batch.batch[batch.edge_index[0]], batch.num_graphs) - dropper.penalty(
            weight, batch
        )
        optimizer.zero_grad()
        (-objective).backward()
        optimizer.step()
    weight = dropper(h, batch, 999).mean().item()
    assert weight < 0.1 if strength == 0 else weight > 0.9


def test_state_is_saved() -> None:
    dropper, again = seeded(), EdgeDropper(6)
    again.load_state_dict(dropper.state_dict())
    data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
    assert torch.equal(again(embeddings(2), data, 0), dropper(embeddings(2), data, 0))


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_refuses(make: Make) -> None:
    for sizes in (
        {"in_channels": 0},
        {"in_channels": 2, "hidden_channels": 0},
        {"in_channels": 2, "edge_channels": -1},
    ):
        with pytest.raises(ValueError, match="expected in_channels and hidden_channels of at least 1"):
            EdgeDropper(**sizes)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="temperature > 0"):
            EdgeDropper(2, temperature=wrong)
    with pytest.raises(ValueError, match="strength >= 0"):
        EdgeDropper(2, strength=-1.0)
    data = graphs(make)[0]
    with pytest.raises(ValueError, match=r"expected h of shape \[9, 6\], got \[9, 5\]"):
        EdgeDropper(6)(torch.zeros(9, 5), data, 0)
    with pytest.raises(ValueError, match=r"edge_attr of shape \[18, 2\], got none"):
        EdgeDropper(6, edge_channels=2)(torch.zeros(9, 6), data, 0)
    with pytest.raises(ValueError, match=r"edge_attr of shape \[18, 2\], got \[18, 3\]"):
        EdgeDropper(6, edge_channels=2)(torch.zeros(9, 6), data, 0, edge_attr=torch.zeros(18, 3))
    with pytest.raises(ValueError, match="expected no edge_attr"):
        EdgeDropper(6)(torch.zeros(9, 6), data, 0, edge_attr=data.edge_attr)
