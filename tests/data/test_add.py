"""Adding a data set from disk: all of it or nothing, and never over another one."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from torch_geometric.datasets import TUDataset

from graphcl.data import add, add_labelled, card, load
from graphcl.errors import DataError

WriteTU = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TUDataset, "download", lambda self: pytest.fail("must not download"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pack(raw: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in raw.iterdir():
            file.write(path, f"TINY/{path.name}")
    return archive


@pytest.mark.parametrize("packed", [False, True])
def test_a_new_set_gets_a_card_with_measured_counts(
    tmp_path: Path, home: Path, write_tu: WriteTU, packed: bool
) -> None:
    source = write_tu(tmp_path / "source")
    before = tree(source)
    entry = add("TINY", pack(source, tmp_path / "tiny.zip") if packed else str(source), root=home)
    assert entry.path == home / "cards/TINY.yaml"
    assert entry == card("TINY", root=home)
    assert dict(entry.counts) == {
        "graphs": 3, "nodes": 8, "edges": 12, "features": 3, "edge_features": 0, "classes": 2,
    }  # fmt: skip
    assert [graph.num_nodes for graph in load("TINY", root=home)] == [3, 2, 3]
    assert tree(source) == before
    assert sorted(path.name for path in home.iterdir()) == ["TU", "cards"]  # no scratch folder is left


def test_a_featureless_set_asks_for_a_choice_when_it_is_loaded(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    entry = add("TINY", write_tu(tmp_path / "source", node_labels=None), root=home)
    assert (entry.features, entry.counts["features"]) == (None, 0)
    with pytest.raises(DataError, match="TINY has no node features"):
        load("TINY", root=home)
    assert load("TINY", root=home, features="constant").num_node_features == 1


def test_attributes_are_the_features_of_a_set_without_labels_of_nodes(
    tmp_path: Path, home: Path, write_tu: WriteTU
) -> None:
    attributes = "".join(f"{i}, 0.5\n" for i in range(8))
    entry = add("TINY", write_tu(tmp_path / "source", node_labels=None, node_attributes=attributes), root=home)
    assert (entry.features, entry.counts["features"]) == ("attributes", 0)
    assert load("TINY", root=home)[1].x.tolist() == [[3, 0.5], [4, 0.5]]
    assert load("TINY", root=home, features="constant").num_node_features == 1
    with_both = write_tu(tmp_path / "both", "BOTH", node_attributes=attributes)
    assert add("BOTH", with_both, root=home).features is None  # as PyTorch Geometric has it


def test_a_regression_set_is_recognised(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    source = write_tu(tmp_path / "source", graph_labels=None, graph_attributes="0.5\n1.5\n-1\n")
    entry = add("TINY", source, root=home)
    assert (entry.task, entry.metric, entry.counts["classes"]) == ("regression", "rmse", 0)
    assert load("TINY", root=home)[1].y.item() == 1.5


def test_the_same_files_may_be_added_again(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    source = write_tu(tmp_path / "source")
    first = add("TINY", source, root=home)
    before = tree(home)
    assert add("TINY", source, root=home) == first
    assert tree(home) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"graph_labels": "1\n1\n1\n"}, r"has another TINY_graph_labels\.txt"),
        ({"graph_labels": "-1\n-1\n1\n"}, r"has another TINY_graph_labels\.txt"),
        ({"node_labels": None}, r"has TINY_node_labels\.txt"),
        ({"edge_labels": "0\n" * 12}, r"lacks TINY_edge_labels\.txt"),
    ],
)
def test_other_files_never_replace_a_set(
    tmp_path: Path, home: Path, write_tu: WriteTU, changes: dict[str, str | None], message: str
) -> None:
    add("TINY", write_tu(tmp_path / "source"), root=home)
    before = tree(home)
    with pytest.raises(DataError, match=rf"already holds TINY.*it {message}.*nothing was changed"):
        add("TINY", write_tu(tmp_path / "other", **changes), root=home)
    assert tree(home) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"A": None}, r"holds no TINY_A\.txt"),
        ({"graph_labels": None}, r"lacks TINY_graph_labels\.txt"),
        ({"node_labels": "1\n"}, r"TINY_node_labels\.txt ends after line 1: expected 8"),
        ({"A": "1, 2\n2, 1\n4, 5\n5, 4\n"}, "it loses graphs without edges at the end"),
    ],
)
def test_a_faulty_source_leaves_nothing(
    tmp_path: Path, home: Path, write_tu: WriteTU, changes: dict[str, str | None], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        add("TINY", write_tu(tmp_path / "source", **changes), root=home)
    assert not home.exists()


def test_a_set_with_a_shipped_card_must_agree_with_it(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    with pytest.raises(DataError, match=r"MUTAG is not what its card .* says: got 3 graphs \(expected 188\)"):
        add("MUTAG", write_tu(tmp_path / "source", "MUTAG"), root=home)
    assert not home.exists()


def test_a_real_set_is_added_under_its_shipped_card(tmp_path: Path, home: Path, graphcl_home: Path) -> None:
    entry = add("MUTAG", graphcl_home / "TU" / "MUTAG", root=home)
    assert entry == card("MUTAG")
    assert not (home / "cards").exists()
    assert len(load("MUTAG", root=home)) == 188


@pytest.mark.parametrize("name", ["../TINY", "a/b", "", ".hidden", "a b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, home: Path, name: str) -> None:
    with pytest.raises(DataError, match="expected a name of letters"):
        add(name, tmp_path, root=home)


def test_a_source_that_is_not_there_is_named(tmp_path: Path, home: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        add("TINY", tmp_path / "nowhere", root=home)
    assert not home.exists()


def test_the_name_of_another_set_of_the_package_is_refused(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    with pytest.raises(DataError, match="karate is made by the package and needs no files: to add other data, choose"):
        add("karate", write_tu(tmp_path / "source", "karate"), root=home)
    with pytest.raises(DataError, match="Cora is downloaded when it is loaded; where that fails, the error says"):
        add("Cora", write_tu(tmp_path / "source", "Cora"), root=home)


def test_empty_folders_in_the_way_are_used_and_other_files_are_kept(
    tmp_path: Path, home: Path, write_tu: WriteTU
) -> None:
    source = write_tu(tmp_path / "source")
    (home / "TU/TINY/raw").mkdir(parents=True)
    (home / "TU/TINY/notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"TINY is in the way: it holds notes\.txt, but no raw files"):
        add("TINY", source, root=home)
    assert (home / "TU/TINY/notes.txt").read_text() == "mine"
    (home / "TU/TINY/notes.txt").unlink()
    assert add("TINY", source, root=home).counts["graphs"] == 3


def test_an_unwritable_data_folder_is_named(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    home.write_text("a file where a folder must be")
    with pytest.raises(DataError, match=r"TINY could not be added to .*--root or \$GRAPHCL_HOME"):
        add("TINY", write_tu(tmp_path / "source"), root=home)


def test_a_labelled_set_of_that_name_is_not_replaced(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    pytest.importorskip("rdkit")
    table = tmp_path / "a.csv"
    rows = [f"{'C' * n}c1ccccc1,{n % 2}" for n in range(8)] + ["CC,1", "C1CC1,0", "C1CCC1,1"]
    table.write_text("smiles,y\n" + "\n".join(rows) + "\n")
    add_labelled("TINY", table, ["y"], root=home)
    before = tree(home)
    with pytest.raises(DataError, match="TINY is there already, another data set, as its card"):
        add("TINY", write_tu(tmp_path / "source"), root=home)
    assert tree(home) == before


def test_an_edited_card_is_kept(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    source = write_tu(tmp_path / "source")
    entry = add("TINY", source, root=home)
    entry.path.write_text(entry.path.read_text().replace("licence: not stated", "licence: CC-BY"))
    assert add("TINY", source, root=home).licence == card("TINY", root=home).licence == "CC-BY"


def test_a_name_that_means_a_set_of_the_package(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    with pytest.raises(DataError, match="mutag is what the package's MUTAG is found by"):
        add("mutag", write_tu(tmp_path / "source", name="mutag"), root=home)


def test_errors_name_the_source(tmp_path: Path, home: Path, write_tu: WriteTU) -> None:
    source = write_tu(tmp_path / "source")
    labels = next(source.rglob("TINY_graph_labels.txt"))
    labels.write_text("1.5\n2\n1\n")
    with pytest.raises(DataError) as caught:
        add("TINY", source, root=home)
    assert str(source) in str(caught.value) and ".add-" not in str(caught.value)
