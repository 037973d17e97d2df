"""Molecules as augmentations see them, and the features that must follow when atoms or bonds go."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcl._arguments import check_choice
from graphcl._random import Key
from graphcl._vocabulary import (
    AROMATIC,
    CHIRALITY,
    DEGREE,
    HYBRIDIZATION,
    RING,
    VOCABULARIES,
    Vocabulary,
)
from graphcl.augment._cycles import components, on_cycle
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment.base import EditAugmentation

__all__ = ["Molecule", "MoleculeAugmentation", "check_vocab", "node_attribute", "refresh"]


def check_vocab(vocab: str) -> str:
    """``vocab``, or ``ValueError`` if there is no such index table."""
    check_choice("vocab", vocab, VOCABULARIES)
    return vocab


@dataclass(frozen=True)
class Molecule:
    """A batch of molecules.

    Attributes:
        graph: Its structure.
        atoms: ``[N, 9]`` int64, the columns of x.
        bonds: ``[E, 3]`` int64, the columns of edge_attr; ``None`` for data without.
        vocabulary: What their numbers mean.
        protected: ``[N]`` bool, atoms to be left alone; ``None`` for none.
    """

    graph: Graph
    atoms: Tensor
    bonds: Tensor | None
    vocabulary: Vocabulary
    protected: Tensor | None = None

    @classmethod
    def of(cls, data: Data, vocab: str, protect: str | None = None) -> "Molecule":
        """The molecules of a ``Data`` or ``Batch``, whose numbers are those of the table ``vocab``."""
        return cls.read(Graph.of(data), vocab, protect)

    @classmethod
    def read(cls, graph: Graph, vocab: str, protect: str | None = None) -> "Molecule":
        """The molecules of which ``graph`` is the structure: a whole batch, or the part of one that drew an edit."""
        stored = graph.stored
        x, bonds = graph.x, stored.get("edge_attr")
        if x is None or x.dtype != torch.int64 or x.dim() != 2 or x.size(1) != 9:
            raise ValueError(
                f"expected molecules with x [atoms, 9] of int64, got {_told(stored.get('x'))}; make them with "
                f"ogb.utils.smiles2graph (vocab='ogb') or torch_geometric.utils.from_smiles (vocab='pyg'), or use "
                f"NodeDrop, NodeMask, EdgeDrop"
            )
        if bonds is not None and (
            not isinstance(bonds, Tensor) or bonds.dtype != torch.int64 or bonds.dim() != 2 or bonds.size(1) != 3
        ):
            raise ValueError(f"expected molecules with edge_attr [bonds, 3] of int64, got {_told(bonds)}")
        if bonds is not None and graph.edge_rows is not None:
            bonds = bonds.index_select(0, graph.edge_rows)
        other = VOCABULARIES["pyg"].aromatic
        if vocab == "ogb" and bonds is not None and bool((bonds[:, 0] == other).any()):
            raise ValueError(f"expected bond types of OGB, got PyG's aromatic bond ({other}); give vocab='pyg'")
        protected = None
        if protect is not None:
            protected = node_attribute(graph, protect, "MarkScaffold() or MarkFunctionalGroups()")
            if protected.dtype != torch.bool:
                raise TypeError(f"expected {protect!r} of dtype bool, true for protected atoms, got {protected.dtype}")
        return cls(graph, x, bonds, VOCABULARIES[vocab], protected)

    @property
    def free_counts(self) -> Tensor:
        """``[G]`` atoms of each molecule that are not protected."""
        if self.protected is None:
            return self.graph.sizes
        return torch.zeros_like(self.graph.sizes).scatter_add_(0, self.graph.batch, (~self.protected).long())

    def atom_hashes(self, key: Key) -> Tensor:
        """``[N]`` a hash per atom; the protected ones come last where the smallest are chosen."""
        hashes = self.graph.node_hashes(key)
        return hashes if self.protected is None else hashes.masked_fill_(self.protected, -1)


def _told(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)}"
    return "none" if value is None else f"a {type(value).__name__}"


def node_attribute(graph: Graph, name: str, marker: str) -> Tensor:
    """The attribute of that name, one value per node."""
    value, rows = graph.stored.get(name), graph.rows
    count = graph.num_nodes if rows is None or graph.features is None else graph.features.size(0)
    if not isinstance(value, Tensor) or value.shape != (count,):
        raise ValueError(
            f"expected an attribute {name!r} with one value per atom, got {_told(value)}; apply {marker} to each "
            f"molecule first, as pre_transform or transform of the data set"
        )
    return value if rows is None else value.index_select(0, rows)


class MoleculeAugmentation(EditAugmentation):
    """An augmentation that says what to change in a batch of molecules."""

    vocab: str
    protect: str | None

    @abstractmethod
    def molecule_edit(self, molecule: Molecule, key: Key) -> Edit:
        """The changes that belong to ``key``."""

    def edit(self, graph: Graph, key: Key) -> Edit:
        return self.molecule_edit(Molecule.read(graph, self.vocab, self.protect), key)


def refresh(molecule: Molecule, *, keep_nodes: Tensor | None = None, keep_edges: Tensor | None = None) -> Edit:
    """The edit that keeps these atoms and bonds, with every feature that followed from the others brought up to date.

    Nothing is put in the place of what goes: atoms keep their hydrogens and charge, and have open valences. So

    - the degree (hydrogens included) sinks by the bonds lost;
    - an atom is in a ring if it was and a cycle of the remaining bonds still passes through it;
    - an atom, or a bond, is aromatic if it was and lies on a cycle of bonds that were, unless its fused rings have lost
      what divided them. A bond that is aromatic no longer is single or double, which only a chemist's program could
      tell: it becomes unknown;
    - a bond is conjugated if it was, neither end has lost all its bonds of an order above one, and it still meets
      another such bond, one of the two of an order above one;
    - the chirality of an atom that lost a neighbour, and the stereo mark of a bond at it, become none;
    - the hybridisation of an atom that lost a bond, its aromaticity or a conjugated bond becomes unknown.

    Flags are cleared and never set, and molecules that lose nothing stay as they are.
    """
    graph, old = molecule.graph, molecule.atoms
    src, dst = graph.edge_index
    alive = torch.ones_like(src, dtype=torch.bool) if keep_edges is None else keep_edges
    if keep_nodes is not None:
        alive = alive & keep_nodes[src] & keep_nodes[dst]
    lost = torch.zeros_like(graph.batch).scatter_add_(0, dst, (~alive).long())
    touched = torch.zeros_like(graph.ptr[1:], dtype=torch.bool).index_fill_(0, graph.batch[dst[~alive]], True)
    at = touched[graph.batch]  # atoms of molecules that lose something
    cyclic = _cyclic(graph, alive)
    still = _still_aromatic(molecule, alive, cyclic, keep_nodes)

    new = old.clone()
    new[:, DEGREE] -= lost
    new[:, DEGREE].clamp_(min=0)
    if molecule.vocabulary.unknown_degree is not None:
        unknown = old[:, DEGREE] == molecule.vocabulary.unknown_degree
        new[:, DEGREE] = torch.where(unknown, old[:, DEGREE], new[:, DEGREE])
    new[:, RING] *= _any(src, cyclic, graph.num_nodes)
    new[:, AROMATIC] *= _any(src, still, graph.num_nodes)
    new[:, CHIRALITY].masked_fill_(lost > 0, 0)
    unsettled = (lost > 0) | (new[:, AROMATIC] != old[:, AROMATIC])
    edge_rows = {}
    if molecule.bonds is not None:
        bonds, unconjugated = _refresh_bonds(molecule, alive, still, lost > 0)
        unsettled |= _any(src, unconjugated, graph.num_nodes)
        changed = (at[src] & (bonds != molecule.bonds).any(1) & alive).nonzero().squeeze(1)
        edge_rows["edge_attr"] = (changed, bonds[changed])
    new[:, HYBRIDIZATION].masked_fill_(unsettled, molecule.vocabulary.atom[HYBRIDIZATION])
    changed = (at & (new != old).any(1)).nonzero().squeeze(1)
    return Edit(keep_nodes, keep_edges, rows={"x": (changed, new[changed])}, edge_rows=edge_rows)


def _any(node: Tensor, flag: Tensor, num_nodes: int) -> Tensor:
    """``[N]`` true for nodes with an edge for which ``flag`` is true."""
    return torch.zeros(num_nodes, dtype=torch.bool, device=node.device).index_fill_(0, node[flag], True)


def _cyclic(graph: Graph, alive: Tensor) -> Tensor:
    """``[E]`` the edges that lie on a cycle of those for which ``alive`` is true."""
    edges = alive.nonzero().squeeze(1)
    cyclic = on_cycle(graph.edge_index.index_select(1, edges), graph.num_nodes)
    return torch.zeros_like(alive).index_copy_(0, edges, cyclic)


def _aromatic(molecule: Molecule) -> Tensor:
    """``[E]`` bonds that may belong to an aromatic ring: of that type; masked; or kekulised, between aromatic atoms."""
    src, dst = molecule.graph.edge_index
    atom = molecule.atoms[:, AROMATIC] == 1
    between = atom[src] & atom[dst]
    if molecule.bonds is None:
        return between
    kind = molecule.bonds[:, 0]
    typed = kind == molecule.vocabulary.aromatic
    has = _any(src, typed, molecule.graph.num_nodes)
    return typed | (kind == molecule.vocabulary.bond[0]) | (between & ~has[src] & ~has[dst])


def _still_aromatic(molecule: Molecule, alive: Tensor, cyclic: Tensor, keep_nodes: Tensor | None) -> Tensor:
    """``[E]`` the remaining bonds that are still aromatic."""
    graph, aromatic = molecule.graph, _aromatic(molecule)
    still = _cyclic(graph, alive & cyclic & aromatic)
    # Where a bond, or an atom, went that divided two fused rings, a larger ring remains, which need not be aromatic.
    src, dst = graph.edge_index
    ring = components(graph.edge_index[:, still], graph.num_nodes)
    atom = _any(src, still, graph.num_nodes)
    lost = aromatic & ~alive & atom[dst]
    divided = ring[dst[lost & atom[src] & (ring[src] == ring[dst])]]
    if keep_nodes is not None:
        gone = (lost & ~keep_nodes[src]).nonzero().squeeze(1)
        twice, times = torch.unique(src[gone] * graph.num_nodes + ring[dst[gone]], return_counts=True)
        divided = torch.cat([divided, twice[times > 1] % max(graph.num_nodes, 1)])
    merged = torch.zeros_like(atom).index_fill_(0, divided, True)
    return still & ~merged[ring[src]]


def _refresh_bonds(molecule: Molecule, alive: Tensor, still: Tensor, lost: Tensor) -> tuple[Tensor, Tensor]:
    """``[E, 3]`` the bonds' new features, and ``[E]`` which remaining ones are conjugated no longer."""
    old, vocabulary = molecule.bonds, molecule.vocabulary
    assert old is not None
    src, dst = molecule.graph.edge_index
    unknown = alive & (old[:, 0] == vocabulary.aromatic) & ~still
    new = torch.where(unknown[:, None], torch.tensor(vocabulary.bond, device=old.device), old)
    low, high = vocabulary.multiple
    multiple = (new[:, 0] >= low) & (new[:, 0] <= high)
    had, has = (_any(src, t, lost.numel()) for t in ((old[:, 0] >= low) & (old[:, 0] <= high), multiple & alive))
    saturated = had & ~has
    conjugated = alive & (new[:, 2] == 1) & ~saturated[src] & ~saturated[dst]
    zeros = torch.zeros_like(molecule.graph.batch)
    partners = zeros.scatter_add(0, src, conjugated.long())
    multiple_partners = zeros.scatter_add(0, src, (conjugated & multiple).long())
    meets = torch.zeros_like(alive)
    for end in (src, dst):
        meets |= (multiple_partners[end] > multiple.long()) | (multiple & (partners[end] > 1))
    new[:, 2] *= conjugated & meets
    new[:, 1].masked_fill_(lost[src] | lost[dst], 0)
    return new, alive & (old[:, 2] == 1) & (new[:, 2] == 0)
