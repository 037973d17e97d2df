"""The queue of keys: a ring, kept in the state, and the same on all ranks."""

import copy
import io
from collections import deque

import pytest
import torch

from graphcl.distributed import rank
from graphcl.nn import KeyQueue


def rows(count, start, channels=2):
    return torch.arange(start, start + count)[:, None].expand(-1, channels).float()


@pytest.mark.parametrize("batches", [(2, 2, 2), (3, 1, 4), (5,), (7, 2), (12, 3), (0, 2, 0, 6)])
def test_holds_the_last_keys_whatever_the_batches(batches):
    queue, wanted, start = KeyQueue(2, size=5), deque(maxlen=5), 0
    for count in batches:
        queue.enqueue(rows(count, start), torch.arange(start, start + count))
        wanted.extend(range(start, start + count))
        start += count
    held = queue.names >= 0
    assert sorted(queue.names[held].tolist()) == sorted(wanted)
    assert torch.equal(queue.keys[held], queue.names[held, None].expand(-1, 2).float())
    assert queue.place == start % 5


def test_begins_with_unit_vectors_of_its_seed():
    first, same, other = KeyQueue(8, 64), KeyQueue(8, 64), KeyQueue(8, 64, seed=1)
    assert torch.equal(first.keys, same.keys)
    assert not torch.equal(first.keys, other.keys)
    torch.testing.assert_close(first.keys.norm(dim=1), torch.ones(64))
    assert (first.keys.mean(0).abs() < 0.2).all()
    assert (first.names == -1).all()


def test_keys_without_names():
    queue = KeyQueue(2, size=3)
    queue.enqueue(rows(3, 0), torch.arange(3))
    queue.enqueue(rows(1, 9))
    assert queue.names.tolist() == [-1, 1, 2]


def test_holds_no_graph_and_no_alias():
    queue, keys = KeyQueue(2, size=3), torch.ones(2, 2, requires_grad=True)
    queue.enqueue(2 * keys)
    assert not queue.keys.requires_grad
    same = torch.ones(3, 2)
    queue.enqueue(same)
    same.zero_()
    assert queue.keys.min() == 1


def test_sixteen_bits_are_widened():
    queue = KeyQueue(2, size=3)
    queue.enqueue(torch.ones(1, 2, dtype=torch.bfloat16))
    assert queue.keys.dtype == torch.float32


def test_state_goes_through_a_file():
    queue = KeyQueue(2, size=5)
    queue.enqueue(rows(7, 0), torch.arange(7))
    file = io.BytesIO()
    torch.save(queue.state_dict(), file)
    other = KeyQueue(2, size=5, seed=3)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    copied = copy.deepcopy(queue)
    for each in (queue, other, copied):
        each.enqueue(rows(3, 50))
    torch.testing.assert_close(queue.state_dict(), other.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(queue.state_dict(), copied.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(("channels", "size", "name"), [(0, 4, "channels"), (4, 0, "size")])
def test_an_empty_queue_is_refused(channels, size, name):
    with pytest.raises(ValueError, match=f"expected {name} of at least 1, got 0"):
        KeyQueue(channels, size)
    with pytest.raises(TypeError, match=f"expected {name} as a whole number, got 2.5"):
        KeyQueue(channels or 2.5, size or 2.5)


def test_what_does_not_fit_is_refused():
    queue = KeyQueue(2)
    with pytest.raises(ValueError, match=r"expected keys of shape \[N, 2\], got \[4, 3\]"):
        queue.enqueue(torch.ones(4, 3))
    with pytest.raises(ValueError, match="expected a name for each of 4 keys"):
        queue.enqueue(torch.ones(4, 2), torch.arange(3))
    with pytest.raises(TypeError, match="expected names of whole numbers, got torch.float32"):
        queue.enqueue(torch.ones(2, 2), torch.tensor([1.5, 2.5]))


def enqueue_by_rank(counts):
    queue = KeyQueue(2, size=6)
    for step, each in enumerate(counts):
        start = 100 * step + sum(each[: rank()])
        queue.enqueue(rows(each[rank()], start), torch.arange(start, start + each[rank()]))
    return queue.state_dict()


@pytest.mark.ddp
def test_ranks_share_one_queue(ranks):
    counts = [(2, 2), (3, 0), (1, 7)]
    single = KeyQueue(2, size=6)
    for step, each in enumerate(counts):
        single.enqueue(rows(sum(each), 100 * step), torch.arange(100 * step, 100 * step + sum(each)))
    for state in ranks(enqueue_by_rank, 2, counts):
        torch.testing.assert_close(dict(state), dict(single.state_dict()), rtol=0, atol=0)
