"""Masked columns and dropped elements: how many, which ones, and what they become."""

from collections import Counter
from itertools import combinations

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import EdgeDrop, FeatureDropout, FeatureMask, NodeMask, RandomChoice
from graphcl.augment._elements import below_share


def graph(n: int, columns: int, *, value: float = 1.0, dtype: torch.dtype = torch.float32) -> Data:
    return Data(
        x=torch.full((n, columns), value).to(dtype), edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=n
    )


def copies(data: Data, count: int) -> Batch:
    return Batch.from_data_list([data] * count)


def masked_of(view: Batch, graphs: int, nodes: int) -> torch.Tensor:
    """``[G, F]`` the masked columns, after a look at whether all nodes of a graph have the same."""
    zero = (view.x == 0).view(graphs, nodes, -1)
    assert torch.equal(zero, zero[:, :1].expand_as(zero))
    return zero[:, 0]


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0.1, 0.4, 0.8])
def test_every_column_has_its_own_coin(mask: float) -> None:
    columns = masked_of(FeatureMask(mask=mask).view(copies(graph(2, 10), 2000), 3), 2000, 2)
    assert stats.binomtest(int(columns.sum()), 20_000, mask).pvalue > 1e-3
    for column in columns.unbind(1):
        assert stats.binomtest(int(column.sum()), 2000, mask).pvalue > 1e-4
    # Independent of each other and from graph to graph.
    together = torch.corrcoef(columns.t().double()) - torch.eye(10)
    assert float(together.abs().max()) < 5 / 2000**0.5
    follow = torch.corrcoef(torch.stack([columns[1:].flatten(), columns[:-1].flatten()]).double())
    assert abs(float(follow[0, 1])) < 4 / 20_000**0.5


def test_one_large_graph_has_one_mask_vector() -> None:
    view = FeatureMask(mask=0.3).view(graph(500, 4000), 1)
    zero = view.x == 0
    assert torch.equal(zero, zero[:1].expand_as(zero))
    assert stats.binomtest(int(zero[0].sum()), 4000, 0.3).pvalue > 1e-3
    assert (view.x[~zero] == 1).all()


@pytest.mark.parametrize(
    ("mask", "columns", "rounded", "floored"), [(0.1, 4, 0, 0), (0.1, 19, 2, 1), (0.29, 100, 29, 29), (1.0, 7, 7, 7)]
)
@pytest.mark.parametrize("shared", [False, True])
def test_exact_numbers(mask: float, columns: int, rounded: int, floored: int, shared: bool) -> None:
    for count, k in (("round", rounded), ("floor", floored)):
        view = FeatureMask(mask=mask, count=count, shared=shared).view(copies(graph(3, columns), 20), 3)
        assert masked_of(view, 20, 3).sum(1).tolist() == [k] * 20


def test_an_exact_number_of_columns_is_uniform() -> None:
    columns = masked_of(FeatureMask(mask=0.4, count="round").view(copies(graph(1, 5), 4000), 0), 4000, 1)
    found = Counter(tuple(row.nonzero().flatten().tolist()) for row in columns)
    assert set(found) == set(combinations(range(5), 2))
    assert stats.chisquare(list(found.values())).pvalue > 1e-3


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_whatever_stood_there_is_gone(dtype: torch.dtype) -> None:
    x = torch.tensor([1.0, -1.0, torch.inf, torch.nan])[:, None].expand(4, 60)
    data = graph(4, 60)
    data.x = (x if dtype.is_floating_point else x.nan_to_num(2, 2)).to(dtype)
    for fill in (0, 1):
        view = FeatureMask(mask=0.5, fill=fill).view(data, 1).x
        masked = (view == fill).all(0)
        assert view.dtype == dtype
        assert 10 < int(masked.sum()) <= 60
        assert torch.equal(view[:, ~masked].nan_to_num(), data.x[:, ~masked].nan_to_num())


def test_features_with_a_gradient_keep_it() -> None:
    data = graph(3, 40)
    data.x.requires_grad_()
    view = FeatureMask(mask=0.5).view(data, 1).x
    view.sum().backward()
    assert torch.equal(data.x.grad, (view != 0).float())
    other = graph(3, 40)
    assert torch.equal(FeatureMask(mask=0.5).view(other, 1).x, view)


