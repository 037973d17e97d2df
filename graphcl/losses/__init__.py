"""Contrastive losses on plain tensors: ``loss(z1, z2) -> scalar``. They know nothing of graphs or methods."""

from graphcl.losses import functional
from graphcl.losses.dcl import DCL
from graphcl.losses.grace import GRACE
from graphcl.losses.info_nce import InfoNCE
from graphcl.losses.nt_xent import NTXent

__all__ = ["DCL", "GRACE", "InfoNCE", "NTXent", "functional"]
