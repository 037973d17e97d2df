"""Checkpoints: whole or not at all, and never a surprise when read."""

import os
import zipfile

import pytest
import torch

from graphcl.errors import CheckpointError, RunError
from graphcl.train import load_checkpoint, save_checkpoint
from graphcl.train.checkpoint import write_atomically


def test_round_trip(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"model": {"w": torch.arange(3.0)}, "epoch": 2})
    state = load_checkpoint(path)
    assert state["epoch"] == 2 and torch.equal(state["model"]["w"], torch.arange(3.0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"model": {}, "epoch": 1})

    def half(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="No space left.*before is intact"):
        write_atomically(path, half)
    assert load_checkpoint(path)["epoch"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_really_full_disk(tmp_path):
    path = tmp_path / "checkpoint.pt"
    os.symlink("/dev/full", path.with_name("checkpoint.pt.tmp"))
    with pytest.raises(RunError, match="could not write"):
        save_checkpoint(path, {"model": {"w": torch.zeros(100_000)}})


def test_missing(tmp_path):
    with pytest.raises(CheckpointError, match="found none"):
        load_checkpoint(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated(tmp_path, keep):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"model": {"w": torch.randn(1000)}, "epoch": 1})
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt.*truncated or damaged"):
        load_checkpoint(path)


def test_no_checkpoint_but_something_else(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="without a model"):
        load_checkpoint(path)


def test_nothing_is_executed(tmp_path):
    path, canary = tmp_path / "checkpoint.pt", tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {canary}",))

    torch.save({"model": Evil()}, path)
    assert zipfile.is_zipfile(path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not canary.exists()


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"model": {}})

    def denied(self, *arguments, **settings):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "open", denied)
    with pytest.raises(CheckpointError, match="expected to be allowed to read .*Permission denied; mend its rights"):
        load_checkpoint(path)
