"""Node features that stay on disk: written once, mapped, and read by the rows that a batch asks for."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, SupportsIndex

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphcl._arguments import check_whole
from graphcl._files import replacing
from graphcl.errors import DataError

__all__ = ["FetchRows", "MappedRows", "write_rows"]


def write_rows(path: str | Path, parts: Iterable[Tensor | npt.NDArray[Any]], num_rows: SupportsIndex) -> "MappedRows":
    """Write a feature matrix to an ``.npy`` file part by part; no more than one part is in memory.

    The file appears under its name only when it is whole.

    Args:
        path: The file; its folder must exist. What is there is replaced.
        parts: Blocks of rows ``[n, F]``, one after the other, all of the first one's width and type.
        num_rows: N, the sum of their lengths.

    Returns:
        The matrix, mapped.

    Raises:
        TypeError: A part is not a tensor or array; nothing is written.
        ValueError: The parts do not add up to N rows of one width and type, or are not numbers; nothing is written.
        OSError: The file cannot be written; what was there before is untouched.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = write_rows(f"{folder}/x.npy", (torch.full((2, 3), i) for i in range(5)), 10)
        ...     rows.shape, rows[torch.tensor([9, 0])].tolist()
        ((10, 3), [[4, 4, 4], [0, 0, 0]])
    """
    path, num_rows = Path(path), check_whole("num_rows", num_rows)
    with replacing(path) as scratch:
        _write(scratch, parts, num_rows)
        _open(scratch)  # what cannot be read replaces nothing
    return MappedRows(path, num_rows=num_rows)


def _write(path: Path, parts: Iterable[Tensor | npt.NDArray[Any]], num_rows: int) -> None:
    # Written, not mapped: where the disk is full, that is an error, not the end of the process.
    first, done = None, 0
    with path.open("wb") as file:
        for part in parts:
            if isinstance(part, Tensor) and part.dtype == torch.bfloat16:
                raise ValueError(
                    "expected parts of a type that an .npy file can hold, got torch.bfloat16; take part.half()"
                )
            rows = part.detach().cpu().numpy() if isinstance(part, Tensor) else part
            if not isinstance(rows, np.ndarray):
                raise TypeError(
                    f"expected parts that are tensors or arrays [n, F], got {type(part).__name__}; for a matrix as a "
                    "whole write [matrix]"
                )
            if first is None:
                if rows.ndim != 2:
                    raise ValueError(f"expected parts of shape [n, F], got {list(rows.shape)}")
                first = rows[:0]
                _write_header(file, first.dtype, (num_rows, first.shape[1]))
            if rows.shape[1:] != first.shape[1:] or rows.dtype != first.dtype or done + len(rows) > num_rows:
                raise ValueError(
                    f"expected parts of {first.shape[1]} columns and type {first.dtype}, {num_rows} rows in all, got "
                    f"{list(rows.shape)} of type {rows.dtype} after {done} rows"
                )
            file.write(np.ascontiguousarray(rows).data)
            done += len(rows)
    if first is None or done != num_rows:
        raise ValueError(f"expected {num_rows} rows in all, got {done}")


def _write_header(file: BinaryIO, kind: np.dtype[Any], shape: tuple[int, int]) -> None:
    if not _fits_torch(kind):
        raise ValueError(f"expected parts of numbers that torch knows, in this machine's order of bytes, got {kind}")
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


class MappedRows:
    """A feature matrix in an ``.npy`` file, of which memory holds only the rows that are asked for.

    ``rows[n_id]`` is a tensor of those rows. Made for a loader's batches (:class:`FetchRows`) and for
    :func:`graphcl.nn.embed_layerwise`. Workers map the file anew; nothing is copied to them.

    Args:
        path: The file, as :func:`write_rows` or ``numpy.save`` writes it.
        num_rows: N, if the file is to be checked against a graph.

    Raises:
        DataError: The file is missing, cut short, no ``.npy`` file of a matrix of numbers, or has not N rows.
        ValueError: When rows are read: they are not row numbers of this matrix.
    """

    def __init__(self, path: str | Path, *, num_rows: int | None = None) -> None:
        self.path = Path(path).absolute()
        self._rows: Any = _open(self.path)
        if num_rows is not None and len(self._rows) != num_rows:
            raise DataError(
                f"{self.path} holds {len(self._rows)} rows, but {num_rows} are expected, one for each node."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(N, F)."""
        return self._mapped().shape

    @property
    def dtype(self) -> torch.dtype:
        """The type of the rows."""
        return torch.from_numpy(np.empty(0, self._mapped().dtype)).dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, ids: Tensor) -> Tensor:
        """``[len(ids), F]``, where ``ids`` is."""
        if not isinstance(ids, Tensor) or ids.dim() != 1 or ids.dtype != torch.int64:
            got = f"{list(ids.shape)} of {ids.dtype}" if isinstance(ids, Tensor) else repr(ids)
            raise ValueError(f"expected row numbers as a 1-dim tensor of int64, got {got}")
        rows, places = self._mapped(), ids.detach().cpu()
        if places.numel() and not (0 <= int(places.min()) and int(places.max()) < len(rows)):
            raise ValueError(
                f"expected row numbers from 0 to {len(rows) - 1}, got {int(places.min())} to {int(places.max())}"
            )
        return torch.from_numpy(np.take(rows, places.numpy(), axis=0)).to(ids.device)

    def _mapped(self) -> Any:
        if self._rows is None:
            self._rows = _open(self.path)
        return self._rows

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rows": None}  # a memory map would be copied as an array

    def __repr__(self) -> str:
        return f"MappedRows({str(self.path)!r})"


class FetchRows(BaseTransform):
    """A ``transform`` for loaders: fetches the feature rows of a batch's nodes, by ``n_id``, from a matrix elsewhere.

    Args:
        rows: What is read by ``rows[n_id]``: :class:`MappedRows`, or a tensor.
        name: The attribute that the batch gets.

    Raises:
        ValueError: The batch has no ``n_id``.

    Example:
        >>> data = Data(edge_index=torch.tensor([[0], [1]]), n_id=torch.tensor([5, 2]))
        >>> FetchRows(torch.arange(6.0)[:, None])(data).x.tolist()
        [[5.0], [2.0]]
    """

    def __init__(self, rows: "MappedRows | Tensor", name: str = "x") -> None:
        self.rows = rows
        self.name = name

    def forward(self, data: Data) -> Data:
        if not isinstance(data.get("n_id"), Tensor):
            raise ValueError("expected a batch with n_id, the numbers of its nodes in the whole graph, got none")
        data[self.name] = self.rows[data.n_id]
        return data

    def __repr__(self) -> str:
        return f"FetchRows({self.rows if isinstance(self.rows, MappedRows) else list(self.rows.shape)}, {self.name!r})"


def _open(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path} is missing: write it with graphcl.data.write_rows, or numpy.save.")
    try:
        rows = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"{path} cannot be mapped ({error}): it is cut short or no .npy file; write it anew."
        ) from error
    if rows.ndim != 2 or not _fits_torch(rows.dtype):
        raise DataError(
            f"{path} holds {rows.dtype} {list(rows.shape)}, but a matrix [N, F] of numbers that torch knows, in this "
            "machine's order of bytes, is expected."
        )
    return rows


def _fits_torch(kind: np.dtype[Any]) -> bool:
    try:
        torch.from_numpy(np.empty(0, kind))
    except (TypeError, ValueError):
        return False
    return kind.kind in "fiub"
