"""Augmentations of molecules: what follows from the atoms and bonds that go is brought up to date, never left stale."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from graphcl._arguments import plain
from graphcl._random import Key, fold
from graphcl._vocabulary import Vocab
from graphcl.augment._chemistry import Molecule, MoleculeAugmentation, check_vocab, refresh
from graphcl.augment._edit import Edit
from graphcl.augment._pairs import Pairs
from graphcl.augment._rings import nearest, rings
from graphcl.augment._select import Count, check_count, check_share, how_many, smallest_k

__all__ = ["AtomDrop", "AtomMask", "BondDrop", "SubgraphRemove"]


def mask_atoms(
    molecule: Molecule, key: Key, *, mask: float, atom: Tensor, bond: Tensor | None, count: Count = "round"
) -> Edit:
    """Replace a share of each molecule's atoms by ``atom`` [9], and the bonds at them by ``bond`` [3] if given."""
    graph = molecule.graph
    k = torch.minimum(how_many(mask, graph.sizes, count), molecule.free_counts)
    chosen = smallest_k(molecule.atom_hashes(key), graph.batch, k, graph.sizes)
    index = chosen.nonzero().squeeze(1)
    rows = {"x": (index, atom.expand(index.numel(), -1))}
    if bond is None or molecule.bonds is None:
        return Edit(rows=rows)
    edges = chosen[graph.edge_index].any(0).nonzero().squeeze(1)
    return Edit(rows=rows, edge_rows={"edge_attr": (edges, bond.expand(edges.numel(), -1))})


def drop_atoms(molecule: Molecule, key: Key, *, drop: float, count: Count = "round") -> Edit:
    """Drop a share of each molecule's atoms, chosen uniformly, with their bonds; one atom always stays."""
    graph = molecule.graph
    k = _removable(molecule, drop, count)
    return refresh(molecule, keep_nodes=~smallest_k(molecule.atom_hashes(key), graph.batch, k, graph.sizes))


def drop_bonds(molecule: Molecule, key: Key, *, drop: float, count: Count = "round") -> Edit:
    """Drop a share of each molecule's bonds, both directions together; those at protected atoms stay."""
    graph = molecule.graph
    pairs = Pairs.find(graph, directed=False)
    hashes = pairs.hashes(key)
    k = how_many(drop, pairs.counts, count)
    if molecule.protected is not None:
        high, low = pairs.nodes
        kept = molecule.protected[low] | molecule.protected[high]
        hashes.masked_fill_(kept, -1)
        k = torch.minimum(k, torch.zeros_like(k).scatter_add_(0, pairs.graph, (~kept).long()))
    dropped = smallest_k(hashes, pairs.graph, k, pairs.counts)
    return refresh(molecule, keep_edges=~dropped.index_select(0, pairs.of_edge))


def remove_subgraph(molecule: Molecule, key: Key, *, remove: float, count: Count = "round") -> Edit:
    """Remove one connected part of each molecule, grown ring by ring around a random atom."""
    graph = molecule.graph
    k = _removable(molecule, remove, count)
    start = smallest_k(molecule.atom_hashes(key), graph.batch, (k > 0).long(), graph.sizes)
    edges = graph.edge_index
    if molecule.protected is not None:
        edges = edges[:, ~molecule.protected[edges].any(0)]
    free = replace(graph, edge_index=torch.cat([edges, edges.flip(0)], 1))
    return refresh(molecule, keep_nodes=~nearest(graph, fold(key, 1), rings(free, start, wanted=k), k))


def _removable(molecule: Molecule, share: float, count: Count) -> Tensor:
    """``[G]`` how many atoms to remove: the share, but no protected atom, and not all of them."""
    sizes = molecule.graph.sizes
    k = torch.minimum(how_many(share, sizes, count), molecule.free_counts)
    return torch.minimum(k, (sizes - 1).clamp(min=0))


