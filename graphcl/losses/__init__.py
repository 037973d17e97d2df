"""Contrastive losses on plain tensors: ``loss(z1, z2) -> scalar``. They know nothing of graphs or methods."""

from graphcl.losses import functional
from graphcl.losses.dcl import DCL
from graphcl.losses.dgi_bce import DGIBCE
from graphcl.losses.grace import GRACE
from graphcl.losses.info_nce import InfoNCE
from graphcl.losses.moco import MoCo
from graphcl.losses.node_graph import NodeGraphInfoNCE, NodeGraphJSD
from graphcl.losses.nt_xent import NTXent
from graphcl.losses.sampled import SampledInfoNCE, SampledNTXent
from graphcl.losses.sup_con import SupCon, SupConPairs

__all__ = [
    "DCL",
    "DGIBCE",
    "GRACE",
    "InfoNCE",
    "MoCo",
    "NTXent",
    "NodeGraphInfoNCE",
    "NodeGraphJSD",
    "SampledInfoNCE",
    "SampledNTXent",
    "SupCon",
    "SupConPairs",
    "functional",
]
