"""What the tests of the command line share: a folder of their own, data as a user has it, a run, and a refusal."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import graphcl
from graphcl.cli import main
from graphcl.data import moleculenet

FAST = ["--epochs", "2", "--hidden", "4", "--layers", "1", "--threads", "1", "--device", "cpu"]
# Rings of their own, so that a scaffold split has something to split.
CORES = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCCC1", "C1CCNCC1", "c1ccsc1", "C1CCOCC1", "c1ccoc1"]
SMILES = [f"{'C' * (1 + i % 5)}{'ON'[i % 2]}C{core}" for core in CORES for i in range(6)]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs land in a scratch folder, and no data of the user's is seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHCL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GRAPHCL_DEBUG", raising=False)


@pytest.fixture
def fast() -> list[str]:
    """Options that make pretraining on graphs a matter of a second."""
    return list(FAST)


@pytest.fixture
def fast_molecules() -> list[str]:
    """The same on molecules."""
    return [*FAST, "--epochs", "1", "--hidden", "8", "--layers", "2", "--batch-size", "16"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, which is not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["pretrain", "--out", str(folder), *FAST]) == 0
    return folder


@pytest.fixture
def run(trained: Path) -> Path:
    """A run of the test's own, in the folder it runs in."""
    return Path(shutil.copytree(trained, "run"))


@pytest.fixture
def environment() -> dict[str, str]:
    """Variables for a process in which the package that is tested here is found, not another one that is installed."""
    package = str(Path(graphcl.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail for a reason and leave all files as they were; returns the message."""

    def there() -> dict[Path, bytes | None]:
        paths = sorted(path for path in Path().rglob("*") if path.parts[0] != "home")  # where what was read is kept
        return {path: path.read_bytes() if path.is_file() else None for path in paths}

    def refuse(*arguments: str) -> str:
        before = there()
        capsys.readouterr()
        assert main(list(arguments)) == 2
        error = capsys.readouterr().err
        assert error.startswith("graphcl: error: ") and "Traceback" not in error
        assert there() == before, "something was written"
        return error

    return refuse


@pytest.fixture
def rings(tmp_path: Path) -> Path:
    """The raw files of a hand-written TU set of 24 graphs."""
    raw = tmp_path / "download"
    raw.mkdir()
    edges, indicator, labels, node = [], [], [], 1
    for graph in range(24):
        size = 4 + graph % 5
        ring = [(node + i, node + (i + 1) % size) for i in range(size)]
        edges += ring + [(b, a) for a, b in ring]
        indicator += [graph + 1] * size
        labels.append(graph % 2)
        node += size
    (raw / "Rings_A.txt").write_text("".join(f"{a}, {b}\n" for a, b in edges))
    (raw / "Rings_graph_indicator.txt").write_text("".join(f"{g}\n" for g in indicator))
    (raw / "Rings_graph_labels.txt").write_text("".join(f"{label}\n" for label in labels))
    return raw


@pytest.fixture
def molecules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two labelled sets of molecules in the data folder, and a file; returns the SMILES of the sets."""
    pytest.importorskip("rdkit", reason="needs the extra molecules")
    rows = [f"{text},{i % 2},{'' if i % 3 else (i // 2) % 2},{0.1 * i}" for i, text in enumerate(SMILES)]
    _add_set(monkeypatch, "Tiny", rows, ("a", "b"), "classification")
    _add_set(monkeypatch, "TinyValues", rows, ("c",), "regression")
    with gzip.open("my.smi.gz", "wt") as file:
        file.write("\n".join([*SMILES[:20], "nonsense", *(f"CCC{text}" for text in SMILES)]) + "\n")
    return list(SMILES)


def _add_set(monkeypatch: pytest.MonkeyPatch, name: str, rows: list[str], tasks: tuple[str, ...], task: str) -> None:
    """A set in MoleculeNet's form, with a card of the user's."""
    home = Path("home")
    raw = home / "MoleculeNet" / name.lower() / "raw"
    raw.mkdir(parents=True)
    (raw / f"{name}.csv").write_text("\n".join(["smiles,a,b,c", *rows]) + "\n")
    monkeypatch.setitem(moleculenet.MOLECULENET, name, moleculenet.Source(f"{name}.csv", tasks))  # type: ignore[arg-type]
    dataset = moleculenet.load_moleculenet(name, home)
    counts = {"graphs": len(dataset), "nodes": dataset._data.num_nodes, "edges": dataset._data.num_edges}
    counts |= {"features": 9, "edge_features": 3, "classes": 2 if task == "classification" else 0}
    card = dict.fromkeys(("title", "licence", "citation", "source"), "made up")
    card |= {"name": name, "loader": "moleculenet", "level": "graph", "task": task, "metric": "rocauc"}  # type: ignore[dict-item]
    (home / "cards").mkdir(exist_ok=True)
    (home / "cards" / f"{name}.yaml").write_text(yaml.safe_dump({**card, "counts": counts}))
