"""Encoders of molecules: atoms and bonds by embeddings of an index table."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphcl._arguments import check_choice
from graphcl._vocabulary import Column, table
from graphcl.nn._checks import check_sizes, count_graphs
from graphcl.nn._loops import edge_weights
from graphcl.nn.base import EdgeEncoder
from graphcl.nn.columns import AtomEmbedding, bond_counts, check_codes, column_offsets, draw_by_column
from graphcl.nn.gcn import weighted_adjacency
from graphcl.nn.norm import BatchNorm, normalise_views
from graphcl.nn.readouts import sum_readout
from graphcl.nn.sparse import SparseSum

__all__ = ["MoleculeEncoder"]


class MoleculeEncoder(EdgeEncoder):
    r"""Graph isomorphism network over atoms and bonds (Hu et al.), its GCN variant, and a virtual node for either.

    .. math::
        h^{l+1}_i = \mathrm{dropout}(\sigma(\mathrm{BN}(\mathrm{MLP}(
        h^l_i + e^l_0 + \sum_{j \to i} (h^l_j + e^l(b_{ji}))))))

    with an embedding :math:`e^l(b)` of the bond, the sum of one per column, and :math:`e^l_0` that of the self-loop;
    :math:`\sigma` is ReLU in all layers but the last, where there is none. ``conv="gcn"`` has
    :math:`\sum_{j \in N(i) \cup i} (d_i d_j)^{-1/2} (W h_j + e(b_{ji}))` for the perceptron and its sum, with degrees
    that count the self-loop. A virtual node hands every atom one vector per molecule, which is updated between
    the layers from the sum of its atoms.

    No vector per bond is ever held; see :func:`bond_counts`.

    Args:
        hidden_channels: D, the width of every layer and of the output.
        num_layers: L.
        vocab: The index table of the molecules, ``"ogb"``, ``"pyg"`` or ``"hu2020"``. It is saved with the weights:
            loading those of another table is an error.
        conv: ``"gin"`` or ``"gcn"``.
        virtual_node: Add one.
        dropout: The share that is set to zero after each layer, within [0, 1).
        jk: ``"last"``, or ``"sum"`` of all layers' outputs.

    Raises:
        ValueError: An argument is out of range; at the call, ``x`` or ``edge_attr`` are not those of the table.

    Example:
        >>> encoder = MoleculeEncoder(16, num_layers=2)
        >>> x, edge_index = torch.zeros(3, 9, dtype=torch.long), torch.tensor([[0, 1], [1, 2]])
        >>> encoder(x, edge_index, torch.zeros(2, 3, dtype=torch.long)).shape
        torch.Size([3, 16])

    Source: Hu, Liu, Gomes, Zitnik, Liang, Pande, Leskovec, "Strategies for Pre-training Graph Neural Networks", ICLR
    2020, the GIN of its experiments on molecules (5 layers, 300 channels); virtual node: Gilmer, Schoenholz, Riley,
    Vinyals, Dahl, "Neural Message Passing for Quantum Chemistry", ICML 2017, section 5.2, in the form of Hu, Fey,
    Zitnik, Dong, Ren, Liu, Catasta, Leskovec, "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS
    2020.
    Differs from the paper: under OGB's and PyG's tables, atoms and bonds have the columns of those, and the self-loop
    has an embedding of its own; under ``hu2020`` it is bond type 4, as there.
    """

    vocabulary: Tensor

    def __init__(
        self,
        hidden_channels: int = 300,
        num_layers: int = 5,
        *,
        vocab: str = "ogb",
        conv: Literal["gin", "gcn"] = "gin",
        virtual_node: bool = False,
        dropout: float = 0.0,
        jk: Literal["last", "sum"] = "last",
    ) -> None:
        super().__init__()
        check_sizes(hidden_channels=hidden_channels, num_layers=num_layers)
        check_choice("conv", conv, ("gin", "gcn"))
        check_choice("jk", jk, ("last", "sum"))
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout within [0, 1), got {dropout}")
        width = hidden_channels
        self.vocab = vocab
        self.hidden_channels = self.out_channels = hidden_channels
        self.num_layers = num_layers
        self.conv = conv
        self.dropout = dropout
        self.jk = jk
        self.atoms = AtomEmbedding(width, vocab=vocab)
        self.bond_sizes = _bond_sizes(vocab, table(vocab).bond)
        self.bonds = nn.ParameterList(torch.empty(sum(self.bond_sizes), width) for _ in range(num_layers))
        self.updates = nn.ModuleList(
            _perceptron(width) if conv == "gin" else nn.Linear(width, width) for _ in self.bonds
        )
        self.norms = nn.ModuleList(BatchNorm(width) for _ in self.bonds)
        self.virtual = nn.ModuleList(_VirtualUpdate(width) for _ in range(num_layers - 1)) if virtual_node else None
        self.virtual_start = nn.Parameter(torch.zeros(width)) if virtual_node else None
        self.register_buffer("vocabulary", torch.tensor(list(vocab.encode()), dtype=torch.uint8))
        self.register_load_state_dict_pre_hook(_check_vocabulary)  # type: ignore[no-untyped-call]
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.atoms.reset_parameters()
        for bonds in self.bonds:
            draw_by_column(bonds, self.bond_sizes)
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.BatchNorm1d):
                part.reset_parameters()
        if self.virtual_start is not None:
            nn.init.zeros_(self.virtual_start)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        *,
        edge_weight: Tensor | None = None,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
        splits: Sequence[int] | None = None,
        graph_splits: Sequence[int] | None = None,
    ) -> Tensor:
        """``[N, D]``; ``batch`` and ``num_graphs`` tell molecules apart, for a virtual node.

        What comes along a bond, the bond itself included, is multiplied by its ``edge_weight`` ``[E]``; gradients flow
        to it.
        """
        edge_attr = self._checked(edge_attr, edge_index)
        h, n = self.atoms(x), x.size(0)
        if edge_weight is not None:
            edge_weight = edge_weights(edge_weight, edge_index.size(1)).to(self._dtype)
        summed = self._with_neighbours(edge_index, n, edge_weight)
        root, counts = self._counts(edge_index, edge_attr, n, edge_weight)
        virtual = self._virtual_start(h, batch, num_graphs)
        outputs = []
        for layer in range(self.num_layers):
            if virtual is not None:
                h = h + (virtual if batch is None else virtual.index_select(0, batch))
            inner = h
            if root is None:
                h = self.updates[layer](summed(h) + counts @ self.bonds[layer])
            else:
                h = root * (summed(root * self.updates[layer](h)) + counts @ self.bonds[layer])
            h = normalise_views(self.norms[layer], h, splits)
            if layer < self.num_layers - 1:
                h = h.relu()
            h = F.dropout(h, self.dropout, self.training)
            outputs.append(h)
            if virtual is not None and self.virtual is not None and layer < self.num_layers - 1:
                virtual = self._next_virtual(layer, inner, virtual, batch, graph_splits)
        return outputs[-1] if self.jk == "last" else torch.stack(outputs).sum(0)

    def _checked(self, edge_attr: Tensor | None, edge_index: Tensor) -> Tensor:
        columns = len(table(self.vocab).bond)
        if edge_attr is None or edge_attr.shape != (edge_index.size(1), columns):
            got = "none" if edge_attr is None else f"{list(edge_attr.shape)}"
            raise ValueError(
                f"expected edge_attr [{edge_index.size(1)}, {columns}], the bonds of vocab={self.vocab!r}, got {got}; "
                f"give it as the third argument, or wrap the encoder in GraphEncoder"
            )
        check_codes("edge_attr", edge_attr, self.bond_sizes[:columns], self.vocab)
        return edge_attr

    @property
    def _dtype(self) -> torch.dtype:
        """That of weights and degrees."""
        return torch.promote_types(self.atoms.weight.dtype, torch.float32)

    def _with_neighbours(self, edge_index: Tensor, n: int, weight: Tensor | None) -> Callable[[Tensor], Tensor]:
        """The map from ``[N, D]`` to each row and the weighted sum of its neighbours'."""
        if weight is None:
            return SparseSum.adjacency(edge_index, n).plus_self
        return weighted_adjacency(edge_index, n, weight, dtype=self._dtype).plus_self

    def _counts(
        self, edge_index: Tensor, edge_attr: Tensor, n: int, edge_weight: Tensor | None
    ) -> tuple[Tensor | None, Tensor]:
        """``[N, K]`` what arrives at each atom, the self-loop included; for a GCN, 1 / root of its degree."""
        sizes = self.bond_sizes
        columns = edge_attr.size(1)
        own = column_offsets(sizes)[:columns].tolist() if self.vocab == "hu2020" else [sum(sizes) - 1]
        own[0] += 4 if self.vocab == "hu2020" else 0  # the authors' bond type of a self-loop; direction 0
        root, weight = None, edge_weight
        if self.conv == "gcn":
            source, dtype = edge_index[0], self.atoms.weight.dtype
            degree = torch.ones(n, dtype=dtype, device=source.device)
            root = degree.scatter_add_(0, source, torch.ones_like(source, dtype=dtype)).rsqrt_()
            weight = root.index_select(0, source)
            weight = weight if edge_weight is None else weight * edge_weight
            root = root[:, None]
        counts = bond_counts(edge_index, edge_attr, n, sizes, weight=weight)
        for column in own:
            counts[:, column] += 1 if root is None else root[:, 0]
        return root, counts.to(self.atoms.weight.dtype)

    def _virtual_start(self, h: Tensor, batch: Tensor | None, num_graphs: int | None) -> Tensor | None:
        if self.virtual_start is None:
            return None
        if batch is None:
            num_graphs = 1
        elif num_graphs is None:
            num_graphs = count_graphs(batch)
        return self.virtual_start.to(h.dtype).expand(num_graphs, -1)

    def _next_virtual(
        self, layer: int, h: Tensor, virtual: Tensor, batch: Tensor | None, graph_splits: Sequence[int] | None
    ) -> Tensor:
        pooled = h.sum(0, keepdim=True) if batch is None else sum_readout(h, batch, virtual.size(0))
        assert self.virtual is not None
        updated: Tensor = self.virtual[layer](pooled + virtual, graph_splits)
        return F.dropout(updated, self.dropout, self.training)


class _VirtualUpdate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lower, self.upper = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norms = nn.ModuleList([BatchNorm(2 * width), BatchNorm(width)])

    def forward(self, x: Tensor, splits: Sequence[int] | None) -> Tensor:
        inner, outer = self.norms
        x = normalise_views(inner, self.lower(x), splits).relu()
        return normalise_views(outer, self.upper(x), splits).relu()


def _perceptron(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(inplace=True), nn.Linear(2 * width, width))


def _bond_sizes(vocab: str, columns: Sequence[Column]) -> list[int]:
    """Values per bond column, and one for the self-loop where the table keeps none."""
    return [column.size for column in columns] + ([] if vocab == "hu2020" else [1])


def _check_vocabulary(module: Any, state: dict[str, Any], prefix: str, *_: Any) -> None:
    stored = state.get(f"{prefix}vocabulary")
    if stored is not None and (name := bytes(stored.tolist()).decode()) != module.vocab:
        raise ValueError(
            f"expected weights for vocab={module.vocab!r}, got those for {name!r}: the same number is another atom "
            f"there; make the encoder with vocab={name!r}"
        )
