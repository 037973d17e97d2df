"""Contrastive losses on plain tensors: ``loss(z1, z2) -> scalar``. They know nothing of graphs or methods."""

from graphcl.losses import functional
from graphcl.losses.alignment_uniformity import AlignmentUniformity
from graphcl.losses.barlow_twins import BarlowTwins
from graphcl.losses.bootstrap import Bootstrap
from graphcl.losses.cca_ssg import CCASSG
from graphcl.losses.clip import CLIP
from graphcl.losses.dcl import DCL
from graphcl.losses.debiased import Debiased
from graphcl.losses.dgi_bce import DGIBCE
from graphcl.losses.grace import GRACE
from graphcl.losses.group_discrimination import GroupDiscrimination
from graphcl.losses.hard_mixing import HardMixing
from graphcl.losses.hard_negative import HardNegative
from graphcl.losses.info_nce import InfoNCE
from graphcl.losses.logistic import Logistic
from graphcl.losses.margin import MarginContrastive
from graphcl.losses.moco import MoCo
from graphcl.losses.moments import MomentInfoNCE, MomentNTXent
from graphcl.losses.n_pair import NPair
from graphcl.losses.node_graph import NodeGraphInfoNCE, NodeGraphJSD
from graphcl.losses.nt_xent import NTXent
from graphcl.losses.proto_nce import ProtoNCE
from graphcl.losses.sampled import SampledInfoNCE, SampledNTXent
from graphcl.losses.sup_con import SupCon, SupConPairs
from graphcl.losses.swav import SwAV
from graphcl.losses.triplet import Triplet
from graphcl.losses.vicreg import VICReg

__all__ = [
    "CCASSG",
    "CLIP",
    "DCL",
    "DGIBCE",
    "GRACE",
    "AlignmentUniformity",
    "BarlowTwins",
    "Bootstrap",
    "Debiased",
    "GroupDiscrimination",
    "HardMixing",
    "HardNegative",
    "InfoNCE",
    "Logistic",
    "MarginContrastive",
    "MoCo",
    "MomentInfoNCE",
    "MomentNTXent",
    "NPair",
    "NTXent",
    "NodeGraphInfoNCE",
    "NodeGraphJSD",
    "ProtoNCE",
    "SampledInfoNCE",
    "SampledNTXent",
    "SupCon",
    "SupConPairs",
    "SwAV",
    "Triplet",
    "VICReg",
    "functional",
]
