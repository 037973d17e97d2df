"""Node-level sets through PyG's readers: raw files are enough, nothing is half written, nothing runs code."""

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from graphcl.data import Card, card, cards, load, load_pyg
from graphcl.data.cards import write_card
from graphcl.data.pyg import COLLECTIONS
from graphcl.errors import DataError

HEADER = "id\tfeature\tlabel\n"
REAL = ["Cora", "CiteSeer", "Cora_ML", "Actor", "Minesweeper", "Cornell", "Texas", "Wisconsin"]


def write_webkb(root: Path, folder: str = "WebKB/cornell", name: str = "cornell") -> Path:
    """Also Geom-GCN's edition of WikipediaNetwork."""
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    (raw / "out1_node_feature_label.txt").write_text(HEADER + "0\t1,0\t0\n1\t0,1\t1\n2\t1,1\t0\n")
    (raw / "out1_graph_edges.txt").write_text("a\tb\n0\t1\n1\t2\n")
    masks = dict(zip(("train_mask", "val_mask", "test_mask"), np.eye(3, dtype=np.int64), strict=True))
    for i in range(10):
        np.savez(raw / f"{name}_split_0.6_0.2_{i}.npz", **masks)
    return raw


def write_actor(root: Path) -> None:
    raw = root / "Actor/raw"
    raw.mkdir(parents=True)
    (raw / "out1_node_feature_label.txt").write_text(HEADER + "0\t0,2\t1\n1\t1\t0\n2\t2\t1\n")
    (raw / "out1_graph_edges.txt").write_text("a\tb\n0\t1\n1\t2\n")
    masks = dict(zip(("train_mask", "val_mask", "test_mask"), np.eye(3, dtype=np.int64), strict=True))
    for i in range(10):
        np.savez(raw / f"film_split_0.6_0.2_{i}.npz", **masks)


def write_npz(path: Path) -> None:
    path.parent.mkdir(parents=True)
    x, adjacency = sp.csr_matrix(np.eye(3)), sp.csr_matrix(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    parts: dict[str, Any] = {}
    for name, matrix in (("attr", x), ("adj", adjacency)):
        for key in ("data", "indices", "indptr", "shape"):
            parts[f"{name}_{key}"] = getattr(matrix, key)
    np.savez(path, labels=np.array([0, 1, 0]), **parts)


def write_heterophilous(root: Path, name: str) -> None:
    path = root / f"Heterophilous/{name}/raw/{name}.npz"
    path.parent.mkdir(parents=True)
    masks = {f"{part}_masks": np.eye(3, dtype=bool)[[i] * 10] for i, part in enumerate(("train", "val", "test"))}
    edges = np.array([[0, 1], [1, 2]])
    np.savez(path, node_features=np.eye(3, dtype=np.float32), node_labels=np.array([0, 1, 0]), edges=edges, **masks)


def write_wikics(root: Path) -> None:
    raw = root / "WikiCS/raw"
    raw.mkdir(parents=True)
    masks = {key: [[1, 0, 0]] * 20 for key in ("train_masks", "val_masks", "stopping_masks")}
    content = {"features": [[0.5], [1.0], [2.0]], "labels": [0, 1, 0], "links": [[1], [2], []], "test_mask": [0, 0, 1]}
    (raw / "data.json").write_text(json.dumps(content | masks))


def write_planetoid(root: Path, **changes: bytes) -> Path:
    """520 nodes, as 500 of them are validation nodes, in Planetoid's own format: pickles of protocol 2."""
    raw = root / "Planetoid/Cora/raw"
    raw.mkdir(parents=True)
    train, tested = 8, 12
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, size=(train + 500 + tested, 4)), np.eye(2, dtype=int)[rng.integers(0, 2, size=520)]
    graph = {i: [(i + 1) % 520, (i - 1) % 520] for i in range(520)}
    arrays = {"x": x[:train], "allx": x[:508], "tx": x[508:], "y": y[:train], "ally": y[:508], "ty": y[508:]}
    for key, value in arrays.items():
        content = sp.csr_matrix(value.astype(np.float32)) if "x" in key else value
        (raw / f"ind.cora.{key}").write_bytes(changes.get(key, pickle.dumps(content, protocol=2)))
    (raw / "ind.cora.graph").write_bytes(changes.get("graph", pickle.dumps(graph, protocol=2)))
    (raw / "ind.cora.test.index").write_text("\n".join(str(i) for i in range(508, 520)) + "\n")
    return raw


