"""The neighbour sampler: what a batch holds, the law of the draws, what they depend on; one contract for two makes."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_geometric.typing
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.sampler import BaseSampler, EdgeSamplerInput, NegativeSampling, NodeSamplerInput, SamplerOutput
from torch_geometric.utils import k_hop_subgraph

from graphcl.augment import EdgeDrop
from graphcl.data import NeighbourSampler, neighbour_sampler, power_law_graph

SIZE = 300


@pytest.fixture(scope="module")
def graph() -> Data:
    """A directed multigraph with hubs, isolated nodes, loops and edge attributes."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(SIZE, (3000,), generator=generator)
    target = (torch.rand(3000, generator=generator) ** 3 * (SIZE - 20)).long()
    edge_index = torch.stack([source, target])
    return Data(
        x=torch.arange(SIZE).float()[:, None], edge_index=edge_index, edge_attr=torch.arange(3000), y=torch.arange(SIZE)
    )


def sample(sampler: BaseSampler, seeds: list[int]) -> SamplerOutput:
    return sampler.sample_from_nodes(NodeSamplerInput(torch.arange(len(seeds)), torch.tensor(seeds)))


MAKES: list[tuple[str, Callable[..., BaseSampler]]] = [
    (impl, lambda *a, impl=impl, **k: neighbour_sampler(*a, impl=impl, **k)) for impl in ("torch", "pyg-lib")
]


@pytest.fixture(params=[make for _, make in MAKES], ids=[name for name, _ in MAKES])
def make(request: pytest.FixtureRequest) -> Callable[..., BaseSampler]:
    if "pyg-lib" in request.node.name and not torch_geometric.typing.WITH_PYG_LIB:
        pytest.skip("pyg-lib is not installed")
    return request.param


# --- the contract of both makes ---------------------------------------------------------------------------------------


