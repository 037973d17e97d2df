"""GraphMoCo against a loop over the queue, and what happens after a step."""

import copy
import math

import torch

from graphcl._random import fold
from graphcl.augment import Identity
from graphcl.losses import HardMixing
from graphcl.methods import GraphMoCo
from graphcl.nn import GIN, GraphEncoder, MLPHead


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GraphMoCo(GraphEncoder(GIN(4, 8, 2)), queue_size=20, **arguments)


def parts(method, batch):
    """Query and key of the next step, by hand."""
    key = fold(method.seed, int(method.step))
    first, second = (view.view(batch, fold(key, i)) for i, view in enumerate(method.views))
    slow_encoder, slow_head = method.target.module
    query = method.head(method.encoder.encode(first).graph)
    with torch.no_grad():
        return query, slow_head(slow_encoder.encode(second).graph)


def literal(query, key, queue, temperature=0.2):
    total = 0.0
    for q, k in zip(query, key, strict=True):
        positive = torch.cosine_similarity(q, k, dim=0) / temperature
        others = torch.stack([torch.cosine_similarity(q, m, dim=0) / temperature for m in queue])
        total = total - positive + torch.logsumexp(torch.cat([positive[None], others]), 0)
    return total / len(query)


def test_loss_equals_a_loop(batch, take_step):
    method = make(seed=3)
    for _ in range(3):
        take_step(method, batch)
    wanted = literal(*parts(copy.deepcopy(method), batch), method.queue.keys)
    torch.testing.assert_close(method(batch), wanted)


def test_the_queue_holds_the_last_keys_and_the_target_follows(batch, take_step):
    method = make(momentum=0.9)
    keys = []
    for _ in range(4):
        keys.append(parts(copy.deepcopy(method), batch)[1])
        slow = method.target.module[0].gnn.lower[0].weight.clone()
        take_step(method, batch)
        wanted = 0.9 * slow + 0.1 * method.encoder.gnn.lower[0].weight.detach()
        torch.testing.assert_close(method.target.module[0].gnn.lower[0].weight.data, wanted)
    held = {tuple(row) for row in method.queue.keys.tolist()}
    assert held == {tuple(row) for row in torch.cat(keys)[-20:].tolist()}


def test_own_earlier_keys_are_no_negatives(batch, take_step):
    batch.graph_id = torch.arange(8)
    method = make(views=(Identity(), Identity()))
    take_step(method, batch)
    assert sorted(set(method.queue.names.tolist())) == [-1, *range(8)]
    query, key = parts(copy.deepcopy(method), batch)
    losses = [literal(query[i : i + 1], key[i : i + 1], method.queue.keys[method.queue.names != i]) for i in range(8)]
    torch.testing.assert_close(method(batch), torch.stack(losses).mean())


def test_evaluation_and_a_step_that_was_not_taken_leave_no_trace(batch):
    method = make()
    before = copy.deepcopy(method.state_dict())
    method.eval()(batch)
    method.after_step()
    torch.testing.assert_close(method.state_dict(), before, rtol=0, atol=0)


def test_one_key_is_enqueued_once(batch, take_step):
    method = make()
    take_step(method, batch)
    before = copy.deepcopy(method.state_dict())
    method.after_step()
    torch.testing.assert_close(method.state_dict(), before, rtol=0, atol=0)


def test_a_head_of_another_width(batch):
    method = GraphMoCo(GraphEncoder(GIN(4, 8, 2)), head=MLPHead(16, 8, 3))
    assert method.queue.keys.shape == (1024, 3)
    assert method(batch).isfinite()


def test_the_keys_of_all_batches_of_an_update_go_into_the_queue(batch, take_step):
    method = make()
    batch.graph_id = torch.arange(8)
    for start in (0, 100):
        batch.graph_id = torch.arange(8) + start
        method(batch)
    before = int(method.target.step)
    method.after_step()
    assert int(method.target.step) == before + 1  # one update
    assert method.queue.names.tolist() == [*range(8), *range(100, 108), *[-1] * 4]
    method.after_step()
    assert int(method.target.step) == before + 1


def test_keys_that_nobody_takes_in_are_no_more_than_the_queue_holds(batch):
    method = make()
    for _ in range(10):
        method(batch)
    assert [len(keys) for keys, _, _ in method._waiting] == [8, 8, 8]
    method.after_step()
    assert int(method.queue.place) == 24 % 20


def test_a_loss_with_mixed_negatives(batch, take_step):
    method = make(loss=HardMixing(mixed=4, query_mixed=2))
    batch.graph_id = torch.arange(8)
    for _ in range(4):
        assert math.isfinite(take_step(method, batch))
