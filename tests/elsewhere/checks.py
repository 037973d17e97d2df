"""The contract suites' members on a device that is not the CPU: ``python checks.py NAME``, in a process of its own.

Each check computes something here and there, and says where the two differ.
"""

import copy
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch
from device import DEVICE, READS, Away, back, elsewhere
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch_geometric.data import Batch
from torch_geometric.nn import GIN as PyGGIN

from graphcl import methods
from graphcl.augment import AtomMask, BondDrop, Compose, HeteroEdgeDrop, HeteroFeatureMask, SubgraphRemove
from graphcl.data import PackedDataset, load
from graphcl.evaluate import Diagnostics
from graphcl.nn import GAT, GCN, GIN, SAGE, GraphEncoder
from graphcl.train import fit

TESTS = Path(__file__).parent.parent


def suite(path: str) -> ModuleType:
    """A file of tests as a module, for its list of members."""
    name = path.replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, TESTS / path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def itself() -> Iterator[tuple[str, Any]]:
    """That the device refuses what a GPU refuses, and counts what a GPU waits for."""
    with elsewhere():
        x, index = torch.ones(3, 2, device=DEVICE), torch.tensor([2, 0], device=DEVICE)
        refused = []
        for mixed in (lambda: x + torch.ones(3, 2), lambda: x.cpu() + x, lambda: x.index_add(0, torch.arange(3), x)):
            try:
                mixed()
            except RuntimeError as error:
                refused.append("on the same device" in str(error))
        yield "mixing is refused", [] if refused == [True] * 3 else refused
        try:
            x.numpy()
            yield "numpy is refused", ["it was not"]
        except TypeError:
            yield "numpy is refused", []
        READS.clear()
        y = (x * 2).index_select(0, index).sum(0).add_(1)
        yield "nothing was read", sorted(READS)
        counted = [y.sum().item(), (x > 0).nonzero().size(0), y.tolist(), x[x > 5].numel()]
        yield "numbers", [] if counted == [10.0, 6, [5.0, 5.0], 0] else counted
        reads = {"aten::_local_scalar_dense", "aten::nonzero", "tolist", "aten::index"}
        yield "all was counted", sorted(set(READS) ^ reads)
        with torch.enable_grad():
            layer = nn.Linear(2, 2).to(DEVICE)
            layer(x).sum().backward()
        yield "gradients are there", [] if isinstance(layer.weight.grad, Away) else ["they are not"]


def views() -> Iterator[tuple[str, Any]]:
    contract, shared = suite("augment/test_contract.py"), suite("augment/conftest.py")
    for aug in contract.ALL:
        for kind in ("molecules", "all sorts"):
            batch = Batch.from_data_list(contract.ZOO[kind](shared._make))
            with elsewhere():
                view = aug.view(batch.clone().to(DEVICE), 3)
            stayed = [k for k, v in view._store.items() if isinstance(v, Tensor) and not isinstance(v, Away)]
            yield f"{aug} of {kind}", stayed + shared._differences(back(view), aug.view(batch, 3))


def losses() -> Iterator[tuple[str, Any]]:
    contract = suite("losses/test_contract_all.py")
    for loss in contract.ALL:
        for times in (1, 100):  # one matrix, and tiles

            def inputs(times: int = times, loss: Any = loss) -> list[Tensor]:
                rows = loss.inputs(torch.Generator().manual_seed(0))
                rows = [z.repeat(times, *[1] * (z.dim() - 1)) if len(z) in (6, 9) else z for z in rows]
                # float32 is what a GPU computes in; the numbers are told apart by their last digits all the same.
                rows = [z.float() if z.is_floating_point() else z for z in rows]
                return [z.requires_grad_(z.is_floating_point() and i not in loss.constant) for i, z in enumerate(rows)]

            mine = inputs()
            value = loss(*mine)
            grads = contract.gradients(value, mine)
            with elsewhere():
                theirs = [z.detach().to(DEVICE).requires_grad_(z.requires_grad) for z in inputs()]
                other = loss(*theirs)
                others = contract.gradients(other, theirs)
            yield f"{loss} of {times}", differences([value, *grads], [other, *others], 1e-5)


