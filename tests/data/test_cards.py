"""Cards: those that are shipped are true and complete, and a malformed one is named with its key."""

import dataclasses
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from graphcl.data import Card, card, cards
from graphcl.data.cards import (
    DEFAULT_FEATURES,
    MARKER,
    Published,
    card_folder,
    index_table,
    legible_cards,
    write_card,
)
from graphcl.data.features import FEATURES
from graphcl.errors import DataError

SHIPPED = sorted(path.parent.name for path in card_folder().glob("*/card.yaml"))
PROTOCOLS = {
    "tu-rbf-svm", "tu-rbf-svm-scaled", "tu-linear-svm", "node-linear-public", "node-linear-random-10-10-80",
    "node-fixed-splits", "node-bgrl-20-80", "node-grace-10-90", "ogb-linear", "ogb-link", "semi-supervised-1",
    "semi-supervised-10", "knn", "kmeans", "link", "moleculenet-linear", "moleculenet-finetune", "ogb-finetune",
}  # fmt: skip

# Averages as published with the collection: graphs, nodes, undirected edges.
AVERAGES = {
    "MUTAG": (188, 17.93, 19.79),
    "PTC_MR": (344, 14.29, 14.69),
    "PROTEINS": (1113, 39.06, 72.82),
    "NCI1": (4110, 29.87, 32.30),
    "IMDB-BINARY": (1000, 19.77, 96.53),
    "IMDB-MULTI": (1500, 13.00, 65.94),
    "DD": (1178, 284.32, 715.66),
    "REDDIT-BINARY": (2000, 429.63, 497.75),
    "COLLAB": (5000, 74.49, 2457.22),  # published with 2837 self loops: 2457.78
}


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAPHCL_HOME", str(tmp_path / "home"))


@pytest.fixture
def module() -> ModuleType:
    return sys.modules["graphcl.data.cards"]


def minimal(**changes: Any) -> dict[str, Any]:
    content = {
        "name": "MINE", "title": "A test", "loader": "tu", "level": "graph", "task": "classification",
        "metric": "accuracy", "licence": "MIT", "citation": "nobody", "source": "nowhere",
        "counts": {"graphs": 3, "nodes": 8, "edges": 12, "features": 3, "edge_features": 0, "classes": 2},
    }  # fmt: skip
    return {key: value for key, value in (content | changes).items() if value is not ...}


def put(tmp_path: Path, content: object, name: str = "MINE") -> Path:
    path = tmp_path / "home" / "cards" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


# --- the shipped cards ------------------------------------------------------------------------------------------------


