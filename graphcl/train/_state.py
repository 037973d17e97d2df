"""Where a run stands: its weights, its place and its sums, and their way to a checkpoint and back."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import torch

from graphcl._arguments import plain
from graphcl.augment import Augmentation
from graphcl.distributed import rank
from graphcl.errors import CheckpointError
from graphcl.methods import Method
from graphcl.train.checkpoint import load_checkpoint, save_checkpoint
from graphcl.train.ranks import every_rank, on_first
from graphcl.train.run import RunFolder

__all__ = ["State", "made_of"]

NEEDED = ("optimizer", "random", "epoch", "batch", "sums", "method", "settings")
SHOWN = 4  # of what is otherwise


def made_of(method: Method) -> dict[str, Any]:
    """The kinds, numbers and words of which the parts of a method were made, views among them, by their names.

    Of classes that are not this package's none are known to stay as they are. What weights have no room for, such as a
    temperature, nothing else would tell from that of another run.
    """
    found: dict[str, Any] = {"method.seed": method.seed}
    parts: list[tuple[str, Any]] = list(method.named_modules(prefix="method"))
    for name, part in parts:
        ours = type(part).__module__.startswith("graphcl.")
        if ours and part is not method:
            found[name] = type(part).__name__
        for key, value in vars(part).items():
            place = f"{name}.{key}"
            several = value if isinstance(value, list | tuple) else ()
            members = [(f"{place}.{i}", item) for i, item in enumerate(several) if isinstance(item, Augmentation)]
            if members:
                parts += members
                found[f"{place}.count"] = len(several)
            if isinstance(value, Augmentation):
                parts.append((place, value))
            elif ours and not key.startswith("_") and key != "training":
                if isinstance(value := plain(value), bool | int | float | str | None):
                    found[place] = value
                elif isinstance(value, FunctionType):
                    found[place] = value.__name__
                elif several and all(isinstance(item, bool | int | float | str) for item in several):
                    found[place] = [plain(item) for item in several]
    return found


class State:
    """All that a run consists of at an instant."""

    def __init__(
        self, method: Method, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any], content: str | None = None
    ) -> None:
        self.method, self.optimizer, self.settings, self.content = method, optimizer, dict(settings), content
        self.made = made_of(method)  # as it is at the start: a callback may change a temperature as it goes
        self.epoch = self.batch = 0
        self.best: dict[str, Any] | None = None
        self.random: torch.Tensor | None = None
        self.random_cuda: torch.Tensor | None = None
        self.loss_sum, self.count, self.seconds, self.last_loss = 0.0, 0, 0.0, float("nan")

    @property
    def device(self) -> torch.device:
        return self.method.step.device

    def note(self, loss: float, count: int, seconds: float) -> None:
        """Add a step: its loss, a mean over so many graphs or nodes."""
        self.last_loss = loss
        self.loss_sum += loss * count
        self.count += count
        self.seconds += seconds

    def end_epoch(self, unit: str) -> dict[str, float]:
        """Go on to the next epoch, and return the row of the one that has ended: its number, its means."""
        self.epoch, self.batch = self.epoch + 1, 0
        row = {
            "epoch": self.epoch,
            "loss": self.loss_sum / max(self.count, 1),
            f"{unit}_per_s": round(self.count / max(self.seconds, 1e-9), 1),
            "seconds": round(self.seconds, 4),
        }
        self.loss_sum, self.count, self.seconds = 0.0, 0, 0.0
        return row

    def postfix(self, unit: str) -> dict[str, str]:
        rate = self.count / max(self.seconds, 1e-9)
        return {"epoch": str(self.epoch + 1), "loss": f"{self.last_loss:.4f}", f"{unit}/s": f"{rate:,.0f}"}

    def keep_best(self, loss: float) -> None:
        """Keep a copy of the weights if the epoch that has ended had the lowest loss so far."""
        if self.best is None or loss < self.best["loss"]:
            model = {name: value.clone() for name, value in self.method.state_dict().items()}
            self.best = {"loss": loss, "epoch": self.epoch, "model": model}

    def waited(self) -> int:
        """Epochs since the lowest loss."""
        return 0 if self.best is None else int(self.epoch - self.best["epoch"])

    def restore_best(self) -> None:
        """Go back to the weights of the lowest loss."""
        if self.best is not None:
            self.method.load_state_dict(self.best["model"])

    def save(self, folder: RunFolder) -> None:
        """Write the checkpoint; of several ranks the first does, with the random states of all."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        state = {
            "model": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": every_rank(torch.get_rng_state(), self.device),
            "random_cuda": None if cuda is None else every_rank(cuda, self.device),
            "epoch": self.epoch,
            "batch": self.batch,
            "sums": [self.loss_sum, self.count, self.seconds],
            "best": self.best,
            "method": type(self.method).__name__,
            "made": self.made,
            "settings": self.settings,
            "content": self.content,
        }
        on_first(partial(save_checkpoint, folder.checkpoint_file, state), self.device)

    def load(self, folder: RunFolder) -> None:
        """Go to where the folder's checkpoint was written.

        Raises:
            CheckpointError: There is none, it is damaged, or it is of another run.
        """
        path = folder.checkpoint_file
        state = load_checkpoint(path)
        try:
            self._check_same(state, path)
            self._take_from(state, path)
        except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                f"expected the checkpoint of a run at {path}, got one that is damaged or of another version "
                f"({type(error).__name__}: {error})"
            ) from error

    def _check_same(self, state: Mapping[str, Any], path: Path) -> None:
        lacking = [key for key in NEEDED if key not in state]
        if lacking:
            raise CheckpointError(f"expected the checkpoint of a run at {path}, got one without {', '.join(lacking)}")
        changed = [*self._changes(state)]
        if changed:
            more = ["..."] if len(changed) > SHOWN else []
            raise CheckpointError(
                f"expected to resume the run of {path} with its own settings, got {', '.join(changed[:SHOWN] + more)}"
            )

    def _changes(self, state: Mapping[str, Any]) -> Iterator[str]:
        """What is otherwise than in a checkpoint, in words; what an earlier version does not tell of is the same."""
        if state["method"] != type(self.method).__name__:
            yield f"method {type(self.method).__name__} (there {state['method']})"
        before = {"ranks": 1, "accumulate": 1, **state["settings"]}
        for name, value in self.settings.items():
            if before.get(name) != value:
                yield f"{name}={value} (there {before.get(name)})"
        for name, value in before.items():
            if name not in self.settings and value is not None:
                yield f"no {name} (there {value})"
        made = state.get("made", {})
        for name, value in self.made.items():
            if made.get(name, value) != value:
                yield f"{name}={value} (there {made[name]})"
        content = state.get("content")
        if None not in (content, self.content) and content != self.content:
            yield "other features or edges"

    def _take_from(self, state: Mapping[str, Any], path: Path) -> None:
        try:
            self.method.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"expected the weights of this model in {path}: {error}") from error
        self.epoch, self.batch, self.random = state["epoch"], state["batch"], _own(state["random"])
        self.loss_sum, self.count, self.seconds = state["sums"]
        torch.Generator().set_state(self.random)  # or it is none
        self.random_cuda = _own(state.get("random_cuda"))  # checkpoints of an earlier version have none
        self.best = state.get("best")
        counts = isinstance(self.epoch, int) and isinstance(self.batch, int)
        if not counts or not isinstance(self.best, dict | None):
            raise TypeError(f"epoch {self.epoch!r}, batch {self.batch!r}, best {type(self.best).__name__}")


def _own(states: Any) -> Any:
    """This rank's random state, of those of all ranks or of the only one."""
    return states[rank()].clone() if states is not None and states.dim() == 2 else states