def test_raw_files_are_enough(tmp_path: Path) -> None:
    write_webkb(tmp_path)
    write_actor(tmp_path)
    write_webkb(tmp_path, "WikipediaNetwork/squirrel/geom_gcn", "squirrel")
    write_heterophilous(tmp_path, "minesweeper")
    write_heterophilous(tmp_path, "amazon_ratings")
    write_wikics(tmp_path)
    write_npz(tmp_path / "CitationFull/cora_ml/raw/cora_ml.npz")
    write_npz(tmp_path / "CitationFull/dblp/raw/dblp.npz")
    write_npz(tmp_path / "Amazon/Photo/raw/amazon_electronics_photo.npz")
    write_npz(tmp_path / "Coauthor/Physics/raw/ms_academic_phy.npz")
    sets = [
        ("WebKB", "Cornell", 2, 10), ("Actor", "", 2, 10), ("HeterophilousGraphDataset", "Minesweeper", 4, 10),
        ("WikiCS", "", 4, 20), ("CitationFull", "Cora_ML", 4, 0), ("Amazon", "Photo", 4, 0),
        ("Coauthor", "Physics", 4, 0), ("CitationFull", "DBLP", 4, 0), ("WikipediaNetwork", "squirrel", 2, 10),
        ("HeterophilousGraphDataset", "Amazon-ratings", 4, 10),
    ]  # fmt: skip
    for collection, name, edges, splits in sets:
        for _ in range(2):  # from the raw files, then from the processed file
            dataset = load_pyg(collection, name, tmp_path)
            assert (len(dataset), dataset[0].num_nodes, dataset[0].num_edges) == (1, 3, edges), collection
            assert dataset[0].y.tolist() in ([0, 1, 0], [1, 0, 1])
            assert (dataset[0].get("train_mask") is None) == (splits == 0)
            if splits:
                assert dataset[0].train_mask.shape == (3, splits) and dataset[0].train_mask.dtype == torch.bool
    assert not list(tmp_path.rglob(".*"))  # no scratch folder is left


def test_planetoid_and_its_pickles(tmp_path: Path) -> None:
    write_planetoid(tmp_path)
    for _ in range(2):
        graph = load_pyg("Planetoid", "Cora", tmp_path)[0]
        assert [int(graph[key].sum()) for key in ("train_mask", "val_mask", "test_mask")] == [8, 500, 12]
        assert (graph.num_nodes, graph.num_edges) == (520, 1040)


class Calls:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_code_is_refused_before_it_runs(tmp_path: Path, protocol: int) -> None:
    write_planetoid(tmp_path, graph=pickle.dumps(Calls(tmp_path / "ran"), protocol=protocol))
    with pytest.raises(DataError, match=r"ind\.cora\.graph names .*it could run code"):
        load_pyg("Planetoid", "Cora", tmp_path)
    assert not (tmp_path / "ran").exists()
    assert not list((tmp_path / "Planetoid/Cora").glob("processed/*.pt"))


def test_a_damaged_pickle_is_named(tmp_path: Path) -> None:
    raw = write_planetoid(tmp_path)
    (raw / "ind.cora.graph").write_bytes((raw / "ind.cora.graph").read_bytes()[:-50])
    with pytest.raises(DataError, match=r"ind\.cora\.graph is damaged"):
        load_pyg("Planetoid", "Cora", tmp_path)


def test_a_processed_file_that_is_no_tensors_is_refused(tmp_path: Path) -> None:
    write_webkb(tmp_path)
    load_pyg("WebKB", "Cornell", tmp_path)
    processed = tmp_path / "WebKB/cornell/processed/data.pt"
    whole = processed.read_bytes()
    torch.save(Calls(tmp_path / "ran"), processed)
    with pytest.raises(DataError, match=r"data\.pt is damaged .* Delete"):
        load_pyg("WebKB", "Cornell", tmp_path)
    assert not (tmp_path / "ran").exists()
    processed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"data\.pt is damaged"):
        load_pyg("WebKB", "Cornell", tmp_path)
    processed.unlink()
    assert load_pyg("WebKB", "Cornell", tmp_path)[0].num_nodes == 3


