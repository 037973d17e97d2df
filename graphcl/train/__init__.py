"""Training: the loop, checkpoints and run folders. It knows nothing of evaluation."""

from graphcl.train._source import Source
from graphcl.train._sources import source_of
from graphcl.train.ahead import losses_ahead
from graphcl.train.callbacks import Callback, Moment
from graphcl.train.checkpoint import load_checkpoint, save_checkpoint
from graphcl.train.device import pick_device
from graphcl.train.loop import History, fit
from graphcl.train.run import RunFolder
from graphcl.train.schedule import rate_at
from graphcl.train.tensorboard import TensorBoard

__all__ = [
    "Callback",
    "History",
    "Moment",
    "RunFolder",
    "Source",
    "TensorBoard",
    "fit",
    "load_checkpoint",
    "losses_ahead",
    "pick_device",
    "rate_at",
    "save_checkpoint",
    "source_of",
]
