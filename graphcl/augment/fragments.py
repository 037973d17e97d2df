"""What RDKit knows of a molecule's parts, noted once per molecule: scaffold, functional groups, BRICS fragments."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform

from graphcl._random import Key, hash_ids
from graphcl._rdkit import any_molecule
from graphcl._vocabulary import Vocab
from graphcl.augment._chemistry import Molecule, check_vocab, node_attribute, refresh
from graphcl.augment._edit import Edit
from graphcl.augment._graph import Graph
from graphcl.augment.base import EditAugmentation

__all__ = ["FUNCTIONAL_GROUPS", "BRICSFragment", "MarkFragments", "MarkFunctionalGroups", "MarkScaffold"]

FUNCTIONAL_GROUPS: dict[str, str] = {
    "carboxylic acid": "[CX3](=O)[OX2H1,OX1-]",
    "ester": "[CX3](=O)[OX2][#6]",
    "amide": "[CX3](=O)[NX3]",
    "aldehyde": "[CX3H1](=O)[#6]",
    "ketone": "[#6][CX3](=O)[#6]",
    "acyl halide": "[CX3](=O)[F,Cl,Br,I]",
    "hydroxyl": "[OX2H][#6]",
    "ether": "[OD2]([#6;!$(C=O)])[#6;!$(C=O)]",
    "amine": "[NX3;!$(N[C,S]=[O,S,N]);!$(N[#7,#8])][#6]",
    "ammonium": "[NX4+]",
    "imine": "[CX3]=[NX2;!$(N[#7,#8])]",
    "nitrile": "[CX2]#[NX1]",
    "nitro": "[NX3+](=O)[O-]",
    "azo": "[#6][NX2]=[NX2][#6]",
    "azide": "[NX2]=[NX2+]=[NX1-]",
    "isocyanate": "[NX2]=[CX2]=[O,S]",
    "thiol": "[SX2H]",
    "sulfide": "[SX2]([#6])[#6]",
    "sulfoxide": "[SX3]=O",
    "sulfonyl": "[SX4](=O)(=O)",
    "phosphoryl": "[PX4]=O",
    "halide": "[F,Cl,Br,I;X1][#6]",
    "alkene": "[CX3]=[CX3]",
    "alkyne": "[CX2]#[CX2]",
}
"""Names and SMARTS patterns of common functional groups, each with the carbon that it hangs on where it names one."""

_ALL = 2**31 - 1  # RDKit stops at 1,000 matches unless told, which a polymer exceeds


def _rdkit_molecule(data: Any) -> Any:
    """The RDKit molecule of ``data.smiles``, whose atoms are the nodes of ``data`` in their order."""
    if isinstance(data, Batch) or not isinstance(data, Data):
        raise TypeError(
            f"expected one molecule as a Data, got {type(data).__name__}; give the transform to the data set "
            f"(pre_transform=...), where it runs once per molecule"
        )
    try:
        from rdkit import Chem, rdBase
    except ImportError as error:
        raise ImportError("reading molecules needs RDKit; install it with: pip install 'graphcl[molecules]'") from error
    smiles = data._store.get("smiles")
    if not isinstance(smiles, str):
        raise ValueError(
            f"expected data.smiles to be a string, got {smiles!r}; keep the SMILES with each molecule, or mark a set "
            "that graphcl.data has made by graphcl.data.with_marks(dataset, MarkScaffold())"
        )
    with rdBase.BlockLogs():
        molecule = any_molecule(smiles)
    if molecule is None:
        raise ValueError(f"expected a SMILES that RDKit can read, got {smiles!r}")
    if molecule.GetNumAtoms() != data.num_nodes:
        molecule = Chem.AddHs(molecule)
    if molecule.GetNumAtoms() != data.num_nodes:
        raise ValueError(
            f"expected as many nodes as atoms, got {data.num_nodes} for {smiles!r}, with or without hydrogens; "
            f"mark molecules before augmenting them"
        )
    _check_order(molecule, data)
    return molecule


def _check_order(molecule: Any, data: Data) -> None:
    """Refuse nodes in another order than the atoms of the SMILES, as where it was written of a molecule in a file."""
    edge_index = data._store.get("edge_index")
    if edge_index is None:
        return
    joined = {frozenset(pair) for pair in edge_index.t().tolist()}
    for bond in molecule.GetBonds():
        first, second = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if frozenset((first, second)) not in joined:
            raise ValueError(
                f"expected the nodes to be the atoms of {data.smiles!r} in their order, got no edge between {first} "
                f"and {second}, which are bonded there; make the graph from this SMILES, and mark molecules before "
                f"augmenting them"
            )


class MarkScaffold(BaseTransform):
    """Mark the atoms of the Murcko scaffold: all rings, what links them, and what is double-bonded to either.

    Adds ``data.scaffold``, a bool per atom, for ``protect="scaffold"``. Runs RDKit, so run it once per molecule, as
    ``pre_transform`` of the data set, or by :func:`graphcl.data.with_marks`. A molecule without rings has no scaffold.

    Raises:
        ValueError: There is no readable ``data.smiles``, or its atoms are not the nodes.
        ImportError: RDKit is not installed.

    Example:
        >>> from torch_geometric.utils import from_smiles
        >>> MarkScaffold()(from_smiles("c1ccccc1CC")).scaffold.tolist()
        [True, True, True, True, True, True, False, False]

    Source: Bemis and Murcko, "The properties of known drugs. 1. Molecular frameworks", Journal of Medicinal Chemistry
    39, 1996, as RDKit has it.
    """

    def forward(self, data: Any) -> Any:
        molecule = _rdkit_molecule(data)
        from rdkit import Chem

        for atom in molecule.GetAtoms():
            atom.SetIntProp("_node", atom.GetIdx())
        scaffold = Chem.MurckoDecompose(molecule)  # GetScaffoldForMol, without its check of valences
        data.scaffold = torch.zeros(molecule.GetNumAtoms(), dtype=torch.bool)
        data.scaffold[[atom.GetIntProp("_node") for atom in scaffold.GetAtoms()]] = True
        return data


class MarkFunctionalGroups(BaseTransform):
    """Mark the atoms that belong to a functional group.

    Adds ``data.functional_group``, a bool per atom, for ``protect="functional_group"``. Runs RDKit, so run it once per
    molecule, as ``pre_transform`` of the data set, or by :func:`graphcl.data.with_marks`.

    Args:
        groups: Names and SMARTS patterns; every atom that a pattern matches is marked. Default: 24 common groups,
            ``FUNCTIONAL_GROUPS``.

    Raises:
        ValueError: A pattern is no SMARTS, there is no readable ``data.smiles``, or its atoms are not the nodes.
        ImportError: RDKit is not installed.

    Example:
        >>> from torch_geometric.utils import from_smiles
        >>> MarkFunctionalGroups()(from_smiles("CCCC(=O)O")).functional_group.tolist()
        [False, False, False, True, True, True]
    """

    def __init__(self, groups: Mapping[str, str] | None = None) -> None:
        self.groups = None if groups is None else dict(groups)

    def forward(self, data: Any) -> Any:
        molecule = _rdkit_molecule(data)
        from rdkit import Chem

        data.functional_group = torch.zeros(molecule.GetNumAtoms(), dtype=torch.bool)
        for name, smarts in (FUNCTIONAL_GROUPS if self.groups is None else self.groups).items():
            pattern = Chem.MolFromSmarts(smarts)
            if pattern is None:
                raise ValueError(f"expected a SMARTS pattern for {name!r}, got {smarts!r}")
            for match in molecule.GetSubstructMatches(pattern, maxMatches=_ALL):
                data.functional_group[list(match)] = True
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.groups is None else f'groups={self.groups!r}'})"


class MarkFragments(BaseTransform):
    """Number each atom's BRICS fragment: the parts left when all bonds that BRICS can break are broken.

    Adds ``data.fragment``, a number per atom, counted from 0 in the order of first atoms; for :class:`BRICSFragment`.
    Runs RDKit, so run it once per molecule, as ``pre_transform`` of the data set, or by
    :func:`graphcl.data.with_marks`.

    Raises:
        ValueError: There is no readable ``data.smiles``, or its atoms are not the nodes.
        ImportError: RDKit is not installed.

    Example:
        >>> from torch_geometric.utils import from_smiles
        >>> MarkFragments()(from_smiles("CC(=O)Nc1ccccc1")).fragment.tolist()
        [0, 0, 0, 1, 2, 2, 2, 2, 2, 2]

    Source: Degen, Wegscheid-Gerlach, Zaliani, Rarey, "On the art of compiling and using 'drug-like' chemical fragment
    spaces", ChemMedChem 3, 2008, as RDKit has it.
    """

    def forward(self, data: Any) -> Any:
        molecule = _rdkit_molecule(data)
        from rdkit import Chem
        from rdkit.Chem import BRICS

        cut = Chem.RWMol(molecule)
        find: Any = BRICS.FindBRICSBonds  # which carries no types
        for (a, b), _ in find(molecule):
            cut.RemoveBond(a, b)
        data.fragment = torch.zeros(molecule.GetNumAtoms(), dtype=torch.int64)
        for number, atoms in enumerate(sorted(Chem.GetMolFrags(cut, sanitizeFrags=False), key=min)):
            data.fragment[list(atoms)] = number
        return data


def keep_fragment(molecule: Molecule, key: Key, fragment: Tensor) -> Edit:
    """Keep one fragment of each molecule; ``fragment`` is ``[N]``, numbers that need not be without gaps."""
    graph = molecule.graph
    # Each fragment that is there draws a hash, the same at all its atoms; the smallest wins. Shifted, so that the
    # largest number is left for "none".
    draw = hash_ids(graph.keys(key).index_select(0, graph.batch), fragment) >> 1
    least = torch.full_like(graph.sizes, torch.iinfo(torch.int64).max).scatter_reduce_(0, graph.batch, draw, "amin")
    return refresh(molecule, keep_nodes=draw == least.index_select(0, graph.batch))


class BRICSFragment(EditAugmentation):
    """Keep one BRICS fragment of each molecule, chosen uniformly, and refresh the features of its atoms.

    The molecules must have been through :class:`MarkFragments`. A molecule that BRICS cannot break stays whole. The
    view carries ``n_id``; features are refreshed as by :class:`BondDrop`.

    Args:
        vocab: The index table of the molecules, ``"ogb"`` or ``"pyg"``.

    Raises:
        ValueError: The data are no molecules, or have no ``fragment``.

    Example:
        >>> from torch_geometric.utils import from_smiles
        >>> anilide = MarkFragments()(from_smiles("CC(=O)Nc1ccccc1"))
        >>> BRICSFragment(vocab="pyg")(anilide).num_nodes in (1, 3, 6)
        True

    Source: the fragments of Degen, Wegscheid-Gerlach, Zaliani, Rarey, "On the art of compiling and using 'drug-like'
    chemical fragment spaces", ChemMedChem 3, 2008, as views of their molecule.
    """

    def __init__(self, *, vocab: Vocab = "ogb") -> None:
        self.vocab = check_vocab(vocab)

    def edit(self, graph: Graph, key: Key) -> Edit:
        molecule = Molecule.read(graph, self.vocab)
        return keep_fragment(molecule, key, node_attribute(graph, "fragment", "MarkFragments()"))
