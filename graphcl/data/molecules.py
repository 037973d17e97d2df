"""Generated molecules: a small graph-classification set that needs no download and no RDKit."""

from collections import deque

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

__all__ = ["ATOMS", "BONDS", "VALENCE", "spacing_label", "synthetic_molecules"]

ATOMS = ("C", "N", "O", "S")  # the columns of x
BONDS = ("single", "double", "triple")  # the columns of edge_attr
VALENCE = {"C": 4, "N": 3, "O": 2, "S": 2}

Bond = tuple[int, int, int]  # atom, atom, order

# A repeating unit is ten chain atoms: N at 0, O at n_o, S at n_o + o_s, carbon elsewhere. Ten is even, so the distance
# from N to S is odd or even alike whichever way round one counts, and in every repeat.
_UNIT_LENGTH = 10
_UNITS = tuple((n_o, o_s) for n_o in (1, 2, 3, 4) for o_s in (1, 2, 3, 4))
_BACKBONE = (13, 21)  # atoms, upper end excluded: more than one unit, so that N and S are always there
_SIDE_GROUP_RATE = 0.2

# Side groups: order of the bond that attaches the first carbon, number of carbons, inner bonds. Only carbon: they must
# not touch the label, only blur what surrounds it.
_SIDE_GROUPS: tuple[tuple[int, int, tuple[Bond, ...]], ...] = (
    (1, 1, ()),
    (2, 1, ()),
    (1, 2, ((0, 1, 1),)),
    (1, 2, ((0, 1, 2),)),
    (1, 2, ((0, 1, 3),)),
    (1, 3, ((0, 1, 1), (1, 2, 1), (0, 2, 1))),
    (1, 5, ((0, 1, 1), (1, 2, 1), (2, 3, 2), (3, 4, 1), (0, 4, 1))),
)


def synthetic_molecules(num_graphs: int = 512, seed: int = 0) -> list[Data]:
    """Generate chain molecules whose class is the arrangement, not the number, of their heteroatoms.

    The molecules are synthetic: no measured property stands behind them. Each is a backbone of 13 to 20 atoms that
    repeats a unit of seven carbons, one nitrogen, one oxygen and one sulphur, in one of 16 arrangements, started at a
    random place, with random hydrocarbon side groups. The class is whether the number of bonds between nitrogen and
    sulphur is even; size, composition and side groups say next to nothing about it. Every atom keeps its valence
    (missing bonds are implicit hydrogens), and double bonds are localised.

    The generator was tuned so that an untrained encoder is well above chance and well below 100 %, and so that
    contrast can help: what repeats along a molecule is what a local view shares with the whole of it. A gain here
    shows that training works; it says nothing about real chemistry.

    Args:
        num_graphs: How many molecules.
        seed: Of a generator of its own (PCG64); the same seed gives the same molecules.

    Returns:
        One `Data` per molecule: `x` [n, 4] one-hot `ATOMS`, `edge_index` [2, E] with both directions, sorted,
        `edge_attr` [E, 3] one-hot `BONDS`, `y` [1] = `spacing_label` of the graph. The arrangements take turns, so the
        classes are balanced if `num_graphs` is a multiple of 16.

    Raises:
        ValueError: `num_graphs` is less than one.

    Example:
        >>> molecules = synthetic_molecules(num_graphs=4)
        >>> [int(molecule.y) for molecule in molecules]
        [1, 0, 1, 0]
    """
    if num_graphs < 1:
        raise ValueError(f"expected num_graphs >= 1, got {num_graphs}")
    rng = np.random.Generator(np.random.PCG64(seed))
    return [_to_data(*_grow(*_UNITS[i % len(_UNITS)], rng)) for i in range(num_graphs)]


def spacing_label(data: Data) -> int:
    """1 if the commonest number of bonds from a nitrogen to its nearest sulphur is even, else 0.

    Ties go to the smaller number, and a molecule without a nitrogen that is connected to a sulphur has label 0. The
    label is a function of atoms and bonds alone.

    Args:
        data: A molecule with `x` [n, 4] (one-hot `ATOMS`) and `edge_index` [2, E] with both directions.

    Returns:
        0 or 1.

    Example:
        >>> x = torch.eye(4)[[1, 0, 3]]  # N-C-S
        >>> spacing_label(Data(x=x, edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])))
        1
    """
    atoms = [ATOMS[i] for i in data.x.argmax(dim=1).tolist()]
    neighbours: list[list[int]] = [[] for _ in atoms]
    for row, col in data.edge_index.t().tolist():
        neighbours[row].append(col)
    found = [_nearest(i, "S", atoms, neighbours) for i, atom in enumerate(atoms) if atom == "N"]
    spacings = [spacing for spacing in found if spacing is not None]
    if not spacings:
        return 0
    commonest = max(sorted(set(spacings)), key=spacings.count)
    return int(commonest % 2 == 0)


def _nearest(start: int, element: str, atoms: list[str], neighbours: list[list[int]]) -> int | None:
    """Number of bonds from `start` to the nearest atom of an element, by breadth-first search."""
    distance = {start: 0}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        if atoms[here] == element:
            return distance[here]
        for there in neighbours[here]:
            if there not in distance:
                distance[there] = distance[here] + 1
                queue.append(there)
    return None


def _grow(n_o: int, o_s: int, rng: np.random.Generator) -> tuple[list[str], list[Bond]]:
    """A backbone of repeated units with side groups on its carbons."""
    unit = ["C"] * _UNIT_LENGTH
    unit[0], unit[n_o], unit[n_o + o_s] = "N", "O", "S"
    offset, length = int(rng.integers(_UNIT_LENGTH)), int(rng.integers(*_BACKBONE))
    atoms = [unit[(offset + i) % _UNIT_LENGTH] for i in range(length)]
    bonds: list[Bond] = [(i, i + 1, 1) for i in range(length - 1)]
    for i in range(length):
        free = VALENCE[atoms[i]] - (1 if i in (0, length - 1) else 2)
        order, carbons, inner = _SIDE_GROUPS[rng.integers(len(_SIDE_GROUPS))]
        if rng.random() < _SIDE_GROUP_RATE and atoms[i] == "C" and order <= free:
            first = len(atoms)
            atoms.extend(["C"] * carbons)
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
