"""The losses as pure functions, with those that some of them take or are made of."""

from graphcl.losses.alignment_uniformity import alignment, alignment_uniformity, uniformity
from graphcl.losses.barlow_twins import barlow_twins
from graphcl.losses.bootstrap import bootstrap
from graphcl.losses.cca_ssg import cca_ssg
from graphcl.losses.clip import clip
from graphcl.losses.dcl import dcl
from graphcl.losses.debiased import debiased
from graphcl.losses.dgi_bce import dgi_bce
from graphcl.losses.grace import grace
from graphcl.losses.group_discrimination import group_discrimination
from graphcl.losses.hard_mixing import hard_mixing
from graphcl.losses.hard_negative import hard_negative
from graphcl.losses.info_nce import info_nce
from graphcl.losses.logistic import logistic
from graphcl.losses.margin import margin_contrastive
from graphcl.losses.moco import moco
from graphcl.losses.moments import moment_info_nce, moment_nt_xent
from graphcl.losses.n_pair import n_pair
from graphcl.losses.node_graph import node_graph_info_nce, node_graph_jsd
from graphcl.losses.nt_xent import nt_xent
from graphcl.losses.proto_nce import concentrations, proto_nce
from graphcl.losses.sampled import sampled_info_nce, sampled_nt_xent
from graphcl.losses.sup_con import sup_con, sup_con_pairs
from graphcl.losses.swav import sinkhorn, swav
from graphcl.losses.triplet import triplet
from graphcl.losses.vicreg import vicreg

__all__ = [
    "alignment",
    "alignment_uniformity",
    "barlow_twins",
    "bootstrap",
    "cca_ssg",
    "clip",
    "concentrations",
    "dcl",
    "debiased",
    "dgi_bce",
    "grace",
    "group_discrimination",
    "hard_mixing",
    "hard_negative",
    "info_nce",
    "logistic",
    "margin_contrastive",
    "moco",
    "moment_info_nce",
    "moment_nt_xent",
    "n_pair",
    "node_graph_info_nce",
    "node_graph_jsd",
    "nt_xent",
    "proto_nce",
    "sampled_info_nce",
    "sampled_nt_xent",
    "sinkhorn",
    "sup_con",
    "sup_con_pairs",
    "swav",
    "triplet",
    "uniformity",
    "vicreg",
]
