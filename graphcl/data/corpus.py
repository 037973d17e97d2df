"""A file of molecules as a data set: featurised once, in several processes, and mapped into memory from then on."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphcl._files import replacing
from graphcl._vocabulary import table
from graphcl.data._featurise import rdkit_chem
from graphcl.data._joined import write_joined
from graphcl.data._shards import SHARD, make_shards, read_shard
from graphcl.data._text import ENCODING
from graphcl.data.home import home, no_empty_folders
from graphcl.data.molecule_set import MoleculeDataset, Skipped, Texts, write_skipped
from graphcl.data.tables import MoleculeTable, label_names, read_molecules
from graphcl.errors import DataError

__all__ = ["load_molecules", "open_corpus"]

_FORM = "graphcl-molecules-1"  # of the files that are written, and what is in them
_FEW = 2 * SHARD  # molecules for which starting processes takes longer than the work


def load_molecules(
    path: str | Path,
    *,
    vocab: str = "ogb",
    smiles: str | None = None,
    labels: Iterable[str] = (),
    scaffolds: bool = False,
    file_format: str | None = None,
    encoding: str = ENCODING,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    name: str | None = None,
) -> MoleculeDataset:
    """The molecules of a file as graphs, from a CSV, TSV, SMI, SDF or Parquet file, plain or gzip.

    The first time, RDKit reads them in worker processes, shard by shard; stopped half way, the next call goes on from
    the last shard. The result lies in the data folder under the hash of the file's content and of the choices made
    here, in a byte per number, and is mapped into memory: opening it takes a moment, and it may be larger than memory.
    While it is made, the SMILES and labels of all rows are held, but the atoms and bonds of one shard.

    Rows that are not molecules are left out, counted, and listed with the reason in ``dataset.skipped`` and beside the
    result, in ``skipped.csv``. Duplicate rows stay; salts are one graph of several components; see
    :func:`graphcl.data.from_smiles`.

    Args:
        path: The file; see :func:`graphcl.data.tables.read_molecules` for its format, columns and encoding.
        vocab: The index table, ``"ogb"``, ``"pyg"`` or ``"hu2020"``.
        smiles: The column of SMILES.
        labels: The label columns; they become ``y`` ``[1, tasks]``, NaN where nothing was measured.
        scaffolds: Find the Bemis-Murcko scaffolds, too, which a scaffold split needs; it takes as long again.
        file_format: The format, where the file's name does not tell.
        encoding: The encoding of a text file.
        root: The data folder (:func:`graphcl.data.home`).
        workers: Processes; None takes one per core for more than a few thousand molecules, 0 none but this one.
        progress: Show a bar; None shows it on a terminal.
        name: The set's name; that of the file by default.

    Raises:
        DataError: The file is missing, empty or malformed, not one row is a molecule, or the data folder cannot be
            written.
        ValueError: There is no such table or format.
        TypeError: The labels are a single text.
        ImportError: RDKit is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "mine.csv").write_text("smiles,active\\nCCO,1\\nC1CC,0\\nc1ccccc1,\\n")
        >>> dataset = load_molecules(folder / "mine.csv", labels=["active"], root=folder)
        >>> dataset, dataset[0].y.tolist()
        (mine(2, vocab='ogb', 1 skipped), [[1.0]])
    """
    table(vocab)
    path, labels = Path(path).expanduser(), label_names(labels)
    rdkit_chem()
    if not path.is_file():
        raise DataError(f"{path} is {'no file' if path.exists() else 'not there'}: expected a file of molecules.")
    choices = {"smiles": smiles, "labels": labels, "format": file_format, "encoding": encoding}
    folder = home(root) / "molecules" / _name_of_content(path, vocab=vocab, scaffolds=scaffolds, **choices)
    name = name if name is not None else path.name.split(".")[0]
    if not (folder / "graphs.safetensors").is_file():
        rows = read_molecules(path, smiles=smiles, labels=labels, file_format=file_format, encoding=encoding)
        workers = _workers(workers, len(rows.smiles))
        try:
            with (
                no_empty_folders(folder, folder.parent, folder.parent.parent),
                _bar(len(rows.smiles), progress) as done,
            ):
                _make(folder, path, rows, vocab=vocab, scaffolds=scaffolds, workers=workers, done=done)
        except (OSError, RuntimeError) as error:  # of this process, or of one of its workers
            if (folder / "graphs.safetensors").is_file():  # another process was making it, and came first
                return open_corpus(folder, name=name)
            if isinstance(error, RuntimeError):
                raise DataError(f"{path}: {error}.") from error
            raise DataError(
                f"{folder} cannot be written ({error}): mend that, or choose another folder with --root or "
                f"$GRAPHCL_HOME."
            ) from error
    return open_corpus(folder, name=name)


def open_corpus(folder: str | Path, *, name: str = "molecules") -> MoleculeDataset:
    """A set that :func:`load_molecules` has made, mapped into memory.

    Raises:
        DataError: It is not there, or damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(folder) / "graphs.safetensors"
    try:
        with safe_open(path, framework="pt") as stored:
            facts = json.loads((stored.metadata() or {}).get("graphcl", "{}"))
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is missing or damaged ({error}). Delete {folder} and load again.") from error
    if facts.get("form") != _FORM:
        raise DataError(f"{path} is of another form, {facts.get('form')!r}. Delete {folder} and load again.")
    return MoleculeDataset(
        tensors,
        name=name,
        vocab=facts["vocab"],
        num_rows=facts["num_rows"],
        skipped=[(row, text, why) for row, text, why in facts["skipped"]],
        tasks=facts["tasks"],
    )


