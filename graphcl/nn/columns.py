"""Atoms and bonds as columns of indices: their embeddings, and how often each value of a bond arrives at an atom."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._vocabulary import table

__all__ = ["AtomEmbedding", "bond_counts"]


class AtomEmbedding(nn.Module):
    r"""The embedding of an atom: the sum of a learned embedding of each column of x, added up without holding them all.

    .. math:: h_i = \sum_c W_c[x_{ic}]

    Args:
        channels: D.
        vocab: The index table of the molecules.

    Example:
        >>> AtomEmbedding(8, vocab="hu2020")(torch.tensor([[5, 0], [7, 0]])).shape
        torch.Size([2, 8])
    """

    offsets: Tensor

    def __init__(self, channels: int, *, vocab: str = "ogb") -> None:
        super().__init__()
        self.vocab = vocab
        self.sizes = [column.size for column in table(vocab).atom]
        self.weight = nn.Parameter(torch.empty(sum(self.sizes), channels))
        self.register_buffer("offsets", column_offsets(self.sizes), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, each column's by its own size."""
        draw_by_column(self.weight, self.sizes)

    def forward(self, x: Tensor) -> Tensor:
        check_codes("x", x, self.sizes, self.vocab)
        return F.embedding_bag(x + self.offsets, self.weight, mode="sum")


def bond_counts(
    edge_index: Tensor,
    edge_attr: Tensor,
    num_nodes: int,
    sizes: Sequence[int],
    *,
    weight: Tensor | None = None,
) -> Tensor:
    r"""How often each value of each bond column arrives at each atom: what a sum of bond embeddings depends on.

    .. math:: \sum_{j \to i} (h_j + \sum_c W_c[a_{jic}]) = (A h)_i + (C W)_i

    Both sides are the same, but the right one never holds a vector per bond: ``C`` ``[N, K]`` has one column per row of
    the embeddings (14 for OGB's table), is made once for all layers, and ``C W`` is a small matrix product.

    Args:
        edge_index: ``[2, E]``.
        edge_attr: ``[E, B]``, indices, each below the size of its column; nobody checks that here.
        num_nodes: N.
        sizes: The number of values of each column, and of what else is to have a place.
        weight: ``[E]``, what each bond counts; 1 by default.

    Returns:
        ``C``, float32.

    Example:
        >>> edge_index, edge_attr = torch.tensor([[0, 1], [1, 0]]), torch.tensor([[1, 0], [1, 0]])
        >>> bond_counts(edge_index, edge_attr, 2, [2, 2]).tolist()
        [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
    """
    width, target = sum(sizes), edge_index[1] * sum(sizes)
    each = target.new_ones(target.numel(), dtype=torch.float32) if weight is None else weight
    counts = each.new_zeros(num_nodes * width)
    starts = itertools.accumulate(sizes, initial=0)
    for column, start in zip(edge_attr.unbind(1), starts, strict=False):
        counts.scatter_add_(0, target + column + start, each)
    return counts.view(num_nodes, width)


def column_offsets(sizes: Sequence[int]) -> Tensor:
    """The first row of each column's values among the embeddings of all."""
    return torch.tensor([0, *sizes[:-1]]).cumsum(0)


def draw_by_column(weight: Tensor, sizes: Sequence[int]) -> None:
    """Draw embeddings anew (Xavier, uniform), each column's by its own size."""
    with torch.no_grad():
        for part in weight.split(list(sizes)):
            nn.init.xavier_uniform_(part)


def check_codes(name: str, codes: Tensor, sizes: Sequence[int], vocab: str) -> None:
    """Refuse what belongs to no embedding; a GPU would have to be waited for, so there only type and shape are seen."""
    if codes.dim() != 2 or codes.size(1) != len(sizes) or codes.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"expected {name} [n, {len(sizes)}] of integers, the indices of vocab={vocab!r}, got {codes.dtype} "
            f"{list(codes.shape)}; make molecules with graphcl.data.from_smiles(..., vocab={vocab!r})"
        )
    if codes.device.type == "cpu" and codes.numel() and not torch.compiler.is_compiling():
        low, high = torch.aminmax(codes, dim=0)
        wrong = (low < 0) | (high >= torch.tensor(sizes))
        if bool(wrong.any()):
            column = int(wrong.nonzero()[0])
            raise ValueError(
                f"expected column {column} of {name} within 0 to {sizes[column] - 1} under vocab={vocab!r}, got "
                f"{int(low[column])} to {int(high[column])}: the molecules are of another index table"
            )
