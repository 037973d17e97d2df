"""The losses as pure functions."""

from graphcl.losses.dcl import dcl
from graphcl.losses.dgi_bce import dgi_bce
from graphcl.losses.grace import grace
from graphcl.losses.info_nce import info_nce
from graphcl.losses.moco import moco
from graphcl.losses.node_graph import node_graph_info_nce, node_graph_jsd
from graphcl.losses.nt_xent import nt_xent
from graphcl.losses.sampled import sampled_info_nce, sampled_nt_xent
from graphcl.losses.sup_con import sup_con, sup_con_pairs

__all__ = [
    "dcl",
    "dgi_bce",
    "grace",
    "info_nce",
    "moco",
    "node_graph_info_nce",
    "node_graph_jsd",
    "nt_xent",
    "sampled_info_nce",
    "sampled_nt_xent",
    "sup_con",
    "sup_con_pairs",
]
