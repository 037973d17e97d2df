"""Features on disk: what is read, how much of it, and what a broken file says."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader

from graphcl.data import FetchRows, MappedRows, NeighbourSampler, power_law_graph, write_rows
from graphcl.errors import DataError


@pytest.fixture
def x() -> Tensor:
    return torch.arange(60, dtype=torch.float32).view(20, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool])
def test_rows_come_back_as_they_were(x: Tensor, tmp_path: Path, dtype: torch.dtype) -> None:
    rows = write_rows(tmp_path / "x.npy", x.to(dtype).split(7), 20)
    assert (rows.shape, len(rows), rows.dtype) == ((20, 3), 20, dtype)
    ids = torch.tensor([19, 0, 7, 7])
    assert torch.equal(rows[ids], x.to(dtype)[ids]) and rows[ids].dtype == dtype
    assert rows[ids[:0]].shape == (0, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]
    assert np.array_equal(np.load(tmp_path / "x.npy"), x.to(dtype).numpy())


def test_others_may_read_the_file_as_any_other(x: Tensor, tmp_path: Path) -> None:
    write_rows(tmp_path / "x.npy", [x], 20)
    np.save(tmp_path / "y.npy", x.numpy())
    assert (tmp_path / "x.npy").stat().st_mode == (tmp_path / "y.npy").stat().st_mode


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_fetches_the_rows_of_its_batches(tmp_path: Path, workers: int) -> None:
    graph = power_law_graph(200, 800, num_features=5, num_classes=2)
    rows = write_rows(tmp_path / "x.npy", [graph.x], 200)
    bare = Data(edge_index=graph.edge_index, y=graph.y, num_nodes=200)
    options = {"batch_size": 50, "num_workers": workers, "transform": FetchRows(rows)}
    for batch in NodeLoader(bare, NeighbourSampler(bare, [4, 4], seed=0), **options):
        assert torch.equal(batch.x, graph.x[batch.n_id])


class Asking(torch.utils.data.Dataset[Tensor]):
    def __init__(self, rows: MappedRows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return 4

    def __getitem__(self, item: int) -> Tensor:
        return self.rows[torch.tensor([item])]


def test_workers_get_the_path_not_the_rows(x: Tensor, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.npy", [x], 20)
    assert rows.__getstate__()["_rows"] is None
    loader = DataLoader(Asking(rows), num_workers=1, multiprocessing_context="fork", batch_size=2)
    assert torch.equal(torch.cat(list(loader)).squeeze(1), x[:4])


def test_memory_holds_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    def parts() -> Iterator[np.ndarray]:
        for i in range(40):
            yield np.full((1000, 64), i, np.float32)

    tracemalloc.start()
    try:
        rows = write_rows(tmp_path / "x.npy", parts(), 40_000)  # 10 MB
        _, writing = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for start in range(0, 40_000, 400):
            got = rows[torch.arange(start, start + 400)]
            assert got[0, 0] == start // 1000
        _, reading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A part is 0.26 MB, and so are two batches.
    assert writing < 2**20 and reading < 2**20


def test_a_failed_write_leaves_what_was_there(x: Tensor, tmp_path: Path) -> None:
    write_rows(tmp_path / "x.npy", [x], 20)
    before = (tmp_path / "x.npy").read_bytes()
    for parts, words in (
        ([x, x], "20 rows in all, got .* after 20 rows"),
        ([x[:5]], "expected 20 rows in all, got 5"),
        ([], "expected 20 rows in all, got 0"),
        ([x[:10], x[10:, :2]], "expected parts of 3 columns"),
        ([x[:10], x[10:].double()], "type float32"),
        ([x[0]], r"parts of shape \[n, F\], got \[3\]"),
        ([np.ones((20, 3), np.complex64)], "parts of numbers that torch knows, .* got complex64"),
        ([x.bfloat16()], r"an .npy file can hold, got torch.bfloat16; take part.half\(\)"),
    ):
        with pytest.raises(ValueError, match=words):
            write_rows(tmp_path / "x.npy", parts, 20)
    with pytest.raises(TypeError, match=r"expected parts that are tensors or arrays \[n, F\], got list"):
        write_rows(tmp_path / "x.npy", x.tolist(), 20)
    assert (tmp_path / "x.npy").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def test_the_file_grows_as_it_is_written(x: Tensor, tmp_path: Path) -> None:
    """A file mapped in advance has its size before it has room on the disk: where there is none the process ends."""
    sizes = []

    def parts() -> Iterator[Tensor]:
        for part in x.split(10):
            yield part
            sizes.append(next(tmp_path.glob(".x.npy*")).stat().st_size)

    write_rows(tmp_path / "x.npy", parts(), 20)
    assert sizes[0] < (tmp_path / "x.npy").stat().st_size


def test_a_broken_file_says_so(x: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    with pytest.raises(DataError, match=r"x\.npy is missing: write it with graphcl\.data\.write_rows"):
        MappedRows(path)
    write_rows(path, [x], 20)
    with pytest.raises(DataError, match="holds 20 rows, but 21 are expected"):
        MappedRows(path, num_rows=21)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="cannot be mapped .* cut short"):
        MappedRows(path)
    for content in (b"", b"hello there", b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be mapped"):
            MappedRows(path)
    np.save(path, np.arange(3))
    with pytest.raises(DataError, match=r"holds int64 \[3\], but a matrix"):
        MappedRows(path)
    np.save(path, np.array([["a"]]))
    with pytest.raises(DataError, match="of numbers that torch knows"):
        MappedRows(path)
    for kind in (">f4", np.longdouble, np.complex64):
        np.save(path, np.ones((3, 2), kind))
        with pytest.raises(DataError, match="of numbers that torch knows, in this machine's order of bytes"):
            MappedRows(path)
    np.savez(tmp_path / "x.npz", x=x.numpy())
    with pytest.raises(DataError, match="cannot be mapped"):
        MappedRows(tmp_path / "x.npz")


def test_refuses(x: Tensor, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "x.npy", [x], 20)
    for ids in (torch.tensor([20]), torch.tensor([-1, 3])):
        with pytest.raises(ValueError, match="expected row numbers from 0 to 19"):
            rows[ids]
    for wrong in (torch.tensor([0.5]), [0, 1], 3, np.array([0])):
        with pytest.raises(ValueError, match="1-dim tensor of int64, got"):
            rows[wrong]
    with pytest.raises(ValueError, match="expected a batch with n_id"):
        FetchRows(rows)(Data(num_nodes=2))
    assert repr(FetchRows(rows)) == f"FetchRows(MappedRows({str(tmp_path / 'x.npy')!r}), 'x')"


def test_the_number_of_rows_may_be_numpys(x: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    assert write_rows(path, [x], np.int64(len(x))).shape == tuple(x.shape)
    assert write_rows(path, [x], torch.tensor(len(x))).shape == tuple(x.shape)
    with pytest.raises(TypeError, match="num_rows as a whole number, got 2.5"):
        write_rows(path, [x], 2.5)  # type: ignore[arg-type]
    assert np.array_equal(np.load(path), x.numpy())
