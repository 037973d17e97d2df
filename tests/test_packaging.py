"""What is installed, and the files around the package, agree with each other and with the tree."""

import ast
import configparser
import fnmatch
import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import graphcl

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "graphcl"
CARDS = ROOT / "datasets"
GENERATED = {"raw", "processed", "runs", "build", "dist", "__pycache__", "htmlcov", "_build", "venv"}


def tree(folder: Path) -> Iterator[Path]:
    """The files below `folder` that belong to the project: nothing generated, no hidden folder but .github."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif path.name == ".github" or not (
            path.name.startswith(".") or path.name in GENERATED or path.suffix == ".egg-info"
        ):
            yield from tree(path)


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def lines(text: str) -> list[str]:
    """The entries of a setup.cfg list, without comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_declared_packages_are_the_folders_on_disk(setup: configparser.ConfigParser) -> None:
    on_disk = {".".join(path.parent.relative_to(ROOT).parts) for path in tree(PACKAGE) if path.suffix == ".py"}
    assert set(lines(setup["options"]["packages"])) == on_disk | {"graphcl._datasets"}
    assert lines(setup["options"]["package_dir"]) == ["graphcl._datasets = datasets"]


def test_every_package_folder_has_an_init() -> None:
    folders = {path.parent for path in tree(PACKAGE) if path.suffix == ".py"}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_datasets_is_no_package() -> None:
    # `import datasets` from the checkout would otherwise find our cards instead of the well-known package.
    assert list(CARDS.rglob("__init__.py")) == []
    assert (CARDS / "GRAPHCL_DATASETS").is_file()
    assert not (PACKAGE / "_datasets").exists()


def test_every_file_of_datasets_is_in_the_wheel(setup: configparser.ConfigParser) -> None:
    patterns = lines(setup["options.package_data"]["graphcl._datasets"])
    names = [path.relative_to(CARDS) for path in tree(CARDS)]
    # The number of folders counts as well: setuptools does not let * cross one.
    missed = [
        str(name)
        for name in names
        if not any(p.count("/") == len(name.parts) - 1 and fnmatch.fnmatch(name.as_posix(), p) for p in patterns)
    ]
    assert missed == []


def test_the_package_says_that_it_is_typed(setup: configparser.ConfigParser) -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert "py.typed" in lines(setup["options.package_data"]["graphcl"])


def test_one_version_everywhere(setup: configparser.ConfigParser) -> None:
    version = setup["metadata"]["version"]
    # The package asks its own installation; a source tree that was never installed does not know.
    assert graphcl.__version__ in (version, "0+unknown")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version


def test_entry_point_is_callable(setup: configparser.ConfigParser) -> None:
    (entry,) = lines(setup["options.entry_points"]["console_scripts"])
    name, _, target = entry.partition(" = ")
    module, _, function = target.partition(":")
    assert name == "graphcl"
    assert callable(getattr(importlib.import_module(module), function))


def test_constraints_pin_what_setup_cfg_asks_for(setup: configparser.ConfigParser) -> None:
    pins = dict(line.split("==") for line in lines((ROOT / "constraints.txt").read_text()))
    extras = setup["options.extras_require"]
    asked = [Requirement(line) for line in lines(setup["options"]["install_requires"])]
    asked += [
        Requirement(line) for name in ("molecules", "plot", "docs", "test", "dev") for line in lines(extras[name])
    ]
    versions = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    wrong = [
        str(item)
        for item in asked
        if item.name != "graphcl"
        and not item.specifier.contains(versions.get(item.name.lower().replace("_", "-"), "0"))
    ]
    assert wrong == []
    assert pins["torch"] == "2.13.0"  # without +cpu, so that the same pin serves CUDA builds


def test_imported_packages_are_declared(setup: configparser.ConfigParser) -> None:
    declared = {Requirement(line).name for line in lines(setup["options"]["install_requires"])}
    for extra in ("molecules", "parquet", "plot", "partition", "ann", "tensorboard"):
        declared |= {Requirement(line).name for line in lines(setup["options.extras_require"][extra])}
    import_names = {"scikit-learn": "sklearn", "PyYAML": "yaml", "torch-geometric": "torch_geometric"}
    import_names |= {"faiss-cpu": "faiss"}
    known = {import_names.get(name, name) for name in declared} | {"graphcl"} | set(sys.stdlib_module_names)
    known |= {"joblib"}  # comes with scikit-learn, by its own declaration
    known |= {"triton", "pyg_lib"}  # used where torch or the user brings them, never asked for
    found = set()
    for path in tree(PACKAGE):
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    found.add(node.module.split(".")[0])
    assert found - known == set()


def test_every_yaml_in_the_repository_parses() -> None:
    files = [path for path in tree(ROOT) if path.suffix in (".yaml", ".yml", ".cff")]
    assert ROOT / ".github" / "workflows" / "tests.yml" in files
    for path in files:
        assert isinstance(yaml.safe_load(path.read_text()), dict), f"{path}: expected a YAML mapping"


def test_workflow_actions_are_pinned_by_hash() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for action in re.findall(r"uses:\s*(\S+)", path.read_text()):
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), f"{path.name}: {action}"


def test_readme_starts_with_two_commands_of_one_line_each() -> None:
    top = (ROOT / "README.md").read_text().split("\n## ")[0]
    blocks = re.findall(r"^```\w*\n(.*?)^```", top, re.MULTILINE | re.DOTALL)
    assert [block.count("\n") for block in blocks] == [1, 1]
    main, tests = blocks
    for command in blocks:  # complete on its own: makes its environment, and installs the tested versions into it
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert "-c constraints.txt" in command
    assert "graphcl pretrain" in main
    assert tests.rstrip().endswith("-m pytest -n auto")


def test_ci_script_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_wheel_holds_the_package_and_the_cards_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for path in tree(ROOT):
        name = path.relative_to(ROOT)
        if name.parts[0] not in ("tests", "benchmarks", "examples", "docs"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, source / name)
    # Without build isolation, so that no network is needed: torch brings setuptools.
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    subprocess.run(build, cwd=source, check=True, capture_output=True, text=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    code = {path.relative_to(ROOT).as_posix() for path in tree(PACKAGE)}
    cards = {"graphcl/_datasets/" + path.relative_to(CARDS).as_posix() for path in tree(CARDS)}
    assert inside == code | cards