def test_the_sets_of_the_main_job_are_there() -> None:
    assert {*AVERAGES, "synthetic-molecules", "synthetic-circles", "synthetic-social", "karate"} <= set(SHIPPED)
    assert [entry.name for entry in cards()] == sorted(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_is_complete(name: str) -> None:
    entry = card(name)
    assert entry.path == card_folder() / name / "card.yaml"
    assert (entry.features is not None) == (entry.counts.get("features") == 0)
    assert entry.protocols
    assert set(entry.protocols) <= PROTOCOLS
    for score in entry.published:
        assert score.protocol in entry.protocols or score.protocol.startswith("other: ")
        assert 0 < score.mean < 100
        assert score.source
    assert len(entry.published) == len({(score.method, score.protocol) for score in entry.published})


@pytest.mark.parametrize("name", AVERAGES)
def test_counts_agree_with_the_published_averages(name: str) -> None:
    counts = card(name).counts
    graphs, nodes, edges = AVERAGES[name]
    assert counts["graphs"] == graphs
    assert counts["nodes"] / graphs == pytest.approx(nodes, abs=0.005)
    assert counts["edges"] / 2 / graphs == pytest.approx(edges, abs=0.0051)


def test_the_targets_of_the_main_job_are_on_the_cards() -> None:
    wanted = {"MUTAG": (86.80, 1.34), "PROTEINS": (74.39, 0.45), "NCI1": (77.87, 0.41), "IMDB-BINARY": (71.14, 0.44)}
    for name, target in wanted.items():
        scores = [s for s in card(name).published if (s.method, s.protocol) == ("GraphCL", "tu-rbf-svm")]
        assert [(score.mean, score.std) for score in scores] == [target]


# As PyTorch Geometric's documentation has them; the edges of the heterophilous sets are counted once there, WikiCS's
# and ogbn-arxiv's with direction.
NODE_SETS = {
    "Cora": (2708, 10556, 1433, 7),
    "CiteSeer": (3327, 9104, 3703, 6),
    "PubMed": (19717, 88648, 500, 3),
    "Cora_ML": (2995, 16316, 2879, 7),
    "Actor": (7600, 30019, 932, 5),
    "Minesweeper": (10000, 2 * 39402, 7, 2),
    "Cornell": (183, 298, 1703, 5),
    "Texas": (183, 325, 1703, 5),
    "Wisconsin": (251, 515, 1703, 5),
    "Amazon-Computers": (13752, 491722, 767, 10),
    "Amazon-Photo": (7650, 238162, 745, 8),
    "Coauthor-CS": (18333, 163788, 6805, 15),
    "Coauthor-Physics": (34493, 495924, 8415, 5),
    "WikiCS": (11701, 431726, 300, 10),
    "DBLP": (17716, 105734, 1639, 4),
    "Roman-empire": (22662, 2 * 32927, 300, 18),
    "Amazon-ratings": (24492, 2 * 93050, 300, 5),
    "Tolokers": (11758, 2 * 519000, 10, 2),
    "Questions": (48921, 2 * 153540, 301, 2),
    "Chameleon": (2277, 36101, 2325, 5),
    "Squirrel": (5201, 217073, 2089, 5),
    "ogbn-arxiv": (169343, 2315598, 128, 40),
    "ogbn-products": (2449029, 123718280, 100, 47),
}


@pytest.mark.parametrize("name", NODE_SETS)
def test_counts_of_node_sets_are_the_documented_ones(name: str) -> None:
    entry = card(name)
    keys = ("nodes", "edges", "features", "classes")
    assert tuple(entry.counts[key] for key in keys) == NODE_SETS[name]
    assert (entry.level, entry.counts["graphs"]) == ("node", 1)
    assert entry.loader == ("ogb" if name.startswith("ogb") else "pyg")


@pytest.mark.parametrize(
    "name",
    [
        "PubMed",
        "WikiCS",
        "Amazon-Photo",
        "Coauthor-CS",
        "ogbn-arxiv",
        "ogbl-collab",
        "Questions",
        "ogbg-molmuv",
        "ENZYMES",
    ],
)
def test_counts_that_were_not_measured_say_so(name: str) -> None:
    assert any(re.search("ha(s|ve) not been measured", trap) for trap in card(name).traps)
    assert not any("have not been measured" in trap for trap in card("Cora").traps)


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith("ogb")])
def test_ogbs_sets_have_ogbs_task_and_metric(name: str) -> None:
    from graphcl.data.ogb import facts_of

    entry, facts = card(name), facts_of(name)
    of_ogb = {"auc": "rocauc", "acc": "accuracy"}.get(facts["eval metric"], facts["eval metric"])
    assert (entry.metric, entry.source) == (of_ogb, facts["url"])
    assert entry.task in ("link-prediction", "classification", "regression")
    assert facts["task type"].replace(" ", "-").endswith(entry.task)


def test_the_targets_of_node_classification_are_on_the_cards() -> None:
    wanted = {
        "Cora": {"DGI": 82.3, "MVGRL": 83.5, "CCA-SSG": 84.0},
        "CiteSeer": {"DGI": 71.8, "MVGRL": 73.3, "CCA-SSG": 73.1},
    }
    for name, target in wanted.items():
        scores = {s.method: s.mean for s in card(name).published if s.protocol == "node-linear-public"}
        assert {method: scores[method] for method in target} == target


def test_the_index_in_the_readme_is_current() -> None:
    shipped = tuple(entry for entry in cards() if entry.name in SHIPPED)
    readme = (card_folder() / "README.md").read_text(encoding="utf-8")
    assert index_table(shipped) in readme, "put the output of index_table(cards()) into datasets/README.md"


def test_the_folder_is_never_a_package() -> None:
    # `import datasets` from the checkout must find the well-known package, not the cards.
    assert not list(card_folder().rglob("__init__.py"))
    assert (card_folder() / MARKER).is_file()


