"""Methods: one recipe per file, each a module: ``method(data) -> loss``, ``method.embed(data) -> Embeddings``."""

from graphcl.methods.adgcl import ADGCL
from graphcl.methods.base import Method, ViewMethod
from graphcl.methods.bgrl import BGRL, prelu_predictor
from graphcl.methods.cca_ssg import CCASSG
from graphcl.methods.costa import COSTA, sketch
from graphcl.methods.cross_modal import CrossModal
from graphcl.methods.dgi import DGI, Discriminator
from graphcl.methods.gae import GAE
from graphcl.methods.gbt import GBT
from graphcl.methods.gca import GCA, adaptive_drop
from graphcl.methods.ggd import GGD
from graphcl.methods.grace import GRACE, edge_and_feature_drop, elu_head
from graphcl.methods.graph_barlow_twins import GraphBarlowTwins
from graphcl.methods.graph_byol import GraphBYOL
from graphcl.methods.graph_mae import GraphMAE, scaled_cosine_error
from graphcl.methods.graph_moco import GraphMoCo
from graphcl.methods.graph_simcse import GraphSimCSE
from graphcl.methods.graph_supcon import GraphSupCon
from graphcl.methods.graph_swav import GraphSwAV
from graphcl.methods.graph_vicreg import GraphVICReg
from graphcl.methods.graphcl import GraphCL
from graphcl.methods.graphmae_graph import GraphMAEGraph
from graphcl.methods.graphs import GraphViewMethod, random4
from graphcl.methods.infograph import InfoGraph
from graphcl.methods.joao import JOAO, JOAOv2
from graphcl.methods.mvgrl import MVGRL
from graphcl.methods.mvgrl_graph import MVGRLGraph
from graphcl.methods.node_and_graph import NodeAndGraph
from graphcl.methods.node_sup_con import NodeSupCon
from graphcl.methods.nodes import NodeMethod, NodeViewMethod, shared_nodes
from graphcl.methods.pcl import PCL
from graphcl.methods.rgcl import RGCL
from graphcl.methods.sgrl import SGRL, scattering
from graphcl.methods.simgrace import SimGRACE
from graphcl.methods.subtree_contrast import SubtreeContrast

__all__ = [
    "ADGCL",
    "BGRL",
    "CCASSG",
    "COSTA",
    "DGI",
    "GAE",
    "GBT",
    "GCA",
    "GGD",
    "GRACE",
    "JOAO",
    "MVGRL",
    "PCL",
    "RGCL",
    "SGRL",
    "CrossModal",
    "Discriminator",
    "GraphBYOL",
    "GraphBarlowTwins",
    "GraphCL",
    "GraphMAE",
    "GraphMAEGraph",
    "GraphMoCo",
    "GraphSimCSE",
    "GraphSupCon",
    "GraphSwAV",
    "GraphVICReg",
    "GraphViewMethod",
    "InfoGraph",
    "JOAOv2",
    "MVGRLGraph",
    "Method",
    "NodeAndGraph",
    "NodeMethod",
    "NodeSupCon",
    "NodeViewMethod",
    "SimGRACE",
    "SubtreeContrast",
    "ViewMethod",
    "adaptive_drop",
    "edge_and_feature_drop",
    "elu_head",
    "prelu_predictor",
    "random4",
    "scaled_cosine_error",
    "scattering",
    "shared_nodes",
    "sketch",
]
