"""What attributes belong to, view after view, and what cannot be told or carried."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch_geometric.data import Batch, Data

from graphcl.augment import Augmentation, Compose, EdgeDrop, NodeDrop, NodeMask, PPRDiffusion

PATH = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
Compare = Callable[..., list[str]]


def path(**more: Any) -> Data:
    return Data(x=torch.arange(4.0)[:, None], edge_index=PATH, graph_id=torch.tensor([0]), **more)


def bonds_of(view: Data) -> list[int]:
    """The numbers, in the path, of the edges that a view has left."""
    n_id = view.get("n_id", torch.arange(4))
    ends = PATH.t().tolist()
    return [ends.index([int(n_id[a]), int(n_id[b])]) for a, b in view.edge_index.t()]


# After the first, there are as many edges as nodes, then fewer.
TWICE = Compose([EdgeDrop(drop=0.34, count="round"), EdgeDrop(drop=0.5, count="round")])
THEN_NODES = Compose([EdgeDrop(drop=0.34, count="round"), NodeDrop(drop=0.25)])


@pytest.mark.parametrize("aug", [TWICE, THEN_NODES], ids=["edges", "nodes"])
@pytest.mark.parametrize("key", range(5))
class TestTheNextView:
    def test_of_a_graph_and_of_a_batch_of_it(self, aug: Augmentation, key: int, differences: Compare) -> None:
        graph = path(bond=torch.arange(6), bonds=list("abcdef"))
        view = aug.view(graph, key)
        assert view.bond.tolist() == bonds_of(view)
        assert view.bonds == ["abcdef"[i] for i in bonds_of(view)]
        batch = aug.view(Batch.from_data_list([graph]), key)
        assert differences(batch, Batch.from_data_list([view])) == []

    def test_of_a_batch_in_which_one_graph_alone_has_as_many(self, aug: Augmentation, key: int) -> None:
        other = Data(x=torch.zeros(2, 1), edge_index=torch.tensor([[0], [1]]), bonds=["z"], graph_id=torch.tensor([1]))
        first, _ = aug.view(Batch.from_data_list([path(bonds=list("abcdef")), other]), key).to_data_list()
        assert first.bonds == ["abcdef"[i] for i in bonds_of(first)]


def test_one_edge_left_is_one_edge_s() -> None:
    graph = Data(x=torch.zeros(3, 1), edge_index=torch.tensor([[0, 1], [1, 2]]), bond=torch.tensor([7, 8]))
    view = EdgeDrop(drop=0.5, count="round", directed=True).view(graph, 1)
    assert view.bond.shape == (1,)
    assert EdgeDrop(drop=1.0).view(view, 2).bond.shape == (0,)


def test_what_is_set_anew_is_looked_at_anew() -> None:
    view = EdgeDrop(drop=0.34, count="round").view(path(kind=torch.zeros(1)), 0)
    view.kind = torch.arange(4)  # of the graph before, of its nodes now
    assert NodeDrop(drop=0.5).view(view, 1).kind.shape == (2,)
    view.kind = torch.zeros(7)
    assert NodeDrop(drop=0.5).view(view, 1).kind.shape == (7,)


@pytest.mark.parametrize("many", [False, True])
def test_an_n_id_of_another_length_is_refused(many: bool) -> None:
    graph = path(n_id=torch.tensor([9, 8, 7]))
    with pytest.raises(ValueError, match="expected one n_id for each of the [48] nodes, got "):
        NodeDrop(drop=0.5).view(Batch.from_data_list([graph] * 2) if many else graph, 1)


def test_an_n_id_of_graphs_with_a_node_and_an_edge_each() -> None:
    loop = Data(x=torch.ones(1, 1), edge_index=torch.zeros(2, 1, dtype=torch.int64), n_id=torch.tensor([5]))
    view = NodeDrop(drop=0.5).view(Batch.from_data_list([loop, loop]), 0)
    assert view.n_id.tolist() == [5, 5]


NESTED = {
    "dictionary": ({"a": torch.arange(4.0), "n": 3}, "node"),
    "list": ([torch.arange(4.0), torch.arange(4.0)], "node"),
    "deep": ({"a": {"b": [torch.arange(6)]}}, "edge"),
}


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("kind", NESTED)
def test_what_is_nested_is_refused_where_it_would_be_left_behind(kind: str, many: bool) -> None:
    value, level = NESTED[kind]
    graph = path(extra=value)
    data = Batch.from_data_list([graph, graph]) if many else graph
    message = f"expected what belongs to {level}s as attributes of their own, got a .* 'extra'"
    with pytest.raises(ValueError, match=message):
        NodeDrop(drop=0.5).view(data, 0)
    for aug in (EdgeDrop(drop=0.5), PPRDiffusion(alpha=0.2, top_k=2)):
        if level == "edge":
            with pytest.raises(ValueError, match=message):
                aug.view(data, 0)
        else:
            aug.view(data, 0)
    NodeMask(mask=0.5).view(data, 0)


def test_what_is_nested_and_of_the_graph_is_carried() -> None:
    graph = path(extra={"name": "path", "size": torch.tensor([4.0, 6.0, 0.0])})
    view = NodeDrop(drop=0.5).view(graph, 0)
    assert view.extra["size"].tolist() == [4, 6, 0]
