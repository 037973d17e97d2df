"""An update of the weights: the gradients of one batch, or of several together, and the optimiser's step by them."""

from collections.abc import Callable

import torch
from torch import Tensor

from graphcl.distributed import one_batch
from graphcl.methods import Method
from graphcl.nn._autocast import bfloat16
from graphcl.train._settings import Settings
from graphcl.train.ranks import average_gradients, share_buffers

__all__ = ["Update"]


class Update:
    """The gradients that have been added since the last step of the optimiser.

    Args:
        method: What is trained; those of its weights that require a gradient.
        settings: Of the optimiser, its name and decay, the precision and the largest norm of a gradient.
        device: Where the method is.

    Raises:
        ValueError: No weight requires a gradient.
    """

    def __init__(self, method: Method, settings: Settings, device: torch.device) -> None:
        self.method, self.device, self.precision, self.clip = method, device, settings.precision, settings.clip
        self.weights = [weight for weight in method.parameters() if weight.requires_grad]
        if not self.weights:
            raise ValueError(
                "expected weights to train, got none that requires a gradient: method.requires_grad_(True)"
            )
        kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(self.weights, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
        self.batches = 0

    def add(self, loss_of: Callable[[], Tensor], lr: float) -> Tensor:
        """Add the gradient of a batch, and return its loss; the first one sets the learning rate of the step."""
        if not self.batches:
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.zero_grad(set_to_none=True)
        with bfloat16(self.device.type, enabled=self.precision == "bf16"), one_batch():
            loss = loss_of()
        _check_loss(loss, self.method)
        loss.backward()
        self.batches += 1
        return loss.detach()

    def take(self) -> None:
        """Step by the mean gradient of the batches; without any nothing moves."""
        if not self.batches:
            return
        average_gradients(self.weights)
        if self.batches > 1:
            for weight in self.weights:
                if weight.grad is not None:
                    weight.grad.div_(self.batches)
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.weights, self.clip)
        self.optimizer.step()
        self.method.after_step()
        share_buffers(self.method)
        self.batches = 0


def _check_loss(loss: object, method: Method) -> None:
    """Refuse what a method of one's own may return in the place of a loss."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = f"shape {list(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
        raise TypeError(f"expected the loss of {type(method).__name__} to be a tensor of one number, got {got}")
    if not loss.requires_grad:
        raise ValueError(f"expected a loss of {type(method).__name__} with a gradient, got one that hangs on no weight")
