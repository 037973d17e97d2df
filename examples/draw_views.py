"""Every view of the same molecule and of the same small social graph in one picture: draw_views.py --out views.png

Needs RDKit and matplotlib: pip install 'graphcl[molecules,plot]'.
"""

import argparse
import re
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
import torch
from matplotlib.lines import Line2D
from torch_geometric.utils import from_smiles

from graphcl import augment as A
from graphcl.data import load

# A new augmentation joins by a line: here, ...
BOTH = [A.Identity(), A.NodeDrop(drop=0.2), A.EdgeDrop(drop=0.3), A.EdgeAdd(add=0.2)]
BOTH += [A.EdgePerturb(drop=0.1, add=0.1), A.EdgeRewire(share=0.1)]
BOTH += [A.RandomWalkSubgraph(keep=0.5), A.GrowthSubgraph(keep=0.5), A.EgoSubgraph(hops=2), A.StarSubgraph(keep=0.3)]
BOTH += [A.AdaptiveEdgeDrop(drop=0.3), A.SpectralEdgeDrop(drop=0.3)]
BOTH += [A.PPRDiffusion(top_k=4), A.HeatDiffusion(top_k=4)]
MOLECULE = [  # ... here, if it asks for atoms and bonds ...
    A.EdgeMask(mask=0.25, fill=0),
    A.AtomMask(mask=0.25, vocab="pyg"),
    A.AtomMask(mask=0.25, bonds=True, vocab="pyg"),
    A.AtomDrop(drop=0.2, vocab="pyg"),
    A.AtomDrop(drop=0.2, vocab="pyg", protect="scaffold"),
    A.AtomDrop(drop=0.2, vocab="pyg", protect="functional_group"),
    A.BondDrop(drop=0.2, vocab="pyg"),
    A.SubgraphRemove(remove=0.3, vocab="pyg"),
    A.BRICSFragment(vocab="pyg"),
]
# ... or here, if it asks for features that are real numbers.
SOCIAL = [A.NodeMask(mask=0.2), A.FeatureMask(mask=0.2), A.FeatureDropout(drop=0.02), A.FeatureShuffle()]
SOCIAL += [A.AdaptiveFeatureMask(mask=0.2), A.Compose([A.NodeDrop(drop=0.2), A.EdgeDrop(drop=0.2)])]
KEY, COLUMNS = 4, 4
FAINT, KEPT, MASKED, ADDED, REFRESHED = "#c6c6c6", "#555555", "#e8871e", "#1a9850", "#3b6fb6"
ELEMENTS = {6: ("", "#b8b8b8"), 7: ("N", "#8da9e8"), 8: ("O", "#ef8a80"), 17: ("Cl", "#93d18b")}
NOT_IN_TITLES = re.compile(
    r"Compose\(augmentations=\[|\]\)|(, )?(vocab|count|fill)='\w+'|, (\w+=(None|False)|(remove|cutoff|limit)=\w+\.?\d*)"
    r"|, (normalisation|self_loops|method|tolerance|cache_bytes|attr)=[^,)]+|across=False"
)


def molecule():
    from rdkit.Chem import AllChem, MolFromSmiles

    data = from_smiles("CC(=O)Nc1ccc(OCC(O)CNC(C)C)c(Cl)c1")
    data = A.MarkFragments()(A.MarkFunctionalGroups()(A.MarkScaffold()(data)))
    drawing = MolFromSmiles(data.smiles)
    AllChem.Compute2DCoords(drawing)
    place = dict(enumerate(drawing.GetConformer().GetPositions()[:, :2]))
    return data, place, *zip(*(ELEMENTS[number] for number in data.x[:, 0].tolist()))


def social():
    data = load("karate")[0]
    place = {v: (y, x) for v, (x, y) in nx.kamada_kawai_layout(nx.Graph(data.edge_index.t().tolist())).items()}
    return data, place, [""] * data.num_nodes, [("#b7a6d6", "#a5cfe3")[side] for side in data.y.tolist()]


def draw(axes, view, data, place, labels, colors):
    """The view upon its graph: what is gone is faint, what is new or changed has a colour of its own."""
    nodes = view.n_id.tolist() if "n_id" in view else list(range(data.num_nodes))
    ends = data.edge_index, torch.tensor(nodes)[view.edge_index]
    before, after = ({frozenset(pair): i for i, pair in enumerate(index.t().tolist())} for index in ends)
    for pair in before.keys() | after.keys():
        color, style, width = (KEPT, "-", 1.6) if pair in after else (FAINT, ":", 1.4)
        if pair not in before:
            color, width = ADDED, 2.2
        elif (
            pair in after and "edge_attr" in view and data.edge_attr[before[pair], 0] != view.edge_attr[after[pair], 0]
        ):
            color, width = MASKED, 2.2
        axes.plot(*zip(*(place[v] for v in pair)), color=color, ls=style, lw=width, zorder=1 + (pair in after))
    changed = view.x != data.x[nodes]
    # An atom is masked if its element is; a person, whose features are all alike, if any feature is.
    masked = changed[:, 0] if "edge_attr" in data else changed.any(1)
    state = dict(zip(nodes, zip(masked.tolist(), changed.any(1).tolist())))
    for v, (x, y) in place.items():
        hidden, new = state.get(v, (False, False))
        face, edge = (MASKED if hidden else colors[v], REFRESHED if new and not hidden else KEPT)
        face, edge, ink = (face, edge, "black") if v in state else ("white", FAINT, FAINT)
        axes.scatter(x, y, s=100, c=face, edgecolors=edge, linewidths=2.4 if edge == REFRESHED else 1, zorder=3)
        axes.text(x, y, "?" if hidden else labels[v], ha="center", va="center", fontsize=7, color=ink, zorder=4)
    axes.margins(0.06, 0.12)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--out", type=Path, help="the PNG to write; default: in a new temporary folder")
out = parser.parse_args().out or Path(tempfile.mkdtemp(prefix="graphcl-views-")) / "views.png"
plt.switch_backend("Agg")
rows = [-(-len(BOTH + own) // COLUMNS) for own in (MOLECULE, SOCIAL)]
heights = [1.9] * rows[0] + [2.9] * rows[1]
size = (4.2 * COLUMNS, sum(heights) + 0.5)
figure, grid = plt.subplots(sum(rows), COLUMNS, figsize=size, height_ratios=heights, layout="constrained")
for axes in grid.flat:
    axes.axis("off")
for first, (data, *looks), own in ((0, molecule(), MOLECULE), (rows[0], social(), SOCIAL)):
    for axes, aug in zip(grid[first:].flat, BOTH + own):
        draw(axes, aug.view(data, KEY), data, *looks)
        axes.set_title("the graph itself" if aug is BOTH[0] else NOT_IN_TITLES.sub("", repr(aug)), fontsize=10)
lines = {"dropped edge": (FAINT, ":"), "added edge": (ADDED, "-"), "bond masked or unknown": (MASKED, "-")}
dots = {"dropped node": ("w", FAINT, 1), "masked node": (MASKED, KEPT, 1), "features refreshed": ("w", REFRESHED, 2)}
handles = [Line2D([], [], color=color, ls=style, lw=2.5) for color, style in lines.values()]
handles += [Line2D([], [], ls="", marker="o", ms=9, mfc=f, mec=e, mew=w) for f, e, w in dots.values()]
figure.legend(handles, [*lines, *dots], loc="outside lower center", ncols=6, frameon=False)
figure.savefig(out, dpi=110)
print(f"{len(BOTH + MOLECULE) + len(BOTH + SOCIAL)} pictures in {out}")
