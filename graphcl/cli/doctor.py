"""``graphcl doctor``: what this installation has, and whether it computes what it should."""

import importlib.metadata
import importlib.util
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Say what this installation has: versions, devices, extras, the data folder and what is in it; take one step of "
    "training on each device and compare. Ends with status 1 if something is wrong, and says how to mend it."
)

NEEDED = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn", "networkx", "ogb", "safetensors")
# Each extra with the module that it brings; tests/cli/test_doctor.py compares them with setup.cfg.
EXTRAS: Mapping[str, str] = {
    "molecules": "rdkit",
    "parquet": "pyarrow",
    "plot": "matplotlib",
    "partition": "pymetis",
    "ann": "faiss",
    "tensorboard": "tensorboard",
}
ROWS, WIDTH = 16_384, 128  # of the contrast whose implementation is told
TOLERANCE = 1e-3  # between the losses of devices, whose sums have other orders


def add_options(parser: Any) -> None:
    """The options of doctor."""
    parser.add_argument("--root", type=str | None, default=None, help="data folder; by default that of all commands")


def run(config: Any) -> int:
    """Print one line per finding; the wrong ones begin with an exclamation mark."""
    wrong = 0
    for section in (_versions(), _devices(), _extras(), _data(config.root), _encoder()):
        for line in _findings(section):
            print(line, flush=True)
            wrong += line.startswith("! ")
    print("all is well" if not wrong else f"{wrong} of these want mending")
    return 1 if wrong else 0


def _findings(section: Iterator[str]) -> Iterator[str]:
    """What a section finds; where it fails, that is one more finding."""
    try:
        yield from section
    except Exception as error:
        yield f"! {type(error).__name__}: {' '.join(str(error).split())}"


def _versions() -> Iterator[str]:
    from graphcl import __version__

    yield f"graphcl {__version__}, Python {platform.python_version()}, {platform.platform()}"
    there = {name: version for name in NEEDED if (version := _version(name)) is not None}
    yield ", ".join(f"{name} {version}" for name, version in there.items())
    for name in NEEDED:
        if name not in there:
            yield f"! {name}: not installed; pip install {name}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[str]:
    """Every device, the step of training on it, and what a large contrast would be made by there."""
    import torch

    from graphcl.similarity import explain

    devices = [torch.device("cpu"), *(torch.device("cuda", i) for i in range(torch.cuda.device_count()))]
    expected = _loss(devices[0])
    for device in devices:
        if device.type == "cpu":
            yield f"cpu: {os.cpu_count()} cores, {torch.get_num_threads()} threads of torch"
        else:
            facts = torch.cuda.get_device_properties(device)
            yield f"{device}: {facts.name}, {facts.total_memory / 2**30:.0f} GiB"
        try:
            loss = _loss(device)
        except RuntimeError as error:
            yield f"! a step of training failed there: {str(error).splitlines()[0]}; see the driver and torch's build"
            continue
        right = abs(loss - expected) <= TOLERANCE * abs(expected)
        yield f"{'  ' if right else '! '}one step of GraphCL there: loss {loss:.4f}" + (
            "" if right else f", expected {expected:.4f} as on the CPU; please report it"
        )
        yield f"  contrast of {ROWS:,} rows: {explain(torch.empty(ROWS, WIDTH, device=device))}"
    if len(devices) == 1 and torch.version.cuda is None and Path("/proc/driver/nvidia").exists():
        yield "! a GPU of NVIDIA, but a torch without CUDA; install one from https://pytorch.org/get-started/locally"


def _loss(device: Any) -> float:
    """The loss of the first step on a small set, the same wherever it is taken."""
    from graphcl._random import torch_seeded
    from graphcl.data import PackedDataset, load
    from graphcl.methods import GraphCL
    from graphcl.nn import GIN, GraphEncoder
    from graphcl.train import fit

    graphs = PackedDataset(load("synthetic-molecules")[:32], graph_id=True)
    with torch_seeded(0):
        method = GraphCL(GraphEncoder(GIN(graphs.num_features)))
    return fit(method, graphs, epochs=1, batch_size=32, device=device, progress=False).epochs[0]["loss"]


def _extras() -> Iterator[str]:
    for extra, module in EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            yield f"extra {extra}: not installed; pip install 'graphcl[{extra}]'"
        else:
            yield f"extra {extra}: {module} is there"


def _data(root: str | None) -> Iterator[str]:
    """The data folder, and the sets whose files are in it."""
    from graphcl.data import home
    from graphcl.data.cards import legible_cards

    folder = home(root)
    place = next(path for path in (folder, *folder.parents) if path.exists())  # where it is, or is to be made
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield (
            f"! data folder {folder}: {place} cannot be written to ({error.strerror}); choose another one by "
            "GRAPHCL_HOME or --root"
        )
    else:
        words = "can be written to" if place == folder else "not there yet; it is made when something is put into it"
        yield f"data folder {folder}: {words}"
    entries, faults = legible_cards(root=root)
    yield from (f"! {' '.join(str(fault).split())}" for fault in faults)
    if not folder.is_dir():
        return
    sets = sorted(entry.name for entry in entries if (folder / "TU" / entry.name / "raw").is_dir())
    others = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name not in ("TU", "cards"))
    yield f"  in it: {', '.join(others) or 'nothing'}; of TU {', '.join(sets) or 'nothing'}"


def _encoder() -> Iterator[str]:
    """The encoder of molecules that comes with the package."""
    from graphcl.errors import GraphCLError
    from graphcl.pretrained import load, names

    for name in names():
        try:
            encoder = load(name).encoder
            yield f"encoder {name}: loads, {sum(weight.numel() for weight in encoder.parameters()):,} weights"
        except (GraphCLError, OSError) as error:
            yield f"! encoder {name}: {error}; install the package again"
