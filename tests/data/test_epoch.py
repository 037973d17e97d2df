"""The epoch of what draws batches, and of its copies."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from graphcl.data import ClusterBatches, NeighbourSampler, RandomWalkBatches, power_law_graph
from graphcl.data._epoch import Epoch


def shared(epoch: Epoch) -> bool:
    return epoch._number.is_shared()


def through_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle])
def test_a_copy_has_a_shared_number_of_its_own(copied: Callable[[Any], Any]) -> None:
    epoch = Epoch()
    epoch.set(3)
    other = copied(epoch)
    other.set(4)
    assert (int(epoch), int(other)) == (3, 4) and shared(epoch) and shared(other)


@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle])
def test_copies_of_what_draws_batches_share_theirs(copied: Callable[[Any], Any]) -> None:
    graph = power_law_graph(60, 200, num_features=2)
    part = torch.arange(60) % 6
    for draws in (NeighbourSampler(graph, [2]), RandomWalkBatches(graph), ClusterBatches(graph, part, clusters=2)):
        assert shared(copied(draws)._epoch)


def test_a_worker_of_a_copy_that_stays_is_told_the_epoch() -> None:
    graph = power_law_graph(60, 200, num_features=2)
    batches = copy.deepcopy(ClusterBatches(graph, torch.arange(60) % 6, clusters=2))
    loader = DataLoader(batches, batch_size=None, num_workers=1, persistent_workers=True)
    first = [batch.n_id for batch in loader]
    batches.set_epoch(1)
    second = [batch.n_id for batch in loader]
    assert not all(map(torch.equal, first, second))
    assert all(map(torch.equal, second, (batch.n_id for batch in batches)))