def test_a_damaged_raw_file_leaves_nothing_processed(tmp_path: Path) -> None:
    raw = write_webkb(tmp_path)
    (raw / "out1_graph_edges.txt").write_text("a\tb\n0\tone\n")
    with pytest.raises(DataError, match=r"raw files in .*cornell/raw cannot be read .*'one'"):
        load_pyg("WebKB", "Cornell", tmp_path)
    assert not (tmp_path / "WebKB/cornell/processed/data.pt").exists()


def test_missing_files_are_named_and_not_fetched_over(tmp_path: Path) -> None:
    raw = write_webkb(tmp_path)
    (raw / "out1_graph_edges.txt").unlink()
    with pytest.raises(DataError, match=r"cornell/raw lacks out1_graph_edges\.txt, but has the other files"):
        load_pyg("WebKB", "Cornell", tmp_path)
    assert len(list(raw.iterdir())) == 11


def test_without_files_and_network_the_error_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"could not be downloaded .*put the raw files .* in .*Amazon/Photo/raw"):
        load_pyg("Amazon", "Photo", tmp_path)
    with pytest.raises(DataError, match=r"could not be downloaded .* in .*WikipediaNetwork/chameleon/geom_gcn/raw"):
        load_pyg("WikipediaNetwork", "chameleon", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("collection", "name", "message"),
    [
        ("Planetoids", "Cora", "expected a collection out of Planetoid"),
        ("Planetoid", "cora", r"expected a set of Planetoid \(Cora, CiteSeer, PubMed\), got 'cora'"),
        ("Actor", "Film", r"expected a set of Actor \(no name, as it is one set\), got 'Film'"),
    ],
)
def test_unknown_names(tmp_path: Path, collection: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_pyg(collection, name, tmp_path)


def test_every_card_names_a_set_that_exists() -> None:
    named = [
        (entry.arguments["collection"], entry.arguments.get("name", "")) for entry in cards() if entry.loader == "pyg"
    ]
    assert sorted(named) == sorted((key, name) for key, kind in COLLECTIONS.items() for name in kind.names)


def test_by_name_the_counts_are_compared(tmp_path: Path) -> None:
    write_webkb(tmp_path)
    with pytest.raises(DataError, match=r"Cornell is not what its card .* says: got 3 nodes \(expected 183\)"):
        load("Cornell", root=tmp_path)
    entry = card("Cornell")
    counts = {"graphs": 1, "nodes": 3, "edges": 2, "features": 2, "edge_features": 0, "classes": 2}
    path = tmp_path / "cards/Tiny.yaml"
    write_card(Card(**{**vars(entry), "name": "Tiny", "counts": counts, "path": path}))
    dataset = load("Tiny", root=tmp_path)
    assert (dataset.name, dataset[0].x.dtype, dataset[0].val_mask.shape) == ("Tiny", torch.float32, (3, 10))
    write_card(Card(**{**vars(entry), "name": "Tiny", "counts": counts, "path": path, "arguments": {"set": "x"}}))
    with pytest.raises(DataError, match="key 'arguments': expected collection and name"):
        load("Tiny", root=tmp_path)


@pytest.mark.parametrize("name", REAL)
def test_real_sets_are_what_their_cards_say(graphcl_home: Path, tmp_path: Path, name: str) -> None:
    arguments = card(name).arguments
    kind = COLLECTIONS[arguments["collection"]]
    folder = Path(kind.folder, kind.names[arguments.get("name", "")])
    if not (graphcl_home / folder / "raw").is_dir():
        pytest.skip(f"needs {folder}/raw in $GRAPHCL_HOME")
    shutil.copytree(graphcl_home / folder / "raw", tmp_path / folder / "raw")
    graph = load(name, root=tmp_path)[0]
    masks = {"Cora": (140, 500, 1000), "CiteSeer": (120, 500, 1000)}.get(name)
    if masks:
        assert tuple(int(graph[key].sum()) for key in ("train_mask", "val_mask", "test_mask")) == masks
    elif name != "Cora_ML":
        assert graph.train_mask.shape == (graph.num_nodes, 10)
    assert graph.is_directed() == (name in ("Actor", "Cornell", "Texas", "Wisconsin"))
