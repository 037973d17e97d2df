"""What is remembered for index tensors: found again, never stale, never in the way of the memory."""

import gc
import threading
import weakref

import pytest
import torch

from graphcl.nn import GAT, GCN, GIN
from graphcl.nn import _cache as cache
from graphcl.nn._cache import remember


@pytest.fixture(autouse=True)
def empty_cache():
    cache._entries.clear()


class Maker:
    """Counts how often it is asked."""

    def __init__(self, tensor):
        self.tensor, self.calls = tensor, 0

    def __call__(self):
        self.calls += 1
        return self.tensor.clone()


def test_the_same_tensor_is_found_again():
    tensor = torch.arange(4)
    make = Maker(tensor)
    assert remember((tensor,), "a", make) is remember((tensor,), "a", make)
    assert make.calls == 1
    remember((tensor,), "b", make)
    remember((tensor.clone(),), "a", make)
    remember((tensor, tensor), "a", make)
    assert make.calls == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.add_(1),
        lambda t: t[:, 1:].fill_(0),
        lambda t: t.detach().zero_(),
        lambda t: t.set_(torch.tensor([[1, 0, 1], [0, 1, 1]])),
        lambda t: setattr(t, "data", torch.tensor([[1, 0, 1], [0, 1, 1]])),
        lambda t: t.t_(),
        lambda t: t.resize_(2, 2),
    ],
)
def test_a_change_is_seen(change):
    tensor = torch.tensor([[0, 1, 2], [1, 2, 0]])
    make = Maker(tensor)
    remember((tensor,), "a", make)
    change(tensor)
    assert torch.equal(remember((tensor,), "a", make), tensor)
    assert make.calls == 2


def test_what_was_made_dies_with_its_tensor():
    tensor = torch.arange(4)
    made = weakref.ref(remember((tensor,), "a", Maker(tensor.clone())))
    assert made() is not None
    del tensor
    gc.collect()
    assert made() is None
    assert len(cache._entries) == 0


def test_what_was_made_of_what_was_made_dies_too():
    tensor = torch.arange(4)
    chain = [remember((tensor,), "first", tensor.clone)]
    made = weakref.ref(remember((chain[0],), "second", chain[0].clone))
    del chain
    assert made() is not None
    tensor.add_(1)
    remember((tensor,), "first", tensor.clone)  # another first, so that the second has nothing to stand on
    gc.collect()
    assert made() is None
    assert len(cache._entries) == 1


def test_a_new_tensor_in_the_place_of_a_dead_one():
    seen = set()
    for i in range(200):  # addresses come back; what belonged to them must not
        tensor = torch.full((3,), i)
        assert remember((tensor,), "a", Maker(tensor)).tolist() == [i] * 3
        seen.add(id(tensor))
    assert len(seen) < 200


def test_few_are_kept_the_oldest_go_first():
    tensors = [torch.full((2,), i) for i in range(cache.SIZE + 3)]
    makers = [Maker(t) for t in tensors]
    for tensor, make in zip(tensors, makers, strict=True):
        remember((tensor,), "a", make)
        remember((tensors[0],), "a", makers[0])
    assert len(cache._entries) == cache.SIZE
    assert makers[0].calls == 1
    remember((tensors[1],), "a", makers[1])
    assert makers[1].calls == 2


def test_inference_tensors_are_not_kept():
    with torch.inference_mode():
        tensor = torch.arange(3)
        make = Maker(tensor)
        remember((tensor,), "a", make)
        remember((tensor,), "a", make)
    assert make.calls == 2


@pytest.mark.parametrize("encoder", [GCN(3, 4, 2), GIN(3, 4, 2, norm="none"), GAT(3, 4, 2)], ids=["GCN", "GIN", "GAT"])
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_training_uses_what_an_evaluation_left(encoder, mode, generator):
    x, edge_index = torch.randn(6, 3, generator=generator), torch.randint(6, (2, 12), generator=generator)
    edge_weight = torch.rand(12, generator=generator).requires_grad_()
    wanted = torch.autograd.grad(encoder(x, edge_index.clone()).square().sum(), list(encoder.parameters()))
    with mode():
        encoder(x, edge_index)
        if isinstance(encoder, GCN):
            encoder(x, edge_index, edge_weight)
    found = torch.autograd.grad(encoder(x, edge_index).square().sum(), list(encoder.parameters()))
    torch.testing.assert_close(found, wanted)
    if isinstance(encoder, GCN):
        encoder(x, edge_index, edge_weight).square().sum().backward()
        assert edge_weight.grad.isfinite().all()


@pytest.mark.parametrize("encoder", [GCN(3, 4, 2), GIN(3, 4, 2)], ids=["GCN", "GIN"])
def test_encoders_sort_once_and_never_answer_for_old_edges(encoder, generator, monkeypatch):
    import graphcl.nn.sparse as sparse

    sorts = []
    plain = sparse.counting_sort
    monkeypatch.setattr(sparse, "counting_sort", lambda *args: sorts.append(1) or plain(*args))
    encoder.eval()
    x, edge_index = torch.randn(6, 3, generator=generator), torch.randint(6, (2, 12), generator=generator)
    first = encoder(x, edge_index)
    assert len(sorts) == 1
    assert torch.equal(encoder(x, edge_index), first)
    assert len(sorts) == 1
    edge_index[0] = (edge_index[0] + 1) % 6
    changed = encoder(x, edge_index)
    assert len(sorts) == 2
    assert torch.equal(changed, encoder(x, edge_index.clone()))
    assert not torch.allclose(changed, first)


def test_a_graph_that_grows(generator):
    # The same edges with another number of nodes.
    encoder, edge_index = GCN(3, 4, 1), torch.tensor([[0, 1], [1, 0]])
    for size in (2, 5, 3):
        x = torch.randn(size, 3, generator=generator)
        assert torch.equal(encoder(x, edge_index), encoder(x, edge_index.clone()))


def test_threads():
    tensors = [torch.full((50,), i) for i in range(2 * cache.SIZE)]
    wrong = []

    def work(start):
        for i in range(400):
            tensor = tensors[(start + 7 * i) % len(tensors)]
            if not torch.equal(remember((tensor,), "a", tensor.clone), tensor):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache._entries) <= cache.SIZE
