"""Contrast of graphs with a second modality: text, fingerprints, images, as vectors that were made before."""

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key, fold
from graphcl.distributed import joined_rows
from graphcl.losses import CLIP
from graphcl.methods.base import Method, View, check_several, num_graphs, view_of
from graphcl.nn import GraphEncoder, projection_head

__all__ = ["CrossModal"]


class CrossModal(Method):
    """Match every graph of a batch with its own vector among those of all, and every vector with its graph.

    The vectors are an attribute of the graphs, ``[1, M]`` or ``[M]`` in each: a sentence embedding of its description,
    a fingerprint, the embedding of another network. The temperature is learned. For molecules
    :func:`graphcl.data.with_vectors` adds fingerprints and properties.

    Args:
        encoder: From graphs to embeddings.
        modality: The name of the attribute.
        modality_channels: M.
        channels: The width of the space where both meet; that of the graph embeddings by default.
        view: A transform of the graphs before they are encoded; ``None`` takes them as they are.
        head: From graph embeddings to that space; :func:`graphcl.nn.projection_head` by default.
        modality_head: From ``[G, M]`` to that space; the same by default.
        loss: From two ``[G, D]`` tensors to a scalar; :class:`graphcl.losses.CLIP` by default.
        seed: The seed of the view.

    Raises:
        ValueError: At the call, the graphs have no such attribute, or not M numbers each, or there are fewer than two.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1), text=torch.randn(1, 7))
        >>> method = CrossModal(GraphEncoder(GIN(3)), modality="text", modality_channels=7)
        >>> method(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Radford, Kim, Hallacy, Ramesh, Goh, Agarwal, Sastry, Askell, Mishkin, Clark, Krueger, Sutskever, "Learning
    Transferable Visual Models From Natural Language Supervision", ICML 2021, figure 3.
    Differs from the paper: two-layer heads on both sides instead of linear maps; the second encoder stands still.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        modality: str,
        modality_channels: int,
        channels: int | None = None,
        view: View | None = None,
        head: nn.Module | None = None,
        modality_head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        width = encoder.graph_channels
        self.modality, self.modality_channels, self.view = modality, modality_channels, view
        self.head = projection_head(width, None, channels) if head is None else head
        self.modality_head = (
            projection_head(modality_channels, width, channels or width) if modality_head is None else modality_head
        )
        self.loss = CLIP() if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        check_several(data)
        vectors = self._vectors(data)
        if self.view is not None:
            data = view_of(self.view, data, fold(key, 0))
        graph, vectors = joined_rows(self.encoder.encode(data).graph), joined_rows(vectors)
        return self.loss(self.head(graph), self.modality_head(vectors))

    def check_needs(self, data: Data) -> None:
        self._vectors(data)

    def _vectors(self, data: Data) -> Tensor:
        """``[G, modality_channels]`` what belongs to the graphs."""
        vectors, count = data._store.get(self.modality), num_graphs(data)
        if not isinstance(vectors, Tensor) or vectors.numel() != count * self.modality_channels:
            found = list(vectors.shape) if isinstance(vectors, Tensor) else type(vectors).__name__
            raise ValueError(
                f"expected the attribute {self.modality!r} with {self.modality_channels} numbers for each of "
                f"{count} graphs, got {'none' if vectors is None else found}"
            )
        if vectors.device.type == "cpu" and not bool(torch.isfinite(vectors).all()):  # a GPU would stall to tell
            lacking = count - int(torch.isfinite(vectors.reshape(count, -1)).all(1).sum())
            raise ValueError(
                f"expected finite numbers in the attribute {self.modality!r}, got NaN or infinite ones in {lacking} of "
                f"{count} graphs; leave these graphs out"
            )
        kind = next((p.dtype for p in self.modality_head.parameters() if p.is_floating_point()), torch.float32)
        return vectors.reshape(count, -1).to(kind)