def graph_methods() -> Iterator[tuple[str, Any]]:
    contract = suite("methods/test_contract.py")
    generator = torch.Generator().manual_seed(0)
    batch = Batch.from_data_list([contract.graph(n, generator) for n in range(6, 14)])
    for name in contract.METHODS:
        # Torch's BatchNorm there does not centre its rows, as ours does here: seen to matter for this one alone.
        near = 5e-4 if name == "GraphBYOL" else 1e-4
        yield name, steps(lambda name=name: contract.build(name, "GCN"), batch, near=near)
    # Between the losses of two steps such a method reads nothing: the host runs ahead.
    for name in ("InfoGraph", "SimGRACE", "GraphSimCSE", "CrossModal"):
        with elsewhere():
            method, there = contract.build(name).to(DEVICE), batch.clone().to(DEVICE)
            method(there)  # what is sorted once
            READS.clear()
            method(there).backward()
            yield f"{name} waits for nothing", sorted(READS)


def node_methods() -> Iterator[tuple[str, Any]]:
    contract = suite("methods/test_contract_nodes.py")
    for name in contract.METHODS:
        yield name, steps(lambda name=name: contract.build(name, "GCN"), contract.graph())


def training() -> Iterator[tuple[str, Any]]:
    molecules, network = load("synthetic-molecules")[:96], load("synthetic-social")[0]
    packed, width = PackedDataset(molecules, graph_id=True), molecules.num_features
    for gnn in (GCN, GIN, PyGGIN):
        make = seeded(lambda gnn=gnn: methods.GraphCL(GraphEncoder(gnn(width, 8, 2))))
        yield f"GraphCL over {gnn.__module__} {gnn.__name__}", runs(make, molecules, batch_size=32)
    for gnn in (GCN, SAGE, GAT):
        make = seeded(lambda gnn=gnn: methods.GRACE(GraphEncoder(gnn(network.num_features, 8, 2))))
        yield f"GRACE over {gnn.__name__}", runs(make, network)
    graph, batches, seen = copy.copy(network), [packed.batch([0, 1, 2]), packed.batch([3, 4])], packed.batch([5, 6, 7])
    kept = DataLoader(batches, batch_size=None)
    settings = {"epochs": 1, "progress": False, "device": str(DEVICE)}
    with elsewhere():
        fit(methods.GRACE(GraphEncoder(GCN(network.num_features, 8, 2))), graph, **settings)
        method = methods.GraphCL(GraphEncoder(GIN(width, 8, 2)))
        fit(method, kept, **settings, callbacks=[Diagnostics(seen)])
    yield "the caller's graphs stay", [data for data in (graph, *batches, seen) if isinstance(data.x, Away)]
    with elsewhere():
        there = packed.to(DEVICE).batch(torch.tensor([4, 1]))
    here = packed.batch(torch.tensor([4, 1]))
    yield "packed graphs", [k for k in ("x", "edge_index", "ptr") if not torch.equal(back(there)[k], here[k])]


def more_views() -> Iterator[tuple[str, Any]]:
    from torch_geometric.data import HeteroData

    from graphcl.data import from_smiles_list

    rows = from_smiles_list(["C" * n + end for n in range(1, 12) for end in ("O", "N", "c1ccccc1")])
    batch = PackedDataset(rows, graph_id=True).batch(torch.arange(20))
    for aug in (AtomMask(mask=0.3), Compose([BondDrop(drop=0.3), SubgraphRemove(remove=0.3)])):
        with elsewhere():
            view = back(aug.view(batch.clone().to(DEVICE), 5))
        wanted = aug.view(batch, 5)
        yield str(aug), [k for k in ("x", "edge_index", "edge_attr", "ptr") if not torch.equal(view[k], wanted[k])]
    hetero = HeteroData()
    hetero["a"].x, hetero["b"].x = torch.randn(6, 3), torch.randn(5, 2)
    hetero["a", "to", "b"].edge_index = torch.stack([torch.arange(20) % 6, torch.arange(20) % 5])
    for aug in (HeteroEdgeDrop(drop=0.5), HeteroFeatureMask(mask=0.5)):
        with elsewhere():
            view = aug.view(hetero.clone().to(DEVICE), 5)
        wanted, ends = aug.view(hetero, 5), ("a", "to", "b")
        same = torch.equal(back(view["a"].x), wanted["a"].x)
        same &= torch.equal(back(view[ends].edge_index), wanted[ends].edge_index)
        yield str(aug), [] if same else ["another view"]


