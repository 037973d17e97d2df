"""From names to objects: the one place where the command line's words become encoders, views and methods."""

from graphcl._resolve._encoders import (
    ACTIVATIONS,
    CONVS,
    ENCODERS,
    NETWORKS,
    NORMS,
    READOUTS,
    check_encoder_settings,
    make_encoder,
)
from graphcl._resolve._imported import encoder_maker
from graphcl._resolve._methods import make_method
from graphcl._resolve._views import VIEWS, make_view, of_molecules

__all__ = [
    "ACTIVATIONS",
    "CONVS",
    "ENCODERS",
    "NETWORKS",
    "NORMS",
    "READOUTS",
    "VIEWS",
    "check_encoder_settings",
    "encoder_maker",
    "make_encoder",
    "make_method",
    "make_view",
    "of_molecules",
]
