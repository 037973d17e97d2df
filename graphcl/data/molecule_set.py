"""A set of molecules that knows its index table, the rows of the file it came from, and what could not be read."""

import bisect
import copy
import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.utils import cumsum

from graphcl._arguments import check_choice
from graphcl._vocabulary import table
from graphcl.data._featurise import Packed
from graphcl.errors import DataError

__all__ = ["WIDE", "MoleculeDataset", "Skipped", "Texts"]

# How graphs hold these: what PyG's loaders and layers expect.
WIDE = ("x", "edge_index", "edge_attr")

Skipped = tuple[int, str, str]
"""A row that is not a molecule: its number, counted from 0 after the header; its SMILES; why."""


class Texts(Sequence[str]):
    """Texts as one tensor of bytes: no Python object for any of them until it is asked for.

    Example:
        >>> texts = Texts.of(["CCO", "c1ccccc1"])
        >>> len(texts), texts[1]
        (2, 'c1ccccc1')
    """

    def __init__(self, data: Tensor, ends: Tensor) -> None:
        self.data = data
        self.ends = ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """The texts of an iterable."""
        coded = [text.encode() for text in texts]
        data = torch.frombuffer(bytearray(b"".join(coded) or b"\0"), dtype=torch.uint8)
        return cls(data, torch.tensor([0, *map(len, coded)]).cumsum(0))

    def __len__(self) -> int:
        return self.ends.numel() - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected a position below {len(self)}, got {index}")
        start, end = self.ends[index % len(self) :][:2].tolist()
        return bytes(self.data[start:end].numpy()).decode()


def check_molecules(dataset: Any) -> None:
    """Refuse what is not a set of molecules of the package's own."""
    if not isinstance(dataset, MoleculeDataset):
        raise TypeError(
            f"expected a set of molecules that graphcl.data has made, got {type(dataset).__name__}; make one of SMILES "
            f"(graphcl.data.from_smiles_list), and pack it afterwards"
        )


