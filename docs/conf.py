"""How Sphinx makes the documentation: ``sphinx-build -W docs docs/_build``.

The reference is made of the docstrings of the public names, which ``reference/*.rst`` list; the pages of single names
go to ``reference/generated``.
"""

import importlib
import inspect
import re
import sys
from abc import ABC
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the package of this checkout

import graphcl

project = "graphcl"
author = copyright = "The graphcl authors"
release = version = graphcl.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]
suppress_warnings = ["config.cache"]  # functions below are settings, too

html_theme = "furo"
html_title = f"graphcl {release}"
html_copy_source = False

add_module_names = False
autodoc_inherit_docstrings = False  # nothing of nn.Module's own
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source", "Reference"]
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True

# Every reference leads somewhere, but for types of other packages (no network is asked for theirs) and for types that
# are met in signatures alone.
nitpicky = True
OTHERS = ("abc", "collections", "jaxtyping", "numpy", "pathlib", "scipy", "torch", "torch_geometric")
nitpick_ignore_regex = [
    ("py:class", rf"({'|'.join(OTHERS)})\..*"),
    ("py:class", "Batch|Data|InMemoryDataset|Tensor|csr_matrix"),  # as annotations that are read late write them
    ("py:class", "'.*'"),  # the shapes in them
]

PAGES = (
    *("augment", "losses", "losses.functional", "similarity", "similarity.ranks", "nn", "methods", "data", "train"),
    *("evaluate", "report", "distributed", "errors", "pretrained"),
)


def public_names() -> dict[str, str]:
    """Where objects are documented, by where they are defined: ``graphcl.nn.gin.GIN`` is ``graphcl.nn.GIN``."""
    names = {}
    for page in PAGES:
        module = importlib.import_module(f"graphcl.{page}")
        for name in module.__all__:
            home = getattr(getattr(module, name), "__module__", page)
            names[f"{home}.{name}"] = f"graphcl.{page}.{name}"
    return names


PUBLIC = public_names()

# Card and card would share a file where the file system does not tell cases apart.
autosummary_filename_map = {
    name: f"{name}-function"
    for name in PUBLIC.values()
    if any(name != other and name == other.lower() for other in PUBLIC.values())
}


def has_bases(module: str, name: str) -> bool:
    """Whether a class says anything by what it is made from."""
    return getattr(importlib.import_module(module), name).__bases__ not in ((object,), (tuple,), (ABC,))


autosummary_context = {"has_bases": has_bases}


def find_public(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Leads a name that was not found, a bare one or that of the file of its definition, to its page."""
    target, module = node.get("reftarget", ""), node.get("py:module") or ""
    if node.get("refdomain") != "py":
        return None
    places = [PUBLIC[target]] if target in PUBLIC else [full for full in PUBLIC.values() if full.endswith(f".{target}")]
    if not places:
        return None
    place = min(places, key=lambda full: not full.startswith(f"{module}."))  # in the same subpackage before others
    return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, node["reftype"], place, node, contnode)


def with_public_bases(app: Any, name: str, obj: type, options: Any, bases: list[type]) -> None:
    """Puts in the place of a private base class what that is made from."""
    while private := [base for base in bases if re.search(r"(^|\.)_", f"{base.__module__}.{base.__name__}")]:
        at = bases.index(private[0])
        bases[at : at + 1] = [base for base in private[0].__bases__ if base is not object]


def skips(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Shows what a module is called with, documented or not, and no field that only repeats its number."""
    if name == "forward":
        return False
    return True if (inspect.getdoc(obj) or "").startswith("Alias for field number") else None


def paragraphs(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Begins a paragraph, its first words in bold, at each remark that our docstrings put on a line of its own."""
    for i in reversed(range(len(lines))):
        if remark := re.match(r"(Source:|Differs from the (papers?|authors' code)|Across ranks:)", lines[i]):
            lines[i : i + 1] = ["", f"**{remark[0]}**{lines[i][remark.end() :]}"]


def setup(app: Any) -> None:
    """Connects the functions above."""
    app.connect("missing-reference", find_public)
    app.connect("autodoc-process-bases", with_public_bases)
    app.connect("autodoc-skip-member", skips)
    app.connect("autodoc-process-docstring", paragraphs)
