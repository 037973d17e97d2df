"""Generated molecules: a small graph-classification set that needs no download and no RDKit."""

from collections import deque

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

__all__ = ["ATOMS", "BONDS", "VALENCE", "spacing_label", "synthetic_molecules"]

ATOMS = ("C", "N", "O", "S", "F", "Cl")  # the columns of x
BONDS = ("single", "double", "triple")  # the columns of edge_attr
VALENCE = {"C": 4, "N": 3, "O": 2, "S": 2, "F": 1, "Cl": 1}

Bond = tuple[int, int, int]  # atom, atom, order

_HETERO = ("N", "O", "S")
# A repeating unit is six carbons and two different heteroatoms, 1 to 4 bonds apart along the chain: with eight atoms
# the way round to the next unit is never shorter.
_UNITS = tuple((pair, spacing) for pair in ("NO", "NS", "OS") for spacing in (1, 2, 3, 4))
_UNIT_LENGTH = 8
_BACKBONE = (13, 23)  # atoms, upper end excluded: never less than one whole unit
_SIDE_GROUP_RATE = 0.2

# Side groups: order of the bond that attaches the first atom, atoms, inner bonds. None has N, O or S: they must not
# touch the label, only blur what surrounds it.
_SIDE_GROUPS: tuple[tuple[int, tuple[str, ...], tuple[Bond, ...]], ...] = (
    (1, ("F",), ()),
    (1, ("Cl",), ()),
    (1, ("C",), ()),
    (2, ("C",), ()),
    (1, ("C", "C"), ((0, 1, 1),)),
    (1, ("C", "C"), ((0, 1, 2),)),
    (1, ("C", "C"), ((0, 1, 3),)),
    (1, ("C", "F"), ((0, 1, 1),)),
    (1, ("C", "Cl"), ((0, 1, 1),)),
    (1, ("C", "F", "F", "F"), ((0, 1, 1), (0, 2, 1), (0, 3, 1))),
    (1, ("C", "C", "C"), ((0, 1, 1), (1, 2, 1), (0, 2, 1))),
    (1, ("C", "C", "C", "C", "C"), ((0, 1, 1), (1, 2, 1), (2, 3, 2), (3, 4, 1), (0, 4, 1))),
)


def synthetic_molecules(num_graphs: int = 480, seed: int = 0) -> list[Data]:
    """Generates chain molecules whose class is the arrangement, not the number, of their heteroatoms.

    The molecules are synthetic: no measured property stands behind them. Each is a backbone of 13 to 22 atoms that
    repeats a unit of six carbons and two different heteroatoms (N and O, N and S, or O and S), started at a random
    place, with random side groups on its carbons. The class is the parity of the number of bonds between the two
    heteroatoms (1, 2, 3 or 4); elements, size and side groups say nothing about it. Every atom keeps its valence
    (missing bonds are implicit hydrogens), and double bonds are localised.

    The generator was tuned so that an untrained encoder is well above chance and well below 100 %, and so that
    contrast can help: what repeats along a molecule is what a local view shares with the whole of it. A gain here
    shows that training works; it says nothing about real chemistry.

    Args:
        num_graphs: how many molecules.
        seed: of a generator of its own (PCG64); the same seed gives the same molecules.

    Returns:
        One `Data` per molecule: `x` [n, 6] one-hot `ATOMS`, `edge_index` [2, E] with both directions, sorted,
        `edge_attr` [E, 3] one-hot `BONDS`, `y` [1] = `spacing_label` of the graph. The classes are balanced.

    Raises:
        ValueError: `num_graphs` is less than one.

    Example:
        >>> molecules = synthetic_molecules(num_graphs=4)
        >>> [int(molecule.y) for molecule in molecules]
        [0, 1, 0, 1]
    """
    if num_graphs < 1:
        raise ValueError(f"expected num_graphs >= 1, got {num_graphs}")
    rng = np.random.Generator(np.random.PCG64(seed))
    return [_to_data(*_grow(*_UNITS[i % len(_UNITS)], rng)) for i in range(num_graphs)]


def spacing_label(data: Data) -> int:
    """1 if the commonest number of bonds from a heteroatom to the nearest one of another element is even, else 0.

    Heteroatoms are N, O and S. Ties go to the smaller number, and a molecule without two different heteroatoms has
    label 0. The label is a function of atoms and bonds alone.

    Args:
        data: a molecule with `x` [n, 6] (one-hot `ATOMS`) and `edge_index` [2, E] with both directions.

    Returns:
        0 or 1.

    Example:
        >>> x = torch.eye(6)[[1, 0, 2]]  # N-C-O
        >>> spacing_label(Data(x=x, edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])))
        1
    """
    atoms = [ATOMS[i] for i in data.x.argmax(dim=1).tolist()]
    neighbours: list[list[int]] = [[] for _ in atoms]
    for row, col in data.edge_index.t().tolist():
        neighbours[row].append(col)
    found = [_nearest_other(i, atoms, neighbours) for i, atom in enumerate(atoms) if atom in _HETERO]
    spacings = [spacing for spacing in found if spacing is not None]
    if not spacings:
        return 0
    commonest = max(sorted(set(spacings)), key=spacings.count)
    return int(commonest % 2 == 0)


def _nearest_other(start: int, atoms: list[str], neighbours: list[list[int]]) -> int | None:
    """Number of bonds from `start` to the nearest heteroatom of another element, by breadth-first search."""
    distance = {start: 0}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        if atoms[here] in _HETERO and atoms[here] != atoms[start]:
            return distance[here]
        for there in neighbours[here]:
            if there not in distance:
                distance[there] = distance[here] + 1
                queue.append(there)
    return None


def _grow(pair: str, spacing: int, rng: np.random.Generator) -> tuple[list[str], list[Bond]]:
    """A backbone of repeated units with side groups on its carbons."""
    unit = ["C"] * _UNIT_LENGTH
    unit[0], unit[spacing] = pair
    offset, length = int(rng.integers(_UNIT_LENGTH)), int(rng.integers(*_BACKBONE))
    atoms = [unit[(offset + i) % _UNIT_LENGTH] for i in range(length)]
    bonds: list[Bond] = [(i, i + 1, 1) for i in range(length - 1)]
    for i in range(length):
        free = VALENCE[atoms[i]] - (1 if i in (0, length - 1) else 2)
        order, group, inner = _SIDE_GROUPS[rng.integers(len(_SIDE_GROUPS))]
        if rng.random() < _SIDE_GROUP_RATE and atoms[i] == "C" and order <= free:
            first = len(atoms)
            atoms.extend(group)
            bonds.append((i, first, order))
            bonds.extend((first + a, first + b, kind) for a, b, kind in inner)
    return atoms, bonds


def _to_data(atoms: list[str], bonds: list[Bond]) -> Data:
    both = sorted(bonds + [(b, a, order) for a, b, order in bonds])
    table = torch.tensor(both, dtype=torch.int64)
    data = Data(
        x=_one_hot(torch.tensor([ATOMS.index(atom) for atom in atoms]), len(ATOMS)),
        edge_index=table[:, :2].t().contiguous(),
        edge_attr=_one_hot(table[:, 2] - 1, len(BONDS)),
    )
    data.y = torch.tensor([spacing_label(data)])
    return data


def _one_hot(index: Tensor, size: int) -> Tensor:
    return torch.nn.functional.one_hot(index, size).to(torch.float32)
