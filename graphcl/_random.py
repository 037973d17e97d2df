"""Keyed randomness: every random number is a hash of what it is for, never of when it was drawn.

A 64-bit key names a stream (seed, step, view, graph); :func:`hash_ids` gives one well-mixed 64-bit number per
element of it. Nothing depends on batching, workers, ranks or device, both directions of an edge can share a number,
and a view can be made again from its key alone.

The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), in wrapping int64 arithmetic.
"""

import functools

import numpy as np
import torch
from torch import Generator, Tensor

from graphcl._host import BLOCK, in_blocks

__all__ = ["Key", "below", "fold", "hash_ids", "normal", "randint", "seed_from"]

Key = int | Tensor
"""A stream's name: a Python int, or a 0-dim int64 tensor where reading it on the host would stall a device.

A ``[G]`` tensor names one stream per graph."""

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_M1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_M2 = -7723592293110705685  # 0x94D049BB133111EB
_WORD = (1 << 64) - 1


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
        # numpy shifts unsigned numbers, which torch cannot: a third of the time, the same bits.
        for part in z.reshape(-1).split(BLOCK) if z.numel() > 2 * BLOCK and z.is_contiguous() else (z,):
            u = part.numpy().view(np.uint64)
            u ^= u >> np.uint64(30)
            u *= np.uint64(_M1 & _WORD)
            u ^= u >> np.uint64(27)
            u *= np.uint64(_M2 & _WORD)
            u ^= u >> np.uint64(31)
        return z
    return _mix_anywhere_(z)


def _mix_anywhere_(z: Tensor) -> Tensor:
    # `>>` on int64 is arithmetic: the mask clears the sign bits that it drags in.
    z ^= (z >> 30).bitwise_and_((1 << 34) - 1)
    z *= _M1
    z ^= (z >> 27).bitwise_and_((1 << 37) - 1)
    z *= _M2
    z ^= (z >> 31).bitwise_and_((1 << 33) - 1)
    return z


def seed_from(generator: Generator | None) -> int:
    """One 62-bit seed from ``generator`` (``None``: torch's default one). The only place where a stream is consumed."""
    device = None if generator is None else generator.device
    return int(torch.randint(1 << 62, (), generator=generator, device=device))


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
    if ids.dim() == 1 and (isinstance(key, int) or key.numel() == 1):
        return in_blocks(lambda part: _mix_(part * _GOLDEN + key), ids)
    if ids.dim() == 1 and isinstance(key, Tensor) and key.shape == ids.shape:
        return in_blocks(lambda part, keys: _mix_(part * _GOLDEN + keys), ids, key)
    return _mix_(ids * _GOLDEN + key)


def below(hashes: Tensor, probability: float | Tensor) -> Tensor:
    """True with the given probability; compared as 53-bit integers, so that every device agrees."""
    if isinstance(probability, Tensor):
        return (hashes >> 11).bitwise_and_((1 << 53) - 1) < (probability.double() * 2.0**53).long()
    if hashes.device.type == "cpu" and hashes.dim() > 0:
        return torch.from_numpy(hashes.numpy().view(np.uint64) >> np.uint64(11) < np.uint64(int(probability * 2.0**53)))
    return (hashes >> 11).bitwise_and_((1 << 53) - 1) < int(probability * 2.0**53)


def randint(hashes: Tensor, high: Tensor | int) -> Tensor:
    """Integers in [0, ``high``); the bias of the modulus is below ``high`` / 2^63."""
    return (hashes >> 1).bitwise_and_((1 << 63) - 1) % high


@functools.lru_cache(maxsize=8)
def _normal_table(device: torch.device) -> Tensor:
    steps = (torch.arange(1 << 16, dtype=torch.float64) + 0.5) / (1 << 16)
    return torch.special.ndtri(steps).float().to(device)


def normal(hashes: Tensor) -> Tensor:
    """Standard normal numbers, float32, read from a table of 65,536 quantiles.

    A table because logarithm and cosine differ in the last bit between devices, and a view must not.
    """
    place = (hashes >> 48).bitwise_and_(0xFFFF)
    return _normal_table(hashes.device).index_select(0, place.reshape(-1)).view(place.shape)