class AtomMask(MoleculeAugmentation):
    """Replace whole atoms by a mask token, and with ``bonds=True`` the bonds at them (attribute masking).

    The number is exact, ``count(mask * n)`` of a molecule's ``n`` atoms, or all that are not protected where they are
    fewer. Without a token of its own an atom becomes what the vocabulary has for an unknown one: in every column OGB's
    'misc', where there is one; in PyG's table, which has none, element 0 with everything unspecified.

    Args:
        mask: The share of atoms to mask, within [0, 1].
        bonds: Mask the bonds at masked atoms, too.
        token: Nine numbers that a masked atom gets instead, for an embedding with an index to spare.
        bond_token: Three numbers that a masked bond gets instead.
        vocab: The index table of the molecules, ``"ogb"`` (``ogb.utils.smiles2graph``) or ``"pyg"`` (``from_smiles``).
        protect: The name of a boolean attribute per atom; where it is true, the atom is left alone. See
            :class:`MarkScaffold` and :class:`MarkFunctionalGroups`.
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: ``mask`` lies outside [0, 1], the data are no molecules, or lack the attribute ``protect``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> carbon = torch.tensor([5, 0, 4, 5, 3, 0, 2, 0, 0])
        >>> ethane = Data(x=carbon.repeat(2, 1), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> AtomMask(mask=0.5)(ethane).x[:, 0].sort().values.tolist()
        [5, 118]

    Source: Hu, Liu, Gomes, Zitnik, Liang, Pande, Leskovec, "Strategies for Pre-training Graph Neural Networks", ICLR
    2020 (attribute masking); Wang, Wang, Cao, Barati Farimani, "Molecular contrastive learning of representations via
    graph neural networks", Nature Machine Intelligence 4, 2022 (25 % of the atoms).
    """

    def __init__(
        self,
        mask: float = 0.25,
        *,
        bonds: bool = False,
        token: Sequence[int] | None = None,
        bond_token: Sequence[int] | None = None,
        vocab: Vocab = "ogb",
        protect: str | None = None,
        count: Count = "round",
    ) -> None:
        self.mask = check_share("mask", mask)
        self.bonds = bonds
        self.token = _check_token("token", token, 9)
        self.bond_token = _check_token("bond_token", bond_token, 3)
        if bond_token is not None and not bonds:
            raise ValueError("expected bonds=True with a bond_token, got bonds that are left as they are")
        self.vocab = check_vocab(vocab)
        self.protect = protect
        self.count = check_count(count)

    def molecule_edit(self, molecule: Molecule, key: Key) -> Edit:
        device, unknown = molecule.graph.device, molecule.vocabulary
        atom = torch.tensor(self.token or unknown.atom, device=device)
        bond = torch.tensor(self.bond_token or unknown.bond, device=device) if self.bonds else None
        return mask_atoms(molecule, key, mask=self.mask, atom=atom, bond=bond, count=self.count)


def _check_token(name: str, token: Sequence[int] | None, columns: int) -> tuple[int, ...] | None:
    if token is None:
        return None
    numbers = tuple(map(plain, token))
    if len(numbers) != columns or any(not isinstance(v, int) or isinstance(v, bool) or v < 0 for v in numbers):
        raise ValueError(f"expected {name} to be {columns} numbers from 0 up, one for each column, got {token!r}")
    return numbers


class AtomDrop(MoleculeAugmentation):
    """Drop a share of each molecule's atoms with the bonds at them, and refresh what the others' features tell of them.

    As :class:`NodeDrop`, but the features of the atoms that stay say what the view shows; :class:`BondDrop` lists them.

    Args:
        drop: The share of atoms to drop, within [0, 1]. The number is exact, but protected atoms and at least one stay.
        vocab: The index table of the molecules, ``"ogb"`` or ``"pyg"``.
        protect: The name of a boolean attribute per atom, true for atoms that must stay.
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: ``drop`` lies outside [0, 1], the data are no molecules, or lack the attribute ``protect``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> carbon = torch.tensor([5, 0, 4, 5, 3, 0, 2, 0, 0])
        >>> ethane = Data(x=carbon.repeat(2, 1), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> AtomDrop(drop=0.5)(ethane).x.tolist()  # of degree 3 now, and of unknown hybridisation
        [[5, 0, 3, 5, 3, 0, 5, 0, 0]]

    Source: You, Chen, Sui, Chen, Wang, Shen, "Graph Contrastive Learning with Augmentations", NeurIPS 2020 (node
    dropping).
    Differs from the paper: there the features of the atoms that stay still tell of those that went.
    """

    def __init__(
        self, drop: float = 0.1, *, vocab: Vocab = "ogb", protect: str | None = None, count: Count = "round"
    ) -> None:
        self.drop = check_share("drop", drop)
        self.vocab = check_vocab(vocab)
        self.protect = protect
        self.count = check_count(count)

    def molecule_edit(self, molecule: Molecule, key: Key) -> Edit:
        return drop_atoms(molecule, key, drop=self.drop, count=self.count)


