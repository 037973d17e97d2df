"""A device of its own made out of the CPU: real numbers, which nothing mixes with the CPU's by accident, as on a GPU.

Tensors on it are wrappers around tensors of the CPU. An operation on them is done by the CPU and its result wrapped;
one that would mix them with a tensor of the CPU is refused as a GPU refuses it. Code that asks ``device.type`` takes
the way it takes on a GPU. ``READS`` counts what a GPU would make the host wait for.

The device is registered with the whole process, so that this belongs into one of its own.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

__all__ = ["DEVICE", "READS", "back", "elsewhere"]


class _Backend(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


_setup_privateuseone_for_python_backend("elsewhere", _Backend())
DEVICE = torch.device("elsewhere", 0)
READS: Counter[str] = Counter()

WAITING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"}
WAITING |= {"aten::_unique2", "aten::unique_dim", "aten::unique_consecutive"}
# A GPU takes an index, or what is copied to it, from the host.
MAY_MIX = {"aten::copy_", "aten::_to_copy", "aten::index", "aten::index_put_", "aten::_index_put_impl_"}


class Away(torch.Tensor):
    """A tensor elsewhere; ``inner`` holds its numbers."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Away":
        facts = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        made = torch.Tensor._make_wrapper_subclass(cls, inner.size(), layout=inner.layout, device=DEVICE, **facts)
        made.inner = inner
        return made

    def __repr__(self) -> str:
        return f"Away({self.inner})"

    def tolist(self) -> Any:
        READS["tolist"] += 1
        return self.inner.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert a tensor of another device to numpy; use Tensor.cpu() first")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _is_away(device: Any) -> bool:
    return device is not None and torch.device(device).type == DEVICE.type


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation, by the CPU."""
    name, tensors = func._schema.name, [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    away = [x for x in tensors if isinstance(x, Away)]
    goes_to = kwargs.get("device")
    if not away and not _is_away(goes_to):
        return func(*args, **kwargs)
    here = [x for x in tensors if not isinstance(x, Away) and x.dim() > 0]
    if away and here and name not in MAY_MIX:
        raise RuntimeError(
            f"{name}: expected all tensors on the same device, found at least two, {DEVICE} and cpu "
            f"({[list(x.shape) for x in here]})"
        )
    _note_read(name, kwargs, tensors)

    def unwrap(x: Any) -> Any:
        return x.inner if isinstance(x, Away) else torch.device("cpu") if isinstance(x, torch.device) else x

    given, options = tree_map(unwrap, args), tree_map(unwrap, kwargs)
    if goes_to is not None:
        options["device"] = torch.device("cpu")
    out = func(*given, **options)
    if name == "aten::_local_scalar_dense" or (goes_to is not None and not _is_away(goes_to)):
        return out
    same = {id(x.inner): x for x in away}  # an operation in place returns what it was given

    def wrap(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        return same[id(x)] if id(x) in same else Away(x)

    return tree_map(wrap, out)


def _note_read(name: str, kwargs: dict[str, Any], tensors: list[Tensor]) -> None:
    by_mask = name == "aten::index" and any(x.dtype == torch.bool for x in tensors[1:])
    if name in WAITING or by_mask or (name == "aten::repeat_interleave" and kwargs.get("output_size") is None):
        READS[name] += 1


class _Operations(TorchDispatchMode):
    """Sees operations without a tensor of the device: what is made there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Functions that fill a device from the host by themselves."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and _is_away(kwargs.get("device")) and not isinstance(args[0], Away):
            del kwargs["device"]
            leaf = kwargs.pop("requires_grad", False)
            return func(*args, **kwargs).to(DEVICE).requires_grad_(leaf)
        if func is torch.Tensor.new_tensor and isinstance(args[0], Away):
            return torch.tensor(*args[1:], dtype=kwargs.get("dtype", args[0].dtype)).to(DEVICE)
        if func is torch.unravel_index and isinstance(args[0], Away):
            return tuple(Away(part) for part in torch.unravel_index(args[0].inner, *args[1:], **kwargs))
        return func(*args, **kwargs)


@contextmanager
def elsewhere() -> Iterator[None]:
    """The block inside which the device is there; its counter of reads begins at zero."""
    READS.clear()
    with _Functions(), _Operations():
        yield


def back(value: Any) -> Any:
    """A tensor, a graph or a collection of either, on the CPU again, as they are."""
    if hasattr(value, "apply") and not isinstance(value, Tensor):
        return value.apply(lambda x: x.inner.clone() if isinstance(x, Away) else x)
    return tree_map(lambda x: x.inner.clone() if isinstance(x, Away) else x, value)
