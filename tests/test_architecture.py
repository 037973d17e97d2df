"""Holds the structure: dependencies point one way, tests mirror the package, importing is light, nothing is unsafe."""

import ast
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "graphcl"
TESTS = ROOT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each part may import from the others. A private module at the top (`graphcl._random`) that is not listed
# knows errors only and is open to all.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "distributed": {"errors"},
    "similarity": {"errors", "distributed"},
    "augment": {"errors"},
    "data": {"errors"},
}
MAY_IMPORT["nn"] = MAY_IMPORT["augment"] | {"similarity", "distributed"}
MAY_IMPORT["losses"] = MAY_IMPORT["similarity"] | {"similarity"}
MAY_IMPORT["methods"] = MAY_IMPORT["losses"] | {"augment", "nn", "losses"}
MAY_IMPORT["train"] = MAY_IMPORT["methods"] | {"methods", "data"}
MAY_IMPORT["evaluate"] = MAY_IMPORT["train"] | {"train"}
MAY_IMPORT["report"] = MAY_IMPORT["evaluate"] | {"evaluate"}
MAY_IMPORT["_recipes"] = MAY_IMPORT["methods"] | {"methods"}  # methods by name, with their settings
MAY_IMPORT["_resolve"] = MAY_IMPORT["_recipes"] | {"_recipes"}  # names of the command line -> instances
MAY_IMPORT["pretrained"] = MAY_IMPORT["train"] | {"train", "_resolve", "_recipes"}  # encoders made by name
MAY_IMPORT["cli"] = MAY_IMPORT["report"] | {"report", "_resolve", "_recipes", "pretrained"}
MAY_IMPORT["__main__"] = {"cli"}

# Configuration stops at the edge: besides the command line, one place reads cards and one writes run folders.
READS_YAML = {"cli/_config_file.py", "data/cards.py", "train/run.py"}
OPTIONAL_OR_HEAVY = {"sklearn", "networkx", "ogb", "rdkit", "yaml", "jsonargparse", "matplotlib", "pymetis", "faiss"}
OPTIONAL_OR_HEAVY |= {"tensorboard", "triton", "pyg_lib"}
# Kernels are made when they are defined: this one file needs Triton, and is imported by functions only.
KERNELS = {"similarity/_triton.py"}

