"""What was made from index tensors, found again while they live and have not changed.

Training on the clean graph, evaluation and views that leave the edges alone meet the same ``edge_index`` again and
again; sorting it costs as much as a product. Entries are held weakly by their tensors and are few.
"""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

__all__ = ["SIZE", "remember"]

T = TypeVar("T")

SIZE = 16  # in all: views, their join, what is made from each, and the same of the clean graph


class _Entry(NamedTuple):
    tensors: tuple[weakref.ref[Tensor], ...]
    state: tuple[Any, ...]
    value: Any


_entries: OrderedDict[Hashable, _Entry] = OrderedDict()


@torch.compiler.disable
def remember(tensors: tuple[Tensor, ...], name: Hashable, make: Callable[[], T]) -> T:
    """``make()``, or what it gave before for these very tensors under this name.

    A change in place is seen by torch's version counter, an exchange of the storage by its address; a write that goes
    round both (through ``tensor.data`` or a NumPy array that shares the memory) is not.
    """
    if any(tensor.is_inference() for tensor in tensors):  # without a version nobody can tell whether they changed
        return make()
    key = (name, *map(id, tensors))
    state = tuple(map(_state, tensors))
    entry = _entries.get(key)
    if entry is not None and entry.state == state:
        if all(ref() is tensor for ref, tensor in zip(entry.tensors, tensors, strict=True)):
            _touch(key)
            return entry.value
    with torch.inference_mode(False):  # else training could not use what an evaluation left behind
        value = make()

    def forget(dead: weakref.ref[Tensor], entries: OrderedDict[Hashable, _Entry] = _entries) -> None:
        entry = entries.get(key)
        if entry is not None and any(ref is dead for ref in entry.tensors):
            entries.pop(key, None)

    _entries.pop(key, None)  # what was made from it may be another entry's tensor, which goes with it
    _entries[key] = _Entry(tuple(weakref.ref(tensor, forget) for tensor in tensors), state, value)
    while len(_entries) > SIZE:
        _drop_oldest()
    return value


def _state(tensor: Tensor) -> tuple[Any, ...]:
    return tensor._version, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.device


# Each step is one call into the dictionary, which no other thread can interrupt; an entry that is gone in between is
# made again by whoever misses it.
def _touch(key: Hashable) -> None:
    try:
        _entries.move_to_end(key)
    except KeyError:
        return


def _drop_oldest() -> None:
    try:
        _entries.popitem(last=False)
    except KeyError:
        return
