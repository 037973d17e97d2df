"""All that a run consists of at an instant, and its way to a checkpoint and back."""

from collections.abc import Mapping
from typing import Any

import torch

from graphcl.errors import CheckpointError
from graphcl.methods import Method
from graphcl.train.checkpoint import load_checkpoint, save_checkpoint
from graphcl.train.run import RunFolder

__all__ = ["State"]


class State:
    """All that a run consists of at an instant."""

    def __init__(self, method: Method, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any]) -> None:
        self.method, self.optimizer, self.settings = method, optimizer, dict(settings)
        self.epoch = self.batch = 0
        self.random: torch.Tensor | None = None
        self.loss_sum, self.graphs, self.seconds, self.last_loss = 0.0, 0, 0.0, float("nan")

    def note(self, loss: float, graphs: int, seconds: float) -> None:
        self.last_loss = loss
        self.loss_sum, self.graphs, self.seconds = (
            self.loss_sum + loss * graphs,
            self.graphs + graphs,
            self.seconds + seconds,
        )

    def summary(self) -> dict[str, float]:
        """The epoch's means; begins the next one's."""
        row = {
            "loss": self.loss_sum / max(self.graphs, 1),
            "graphs_per_s": round(self.graphs / max(self.seconds, 1e-9), 1),
            "seconds": round(self.seconds, 4),
        }
        self.loss_sum, self.graphs, self.seconds = 0.0, 0, 0.0
        return row

    def postfix(self) -> dict[str, str]:
        rate = self.graphs / max(self.seconds, 1e-9)
        return {"epoch": str(self.epoch + 1), "loss": f"{self.last_loss:.4f}", "graphs/s": f"{rate:,.0f}"}

    def save(self, folder: RunFolder) -> None:
        save_checkpoint(
            folder.checkpoint_file,
            {
                "model": self.method.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "random": torch.get_rng_state(),
                "epoch": self.epoch,
                "batch": self.batch,
                "sums": [self.loss_sum, self.graphs, self.seconds],
                "method": type(self.method).__name__,
                "settings": self.settings,
            },
        )

    def load(self, folder: RunFolder) -> None:
        path = folder.checkpoint_file
        state = load_checkpoint(path)
        changed = [
            f"{name}={self.settings[name]} (there {state['settings'].get(name)})"
            for name in self.settings
            if state["settings"].get(name) != self.settings[name]
        ]
        if state["method"] != type(self.method).__name__:
            changed.insert(0, f"method {type(self.method).__name__} (there {state['method']})")
        if changed:
            raise CheckpointError(
                f"expected to resume the run of {path} with its own settings, got {', '.join(changed)}"
            )
        try:
            self.method.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"expected the weights of this model in {path}: {error}") from error
        self.epoch, self.batch, self.random = state["epoch"], state["batch"], state["random"]
        self.loss_sum, self.graphs, self.seconds = state["sums"]
