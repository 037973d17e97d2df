"""OGB's sets in OGB's own files: they load, twice, with nothing asked and nothing but tensors and arrays read."""

import builtins
import gzip
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphcl.data import card, load, load_ogb
from graphcl.errors import DataError


def write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.writelines(",".join(str(value) for value in row) + "\n" for row in rows)


def write_graph(folder: Path, **more: Sequence[Sequence[object]]) -> None:
    """A path of four nodes, each edge once."""
    files = {
        "edge": [[0, 1], [1, 2], [2, 3]], "num-node-list": [[4]], "num-edge-list": [[3]],
        "node-feat": [[0.5, 1.0], [1.5, 0.0], [0.0, 0.25], [2.0, 2.0]],
    }  # fmt: skip
    for name, rows in (files | more).items():
        write(folder / "raw" / f"{name}.csv.gz", rows)
    (folder / "RELEASE_v1.txt").touch()


@pytest.fixture
def arxiv(tmp_path: Path) -> Path:
    folder = tmp_path / "ogbn_arxiv"
    write_graph(folder, node_year=[[2000]] * 4, **{"node-label": [[0], [1], [1], [0]]})
    for part, rows in (("train", [[2], [0]]), ("valid", [[1]]), ("test", [[3]])):
        write(folder / f"split/time/{part}.csv.gz", rows)
    return tmp_path


@pytest.fixture
def collab(tmp_path: Path) -> Path:
    folder = tmp_path / "ogbl_collab"
    write_graph(folder, edge_weight=[[1], [1], [2]], edge_year=[[2000]] * 3)
    (folder / "split/time").mkdir(parents=True)
    pairs = np.array([[0, 2], [1, 3]])
    for part in ("train", "valid", "test"):
        content = {"edge": pairs, "weight": np.ones(2, dtype=np.float32), "edge_neg": pairs[:, ::-1].copy()}
        torch.save(content, folder / f"split/time/{part}.pt")
    return tmp_path


@pytest.fixture(autouse=True)
def _no_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*words: object) -> str:
        raise AssertionError(f"asked {words}")

    monkeypatch.setattr(builtins, "input", ask)