def test_the_folder_is_found_by_its_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "graphcl" / "data" / "cards.py"))
    for place in ("datasets", "graphcl/_datasets"):
        (tmp_path / place).mkdir(parents=True)
    with pytest.raises(DataError, match="cards are missing from this installation"):
        card_folder()
    (tmp_path / "datasets" / MARKER).touch()
    assert card_folder() == tmp_path / "datasets"
    (tmp_path / "graphcl/_datasets" / MARKER).touch()
    assert card_folder() == tmp_path / "graphcl/_datasets"


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "name"), [("mutag", "MUTAG"), ("KARATE", "karate"), ("Ogbg-MolHIV", "ogbg-molhiv")])
def test_upper_and_lower_case_are_one(typed: str, name: str) -> None:
    assert card(typed).name == name


def test_upper_and_lower_case_tell_two_names_apart(tmp_path: Path) -> None:
    write_card(dataclasses.replace(card("MUTAG"), name="mutag", path=tmp_path / "cards" / "mutag.yaml"))
    assert [card(name, root=tmp_path).name for name in ("mutag", "MUTAG")] == ["mutag", "MUTAG"]
    with pytest.raises(DataError, match="unknown data set 'Mutag'"):
        card("Mutag", root=tmp_path)


@pytest.mark.parametrize(
    ("name", "near"),
    [("mutga", "MUTAG"), ("PROTEIN", "PROTEINS"), ("imdb-binery", "IMDB-BINARY"), ("Karata", "karate")],
)
def test_an_unknown_name_lists_near_ones(name: str, near: str) -> None:
    with pytest.raises(DataError, match=rf"unknown data set '{name}'\. Near names: .*{near}.*'graphcl datasets list'"):
        card(name)


@pytest.mark.parametrize("name", ["ogbn-proteins", "ogbn-mag", "ogbl-citation2", "ogbg-code2"])
def test_a_set_of_ogb_without_a_card_is_not_to_be_added_from_files(name: str) -> None:
    with pytest.raises(
        DataError, match=rf"'{name}' is not a set of the Open Graph Benchmark that can be scored here"
    ) as e:
        card(name)
    assert "datasets add" not in str(e.value)


def test_a_name_like_no_other_lists_none() -> None:
    with pytest.raises(DataError, match=r"data set 'zzzzzz'\. 'graphcl datasets list' .*of one graph dataset\[0\]"):
        card("zzzzzz")


