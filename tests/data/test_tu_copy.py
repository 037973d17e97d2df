"""Raw files are found in a folder or an archive; a hostile or broken archive is refused."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from graphcl.data.tu_copy import copy_raw
from graphcl.errors import DataError

WriteTU = Callable[..., Path]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def pack(raw: Path, archive: Path, prefix: str = "TINY/", method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(archive, "w", method) as file:
        for path in sorted(raw.iterdir()):
            file.write(path, prefix + path.name)
    return archive


def names(folder: Path) -> list[str]:
    return sorted(path.name.removeprefix("TINY_") for path in folder.iterdir())


@pytest.mark.parametrize("place", [".", "TINY", "raw", "TINY/raw"])
def test_a_folder_is_searched(tmp_path: Path, target: Path, write_tu: WriteTU, place: str) -> None:
    raw = write_tu(tmp_path / "source" / place)
    (raw / "TINY_notes.txt").write_text("not of the format")
    copy_raw(tmp_path / "source", "TINY", target)
    assert names(target) == ["A.txt", "graph_indicator.txt", "graph_labels.txt", "node_labels.txt"]
    assert (target / "TINY_A.txt").read_bytes() == (raw / "TINY_A.txt").read_bytes()


@pytest.mark.parametrize("prefix", ["", "TINY/", "deep/er/TINY/raw/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_an_archive_is_searched(tmp_path: Path, target: Path, write_tu: WriteTU, prefix: str, method: int) -> None:
    raw = write_tu(tmp_path / "raw")
    copy_raw(pack(raw, tmp_path / "tiny.zip", prefix, method), "TINY", target)
    assert names(target) == ["A.txt", "graph_indicator.txt", "graph_labels.txt", "node_labels.txt"]
    assert (target / "TINY_A.txt").read_bytes() == (raw / "TINY_A.txt").read_bytes()


@pytest.mark.parametrize("path", ["../TINY_A.txt", "/TINY_A.txt", "TINY/../../x", "..\\TINY_A.txt"])
def test_an_unsafe_archive_is_refused(tmp_path: Path, target: Path, write_tu: WriteTU, path: str) -> None:
    archive = pack(write_tu(tmp_path / "raw"), tmp_path / "tiny.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(path, "1, 2\n")
    with pytest.raises(DataError, match="unsafe path"):
        copy_raw(archive, "TINY", target)
    assert names(target) == []
    assert not (tmp_path / "TINY_A.txt").exists()


def test_a_broken_archive_is_refused(tmp_path: Path, target: Path, write_tu: WriteTU) -> None:
    archive = pack(write_tu(tmp_path / "raw"), tmp_path / "tiny.zip", method=zipfile.ZIP_STORED)
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="not a readable zip archive"):
        copy_raw(archive, "TINY", target)
    archive.write_bytes(content.replace(b"7, 8", b"7, 9"))  # the checksum no longer fits
    with pytest.raises(DataError, match="not a readable zip archive"):
        copy_raw(archive, "TINY", target)


def test_another_name_is_suggested(tmp_path: Path, target: Path, write_tu: WriteTU) -> None:
    raw = write_tu(tmp_path / "raw")
    with pytest.raises(DataError, match=r"holds no OTHER_A\.txt.* It holds TINY: use that name"):
        copy_raw(raw, "OTHER", target)
    with pytest.raises(DataError, match="It holds TINY: use that name"):
        copy_raw(pack(raw, tmp_path / "tiny.zip"), "OTHER", target)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no TINY_A\.txt: expected the raw files of the TU data set TINY\.$"):
        copy_raw(tmp_path / "empty", "TINY", target)


def test_a_missing_source_is_named(tmp_path: Path, target: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist: expected a folder or a zip archive"):
        copy_raw(tmp_path / "nowhere", "TINY", target)
