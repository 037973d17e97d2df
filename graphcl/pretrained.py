"""Pretrained encoders to use at once: written by ``graphcl export``, read by ``graphcl.load``, never unpickled."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from graphcl._recipes import near
from graphcl._resolve import make_encoder
from graphcl._vocabulary import check_same_vocabulary
from graphcl.data import PackedDataset, from_smiles_list
from graphcl.errors import CheckpointError, ConfigError, RunError
from graphcl.methods import Method
from graphcl.nn import Embeddings, GraphEncoder
from graphcl.nn._modes import evaluating
from graphcl.train.checkpoint import check_readable, write_atomically

__all__ = ["Pretrained", "load", "names", "save"]

MODELS = Path(__file__).parent / "_models"
WEIGHTS, CARD = "model.safetensors", "card.md"
FORM = "graphcl-encoder-1"

# What an encoder is made from; the rest of a run's settings is about its training.
OF_ENCODER = (
    *("encoder", "vocab", "conv", "virtual_node", "hidden", "last_width", "layers", "activation", "act_last", "norm"),
    *("joined", "unit", "dropout", "readout"),
)


class Pretrained:
    """An encoder with its weights, and what is known of it.

    Args:
        name: What it is called.
        encoder: The encoder, in evaluation mode.
        facts: Its settings and where it comes from.
        card: The text about it, as Markdown.
    """

    def __init__(self, name: str, encoder: GraphEncoder, facts: Mapping[str, Any], card: str = "") -> None:
        self.name = name
        self.encoder = encoder.eval()
        self.facts = dict(facts)
        self.card = card

    @property
    def vocab(self) -> str | None:
        """The index table of its molecules; None where it is an encoder of other graphs."""
        return self.facts["settings"]["vocab"]

    def to(self, device: torch.device | str) -> "Pretrained":
        """This encoder on another device, where it then embeds."""
        self.encoder.to(device)
        return self

    def encode(self, data: Any) -> Embeddings:
        """Node and graph embeddings of a ``Data`` or ``Batch``, in evaluation mode; without a gradient."""
        with torch.no_grad(), evaluating(self.encoder):
            return self.encoder.encode(data)

    def embed(self, graphs: Any, *, batch_size: int = 1024) -> Tensor:
        """The graph embeddings of molecules, or of other graphs.

        Args:
            graphs: A list, array or column of SMILES, such as a set's ``smiles``, or a data set, list of ``Data`` or
                :class:`graphcl.data.PackedDataset`.
            batch_size: Graphs at once.

        Returns:
            ``[N, D]`` float32, on the CPU; row i is the i-th graph's.

        Raises:
            ValueError: A SMILES is no molecule, which the message names; the graphs have another index table, or
                another number of features.
            TypeError: ``graphs`` is a single text, a single graph, a whole table or the like.

        Example:
            >>> load("zinc-gin").embed(["CCO", "c1ccccc1"]).shape
            torch.Size([2, 300])
        """
        if isinstance(graphs, str):
            raise TypeError(f"expected a list of SMILES, got one text {graphs!r}; write [smiles]")
        packed = self._packed(graphs).to(next(self.encoder.parameters()).device)
        return torch.cat([self.encode(batch).graph.float().cpu() for batch in packed.batches(batch_size)])

    def _packed(self, graphs: Any) -> PackedDataset:
        if isinstance(graphs, PackedDataset):
            packed = graphs
        elif (texts := _texts(graphs)) is not None:
            packed = PackedDataset(self._read(texts))
        elif isinstance(graphs, list | tuple | Dataset):
            packed = PackedDataset(graphs)
        else:
            raise TypeError(
                f"expected a list, array or column of SMILES, or a set or list of graphs, got {type(graphs).__name__}; "
                f"write [graph] for one graph, frame['smiles'] for a table, list(smiles) for what is gone through once"
            )
        check_same_vocabulary(graphs=packed, model=self)
        width = packed.batch([0]).x.size(1)
        if width != self.facts["in_channels"]:
            raise ValueError(
                f"expected graphs with {self.facts['in_channels']} features, as {self.name} was trained on, got {width}"
            )
        return packed

    def _read(self, smiles: Sequence[str]) -> Any:
        if self.vocab is None:
            raise ValueError(f"expected graphs, got SMILES: {self.name} is no encoder of molecules")
        dataset = from_smiles_list(smiles, vocab=self.vocab)
        if dataset.skipped:
            row, text, why = dataset.skipped[0]
            raise ValueError(
                f"expected SMILES of molecules, got {len(dataset.skipped)} that are none, the first at {row}: {text!r} "
                f"({why}); leave them out, or make the set with graphcl.data.from_smiles_list and pass that"
            )
        return dataset

    def __repr__(self) -> str:
        return f"Pretrained({self.name!r}, vocab={self.vocab!r}, channels={self.encoder.graph_channels})"


def _texts(graphs: Any) -> Sequence[Any] | None:
    """The SMILES of a list, or of an array or column, whose gaps are no texts; None where it holds none."""
    if callable(getattr(graphs, "tolist", None)):
        graphs = graphs.tolist()
    if not isinstance(graphs, Sequence) or not (len(graphs) == 0 or any(isinstance(text, str) for text in graphs)):
        return None
    return graphs


def names() -> list[str]:
    """The encoders that come with the package.

    Example:
        >>> isinstance(names(), list)
        True
    """
    return sorted(path.parent.name for path in MODELS.glob(f"*/{WEIGHTS}"))


def load(name: str | Path) -> Pretrained:
    """A pretrained encoder: one that comes with the package by its name, or another by its folder or file.

    No network, and nothing is unpickled: the weights are safetensors, the settings JSON.

    Args:
        name: One of :func:`names`, a folder that ``graphcl export`` wrote, or the ``.safetensors`` file in it.

    Raises:
        CheckpointError: There is no such encoder, or the file is damaged or none of this package.

    Example:
        >>> load("zinc-gin")
        Pretrained('zinc-gin', vocab='ogb', channels=300)
    """
    from safetensors import SafetensorError, safe_open

    path = _place(name)
    check_readable(path)
    try:
        with safe_open(path, framework="pt") as stored:
            facts = json.loads((stored.metadata() or {}).get("graphcl", "{}"))
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"expected an encoder at {path}, but the file is damaged ({error})") from error
    if facts.get("form") != FORM:
        raise CheckpointError(
            f"expected an encoder that graphcl export wrote at {path}, got a file of form {facts.get('form')!r}; a "
            "run's own model.safetensors is exported with: graphcl export RUN --out DIR; that of fit(..., folder=) in "
            "Python is read by RunFolder(path).load_weights(method), into a method made as it was there"
        )
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    try:
        with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
            encoder = make_encoder(facts["settings"], facts["in_channels"])
        encoder.load_state_dict(tensors)
    except (ConfigError, RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(f"expected the weights that its settings tell of at {path}: {error}") from error
    card = path.with_name(CARD)
    return Pretrained(facts["name"], encoder, facts, card.read_text(encoding="utf-8") if card.is_file() else "")


def _place(name: str | Path) -> Path:
    if str(name) in names():
        return MODELS / str(name) / WEIGHTS
    path = Path(name).expanduser()
    path = path / WEIGHTS if path.is_dir() else path
    if not path.is_file():
        known = f"; those that come with the package: {near(str(name), names())}" if names() else ""
        raise CheckpointError(
            f"expected the name of an encoder, or its folder, got {str(name)!r}, found nothing{known}"
        )
    return path


def save(
    encoder: GraphEncoder,
    folder: str | Path,
    settings: Mapping[str, Any],
    *,
    in_channels: int,
    card: str = "",
    **facts: str | int | float | None,
) -> Path:
    """Write an encoder as float16 safetensors that carry its settings, and the text about it beside.

    Args:
        encoder: The encoder, as the package makes it from ``settings``.
        folder: A new folder; its name becomes the encoder's.
        settings: A run's settings.
        in_channels: The width of the node features.
        card: The text, as Markdown.
        facts: What else is to be kept: where it comes from.

    Returns:
        The folder.

    Raises:
        RunError: The folder is there already, or cannot be written.
        ValueError: A weight is too large for float16, or not finite.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from graphcl._recipes import settings_for
        >>> from graphcl._resolve import make_encoder
        >>> settings = settings_for("graphcl") | {"hidden": 4}
        >>> path = save(make_encoder(settings, 3), Path(tempfile.mkdtemp()) / "mine", settings, in_channels=3)
        >>> sorted(file.name for file in path.iterdir())
        ['card.md', 'model.safetensors']
    """
    from safetensors.torch import save as to_bytes

    folder = Path(folder).expanduser()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise RunError(f"expected a new folder, but {folder} is there already; choose another --out")
    tensors = {}
    for name, value in encoder.state_dict().items():
        value = value.detach().cpu().contiguous()
        tensors[name] = value.half() if value.is_floating_point() else value
        if value.is_floating_point() and not bool(tensors[name].isfinite().all()):
            raise ValueError(f"expected weights that float16 can hold (below 65,504), got others in {name}")
    kept = {key: settings[key] for key in OF_ENCODER if key in settings}
    about = {"form": FORM, "name": folder.name, "settings": kept, "in_channels": in_channels, **facts}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"expected a folder that can be made, got {folder}: {error.strerror or error}") from error
    data = to_bytes(tensors, metadata={"graphcl": json.dumps(about)})
    try:
        write_atomically(folder / CARD, lambda file: file.write(card.encode()))
        write_atomically(folder / WEIGHTS, lambda file: file.write(data))
    except RunError:  # nothing that is half there may stand in the way of the next attempt
        (folder / CARD).unlink(missing_ok=True)
        raise
    return folder


def embeds_by_encoder(method: Method) -> bool:
    """Whether a method's embeddings are those of its encoder, so that the encoder is all there is to keep.

    Example:
        >>> from graphcl.methods import GraphCL
        >>> from graphcl.nn import GIN
        >>> embeds_by_encoder(GraphCL(GraphEncoder(GIN(3))))
        True
    """
    return type(method).represent is Method.represent and type(method).embed is Method.embed
