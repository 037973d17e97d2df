"""A file of molecules becomes a set: once, in processes or without, whatever stops it half way."""

import json
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from graphcl.data import PackedDataset, from_smiles_list, load_molecules
from graphcl.data import _shards as shards
from graphcl.data.corpus import open_corpus
from graphcl.errors import DataError

ROWS = ["CCO,1,2.5", "C1CC,0,1", "c1ccccc1,,", "CCO,0,-1", ",1,1", "O=C1CCCN1,1,0", "C/C=C/C,0,3"]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["smiles,a,b", *ROWS]) + "\n")
    return path


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphcl.data import corpus

    for module in (shards, corpus):
        monkeypatch.setattr(module, "SHARD", 2)


def load(path: Path, **arguments: object):
    return load_molecules(path, labels=["a", "b"], root=path.parent, progress=False, **arguments)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("vocab", ["ogb", "pyg", "hu2020"])
def test_it_is_what_its_rows_are(mine: Path, vocab: str, workers: int) -> None:
    dataset = load(mine, vocab=vocab, workers=workers)
    plain = from_smiles_list([row.split(",")[0] for row in ROWS], vocab=vocab)
    assert (len(dataset), dataset.num_rows, dataset.vocab, dataset.tasks) == (5, 7, vocab, ("a", "b"))
    assert dataset.skipped == plain.skipped and list(dataset.smiles) == list(plain.smiles)
    for one, other in zip(dataset, plain, strict=True):
        for key in ("x", "edge_index", "edge_attr", "row"):
            assert one[key].dtype == torch.int64 and torch.equal(one[key], other[key])
    np.testing.assert_array_equal(dataset[0].y, [[1, 2.5]])
    np.testing.assert_array_equal(dataset[1].y, [[np.nan, np.nan]])
    np.testing.assert_array_equal(PackedDataset(dataset).batch([4, 3, 2]).y, [[0, 3], [1, 0], [0, -1]])


def test_names_of_labels_are_the_same_to_a_file_that_is_new_and_to_one_that_was_read(mine: Path) -> None:
    for _ in range(2):
        dataset = load_molecules(mine, labels=(name for name in "ab"), root=mine.parent, progress=False)
        assert dataset.tasks == ("a", "b")
        load_molecules(mine, labels=["a"], root=mine.parent, progress=False)
        with pytest.raises(TypeError, match=r"got one text 'a'; write \['a'\]"):
            load_molecules(mine, labels="a", root=mine.parent, progress=False)


def test_the_skipped_rows_are_listed_beside_it(mine: Path) -> None:
    load(mine)
    (listed,) = mine.parent.glob("molecules/*/skipped.csv")
    assert listed.read_text().splitlines() == ["row,smiles,reason", "1,C1CC,not a SMILES", "4,,empty"]


