"""Graphs with every kind of attribute, and a comparison that looks at every field of them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import from_smiles

Make = Callable[..., Data]
Compare = Callable[[Any, Any], list[str]]


def _make(n: int, pairs: Any = (), *, directed: bool = False, seed: int = 0, graph_id: int | None = None) -> Data:
    """A graph of ``n`` nodes and the given edges, with attributes of every level and type."""
    generator = torch.Generator().manual_seed(1000 * seed + n)
    edges = torch.tensor(list(pairs), dtype=torch.int64).reshape(-1, 2).t()
    if not directed:
        loops = edges[0] == edges[1]
        edges = torch.cat([edges, edges[:, ~loops].flip(0)], 1)
    # Both directions share their attributes, as bonds of molecules do.
    low, high = edges.min(0).values, edges.max(0).values
    data = Data(
        x=torch.randn(n, 3, generator=generator),
        edge_index=edges,
        edge_attr=torch.stack([low.float(), high.float() / 7], 1),
        y=torch.tensor([seed % 3]),
        pos=torch.randn(n, 2, generator=generator, dtype=torch.float64),
        edge_weight=low * 100.0 + high,
        edge_type=low * 1000 + high,
        node_label=torch.arange(n) + 50,
        train_mask=torch.rand(n, generator=generator) < 0.5,
        target=torch.randn(1, 4, generator=generator),
        smiles="C" * (n + 1),
        weight_in_dalton=12.5 * n,
    )
    if graph_id is not None:
        data.graph_id = torch.tensor([graph_id])
    return data


def _differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Where two values differ: types, dtypes, shapes, values, the order of keys, and PyG's bookkeeping of a batch."""
    if isinstance(a, Data) and isinstance(b, Data):
        kind = [] if type(a) is type(b) else [f"{path}: {type(a).__name__} and {type(b).__name__}"]
        hidden = ("_parent", "_cached_attr", "_graphcl_levels", "_mapping")
        books = [{k: v for k, v in d._store.__dict__.items() if k not in hidden} for d in (a, b)]
        return kind + _differences(a._store._mapping, b._store._mapping, path) + _differences(*books, path)
    if type(a) is not type(b):
        return [f"{path}: {type(a).__name__} and {type(b).__name__}"]
    if isinstance(a, Mapping):
        if list(a) != list(b):
            return [f"{path}: keys {list(a)} and {list(b)}"]
        return [line for key in a for line in _differences(a[key], b[key], f"{path}.{key}")]
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return [f"{path}: lengths {len(a)} and {len(b)}"]
        return [line for i, (p, q) in enumerate(zip(a, b, strict=True)) for line in _differences(p, q, f"{path}[{i}]")]
    if isinstance(a, Tensor):
        if a.dtype != b.dtype or a.shape != b.shape or a.device != b.device:
            return [f"{path}: {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}"]
        same = torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())
        return [] if same else [f"{path}: {a.tolist()} and {b.tolist()}"]
    return [] if a == b else [f"{path}: {a!r} and {b!r}"]


def _molecule(smiles: str, vocab: str = "ogb", graph_id: int | None = None) -> Data:
    """A molecule with the features of OGB or of PyG."""
    if vocab == "pyg":
        data = from_smiles(smiles)
    else:
        from ogb.utils import smiles2graph

        graph = smiles2graph(smiles)
        x, edges, bonds = (torch.from_numpy(graph[key]) for key in ("node_feat", "edge_index", "edge_feat"))
        data = Data(x=x, edge_index=edges, edge_attr=bonds, smiles=smiles)
    if graph_id is not None:
        data.graph_id = torch.tensor([graph_id])
    return data


@pytest.fixture(scope="session")
def molecule() -> Make:
    return _molecule


@pytest.fixture(scope="session")
def make() -> Make:
    return _make


@pytest.fixture(scope="session")
def differences() -> Compare:
    return _differences


def _ring(n: int, **more: Any) -> Data:
    return _make(n, [(i, (i + 1) % n) for i in range(n)], **more)


@pytest.fixture(scope="session")
def ring() -> Make:
    return _ring


@pytest.fixture
def graphs() -> list[Data]:
    """Rings of 5 to 44 nodes."""
    return [_ring(n, seed=n, graph_id=7 * n) for n in range(5, 45)]
