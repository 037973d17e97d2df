"""Shards end to end in one safetensors file, with one shard at a time in memory."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graphcl.data._featurise import Packed

__all__ = ["write_joined"]

_NAMES = {"int64": "I64", "int32": "I32", "int16": "I16", "float32": "F32", "uint8": "U8"}
_ALIGNMENT = 8


def write_joined(
    path: Path,
    whole: Mapping[str, Tensor],
    shards: Sequence[Path],
    read: Callable[[Path], Packed],
    metadata: Mapping[str, str],
) -> None:
    """Write tensors that are there, and after them the atoms and bonds of all shards.

    Args:
        path: The file.
        whole: The tensors that are there, ``atoms`` and ``edges`` per molecule among them.
        shards: Where the others lie, in order; none is without columns.
        read: What reads a shard.
        metadata: What the file is to say of itself.
    """
    first, atoms, edges = read(shards[0]), int(whole["atoms"].sum()), int(whole["edges"].sum())
    ids = np.dtype(np.int16 if int(whole["atoms"].max()) <= 1 << 15 else np.int32)

    def of_shards(part: Callable[[Packed], NDArray[np.generic]]) -> Iterator[bytes]:
        return (np.ascontiguousarray(part(read(shard))).tobytes() for shard in shards)

    def ends() -> Iterator[bytes]:
        for end in range(2):  # all sources, then all targets
            yield from of_shards(lambda packed, end=end: packed.edge_index[end].astype(ids))  # type: ignore[misc]

    parts: dict[str, tuple[np.dtype[np.generic], list[int], Iterator[bytes]]] = {
        "x": (first.x.dtype, [atoms, first.x.shape[1]], of_shards(lambda packed: packed.x)),
        "edge_attr": (first.edge_attr.dtype, [edges, first.edge_attr.shape[1]], of_shards(lambda p: p.edge_attr)),
        "edge_index": (ids, [2, edges], ends()),
    }
    for key, tensor in whole.items():
        array = tensor.contiguous().numpy()
        parts[key] = (array.dtype, list(array.shape), iter((array.tobytes(),)))
    # Wide types first, so that each begins at a multiple of its width.
    order = sorted(parts, key=lambda key: -parts[key][0].itemsize)
    header, start = {"__metadata__": dict(metadata)}, 0
    for key in order:
        kind, shape, _ = parts[key]
        end = start + kind.itemsize * int(np.prod(shape, dtype=np.int64))
        header[key] = {"dtype": _NAMES[kind.name], "shape": shape, "data_offsets": [start, end]}  # type: ignore[dict-item]
        start = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key in order:
            for block in parts[key][2]:
                file.write(block)
