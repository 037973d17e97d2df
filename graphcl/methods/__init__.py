"""Methods: one recipe per file, each a module: ``method(data) -> loss``, ``method.embed(data) -> Embeddings``."""

from graphcl.methods.adgcl import ADGCL
from graphcl.methods.base import Method, ViewMethod
from graphcl.methods.cross_modal import CrossModal
from graphcl.methods.graph_barlow_twins import GraphBarlowTwins
from graphcl.methods.graph_byol import GraphBYOL
from graphcl.methods.graph_moco import GraphMoCo
from graphcl.methods.graph_simcse import GraphSimCSE
from graphcl.methods.graph_supcon import GraphSupCon
from graphcl.methods.graph_swav import GraphSwAV
from graphcl.methods.graph_vicreg import GraphVICReg
from graphcl.methods.graphcl import GraphCL, random4
from graphcl.methods.graphmae_graph import GraphMAEGraph
from graphcl.methods.graphs import GraphViewMethod
from graphcl.methods.infograph import InfoGraph
from graphcl.methods.joao import JOAO, JOAOv2
from graphcl.methods.mvgrl_graph import MVGRLGraph
from graphcl.methods.node_and_graph import NodeAndGraph
from graphcl.methods.pcl import PCL
from graphcl.methods.rgcl import RGCL
from graphcl.methods.simgrace import SimGRACE

__all__ = [
    "ADGCL",
    "Method",
    "ViewMethod",
    "CrossModal",
    "GraphBarlowTwins",
    "GraphBYOL",
    "GraphMoCo",
    "GraphSimCSE",
    "GraphSupCon",
    "GraphSwAV",
    "GraphVICReg",
    "GraphCL",
    "random4",
    "GraphMAEGraph",
    "GraphViewMethod",
    "InfoGraph",
    "JOAO",
    "JOAOv2",
    "MVGRLGraph",
    "NodeAndGraph",
    "PCL",
    "RGCL",
    "SimGRACE",
]
