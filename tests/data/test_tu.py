"""TU sets: loaded as PyTorch Geometric loads them, and refused where it would go wrong in silence."""

import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.datasets import TUDataset

from graphcl.data import load_tu
from graphcl.errors import DataError

WriteTU = Callable[..., Path]


@pytest.fixture
def tiny(tmp_path: Path, write_tu: WriteTU) -> Path:
    """A data folder with the raw files of TINY."""
    write_tu(tmp_path / "TU" / "TINY" / "raw")
    return tmp_path


def offline(self: TUDataset) -> None:
    raise URLError("no network")


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_graphs_are_those_in_the_files(tiny: Path) -> None:
    dataset = load_tu("TINY", tiny)
    assert isinstance(dataset, TUDataset)
    assert dataset.name == "TINY"
    assert [graph.num_nodes for graph in dataset] == [3, 2, 3]
    assert dataset[2].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert dataset[2].x.argmax(dim=1).tolist() == [2, 1, 0]
    assert [int(graph.y) for graph in dataset] == [1, 0, 1]


def test_the_second_load_reads_the_processed_file(tiny: Path) -> None:
    first = load_tu("TINY", tiny)
    stamp = (tiny / "TU/TINY/processed/data.pt").stat().st_mtime_ns
    second = load_tu("TINY", tiny)
    assert (tiny / "TU/TINY/processed/data.pt").stat().st_mtime_ns == stamp
    assert torch.equal(first._data.x, second._data.x)
    assert torch.equal(first._data.edge_index, second._data.edge_index)
    assert tree(tiny / "TU/TINY/processed") == ["data.pt", "pre_filter.pt", "pre_transform.pt"]


@pytest.mark.parametrize("name", ["MUTAG", "IMDB-BINARY"])
def test_real_sets_equal_pygs_own(graphcl_home: Path, name: str) -> None:
    ours, theirs = load_tu(name, graphcl_home), TUDataset(str(graphcl_home / "TU"), name)
    for key, value in theirs._data.to_dict().items():
        mine = ours._data.to_dict()[key]
        assert torch.equal(mine, value) if isinstance(value, torch.Tensor) else mine == value
    assert ours.slices.keys() == theirs.slices.keys()
    assert len(ours) == len(theirs)


def test_nothing_is_printed(tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # PyG keeps silent where it sees this
    load_tu("TINY", tiny)
    assert capfd.readouterr() == ("", "")


def test_half_written_files_stop_before_anything_is_written(tmp_path: Path, write_tu: WriteTU) -> None:
    raw = write_tu(tmp_path / "TU/TINY/raw", node_labels="0\n0\n1\n")
    with pytest.raises(DataError, match=r"TINY_node_labels\.txt ends after line 3: expected 8"):
        load_tu("TINY", tmp_path)
    assert tree(tmp_path / "TU/TINY") == ["raw", *sorted(f"raw/{path.name}" for path in raw.iterdir())]


def test_a_missing_file_is_not_downloaded_over_the_others(
    tmp_path: Path, write_tu: WriteTU, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TUDataset, "download", lambda self: pytest.fail("must not download"))
    write_tu(tmp_path / "TU/TINY/raw", A=None)
    with pytest.raises(DataError, match=r"has TINY_graph_indicator\.txt.* but lacks TINY_A\.txt"):
        load_tu("TINY", tmp_path)


def test_trailing_graphs_without_edges_are_not_lost(tmp_path: Path, write_tu: WriteTU) -> None:
    edges = "1, 2\n2, 1\n4, 5\n5, 4\n"  # the third graph has none
    write_tu(tmp_path / "TU/TINY/raw", A=edges)
    with pytest.raises(DataError, match=r"TINY_graph_labels\.txt has 3 graphs, but .* returned 2: it loses"):
        load_tu("TINY", tmp_path)
    write_tu(tmp_path / "TU/BARE/raw", "BARE", A=edges, node_labels=None)
    with pytest.raises(DataError, match=r"BARE_graph_labels\.txt has 3 graphs, but .* returned 2: it loses"):
        load_tu("BARE", tmp_path)


def test_a_graph_without_edges_inside_the_set_is_kept(tmp_path: Path, write_tu: WriteTU) -> None:
    write_tu(tmp_path / "TU/TINY/raw", A="1, 2\n2, 1\n6, 7\n7, 6\n")
    dataset = load_tu("TINY", tmp_path)
    assert [graph.num_edges for graph in dataset] == [2, 0, 2]
    assert [graph.num_nodes for graph in dataset] == [3, 2, 3]


# --- download ---------------------------------------------------------------------------------------------------------


def test_offline_says_where_the_files_go_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TUDataset, "download", offline)
    root = tmp_path / "new" / "home"
    root.parent.mkdir()
    with pytest.raises(DataError) as caught:
        load_tu("TINY", root)
    message = str(caught.value)
    assert str(root / "TU/TINY/raw") in message
    assert "graphcl datasets add TINY --from PATH" in message
    assert "no network" in message
    assert tree(tmp_path) == ["new"]