@pytest.fixture
def _warned_always() -> Iterator[None]:
    """torch says once in a process what it would say to a user who loads a set first."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


@pytest.mark.usefixtures("_warned_always")
def test_a_node_set_loads_twice(arxiv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        dataset: Any = load_ogb("ogbn-arxiv", arxiv)
        graph = dataset[0]
        assert (repr(dataset), graph.num_nodes) == ("ogbn-arxiv(1)", 4)
        assert graph.edge_index.tolist() == [[0, 1, 2], [1, 2, 3]]  # directed, as OGB has it
        assert graph.x[3].tolist() == [2, 2] and graph.y.tolist() == [0, 1, 1, 0]
        assert graph.train_mask.tolist() == [True, False, True, False]
        assert {part: index.tolist() for part, index in dataset.split.items()} == {
            "train": [2, 0], "valid": [1], "test": [3],
        }  # fmt: skip
    assert capsys.readouterr() == ("", "")


def test_a_directed_set_is_loaded_by_name_with_the_reverse_of_each_edge(arxiv: Path) -> None:
    own: Any = load_ogb("ogbn-arxiv", arxiv, undirected=True)
    assert own[0].edge_index.tolist() == [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]
    assert own[0].val_mask.tolist() == [False, True, False, False] and own.split["test"].tolist() == [3]
    assert load_ogb("ogbn-arxiv", arxiv)[0].num_edges == 3
    (arxiv / "ogb").mkdir()
    (arxiv / "ogbn_arxiv").rename(arxiv / "ogb/ogbn_arxiv")
    with pytest.raises(DataError, match=r"got 4 nodes .*, 6 edges \(expected 2315598\)"):
        load("ogbn-arxiv", root=arxiv)
    with pytest.raises(ValueError, match=r"expected undirected=True for a node set, ogbn-\.\.\., got ogbl-collab"):
        load_ogb("ogbl-collab", arxiv, undirected=True)


def test_reverses_that_are_there_already_change_no_edge_attributes(tmp_path: Path) -> None:
    folder = tmp_path / "ogbn_proteins"
    files = {"edge-feat": [[0.5] * 8, [1.0] * 8, [2.0] * 8], "node_species": [[1]] * 4, "node-label": [[0] * 112] * 4}
    write_graph(folder, **files)
    for part, rows in (("train", [[2], [0]]), ("valid", [[1]]), ("test", [[3]])):
        write(folder / f"split/species/{part}.csv.gz", rows)
    for undirected in (False, True):
        graph = load_ogb("ogbn-proteins", tmp_path, undirected=undirected)[0]
        assert graph.num_edges == 6 and graph.edge_attr[:, 0].sort().values.tolist() == [0.5, 0.5, 1, 1, 2, 2]


def test_a_set_in_binary_files_loads_twice(tmp_path: Path) -> None:
    folder = tmp_path / "ogbl_vessel"
    write_graph(folder)
    (folder / "split/spatial").mkdir(parents=True)
    edges, counts = np.array([[0, 1], [1, 2]]), {"num_nodes_list": np.array([4]), "num_edges_list": np.array([2])}
    features = {"node_feat": np.eye(4, dtype=np.float32), "edge_feat": np.ones((2, 1), dtype=np.float32)}
    np.savez(folder / "raw/data.npz", edge_index=edges, **counts, **features)
    for part in ("train", "valid", "test"):
        torch.save(
            {"edge": torch.tensor([[0, 1]]), "edge_neg": torch.tensor([[2, 3]])}, folder / f"split/spatial/{part}.pt"
        )
    for _ in range(2):
        dataset: Any = load_ogb("ogbl-vessel", tmp_path)
        assert dataset[0].edge_index.tolist() == edges.tolist() and dataset[0].num_nodes == 4


def test_a_link_set_with_arrays_in_its_split_loads_twice(collab: Path) -> None:
    for _ in range(2):
        dataset: Any = load_ogb("ogbl-collab", collab)
        assert dataset[0].edge_index.tolist() == [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]
        assert torch.equal(dataset.split["test"]["edge_neg"], torch.tensor([[2, 0], [3, 1]]))
        assert dataset.split["valid"]["weight"].dtype == torch.float32


def test_a_graph_set_loads_twice(tmp_path: Path) -> None:
    folder = tmp_path / "ogbg_molesol"
    feats = [[0] * 9] * 5
    write_graph(
        folder,
        **{
            "edge": [[0, 1], [1, 2], [0, 1]], "num-node-list": [[3], [2]], "num-edge-list": [[2], [1]],
            "node-feat": feats, "edge-feat": [[0, 1, 2]] * 3, "graph-label": [[-0.5], [1.5]],
        },
    )  # fmt: skip
    for part, rows in (("train", [[0]]), ("valid", [[1]]), ("test", [[1]])):
        write(folder / f"split/scaffold/{part}.csv.gz", rows)
    for _ in range(2):
        dataset: Any = load_ogb("ogbg-molesol", tmp_path)
        assert [graph.num_nodes for graph in dataset] == [3, 2]
        assert dataset[1].edge_index.tolist() == [[0, 1], [1, 0]]
        assert dataset.split["train"].tolist() == [0]
        again = pickle.loads(pickle.dumps(dataset))  # as for the workers of a loader
        assert torch.equal(again[1].x, dataset[1].x) and again.split["test"].tolist() == [1]


def test_by_name_the_counts_are_compared(arxiv: Path) -> None:
    (arxiv / "ogb").mkdir()
    (arxiv / "ogbn_arxiv").rename(arxiv / "ogb/ogbn_arxiv")
    with pytest.raises(DataError, match=r"ogbn-arxiv is not what its card .* got 4 nodes \(expected 169343\)"):
        load("ogbn-arxiv", root=arxiv)


def test_a_folder_without_its_release_file_is_refused_and_kept(arxiv: Path) -> None:
    (arxiv / "ogbn_arxiv/RELEASE_v1.txt").unlink()
    with pytest.raises(DataError, match=r"ogbn_arxiv lacks RELEASE_v1\.txt.*make the file"):
        load_ogb("ogbn-arxiv", arxiv)
    assert (arxiv / "ogbn_arxiv/raw/edge.csv.gz").is_file()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("raw/edge.csv.gz", r"raw lacks edge\.csv\.gz, but has the other files"),
        ("raw/node-label.csv.gz", r"ogbn_arxiv cannot be read .*node-label\.csv\.gz"),
        ("split/time/valid.csv.gz", r"ogbn_arxiv cannot be read .*valid\.csv\.gz"),
    ],
)
def test_a_missing_file_is_named(arxiv: Path, file: str, message: str) -> None:
    (arxiv / "ogbn_arxiv" / file).unlink()
    with pytest.raises(DataError, match=message):
        load_ogb("ogbn-arxiv", arxiv)
    assert (arxiv / "ogbn_arxiv/raw/node-feat.csv.gz").is_file()


def test_a_missing_folder_is_named(arxiv: Path) -> None:
    (arxiv / "ogbn_arxiv/raw").rename(arxiv / "ogbn_arxiv/unpacked")
    with pytest.raises(DataError, match="lacks the folder 'raw'"):
        load_ogb("ogbn-arxiv", arxiv)


class Calls:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_but_tensors_and_arrays_is_read(arxiv: Path, collab: Path) -> None:
    load_ogb("ogbn-arxiv", arxiv)
    processed = arxiv / "ogbn_arxiv/processed/geometric_data_processed.pt"
    torch.save(Calls(arxiv / "ran"), processed)
    with pytest.raises(DataError, match=r"geometric_data_processed\.pt is damaged .* Delete"):
        load_ogb("ogbn-arxiv", arxiv)
    torch.save(Calls(arxiv / "ran"), collab / "ogbl_collab/split/time/test.pt")
    with pytest.raises(DataError, match=r"split cannot be read"):
        load_ogb("ogbl-collab", collab)
    assert not (arxiv / "ran").exists()


def test_what_torch_may_read_is_the_same_afterwards(arxiv: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    load_ogb("ogbn-arxiv", arxiv)
    added = set(torch.serialization.get_safe_globals()) - before
    assert {getattr(item, "__name__", item) for item in added} <= {"Data"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("arxiv", "expected a name that begins with ogbn-"),
        ("ogbn-arxive", "OGB has no set 'ogbn-arxive': expected one of ogbn-arxiv, "),
        ("ogbn-mag", "ogbn-mag has several types of nodes or edges"),
        ("ogbn-products", r"could not be downloaded .*unpack http.*products\.zip elsewhere"),
    ],
)
def test_what_cannot_be_loaded(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_ogb(name, tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


def test_importing_ogb_starts_no_thread_and_seeks_no_newer_version() -> None:
    code = (
        "import socket, sys, threading\n"
        "def refuse(*words): raise SystemExit(f'reached for the network: {words}')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from graphcl.data.ogb import import_ogb\n"
        "import_ogb('nodeproppred')\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert 'outdated' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_cards_have_protocols_of_their_level() -> None:
    assert "ogb-linear" in card("ogbn-arxiv").protocols and card("ogbl-collab").protocols == ("ogb-link",)


@pytest.mark.parametrize(("name", "sizes"), [("ogbg-molesol", (902, 113, 113)), ("ogbg-molbace", (1210, 151, 152))])
def test_real_graph_sets(graphcl_home: Path, name: str, sizes: tuple[int, ...]) -> None:
    if not (graphcl_home / "ogb" / name.replace("-", "_") / "raw").is_dir():
        pytest.skip(f"needs ogb/{name.replace('-', '_')}/raw in $GRAPHCL_HOME")
    dataset: Any = load_ogb(name, graphcl_home / "ogb")
    assert tuple(len(dataset.split[part]) for part in ("train", "valid", "test")) == sizes
    assert len(dataset) == sum(sizes)
