"""Batches of all ranks as parts of one: in one process nothing changes, in two the rows of both are there."""

import pytest
import torch

from graphcl.distributed import (
    is_one_batch,
    is_part,
    joined_groups,
    joined_rows,
    mean_over_ranks,
    one_batch,
    own_rows,
    rank,
    rows_before,
    sum_over_ranks,
)


def test_in_one_process_nothing_changes():
    z, groups = torch.randn(3, 2, requires_grad=True), torch.tensor([0, 1, 1])
    with one_batch(), own_rows():
        assert not is_one_batch() and not is_part()
        assert joined_rows(z) is z and sum_over_ranks(z) is z
        assert joined_groups(groups, 2) == (groups, 2)
        assert rows_before(3) == 0
        assert mean_over_ranks(torch.tensor(2.0), torch.tensor(0)) == 2.0


def as_one_of_two(_):
    me, found = rank(), {}
    z = torch.full((2 + me, 1), me + 1.0, requires_grad=True)
    found["before"] = [is_one_batch()]
    with one_batch():
        found["before"].append(is_one_batch())
        found["part"] = [is_part()]
        with own_rows():
            found["part"].append(is_part())
        found["rows"] = joined_rows(z).detach()
        found["groups"] = joined_groups(torch.tensor([0] * (1 + me)), 1 + me)
        found["rows before"] = rows_before(3 + me)
        found["mean"] = mean_over_ranks(torch.tensor(10.0 * me), torch.tensor(1 + 2 * me))
        found["mean of none"] = mean_over_ranks(torch.tensor(1.0), torch.tensor(0))
        total = sum_over_ranks(z.sum())
        (total * (me + 1)).backward()
    found["sum"], found["grad"] = total.detach(), z.grad
    with pytest.raises(KeyError), one_batch():
        raise KeyError
    found["after"] = [is_one_batch(), is_part()]
    found["apart"] = joined_rows(z).detach()
    return found


def test_two_processes(ranks):
    for r, found in enumerate(ranks(as_one_of_two, 2, None)):
        assert found["before"] == [False, True]
        assert found["part"] == [False, True]
        assert found["rows"].flatten().tolist() == [1, 1, 2, 2, 2]
        assert found["groups"][0].tolist() == [0, 1, 1] and found["groups"][1] == 3
        assert found["rows before"] == 3 * r
        assert found["mean"].item() == 7.5
        assert found["mean of none"].item() == 0
        assert found["sum"].item() == 8.0
        assert found["grad"].unique().tolist() == [3.0]  # the sum of what both ranks ask
        assert found["after"] == [False, False]
        assert found["apart"].size(0) == 2 + r
