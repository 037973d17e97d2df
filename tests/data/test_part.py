"""Parts of a graph: the induced subgraph, with all that belongs to its nodes and edges."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import subgraph

from graphcl.data._part import Parts

SIZE, EDGES = 50, 400


@pytest.fixture
def graph(generator: torch.Generator) -> Data:
    """Directed, with loops, repeated edges and five isolated nodes."""
    return Data(
        x=torch.randn(SIZE, 3, generator=generator),
        edge_index=torch.randint(SIZE - 5, (2, EDGES), generator=generator),
        edge_attr=torch.randn(EDGES, 2, generator=generator),
        y=torch.arange(SIZE),
        array=np.arange(SIZE),
        names=[str(i) for i in range(SIZE)],
        name="a graph",
    )


@pytest.mark.parametrize("nodes", [[], [49], [7], [3, 1, 44, 20, 0, 48], list(range(SIZE))])
def test_a_part_is_the_induced_subgraph(graph: Data, nodes: list[int]) -> None:
    part = Parts(graph).cut(torch.tensor(nodes, dtype=torch.int64))
    assert part.n_id.tolist() == nodes == part.y.tolist() and part.num_nodes == len(nodes)
    assert torch.equal(part.x, graph.x[nodes]) and torch.equal(part.edge_attr, graph.edge_attr[part.e_id])
    assert torch.equal(part.n_id[part.edge_index], graph.edge_index[:, part.e_id])
    _, _, mask = subgraph(
        torch.tensor(nodes, dtype=torch.int64), graph.edge_index, num_nodes=SIZE, return_edge_mask=True
    )
    assert part.e_id.sort().values.tolist() == mask.nonzero().squeeze(1).tolist()
    assert part.array.tolist() == nodes and part.names == [str(i) for i in nodes]
    assert part.name == "a graph"


class Sideways(Data):
    """Has a column of ``codes`` for each node."""

    def __cat_dim__(self, key: str, value: object, *rest: object) -> object:
        return 1 if key == "codes" else super().__cat_dim__(key, value, *rest)


def test_a_part_keeps_the_rules_of_its_class(graph: Data) -> None:
    codes = torch.arange(2 * SIZE).view(2, SIZE)
    part = Parts(Sideways(edge_index=graph.edge_index, codes=codes, num_nodes=SIZE)).cut(torch.tensor([30, 2]))
    again = Parts(part).cut(torch.tensor([1]))
    assert part.codes.tolist() == [[30, 2], [80, 52]] and again.codes.tolist() == [[2], [52]]


def test_a_part_of_a_batch_is_one_graph(graph: Data) -> None:
    part = Parts(Batch.from_data_list([graph, graph])).cut(torch.tensor([60, 2]))
    assert part.y.tolist() == [10, 2] and not isinstance(part, Batch) and not {"batch", "ptr"} & {*part.keys()}


def test_parts_of_parts_keep_their_first_numbers(graph: Data) -> None:
    part = Parts(graph).cut(torch.tensor([30, 2, 9, 11]))
    again = Parts(part).cut(torch.tensor([2, 0]))
    assert again.n_id.tolist() == [9, 30] and again.y.tolist() == [9, 30]
    assert torch.equal(again.n_id[again.edge_index], graph.edge_index[:, again.e_id])


def test_links_that_are_not_the_edges_stay_whole(graph: Data) -> None:
    """There are as many as edges, where a split adds a negative link to each positive one."""
    graph.edge_label_index = torch.randint(SIZE, (2, EDGES))
    graph.edge_label = torch.ones(EDGES)
    part = Parts(graph).cut(torch.tensor([30, 2, 9, 11]))
    assert torch.equal(part.edge_label_index, graph.edge_label_index) and part.edge_label.numel() == EDGES


def test_each_cut_starts_clean(graph: Data) -> None:
    parts = Parts(graph)
    parts.cut(torch.arange(SIZE))
    one, other = parts.cut(torch.tensor([4, 5])), Parts(graph).cut(torch.tensor([4, 5]))
    assert torch.equal(one.edge_index, other.edge_index) and torch.equal(one.e_id, other.e_id)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_sparse_attributes_are_cut_or_refused(graph: Data) -> None:
    dense = graph.x
    graph.x = dense.to_sparse()
    nodes = torch.tensor([30, 2, 9])
    assert torch.equal(Parts(graph).cut(nodes).x.to_dense(), dense[nodes])
    graph.x = dense.to_sparse_csr()
    with pytest.raises(ValueError, match=r"expected 'x' to be dense or sparse COO, got torch.sparse_csr; write data.x"):
        Parts(graph)
    graph.x, graph.constants, graph.kernel_adj = dense, torch.eye(7).to_sparse_csr(), torch.eye(7).to_sparse()
    part = Parts(graph).cut(nodes)
    assert part.constants.shape == part.kernel_adj.shape == (7, 7)
    graph.x = torch.ones(SIZE, 4).to_sparse_bsr((2, 2))
    with pytest.raises(ValueError, match="expected 'x' to be dense or sparse COO, got torch.sparse_bsr"):
        Parts(graph)
    graph.x, graph.adj_t = dense, torch.eye(SIZE).to_sparse()
    with pytest.raises(ValueError, match="the sparse 'adj_t', which would stay whole in a part; delete data.adj_t"):
        Parts(graph)
