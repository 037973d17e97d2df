"""What the ``forward`` of a network asks for beside ``x`` and ``edge_index``: by the names of its arguments."""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import nn
from torch_geometric.nn import MessagePassing, Sequential

__all__ = [
    "OFFERED",
    "check_forward",
    "check_not_cached",
    "check_takes_weights",
    "inner",
    "reads_edge_attr",
    "requires",
    "takes",
    "takes_batch",
    "takes_weights",
]

OFFERED = ("batch", "edge_attr", "edge_weight")
OLD = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7)


def inner(gnn: nn.Module) -> nn.Module:
    """The network itself, where ``torch.compile`` has been put around it: that takes whatever comes."""
    return getattr(gnn, "_orig_mod", gnn)


def takes(gnn: nn.Module, name: str) -> bool:
    """Whether a network's ``forward`` has an argument of that name."""
    return name in _arguments(inner(gnn))


def requires(gnn: nn.Module, name: str) -> bool:
    """Whether a network's ``forward`` cannot be called without an argument of that name."""
    return _arguments(inner(gnn)).get(name, False)


def takes_weights(gnn: nn.Module) -> bool:
    """Whether a network's ``forward`` has an argument ``edge_weight`` and, for PyG's models, makes use of it."""
    return getattr(inner(gnn), "supports_edge_weight", True) and takes(gnn, "edge_weight")


def check_takes_weights(gnn: nn.Module) -> None:
    """Refuse a network that cannot be told how much each edge counts, or that makes nothing of it."""
    if not takes_weights(gnn):
        unused = ", which makes no use of it" if takes(gnn, "edge_weight") else ""
        raise ValueError(
            f"expected a network whose forward takes edge_weight, got {type(inner(gnn)).__name__}{unused}; take GIN of "
            "graphcl.nn, or a model such as GCN whose forward is (x, edge_index, edge_weight)"
        )


def takes_batch(gnn: nn.Module) -> bool:
    """Whether a network's ``forward`` has an argument ``batch``: without it a norm over graphs takes them for one."""
    return takes(gnn, "batch")


def reads_edge_attr(gnn: nn.Module) -> bool:
    """Whether a network's ``forward`` has an argument ``edge_attr`` and, as far as its layers say, makes use of it.

    PyG's models say so as a whole, and its layers call the width of the edge features that they were made for
    ``edge_dim``.
    """
    if not takes(gnn, "edge_attr") or not getattr(inner(gnn), "supports_edge_attr", True):
        return False
    widths = [part.edge_dim for part in gnn.modules() if hasattr(part, "edge_dim")]
    return requires(gnn, "edge_attr") or not widths or any(width is not None for width in widths)


def check_forward(gnn: nn.Module) -> None:
    """Refuse a network that cannot be called with ``(x, edge_index)`` and what else a graph has for it."""
    if isinstance(gnn, type):
        raise TypeError(f"expected a network, got the class {gnn.__name__}; make one of it: {gnn.__name__}(...)")
    network = inner(gnn)
    if isinstance(network, Sequential):
        names = network.signature.param_dict
        signature = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])
    elif (read := _signature(network.forward)) is not None:
        signature = read
    else:
        return
    try:
        signature.bind(None, None, **{name: None for name in OFFERED if name in signature.parameters})
    except TypeError as error:
        raise TypeError(
            f"expected a network that is called as forward(x, edge_index), with {', '.join(OFFERED)} by these names "
            f"if it wants them, got {type(network).__name__}.forward{signature}: {error}; put it into a module with "
            "such a forward (other numbers of the nodes, such as their positions, go into x)"
        ) from None


def check_not_cached(gnn: nn.Module) -> None:
    """Refuse layers that keep the edges of their first call, which is that of a view."""
    for name, part in gnn.named_modules():
        if isinstance(part, MessagePassing) and getattr(part, "cached", False) is True:
            raise ValueError(
                f"expected layers that look at the edges of every call, got {type(part).__name__} with cached=True"
                f"{f' at {name}' if name else ''}, which would keep those of the first view; write cached=False"
            )


def _arguments(network: nn.Module) -> Mapping[str, bool]:
    """The names of the arguments, and whether each has to be given."""
    if isinstance(network, Sequential):  # the class has the forward of the last one made, or one of any arguments
        return dict.fromkeys(network.signature.param_dict, True)
    if OLD and torch.compiler.is_compiling():
        return _named_of(type(network))
    forward = network.forward
    return _named(getattr(forward, "__func__", forward))


# Signatures are not for a compiler to trace. What it can pass on is the class in torch 2.6, and in 2.13 the function.
@torch.compiler.assume_constant_result
def _named(function: Callable[..., Any]) -> Mapping[str, bool]:
    return _read(function)


@torch.compiler.assume_constant_result
def _named_of(kind: type[nn.Module]) -> Mapping[str, bool]:
    return _read(kind.forward)


@lru_cache(maxsize=64)
def _read(function: Callable[..., Any]) -> Mapping[str, bool]:
    signature = _signature(function)
    parameters = {} if signature is None else signature.parameters
    return {name: parameter.default is parameter.empty for name, parameter in parameters.items()}


def _signature(function: Callable[..., Any]) -> Signature | None:
    """The signature; None of what has none, such as a scripted network."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None
