"""Masking edge attributes: exact numbers, both directions with one value, floats, categories and learned tokens."""

from collections import Counter
from itertools import combinations

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import EdgeMask, Identity, RandomChoice


def path(n: int, *, directed: bool = False, width: int = 2) -> Data:
    forth = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    edge_index = forth if directed else torch.cat([forth, forth.flip(0)], 1)
    value = torch.rand(n - 1, width, generator=torch.Generator().manual_seed(n)) + 1
    edge_attr = value if directed else torch.cat([value, value])
    return Data(edge_index=edge_index, edge_attr=edge_attr, edge_type=(10 * edge_attr[:, 0]).long(), num_nodes=n)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("count", ["round", "floor"])
@pytest.mark.parametrize("m", [1, 4, 5, 19])
@pytest.mark.parametrize("mask", [0.0, 0.1, 0.5, 1.0])
def test_the_numbers_are_exact(mask: float, m: int, count: str, directed: bool) -> None:
    data = path(m + 1, directed=directed)
    view = EdgeMask(mask=mask, fill=-1, directed=directed, count=count).view(data, 0)
    masked = (view.edge_attr == -1).all(1)
    wanted = round(mask * m) if count == "round" else int(mask * m + 1e-9)
    assert int(masked.sum()) == wanted * (1 if directed else 2)
    assert torch.equal(view.edge_attr[~masked], data.edge_attr[~masked])
    assert view.edge_index is data.edge_index
    assert view.edge_type is data.edge_type


def test_masked_edges_are_uniform_and_undirected() -> None:
    view = EdgeMask(mask=0.4, fill=0).view(Batch.from_data_list([path(6)] * 4000), 0)
    rows = (view.edge_attr == 0).all(1).view(4000, 2, 5)
    assert torch.equal(rows[:, 0], rows[:, 1])
    sets = Counter(tuple(row.nonzero().flatten().tolist()) for row in rows[:, 0])
    assert set(sets) == set(combinations(range(5), 2))
    assert stats.chisquare(list(sets.values())).pvalue > 1e-3


def test_directions_are_masked_apart_if_directed() -> None:
    view = EdgeMask(mask=0.5, fill=0, directed=True).view(path(41), 0)
    rows = (view.edge_attr == 0).all(1).view(2, 40)
    assert int(rows.sum()) == 40
    assert not torch.equal(rows[0], rows[1])


def test_the_mean_is_that_of_the_graph() -> None:
    graphs = [path(3), path(9), Data(edge_index=torch.empty(2, 0).long(), edge_attr=torch.empty(0, 2), num_nodes=2)]
    graphs[2].edge_type = torch.empty(0, dtype=torch.int64)
    view = EdgeMask(mask=1.0, fill="mean").view(Batch.from_data_list(graphs), 0)
    for part, data in zip(view.to_data_list()[:2], graphs, strict=False):
        assert torch.allclose(part.edge_attr, data.edge_attr.mean(0).expand_as(data.edge_attr))


def test_noise_is_shared_by_directions_and_normal() -> None:
    x = EdgeMask(mask=1.0, fill="gaussian").view(path(3001, width=8), 0).edge_attr
    assert torch.equal(x[:3000], x[3000:])
    assert stats.kstest(((x[:3000] - 0.5) / 0.5).flatten().double().numpy(), "norm").pvalue > 1e-3
    assert torch.corrcoef(x[:3000].t()).sub(torch.eye(8)).abs().max() < 0.1


def test_noise_of_two_attributes_differs_at_the_same_edges() -> None:
    data = path(200)
    data.edge_other = data.edge_attr.clone()
    view = EdgeMask(mask=0.5, attr=["edge_attr", "edge_other"], fill="gaussian").view(data, 0)
    changed = [(view[name] != data[name]).any(1) for name in ("edge_attr", "edge_other")]
    assert torch.equal(*changed)
    assert not torch.equal(view.edge_attr[changed[0]], view.edge_other[changed[0]])


@pytest.mark.parametrize("fill", [3, [3, 4], (3, 4), torch.tensor([3, 4])], ids=str)
def test_categories_take_tokens(fill: object) -> None:
    data = path(7)
    data.edge_attr = data.edge_attr.long()
    view = EdgeMask(mask=0.5, fill=fill).view(data, 0)
    assert view.edge_attr.dtype == torch.int64
    token = [3, 3] if isinstance(fill, int) else [3, 4]
    assert int((view.edge_attr == torch.tensor(token)).all(1).sum()) == 6


@pytest.mark.parametrize("fill", [0.5, [1, 0.5], "mean", "gaussian", torch.tensor([0.0, 1.0]), float("nan")], ids=str)
def test_categories_take_whole_tokens_only(fill: object) -> None:
    data = path(7)
    data.edge_attr = data.edge_attr.long()
    with pytest.raises(TypeError, match=r"floating-point edge_attr.*int64.*token"):
        EdgeMask(fill=fill).view(data, 0)


def test_a_type_in_one_column() -> None:
    view = EdgeMask(mask=0.5, attr="edge_type", fill=99).view(path(11), 0)
    assert int((view.edge_type == 99).sum()) == 10


def test_a_learned_token_gets_its_gradient_in_company_too() -> None:
    token = torch.zeros(2, requires_grad=True)
    batch = Batch.from_data_list([path(5)] * 30)
    for aug in (EdgeMask(mask=0.5, fill=token), RandomChoice([Identity(), EdgeMask(mask=0.5, fill=token)])):
        view = aug.view(batch, 0)
        masked = int((view.edge_attr == 0).all(1).sum())
        assert masked > 0
        token.grad = None
        view.edge_attr.sum().backward()
        assert token.grad.tolist() == [masked, masked]


def test_a_missing_attribute_is_named_with_those_there_are() -> None:
    data = path(4)
    for attr in ("edge_weight", "edge_index"):
        with pytest.raises(ValueError, match=rf"edge attribute '{attr}'.*edge_attr, edge_type"):
            EdgeMask(attr=attr).view(data, 0)
    data.edge_attr = torch.ones(3, 2)
    with pytest.raises(ValueError, match=r"one row for each of 6 edges, got \[3, 2\]"):
        EdgeMask().view(data, 0)
    with pytest.raises(ValueError, match="no edge attributes"):
        EdgeMask().view(Data(edge_index=data.edge_index, num_nodes=4), 0)


@pytest.mark.parametrize("fill", [[1.0], [[1.0, 2.0]], torch.zeros(3)], ids=str)
def test_a_row_has_the_shape_of_a_row(fill: object) -> None:
    if isinstance(fill, list) and isinstance(fill[0], list):
        with pytest.raises(TypeError, match="row of numbers"):
            EdgeMask(fill=fill)
    else:
        with pytest.raises(ValueError, match=r"expected a fill of shape \[2\].*'edge_attr', got"):
            EdgeMask(fill=fill).view(path(4), 0)


@pytest.mark.parametrize("attr", [None, [], [1], 3], ids=repr)
def test_attr_is_a_name_or_several(attr: object) -> None:
    with pytest.raises(TypeError, match="name of an edge attribute"):
        EdgeMask(attr=attr)