@pytest.mark.parametrize("file", ["TU/TINY/raw/TINY_A.txt", "TU_zip/TINY.zip"])
def test_files_without_a_card_are_found(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("")
    place = path if path.suffix == ".zip" else path.parent
    with pytest.raises(DataError, match=f"'graphcl datasets add TINY --from {place}' makes one"):
        card("TINY", root=tmp_path)


@pytest.mark.parametrize("name", ["../MUTAG", "MUTAG/card", "", ".", "/etc/passwd"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(DataError, match="unknown data set"):
        card(name)


# --- cards of the user ------------------------------------------------------------------------------------------------


def test_a_users_card_is_found(tmp_path: Path) -> None:
    path = put(tmp_path, minimal())
    entry = card("MINE")
    assert (entry.path, entry.title, entry.counts["nodes"]) == (path, "A test", 8)
    assert (entry.features, entry.protocols, entry.published) == (None, (), ())
    assert "MINE" in [entry.name for entry in cards()]
    assert card("MINE", root=tmp_path / "home") == entry
    with pytest.raises(DataError, match="unknown data set 'MINE'"):
        card("MINE", root=tmp_path)


def test_a_users_card_never_replaces_a_shipped_one(tmp_path: Path) -> None:
    put(tmp_path, minimal(name="MUTAG"), "MUTAG")
    assert card("MUTAG").counts["graphs"] == 188


def test_a_card_is_frozen() -> None:
    entry = card("MUTAG")
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        entry.counts["graphs"] = 1  # type: ignore[index]


def test_a_written_card_reads_back(tmp_path: Path) -> None:
    original = card("IMDB-BINARY")
    path = tmp_path / "home" / "cards" / "COPY.yaml"
    copied = dataclasses.replace(original, name="COPY", path=path, title='colon: "quote" – dash')
    write_card(copied)
    assert card("COPY") == copied
    assert [item.name for item in path.parent.iterdir()] == ["COPY.yaml"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: [", r"MINE\.yaml is not valid YAML"),
        ("- a\n- b\n", r"MINE\.yaml: expected a mapping of card fields, got list"),
        ("", "expected a mapping of card fields, got NoneType"),
        (minimal(title=...), r"key 'title': expected a text, got nothing"),
        (minimal(licence=3), r"key 'licence': expected a text, got 3"),
        (minimal(citation=" "), r"key 'citation': expected a text"),
        (
            minimal(loader="csv"),
            r"key 'loader': expected one of tu, embedded, pyg, ogb, moleculenet, labelled, got 'csv'",
        ),
        (minimal(level="edge"), r"key 'level': expected one of graph, node, link, got 'edge'"),
        (minimal(task="guessing"), r"key 'task': expected one of classification, regression"),
        (minimal(name="YOURS"), r"key 'name': expected 'MINE' as the path says, got 'YOURS'"),
        (minimal(licens="MIT"), r"key 'licens': unknown, did you mean 'licence'\?"),
        (minimal(xyzzy=1), r"key 'xyzzy': unknown\."),
        (minimal(counts=...), r"key 'counts': expected a mapping with graphs, nodes"),
        (minimal(counts={"graphs": None}), r"key 'counts\.graphs': expected an integer >= 0 .*, got None"),
        (minimal(counts=minimal()["counts"] | {"edges": -1}), r"key 'counts\.edges': .*, got -1"),
        (minimal(counts=minimal()["counts"] | {"edges": 1.5}), r"key 'counts\.edges': .*, got 1\.5"),
        (
            minimal(counts=minimal()["counts"] | {"loops": 1}),
            r"key 'counts\.loops': expected an integer >= 0 under one",
        ),
        (minimal(arguments=[1]), r"key 'arguments': expected a mapping, got \[1\]"),
        (minimal(traps="one"), r"key 'traps': expected a list of texts, got 'one'"),
        (minimal(protocols=[1]), r"key 'protocols': expected a list of texts"),
        (
            minimal(features="original"),
            r"key 'features': expected one of attributes, constant, .* or none, got 'original'",
        ),
        (minimal(published={}), None),
        (minimal(published="x"), r"key 'published': expected a list"),
        (minimal(published=[{"method": "A"}]), r"key 'published\[0\]': expected method, protocol, mean, source, std"),
        (minimal(published=[3]), r"key 'published\[0\]': expected method"),
        (
            minimal(published=[{"method": "A", "protocol": "p", "mean": "high", "source": "s"}]),
            r"key 'published\[0\]\.mean': expected a number, got 'high'",
        ),
        (
            minimal(published=[{"method": 1, "protocol": "p", "mean": 1, "source": "s"}]),
            r"key 'published\[0\]\.method': expected a text, got 1",
        ),
    ],
)
def test_a_malformed_card_names_file_and_key(tmp_path: Path, content: object, message: str | None) -> None:
    path = put(tmp_path, content)
    if message is None:
        assert card("MINE").published == ()
        return
    with pytest.raises(DataError, match=message) as caught:
        card("MINE")
    assert str(path) in str(caught.value)


def test_a_card_that_cannot_be_read_is_told_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "Broken.yaml").write_text("name: [")
    found, faults = legible_cards(root=tmp_path)
    assert found == list(cards()) and len(faults) == 1 and "Broken.yaml is not valid YAML" in str(faults[0])
    with pytest.raises(DataError, match="Broken.yaml"):
        cards(root=tmp_path)


def test_published_scores_may_lack_a_spread(tmp_path: Path) -> None:
    put(tmp_path, minimal(published=[{"method": "A", "protocol": "other: p", "mean": 80, "source": "s"}]))
    assert card("MINE").published == (Published("A", "other: p", 80, "s"),)


def test_the_choices_of_features_are_those_that_exist() -> None:
    assert {"original", "normalized", *DEFAULT_FEATURES} == {"attributes", *FEATURES}


def test_the_index_has_one_row_per_card() -> None:
    entries: tuple[Card, ...] = (card("MUTAG"), card("IMDB-BINARY"))
    lines = index_table(entries).splitlines()
    assert len(lines) == 4
    assert "| 188 | 3,371 | 7,442 | 7 | 2 |" in lines[2]
    assert "| none (constant) |" in lines[3]
    assert {line.count("|") for line in lines} == {10}
