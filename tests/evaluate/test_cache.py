import numpy as np
import pytest
import torch

from graphcl.errors import DataError, RunError
from graphcl.evaluate import cached


def test_makes_once_and_keeps_type_and_values(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return torch.arange(6.0).reshape(2, 3)

    first = cached(tmp_path / "new", {"seed": 0, "name": "MUTAG"}, make)
    again = cached(tmp_path / "new", {"name": "MUTAG", "seed": 0}, make)  # the order of a key has no meaning
    assert len(calls) == 1
    assert again.dtype == first.dtype == np.float32
    np.testing.assert_array_equal(again, first)
    cached(tmp_path / "new", {"seed": 1, "name": "MUTAG"}, make)
    assert len(calls) == 2
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_a_failure_leaves_no_file(tmp_path):
    def make():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        cached(tmp_path, {"seed": 0}, make)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_by_name(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RunError, match=r"could not write .*\.npz: disk full"):
        cached(tmp_path, {"seed": 0}, lambda: np.ones(3))
    assert list(tmp_path.iterdir()) == []


def test_truncated_foreign_and_pickled_files_are_named(tmp_path):
    cached(tmp_path, {"seed": 0}, lambda: np.ones(1000))
    path = next(tmp_path.iterdir())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=f"{path.name}: expected cached embeddings, .*delete it"):
        cached(tmp_path, {"seed": 0}, lambda: np.ones(1000))
    path.write_bytes(b"")
    with pytest.raises(DataError, match="unreadable"):
        cached(tmp_path, {"seed": 0}, lambda: np.ones(1000))
    np.savez(path, embeddings=np.array([{}], dtype=object), key=np.array("x"))
    with pytest.raises(DataError, match="unreadable"):
        cached(tmp_path, {"seed": 0}, lambda: np.ones(1000))
    np.savez(path, embeddings=np.ones(2), key=np.array('{"seed": 7}'))
    with pytest.raises(DataError, match="some for"):
        cached(tmp_path, {"seed": 0}, lambda: np.ones(1000))


def test_keys_are_json(tmp_path):
    with pytest.raises(TypeError):
        cached(tmp_path, {"seed": object()}, lambda: np.ones(1))
    cached(tmp_path, {"weights": [{"1": 2}]}, lambda: np.ones(1))
    with pytest.raises(TypeError, match=r"expected texts as names in a key, got 1 in \{1: 2\}"):
        cached(tmp_path, {"weights": [{1: 2}]}, lambda: np.zeros(1))  # it got the ones
    with pytest.raises(TypeError, match="expected numbers to keep, got an array of object"):
        cached(tmp_path, {"seed": 0}, lambda: np.array([1, None]))
    assert len(list(tmp_path.iterdir())) == 1