def test_pygs_own_download_fails_offline_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be downloaded from https://"):
        load_tu("MUTAG", tmp_path)
    assert tree(tmp_path) == []


def test_an_interrupted_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: TUDataset) -> None:
        (Path(self.raw_dir) / "TINY_A.txt").write_text("1, 2\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(TUDataset, "download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_tu("TINY", tmp_path)
    assert tree(tmp_path) == []


def test_a_download_is_checked_and_kept(tmp_path: Path, write_tu: WriteTU, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TUDataset, "download", lambda self: write_tu(Path(self.raw_dir)))
    assert len(load_tu("TINY", tmp_path)) == 3
    monkeypatch.setattr(TUDataset, "download", offline)
    assert len(load_tu("TINY", tmp_path)) == 3
    assert sorted(path.name for path in (tmp_path / "TU/TINY").iterdir()) == ["processed", "raw"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_an_archive_beside_the_folder_is_unpacked_without_a_network(
    tmp_path: Path, write_tu: WriteTU, monkeypatch: pytest.MonkeyPatch, method: int
) -> None:
    monkeypatch.setattr(TUDataset, "download", offline)
    (tmp_path / "TU_zip").mkdir()
    with zipfile.ZipFile(tmp_path / "TU_zip/TINY.zip", "w", method) as archive:
        for path in write_tu(tmp_path / "packed").iterdir():
            archive.write(path, f"TINY/{path.name}")
    assert len(load_tu("TINY", tmp_path)) == 3
    assert (tmp_path / "TU/TINY/raw/TINY_A.txt").is_file()


# --- the processed file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"not a torch file", "half"])
@pytest.mark.parametrize("name", ["data.pt", "pre_transform.pt"])
def test_a_damaged_processed_file_is_named(tiny: Path, content: bytes | str, name: str) -> None:
    load_tu("TINY", tiny)
    path = tiny / "TU/TINY/processed" / name
    before = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else before[: len(before) // 2])
    with pytest.raises(DataError, match=rf"{name} is damaged .*Delete {path} and load again"):
        load_tu("TINY", tiny)
    path.unlink()
    assert len(load_tu("TINY", tiny)) == 3


def test_a_processed_file_cannot_run_code(tiny: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tiny / "hacked"),)

    load_tu("TINY", tiny)
    for name in ("data.pt", "pre_filter.pt"):
        path = tiny / "TU/TINY/processed" / name
        good = path.read_bytes()
        torch.save(Evil(), path)
        with pytest.raises(DataError, match=f"{name} is damaged"):
            load_tu("TINY", tiny)
        path.write_bytes(good)
    assert not (tiny / "hacked").exists()


def test_a_processed_file_of_something_else_is_named(tiny: Path, write_tu: WriteTU) -> None:
    load_tu("TINY", tiny)
    torch.save({"another": torch.ones(2)}, tiny / "TU/TINY/processed/data.pt")
    with pytest.raises(DataError, match=r"data\.pt is damaged .*expected a tuple, got a dict"):
        load_tu("TINY", tiny)
    torch.save((Data().to_dict(), {}), tiny / "TU/TINY/processed/data.pt")
    with pytest.raises(DataError, match=r"data\.pt is damaged .*older version of PyG"):
        load_tu("TINY", tiny)


def test_raw_files_that_have_changed_are_processed_again(tiny: Path, write_tu: WriteTU) -> None:
    assert load_tu("TINY", tiny)._data.y.tolist() == [1, 0, 1]
    write_tu(tiny / "TU/TINY/raw", graph_labels="-1\n1\n-1\n")
    ago = (tiny / "TU/TINY/processed/data.pt").stat().st_mtime - 60
    os.utime(tiny / "TU/TINY/processed/data.pt", (ago, ago))
    assert load_tu("TINY", tiny)._data.y.tolist() == [0, 1, 0]


def test_what_was_processed_stays_where_it_cannot_be_made_anew(tiny: Path) -> None:
    load_tu("TINY", tiny)
    ago = (tiny / "TU/TINY/processed/data.pt").stat().st_mtime - 60
    os.utime(tiny / "TU/TINY/processed/data.pt", (ago, ago))
    (tiny / "TU/TINY/raw/TINY_graph_labels.txt").write_text("1\n")
    with pytest.raises(DataError):
        load_tu("TINY", tiny)
    assert tree(tiny / "TU/TINY/processed") == ["data.pt", "pre_filter.pt", "pre_transform.pt"]


def test_a_processed_file_of_other_raw_files_is_named(tiny: Path, write_tu: WriteTU) -> None:
    load_tu("TINY", tiny)
    raw = write_tu(
        tiny / "TU/TINY/raw",
        A="1, 2\n2, 1\n",
        graph_indicator="1\n1\n2\n",
        graph_labels="0\n1\n",
        node_labels="0\n1\n0\n",
    )
    for path in raw.iterdir():
        os.utime(path, (1, 1))  # as where they were copied with their times
    with pytest.raises(DataError, match=r"it holds 3 graphs and 8 nodes, the raw files 2 and 3\)\. Delete .*data\.pt"):
        load_tu("TINY", tiny)


def test_a_set_processed_by_another_transform_is_refused(tiny: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TUDataset(str(tiny / "TU"), "TINY", pre_transform=lambda graph: graph)
    with pytest.raises(DataError, match=r"processed with pre_transform=.*Delete .*data\.pt"):
        load_tu("TINY", tiny)


def test_an_interrupted_processing_leaves_no_processed_file(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: object) -> None:
        Path(str(arguments[1])).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("torch_geometric.datasets.tu_dataset.fs.torch_save", killed)
        with pytest.raises(KeyboardInterrupt):
            load_tu("TINY", tiny)
    assert not (tiny / "TU/TINY/processed").exists()
    assert len(load_tu("TINY", tiny)) == 3


def test_what_pyg_cannot_read_is_named(tmp_path: Path, write_tu: WriteTU) -> None:
    # The line check passes this on purpose: a set with one graph is squeezed away by PyG's reader.
    write_tu(tmp_path / "TU/TINY/raw", A="1, 2\n2, 1\n", graph_indicator="1\n1\n", graph_labels="1\n", node_labels=None)
    with pytest.raises(DataError, match=r"PyTorch Geometric cannot read the raw files in .*TINY/raw"):
        load_tu("TINY", tmp_path)


@pytest.mark.parametrize("blocked", ["TU/TINY/processed", "TU"])
def test_an_unwritable_folder_is_named(
    tmp_path: Path, write_tu: WriteTU, monkeypatch: pytest.MonkeyPatch, blocked: str
) -> None:
    monkeypatch.setattr(TUDataset, "download", offline)
    if blocked != "TU":
        write_tu(tmp_path / "TU/TINY/raw")
    (tmp_path / blocked).write_text("a file where a folder must be")
    with pytest.raises(DataError, match=r"TU/TINY cannot be read or written .*--root or \$GRAPHCL_HOME"):
        load_tu("TINY", tmp_path)