def test_a_batch_holds_real_edges_and_what_belongs_to_them(make: Callable[..., BaseSampler], graph: Data) -> None:
    loader = NodeLoader(graph, make(graph, [4, 3]), input_nodes=torch.arange(0, SIZE, 2), batch_size=40)
    for number, batch in enumerate(loader):
        assert torch.equal(batch.n_id[: batch.batch_size], torch.arange(0, SIZE, 2)[40 * number : 40 * number + 40])
        assert torch.equal(batch.input_id, torch.arange(40 * number, min(40 * number + 40, SIZE // 2)))
        assert batch.n_id.unique().numel() == batch.n_id.numel()
        assert torch.equal(batch.n_id[batch.edge_index], graph.edge_index[:, batch.e_id])
        assert torch.equal(batch.edge_attr, batch.e_id)  # the edge attribute is the edge's number
        assert torch.equal(batch.y, batch.n_id)
        assert batch.e_id.unique().numel() == batch.e_id.numel()


def test_fan_outs_are_met_exactly(make: Callable[..., BaseSampler], graph: Data) -> None:
    entering = torch.bincount(graph.edge_index[1], minlength=SIZE)
    out = sample(make(graph, [4, 3]), list(range(0, SIZE, 7)))
    assert out.num_sampled_nodes is not None and out.num_sampled_edges is not None
    assert [sum(out.num_sampled_nodes), sum(out.num_sampled_edges)] == [out.node.numel(), out.row.numel()]
    got = torch.bincount(out.col, minlength=out.node.numel())
    seeds, first, second = out.num_sampled_nodes
    assert torch.equal(got[:seeds], entering[out.node[:seeds]].clamp(max=4))
    assert torch.equal(got[seeds : seeds + first], entering[out.node[seeds : seeds + first]].clamp(max=3))
    assert second > 0 and not got[seeds + first :].any()
    # A node is in the sample because an edge leads from it to the hop before.
    assert set(out.row.tolist()) | set(range(seeds)) == set(range(out.node.numel()))


def test_all_neighbours(make: Callable[..., BaseSampler], graph: Data) -> None:
    out = sample(make(graph, [-1, -1]), [3, 250])
    assert out.edge is not None
    nodes, _, _, mask = k_hop_subgraph([3, 250], 2, graph.edge_index, num_nodes=SIZE)
    assert torch.equal(out.node.sort().values, nodes)
    sampler = make(graph, [-1, -1])
    edges = set(sampler.edge_permutation[out.edge].tolist())
    # k_hop_subgraph also has the edges that enter the last hop's nodes.
    assert edges <= set(mask.nonzero().squeeze(1).tolist())
    inner = out.node[: sum(out.num_sampled_nodes[:2])]
    assert edges == set(torch.isin(graph.edge_index[1], inner).nonzero().squeeze(1).tolist())


def test_isolated_seeds_and_graphs_without_edges(make: Callable[..., BaseSampler], graph: Data) -> None:
    out = sample(make(graph, [4, 3]), [SIZE - 1, SIZE - 2])
    assert (out.node.tolist(), out.row.numel(), out.num_sampled_nodes) == ([SIZE - 1, SIZE - 2], 0, [2, 0, 0])
    bare = Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=3)
    assert sample(make(bare, [2]), [1]).node.tolist() == [1]


def test_every_edge_is_equally_likely(make: Callable[..., BaseSampler]) -> None:
    star = Data(edge_index=torch.stack([torch.arange(1, 13), torch.zeros(12, dtype=torch.int64)]), num_nodes=13)
    sampler = make(star, [5])
    counts = torch.zeros(13)
    pairs = torch.zeros(13, 13)
    rounds = 3000
    for _ in range(rounds):
        node = sample(sampler, [0]).node[1:]
        counts[node] += 1
        pairs[node[:, None], node] += 1
    expected = rounds * 5 / 12
    # Chi-square of the marginals of draws without replacement: n (d - 1) / (n - k) of it has d - 1 degrees of freedom.
    statistic = ((counts[1:] - expected) ** 2 / expected).sum().item() * 11 / 7
    assert statistic < 11 + 4 * 22**0.5
    both = pairs[1:, 1:][torch.triu_indices(12, 12, 1).unbind()]
    assert abs(both.mean().item() - rounds * 5 * 4 / (12 * 11)) < 1e-3
    assert both.std().item() < 1.35 * (rounds * 0.1515 * 0.8485) ** 0.5


# --- ours only --------------------------------------------------------------------------------------------------------


def test_a_seed_given_twice_is_there_twice_with_the_same_edges(graph: Data) -> None:
    out = sample(NeighbourSampler(graph, [4, 3], seed=0), [2, 9, 2])
    assert out.node[:3].tolist() == [2, 9, 2]
    assert out.node[3:].unique().numel() == out.node[3:].numel() and not {2, 9} & set(out.node[3:].tolist())
    first, again = (out.node[out.row[out.col == place]] for place in (0, 2))
    assert first.numel() == 4 and torch.equal(first, again)


def test_targets_ascend(graph: Data) -> None:
    out = sample(NeighbourSampler(graph, [4, 3, -1], seed=0), [5, 1, 200, 9])
    assert bool((out.col.diff() >= 0).all())


def equal(a: SamplerOutput, b: SamplerOutput) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("node", "row", "col", "edge"))


def test_a_batch_is_a_function_of_seed_epoch_and_its_nodes(graph: Data) -> None:
    sampler = NeighbourSampler(graph, [4, 3], seed=5)
    first = sample(sampler, [1, 2, 3])
    other = sample(sampler, [7, 2, 3])
    assert equal(first, sample(sampler, [1, 2, 3]))
    assert equal(first, sample(NeighbourSampler(graph, [4, 3], seed=5), [1, 2, 3]))
    assert not equal(first, sample(NeighbourSampler(graph, [4, 3], seed=6), [1, 2, 3]))
    sampler.set_epoch(1)
    assert not equal(first, sample(sampler, [1, 2, 3]))
    sampler.set_epoch(0)
    assert equal(first, sample(sampler, [1, 2, 3]))
    # Node 2 is drawn for anew beside another seed: batches of an epoch are independent.
    assert set(first.node[first.row[first.col == 1]].tolist()) != set(other.node[other.row[other.col == 1]].tolist())
    # The order of the seeds moves the nodes, but not the choice.
    turned = sample(sampler, [3, 1, 2])
    assert set(turned.edge.tolist()) == set(first.edge.tolist())


def test_without_a_seed_torch_is_asked(graph: Data) -> None:
    sampler = NeighbourSampler(graph, [4])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first, second = sample(sampler, [1, 2]), sample(sampler, [1, 2])
        torch.manual_seed(1)
        again = sample(sampler, [1, 2])
    assert equal(first, again) and not equal(first, second)


def test_with_a_seed_torch_is_not_asked(graph: Data) -> None:
    state = torch.get_rng_state()
    sample(NeighbourSampler(graph, [4], seed=0), [1, 2])
    assert torch.equal(state, torch.get_rng_state())


def batches(graph: Data, epochs: int, **options: Any) -> list[list[Tensor]]:
    sampler = NeighbourSampler(graph, [4, 3], seed=0)
    loader = NodeLoader(graph, sampler, input_nodes=torch.arange(120), batch_size=25, **options)
    found = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        found += [[batch.n_id, batch.edge_index, batch.e_id, batch.x] for batch in loader]
    return found


def test_workers_change_nothing(graph: Data) -> None:
    alone = batches(graph, 2)
    assert len(alone) == 10 and not torch.equal(alone[0][0], alone[5][0])
    for options in ({"num_workers": 2}, {"num_workers": 1, "persistent_workers": True}):
        for one, other in zip(alone, batches(graph, 2, **options), strict=True):
            assert all(map(torch.equal, one, other))


def test_after_an_interruption_the_next_batch_is_right(graph: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = NeighbourSampler(graph, [4, 3], seed=0)
    right = sample(sampler, [1, 2, 3])
    with monkeypatch.context() as patch:
        patch.setattr("graphcl.data.neighbours.k_of_each", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sample(sampler, [10, 11])
    assert equal(right, sample(sampler, [1, 2, 3]))


def test_sampling_leaves_the_graph_alone(graph: Data) -> None:
    before = {name: value.clone() for name, value in graph.to_dict().items()}
    sample(NeighbourSampler(graph, [4, 3], seed=0), [1, 2, 3])
    assert all(torch.equal(before[name], value) for name, value in graph.to_dict().items())


# --- links ------------------------------------------------------------------------------------------------------------


def links(graph: Data, **options: Any) -> list[Data]:
    sampler = NeighbourSampler(graph, [4, 3], seed=0)
    return list(LinkLoader(graph, sampler, edge_label_index=graph.edge_index[:, :50], batch_size=20, **options))


def test_links_are_found_in_their_batch(graph: Data) -> None:
    found = links(graph)
    assert [batch.edge_label_index.size(1) for batch in found] == [20, 20, 10]
    for number, batch in enumerate(found):
        expected = graph.edge_index[:, 20 * number : 20 * number + batch.edge_label_index.size(1)]
        assert torch.equal(batch.n_id[batch.edge_label_index], expected)
        assert torch.equal(batch.n_id[batch.edge_index], graph.edge_index[:, batch.e_id])


@pytest.mark.parametrize("workers", [0, 2])
def test_negative_links(graph: Data, workers: int) -> None:
    for batch in links(graph, neg_sampling=NegativeSampling("binary", 1.5), num_workers=workers):
        count = batch.input_id.numel()
        assert batch.edge_label.tolist() == [1.0] * count + [0.0] * -(-3 * count // 2)
        assert torch.equal(batch.n_id[batch.edge_label_index[:, :count]], graph.edge_index[:, batch.input_id])
        assert batch.edge_label_index.size(1) == batch.edge_label.numel()


def test_negative_targets(graph: Data) -> None:
    for batch in links(graph, neg_sampling=NegativeSampling("triplet", 2)):
        count = batch.input_id.numel()
        assert torch.equal(batch.n_id[batch.src_index], graph.edge_index[0, batch.input_id])
        assert torch.equal(batch.n_id[batch.dst_pos_index], graph.edge_index[1, batch.input_id])
        assert batch.dst_neg_index.shape == (count, 2)


def test_negative_ends_follow_their_weights(graph: Data) -> None:
    weight = torch.zeros(SIZE)
    weight[[7, 11]] = torch.tensor([1.0, 3.0])
    edges = EdgeSamplerInput(torch.arange(3000), graph.edge_index[0], graph.edge_index[1])
    how = NegativeSampling("triplet", 1, dst_weight=weight)
    out = NeighbourSampler(graph, [1], seed=0).sample_from_edges(edges, how)
    drawn = torch.bincount(out.node[out.metadata[3]], minlength=SIZE)
    assert drawn.sum() == drawn[7] + drawn[11] == 3000
    assert abs(drawn[11].item() - 2250) < 4 * (3000 * 0.75 * 0.25) ** 0.5


def test_negatives_reach_every_node_evenly(graph: Data) -> None:
    edges = EdgeSamplerInput(torch.arange(3000), graph.edge_index[0], graph.edge_index[1])
    out = NeighbourSampler(graph, [1], seed=0).sample_from_edges(edges, NegativeSampling("triplet", 10))
    drawn = torch.bincount(out.node[out.metadata[3]].flatten(), minlength=SIZE)
    assert ((drawn - 100) ** 2 / 100).sum().item() < 299 + 4 * (2 * 299) ** 0.5


# --- speed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [10**6, sys.maxsize, 10**30])
def test_a_number_above_all_degrees_takes_all_and_chooses_nothing(
    graph: Data, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = sample(NeighbourSampler(graph, [-1, -1], seed=0), [1, 2, 3])
    monkeypatch.setattr("graphcl.data.neighbours.k_of_each", lambda *_: 1 / 0)
    assert equal(sample(NeighbourSampler(graph, [k, k], seed=0), [1, 2, 3]), everything)


def test_a_hub_costs_no_more_than_its_fan_out() -> None:
    hub = Data(
        edge_index=torch.stack([torch.arange(200_000), torch.zeros(200_000, dtype=torch.int64)]), num_nodes=200_000
    )
    sampler = NeighbourSampler(hub, [3], seed=0)
    looked_at = []
    taken = torch.Tensor.index_select

    def watch(value: Tensor, dim: int, index: Tensor) -> Tensor:
        looked_at.append(index.numel())
        return taken(value, dim, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "index_select", watch)
        assert sample(sampler, [0]).row.numel() == 3
    assert max(looked_at) <= 3


@pytest.mark.gpu
def test_a_gpu_gives_the_same_batches() -> None:
    graph = power_law_graph(2000, 20_000, num_features=4, num_classes=4)
    host = NeighbourSampler(graph, [15, 10], seed=0)
    device = NeighbourSampler(graph.clone().to("cuda"), [15, 10], seed=0)
    seeds = torch.randperm(2000, generator=torch.Generator().manual_seed(0))[:256].tolist() * 2
    one, other = sample(host, seeds), sample(device, seeds)
    assert other.node.is_cuda
    assert equal(one, SamplerOutput(*(getattr(other, name).cpu() for name in ("node", "row", "col", "edge"))))
    on_device = graph.clone().to("cuda")
    loader = NodeLoader(on_device, NeighbourSampler(on_device, [5, 5], seed=0), batch_size=100)
    batch = next(iter(loader))
    assert batch.x.is_cuda and torch.equal(batch.n_id[batch.edge_index], on_device.edge_index[:, batch.e_id])
    pairs = LinkLoader(
        on_device,
        NeighbourSampler(on_device, [5], seed=0),
        edge_label_index=on_device.edge_index[:, :9].cpu(),
        batch_size=9,
    )
    batch = next(iter(pairs))
    assert torch.equal(batch.n_id[batch.edge_label_index], on_device.edge_index[:, :9])


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fan_out", "error", "words"),
    [
        ([15, 0], ValueError, "got 0 at hop 2; to sample fewer hops, give a shorter list"),
        ([-2], ValueError, "at least 1, or -1 for all neighbours, got -2"),
        ([], ValueError, "one number of neighbours for each hop"),
        (15, ValueError, "one number of neighbours for each hop"),
        ([2.5], TypeError, "expected an integer fan-out at hop 1, got 2.5"),
        ([True], TypeError, "expected an integer fan-out"),
    ],
)
def test_refuses_fan_outs(graph: Data, fan_out: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        NeighbourSampler(graph, fan_out)


def test_refuses_seeds(graph: Data) -> None:
    sampler = NeighbourSampler(graph, [4])
    with pytest.raises(ValueError, match="expected at least one node in seed nodes, got none"):
        sampler.sample_from_nodes(NodeSamplerInput(None, torch.empty(0, dtype=torch.int64)))
    for wrong in (-1, SIZE):
        with pytest.raises(ValueError, match=f"expected seed nodes from 0 to {SIZE - 1}, got {wrong}"):
            sample(sampler, [0, wrong])
        with pytest.raises(ValueError, match="targets of seed links"):
            sampler.sample_from_edges(EdgeSamplerInput(None, torch.tensor([0]), torch.tensor([wrong])))
    with pytest.raises(ValueError, match="dtype int64"):
        sampler.sample_from_nodes(NodeSamplerInput(None, torch.tensor([1.0])))
    with pytest.raises(ValueError, match="does not restrict edges by time"):
        sampler.sample_from_nodes(NodeSamplerInput(None, torch.tensor([1]), time=torch.tensor([1])))
    with pytest.raises(ValueError, match="one type, got type 'paper'"):
        sampler.sample_from_nodes(NodeSamplerInput(None, torch.tensor([1]), input_type="paper"))
    with pytest.raises(ValueError, match=f"a weight for each of {SIZE} nodes, got 3"):
        sampler.sample_from_edges(
            EdgeSamplerInput(None, torch.tensor([0]), torch.tensor([1])),
            NegativeSampling("triplet", 1, None, torch.ones(3)),
        )
    for weight in (torch.zeros(SIZE), -torch.ones(SIZE), torch.full((SIZE,), float("nan"))):
        with pytest.raises(ValueError, match="expected weights of negative ends from 0 on, one of them above"):
            sampler.sample_from_edges(
                EdgeSamplerInput(None, torch.tensor([0]), torch.tensor([1])),
                NegativeSampling("binary", 1, dst_weight=weight),
            )


def test_refuses_graphs() -> None:
    edges = torch.tensor([[0, 1], [1, 2]])
    with pytest.raises(TypeError, match="expected a torch_geometric Data, got HeteroData"):
        NeighbourSampler(HeteroData(), [1])
    with pytest.raises(ValueError, match="expected data with an edge_index, got none"):
        NeighbourSampler(Data(x=torch.ones(3, 1)), [1])
    with pytest.raises(ValueError, match="from 0 to 1 in edge_index, got 2"):
        NeighbourSampler(Data(edge_index=edges, num_nodes=2), [1])
    with pytest.raises(ValueError, match="dtype int64, got shape"):
        NeighbourSampler(Data(edge_index=edges.int(), num_nodes=3), [1])
    with pytest.raises(ValueError, match="got x on meta; move the data as a whole"):
        NeighbourSampler(Data(x=torch.ones(3, 1, device="meta"), edge_index=edges), [1])
    with pytest.raises(TypeError, match="expected seed as a whole number, got '1'"):
        NeighbourSampler(Data(edge_index=edges, num_nodes=3), [1], seed="1")


def test_the_factory_says_what_it_cannot(graph: Data) -> None:
    assert isinstance(neighbour_sampler(graph, [1], seed=0), NeighbourSampler)
    assert isinstance(neighbour_sampler(graph, [1], impl="torch"), NeighbourSampler)
    with pytest.raises(ValueError, match="expected impl to be 'auto', 'torch' or 'pyg-lib', got 'c'"):
        neighbour_sampler(graph, [1], impl="c")
    if not torch_geometric.typing.WITH_PYG_LIB:
        assert isinstance(neighbour_sampler(graph, [1]), NeighbourSampler)
        with pytest.raises(ImportError, match="pyg-lib is not installed"):
            neighbour_sampler(graph, [1], impl="pyg-lib")


def test_the_factory_takes_pyg_lib_where_it_fits(graph: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub(NeighbourSampler):
        pass

    monkeypatch.setattr("torch_geometric.typing.WITH_PYG_LIB", True)
    monkeypatch.setattr("torch_geometric.sampler.NeighborSampler", Stub)
    made = neighbour_sampler(graph, [3, -1])
    assert type(made) is Stub and made.fan_out == (3, -1)
    assert not isinstance(neighbour_sampler(graph, [3], impl="torch"), Stub)
    assert isinstance(neighbour_sampler(graph, [3], seed=1), NeighbourSampler)
    with pytest.raises(ValueError, match="expected no seed and a graph on the CPU"):
        neighbour_sampler(graph, [3], seed=1, impl="pyg-lib")


def test_a_loader_over_a_batch_is_told_to_take_one_graph() -> None:
    """PyG leaves the books of the batch as they were."""
    path = Data(x=torch.ones(3, 2), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    batch = Batch.from_data_list([path] * 3)
    cut = next(iter(NodeLoader(batch, NeighbourSampler(batch, [2], seed=0), batch_size=4)))
    with pytest.raises(ValueError, match="cut out of a batch of 3 graphs; give the loader and its sampler one graph"):
        EdgeDrop(drop=0.5)(cut)
    whole = Data.from_dict(batch.to_dict())
    del whole.batch, whole.ptr
    cut = next(iter(NodeLoader(whole, NeighbourSampler(whole, [2], seed=0), batch_size=4)))
    assert EdgeDrop(drop=0.0)(cut).num_edges == cut.num_edges
