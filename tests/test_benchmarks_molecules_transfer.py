"""The benchmark of molecules in a tiny setting: a whole table, and nothing done twice."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphcl.data import moleculenet
from graphcl.evaluate import read_results

pytest.importorskip("rdkit", reason="needs the extra molecules")

ROOT = Path(__file__).resolve().parent.parent
CORES = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCCC1", "C1CCNCC1", "c1ccsc1", "C1CCOCC1", "c1ccoc1"]
SMILES = [f"{'C' * (1 + i % 5)}{'ON'[i % 2]}C{core}" for core in CORES for i in range(6)]


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHCL_HOME", str(tmp_path / "home"))
    raw = tmp_path / "home" / "MoleculeNet" / "tiny" / "raw"
    raw.mkdir(parents=True)
    (raw / "tiny.csv").write_text("smiles,a\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(SMILES)))
    (tmp_path / "corpus.csv").write_text("\n".join(["smiles", SMILES[0], *(f"CCCCC{text}" for text in SMILES)]) + "\n")
    monkeypatch.setitem(moleculenet.MOLECULENET, "Tiny", moleculenet.Source("tiny.csv", ("a",)))  # type: ignore[arg-type]
    data = moleculenet.load_moleculenet("Tiny", tmp_path / "home")._data
    counts = {"graphs": 48, "nodes": data.num_nodes, "edges": data.num_edges, "features": 9, "edge_features": 3}
    card: dict[str, Any] = dict.fromkeys(("title", "licence", "citation", "source"), "made up")
    card |= {"name": "Tiny", "loader": "moleculenet", "level": "graph", "task": "classification", "metric": "rocauc"}
    (tmp_path / "home" / "cards").mkdir()
    (tmp_path / "home" / "cards" / "Tiny.yaml").write_text(yaml.safe_dump(card | {"counts": counts | {"classes": 2}}))
    spec = importlib.util.spec_from_file_location("molecules_transfer", ROOT / "benchmarks" / "molecules_transfer.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_whole_table_and_nothing_twice(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = [
        "--data",
        "corpus.csv",
        "--datasets",
        "Tiny",
        "--methods",
        "graphcl",
        "cross-modal",
        "--seeds",
        "2",
        "--pretrained",
        "2",
    ]
    tiny += ["--epochs", "1", "--tune-epochs", "1", "--batch-size", "16", "--hidden", "8", "--layers", "2"]
    tiny += ["--out", "out/molecules.csv", "--runs", "runs", "--limit", "30"]
    benchmark.main(tiny)
    assert "29 of 30 molecules to pretrain on" in capsys.readouterr().err
    rows = read_results("out/molecules.csv")
    assert [row.method for row in rows] == [
        *("raw", "untrained-init", "untrained", "GraphCL", "CrossModal", "properties", "fingerprint"),
        *("scratch", "GraphCL", "CrossModal"),
    ]
    assert {row.seeds for row in rows} == {2} and {row.metric for row in rows} == {"auc"}
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        *("cross-modal-0", "cross-modal-1", "graphcl-0", "graphcl-1")
    ]
    for name in ("fit", "without_overlap"):
        monkeypatch.setattr(benchmark, name, lambda *a, **k: pytest.fail("done twice"))
    benchmark.main(tiny)
    assert [row.mean for row in read_results("out/molecules.csv")] == [row.mean for row in rows]
    with pytest.raises(SystemExit, match="is a run with another epochs"):
        benchmark.main([*tiny, "--epochs", "2"])
