"""What a run on several ranks adds: the same start, one gradient, one decision, and files that one of them writes."""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from graphcl.distributed import all_gather_rows, rank, world
from graphcl.errors import RunError
from graphcl.nn import KeyQueue

__all__ = [
    "any_rank",
    "average_gradients",
    "check_alike",
    "check_opened",
    "every_rank",
    "first_says",
    "in_turn",
    "on_first",
    "process_group",
]
__all__ += ["share_buffers", "share_weights", "was_launched"]

TIMEOUT = timedelta(hours=2)  # the first rank makes data ready, and the others wait for it


def was_launched() -> bool:
    """Whether ``torchrun`` has started this process as one of several.

    Example:
        >>> was_launched()
        False
    """
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def check_opened() -> None:
    """Warn of processes that ``torchrun`` has started and that do not know of each other: each trains by itself."""
    if was_launched() and not dist.is_initialized():
        warnings.warn(
            "torchrun has started several processes, but no process group is open, so that each trains by itself; "
            "call torch.distributed.init_process_group() before fit",
            RuntimeWarning,
            stacklevel=3,
        )


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """The block inside which this process is one of ``torchrun``'s; alone nothing is done.

    Args:
        device: Where this process computes: NCCL joins GPUs, Gloo CPUs.

    Example:
        >>> with process_group(torch.device("cpu")):
        ...     world()
        1
    """
    if not was_launched() or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def in_turn(device: torch.device) -> Iterator[None]:
    """The block that the first rank goes through before the others do: it makes the files that they then find."""
    if rank() > 0:
        _tell(0.0, device)
    try:
        yield
    finally:
        # If it failed, the others will fail in the same way, and say so themselves.
        if rank() == 0:
            _tell(0.0, device)


def on_first(action: Callable[[], None], device: torch.device) -> None:
    """Let the first rank act; if it cannot, that is an error on all: none waits for a rank that has gone.

    Raises:
        RunError: It could not; the first rank raises its own error, which says why.
    """
    error: Exception | None = None
    if rank() == 0:
        try:
            action()
        except Exception as found:
            error = found
    failed = _tell(float(error is not None), device)
    if error is not None:
        raise error
    if failed:
        raise RunError(
            "expected the first rank to read and write the run's files and call its callbacks, but it failed; its "
            "message says why"
        )


def first_says(value: float, device: torch.device) -> float:
    """What the first rank has, on every rank."""
    return _tell(value, device)


def any_rank(value: bool, device: torch.device) -> bool:
    """Whether it is so on any rank."""
    return value if world() == 1 else bool(every_rank(torch.tensor(value), device).any())


def every_rank(value: Tensor, device: torch.device) -> Tensor:
    """``[W, ...]`` what each rank has, of one shape; with one process ``value`` itself."""
    if world() == 1:
        return value
    return all_gather_rows(value[None].to(device), counts=[1] * world()).to(value.device)


def check_alike(settings: Mapping[str, Any], device: torch.device) -> None:
    """Refuse ranks that were not called alike.

    Raises:
        ValueError: On every rank; it names the settings.
    """
    own = [int(hashlib.sha256(repr(value).encode()).hexdigest()[:15], 16) for value in settings.values()]
    table = every_rank(torch.tensor(own), device)
    if table.dim() == 2 and (unlike := (table != table[:1]).any(0).nonzero().flatten().tolist()):
        names = ", ".join(list(settings)[i] for i in unlike)
        raise ValueError(
            f"expected all ranks to call fit alike, got different values of {names} on some of them; a set of graphs "
            "is given whole to every rank, which takes its part of every batch"
        )


def share_weights(module: nn.Module) -> None:
    """Give every rank the parameters and buffers of the first one."""
    # Not those of its state alone: a buffer that is not kept may be drawn, too.
    _share([*module.parameters(), *module.buffers()])


def share_buffers(module: nn.Module) -> None:
    """Give every rank the buffers of the first one: dropout, or a norm that sees a rank's part alone, tells them apart.

    Those of a queue are long, and the same already: every rank enqueues the keys of the first.
    """
    long = {id(buffer) for part in module.modules() if isinstance(part, KeyQueue) for buffer in part.buffers()}
    _share([buffer for buffer in module.buffers() if id(buffer) not in long])


def _share(tensors: Sequence[Tensor]) -> None:
    tensors = [tensor.detach() for tensor in tensors if tensor.numel()]
    if world() == 1 or not tensors:
        return
    packed = torch.cat([_bytes(tensor) for tensor in tensors])
    dist.broadcast(packed, 0)
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
    for tensor, part in zip(tensors, packed.split(sizes), strict=True):
        tensor.copy_(part.clone().view(tensor.dtype).view(tensor.shape))


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Put the mean over the ranks in place of each gradient; a parameter without one on any rank stays without.

    The loss of all ranks' rows, as methods have it inside :func:`graphcl.distributed.one_batch`, has the gradient of
    one process then.
    """
    if world() == 1 or not parameters:
        return
    wide = max((p.dtype for p in parameters), key=lambda dtype: torch.finfo(dtype).bits)
    wide = torch.promote_types(wide, torch.float32)
    present = torch.tensor([p.grad is not None for p in parameters], dtype=wide, device=parameters[0].device)
    flat = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten().to(wide) for p in parameters]
    packed = torch.cat([*flat, present])
    dist.all_reduce(packed)
    *means, present = (packed / world()).split([*(p.numel() for p in parameters), len(parameters)])
    for p, mean, found in zip(parameters, means, present.tolist(), strict=True):
        if found:
            p.grad = mean.view(p.shape).to(p.dtype)


def _tell(value: float, device: torch.device) -> float:
    if world() == 1:
        return value
    message = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(message, 0)
    return float(message)


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().view(-1).view(torch.uint8)
