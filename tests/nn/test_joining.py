"""Parts of a batch: all that their graphs have."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from graphcl.nn import split_batch


def batch_of(sizes, generator):
    x = [torch.randn(n, 4, generator=generator) for n in sizes]
    edges = [torch.randint(n, (2, 2 * n), generator=generator) for n in sizes]
    return Batch.from_data_list([Data(x=own, edge_index=ends) for own, ends in zip(x, edges, strict=True)])


def test_parts_of_a_batch_keep_the_names_of_their_graphs(generator):
    batch = batch_of([3, 4, 2, 5], generator)
    assert all("graph_id" not in part for part in split_batch(batch, [1, 3]))
    batch.graph_id = torch.tensor([7, 3, 9, 1])
    first, second = split_batch(batch, [1, 3])
    assert (first.graph_id.tolist(), second.graph_id.tolist()) == ([7], [3, 9, 1])
    for counts in ([1, 2], [1, 4]):
        with pytest.raises(ValueError, match=r"expected counts that add up to the batch's 4 graphs, got \[1, [24]\]"):
            split_batch(batch, counts)


def test_parts_of_a_batch_have_all_that_its_graphs_have(generator):
    graphs = batch_of([3, 4, 2, 5], generator).to_data_list()
    for i, graph in enumerate(graphs):
        size = graph.num_nodes
        graph.y, graph.name, graph.pair_index = torch.tensor([i]), f"graph {i}", torch.tensor([[0], [size - 1]])
        graph.pos = torch.rand(size, 2, generator=generator)
        graph.notes = {"source": "mine", "size": size}  # nested, so that it cannot be cut
    for part, alone in zip(split_batch(Batch.from_data_list(graphs), [1, 3]), (graphs[:1], graphs[1:]), strict=True):
        expected = Batch.from_data_list(alone)
        del expected.notes
        assert set(part.keys()) == set(expected.keys())
        for key, value in expected.to_dict().items():
            assert part[key] == value if key == "name" else torch.equal(part[key], value), key
