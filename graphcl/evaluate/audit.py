"""What an encoder is worth, whoever trained it: its lift over the same network untrained, beside the baselines."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy

from graphcl._random import torch_seeded
from graphcl.data import PackedDataset
from graphcl.errors import GraphCLError
from graphcl.evaluate._names import check_protocol
from graphcl.evaluate.baselines import collect_statistics
from graphcl.evaluate.duplicates import wl_classes
from graphcl.evaluate.protocols import Protocol, protocol
from graphcl.evaluate.results import Result
from graphcl.evaluate.rows import Provenance, result_rows
from graphcl.evaluate.runner import evaluate_embeddings
from graphcl.evaluate.suite import compared_embeddings, first_epoch
from graphcl.methods import Method
from graphcl.nn import Embeddings, GraphEncoder, sum_readout
from graphcl.nn._modes import evaluating
from graphcl.nn._redrawn import draw_anew
from graphcl.nn._signature import inner
from graphcl.nn.readouts import Readout

__all__ = ["audit"]


def audit(
    encoder: nn.Module,
    dataset: Any,
    *,
    make: Callable[[int], nn.Module] | None = None,
    readout: Readout | None = sum_readout,
    probe: Protocol | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    name: str | None = None,
    dataset_name: str = "dataset",
    features: str = "",
    batch_size: int = 128,
    n_jobs: int = 1,
    provenance: Provenance | None = None,
) -> list[Result]:
    """Score an encoder of graphs beside ``raw``, ``untrained-init``, ``untrained`` and ``wl`` under one protocol.

    The weights are taken as they are and not changed. They are one for all seeds; the folds and the weights of the
    untrained networks differ from seed to seed. The interval of the lift is over seeds and folds, and with several
    seeds takes in how far one more untrained network may lie from the others (:func:`graphcl.evaluate.lift_of_one`): an
    untrained encoder has a lift of 0 within it. It says nothing of another training of the encoder. Batch normalisation
    through which no batch has ever gone is at its initial identity, a straw man: there the statistics are collected as
    for ``untrained``.

    Args:
        encoder: Any network with PyG's ``forward(x, edge_index)`` to node embeddings, a :class:`GraphEncoder`, or a
            :class:`graphcl.methods.Method`, whose encoder is taken.
        dataset: Graphs with ``x`` and one class ``y`` each: a data set, a list of graphs, or a ``PackedDataset``.
        make: From a seed to the same network untrained; by default a copy of the encoder, all of whose parts draw their
            weights again (``reset_parameters``).
        readout: From nodes to graphs, for a network that returns node embeddings; ``None`` for one that is called as
            ``forward(x, edge_index, batch)`` and returns graph embeddings.
        probe: The protocol; ``tu-rbf-svm`` by default. A grouped one is given the classes of ``wl_classes``.
        seeds: Seeds of the folds and of the untrained networks.
        name: What the rows call the encoder; the name of its class by default.
        dataset_name: What the rows call the data.
        features: What the rows say of the node features.
        batch_size: Graphs in a batch of the statistics of ``untrained``.
        n_jobs: Threads that share the folds.
        provenance: Where the table was made; this machine and day by default.

    Returns:
        One row for each of ``raw``, ``untrained-init``, ``untrained``, the encoder and ``wl``, as
        :func:`graphcl.evaluate.format_table` takes them.

    Raises:
        ValueError: A part of the network has weights and no ``reset_parameters`` (give ``make``), embeddings that are
            not finite, or what the protocol refuses.
        TypeError: The encoder is not a module.
        GraphCLError: It fails on these graphs, with what went wrong in it.

    Example:
        >>> from torch_geometric.nn import GIN
        >>> from graphcl.data import load
        >>> from graphcl.evaluate import with_folds
        >>> graphs = load("synthetic-molecules")[:60]
        >>> few = with_folds(protocol("tu-rbf-svm"), 3, 2)
        >>> rows = audit(GIN(graphs.num_features, 8, num_layers=2), graphs, probe=few, seeds=[0])
        >>> [row.method for row in rows]
        ['raw', 'untrained-init', 'untrained', 'GIN', 'wl']

    Source: the intervals are those of :func:`graphcl.evaluate.paired_lift`, and for the encoder, which is one for all
    seeds, that of :func:`graphcl.evaluate.lift_of_one`.
    """
    if not isinstance(encoder, nn.Module):
        raise TypeError(f"expected an encoder that is a torch module, got {type(encoder).__name__}")
    given: nn.Module = encoder.encoder if isinstance(encoder, Method) else encoder
    name = name or type(inner(given.gnn if isinstance(given, GraphEncoder) else given)).__name__
    device = _device_of(given)
    graphs = (dataset if isinstance(dataset, PackedDataset) else PackedDataset(dataset)).to(device)
    probe = protocol("tu-rbf-svm") if probe is None else probe
    check_protocol(probe, Protocol)

    def whole(network: nn.Module, seed: int) -> nn.Module:
        """The network with all its weights: those that wait for a first batch are drawn by the seed."""
        if any(is_lazy(weight) for weight in network.parameters()):
            network = _copied(network)
            with torch_seeded(seed, device):
                _Audited(network, readout).embed(graphs.batch(torch.arange(min(2, len(graphs)))))
        return network

    given = whole(given, 0)
    fresh = make or (lambda seed: reinitialised(given, seed))

    def audited(seed: int) -> Any:
        subject = _Audited(_copied(given), readout)
        if _never_used(subject):
            collect_statistics(subject, first_epoch(graphs, batch_size, seed), seed=seed)
        return subject

    def untrained(seed: int) -> Any:
        return _Audited(whole(fresh(seed).to(device), seed), readout)

    if "y" not in graphs.batch(torch.arange(1)):
        raise ValueError("expected a class per graph in y, got graphs without; an audit scores embeddings against them")
    if not isinstance(graphs.y, torch.Tensor):
        raise TypeError(f"expected classes y as whole numbers, got a {type(graphs.y).__name__}; number them from 0")
    if graphs.y.numel() != len(graphs):
        raise ValueError(
            f"expected one class y for each of {len(graphs)} graphs, got y of shape {list(graphs.y.shape)}; of several "
            "tasks choose one, of one-hot rows write data.y = data.y.argmax(1)"
        )
    labels = graphs.y.reshape(-1).cpu().numpy()
    embeddings, kernels = compared_embeddings(
        graphs, seeds, make=untrained, trained={name: audited}, batch_size=batch_size
    )
    groups = wl_classes(graphs.batch(range(len(graphs)))) if probe.grouped else None
    scores = evaluate_embeddings(embeddings, labels, probe, seeds, kernels=kernels, groups=groups, n_jobs=n_jobs)
    return result_rows(scores, dataset=dataset_name, features=features, provenance=provenance, one_draw=[name])


def reinitialised(network: nn.Module, seed: int) -> nn.Module:
    """A copy whose parts have drawn their weights again; torch's own generators are left as they were."""
    network = _copied(network)
    with torch_seeded(seed, _device_of(network)):
        parts = reversed(list(network.named_modules()))  # parts before the whole, which may know better
        draw_anew(parts, "make=, from a seed to the network untrained")
    return network


