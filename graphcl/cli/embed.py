"""``graphcl embed``: write a run's embeddings, or a pretrained encoder's, to a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphcl._resolve import make_method
from graphcl.cli._data import add_columns, beside, check_new, load_data, tell_skipped
from graphcl.cli._settings import run_config
from graphcl.cli._source import add_named, check_named
from graphcl.errors import ConfigError

__all__ = ["ABOUT", "add_options", "run"]

ABOUT = (
    "Write embeddings to an .npz file, by a run or by a pretrained encoder (--model): of graphs, and of nodes "
    "where the graphs are not molecules."
)


def add_options(parser: Any) -> None:
    """The options of embed."""
    add = parser.add_argument
    add_named(add)
    add(
        "--out",
        type=str,
        required=True,
        help="the .npz file: arrays graph, y, row (of a file), node, ptr (first nodes)",
    )
    add("--dataset", type=str | None, default=None, help="another data set than the run's")
    add("--data", type=str | None, default=None, help="instead of a data set a file of molecules")
    add_columns(add)
    add("--nodes", type=bool | None, default=None, help="write the node embeddings; by default not those of molecules")
    add("--root", type=str | None, default=None, help="data folder")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--overwrite", action="store_true", help="replace the file, and the list of rows that are not molecules")


def run(config: Any) -> int:
    """Embed the graphs batch by batch, and write the arrays."""
    import numpy as np
    import torch

    from graphcl.data import PackedDataset
    from graphcl.train import pick_device
    from graphcl.train.checkpoint import write_atomically

    out = Path(config.out).expanduser()
    check_new(out, ".npz", overwrite=config.overwrite, data=config.data)
    check_named(config)
    device = pick_device(config.device)
    encode, dataset = (_of_run if config.model is None else _of_model)(config, device)
    graphs = PackedDataset(dataset).to(device)
    nodes = graphs.vocab is None if config.nodes is None else config.nodes
    arrays: dict[str, Any] = {"graph": [], "node": [], "ptr": [torch.zeros(1, dtype=torch.int64)]}
    for batch in graphs.batches(1024):
        embeddings = encode(batch)
        arrays["graph"].append(embeddings.graph.cpu())
        if nodes:
            arrays["node"].append(embeddings.node.cpu())
            arrays["ptr"].append(batch.ptr[1:].cpu() + arrays["ptr"][-1][-1])
    arrays = {name: torch.cat(parts).numpy() for name, parts in arrays.items() if nodes or name == "graph"}
    if dataset._data.y is not None:
        arrays["y"] = graphs.y.cpu().numpy()
    if "row" in dataset._data:
        arrays["row"] = dataset._data.row.numpy()
    write_atomically(out, lambda file: np.savez(file, **arrays))
    print(f"{out}: {', '.join(f'{name} {list(array.shape)}' for name, array in arrays.items())}")
    tell_skipped(dataset, beside(out))
    return 0


def _of_run(config: Any, device: Any) -> tuple[Any, Any]:
    """How a run embeds a batch, and the data set."""
    from graphcl.train import RunFolder

    folder = RunFolder(config.run)
    settings = run_config(folder)
    dataset = load_data(_asked(config, settings), root=config.root or settings["root"])
    method = make_method(settings, dataset.num_features).to(device)
    folder.load_weights(method)
    return method.embed, dataset


def _of_model(config: Any, device: Any) -> tuple[Any, Any]:
    """How a pretrained encoder embeds a batch, and the data set."""
    from graphcl.pretrained import load

    model = load(config.model).to(device)
    if config.data is None and config.dataset is None:
        raise ConfigError("expected --data FILE or --dataset NAME to embed, got neither")
    settings = {"dataset": None, "data": None, "smiles_column": None, "vocab": model.vocab}
    dataset = load_data({**_asked(config, settings), "features": model.facts.get("features")}, root=config.root)
    if dataset.num_features != model.facts["in_channels"]:
        raise ConfigError(
            f"expected {model.facts['in_channels']} features for {model.name}, got {dataset.num_features}"
        )
    return model.encode, dataset


def _asked(config: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the data that the command asks for in the place of the run's."""
    from graphcl.data import card
    from graphcl.data.load import is_molecules

    if config.data is not None and config.dataset is not None:
        raise ConfigError(f"expected --dataset or --data, got both, {config.dataset} and {config.data}")
    if config.data is not None and settings["vocab"] is None:
        raise ConfigError("expected an encoder of molecules for a file of molecules, got one of other graphs")
    if config.data is not None:
        of_file = {"smiles_column": config.smiles_column, "encoding": config.encoding}
        return {**settings, "data": config.data, "dataset": None, **of_file}
    if config.dataset is not None:
        entry = card(config.dataset, root=config.root or settings.get("root"))
        if settings["vocab"] is not None and not is_molecules(entry):
            raise ConfigError(
                f"expected a set of molecules for an encoder that looks up atoms and bonds, got {entry.name}, whose "
                "graphs are others; graphcl datasets list shows them"
            )
        return {**settings, "data": None, "dataset": config.dataset}
    return dict(settings)
