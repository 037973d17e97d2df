"""The epochs of a run for TensorBoard to draw. Needs the extra ``tensorboard``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from graphcl.errors import GraphCLError
from graphcl.methods import Method
from graphcl.train.callbacks import Moment

__all__ = ["TensorBoard"]


class TensorBoard:
    """A callback that writes every number of an epoch's row as a curve: the loss, the speed, diagnostics.

    Give it to :func:`fit` as the last of its callbacks, so that it sees what the others add. A resumed run goes on with
    its curves. Nothing is written before the first epoch ends.

    Args:
        folder: Where the events go: ``tensorboard --logdir FOLDER`` shows them.

    Raises:
        GraphCLError: Tensorboard is not installed.
    """

    def __init__(self, folder: Path | str) -> None:
        if find_spec("tensorboard") is None:  # told now, not after the first epoch
            raise GraphCLError("curves for TensorBoard need it: pip install 'graphcl[tensorboard]'")
        self.folder = Path(folder).expanduser()
        self._writer: Any = None

    def __call__(self, moment: Moment, method: Method) -> None:
        if self._writer is None:
            self._writer = _writer(self.folder, moment.epoch)
        for name, value in moment.row.items():
            if name != "epoch" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, moment.epoch)
        self._writer.flush()

    def __repr__(self) -> str:
        return f"TensorBoard({str(self.folder)!r})"


def _writer(folder: Path, epoch: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    # What an interrupted run wrote beyond its checkpoint is drawn once, by the run that went on.
    return SummaryWriter(str(folder), purge_step=epoch)