def _copied(network: nn.Module) -> nn.Module:
    with torch_seeded(0, _device_of(network)):  # PyG 2.6 makes its linear layers anew, weights drawn and all
        return copy.deepcopy(network)


def _device_of(network: nn.Module) -> torch.device:
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))


class _Audited(nn.Module):
    """Any network under the two names that the baselines ask for: ``encoder`` and ``embed``."""

    def __init__(self, network: nn.Module, readout: Readout | None) -> None:
        super().__init__()
        if isinstance(network, GraphEncoder):
            self.encoder: nn.Module = network
        else:
            self.encoder = _Pooled(network) if readout is None else GraphEncoder(network, readout)

    @property
    def name(self) -> str:
        """What was given."""
        inside = self.encoder.gnn if isinstance(self.encoder, GraphEncoder) else self.encoder.network
        return type(inside).__name__

    def embed(self, data: Any) -> Embeddings:
        try:
            with evaluating(self), torch.no_grad():
                if isinstance(self.encoder, GraphEncoder):
                    return self.encoder.encode(data)
                return self.encoder(data.x, data.edge_index, data.batch)
        except (ValueError, TypeError, GraphCLError):  # which say what they mean
            raise
        except Exception as error:
            raise GraphCLError(
                f"expected an encoder of graphs with {data.num_node_features} numbers per node, but "
                f"{self.name} failed on {data.num_graphs} of them: {type(error).__name__}: {error}"
            ) from error


class _Pooled(nn.Module):
    """A network that returns graph embeddings of its own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor, *, num_graphs: int | None = None) -> Embeddings:
        graph = self.network(x if x.is_floating_point() else x.float(), edge_index, batch)
        return Embeddings(x, graph)


def _never_used(network: nn.Module) -> bool:
    """Whether there is batch normalisation, and none of it has ever seen a batch."""
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    return bool(norms) and all(norm.num_batches_tracked is not None and norm.num_batches_tracked == 0 for norm in norms)
