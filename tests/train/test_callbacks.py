"""Callbacks: called after every epoch with the place in the run, their columns kept, the run itself untouched."""

import pytest
import torch

from graphcl.augment import Compose, EdgeDrop, Identity, NodeDrop, RandomChoice
from graphcl.train import Moment, RunFolder, ahead, fit


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (1, 7), (9, 100), (40, 100), (300, 100), (100, 100)])
def test_due_once_for_every_so_many_steps(steps, every):
    looks = [epoch for epoch in range(1, 201) if Moment(epoch, steps, False).is_due(every)]
    assert len(looks) == min(200, 200 * steps // every)
    gaps = [(b - a) * steps for a, b in zip(looks, looks[1:], strict=False)]
    assert all(gap > every - steps for gap in gaps)
    assert Moment(1, 1, True).is_due(1000) and not Moment(1, 1, False).is_due(1000)


def test_columns_reach_history_and_metrics_also_after_resuming(make, graphs, tmp_path):
    seen = []

    def note(moment, method):
        seen.append((moment._replace(row={}), int(method.step)))
        assert moment.row["epoch"] == moment.epoch and moment.row["loss"] > 0
        return {"twice": 2.0 * moment.epoch} if moment.epoch % 2 else {}

    folder = RunFolder(tmp_path / "run")
    folder.create({})
    fit(make(), graphs, epochs=2, batch_size=16, folder=folder, callbacks=[note])
    history = fit(make(), graphs, epochs=3, batch_size=16, folder=folder, resume=True, callbacks=[note])
    steps = seen[0][0].steps
    assert seen == [(Moment(epoch, steps, epoch > 1, {}), epoch * steps) for epoch in (1, 2, 3)]
    assert [row.get("twice") for row in history.epochs] == [2.0, None, 6.0]
    assert [row.get("twice") for row in folder.read_metrics()] == [2.0, None, 6.0]


def test_without_callbacks_nothing_changes(make, graphs):
    weights = []
    for callbacks in ((), [lambda moment, method: {}], [lambda moment, method: method.eval() and None]):
        method = make()
        fit(method, graphs, epochs=2, batch_size=16, callbacks=callbacks)
        weights.append(method.state_dict())
    for other in weights[1:]:
        assert all(torch.equal(value, other[name]) for name, value in weights[0].items())


def test_a_callback_may_return_nothing_or_tensors(make, graphs, tmp_path):
    seen = []
    callbacks = [lambda moment, method: seen.append(moment.epoch), lambda moment, method: {"half": torch.tensor(0.5)}]
    folder = RunFolder(tmp_path / "run")
    history = fit(make(), graphs, epochs=2, batch_size=16, folder=folder, callbacks=callbacks)
    assert seen == [1, 2]
    assert [row["half"] for row in history.epochs] == [0.5, 0.5] == [row["half"] for row in folder.read_metrics()]


def test_another_return_value_is_refused(make, graphs):
    with pytest.raises(TypeError, match="expected a callback to return a mapping from columns to numbers, .* got 3"):
        fit(make(), graphs, epochs=1, batch_size=16, callbacks=[lambda moment, method: 3])
    for name, value in (("v", torch.arange(3)), ("v", {1}), (1, 0.5)):
        words = rf"expected a callback to give columns, each a name and a number, got {name!r}: "
        with pytest.raises(TypeError, match=words):
            fit(make(), graphs, epochs=1, batch_size=16, callbacks=[lambda *_, row={name: value}: row])


def test_a_callback_does_not_renumber_the_epochs(make, graphs):
    rows = fit(make(), graphs, epochs=2, callbacks=[lambda moment, method: {"epoch": 0, "seen": 1}]).epochs
    assert [(row["epoch"], row["seen"]) for row in rows] == [(1, 1), (2, 1)]


def test_one_callback_in_the_place_of_a_list_is_refused_before_the_first_step(make, graphs):
    method = make()
    with pytest.raises(TypeError, match=r"expected callbacks as a list, got .*callbacks=\[...\]"):
        fit(method, graphs, callbacks=lambda moment, method: None)
    assert int(method.step) == 0


def more_edges(views, epoch):
    views[0].drop = 0.1 * (1 + epoch)


def more_nodes(views, epoch):
    views[1].augmentations[0].augmentations[0].drop = 0.1 * (1 + epoch)


def more_often(views, epoch):
    views[1].p = [0.1 + 0.1 * epoch, 0.9 - 0.1 * epoch]


@pytest.mark.parametrize("change", [more_edges, more_nodes, more_often])
def test_a_callback_that_changes_the_views_changes_those_of_the_next_step(make, graphs, monkeypatch, change):
    def train(steps):
        monkeypatch.setattr(ahead, "STEPS", steps)
        method = make()
        method.views = (EdgeDrop(drop=0.1), RandomChoice([Compose([NodeDrop(drop=0.1)]), Identity()], p=[1, 9]))

        def more(moment, method):
            change(method.views, moment.epoch)

        fit(method, graphs, epochs=4, batch_size=4, callbacks=[more])
        return torch.cat([weight.flatten() for weight in method.parameters()])

    assert torch.equal(train(8), train(1))


def test_weights_that_a_callback_frees_would_not_be_trained(make, graphs):
    method = make()
    method.encoder.requires_grad_(False)
    with pytest.raises(ValueError, match=r"callbacks that free no weights, .* got encoder\."):
        fit(method, graphs, epochs=2, callbacks=[lambda moment, method: method.encoder.requires_grad_(True) and None])
    fit(make(), graphs, epochs=2, callbacks=[lambda moment, method: method.encoder.requires_grad_(False) and None])
