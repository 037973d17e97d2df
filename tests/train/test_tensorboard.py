"""Curves for TensorBoard."""

import sys
import types

import pytest

from graphcl.errors import GraphCLError
from graphcl.train import RunFolder, TensorBoard, fit, tensorboard


class Events:
    """What the package's writer would be given."""

    def __init__(self):
        self.opened, self.scalars = [], []

    def open(self, folder, purge_step):
        self.opened.append((folder, purge_step))
        return self

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def flush(self):
        pass


@pytest.fixture
def events(monkeypatch):
    found = Events()
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: name)
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = found.open
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return found


def test_every_number_of_a_row_becomes_a_curve_also_after_resuming(make, graphs, tmp_path, events):
    folder = RunFolder(tmp_path / "run")
    folder.create({})

    def twice(moment, method):
        return {"twice": 2.0 * moment.epoch, "word": "none", "gap": None}

    def go_on(epochs, **options):
        callbacks = [twice, TensorBoard(tmp_path / "events")]
        return fit(make(), graphs, epochs=epochs, batch_size=16, folder=folder, callbacks=callbacks, **options)

    go_on(1)
    history = go_on(3, resume=True)
    assert events.opened == [(str(tmp_path / "events"), 1), (str(tmp_path / "events"), 2)]
    wanted = [
        (name, row[name], row["epoch"])
        for row in history.epochs
        for name in row
        if name not in ("epoch", "word", "gap")
    ]
    assert events.scalars == wanted and {"loss", "twice", "graphs_per_s"} < {name for name, _, _ in wanted}


def test_it_writes_what_tensorboard_reads(make, graphs, tmp_path):
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs the extra tensorboard"
    )
    history = fit(make(), graphs, epochs=2, batch_size=16, callbacks=[TensorBoard(tmp_path)])
    read = reader.EventAccumulator(str(tmp_path))
    read.Reload()
    assert [event.value for event in read.Scalars("loss")] == pytest.approx([row["loss"] for row in history.epochs])
    assert [event.step for event in read.Scalars("loss")] == [1, 2]


def test_without_it_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(GraphCLError, match=r"graphcl\[tensorboard\]"):
        TensorBoard("events")
