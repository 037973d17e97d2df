import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphcl.data import load
from graphcl.evaluate import (
    NodeSplit,
    evaluate_nodes,
    link_split,
    mask_splits,
    node_protocol,
    node_split_hash,
    node_splits,
    random_splits,
)

EYE = np.eye(3, dtype=bool)


def graph(**more):
    return Data(x=torch.ones(6, 1), y=torch.tensor([0, 1] * 3), edge_index=torch.empty(2, 0, dtype=torch.long), **more)


def masks(*rows):
    return {key: torch.tensor(row, dtype=torch.bool) for key, row in zip(("train_mask", "val_mask", "test_mask"), rows)}


def test_masks_become_node_numbers():
    found = node_splits(
        graph(**masks([1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 1])), node_protocol("ogb-linear")
    )
    assert [[part.tolist() for part in split] for split in found] == [[[0, 1], [2], [3, 5]]]


def test_several_masks_and_a_test_mask_for_all_of_them():
    train = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]], dtype=bool)
    found = mask_splits(train, np.roll(train, 1, axis=1) & ~train, np.array([False, False, True, False]), num_nodes=4)
    assert [split.train.tolist() for split in found] == [[0], [1], [3]]
    assert all(split.test.tolist() == [2] for split in found)


def test_each_protocol_takes_the_splits_it_names():
    network = load("synthetic-social")[0]
    (public,) = node_splits(network, node_protocol("node-linear-public"))
    assert [len(part) for part in public] == [100, 200, 700]
    assert len(node_splits(network, node_protocol("node-fixed-splits"))) == 1
    assert [len(part) for part in node_splits(network, node_protocol("node-bgrl-20-80"))[3]] == [200, 0, 800]
    assert node_splits(network, node_protocol("kmeans")) == node_splits(network, node_protocol("link")) == []


def test_a_random_split_depends_on_its_number_alone():
    first = random_splits(50, 3, train=0.1, validation=0.1)
    assert node_split_hash(first) == node_split_hash(random_splits(50, 3, train=0.1, validation=0.1))
    assert node_split_hash(first[:2]) == node_split_hash(random_splits(50, 2, train=0.1, validation=0.1))
    assert len({node_split_hash([split]) for split in first}) == 3
    for split in first:
        assert [len(part) for part in split] == [5, 5, 40]
        assert sorted(np.concatenate(split)) == list(range(50))


def test_random_splits_are_uniform():
    counts = sum(
        np.bincount(split.train, minlength=20) for split in random_splits(20, 2000, train=0.25, validation=0.25)
    )
    assert abs(counts / 2000 - 0.25).max() < 0.05  # 5 standard deviations


def test_the_hash_reads_every_part():
    split = NodeSplit(np.array([0]), np.array([1]), np.array([2]))
    others = [
        NodeSplit(np.array([0]), np.array([2]), np.array([1])),
        NodeSplit(np.array([0, 1]), np.array([], int), split.test),
    ]
    assert len({node_split_hash([s]) for s in (split, *others)}) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((EYE[0] | EYE[1], EYE[1], EYE[2]), "got 1 nodes in both train_mask and val_mask of split 0"),
        ((EYE[0], EYE[1], EYE[1] | EYE[2]), "both val_mask and test_mask"),
        ((EYE[0, :2], EYE[1], EYE[2]), r"expected train_mask of shape \[3\] or \[3, splits\], got \[2\]"),
        ((EYE[0], EYE[1].astype(int), EYE[2]), r"boolean val_mask, got \[3\] of dtype int64; write data.val_mask ="),
        (
            (EYE[0], np.arange(2), EYE[2]),
            r"boolean val_mask, got \[2\] of dtype int64; of node numbers .*index_to_mask",
        ),
        ((EYE[0], EYE[1], np.zeros(3, dtype=bool)), "expected nodes in test_mask, got none in split 0"),
        ((EYE[[0, 0]].T, EYE[[1, 1, 1]].T, EYE[2]), "one number of splits, got: train_mask has 2, val_mask has 3"),
    ],
)
def test_masks_that_contradict_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        mask_splits(*given, num_nodes=3)


def test_graphs_without_the_splits_of_a_protocol_are_refused():
    with pytest.raises(ValueError, match="comes with its split for node-linear-public, got one without train_mask"):
        node_splits(graph(), node_protocol("node-linear-public"))
    several = masks(*(np.eye(6, dtype=int)[[i, i]].T for i in range(3)))
    with pytest.raises(ValueError, match=r"one public split .* got train_mask \[6, 2\].*use node-fixed-splits"):
        node_splits(graph(**several), node_protocol("node-linear-public"))
    assert len(node_splits(graph(**several), node_protocol("node-fixed-splits"))) == 2
    with pytest.raises(ValueError, match="expected enough nodes for shares of 0.1 and 0.1, got 4"):
        random_splits(4, 1, train=0.1, validation=0.1)


def test_a_data_set_in_the_place_of_its_graph_is_refused():
    dataset = load("synthetic-social")
    for use in (
        lambda: node_splits(dataset, node_protocol("knn")),
        lambda: evaluate_nodes({"raw": [dataset[0].x]}, dataset, node_protocol("knn"), [0]),
        lambda: link_split(dataset, seed=0),
    ):
        with pytest.raises(TypeError, match=r"expected a graph, .* got ListDataset; of a set take dataset\[0\]"):
            use()
    tells_none = pytest.raises(ValueError, match="expected a graph that tells its number of nodes, got none")
    with pytest.warns(UserWarning, match="Unable to accurately infer"), tells_none:
        node_splits(Data(), node_protocol("knn"))
