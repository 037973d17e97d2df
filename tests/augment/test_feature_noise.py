"""Noise and random factors: their laws, their levels, and what they refuse."""

from typing import Any

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import FeatureNoise, FeatureScale
from graphcl.augment._elements import normals, uniforms


def graph(x: torch.Tensor) -> Data:
    return Data(x=x, edge_index=torch.empty(2, 0, dtype=torch.int64))


def spread(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


# --- added ------------------------------------------------------------------------------------------------------------


def test_noise_is_gaussian_with_the_given_deviation() -> None:
    data = graph(spread((4000, 25)))
    noise = (FeatureNoise(std=0.3).view(data, 1).x - data.x) / 0.3
    assert abs(float(noise.mean())) < 4 / 100_000**0.5
    assert abs(float(noise.var()) - 1) < 4 * (2 / 100_000) ** 0.5
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3


def test_noise_is_independent_between_elements() -> None:
    noise = FeatureNoise(std=1.0).view(graph(torch.zeros(4000, 9)), 2).x.double()
    assert float((torch.corrcoef(noise.t()) - torch.eye(9)).abs().max()) < 5 / 4000**0.5
    for a, b in ((noise[1:], noise[:-1]), (noise[1:, 1:], noise[:-1, :-1])):
        assert abs(float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])) < 4 / a.numel() ** 0.5
    # Four numbers come out of one hash: their squares must be unrelated, too.
    squares = torch.corrcoef(noise.t() ** 2) - torch.eye(9)
    assert float(squares.abs().max()) < 5 / 4000**0.5


def test_no_noise_leaves_the_features() -> None:
    data = graph(spread((5, 3)))
    assert torch.equal(FeatureNoise(std=0.0).view(data, 1).x, data.x)


def test_noise_leaves_nan_where_it_is() -> None:
    x = spread((50, 4))
    x[3, 1] = float("nan")
    x[7, 2] = float("inf")
    for aug in (FeatureNoise(std=1.0), FeatureScale(low=0.5, high=2.0), FeatureScale(per="element")):
        view = aug.view(graph(x), 1)
        assert torch.equal(view.x.isfinite(), x.isfinite())
        assert view.x[3, 1].isnan()
        assert view.x[7, 2].isinf()


# --- factors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per", ["element", "column", "graph"])
def test_factors_are_uniform_and_belong_to_their_level(per: str) -> None:
    nodes, columns, graphs = 3, 4, 2500
    batch = Batch.from_data_list([graph(torch.ones(nodes, columns, dtype=torch.float64))] * graphs)
    factors = FeatureScale(low=-1.0, high=3.0, per=per).view(batch, 3).x.view(graphs, nodes, columns)
    if per != "element":
        assert torch.equal(factors, factors[:, :1].expand_as(factors))
        factors = factors[:, :1]
    if per == "graph":
        assert torch.equal(factors, factors[..., :1].expand_as(factors))
        factors = factors[..., :1]
    flat = factors.flatten()
    assert flat.unique().numel() > 0.999 * flat.numel()
    assert stats.kstest(flat.numpy(), "uniform", args=(-1, 4)).pvalue > 1e-3
    table = factors.reshape(graphs, -1)
    if table.size(1) > 1:
        assert float((torch.corrcoef(table.t()) - torch.eye(table.size(1))).abs().max()) < 5 / graphs**0.5
    assert abs(float(torch.corrcoef(torch.stack([flat[1:], flat[:-1]]))[0, 1])) < 4 / flat.numel() ** 0.5


@pytest.mark.parametrize("per", ["element", "column", "graph"])
def test_features_are_multiplied(per: str) -> None:
    x = spread((6, 5))
    factors = FeatureScale(low=0.5, high=2.0, per=per).view(graph(torch.ones_like(x)), 4).x
    assert torch.equal(FeatureScale(low=0.5, high=2.0, per=per).view(graph(x), 4).x, x * factors)
    assert torch.equal(FeatureScale(low=3, high=3, per=per).view(graph(x), 4).x, x * 3)


def test_gradients_are_the_factors() -> None:
    x = spread((4, 3)).requires_grad_()
    view = FeatureScale(low=0.5, high=2.0, per="element").view(graph(x), 0)
    view.x.sum().backward()
    assert torch.allclose(x.grad * x.detach(), view.x.detach())


# --- features of all kinds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_type_of_features_is_kept(dtype: torch.dtype) -> None:
    x = spread((40, 8), dtype)
    exact = graph(x.double())
    for aug in (FeatureNoise(std=0.5), FeatureScale(low=0.5, high=2.0), FeatureScale(per="element")):
        view = aug.view(graph(x), 1).x
        assert view.dtype == dtype
        error = (view.double() - aug.view(exact, 1).x).abs().max()
        assert float(error) < 20 * torch.finfo(dtype).eps


AUGMENTATIONS = [FeatureNoise(), *[FeatureScale(per=per) for per in ("element", "column", "graph")]]
every = pytest.mark.parametrize("aug", AUGMENTATIONS, ids=repr)


@every
@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3), (5, 0), (1, 3), (0, 3)], ids=str)
def test_features_of_any_shape(aug: FeatureNoise | FeatureScale, shape: tuple[int, ...]) -> None:
    data = graph(torch.ones(shape))
    for given in (data, Batch.from_data_list([data] * 3)):
        assert aug.view(given, 1).x.shape == given.x.shape


@every
def test_whole_numbers_and_no_features_are_refused(aug: FeatureNoise | FeatureScale) -> None:
    for dtype in (torch.int64, torch.bool):
        with pytest.raises(TypeError, match=rf"floating-point x for {type(aug).__name__}, got {dtype}.*data.x.float"):
            aug.view(graph(torch.ones(3, 2).to(dtype)), 0)
    with pytest.raises(ValueError, match="expected node features to change, got data without x"):
        aug.view(Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=3), 0)


def test_the_numbers_do_not_depend_on_the_blocks_they_are_made_in() -> None:
    keys = torch.arange(3000) * 7919
    for make in (normals, uniforms):
        whole = make(keys, 101)
        for i in (0, 323, 324, 325, 2999):
            assert torch.equal(make(keys[i : i + 1], 101)[0], whole[i])
        assert torch.equal(make(keys, 100), whole[:, :100])


def test_uniform_numbers_lie_within_0_and_1() -> None:
    numbers = uniforms(torch.arange(20_000), 5)
    assert 0 <= float(numbers.min()) < 1e-4
    assert 1 - 1e-4 < float(numbers.max()) < 1
    assert stats.kstest(numbers.flatten().numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "message"),
    [
        (FeatureNoise, {"std": -1.0}, ValueError, "expected a std of at least 0, got -1.0"),
        (FeatureNoise, {"std": float("nan")}, ValueError, "expected a finite std"),
        (FeatureNoise, {"std": "1"}, TypeError, "expected std as a number"),
        (FeatureScale, {"low": 2.0, "high": 1.0}, ValueError, "expected low <= high, got low=2.0 and high=1.0"),
        (FeatureScale, {"high": float("inf")}, ValueError, "expected a finite high"),
        (FeatureScale, {"low": True}, TypeError, "expected low as a number"),
        (FeatureScale, {"per": "node"}, ValueError, "expected per to be 'element', 'column' or 'graph', got 'node'"),
    ],
)
def test_arguments(kind: type, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        kind(**arguments)
