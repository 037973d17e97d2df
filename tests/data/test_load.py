"""Loading by name: the card decides, the counts are compared, features are an explicit choice."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.datasets import TUDataset

from graphcl.data import Card, card, cards, load
from graphcl.data.cards import card_folder, write_card
from graphcl.data.load import measure
from graphcl.errors import DataError

WriteTU = Callable[..., Path]
COUNTS = {"graphs": 3, "nodes": 8, "edges": 12, "features": 3, "edge_features": 0, "classes": 2}
EMBEDDED = [entry.name for entry in cards(root=card_folder() / "nowhere") if entry.loader == "embedded"]


def put_card(root: Path, counts: dict[str, int] | None = None, features: str | None = None) -> Card:
    entry = Card(
        name="TINY",
        title="hand-written",
        loader="tu",
        level="graph",
        task="classification",
        metric="accuracy",
        licence="none",
        citation="none",
        source="a test",
        counts=COUNTS | (counts or {}),
        path=root / "cards" / "TINY.yaml",
        features=features,
    )
    write_card(entry)
    return entry


@pytest.fixture
def tiny(tmp_path: Path, write_tu: WriteTU) -> Path:
    write_tu(tmp_path / "TU/TINY/raw")
    return tmp_path


def test_a_set_with_features_is_loaded_as_it_is(tiny: Path) -> None:
    put_card(tiny)
    dataset = load("TINY", root=tiny)
    assert isinstance(dataset, InMemoryDataset)
    assert dataset.name == "TINY"
    assert dataset[0].x.shape == (3, 3)
    assert dataset[0].x.dtype == torch.float32


def test_the_choice_of_features_is_card_then_caller(tmp_path: Path, write_tu: WriteTU) -> None:
    write_tu(tmp_path / "TU/TINY/raw", node_labels=None)
    put_card(tmp_path, {"features": 0})
    with pytest.raises(DataError, match="TINY has no node features: choose some with features="):
        load("TINY", root=tmp_path)
    assert load("TINY", root=tmp_path, features="degree")[0].x.flatten().tolist() == [2, 2, 2]
    entry = card("TINY", root=tmp_path)
    write_card(Card(**{**vars(entry), "features": "constant"}))
    assert load("TINY", root=tmp_path)[0].x.flatten().tolist() == [1, 1, 1]
    assert load("TINY", root=tmp_path, features="degree")[0].x.flatten().tolist() == [2, 2, 2]
    with pytest.raises(DataError, match="TINY has no node features"):
        load("TINY", root=tmp_path, features="original")
    with pytest.raises(ValueError, match="expected features to be 'original'"):
        load("TINY", root=tmp_path, features="fancy")


def test_the_attributes_of_a_tu_set_are_features_if_they_are_asked_for(tmp_path: Path, write_tu: WriteTU) -> None:
    attributes = "".join(f"{i / 2}, {-i}\n" for i in range(8))
    write_tu(tmp_path / "TU/TINY/raw", node_attributes=attributes)
    put_card(tmp_path)
    assert load("TINY", root=tmp_path)[0].x.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    both = load("TINY", root=tmp_path, features="attributes")
    assert both[1].x.tolist() == [[1.5, -3, 0, 1, 0], [2, -4, 1, 0, 0]]
    put_card(tmp_path, {"features": 2})
    with pytest.raises(DataError, match=r"got 3 features \(expected 2\)"):
        load("TINY", root=tmp_path, features="attributes")
    with pytest.raises(ValueError, match="expected features='attributes' on a set of the TU collection, got karate"):
        load("karate", features="attributes")


def test_attributes_that_are_not_there_are_missed(tiny: Path) -> None:
    put_card(tiny)
    with pytest.raises(DataError, match=r"TINY has no node attributes, no TINY_node_attributes\.txt in .*TU/TINY/raw"):
        load("TINY", root=tiny, features="attributes")


def test_counts_that_a_card_leaves_out_are_not_compared(tiny: Path) -> None:
    entry = put_card(tiny)
    write_card(Card(**{**vars(entry), "counts": {"graphs": 3, "classes": 2}}))
    assert len(load("TINY", root=tiny)) == 3
    write_card(Card(**{**vars(entry), "counts": {"graphs": 4}}))
    with pytest.raises(DataError, match=r"got 3 graphs \(expected 4\)\."):
        load("TINY", root=tiny)


@pytest.mark.parametrize("key", list(COUNTS))
def test_wrong_counts_are_named(tiny: Path, key: str) -> None:
    entry = put_card(tiny, {key: COUNTS[key] + 1})
    with pytest.raises(DataError, match=rf"got {COUNTS[key]} {key} \(expected {COUNTS[key] + 1}\)") as caught:
        load("TINY", root=tiny)
    assert str(entry.path) in str(caught.value)
    assert str(tiny / "TU/TINY/raw") in str(caught.value)


def test_an_unknown_name_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown data set 'MUTAGG'.*MUTAG"):
        load("MUTAGG", root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_without_nodes_is_named(tmp_path: Path, write_tu: WriteTU) -> None:
    # Processed by PyG itself, which does not look: the check of the raw files never ran.
    write_tu(tmp_path / "TU/TINY/raw", graph_indicator="1\n1\n1\n3\n3\n4\n4\n4\n", graph_labels="1\n-1\n1\n1\n")
    TUDataset(str(tmp_path / "TU"), "TINY")
    put_card(tmp_path)
    with pytest.raises(DataError, match="TINY: the graph with index 1 has no nodes"):
        load("TINY", root=tmp_path)


def test_graphs_without_edges_are_allowed(tmp_path: Path, write_tu: WriteTU) -> None:
    write_tu(tmp_path / "TU/TINY/raw", A="1, 2\n2, 1\n6, 7\n7, 6\n")
    put_card(tmp_path, {"edges": 4})
    assert [graph.num_edges for graph in load("TINY", root=tmp_path)] == [2, 0, 2]


def test_features_that_are_not_finite_are_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Data(x=torch.tensor([[torch.nan]]), edge_index=torch.empty(2, 0, dtype=torch.long), y=torch.tensor([0]))
    counts = {"graphs": 1, "nodes": 1, "edges": 0, "features": 1, "edge_features": 0, "classes": 1}
    entry = put_card(tiny, counts)
    write_card(Card(**{**vars(entry), "loader": "embedded"}))
    monkeypatch.setattr(sys.modules["graphcl.data.load"], "_embedded", lambda entry: [graph])
    with pytest.raises(DataError, match="TINY: x holds 1 values that are NaN or infinite"):
        load("TINY", root=tiny)


def test_an_embedded_card_must_name_a_known_function(tiny: Path) -> None:
    entry = put_card(tiny)
    write_card(Card(**{**vars(entry), "loader": "embedded", "arguments": {"function": "system"}}))
    with pytest.raises(DataError, match=r"TINY\.yaml, key 'arguments\.function': expected one of synthetic_molecules"):
        load("TINY", root=tiny)
    arguments = {"function": "synthetic_molecules", "sede": 1}
    write_card(Card(**{**vars(entry), "loader": "embedded", "arguments": arguments}))
    with pytest.raises(DataError, match=r"TINY\.yaml, key 'arguments': .*'sede'"):
        load("TINY", root=tiny)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_need_no_folder(name: str, tmp_path: Path) -> None:
    dataset = load(name, root=tmp_path / "nowhere")
    assert repr(dataset) == f"{name}({len(dataset)})"
    assert measure(dataset) == dict(card(name).counts)
    assert (len(dataset) == 1) == (card(name).level == "node")
    again = load(name, root=tmp_path / "nowhere")
    assert torch.equal(dataset._data.edge_index, again._data.edge_index)
    assert torch.equal(dataset._data.x, again._data.x)
    assert list(tmp_path.iterdir()) == []


def test_the_module_name_does_not_hide_the_function() -> None:
    # Importing a submodule binds its name in the package.
    import graphcl.data
    import graphcl.data.add
    import graphcl.data.cards
    import graphcl.data.home
    import graphcl.data.load

    assert all(callable(getattr(graphcl.data, name)) for name in ("add", "cards", "home", "load"))
    assert set(graphcl.data.__all__) <= set(dir(graphcl.data))
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        _ = graphcl.data.lode


@pytest.mark.parametrize(
    ("name", "width"),
    [("MUTAG", 7), ("PTC_MR", 18), ("PROTEINS", 3), ("NCI1", 37), ("IMDB-BINARY", 1), ("IMDB-MULTI", 1)],
)
def test_real_sets_are_what_their_cards_say(graphcl_home: Path, name: str, width: int) -> None:
    dataset = load(name)
    assert dataset.num_node_features == width
    assert dataset.num_classes == card(name).counts["classes"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width"), [("DD", 89), ("REDDIT-BINARY", 1), ("COLLAB", 1)])
def test_large_real_sets_are_what_their_cards_say(graphcl_home: Path, name: str, width: int) -> None:
    assert load(name).num_node_features == width