class BondDrop(MoleculeAugmentation):
    """Delete a share of each molecule's bonds, and refresh the features of the atoms and bonds that stay.

    The number is exact, ``count(drop * m)`` of a molecule's ``m`` bonds, or all that are not protected where they are
    fewer; both directions of a bond go together, and no bond is ever added. Atoms keep their hydrogens and charge, so
    that the cut leaves an open valence, as at the joints of a fragment. What follows from the bonds is not left stale:

    - degree (of atom and hydrogens), ring membership and aromaticity are those of the bonds that remain;
    - a bond of a broken aromatic ring becomes unknown (neither single nor double can be told), and a bond that has lost
      its conjugated system is conjugated no longer;
    - chirality, and the stereo mark of bonds, become none at atoms that lost a neighbour;
    - the hybridisation of atoms that lost a bond, aromaticity or conjugation becomes unknown.

    Args:
        drop: The share of bonds to delete, within [0, 1].
        vocab: The index table of the molecules, ``"ogb"`` or ``"pyg"``.
        protect: The name of a boolean attribute per atom; bonds at such atoms stay.
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: ``drop`` lies outside [0, 1], the data are no molecules, or lack the attribute ``protect``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> carbon = torch.tensor([5, 0, 4, 5, 2, 0, 2, 0, 1])
        >>> ring = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
        >>> cyclopropane = Data(x=carbon.repeat(3, 1), edge_index=ring, edge_attr=torch.zeros(6, 3, dtype=torch.long))
        >>> view = BondDrop(drop=0.34)(cyclopropane)
        >>> view.num_edges, view.x[:, 8].tolist(), view.x[:, 2].sum().item()
        (4, [0, 0, 0], 10)

    Source: Wang, Wang, Cao, Barati Farimani, "Molecular contrastive learning of representations via graph neural
    networks", Nature Machine Intelligence 4, 2022 (25 % of the bonds).
    Differs from the paper: there the atoms' features stay as they were.
    """

    def __init__(
        self, drop: float = 0.25, *, vocab: Vocab = "ogb", protect: str | None = None, count: Count = "round"
    ) -> None:
        self.drop = check_share("drop", drop)
        self.vocab = check_vocab(vocab)
        self.protect = protect
        self.count = check_count(count)

    def molecule_edit(self, molecule: Molecule, key: Key) -> Edit:
        return drop_bonds(molecule, key, drop=self.drop, count=self.count)


class SubgraphRemove(MoleculeAugmentation):
    """Remove one connected part of each molecule, and refresh the features of what stays.

    A random atom goes, then its neighbours, then theirs, until ``count(remove * n)`` of the ``n`` atoms are gone; where
    not all of a ring of neighbours is needed, chance decides. Fewer go where the part cannot grow any more (a small
    component, protected atoms around it), and one atom always stays. Features are refreshed as by :class:`BondDrop`.

    Args:
        remove: The share of atoms to remove, within [0, 1].
        vocab: The index table of the molecules, ``"ogb"`` or ``"pyg"``.
        protect: The name of a boolean attribute per atom, true for atoms that must stay.
        count: ``"round"`` or ``"floor"``.

    Raises:
        ValueError: ``remove`` lies outside [0, 1], the data are no molecules, or lack the attribute ``protect``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> carbon = torch.tensor([5, 0, 4, 5, 2, 0, 2, 0, 0])
        >>> bonds = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
        >>> SubgraphRemove(remove=0.5)(Data(x=carbon.repeat(4, 1), edge_index=bonds)).num_nodes
        2

    Source: Wang, Wang, Cao, Barati Farimani, "Molecular contrastive learning of representations via graph neural
    networks", Nature Machine Intelligence 4, 2022.
    Differs from the paper: there the part is masked and its bonds deleted; here the atoms are gone.
    """

    def __init__(
        self, remove: float = 0.25, *, vocab: Vocab = "ogb", protect: str | None = None, count: Count = "round"
    ) -> None:
        self.remove = check_share("remove", remove)
        self.vocab = check_vocab(vocab)
        self.protect = protect
        self.count = check_count(count)

    def molecule_edit(self, molecule: Molecule, key: Key) -> Edit:
        return remove_subgraph(molecule, key, remove=self.remove, count=self.count)
