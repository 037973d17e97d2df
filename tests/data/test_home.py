"""The data folder: argument, environment, cache, in this order."""

from pathlib import Path

import pytest

from graphcl.data import home
from graphcl.data.home import no_empty_folders


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GRAPHCL_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_default_is_the_users_cache(tmp_path: Path) -> None:
    assert home() == tmp_path / ".cache" / "graphcl"
    assert not home().exists()  # asking creates nothing


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert home() == Path("/elsewhere/graphcl")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/paths/do/not/count")
    assert home() == tmp_path / ".cache" / "graphcl"


def test_the_environment_wins_over_the_cache_and_the_argument_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.setenv("GRAPHCL_HOME", "~/graphs")
    assert home() == tmp_path / "graphs"
    assert home("/data") == Path("/data")
    assert home("~/here") == tmp_path / "here"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAPHCL_HOME", "")
    assert home() == tmp_path / ".cache" / "graphcl"


def test_a_failure_leaves_no_empty_folder_of_its_own(tmp_path: Path) -> None:
    old, outer, inner, full = tmp_path / "old", tmp_path / "new", tmp_path / "new" / "inner", tmp_path / "full"
    old.mkdir()

    def fail_half_way() -> None:
        with no_empty_folders(inner, outer, full, old):
            inner.mkdir(parents=True)
            full.mkdir()
            (full / "kept.txt").write_text("")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "old"]
    with no_empty_folders(outer):
        outer.mkdir()
    assert outer.is_dir()
