"""Molecules per second: reading SMILES, making batches, the encoder, and pretraining, each beside the usual way.

    python benchmarks/molecules.py --data zinc250k/smiles.csv.gz

The usual way: OGB's and PyG's own featurisers, PyG's DataLoader, and the encoder of Hu et al. written with PyG's
MessagePassing, which holds a vector per bond. Both sides take turns in one process; on a shared machine only the ratio
means anything. Writes ``results/molecules_speed.csv``.

``--data synthetic`` needs neither RDKit nor OGB: two rings on a chain, atoms drawn at random, of the size of ZINC's
molecules, for all but the reading of SMILES.
"""

import argparse
import csv
import datetime
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MessagePassing, global_mean_pool

from graphcl import __version__
from graphcl.augment import AtomMask, BondDrop
from graphcl.data import PackedDataset, from_smiles_list, load_molecules
from graphcl.data.home import home
from graphcl.data.tables import read_molecules
from graphcl.methods import GraphCL
from graphcl.nn import GraphEncoder, MoleculeEncoder, mean_readout
from graphcl.nn._autocast import bfloat16

RESULTS = Path(__file__).parent / "results" / "molecules_speed.csv"


class PlainLayer(MessagePassing):
    """A layer of Hu et al.: bond embeddings added to the neighbours', self-loops appended."""

    def __init__(self, width: int, sizes: list[int]) -> None:
        super().__init__(aggr="add")
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        self.own = nn.Parameter(torch.zeros(1, width))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        n = x.size(0)
        bonds = sum(table(edge_attr[:, c]) for c, table in enumerate(self.tables))
        loops = torch.arange(n, device=x.device).expand(2, -1)
        bonds = torch.cat([bonds, self.own.expand(n, -1)])
        return self.mlp(self.propagate(torch.cat([edge_index, loops], 1), x=x, bonds=bonds))

    def message(self, x_j: Tensor, bonds: Tensor) -> Tensor:
        return x_j + bonds