def test_shared_columns_are_those_of_the_call() -> None:
    batch = Batch.from_data_list([graph(n, 50) for n in (3, 1, 8)])
    view = FeatureMask(mask=0.5, shared=True).view(batch, 4)
    assert view.x.unique(dim=0).size(0) == 1
    assert torch.equal(FeatureMask(mask=0.5, shared=True).view(graph(2, 50), 4).x[0], view.x[0])
    rates = torch.stack([FeatureMask(mask=0.5, shared=True).view(graph(1, 50), key).x[0] for key in range(200)])
    assert stats.binomtest(int((rates == 0).sum()), 10_000, 0.5).pvalue > 1e-3
    assert FeatureMask(mask=0.5).view(batch, 4).x.unique(dim=0).size(0) == 3


def test_the_ends_of_the_range() -> None:
    data = graph(4, 6)
    assert torch.equal(FeatureMask(mask=0.0).view(data, 0).x, data.x)
    assert (FeatureMask(mask=1.0, fill=-7).view(data, 0).x == -7).all()


def test_what_is_not_masked_stays_bit_for_bit() -> None:
    data = graph(3, 40)
    data.x = torch.tensor([float("nan"), float("inf"), -0.0, 1e-40]).repeat(3, 10)
    for given in (data, copies(data, 3)):
        view = FeatureMask(mask=0.5, fill=2.5).view(given, 1)
        masked = view.x == 2.5
        assert 0 < int(masked.sum()) < masked.numel()
        assert torch.equal(view.x[~masked].view(torch.int32), given.x[~masked].view(torch.int32))


def test_the_gradient_of_masked_columns_is_zero() -> None:
    batch = copies(graph(2, 10), 3)
    batch.x.requires_grad_()
    view = FeatureMask(mask=0.5).view(batch, 1)
    view.x.sum().backward()
    assert torch.equal(batch.x.grad, view.x.detach())


def test_a_masked_choice_masks_only_its_graphs() -> None:
    batch = copies(graph(2, 10), 60)
    view = RandomChoice([FeatureMask(mask=1.0, fill=5), NodeMask(mask=1.0, fill=6.0), EdgeDrop()]).view(batch, 0)
    assert {tuple(part.x.unique().tolist()) for part in view.to_data_list()} == {(5.0,), (6.0,), (1.0,)}


# --- elements ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [0.1, 0.5, 0.85])
def test_elements_are_dropped_at_their_rate_and_independently(drop: float) -> None:
    view = FeatureDropout(drop=drop).view(graph(3000, 7), 2)
    dropped = (view.x == 0).double()
    assert stats.binomtest(int(dropped.sum()), 21_000, drop).pvalue > 1e-3
    for column in dropped.unbind(1):
        assert stats.binomtest(int(column.sum()), 3000, drop).pvalue > 1e-4
    between_columns = torch.corrcoef(dropped.t()) - torch.eye(7)
    assert float(between_columns.abs().max()) < 5 / 3000**0.5
    between_rows = torch.corrcoef(torch.stack([dropped[1:].flatten(), dropped[:-1].flatten()]))
    assert abs(float(between_rows[0, 1])) < 4 / 21_000**0.5
    # The number of dropped elements of a row is binomial.
    counts = torch.bincount(dropped.sum(1).long(), minlength=8).numpy()
    expected = 3000 * stats.binom.pmf(range(8), 7, drop)
    likely = expected > 5
    rest = [counts[~likely].sum()], [expected[~likely].sum()]
    observed, wanted = [*counts[likely], *rest[0]], [*expected[likely], *rest[1]]
    if wanted[-1] < 1e-9:
        observed, wanted = observed[:-1], wanted[:-1]
    assert stats.chisquare(observed, [w * sum(observed) / sum(wanted) for w in wanted]).pvalue > 1e-3