# Tests that belong to a folder, or to the repository, rather than to one module.
FOLDER_TESTS = ("contract", "golden", "distributed", "examples", "benchmarks")
REPOSITORY_TESTS = ("test_architecture.py", "test_docs.py", "test_elsewhere.py", "test_packaging.py", "test_readme.py")


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    """The part of the package that a file belongs to: its sub-package, or its own name."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(tree: ast.AST, path: Path) -> Iterator[str]:
    """The absolute dotted names that a file imports anywhere, `from a import b` as `a.b`."""
    package = ["graphcl", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def imported_parts(path: Path) -> set[str]:
    found = {name.split(".")[1] for name in imports(parse(path), path) if name.startswith("graphcl.")}
    # `from graphcl import __version__` asks for nothing but the root.
    return {part for part in found if (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file()}


def third_parties(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(parse(path), path)}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def at_import(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements that run with the module: not those in functions or under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from at_import(node)


# --- dependencies -----------------------------------------------------------------------------------------------------


def test_dependencies_point_one_way() -> None:
    wrong = []
    for path in MODULES:
        part = part_of(path)
        if part == "__init__":  # the root offers everything, on first use; importing it is measured below
            continue
        private = part.startswith("_")
        assert private or part in MAY_IMPORT, f"graphcl.{part} is new: say in MAY_IMPORT what it may import"
        allowed = MAY_IMPORT.get(part, {"errors"}) | {part}
        found = {p for p in imported_parts(path) if p in MAY_IMPORT or not p.startswith("_")}
        wrong += [f"{name_of(path)}: {p}" for p in sorted(found - allowed)]
    assert wrong == [], "\n".join(wrong)


def test_the_order_has_no_cycle() -> None:
    for part, allowed in MAY_IMPORT.items():
        for other in allowed:
            assert part not in MAY_IMPORT[other], f"{part} and {other} may import each other"


def test_similarity_knows_nothing_of_graphs() -> None:
    files = [path for path in MODULES if part_of(path) == "similarity"]
    assert files
    wrong = [name_of(path) for path in files if "torch_geometric" in third_parties(path)]
    assert wrong == [], "\n".join(wrong)


def test_only_the_edge_reads_configuration() -> None:
    assert [name_of(p) for p in MODULES if "jsonargparse" in third_parties(p) and part_of(p) != "cli"] == []
    assert [name_of(p) for p in MODULES if "yaml" in third_parties(p) and name_of(p) not in READS_YAML] == []


def test_optional_and_heavy_packages_are_imported_where_they_are_used() -> None:
    wrong = []
    for path in (p for p in MODULES if name_of(p) not in KERNELS):
        for node in at_import(parse(path)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            wrong += [f"{name_of(path)}: {name}" for name in names if name.split(".")[0] in OPTIONAL_OR_HEAVY]
    assert wrong == [], "\n".join(wrong)


# --- tests mirror the package -----------------------------------------------------------------------------------------


def test_every_module_has_its_test() -> None:
    public = [path.relative_to(PACKAGE) for path in MODULES if not path.name.startswith("_")]
    mirrors = [path.with_name(f"test_{path.name}") for path in public]
    assert [path.as_posix() for path in mirrors if not (TESTS / path).is_file()] == []


def test_every_test_has_its_module() -> None:
    stray = []
    for path in sorted(TESTS.rglob("test_*.py")):
        relative = path.relative_to(TESTS)
        name = path.stem.removeprefix("test_")
        folder = PACKAGE / relative.parent
        module = any((folder / f"{prefix}{name}.py").is_file() for prefix in ("", "_"))
        of_folder = relative.parts[0] in FOLDER_TESTS or name.startswith(FOLDER_TESTS)
        if not (module or of_folder or relative.as_posix() in REPOSITORY_TESTS):
            stray.append(relative.as_posix())
    assert stray == []


# --- nothing unsafe ---------------------------------------------------------------------------------------------------


def faults(tree: ast.AST, forked: bool = False) -> Iterator[str]:
    """Calls and imports that must not be in the package, each with its line."""
    if isinstance(tree, ast.With):
        # Seeding a fork of the global state leaves no trace: modules draw their initial weights from nowhere else.
        forked = forked or any("fork_rng" in ast.dump(item.context_expr) for item in tree.items)
    if isinstance(tree, ast.Import | ast.ImportFrom):
        names = {a.name for a in tree.names} | ({tree.module} if isinstance(tree, ast.ImportFrom) else set())
        for name in names & {"pickle", "dill", "cloudpickle", "shelve"}:
            yield f"line {tree.lineno}: imports {name}; stored files hold tensors and plain containers only"
    if isinstance(tree, ast.Call):
        called = ast.unparse(tree.func)
        arguments = {k.arg: k.value for k in tree.keywords}
        if called.endswith(("seed_everything", "random.seed")):
            yield f"line {tree.lineno}: {called} seeds a global generator"
        if called.startswith("torch.") and called.endswith(("manual_seed", "manual_seed_all")) and not forked:
            # torch.Generator(...).manual_seed(...) begins with torch. too, but seeds its own.
            if not called.startswith("torch.Generator("):
                yield f"line {tree.lineno}: {called} seeds a global generator; pass generator= or fork the state"
        if called == "torch.load" and not is_constant(arguments.get("weights_only"), True):
            yield f"line {tree.lineno}: torch.load without weights_only=True can run code from the file"
        if called in ("joblib.load", "pandas.read_pickle", "pd.read_pickle"):
            yield f"line {tree.lineno}: {called} can run code from the file"
        if is_constant(arguments.get("weights_only"), False) or is_constant(arguments.get("allow_pickle"), True):
            yield f"line {tree.lineno}: {called} can run code from the file"
        if called in ("eval", "exec", "input"):
            yield f"line {tree.lineno}: calls {called}"
    if isinstance(tree, ast.ExceptHandler):
        broad = tree.type is None or ast.unparse(tree.type) in ("Exception", "BaseException")
        if broad and all(isinstance(node, ast.Pass) for node in tree.body):
            yield f"line {tree.lineno}: swallows every error"
    for child in ast.iter_child_nodes(tree):
        yield from faults(child, forked)


def is_constant(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_nothing_unsafe_or_globally_seeded() -> None:
    files = [*MODULES, *sorted((ROOT / "examples").rglob("*.py"))]
    assert [f"{path.relative_to(ROOT)}, {fault}" for path in files for fault in faults(parse(path))] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "joblib.load(f)",
        "from pickle import loads",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)",
        "torch.manual_seed(0)",
        "torch.cuda.manual_seed_all(0)",
        "np.random.seed(0)",
        "try:\n    f()\nexcept Exception:\n    pass",
    ],
)
def test_the_search_for_faults_finds_them(code: str) -> None:
    assert len(list(faults(ast.parse(code)))) >= 1


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(f, weights_only=True)",
        "torch.Generator(device='cpu').manual_seed(0)",
        "generator.manual_seed(0)",
        "with torch.random.fork_rng():\n    torch.manual_seed(0)",
        "model.eval()",
        "try:\n    f()\nexcept KeyError:\n    pass",
    ],
)
def test_the_search_for_faults_accuses_nobody_else(code: str) -> None:
    assert list(faults(ast.parse(code))) == []


# --- importing is light -----------------------------------------------------------------------------------------------


def run(code: str) -> str:
    """The output of `code` in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_is_lazy() -> None:
    loaded = run(
        """
        import sys
        import torch, torch_geometric
        before = set(sys.modules)
        import graphcl
        print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
        """
    )
    heavy = {"sklearn", "ogb", "rdkit", "jsonargparse", "networkx", "matplotlib", "scipy", "pandas", "yaml", "outdated"}
    assert set(loaded.split()) & heavy == set()