def test_the_second_time_nothing_is_read(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(mine)
    from graphcl.data import corpus

    monkeypatch.setattr(corpus, "read_molecules", lambda *_, **__: pytest.fail("read again"))
    assert len(load(mine)) == len(first)
    assert repr(load(mine, name="other")) == "other(5, vocab='ogb', 2 skipped)"


def test_other_content_or_choices_are_another_set(mine: Path) -> None:
    load(mine)
    load(mine, vocab="pyg")
    load_molecules(mine, root=mine.parent)
    with mine.open("a") as file:
        file.write("C,0,0\n")
    assert len(load(mine)) == 6
    assert len(list(mine.parent.glob("molecules/*/graphs.safetensors"))) == 4


@pytest.mark.usefixtures("small_shards")
def test_it_goes_on_from_the_last_shard(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = shards.featurise, []

    def stops(smiles, vocab, *, scaffolds=False):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(list(smiles))
        return real(smiles, vocab, scaffolds=scaffolds)

    monkeypatch.setattr(shards, "featurise", stops)
    with pytest.raises(KeyboardInterrupt):
        load(mine, workers=0)
    (parts,) = mine.parent.glob("molecules/*/parts")
    assert sorted(path.name for path in parts.iterdir()) == ["000000000.npz", "000000002.npz"]

    def goes_on(smiles, vocab, *, scaffolds=False):
        made.append(list(smiles))
        return real(smiles, vocab, scaffolds=scaffolds)

    monkeypatch.setattr(shards, "featurise", goes_on)
    dataset = load(mine, workers=0)
    assert made[2:] == [["", "O=C1CCCN1"], ["C/C=C/C"]]
    assert len(dataset) == 5 and not parts.exists()


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("left", [0, 300])
def test_a_shard_that_a_crash_has_cut_short_is_named(mine: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    from graphcl.data import corpus

    def stops(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(corpus, "_small", stops)
        with pytest.raises(KeyboardInterrupt):
            load(mine, workers=0)
    (shard,) = mine.parent.glob("molecules/*/parts/000000002.npz")
    shard.write_bytes(shard.read_bytes()[:left])
    with pytest.raises(DataError, match=r"000000002.npz is damaged \(.*\): delete it and load again"):
        load(mine, workers=0)
    shard.unlink()
    assert len(load(mine, workers=0)) == 5


@pytest.mark.usefixtures("small_shards")
def test_shards_are_joined_with_few_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphcl.data import corpus

    real, alive, most = corpus.read_shard, weakref.WeakValueDictionary(), []

    def counted(path: Path):
        packed = real(path)
        alive[len(most)] = packed.edge_attr if packed.edge_attr.base is None else packed.edge_attr.base
        most.append(len(alive))
        return packed

    monkeypatch.setattr(corpus, "read_shard", counted)
    path = tmp_path / "s.smi"
    path.write_text("".join(f"{'C' * n}O\n" for n in range(1, 41)))
    dataset = load_molecules(path, root=tmp_path, workers=0)
    assert [graph.num_nodes for graph in dataset] == list(range(2, 42))
    assert len(most) > 20 and max(most) <= 3


def test_records_of_an_sdf_are_skipped_with_the_reason(tmp_path: Path) -> None:
    from rdkit import Chem

    blocks = [Chem.MolToMolBlock(Chem.MolFromSmiles(text, sanitize=False)) for text in ("CO", "CC(C)(C)(C)C", "N")]
    path = tmp_path / "mine.sdf"
    path.write_text("".join(f"{block}$$$$\n" for block in blocks) + "\n")
    dataset = load_molecules(path, root=tmp_path)
    assert [graph.row.item() for graph in dataset] == [0, 2] and dataset.num_rows == 3
    ((row, text, why),) = dataset.skipped
    assert (row, text) == (1, "") and "valence" in why


def test_workers_that_fail_say_so(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(DataError, match="a worker process that reads molecules failed"):
        load(mine, workers=1)


def test_a_bar_counts_molecules(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_molecules(mine, root=mine.parent, progress=True)
    assert "7.00/7.00" in capsys.readouterr().err
    load_molecules(mine, root=mine.parent, vocab="pyg", progress=False)
    assert capsys.readouterr() == ("", "")


def test_scaffold_groups(tmp_path: Path) -> None:
    path = tmp_path / "s.smi"
    path.write_text("c1ccccc1C\nCCO\nc1ccccc1CC(=O)O\nC1CCCCC1\nCC\n")
    dataset = load_molecules(path, root=tmp_path, scaffolds=True)
    assert dataset.scaffolds[False].tolist() == dataset.scaffolds[True].tolist() == [0, 1, 0, 2, 1]
    assert load_molecules(path, root=tmp_path).scaffolds == {}


def test_refusals(mine: Path) -> None:
    with pytest.raises(DataError, match=r"absent.csv is not there"):
        load(mine.with_name("absent.csv"))
    with pytest.raises(DataError, match=r" is no file: expected a file of molecules"):
        load(mine.parent)
    nothing = mine.with_name("nothing.csv")
    nothing.write_text("smiles,a,b\nethanol,1,1\n")
    with pytest.raises(DataError, match="none of the 1 rows is a molecule; row 0, 'ethanol': not a SMILES"):
        load(nothing)
    assert not list(mine.parent.glob("molecules/*"))
    with pytest.raises(ValueError, match="expected workers of at least 0"):
        load(mine, workers=-1)
    with pytest.raises(ValueError, match="expected vocab to be 'ogb'"):
        load(mine, vocab="mine")


def test_two_processes_may_make_the_same_set(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphcl.data import corpus

    real = corpus.read_shard

    def overtaken(path: Path):
        if threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=load, args=(mine,), kwargs={"workers": 0})
            other.start()  # the other makes all of it and takes the shards away
            other.join()
        return real(path)

    monkeypatch.setattr(corpus, "read_shard", overtaken)
    assert len(load(mine, workers=0)) == 5


def test_workers_may_be_overtaken_too(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = shards._ask, []

    def overtaken(worker, task):
        asked.append(task)
        load(mine, workers=0)  # the other makes all of it and takes the folder of the shards away
        real(worker, task)

    monkeypatch.setattr(shards, "_ask", overtaken)
    assert len(load(mine, workers=1)) == 5 and asked


def test_a_folder_that_cannot_be_written_is_named(mine: Path) -> None:
    (mine.parent / "molecules").write_text("in the way")
    with pytest.raises(DataError, match="molecules/.* cannot be written"):
        load(mine)


def test_a_damaged_result_is_named(mine: Path) -> None:
    load(mine)
    (stored,) = mine.parent.glob("molecules/*/graphs.safetensors")
    stored.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(DataError, match=r"graphs.safetensors is missing or damaged .*Delete .* and load again"):
        load(mine)
    with pytest.raises(DataError, match="is missing or damaged"):
        open_corpus(mine.parent)


def test_the_worker_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"smiles": ["CCO", "xx"], "path": str(tmp_path / "a.npz"), "vocab": "ogb", "scaffolds": True}
    lines = [json.dumps(good), json.dumps(good | {"vocab": "mine"})]
    monkeypatch.setattr("sys.stdin", iter(lines))
    monkeypatch.setattr("sys.stdout", sys.stdout)  # put back afterwards
    shards.main()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "ok" and said[1].startswith("ValueError: expected vocab")
    packed = shards.read_shard(tmp_path / "a.npz")
    assert packed.scaffolds == [("", "")] and packed.failed == [(1, "not a SMILES")]


@pytest.mark.slow
def test_zinc(graphcl_home: Path, tmp_path: Path) -> None:
    path = graphcl_home / "zinc250k" / "smiles.csv.gz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    dataset = load_molecules(path, root=tmp_path)
    assert (len(dataset), dataset.skipped) == (249455, ())
    assert dataset._data.x.size(0) / len(dataset) == pytest.approx(23.15, abs=0.005)
