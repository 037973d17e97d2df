"""What every function over pairs demands of its arguments."""

from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

__all__ = ["Groups", "check_pairs", "check_query_key", "check_scale", "is_readable"]

Groups = tuple[Tensor, Tensor]


def check_query_key(query: Tensor, key: Tensor) -> None:
    """Two floating-point matrices of one width on one device."""
    for name, rows in (("query", query), ("key", key)):
        if not isinstance(rows, Tensor):
            raise TypeError(f"expected {name} to be a tensor, got {type(rows).__name__}")
    if query.dim() != 2 or key.dim() != 2 or query.size(1) != key.size(1):
        raise ValueError(
            f"expected query [M, D] and key [N, D] with the same D, got {list(query.shape)} and {list(key.shape)}"
        )
    if not (query.is_floating_point() and key.is_floating_point()):
        raise TypeError(f"expected floating-point embeddings, got {query.dtype} and {key.dtype}")
    if query.device != key.device:
        raise ValueError(f"expected query and key on one device, got {query.device} and {key.device}")


def check_scale(scale: object) -> None:
    """A number, several, or a tensor."""
    if isinstance(scale, (int, float, Tensor)):
        return
    if isinstance(scale, str) or not isinstance(scale, (Real, Sequence)):
        raise TypeError(
            f"expected scale to be a number, a list of numbers or a tensor, got {type(scale).__name__}; "
            "write torch.as_tensor(scale) for an array"
        )


def is_readable(tensor: Tensor) -> bool:
    """Whether the numbers can be looked at here: on the CPU, where that makes nothing wait, and under no transform."""
    if tensor.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return not is_functorch_wrapped_tensor(tensor)


def check_pairs(
    query: Tensor, key: Tensor, exclude: Sequence[Groups], only: Groups | None, skip: Tensor | None
) -> None:
    """Groups of whole numbers, one for each row; single pairs within the rows."""
    if not isinstance(exclude, (Sequence, Tensor)):  # what can be gone through once is used up by this very check
        raise TypeError(
            f"expected exclude=[(query_group, key_group), ...], a list, got {type(exclude).__name__}; "
            "write exclude=list(...), or leave it out"
        )
    named = [("exclude=[(query_group, key_group), ...]", groups) for groups in exclude]
    for form, groups in [*named, *([("only=(query_group, key_group)", only)] if only is not None else [])]:
        if not _is_pair(groups):
            raise TypeError(f"expected {form} of tensors, got {type(groups).__name__} where a pair should be")
        if groups[0].shape != query.shape[:1] or groups[1].shape != key.shape[:1]:
            raise ValueError(
                f"expected groups of shapes [{query.size(0)}] and [{key.size(0)}], "
                f"got {list(groups[0].shape)} and {list(groups[1].shape)}"
            )
        _whole("groups", query, *groups)
    if skip is None:
        return
    if not isinstance(skip, Tensor):
        raise TypeError(f"expected skip to be a tensor, got {type(skip).__name__}; write torch.tensor(skip)")
    if skip.dim() != 2 or skip.size(0) != 2:
        raise ValueError(f"expected skip of shape [2, P], got {list(skip.shape)}")
    _whole("skip", query, skip)
    # On a GPU an impossible pair is an error of the device, or has no effect.
    if skip.numel() and is_readable(skip):
        low, high = skip.amin(1).tolist(), skip.amax(1).tolist()
        if min(low) < 0 or high[0] >= query.size(0) or high[1] >= key.size(0):
            raise ValueError(f"expected skip to hold rows below {query.size(0)} and {key.size(0)}, got {low} to {high}")


def _is_pair(groups: object) -> bool:
    return isinstance(groups, (tuple, list)) and len(groups) == 2 and all(isinstance(g, Tensor) for g in groups)


def _whole(name: str, query: Tensor, *tensors: Tensor) -> None:
    for tensor in tensors:
        if tensor.is_floating_point() or tensor.is_complex():
            raise TypeError(f"expected {name} of whole numbers, got {tensor.dtype}; call .long()")
        if tensor.device != query.device:
            raise ValueError(f"expected {name} on {query.device} like the query, got {tensor.device}")