def test_rescaling_keeps_the_expected_features() -> None:
    view = FeatureDropout(drop=0.8, rescale=True).view(graph(2000, 10, value=3.0, dtype=torch.float64), 1)
    assert sorted(view.x.unique().tolist()) == pytest.approx([0.0, 15.0])
    assert abs(float(view.x.mean()) - 3) < 4 * 6 / 20_000**0.5  # one element: 15 with probability 0.2
    assert not FeatureDropout(drop=1.0, rescale=True).view(graph(5, 5), 1).x.any()
    assert torch.equal(FeatureDropout(drop=0.0, rescale=True).view(graph(5, 5), 1).x, graph(5, 5).x)


def test_dropping_spreads_no_nan() -> None:
    data = graph(200, 9, value=float("nan"))
    view = FeatureDropout(drop=0.5).view(data, 1)
    dropped = view.x == 0
    assert stats.binomtest(int(dropped.sum()), 1800, 0.5).pvalue > 1e-3
    assert view.x[~dropped].isnan().all()


def test_the_blocks_of_large_features_do_not_show() -> None:
    # 3000 rows of 100 columns are worked off in several blocks, one row alone in one.
    keys = torch.arange(3000) * 7919
    whole = below_share(keys, 100, 0.3)
    for i in (0, 326, 327, 328, 2999):
        assert torch.equal(below_share(keys[i : i + 1], 100, 0.3)[0], whole[i])
    assert torch.equal(below_share(keys, 99, 0.3), whole[:, :99])
    assert not below_share(keys, 5, 0.0).any()
    assert below_share(keys, 5, 1.0).all()


# --- features of all kinds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3), (5, 0), (1, 3), (0, 3)], ids=str)
@pytest.mark.parametrize("aug", [FeatureMask(mask=1.0, fill=4), FeatureDropout(drop=1.0)], ids=repr)
def test_features_of_any_shape(aug: FeatureMask | FeatureDropout, shape: tuple[int, ...]) -> None:
    data = graph(shape[0], 1)
    data.x = torch.ones(shape)
    for given in (data, copies(data, 3)):
        view = aug.view(given, 1)
        assert view.x.shape == given.x.shape
        assert (view.x == (4 if isinstance(aug, FeatureMask) else 0)).all()


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.float16, torch.bfloat16])
def test_other_types_of_features(dtype: torch.dtype) -> None:
    data = graph(10, 20, dtype=dtype)
    for aug in (FeatureMask(mask=0.5), FeatureDropout(drop=0.5)):
        view = aug.view(data, 1)
        assert view.x.dtype == dtype
        assert 0 < int((view.x == 0).sum()) < 200


def test_features_that_torch_negates_on_reading() -> None:
    x = torch.tensor([[1 + 2j, 3 + 4j]]).conj().imag
    assert x.is_neg()
    data = Data(x=x, edge_index=torch.empty(2, 0, dtype=torch.int64))
    assert FeatureMask(mask=0.5, count="round").view(data, 0).x.sum() in (-2, -4)


def test_whole_numbers_where_features_are_whole() -> None:
    assert (FeatureMask(mask=1.0, fill=119).view(graph(3, 2, dtype=torch.int64), 0).x == 119).all()
    for fill, dtype in ((0.5, torch.int64), (-1, torch.uint8), (300, torch.uint8), (2, torch.bool)):
        with pytest.raises(TypeError, match=f"expected floating-point x for fill={fill}.*give a whole number from"):
            FeatureMask(mask=0.5, fill=fill).view(graph(3, 2, dtype=dtype), 0)
    with pytest.raises(TypeError, match=r"floating-point x for rescale=True, got torch.int64.*data.x.float\(\)"):
        FeatureDropout(rescale=True).view(graph(3, 2, dtype=torch.int64), 0)


@pytest.mark.parametrize("aug", [FeatureMask(), FeatureDropout(), FeatureDropout(rescale=True)], ids=repr)
def test_data_without_features_are_refused(aug: FeatureMask | FeatureDropout) -> None:
    with pytest.raises(ValueError, match="expected node features to change, got data without x.*features='constant'"):
        aug.view(Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=3), 0)


def test_arguments() -> None:
    with pytest.raises(ValueError, match="expected count to be 'bernoulli', 'round' or 'floor', got 'ceil'"):
        FeatureMask(count="ceil")
    for wrong in ("mean", None, True):
        with pytest.raises(TypeError, match="expected fill as a number"):
            FeatureMask(fill=wrong)