def large_graphs() -> Iterator[tuple[str, Any]]:
    from torch_geometric.loader import NodeLoader

    from graphcl.data import NeighbourSampler
    from graphcl.evaluate.logistic import fit_logistic
    from graphcl.nn import embed_layerwise
    from graphcl.similarity import topk

    def sampled(data: Any) -> list[Tensor]:
        batch = next(iter(NodeLoader(data, NeighbourSampler(data, [5, 3], seed=0), batch_size=16)))
        return [batch.n_id, batch.e_id, batch.edge_index, batch.x]

    network = load("synthetic-social")[0]
    with elsewhere():
        there = sampled(network.clone().to(DEVICE))
    yield "neighbours", differences(sampled(network), there, 0)

    make = seeded(lambda: GraphEncoder(GCN(network.num_features, 8, 2)).eval())
    with elsewhere():
        given = network.clone().to(DEVICE)
        there = embed_layerwise(make().to(DEVICE), given.x, given.edge_index, budget=500)
    yield "layer by layer", differences([embed_layerwise(make(), network.x, network.edge_index)], [there], 1e-5)

    x, y = torch.randn(300, 5, generator=torch.Generator().manual_seed(0)), torch.arange(300) % 3
    with elsewhere():
        there = fit_logistic(x.to(DEVICE), y.to(DEVICE), penalty=1.0).decision(x.to(DEVICE))
    yield "logistic regression", differences([fit_logistic(x, y, penalty=1.0).decision(x)], [there], 1e-3)
    many = x.repeat(3, 1) + torch.arange(900)[:, None] / 1e4
    with elsewhere():
        there = topk(many.to(DEVICE), k=4)
    yield "the most similar", differences(list(topk(many, k=4)), list(there), 1e-6)


def steps(make: Callable[[], Any], data: Any, count: int = 3, near: float = 1e-4) -> list[str]:
    """What differs in a few steps, the weights they lead to, and the embeddings."""

    def run(device: torch.device | str) -> tuple[list[Tensor], dict[str, Tensor], Tensor]:
        method, given = make().to(device), data.clone().to(device)
        optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=0.01)
        found = []
        for _ in range(count):
            optimizer.zero_grad()
            loss = method(given)
            loss.backward()
            optimizer.step()
            method.after_step()
            found.append(loss.detach())
        return found, method.state_dict(), method.embed(given).graph

    mine = run("cpu")
    with elsewhere():
        theirs = run(DEVICE)
    stayed = [key for key, value in theirs[1].items() if not isinstance(value.data, Away)]
    found = [[*losses, graph] for losses, _, graph in (mine, theirs)]
    return stayed + differences(*found, near)


def runs(make: Callable[[], Any], data: Any, **settings: Any) -> list[str]:
    """What differs in the losses of a run."""
    mine = fit(make(), data, epochs=2, progress=False, **settings)
    with elsewhere():
        theirs = fit(make(), data, epochs=2, progress=False, device=str(DEVICE), **settings)
    found = [torch.tensor([row["loss"] for row in history.epochs]) for history in (mine, theirs)]
    return differences(*([losses] for losses in found), 1e-4)


def seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def again() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return make()

    return again


def differences(mine: list[Tensor], theirs: list[Tensor], tolerance: float) -> list[str]:
    """Which tensors are further apart, relative to their largest number or to one."""
    found = []
    for i, (one, other) in enumerate(zip(mine, back(theirs), strict=True)):
        off = float(
            (one.detach().double() - other.detach().double()).abs().max() / one.detach().abs().max().clamp(min=1)
        )
        if not off <= tolerance:
            found.append(f"number {i} is off by {off:.2g}")
    return found


CHECKS = {
    c.__name__: c for c in (itself, views, losses, graph_methods, node_methods, training, more_views, large_graphs)
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    count, wrong = 0, 0
    for what, found in CHECKS[sys.argv[1]]():
        count += 1
        if found:
            wrong += 1
            print(f"{what}: {found}")
    print(f"{count} checked, {wrong} wrong", flush=True)
    # At once: autograd has a thread for the device, which the end of the interpreter may find still running.
    os._exit(wrong > 0 or count == 0)
