"""The documentation: public names have their place, pages a link, every block of code runs, and Sphinx builds it."""

import builtins
import doctest
import importlib
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import symtable
import sys
from pathlib import Path

import pytest

import graphcl

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GUIDE = sorted((DOCS / "guide").glob("*.md"))
SUBPACKAGES = sorted(
    path.parent.name
    for path in (ROOT / "graphcl").glob("[!_]*/__init__.py")
    if path.parent.name != "cli"  # its reference is --help
)
SEVERAL_PROCESSES = {"several-gpus"}


def listed(page: str) -> list[str]:
    """The full names that a page of the reference lists, in tables and one by one."""
    names, module = [], ""
    for line in (DOCS / "reference" / f"{page}.rst").read_text().splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.match(r"\.\. data:: (\w+)|   (\w+)$", line):
            names.append(f"{module}.{found[1] or found[2]}")
    return names


@pytest.mark.parametrize("page", [*SUBPACKAGES, "errors"])
def test_every_public_name_is_in_the_reference_once(page):
    module = importlib.import_module(f"graphcl.{page}")
    expected = [f"graphcl.{page}.{name}" for name in module.__all__ if not inspect.ismodule(getattr(module, name))]
    for inner in filter(inspect.ismodule, (getattr(module, name) for name in module.__all__)):
        expected += [f"{inner.__name__}.{name}" for name in inner.__all__]
    assert sorted(listed(page)) == sorted(expected)


def test_every_public_name_of_the_package_is_in_the_reference():
    text = (DOCS / "reference" / "index.rst").read_text()
    for name in graphcl.__all__:
        if name != "__version__":
            assert f"graphcl.{name}" in text and getattr(graphcl, name).__doc__
    assert {f"graphcl.pretrained.{name}" for name in ("load", "Pretrained", "names", "save")} <= set(listed("index"))


@pytest.mark.parametrize("page", [*SUBPACKAGES, "losses.functional", "similarity.ranks", "pretrained"])
def test_examples_use_what_the_reference_says_is_imported(page):
    module = importlib.import_module(f"graphcl.{page}")
    at_hand = {*dir(builtins), "torch", "np", "Data", "GraphEncoder"}
    for name in module.__all__:
        value = getattr(module, name)
        members = [value, *vars(value).values()] if isinstance(value, type) else [value]
        for text in filter(None, (getattr(member, "__doc__", None) for member in members if callable(member))):
            source = "".join(example.source for example in doctest.DocTestParser().get_examples(text))
            table = symtable.symtable(source, name, "exec")
            made = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
            assert _read(table) - made - at_hand <= {*module.__all__}, f"the example of {name}"


def _read(table: symtable.SymbolTable) -> set[str]:
    """The names that a piece of code, and what is nested in it, looks up outside of it."""
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() or table.get_type() == "module"}
    return own.union(*map(_read, table.get_children()))


def test_every_page_is_in_a_table_of_contents():
    def linked(page: Path, pattern: str) -> set[Path]:
        trees = re.findall(pattern, page.read_text(), re.M | re.S)
        names = [line.strip() for tree in trees for line in tree.splitlines()]
        return {page.parent / name for name in names if name and name[0] != ":"}

    found = linked(DOCS / "index.md", r"^```\{toctree\}\n(.*?)^```$")
    found |= linked(DOCS / "reference" / "index.rst", r"^\.\. toctree::\n(.*)\Z")
    pages = {
        path.with_suffix("")
        for folder in (DOCS, *map(DOCS.joinpath, ("guide", "reference")))
        for path in folder.iterdir()
        if path.suffix in (".md", ".rst")
    }
    assert found == pages - {DOCS / "index"}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.ddp] if page.stem in SEVERAL_PROCESSES else [], id=page.stem)
        for page in GUIDE
    ],
)
def test_every_block_of_a_guide_runs(page, run_page):
    blocks = re.findall(r"^```(\S*)$", page.read_text(), re.M)[::2]
    assert set(blocks) <= {"python", "sh"}, "a block of another language would not be run"
    run_page(page)


def test_the_example_on_the_first_page_runs(run_page, capsys):
    run_page(DOCS / "index.md", languages=["python"])
    assert "lift over untrained" in capsys.readouterr().out


def test_the_first_page_installs_as_the_readme_does():
    (command,) = re.findall(r"```sh\n(.*?)\n```", (DOCS / "index.md").read_text(), re.S)
    assert f"{command} && " in (ROOT / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="needs the extra docs: pip install '.[docs]'")
def test_sphinx_builds_it_without_a_warning(tmp_path):
    source = shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "generated"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    # "dummy" reads every page and follows every reference; only the HTML, which takes as long again, is not written.
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "dummy",
        str(source),
        str(tmp_path / "out"),
    ]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr
