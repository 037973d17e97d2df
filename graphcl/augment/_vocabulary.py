"""The two index tables in which molecules come: that of OGB and that of PyG's ``from_smiles``.

Both have the same nine columns per atom and three per bond, each with other numbers: carbon is 5 in one and 6 in the
other. ``tests/augment/test_vocabulary.py`` compares the numbers here with both packages.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["AROMATIC", "CHIRALITY", "DEGREE", "HYBRIDIZATION", "RING", "VOCABULARIES", "Vocab", "Vocabulary"]

Vocab = Literal["ogb", "pyg"]

# Columns of x. Of edge_attr: bond type, stereo, conjugated.
CHIRALITY, DEGREE, HYBRIDIZATION, AROMATIC, RING = 1, 2, 6, 7, 8


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of one index table.

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
