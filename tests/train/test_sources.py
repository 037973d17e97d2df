"""What a method needs beside the graph is looked for before anything is written."""

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset
from torch_geometric.data import Batch, Data

from graphcl.augment import EdgeDrop
from graphcl.data import ClusterBatches, RandomWalkBatches, load, partition
from graphcl.methods import GRACE, CrossModal, GraphCL, GraphSupCon, NodeSupCon
from graphcl.nn import GCN, GIN, GraphEncoder
from graphcl.train import RunFolder, fit


def ring(**more):
    edges = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
    return Data(x=torch.ones(10, 3), edge_index=torch.cat([edges, edges.flip(0)], 1), **more)


@pytest.mark.parametrize(
    ("kind", "data", "error", "message"),
    [
        (NodeSupCon, ring(y=torch.arange(10) % 2), ValueError, "expected data.train_mask"),
        (GraphSupCon, [ring() for _ in range(4)], ValueError, "expected one label per graph in the attribute 'y'"),
        (GraphSupCon, [ring(y=torch.rand(1)) for _ in range(4)], TypeError, "expected classes in the attribute 'y'"),
        (CrossModal, [ring() for _ in range(4)], ValueError, "expected the attribute 'text' with 7 numbers"),
    ],
)
def test_what_is_missing_is_told_before_the_folder_is_made(tmp_path, kind, data, error, message):
    more = {"modality": "text", "modality_channels": 7} if kind is CrossModal else {}
    with pytest.raises(error, match=message):
        fit(kind(GraphEncoder(GIN(3, 4, 1)), **more), data, epochs=1, folder=RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_batches_of_one_graph_are_steps_and_not_put_together():
    """The same as by a loader; nodes that several batches share would otherwise be each other's negatives."""
    graph = load("synthetic-social")[0]
    for batches in (
        RandomWalkBatches(graph, roots=250, length=2),
        ClusterBatches(graph, partition(graph, 4, method="random")),
    ):
        ends = []
        for data in (batches, DataLoader(batches, batch_size=None)):
            torch.manual_seed(0)
            method = GRACE(GraphEncoder(GCN(graph.num_features, 8, 2)))
            history = fit(method, data, epochs=2, lr=0.001)
            assert method.step == 2 * len(batches) and "nodes_per_s" in history.epochs[-1]
            ends.append([row["loss"] for row in history.epochs])
        assert ends[0] == ends[1]


def test_epochs_are_whole_numbers():
    graphs = load("synthetic-molecules")[:4]
    method = GraphSupCon(GraphEncoder(GIN(graphs.num_features, 4, 1)))
    with pytest.raises(TypeError, match="expected epochs as a whole number, got 1.5"):
        fit(method, graphs, epochs=1.5)


class Stream(IterableDataset):
    """Two batches, whatever its length says."""

    def __iter__(self):
        return iter([Batch.from_data_list([ring(), ring()])] * 2)


class Counted(Stream):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (DataLoader(Stream(), batch_size=None), TypeError, "expected a loader with a length, got one without"),
        (DataLoader(Counted(3), batch_size=None), ValueError, "expected 3 batches in every epoch, .* got 2 in epoch 1"),
        (DataLoader([ring()], batch_size=2, drop_last=True), ValueError, "expected a loader with batches, .*drop_last"),
        (DataLoader([ring()] * 2, batch_size=2, collate_fn=list), TypeError, "expected a .* Data or Batch, got list"),
        ([Batch.from_data_list([ring(), ring()])] * 2, TypeError, "a list of graphs, got one of batches; .*DataLoader"),
    ],
    ids=["no length", "too long a length", "no batches", "lists", "a list of batches"],
)
def test_what_yields_no_epochs_of_batches_is_refused(data, error, message):
    with pytest.raises(error, match=message):
        fit(GraphCL(GraphEncoder(GIN(3, 4, 1))), data, epochs=1)


@pytest.mark.filterwarnings("ignore:Length of IterableDataset")
def test_an_epoch_has_the_batches_that_the_length_of_the_loader_says():
    """What is left over would be the beginning of the next epoch, but not of one that is resumed."""
    seen = []

    def look(batch):
        seen.append(float(batch.x[0, 0]))
        return batch

    class Numbered(Counted):
        def __iter__(self):
            return iter(
                [Batch.from_data_list([ring(), ring()]).update({"x": torch.full((20, 3), i)}) for i in (0.0, 1.0)]
            )

    fit(
        GraphCL(GraphEncoder(GIN(3, 4, 1)), views=(look, EdgeDrop(drop=0.1))),
        DataLoader(Numbered(1), batch_size=None),
        epochs=2,
    )
    assert seen == [0.0, 0.0]


def test_a_generator_of_the_loader_is_left_where_it_was():
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    loader = DataLoader(
        [ring() for _ in range(6)], batch_size=3, shuffle=True, generator=generator, collate_fn=Batch.from_data_list
    )
    fit(GraphCL(GraphEncoder(GIN(3, 4, 1))), loader, epochs=1)
    assert torch.equal(generator.get_state(), before)
