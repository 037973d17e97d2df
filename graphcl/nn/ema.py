"""A slow copy of a network: its weights follow those of the trained one, by an exponential moving average."""

import copy
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from graphcl._arguments import check_whole

__all__ = ["EMATarget"]


class EMATarget(nn.Module):
    r"""An exponential moving average of a network: a frozen copy that moves a little towards it with every step.

    .. math:: \xi \leftarrow m_k \xi + (1 - m_k) \theta, \qquad
        m_k = 1 - (1 - m) \, \frac{\cos(\pi k / K) + 1}2

    for the weights :math:`\xi` of the copy and :math:`\theta` of the network, in step k = 0, 1, ... of K; without
    ``total_steps`` m stays as it is. Buffers, such as the running statistics of BatchNorm, are copied as they are.
    Weights, buffers and the number of steps are part of ``state_dict``; no weight of the copy is ever trained.

    Args:
        online: The network to follow. It is copied, not kept.
        momentum: m within [0, 1]: 0 is the network of the last step, 1 stays as it was made.
        total_steps: K, the step from which the copy stands still; ``None`` for a constant momentum.

    Raises:
        ValueError: ``momentum`` lies outside [0, 1] or ``total_steps`` below 1, or weights of the network are not made
            yet (lazy modules).
        TypeError: ``total_steps`` is not a whole number.

    Example:
        >>> online = torch.nn.Linear(2, 2)
        >>> target = EMATarget(online, momentum=0.9)
        >>> before = online.weight.detach().clone()
        >>> _ = torch.nn.init.zeros_(online.weight)
        >>> target.update(online)
        >>> torch.allclose(target.module.weight, 0.9 * before), target.module.weight.requires_grad
        (True, False)

    Source: Grill, Strub, Altche, Tallec, Richemond, et al., "Bootstrap Your Own Latent: A New Approach to
    Self-Supervised Learning", NeurIPS 2020, equation 1 and section 3.3; a constant momentum: He, Fan, Wu, Xie,
    Girshick, "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020, equation 2.
    """

    step: Tensor

    def __init__(self, online: nn.Module, *, momentum: float = 0.99, total_steps: int | None = None) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"expected momentum within [0, 1], got {momentum!r}")
        if any(map(is_lazy, online.parameters())):
            raise ValueError(
                "expected a network whose weights are there, got one that waits for its first batch to know their "
                "widths; encode one batch first, or say how wide the features are"
            )
        self.momentum = momentum
        self.total_steps = None if total_steps is None else check_whole("total_steps", total_steps, 1)
        self.module = copy.deepcopy(online).requires_grad_(False)
        self.module.zero_grad(set_to_none=True)  # gradients are copied too
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._awaited = False

    @torch.no_grad()
    def update(self, online: nn.Module) -> None:
        """Move towards ``online``; call it once the optimiser has moved.

        Args:
            online: The network that the copy was made of, or one with weights of the same shapes.

        Raises:
            ValueError: It has other weights or buffers.
        """
        moved, goals, copies, originals = [], [], [], []
        for own, other, is_weight in _weights_and_buffers(self.module, online):
            if is_weight and (own.is_floating_point() or own.is_complex()):
                moved.append(own)
                # The copy may be wider than what it follows.
                goals.append(other if other.dtype == own.dtype else other.to(own.dtype))
            else:
                copies.append(own)
                originals.append(other)
        self._move(moved, goals)
        if copies:
            torch._foreach_copy_(copies, originals)
        self.step += 1

    def note(self, training: bool) -> None:
        """Say that the target has been used, and whether for a step of training: then :meth:`follow` moves it."""
        self._awaited = self._awaited or training

    def follow(self, online: nn.Module) -> None:
        """One :meth:`update` if the target was used in training since the last one, else nothing.

        Several batches may make one step of the optimiser, and evaluation none.

        Example:
            >>> online = torch.nn.Linear(1, 1)
            >>> target = EMATarget(online)
            >>> for training in (False, True):
            ...     target.note(training)
            ...     target.follow(online)
            ...     int(target.step)
            0
            1
        """
        if self._awaited:
            self.update(online)
            self._awaited = False

    def _move(self, moved: list[Tensor], goals: list[Tensor]) -> None:
        if not moved:
            return
        if self.total_steps is None:
            torch._foreach_lerp_(moved, goals, 1 - self.momentum)
        elif self.step.device.type == "cpu":
            torch._foreach_lerp_(moved, goals, float(self._share()))
        else:  # reading the step on the host would wait for the device
            way = torch._foreach_sub(goals, moved)
            torch._foreach_mul_(way, self._share().to(moved[0].dtype))
            torch._foreach_add_(moved, way)

    def _share(self) -> Tensor:
        """1 - m_k, a 0-dim tensor."""
        if self.total_steps is None:
            return torch.full((), 1 - self.momentum, dtype=torch.float64, device=self.step.device)
        done = (self.step.double() / self.total_steps).clamp(max=1)
        return (1 - self.momentum) * ((math.pi * done).cos() + 1) / 2

    @property
    def current_momentum(self) -> float:
        """m_k of the next update.

        Example:
            >>> target = EMATarget(nn.Linear(1, 1), momentum=0.9, total_steps=2)
            >>> target.update(nn.Linear(1, 1))
            >>> round(target.current_momentum, 4)
            0.95
        """
        return 1 - float(self._share())

    def extra_repr(self) -> str:
        return f"momentum={self.momentum}, total_steps={self.total_steps}"


def _weights_and_buffers(target: nn.Module, online: nn.Module) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """Each tensor of the target, its counterpart, and whether it is a weight; nothing before all of them fit."""
    weights = _fitting(list(target.parameters()), list(online.parameters()))
    buffers = _fitting(list(target.buffers()), list(online.buffers()))
    yield from ((own, other, True) for own, other in weights)
    yield from ((own, other, False) for own, other in buffers)


def _fitting(target: Sequence[Tensor], online: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    if len(target) != len(online) or any(a.shape != b.shape for a, b in zip(target, online, strict=True)):
        raise ValueError(
            "expected the network that the target was copied from, got one with other weights or buffers "
            f"({len(online)} of them, {len(target)} in the target); after changing the network make a new EMATarget"
        )
    return [(own.detach(), other.detach()) for own, other in zip(target, online, strict=True)]
