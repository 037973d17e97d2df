"""The losses as pure functions."""

from graphcl.losses.dcl import dcl
from graphcl.losses.grace import grace
from graphcl.losses.info_nce import info_nce
from graphcl.losses.nt_xent import nt_xent

__all__ = ["dcl", "grace", "info_nce", "nt_xent"]
