"""The index tables in which molecules come: those of OGB, of PyG's ``from_smiles``, and of Hu et al. (2020).

The first two have the same nine columns per atom and three per bond, each with other numbers: carbon is 5 in one and 6
in the other. Nothing in a tensor tells them apart, so data sets and encoders carry the name of their table, and
:func:`check_same_vocabulary` compares the names. ``tests/test_vocabulary.py`` compares the numbers here with the
packages they come from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from graphcl._arguments import check_choice

__all__ = [
    "AROMATIC",
    "BOND_STEREO",
    "BOND_TYPE",
    "CHIRALITY",
    "CHIRAL_TAG",
    "DEGREE",
    "HYBRIDIZATION",
    "HYBRIDIZATION_TYPE",
    "RING",
    "TABLES",
    "VOCABULARIES",
    "Column",
    "Table",
    "Vocab",
    "Vocabulary",
    "check_same_vocabulary",
    "table",
]

Vocab = Literal["ogb", "pyg"]

# Columns of x. Of edge_attr: bond type, stereo, conjugated.
CHIRALITY, DEGREE, HYBRIDIZATION, AROMATIC, RING = 1, 2, 6, 7, 8


@dataclass(frozen=True)
class Vocabulary:
    """What the augmentations need to know of one index table.

    Attributes:
        atom: What an unknown atom looks like, column by column.
        bond: What an unknown bond looks like; its first number is the unknown bond type.
        aromatic: The bond type of aromatic bonds.
        multiple: The first and the last bond type of an order above one, all in between included.
        unknown_degree: The number that stands for any degree outside the table, if there is one.
    """

    atom: tuple[int, ...]
    bond: tuple[int, ...]
    aromatic: int
    multiple: tuple[int, int]
    unknown_degree: int | None


VOCABULARIES: dict[str, Vocabulary] = {
    # Unknown is 'misc' wherever a column has it, else its first value: no stereo, not conjugated, in no ring.
    "ogb": Vocabulary(
        atom=(118, 4, 11, 11, 9, 5, 5, 0, 0), bond=(4, 0, 0), aromatic=3, multiple=(1, 3), unknown_degree=11
    ),
    # No 'misc' here. Unknown is element 0, 'UNSPECIFIED', no charge, degree and hydrogens 0.
    "pyg": Vocabulary(
        atom=(0, 0, 0, 5, 0, 0, 0, 0, 0), bond=(0, 0, 0), aromatic=12, multiple=(2, 12), unknown_degree=None
    ),
}

# RDKit's enumerations, in its order: the number of a name is its place.
CHIRAL_TAG = (
    *("CHI_UNSPECIFIED", "CHI_TETRAHEDRAL_CW", "CHI_TETRAHEDRAL_CCW", "CHI_OTHER", "CHI_TETRAHEDRAL", "CHI_ALLENE"),
    *("CHI_SQUAREPLANAR", "CHI_TRIGONALBIPYRAMIDAL", "CHI_OCTAHEDRAL"),
)
HYBRIDIZATION_TYPE = ("UNSPECIFIED", "S", "SP", "SP2", "SP3", "SP2D", "SP3D", "SP3D2", "OTHER")
BOND_TYPE = (
    *("UNSPECIFIED", "SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE", "QUINTUPLE", "HEXTUPLE"),
    *("ONEANDAHALF", "TWOANDAHALF", "THREEANDAHALF", "FOURANDAHALF", "FIVEANDAHALF", "AROMATIC", "IONIC", "HYDROGEN"),
    *("THREECENTER", "DATIVEONE", "DATIVE", "DATIVEL", "DATIVER", "OTHER", "ZERO"),
)
BOND_STEREO = ("STEREONONE", "STEREOANY", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS")
BOND_DIR = ("NONE", "BEGINWEDGE", "BEGINDASH", "ENDDOWNRIGHT", "ENDUPRIGHT", "EITHERDOUBLE", "UNKNOWN")


@dataclass(frozen=True)
class Column:
    """One column: index i stands for ``values[i]``, anything else has the index ``unknown``.

    Attributes:
        values: RDKit's numbers, in the table's order.
        unknown: The index of what the table does not list.
        size: How many indices there are: the rows of an embedding.
    """

    values: tuple[int, ...]
    unknown: int
    size: int


def _column(values: Iterable[int], unknown: int | None = None, size: int | None = None) -> Column:
    values = tuple(values)
    size = len(values) + (unknown is None) if size is None else size
    return Column(values, len(values) if unknown is None else unknown, size)


def _named(enumeration: tuple[str, ...], names: str, unknown: int | None = None, size: int | None = None) -> Column:
    return _column([enumeration.index(name) for name in names.split()], unknown, size)


@dataclass(frozen=True)
class Table:
    """An index table: how molecules become numbers.

    Attributes:
        atom: The columns of x. With nine: element, chirality, degree, charge, hydrogens, radical electrons,
            hybridisation, aromatic, in a ring. With two: element, chirality.
        bond: The columns of edge_attr. With three: type, stereo, conjugated. With two: type, direction.
        sorted_edges: Whether edges are sorted by source and target; if not, bond by bond, both directions in turn.
    """

    atom: tuple[Column, ...]
    bond: tuple[Column, ...]
    sorted_edges: bool = False


_FLAG = _column(range(2), 0)

TABLES: dict[str, Table] = {
    "ogb": Table(
        atom=(
            _column(range(1, 119)),
            _named(CHIRAL_TAG, "CHI_UNSPECIFIED CHI_TETRAHEDRAL_CW CHI_TETRAHEDRAL_CCW CHI_OTHER"),
            _column(range(11)),
            _column(range(-5, 6)),
            _column(range(9)),
            _column(range(5)),
            _named(HYBRIDIZATION_TYPE, "SP SP2 SP3 SP3D SP3D2"),
            _FLAG,
            _FLAG,
        ),
        bond=(
            _named(BOND_TYPE, "SINGLE DOUBLE TRIPLE AROMATIC"),
            # No 'misc' among the stereo marks: OGB's own look-up gives the last index to what it does not find.
            _named(BOND_STEREO, "STEREONONE STEREOZ STEREOE STEREOCIS STEREOTRANS STEREOANY", 5),
            _FLAG,
        ),
    ),
    "pyg": Table(
        atom=(
            _column(range(119), 0),
            _named(CHIRAL_TAG, " ".join(CHIRAL_TAG), 3),
            _column(range(11), 0),
            _column(range(-5, 7), 5),
            _column(range(9), 0),
            _column(range(5), 0),
            _named(HYBRIDIZATION_TYPE, "UNSPECIFIED S SP SP2 SP3 SP3D SP3D2 OTHER", 7),
            _FLAG,
            _FLAG,
        ),
        bond=(
            _named(BOND_TYPE, " ".join(BOND_TYPE), 20),
            _named(BOND_STEREO, " ".join(BOND_STEREO), 0),
            _FLAG,
        ),
        sorted_edges=True,
    ),
    # The authors keep 119 for a masked atom, 4 for self-loops and 5 for a masked bond. What their table does not list
    # stops their code; here it has the free index 118, or that of a masked bond.
    "hu2020": Table(
        atom=(
            _column(range(1, 119), 118, 120),
            _named(CHIRAL_TAG, "CHI_UNSPECIFIED CHI_TETRAHEDRAL_CW CHI_TETRAHEDRAL_CCW CHI_OTHER", 3),
        ),
        bond=(
            _named(BOND_TYPE, "SINGLE DOUBLE TRIPLE AROMATIC", 5, 6),
            _named(BOND_DIR, "NONE ENDUPRIGHT ENDDOWNRIGHT", 0),
        ),
    ),
}


def table(vocab: str) -> Table:
    """The index table of that name, or ``ValueError``."""
    check_choice("vocab", vocab, TABLES)
    return TABLES[vocab]


def check_same_vocabulary(**named: Any) -> None:
    """Refuse to bring together what counts atoms by different tables.

    Args:
        named: Data sets, encoders, methods and views by what to call them in the error. Each is asked for its
            ``vocab``, and so are the modules and the views in it; those without one are passed over.

    Raises:
        ValueError: Two of them differ.

    Example:
        >>> from types import SimpleNamespace
        >>> check_same_vocabulary(dataset=SimpleNamespace(vocab="ogb"), encoder=SimpleNamespace(vocab="ogb"))
    """
    found = [(place, vocab) for name, thing in named.items() for place, vocab in _vocabularies(name, thing)]
    for place, vocab in found[1:]:
        first, expected = found[0]
        if vocab != expected:
            raise ValueError(
                f"expected one table of atoms and bonds, got {expected!r} in {first} and {vocab!r} in {place}: the "
                f"same number means another atom there; load the molecules, and make encoders and views, with one vocab"
            )


def _vocabularies(name: str, thing: Any) -> Iterator[tuple[str, str]]:
    """The names of tables in a thing and its parts, each with where it was found."""
    vocab = getattr(thing, "vocab", None)
    if isinstance(vocab, str):
        yield name, vocab
    children = getattr(thing, "children", None)
    for part in children() if callable(children) else ():
        yield from _vocabularies(f"{name}.{type(part).__name__}", part)
    for holder in ("views", "augmentations", "transforms"):
        parts = getattr(thing, holder, None)
        for part in parts if isinstance(parts, tuple | list) else ():
            yield from _vocabularies(f"{name}.{type(part).__name__}", part)