def write_skipped(path: str | Path, skipped: Sequence[Skipped]) -> None:
    """Rows that are not molecules as CSV."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("row", "smiles", "reason"))
        writer.writerows(skipped)


class MoleculeDataset(InMemoryDataset):
    """Molecules as graphs of one index table, packed; made by :func:`graphcl.data.load_molecules`.

    A graph has ``x`` ``[atoms, A]``, ``edge_index``, ``edge_attr`` ``[bonds, B]`` (all int64), ``row`` ``[1]``, the row
    of the file that it stands in (counted from 0 after the header), and ``y`` ``[1, tasks]`` with NaN for what was not
    measured where the file has labels. Rows that are not molecules are left out and listed in ``skipped``, so positions
    and rows differ after the first of them: :meth:`positions` goes from one to the other.

    Atoms and bonds are kept in a byte per number, often in a file that is mapped into memory, and widened when a graph
    or a batch is made. A quarter of a million molecules are a few tensors, without a Python object for any of them.

    Attributes:
        name: The set's name.
        vocab: The index table, one of ``ogb``, ``pyg``, ``hu2020``.
        num_rows: Rows in the file, the skipped ones included.
        skipped: Those that are not molecules, as (row, SMILES, why).
        tasks: The names of the label columns.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        *,
        name: str,
        vocab: str,
        num_rows: int,
        skipped: Sequence[Skipped] = (),
        tasks: Sequence[str] = (),
    ) -> None:
        super().__init__()
        table(vocab)
        self.name = name
        self.vocab = vocab
        self.num_rows = num_rows
        self.skipped = tuple(skipped)
        self.tasks = tuple(tasks)
        self._smiles = Texts(tensors["smiles"], tensors["smiles_ends"])
        self._scaffolds = {c: tensors[k] for c, k in ((False, "scaffold"), (True, "scaffold_chiral")) if k in tensors}
        self._split: dict[str, Tensor] | None = None
        keys = [key for key in ("x", "edge_index", "edge_attr", "y", "row") if key in tensors]
        each = torch.arange(tensors["row"].numel() + 1)
        ends = {"x": cumsum(tensors["atoms"].long()), "edge_index": cumsum(tensors["edges"].long())}
        ends["edge_attr"] = ends["edge_index"]
        self._data = Data(**{key: tensors[key] for key in keys})
        self.slices = {key: ends.get(key, each) for key in keys}

    @classmethod
    def of(cls, packed: Packed, smiles: Sequence[str], *, name: str, vocab: str) -> "MoleculeDataset":
        """The set of molecules that were just made from these SMILES."""
        tensors = {key: torch.from_numpy(getattr(packed, key)) for key in (*WIDE, "atoms", "edges")}
        texts = Texts.of(smiles[i] for i in packed.position.tolist())
        tensors |= {"row": torch.from_numpy(packed.position), "smiles": texts.data, "smiles_ends": texts.ends}
        skipped = [(i, smiles[i], why) for i, why in packed.failed]
        return cls(tensors, name=name, vocab=vocab, num_rows=len(smiles), skipped=skipped)

    def len(self) -> int:
        return self._data.row.numel()

    def get(self, idx: int) -> Data:
        """One graph, of the types that PyG's own loaders give."""
        graph = Data()
        for key, ends in self.slices.items():
            start, end = ends[idx : idx + 2].tolist()
            value = self._data[key].narrow(self._data.__cat_dim__(key, self._data[key]), start, end - start)
            graph[key] = value.long() if key in WIDE else value
        return graph

    def __getattr__(self, key: str) -> Any:
        """An attribute of all graphs, such as ``dataset.y``, of the type that it has in each."""
        value = super().__getattr__(key)
        return value.long() if key in WIDE else value

    def copy(self, idx: Any = None) -> "MoleculeDataset":
        """A set of its own of the molecules at ``idx``, or of all, with what belongs to each."""
        part = self if idx is None else self.index_select(idx)
        chosen = torch.tensor(list(part.indices()), dtype=torch.int64)
        out = copy.copy(self)
        out._indices, out._data, out.slices = None, Data(), {}
        for key, ends in self.slices.items():
            value, lengths = self._data[key], ends.diff()[chosen]
            out.slices[key] = cumsum(lengths)
            places = torch.arange(int(lengths.sum()))
            places += (ends[chosen] - out.slices[key][:-1]).repeat_interleave(lengths)
            dim = self._data.__cat_dim__(key, value)
            out._data[key] = value.index_select(dim, places.to(value.device))
        out._smiles, out._scaffolds, out._split = Texts.of(part.smiles), part.scaffolds, part.split
        return out

    @property
    def smiles(self) -> Sequence[str]:
        """The SMILES of each molecule, at its position."""
        return self._smiles if self._indices is None else [self._smiles[i] for i in self._indices]

    @property
    def scaffolds(self) -> dict[bool, Tensor]:
        """The scaffold groups, int64 [graphs], under False without and True with chirality; empty unless asked for."""
        chosen = list(self.indices())
        return {key: groups if self._indices is None else groups[chosen] for key, groups in self._scaffolds.items()}

    @property
    def split(self) -> dict[str, Tensor] | None:
        """Positions under train, valid and test, where a split has been chosen; a subset of the set has none."""
        return self._split if self._indices is None else None

    @split.setter
    def split(self, split: Mapping[str, Tensor] | None) -> None:
        self._split = None if split is None else dict(split)

    @property
    def num_classes(self) -> int:
        return 0 if "y" not in self._data else len(self.tasks)

    def positions(self, rows: Tensor | Sequence[int], *, num_rows: int, missing: str = "raise") -> Tensor:
        """Where the molecules of some rows of the file lie in this set.

        Args:
            rows: Rows, counted from 0 after the header: a split that was made for the file.
            num_rows: How many rows that file has. A split that was made for another number is refused.
            missing: ``"raise"``, or ``"drop"`` to pass over rows that are not molecules.

        Returns:
            int64, in the order of ``rows``.

        Raises:
            DataError: The file has another number of rows, or a row was skipped and ``missing`` is ``"raise"``.
            IndexError: A row lies outside the file.
            TypeError: Rows are not whole numbers, or a mask.

        Example:
            >>> from graphcl.data import from_smiles_list
            >>> dataset = from_smiles_list(["C", "not one", "CC"])
            >>> dataset.positions([2, 0], num_rows=3)
            tensor([1, 0])
        """
        check_choice("missing", missing, ("raise", "drop"))
        if self._indices is not None:
            raise DataError(f"expected the whole of {self.name}, got a part of it: take positions first, then the part")
        if num_rows != self.num_rows:
            raise DataError(
                f"expected a split of the {self.num_rows} rows from which {self.name} was made, got one of {num_rows}: "
                f"it belongs to another edition of the file, and its rows are other molecules here"
            )
        wanted = torch.as_tensor(rows)
        if wanted.numel() and (wanted.is_floating_point() or wanted.dtype == torch.bool):
            mend = "; write mask.nonzero().flatten()" if wanted.dtype == torch.bool else ""
            raise TypeError(f"expected rows as whole numbers, got {wanted.dtype}{mend}")
        wanted = wanted.long()
        if wanted.numel() and not 0 <= int(wanted.min()) <= int(wanted.max()) < num_rows:
            raise IndexError(f"expected rows from 0 to {num_rows - 1}, got {wanted.min()} to {wanted.max()}")
        own, order = self._data.row.sort()  # a copy may have them in any order
        place = torch.searchsorted(own, wanted).clamp_(max=own.numel() - 1)
        there = own[place] == wanted
        if missing == "raise" and not bool(there.all()):
            absent = wanted[~there].tolist()
            raise DataError(
                f"{len(absent)} of the rows asked for are not molecules of {self.name}, row {absent[0]} the first "
                f"({self._why(absent[0])}); pass missing='drop' to go on without them"
            )
        return order[place[there]]

    def _why(self, row: int) -> str:
        at = bisect.bisect_left(self.skipped, (row, "", ""))
        return self.skipped[at][2] if at < len(self.skipped) and self.skipped[at][0] == row else "not in the set"

    def write_skipped(self, path: str | Path) -> int:
        """Write the rows that were left out to a CSV file (row, smiles, reason), and return how many there are."""
        write_skipped(path, self.skipped)
        return len(self.skipped)

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{self.name}({len(self)}, vocab={self.vocab!r}{left_out})"