class Plain(nn.Module):
    """The whole encoder, as one writes it with PyG."""

    def __init__(self, like: MoleculeEncoder) -> None:
        super().__init__()
        width = like.hidden_channels
        self.atoms = nn.ModuleList(nn.Embedding(size, width) for size in like.atoms.sizes)
        self.layers = nn.ModuleList(PlainLayer(width, like.bond_sizes[:-1]) for _ in range(like.num_layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in self.layers)

    def forward(self, batch: Any) -> Tensor:
        h = sum(table(batch.x[:, c]) for c, table in enumerate(self.atoms))
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            h = norm(layer(h, batch.edge_index, batch.edge_attr))
            h = h.relu() if i < len(self.layers) - 1 else h
        return global_mean_pool(h, batch.batch, batch.num_graphs)


def in_turn(rounds: int, *functions: Callable[[], object], device: str) -> list[float]:
    """Median seconds of each, after a round that does not count."""
    times: list[list[float]] = [[] for _ in functions]
    for number in range(rounds + 1):
        for function, seen in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            if device != "cpu":
                torch.cuda.synchronize()
            if number:
                seen.append(time.perf_counter() - start)
    return [statistics.median(seen) for seen in times]


def reading(smiles: list[str], rounds: int) -> list[dict[str, Any]]:
    from ogb.utils import smiles2graph
    from torch_geometric.utils import from_smiles

    rows = []
    for vocab, theirs in (("ogb", smiles2graph), ("pyg", from_smiles)):
        ours, other = in_turn(
            rounds,
            lambda vocab=vocab: from_smiles_list(smiles, vocab=vocab),
            lambda theirs=theirs: [theirs(text) for text in smiles],
            device="cpu",
        )
        rows.append(row(f"read {vocab}, one process", len(smiles), ours, other))
    return rows


def corpus(path: Path, rounds: int) -> tuple[Any, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        dataset = load_molecules(path, root=scratch)
        first = time.perf_counter() - start
        start = time.perf_counter()
        load_molecules(path, root=scratch)
        again = time.perf_counter() - start
        rows = [row(f"read a file, {os.cpu_count()} processes, cached", len(dataset), first)]
        rows.append(row("open it again", len(dataset), again))
        return load_molecules(path), rows


def synthetic(count: int) -> list[Data]:
    """Molecules in name only, in the widths of OGB's table: 23 atoms and 24 bonds on average."""
    like, generator = MoleculeEncoder(1, 1), torch.Generator().manual_seed(0)

    def columns(sizes: list[int], rows: int) -> Tensor:
        return torch.stack([torch.randint(size, (rows,), generator=generator) for size in sizes], 1)

    molecules = []
    for atoms in torch.randint(15, 32, (count,), generator=generator).tolist():
        chain = torch.stack([torch.arange(atoms - 1), torch.arange(1, atoms)])
        bonds = torch.cat([chain, torch.tensor([[0, 6], [5, 11]])], 1)  # two rings of six
        kinds = columns(like.bond_sizes[:-1], bonds.size(1))
        both = torch.cat([bonds, bonds.flip(0)], 1)
        molecules.append(Data(x=columns(like.atoms.sizes, atoms), edge_index=both, edge_attr=kinds.repeat(2, 1)))
    return molecules


def batches(dataset: Any, batch_size: int, rounds: int, device: str) -> dict[str, Any]:
    packed = PackedDataset(dataset, device=device)
    some = [dataset[i] for i in range(4 * batch_size)]
    order = torch.randperm(len(dataset))

    def ours() -> None:
        for i in range(4):
            packed.batch(order[i * batch_size : (i + 1) * batch_size])

    def theirs() -> None:
        for batch in DataLoader(some, batch_size=batch_size):
            batch.to(device)

    return row(f"batches of {batch_size}", 4 * batch_size, *in_turn(rounds, ours, theirs, device=device))


def encoders(dataset: Any, batch_size: int, rounds: int, device: str, bf16: bool) -> dict[str, Any]:
    batch = PackedDataset(dataset, device=device).batch(torch.arange(batch_size))
    ours = GraphEncoder(MoleculeEncoder(300, 5), mean_readout).to(device)
    theirs = Plain(ours.gnn).to(device)

    def step(network: Callable[[], Tensor], precision: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with precision():
                out = network()
            out.float().square().sum().backward()

        return run

    own = step(lambda: ours.encode(batch).graph, lambda: bfloat16(device, enabled=bf16))  # as fit does
    usual = step(lambda: theirs(batch), lambda: torch.autocast(device, torch.bfloat16, enabled=bf16))
    seconds = in_turn(rounds, own, usual, device=device)
    return row(f"encoder, forwards and back, {batch_size}, {named(bf16)}", batch_size, *seconds)


def named(bf16: bool) -> str:
    return "bf16" if bf16 else "float32"


def pretraining(dataset: Any, batch_size: int, rounds: int, device: str, bf16: bool) -> dict[str, Any]:
    packed = PackedDataset(dataset, device=device, graph_id=True)
    encoder = GraphEncoder(MoleculeEncoder(300, 5), mean_readout)
    method = GraphCL(encoder, views=(AtomMask(0.25), BondDrop(0.25))).to(device)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3, fused=True)
    order = torch.randperm(len(packed))

    def step() -> None:
        optimizer.zero_grad()
        with bfloat16(device, enabled=bf16):  # as fit does
            loss = method(packed.batch(order[:batch_size]))
        loss.backward()
        optimizer.step()

    what = f"pretraining, two views, {batch_size}, {named(bf16)}"
    return row(what, batch_size, *in_turn(rounds, step, device=device))


def row(what: str, molecules: int, seconds: float, usual: float | None = None) -> dict[str, Any]:
    entry = {"what": what, "molecules_per_second": round(molecules / seconds)}
    entry |= {"usual_way": "" if usual is None else round(molecules / usual)}
    entry |= {"ratio": "" if usual is None else round(usual / seconds, 2)}
    print(entry, flush=True)
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(home() / "zinc250k" / "smiles.csv.gz"))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if options.data == "synthetic":
        dataset: Any = synthetic(4 * max(options.batch_sizes))
    else:
        rows += reading(read_molecules(Path(options.data)).smiles[:2000], options.rounds)
        dataset, more = corpus(Path(options.data), options.rounds)
        rows += more
    for size in options.batch_sizes:
        rows.append(batches(dataset, size, options.rounds, options.device))
        for bf16 in (False, True):
            rows.append(encoders(dataset, size, options.rounds, options.device, bf16))
            rows.append(pretraining(dataset, size, options.rounds, options.device, bf16))
    machine = (
        torch.cuda.get_device_name() if options.device != "cpu" else f"{platform.machine()}, {os.cpu_count()} cores"
    )
    facts = {"device": machine, "threads": torch.get_num_threads(), "version": __version__}
    command = f"python benchmarks/molecules.py --rounds {options.rounds} --device {options.device}"
    facts |= {"command": command + " --data synthetic" * (options.data == "synthetic")}
    facts |= {"date": datetime.date.today().isoformat()}
    with options.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *facts])
        writer.writeheader()
        writer.writerows({**entry, **facts} for entry in rows)


if __name__ == "__main__":
    main()
