"""What a transform notes of each molecule, such as its scaffold, for all molecules of a packed set."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import cumsum

from graphcl.data.molecule_set import MoleculeDataset
from graphcl.errors import DataError

__all__ = ["with_marks"]


def with_marks(
    dataset: MoleculeDataset,
    mark: Callable[[Data], Data] | Sequence[Callable[[Data], Data]],
    *,
    progress: bool | None = None,
) -> MoleculeDataset:
    """The set with marks of its atoms, one for each atom, as views with ``protect=`` and fragment views need them.

    Each molecule is shown to ``mark`` with its ``smiles``, one after the other; what attributes it gains are kept.

    Args:
        dataset: A set of molecules; it stays as it was.
        mark: Transforms, such as :class:`graphcl.augment.MarkScaffold`, :class:`graphcl.augment.MarkFunctionalGroups`
            and :class:`graphcl.augment.MarkFragments`, or a function of your own: each adds tensors ``[atoms, ...]``.
        progress: A progress bar; None shows it on a terminal only.

    Raises:
        DataError: Molecules have no SMILES, nothing new was marked, or the marks are not one for each atom.
        TypeError: The set is another.
        ValueError: A molecule cannot be marked.
        ImportError: RDKit is not installed.

    Example:
        >>> from graphcl.augment import AtomMask, MarkScaffold
        >>> from graphcl.data import from_smiles_list
        >>> dataset = with_marks(from_smiles_list(["Cc1ccccc1", "CCO"]), MarkScaffold())
        >>> dataset[0].scaffold.tolist()
        [False, True, True, True, True, True, True]
        >>> AtomMask(mask=0.25, protect="scaffold")(dataset[0]).x[:, 0].tolist()
        [118, 5, 5, 5, 5, 5, 5]
    """
    from tqdm import tqdm

    if not isinstance(dataset, MoleculeDataset):
        raise TypeError(
            f"expected a set of molecules that graphcl.data has made, got {type(dataset).__name__}; of others take the "
            "marks as their pre_transform"
        )
    transforms = list(mark) if isinstance(mark, Sequence) else [mark]
    # A part of a set becomes one of its own: the others need no marks.
    out = copy.copy(dataset) if dataset._indices is None else dataset.copy()
    found: dict[str, list[Tensor]] = {}
    disable = None if progress is None else not progress
    for position, smiles in enumerate(tqdm(out.smiles, "mark", len(out), disable=disable)):
        if not smiles:
            raise DataError(f"expected a SMILES of every molecule of {out.name}, got none of the one at {position}")
        graph = out.get(position)
        graph.smiles = smiles
        known = set(graph.keys())
        try:
            for transform in transforms:
                graph = transform(graph)
        except ValueError as error:
            raise ValueError(f"the molecule at {position} of {out.name}: {error}") from error
        for name in set(graph.keys()) - known:
            found.setdefault(name, []).append(_checked(name, graph, position))
    if not found or any(len(marks) < len(out) for marks in found.values()):
        raise DataError(
            f"expected new marks of every molecule of {out.name}, got {', '.join(sorted(found)) or 'none'} of some; it "
            f"has {', '.join(sorted(out._data.keys()))} already"
        )
    out._data, out.slices = copy.copy(out._data), dict(out.slices)
    for name, marks in sorted(found.items()):
        out._data[name] = torch.cat(marks)
        out.slices[name] = cumsum(torch.tensor([len(part) for part in marks]))
    return out


def _checked(name: str, graph: Data, position: int) -> Tensor:
    value = graph[name]
    if not isinstance(value, Tensor) or value.dim() == 0 or value.size(0) != graph.num_nodes:
        got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise DataError(
            f"expected marks {name!r} of the {graph.num_nodes} atoms of the molecule at {position}, got {got}"
        )
    return value
