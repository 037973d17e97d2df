"""Shuffled rows: every permutation alike, within each graph; and across the batch, which is a case of its own."""

import copy
from collections import Counter
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import FeatureShuffle, RandomChoice

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]


def numbered(n: int, first: int = 0) -> Data:
    rows = torch.arange(first, first + n)
    return Data(x=rows[:, None].repeat(1, 2), edge_index=torch.empty(2, 0, dtype=torch.int64), node_label=rows)


def ring(n: int) -> list[tuple[int, int]]:
    return [(i, (i + 1) % n) for i in range(n)]


def test_every_permutation_is_equally_likely() -> None:
    view = FeatureShuffle().view(Batch.from_data_list([numbered(4)] * 6000), 0)
    found = Counter(tuple(row) for row in view.x[:, 0].view(6000, 4).tolist())
    assert set(found) == set(permutations(range(4)))
    assert stats.chisquare(list(found.values())).pvalue > 1e-3


def test_each_place_gets_each_row_alike_in_a_larger_graph() -> None:
    view = FeatureShuffle().view(Batch.from_data_list([numbered(9)] * 4000), 1)
    rows = view.x[:, 0].view(4000, 9)
    for place in range(9):
        assert stats.chisquare(rows[:, place].bincount(minlength=9).numpy()).pvalue > 1e-4


def test_rows_stay_whole_and_in_their_graph() -> None:
    members = [numbered(n, 100 * i) for i, n in enumerate((5, 1, 0, 8, 2))]
    view = FeatureShuffle().view(Batch.from_data_list(members), 3)
    for part, data in zip(view.to_data_list(), members, strict=True):
        assert torch.equal(part.x[:, 0], part.x[:, 1])
        assert sorted(part.x[:, 0].tolist()) == data.node_label.tolist()
        assert torch.equal(part.node_label, data.node_label)


def test_the_permutation_does_not_depend_on_the_number_of_graphs() -> None:
    # Above 65,536 graphs the sort key has another layout.
    few = FeatureShuffle().view(Batch.from_data_list([numbered(4)] * 100), 0)
    nodes = torch.arange(70_000).repeat_interleave(4)
    many = Data(x=numbered(4).x.repeat(70_000, 1), edge_index=torch.empty(2, 0, dtype=torch.int64), batch=nodes)
    assert torch.equal(FeatureShuffle().view(many, 0).x[:400], few.x)


def test_nan_moves_with_its_row() -> None:
    data = numbered(50)
    data.x = data.x.double()
    data.x[3] = float("nan")
    for across in (False, True):
        view = FeatureShuffle(across=across).view(data, 1)
        assert view.x.isnan().sum() == 2
        assert torch.equal(view.x.nan_to_num(3).sort(0).values, numbered(50).x.double())


def test_gradients_follow_the_rows() -> None:
    data = numbered(6)
    data.x = data.x.double().requires_grad_()
    (FeatureShuffle().view(data, 2).x[:, 0] * torch.arange(6.0)).sum().backward()
    assert sorted(data.x.grad[:, 0].tolist()) == list(range(6))


def test_data_without_features_are_refused() -> None:
    for across in (False, True):
        with pytest.raises(ValueError, match="expected node features to change, got data without x"):
            FeatureShuffle(across=across).view(Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=3), 0)


# --- across the batch -------------------------------------------------------------------------------------------------


def test_across_the_batch_every_permutation_is_equally_likely() -> None:
    batch = Batch.from_data_list([numbered(1, 0), numbered(2, 1), numbered(1, 3)])
    found = Counter(tuple(FeatureShuffle(across=True).view(batch, key).x[:, 0].tolist()) for key in range(2400))
    assert set(found) == set(permutations(range(4)))
    assert stats.chisquare(list(found.values())).pvalue > 1e-3


def test_across_the_batch_equal_graphs_are_no_special_case() -> None:
    data = numbered(2)
    data.graph_id = torch.tensor([5])
    view = FeatureShuffle(across=True).view(Batch.from_data_list([data] * 2000), 0)
    assert stats.binomtest(int((view.x[:, 0].view(-1, 2)[:, 0] == 0).sum()), 2000, 0.5).pvalue > 1e-3


def test_across_the_batch_everything_else_stays(make: Make, differences: Compare) -> None:
    batch = Batch.from_data_list([make(n, ring(n), seed=n, graph_id=n) for n in (5, 9, 7, 0, 1)])
    before = copy.deepcopy(batch)
    aug = FeatureShuffle(across=True)
    view = aug.view(batch, 1)
    assert differences(batch, before) == []
    assert not torch.equal(view.x, batch.x)
    assert torch.equal(view.x.sort(0).values, batch.x.sort(0).values)
    assert any(not set(map(tuple, a.x.tolist())) <= set(map(tuple, b.x.tolist())) for a, b in zip(view[:3], batch[:3]))
    assert len(view.to_data_list()) == 5
    view.x = batch.x
    assert differences(view, batch) == []
    assert differences(aug.view(batch, 1), aug.view(batch, torch.tensor(1))) == []
    assert not torch.equal(aug.view(batch, 1).x, aug.view(batch, 2).x)


def test_across_the_graphs_that_drew_it() -> None:
    batch = Batch.from_data_list([numbered(3, 3 * i) for i in range(40)])
    view = RandomChoice([FeatureShuffle(across=True), FeatureShuffle()]).view(batch, 0)
    assert sorted(view.x[:, 0].tolist()) == list(range(120))
    mixed = [set(part.x[:, 0].tolist()) != set(part.node_label.tolist()) for part in view.to_data_list()]
    assert 0 < sum(mixed) < 40
