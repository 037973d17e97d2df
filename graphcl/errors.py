"""The package's own exceptions: problems with data, runs and settings, each told as expected, got, and how to mend it.

A wrong argument in Python raises ``ValueError`` or ``TypeError`` where the value is used. What lies outside the program
(files, folders, checkpoints, configuration) raises one of these.
"""

__all__ = ["CheckpointError", "ConfigError", "DataError", "GraphCLError", "RunError"]


class GraphCLError(Exception):
    """Base class of every error that graphcl raises about the world outside the program."""


class DataError(GraphCLError):
    """A data set is missing, unknown, incomplete or malformed; the message names the file."""


class ConfigError(GraphCLError):
    """A setting is unknown or has an unusable value; the message names the key."""


class CheckpointError(GraphCLError):
    """A checkpoint is missing, truncated or does not belong to this model."""


class RunError(GraphCLError):
    """A run folder cannot be used, or a run had to stop."""
