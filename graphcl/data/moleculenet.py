"""The sets of MoleculeNet: their CSV files as molecules with labels, rows, and the scaffold split."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from graphcl.data.corpus import load_molecules
from graphcl.data.home import no_empty_folders
from graphcl.data.molecule_set import MoleculeDataset
from graphcl.data.scaffold import scaffold_split
from graphcl.data.tables import read_molecules
from graphcl.errors import DataError

__all__ = ["MOLECULENET", "Source", "load_moleculenet"]

_ADDRESS = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/"


class Source(NamedTuple):
    """Where the molecules and labels of a set are.

    Args:
        file: Its name, as PyTorch Geometric's loader leaves it in ``MoleculeNet/NAME/raw``.
        tasks: The label columns; empty for all but those in ``others``.
        others: Columns that are not labels, where ``tasks`` is empty.
        remote: The name of the file at its source.
    """

    file: str
    tasks: tuple[str, ...] = ()
    others: tuple[str, ...] = ("smiles",)
    remote: str = ""


MOLECULENET: Mapping[str, Source] = {
    "BBBP": Source("BBBP.csv", ("p_np",)),
    "BACE": Source("bace.csv", ("Class",)),
    "Tox21": Source("tox21.csv", others=("mol_id", "smiles"), remote="tox21.csv.gz"),
    "ToxCast": Source("toxcast_data.csv", remote="toxcast_data.csv.gz"),
    "MUV": Source("muv.csv", others=("mol_id", "smiles"), remote="muv.csv.gz"),
    "HIV": Source("HIV.csv", ("HIV_active",)),
    "SIDER": Source("sider.csv", remote="sider.csv.gz"),
    "ClinTox": Source("clintox.csv", ("FDA_APPROVED", "CT_TOX"), remote="clintox.csv.gz"),
    "ESOL": Source("delaney-processed.csv", ("measured log solubility in mols per litre",)),
    "FreeSolv": Source("SAMPL.csv", ("expt",)),
    "Lipo": Source("Lipophilicity.csv", ("exp",)),
}


def load_moleculenet(
    name: str, root: str | Path, *, vocab: str = "ogb", progress: bool | None = None
) -> MoleculeDataset:
    """Load a set of MoleculeNet from ``root/MoleculeNet``, or download its file.

    The file may lie in ``MoleculeNet/NAME/raw``, where PyTorch Geometric's loader puts it, or in ``MoleculeNet_gz``, in
    both plain or gzip.

    Args:
        name: One of ``MOLECULENET``.
        root: The data folder (:func:`graphcl.data.home`).
        vocab: The index table of atoms and bonds.
        progress: Show a bar while the molecules are read for the first time; None shows it on a terminal.

    Returns:
        Molecules with ``y`` ``[1, tasks]`` (NaN for what is missing), ``row``, and as ``split`` the scaffold split
        80/10/10 without chance, with chirality, over the molecules that could be read. On BBBP, BACE, ESOL and
        FreeSolv, where OGB's sets hold the same molecules, it is OGB's split.

    Raises:
        DataError: The name is unknown, the file is damaged, missing and not to be downloaded, or the folder cannot be
            written.

    Source: Wu et al., "MoleculeNet: a benchmark for molecular machine learning", Chemical Science 9, 2018.
    """
    if name not in MOLECULENET:
        raise DataError(f"MoleculeNet has no set {name!r}: expected one of {', '.join(MOLECULENET)}.")
    source, root = MOLECULENET[name], Path(root)
    path = _file(name, source, root)
    tasks = source.tasks or tuple(c for c in read_molecules(path).columns if c not in source.others)
    dataset = load_molecules(
        path, vocab=vocab, smiles="smiles", labels=tasks, scaffolds=True, root=root, progress=progress, name=name
    )
    dataset.split = scaffold_split(dataset.scaffolds[True])
    return dataset


def _file(name: str, source: Source, root: Path) -> Path:
    raw = root / "MoleculeNet" / name.lower() / "raw"
    for folder in (raw, root / "MoleculeNet_gz"):
        for path in (folder / source.file, folder / f"{source.file}.gz"):
            if path.is_file():
                return path
    return _download(name, source, raw)


def _download(name: str, source: Source, raw: Path) -> Path:
    """Fetch the file, in one step as far as the final folder is concerned."""
    from torch_geometric.data import download_url

    remote = source.remote or source.file
    path = raw / (f"{source.file}.gz" if remote.endswith(".gz") else source.file)
    try:
        with no_empty_folders(raw, raw.parent, raw.parent.parent):
            raw.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=raw, prefix=".download-") as scratch:
                shutil.move(download_url(_ADDRESS + remote, scratch, log=False), path)
    # Network and file system each have errors of their own for it.
    except Exception as error:
        raise DataError(
            f"{name} is not in {raw} and could not be downloaded ({type(error).__name__}: {error}). Without a network, "
            f"put {source.file}, plain or gzip, there."
        ) from error
    return path