def test_import_adds_little_time() -> None:
    # What torch and torch_geometric cost is not ours. The least of a few runs, because noise only ever adds.
    code = """
        import time
        import torch, torch_geometric
        start = time.perf_counter()
        import graphcl
        print(time.perf_counter() - start)
        """
    least = float("inf")
    for _ in range(4):
        least = min(least, float(run(code)))
        if least < 0.3:
            break
    assert least < 0.3, f"import graphcl adds {least:.2f} s"


def test_import_works_without_the_optional_packages() -> None:
    run(
        """
        import sys
        for name in ("jsonargparse", "yaml", "ogb", "rdkit", "sklearn", "networkx", "matplotlib", "beartype"):
            sys.modules[name] = None
        import graphcl
        import graphcl.augment, graphcl.similarity, graphcl.losses, graphcl.nn, graphcl.methods, graphcl.data
        import graphcl.train, graphcl.evaluate, graphcl.report
        """
    )


def test_import_asks_for_no_network_and_draws_no_random_number() -> None:
    run(
        """
        import socket
        import torch, torch_geometric
        def refuse(*arguments):
            raise SystemExit(f"import graphcl reached for the network: {arguments}")
        socket.socket.connect = refuse
        socket.getaddrinfo = refuse
        state = torch.get_rng_state()
        import graphcl, graphcl.augment, graphcl.losses, graphcl.methods, graphcl.data, graphcl.train, graphcl.evaluate
        if not torch.equal(state, torch.get_rng_state()):
            raise SystemExit("import graphcl used the global random state")
        """
    )


def test_every_public_name_exists() -> None:
    run(
        """
        import importlib
        for name in ("augment", "similarity", "losses", "nn", "methods", "data", "train", "evaluate", "report"):
            module = importlib.import_module(f"graphcl.{name}")
            missing = [public for public in module.__all__ if not hasattr(module, public)]
            if missing:
                raise SystemExit(f"graphcl.{name}.__all__ names {missing}, which do not exist")
        """
    )