def _name_of_content(path: Path, **choices: Any) -> str:
    import rdkit

    # The vocabulary's name stands for its numbers, the form for all else of ours; RDKit's reading changes by version.
    digest = hashlib.sha256(json.dumps([_FORM, rdkit.__version__, path.suffixes, choices], sort_keys=True).encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:32]


def _workers(workers: int | None, rows: int) -> int:
    if workers is not None:
        if workers < 0:
            raise ValueError(f"expected workers of at least 0, got {workers}")
        return workers
    return 0 if rows <= _FEW else os.cpu_count() or 1


@contextlib.contextmanager
def _bar(total: int, progress: bool | None) -> Iterator[Callable[[int], Any]]:
    from tqdm import tqdm

    with tqdm(
        total=total, unit=" molecules", unit_scale=True, disable=None if progress is None else not progress
    ) as bar:
        yield bar.update


def _make(
    folder: Path,
    path: Path,
    rows: MoleculeTable,
    *,
    vocab: str,
    scaffolds: bool,
    workers: int,
    done: Callable[[int], Any],
) -> None:
    parts = folder / "parts"
    shards = make_shards(rows.smiles, parts, vocab=vocab, scaffolds=scaffolds, workers=workers, done=done)
    tensors, skipped = _small(shards, rows, scaffolds)
    if tensors["row"].numel() == 0:
        shutil.rmtree(folder)
        raise DataError(
            f"{path}: none of the {len(rows.smiles)} rows is a molecule; row {skipped[0][0]}, {skipped[0][1]!r}: "
            f"{skipped[0][2]}. Is it the column of SMILES that was read?"
        )
    facts = {"form": _FORM, "vocab": vocab, "num_rows": len(rows.smiles), "skipped": skipped, "tasks": rows.tasks}
    with replacing(folder / "graphs.safetensors") as scratch:
        write_joined(scratch, tensors, shards, read_shard, {"graphcl": json.dumps(facts)})
        if skipped:
            write_skipped(folder / "skipped.csv", skipped)
    shutil.rmtree(parts, ignore_errors=True)


def _small(shards: Sequence[Path], rows: MoleculeTable, scaffolds: bool) -> tuple[dict[str, Tensor], list[Skipped]]:
    """All but atoms and bonds, which are too many to be held at once, and the rows that are in no shard."""
    columns: dict[str, list[Tensor]] = {key: [] for key in ("atoms", "edges", "row")}
    skipped: list[Skipped] = []
    numbers: tuple[dict[str, int], ...] = ({}, {})
    groups: tuple[list[int], ...] = ([], [])
    for number, path in enumerate(shards):
        packed, start = read_shard(path), number * SHARD
        columns["atoms"].append(torch.from_numpy(packed.atoms))
        columns["edges"].append(torch.from_numpy(packed.edges))
        columns["row"].append(torch.from_numpy(packed.position) + start)
        for row, why in ((start + i, why) for i, why in packed.failed):
            skipped.append((row, rows.smiles[row], why if rows.smiles[row] else rows.reasons.get(row, why)))
        for pair in packed.scaffolds:
            for text, own, group in zip(pair, numbers, groups, strict=True):
                group.append(own.setdefault(text, len(own)))
    tensors = {key: torch.cat(values) for key, values in columns.items()}
    texts = Texts.of(rows.smiles[row] for row in tensors["row"].tolist())
    tensors |= {"smiles": texts.data, "smiles_ends": texts.ends}
    if rows.tasks:
        tensors["y"] = torch.from_numpy(rows.labels)[tensors["row"]]
    if scaffolds:
        tensors |= {"scaffold": torch.tensor(groups[0]), "scaffold_chiral": torch.tensor(groups[1])}
    return tensors, skipped
