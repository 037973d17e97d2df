"""Partitions and cluster batches: sizes, edges kept, each cluster once an epoch, and what is refused."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.utils import grid, subgraph

from graphcl.data import ClusterBatches, partition, power_law_graph


@pytest.fixture(scope="module")
def mesh() -> Data:
    """A grid of 20 x 30 nodes in a shuffled order; the grid of PyG has diagonals and loops."""
    (edge_index, _), order = grid(20, 30), torch.randperm(600, generator=torch.Generator().manual_seed(0))
    return Data(edge_index=order[edge_index], num_nodes=600, y=torch.arange(600))


def kept(data: Data, part: Tensor) -> float:
    source, target = data.edge_index
    return (part[source] == part[target]).double().mean().item()


@pytest.mark.parametrize("method", ["bandwidth", "random", "metis"])
@pytest.mark.parametrize("num_parts", [1, 7, 600])
def test_every_node_has_a_part(mesh: Data, method: str, num_parts: int) -> None:
    if method == "metis":
        pytest.importorskip("pymetis", reason="pymetis is not installed")
    part = partition(mesh, num_parts, method=method)
    sizes = torch.bincount(part, minlength=num_parts)
    assert part.dtype == torch.int64 and sizes.sum() == 600 and sizes.numel() == num_parts
    if method != "metis":
        assert sizes.max() - sizes.min() <= 1
    elif num_parts == 7:
        assert sizes.max() <= 1.1 * 600 / 7


def test_neighbours_stay_together(mesh: Data) -> None:
    assert kept(mesh, partition(mesh, 6, method="random")) < 0.3  # a tenth of its edges are loops
    assert kept(mesh, partition(mesh, 6, method="bandwidth")) > 0.75


def test_metis_cuts_fewer_edges(mesh: Data) -> None:
    pytest.importorskip("pymetis", reason="pymetis is not installed")
    assert kept(mesh, partition(mesh, 6)) > 0.85
    graph = power_law_graph(2000, 10_000, num_features=1, num_classes=4, mixing=0.1)
    assert kept(graph, partition(graph, 4)) > kept(graph, partition(graph, 4, method="bandwidth"))


@pytest.mark.parametrize("packed", [False, True], ids=["before 2025.2", "since"])
def test_metis_gets_the_graph_without_loops_and_repeats(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    """A stand-in for pymetis, so that what it is given is tested where it is not installed."""
    given: dict[str, Any] = {}

    def part_graph(num_parts: int, adjacency: Any = None, xadj: Any = None, adjncy: Any = None, *, options: Any) -> Any:
        xadj, adjncy = (xadj, adjncy) if adjacency is None else adjacency
        given.update(num_parts=num_parts, xadj=xadj.tolist(), adjncy=adjncy.tolist(), options=options)
        return 1, [1, 0, 0, 1]

    stub: Any = ModuleType("pymetis")
    stub.part_graph, stub.Options = part_graph, dict
    if packed:
        stub.CSRAdjacency = lambda begins, ends: (begins, ends)
    monkeypatch.setitem(sys.modules, "pymetis", stub)
    edge_index = torch.tensor([[0, 1, 2, 1, 1, 0, 2], [1, 0, 1, 2, 1, 1, 1]])
    assert partition(Data(edge_index=edge_index, num_nodes=4), 2, seed=5).tolist() == [1, 0, 0, 1]
    assert given == {"num_parts": 2, "xadj": [0, 1, 3, 4, 4], "adjncy": [1, 0, 2, 1], "options": {"seed": 5}}


def test_the_seed_decides(mesh: Data) -> None:
    one, again, other = (partition(mesh, 5, method="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_without_pymetis_the_error_names_the_extra(mesh: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymetis", None)
    with pytest.raises(ImportError, match=r"pip install 'graphcl\[partition\]', or use method='bandwidth'"):
        partition(mesh, 2)


def test_refuses_partitions(mesh: Data) -> None:
    with pytest.raises(ValueError, match="no more parts than the 600 nodes, got 601"):
        partition(mesh, 601, method="random")
    with pytest.raises(ValueError, match="num_parts of at least 1, got 0"):
        partition(mesh, 0, method="random")
    with pytest.raises(TypeError, match="num_parts as a whole number, got 2.5"):
        partition(mesh, 2.5, method="random")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="seed as a whole number, got None"):
        partition(mesh, 2, method="random", seed=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'metis', 'bandwidth' or 'random', got 'louvain'"):
        partition(mesh, 2, method="louvain")
    directed = Data(edge_index=torch.tensor([[0, 1, 2, 2], [1, 0, 0, 2]]), num_nodes=3)
    for method in ("bandwidth", "metis"):
        with pytest.raises(ValueError, match="an undirected graph, got one in which 1 edges have no reverse"):
            partition(directed, 2, method=method)
    assert partition(directed, 2, method="random").tolist() != [0, 0, 0]  # which does not look at edges


def test_each_cluster_is_in_one_batch_of_an_epoch(mesh: Data) -> None:
    part = partition(mesh, 10, method="bandwidth")
    batches = ClusterBatches(mesh, part, clusters=3)
    assert (len(batches), batches.num_clusters) == (4, 10)
    seen = []
    for batch in batches:
        assert batch.num_nodes == 60 * part[batch.n_id].unique().numel()
        assert torch.equal(batch.y, batch.n_id)
        assert torch.equal(batch.n_id[batch.edge_index], mesh.edge_index[:, batch.e_id])
        # Edges between the clusters of a batch are there, too.
        assert batch.num_edges == subgraph(batch.n_id, mesh.edge_index, num_nodes=600)[0].size(1)
        seen.append(batch.n_id)
    assert torch.cat(seen).sort().values.tolist() == list(range(600))


def test_epochs_put_others_together(mesh: Data) -> None:
    part = partition(mesh, 10, method="bandwidth") * 3 + 1  # numbers need not be consecutive

    def together(epoch: int, seed: int = 0) -> list[set[int]]:
        batches = ClusterBatches(mesh, part, clusters=5, seed=seed)
        batches.set_epoch(epoch)
        return [set(part[batch.n_id].tolist()) for batch in batches]

    assert together(0) == together(0) and together(0) != together(1) and together(0) != together(0, seed=1)


def test_workers_change_nothing(mesh: Data) -> None:
    batches = ClusterBatches(mesh, partition(mesh, 9, method="random"), clusters=2)
    for one, other in zip(batches, DataLoader(batches, batch_size=None, num_workers=2), strict=True):
        assert torch.equal(one.n_id, other.n_id) and torch.equal(one.edge_index, other.edge_index)


def test_refuses_batches(mesh: Data) -> None:
    part = partition(mesh, 4, method="random")
    for wrong in (part[:-1], part.float(), part[:, None]):
        with pytest.raises(ValueError, match="a cluster for each of 600 nodes"):
            ClusterBatches(mesh, wrong)
    with pytest.raises(TypeError, match=r"cluster of each node, got 4; graphcl.data.partition\(data, num_parts\)"):
        ClusterBatches(mesh, 4)  # type: ignore[arg-type]
    for clusters in (0, 5):
        with pytest.raises(ValueError, match=f"expected clusters from 1 to 4, as many as there are, got {clusters}"):
            ClusterBatches(mesh, part, clusters=clusters)
    with pytest.raises(IndexError, match="expected a batch from 0 to 3, got 4"):
        ClusterBatches(mesh, part)[4]
    assert repr(ClusterBatches(mesh, part)) == "ClusterBatches(num_clusters=4, clusters=1, seed=0)"
