"""Keyed randomness: every random number is a hash of what it is for, never of when it was drawn.

A 64-bit key names a stream (seed, step, view, graph); :func:`hash_ids` gives one well-mixed 64-bit number per
element of it. Nothing depends on batching, workers, ranks or device, both directions of an edge can share a number,
and a view can be made again from its key alone.

The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), in wrapping int64 arithmetic.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from graphcl._host import BLOCK, empty_like

__all__ = [
    "Array",
    "Key",
    "below",
    "below_on_host",
    "drawing_from",
    "fold",
    "hash_ids",
    "hash_on_host",
    "key_on_host",
    "normal",
    "normal_table",
    "open_uniform",
    "randint",
    "seed_from",
    "torch_seeded",
    "uniform",
    "upper_bits",
]

Array = NDArray[Any]
Key = int | Tensor
"""A stream's name: a Python int, or a 0-dim int64 tensor where reading it on the host would stall a device.

A ``[G]`` tensor names one stream per graph."""

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_M1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_M2 = -7723592293110705685  # 0x94D049BB133111EB
_WORD = (1 << 64) - 1
_G, _U1, _U2 = (np.uint64(number & _WORD) for number in (_GOLDEN, _M1, _M2))
_S30, _S27, _S31 = (np.uint64(shift) for shift in (30, 27, 31))


def _signed(value: int) -> int:
    value &= _WORD
    return value - (1 << 64) if value >> 63 else value


def _mix_int(z: int) -> int:
    z &= _WORD
    z = ((z ^ (z >> 30)) * (_M1 & _WORD)) & _WORD
    z = ((z ^ (z >> 27)) * (_M2 & _WORD)) & _WORD
    return _signed(z ^ (z >> 31))


def _mix_(z: Tensor) -> Tensor:
    if z.device.type == "cpu":
        u = z.numpy().view(np.uint64)
        mix_on_host(u, np.empty_like(u))
        return z
    return _mix_anywhere_(z)


def mix_on_host(u: Array, spare: Array) -> None:
    """Mix uint64 ``u`` in place; ``spare`` has its shape, so that a block of a long column needs no memory of its own.

    numpy shifts unsigned numbers, which torch cannot: a third of the time, the same bits.
    """
    u ^= np.right_shift(u, _S30, out=spare)
    u *= _U1
    u ^= np.right_shift(u, _S27, out=spare)
    u *= _U2
    u ^= np.right_shift(u, _S31, out=spare)


def _mix_anywhere_(z: Tensor) -> Tensor:
    # `>>` on int64 is arithmetic: the mask clears the sign bits that it drags in.
    z ^= (z >> 30).bitwise_and_((1 << 34) - 1)
    z *= _M1
    z ^= (z >> 27).bitwise_and_((1 << 37) - 1)
    z *= _M2
    z ^= (z >> 31).bitwise_and_((1 << 33) - 1)
    return z


def seed_from(generator: Generator | None) -> Key:
    """One seed from ``generator`` (``None``: what :func:`drawing_from` says, else torch's default one).

    The only place where a stream is consumed.
    """
    if generator is None and (drawn := getattr(_stream, "seeds", None)) is not None:
        return next(drawn)
    if not isinstance(generator, Generator | None):
        raise TypeError(f"expected a torch.Generator, got {generator!r}; write torch.Generator().manual_seed(seed)")
    device = None if generator is None else generator.device
    return int(torch.randint(1 << 62, (), generator=generator, device=device))


_stream = threading.local()


def _seeds(key: Callable[[], Key]) -> Iterator[Key]:
    stream = key()
    for number in count():
        yield fold(stream, number)


@contextmanager
def drawing_from(key: Callable[[], Key]) -> Iterator[None]:
    """The block in which seeds follow from a key, each another, where no generator is given.

    The key is made when the first is drawn, as mostly none is.

    Example:
        >>> with drawing_from(lambda: 7):
        ...     first, second = seed_from(None), seed_from(None)
        >>> with drawing_from(lambda: 7):
        ...     first == seed_from(None), first == second
        (True, False)
    """
    before = getattr(_stream, "seeds", None)
    _stream.seeds = _seeds(key)
    try:
        yield
    finally:
        _stream.seeds = before


@contextmanager
def torch_seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """The block in which what draws from torch's own generators does so by ``seed``; they are left as they were.

    These are the CPU's and, where ``device`` is a GPU, that GPU's. No other is touched.

    Example:
        >>> with torch_seeded(0):
        ...     torch.rand(1)
        tensor([0.4963])
    """
    with torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU, whose states are not kept
        if device is not None and device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def fold(key: Key, value: Key) -> Key:
    """The key of a sub-stream, for instance of step 7 or of view 1."""
    if isinstance(key, int) and isinstance(value, int):
        return _mix_int(key + _GOLDEN * (value + 1))
    mixed = torch.as_tensor(value, dtype=torch.int64) + 1 if isinstance(value, int) else value + 1
    return _mix_(mixed * _GOLDEN + key)


def hash_ids(key: Key, ids: Tensor) -> Tensor:
    """One 64-bit hash per element of ``ids`` (int64); ``key`` is one key or a tensor of keys that broadcasts.

    Under one key different ids have different hashes: every step of the mixer can be undone.
    """
    if ids.device.type != "cpu" or is_functorch_wrapped_tensor(ids):  # under transforms numpy sees no numbers
        return _mix_anywhere_(ids * _GOLDEN + key)
    u, keys = ids.numpy().view(np.uint64), key_on_host(key)
    if u.ndim == 1 and u.size > BLOCK and keys.size in (1, u.size):
        return _hash_long(u, keys)
    out = np.asarray(np.add(np.multiply(u, _G), keys))
    mix_on_host(out, np.empty_like(out))
    return torch.from_numpy(out.view(np.int64))


def hash_on_host(ids: Array, keys: Array, out: Array, spare: Array) -> None:
    """The same of unsigned numbers, into ``out``, which may be ``ids``; ``spare`` has its shape."""
    np.multiply(ids, _G, out=spare)
    np.add(spare, keys, out=out)
    mix_on_host(out, spare)


def key_on_host(key: Key) -> Array:
    """One or many keys as unsigned numbers."""
    return np.asarray(np.uint64(key & _WORD)) if isinstance(key, int) else key.numpy().view(np.uint64)


def _hash_long(ids: Array, keys: Array) -> Tensor:
    """The same block by block."""
    out = empty_like(torch.empty(0, dtype=torch.int64), ids.size)
    u, every = out.numpy().view(np.uint64), np.broadcast_to(keys.reshape(-1), ids.shape)
    spare = np.empty(min(BLOCK, ids.size), np.uint64)
    for i in range(0, ids.size, BLOCK):
        part = slice(i, min(i + BLOCK, ids.size))
        hash_on_host(ids[part], every[part], u[part], spare[: part.stop - i])
    return out


def upper_bits(hashes: Tensor) -> Tensor:
    """The upper 53 bits of each hash, as many as a float64 holds: whole numbers on which every device agrees."""
    return (hashes >> 11).bitwise_and_((1 << 53) - 1)


def uniform(hashes: Tensor) -> Tensor:
    """Numbers drawn evenly from [0, 1), float64."""
    return upper_bits(hashes).double() * 2.0**-53


def open_uniform(hashes: Tensor) -> Tensor:
    """Numbers drawn evenly from (0, 1), float64: half a step off both ends, so that no logarithm is of zero."""
    return ((hashes >> 12).bitwise_and_((1 << 52) - 1).double() + 0.5) * 2.0**-52


def below(hashes: Tensor, probability: float | Tensor) -> Tensor:
    """True with the given probability."""
    if isinstance(probability, Tensor):
        return upper_bits(hashes) < (probability.double() * 2.0**53).long()
    if hashes.device.type == "cpu" and hashes.dim() > 0:
        return torch.from_numpy(below_on_host(hashes.numpy().view(np.uint64), probability))
    return upper_bits(hashes) < int(probability * 2.0**53)


def below_on_host(u: Array, probability: float, out: Array | None = None) -> Array:
    """The same of unsigned numbers, whose lower 11 bits need not be cleared for it."""
    number = int(probability * 2.0**53)
    if number >> 53:
        return np.less_equal(u, np.uint64(_WORD), out=out)
    return np.less(u, np.uint64(number << 11), out=out)


def randint(hashes: Tensor, high: Tensor | int) -> Tensor:
    """Integers in [0, ``high``); the bias of the modulus is below ``high`` / 2^63."""
    if hashes.device.type == "cpu" and hashes.dim() == 1:
        most = high if isinstance(high, int) else high.numpy()
        return torch.from_numpy((hashes.numpy().view(np.uint64) >> np.uint64(1)).view(np.int64) % most)
    return (hashes >> 1).bitwise_and_((1 << 63) - 1) % high


@functools.lru_cache(maxsize=8)
def normal_table(device: torch.device) -> Tensor:
    """The quantiles that :func:`normal` reads, by the upper 16 bits of a hash."""
    steps = (torch.arange(1 << 16, dtype=torch.float64) + 0.5) / (1 << 16)
    return torch.special.ndtri(steps).float().to(device)


def normal(hashes: Tensor) -> Tensor:
    """Standard normal numbers, float32, read from a table of 65,536 quantiles.

    A table because logarithm and cosine differ in the last bit between devices, and a view must not.
    """
    place = (hashes >> 48).bitwise_and_(0xFFFF)
    return normal_table(hashes.device).index_select(0, place.reshape(-1)).view(place.shape)
