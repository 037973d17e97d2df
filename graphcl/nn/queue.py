"""A queue of earlier embeddings to contrast with, kept in the checkpoint and the same on all ranks."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from graphcl._arguments import check_whole
from graphcl._random import hash_ids, normal
from graphcl.distributed import all_gather_rows, row_counts, world

__all__ = ["KeyQueue"]


class KeyQueue(nn.Module):
    """The queue of MoCo: the last K keys, in a ring in which new ones take the place of the oldest.

    Keys, names and the place of the next key are buffers, so that a resumed run goes on with the very same queue. It
    begins with random unit vectors, drawn from ``seed``. Across the ranks of a process group every rank enqueues the
    keys of all, in the order of the ranks, so that their queues stay equal; ranks may bring unequal numbers.

    Args:
        channels: D, the width of the keys.
        size: K.
        seed: The seed of the keys that it begins with.

    Raises:
        ValueError: ``channels`` or ``size`` is below 1; at the call, the keys have another width.
        TypeError: One of them is not a whole number; at the call, the names are not.

    Attributes:
        keys: ``[K, D]``.
        names: ``[K]`` int64: the item that each key belongs to, -1 where nobody said.

    Example:
        >>> queue = KeyQueue(2, size=3)
        >>> queue.enqueue(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([7, 8]))
        >>> queue.names.tolist()
        [7, 8, -1]

    Source: He, Fan, Wu, Xie, Girshick, "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020,
    the dictionary as a queue.
    """

    keys: Tensor
    names: Tensor
    place: Tensor

    def __init__(self, channels: int, size: int = 1024, *, seed: int = 0) -> None:
        super().__init__()
        channels, size = check_whole("channels", channels, 1), check_whole("size", size, 1)
        drawn = normal(hash_ids(seed, torch.arange(size * channels))).view(size, channels)
        self.register_buffer("keys", torch.nn.functional.normalize(drawn))
        self.register_buffer("names", torch.full((size,), -1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, keys: Tensor, names: Tensor | None = None, joined: bool = False) -> None:
        """Put the keys of one step in; the oldest leave.

        Args:
            keys: ``[N, D]``; N may change from step to step, and be larger than the queue: then the last ones stay.
            names: ``[N]`` integers, the item that each key belongs to.
            joined: Whether they are the keys of all ranks already, as inside :func:`graphcl.distributed.one_batch`; the
                first rank's are taken.
        """
        size, channels = self.keys.shape
        if keys.dim() != 2 or keys.size(1) != channels:
            raise ValueError(f"expected keys of shape [N, {channels}], got {list(keys.shape)}")
        if names is not None and (names.is_floating_point() or names.dtype == torch.bool):
            raise TypeError(f"expected names of whole numbers, got {names.dtype}; write names.long()")
        names = self.names.new_full((keys.size(0),), -1) if names is None else names.to(self.names)
        if names.shape != keys.shape[:1]:
            raise ValueError(f"expected a name for each of {keys.size(0)} keys, got {list(names.shape)}")
        keys = keys.detach().to(self.keys)
        if world() > 1 and not joined:
            counts = row_counts(keys)
            keys, names = all_gather_rows(keys, counts=counts), all_gather_rows(names, counts=counts)
        elif world() > 1:
            keys = keys.contiguous()
            dist.broadcast(keys, 0)  # dropout in a head makes other keys of the same rows on every rank
        skipped = max(0, keys.size(0) - size)
        # The place is not read on the host, which would wait for a device.
        rows = (self.place + torch.arange(skipped, keys.size(0), device=keys.device)) % size
        self.keys.index_copy_(0, rows, keys[skipped:])
        self.names.index_copy_(0, rows, names[skipped:])
        self.place.add_(keys.size(0)).remainder_(size)

    def extra_repr(self) -> str:
        return f"{self.keys.size(1)}, size={self.keys.size(0)}"
