"""JOAO: GraphCL that learns which augmentations to contrast."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcl import augment
from graphcl._arguments import check_whole
from graphcl._random import Key, fold
from graphcl.augment import Augmentation, Identity
from graphcl.losses import InfoNCE
from graphcl.methods.base import Method, check_several, graph_rows
from graphcl.methods.graphs import random4
from graphcl.nn import GraphEncoder, projection_head
from graphcl.nn._modes import evaluating

__all__ = ["JOAO", "JOAOv2"]


class _Joint(Method):
    """What both versions share: a pair of augmentations for every step, drawn from a distribution that is learned."""

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        augmentations: Sequence[Augmentation] | None,
        gamma: float,
        update_every: int,
        loss: nn.Module | None,
        seed: int,
    ) -> None:
        super().__init__(encoder, seed=seed)
        known = [*random4().augmentations, Identity()] if augmentations is None else augmentations
        if not known:
            raise ValueError("expected at least one augmentation, got none")
        for augmentation in known:
            if not isinstance(augmentation, Augmentation):
                raise TypeError(f"expected augmentations of graphcl.augment, got {augmentation!r}")
        self.augmentations = tuple(known)
        self.choice = augment.JOAO(len(self.augmentations), gamma=gamma)
        self.update_every = check_whole("update_every", update_every, 1)
        self.loss = InfoNCE(temperature=0.2, positive_in_denominator=False) if loss is None else loss
        self._measured: Tensor | None = None

    @abstractmethod
    def head_of(self, number: int) -> nn.Module:
        """The head for views by the augmentation of this number."""

    def loss_of(self, data: Data, key: Key) -> Tensor:
        check_several(data)
        i, j = self.choice.sample(fold(key, 0))
        views = [self.augmentations[i].view(data, fold(key, 1)), self.augmentations[j].view(data, fold(key, 2))]
        first, second = graph_rows(self.encoder.encode_views(views))
        loss: Tensor = self.loss(self.head_of(i)(first), self.head_of(j)(second))
        if self.training and (self.calls + 1) % self.update_every == 0:
            self._measured = self.losses_of_pairs(data, fold(key, 3))
        return loss

    @torch.no_grad()
    def losses_of_pairs(self, data: Data, key: Key) -> Tensor:
        """``[A, A]`` the loss of every pair of augmentations, in evaluation mode; each view is encoded once."""
        count = len(self.augmentations)
        with evaluating(self):
            z = []
            for side in range(2):
                views = [a.view(data, fold(fold(key, side), i)) for i, a in enumerate(self.augmentations)]
                graphs = graph_rows(self.encoder.encode_views(views))
                z.append([self.head_of(i)(graph) for i, graph in enumerate(graphs)])
            losses = [self.loss(z[0][i], z[1][j]) for i in range(count) for j in range(count)]
        return torch.stack(losses).view(count, count)

    def after_step(self) -> None:
        """Move the distribution towards the pairs with the larger losses, if this was a step to measure them."""
        if self._measured is not None:
            self.choice.update(self._measured)
            self._measured = None


class JOAO(_Joint):
    r"""Contrast views by a pair of augmentations that is drawn from a learned distribution.

    .. math:: \min_\theta L(\theta, p), \quad p \in \arg\max_p \sum_{ij} p_{ij} \, \ell_{ij}(\theta)
        - \frac\gamma2 \sum_{ij} \Big(p_{ij} - \frac1{A^2}\Big)^2

    with the loss :math:`\ell_{ij}` of views by augmentations i and j. One pair for each step; every ``update_every``
    steps the losses of all pairs are measured on the batch of the step, in evaluation mode, and p takes a step of
    projected gradient ascent (:class:`graphcl.augment.JOAO`).

    Args:
        encoder: From graphs to embeddings; the paper's is ``GraphEncoder(GIN(in_channels))``.
        augmentations: A of them; node dropping, edge perturbation, node masking, subgraph and identity by default.
        gamma: How strongly p is held near the uniform distribution, at least 0.
        update_every: Steps between two updates of p.
        head: From graph embeddings to what is compared; :func:`graphcl.nn.projection_head` by default.
        loss: From two ``[G, D]`` tensors to a scalar; that of GraphCL by default.
        seed: The seed of the pairs and the views.

    Raises:
        ValueError: A number is out of range; at the call, the batch holds fewer than two graphs.
        TypeError: An augmentation is not one of :mod:`graphcl.augment`, or ``update_every`` is not a whole number.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> JOAO(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: You, Chen, Shen, Wang, "Graph Contrastive Learning Automated", ICML 2021.
    Differs from the authors' code: p moves every few steps, by the losses of one batch in evaluation mode, instead of
    once per epoch, by those of many batches in training mode; a batch shares one pair, where there each graph draws its
    own. For unsupervised learning on TU data the code augments one of the two views only.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        augmentations: Sequence[Augmentation] | None = None,
        gamma: float = 0.1,
        update_every: int = 10,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            encoder, augmentations=augmentations, gamma=gamma, update_every=update_every, loss=loss, seed=seed
        )
        self.head = projection_head(encoder.graph_channels) if head is None else head

    def head_of(self, number: int) -> nn.Module:
        return self.head


class JOAOv2(_Joint):
    """:class:`JOAO` with a head for every augmentation, so that strong ones distort the embeddings less.

    A view goes through the head of the augmentation that made it.

    Args:
        encoder: From graphs to embeddings; the paper's is ``GraphEncoder(GIN(in_channels))``.
        augmentations: A of them; those of :class:`JOAO` by default.
        gamma: How strongly p is held near the uniform distribution, at least 0.
        update_every: Steps between two updates of p.
        loss: From two ``[G, D]`` tensors to a scalar; that of GraphCL by default.
        seed: The seed of the pairs and the views.

    Raises:
        ValueError: A number is out of range; at the call, the batch holds fewer than two graphs.
        TypeError: An augmentation is not one of :mod:`graphcl.augment`, or ``update_every`` is not a whole number.

    Example:
        >>> from graphcl.nn import GIN
        >>> len(JOAOv2(GraphEncoder(GIN(3))).heads)
        5

    Source: You, Chen, Shen, Wang, "Graph Contrastive Learning Automated", ICML 2021, where it has this name.
    Differs from the authors' code: as :class:`JOAO` does; in that for TU data one head is drawn by p for a whole epoch,
    whatever the augmentations, and the losses are measured through the first head.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        augmentations: Sequence[Augmentation] | None = None,
        gamma: float = 0.1,
        update_every: int = 10,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            encoder, augmentations=augmentations, gamma=gamma, update_every=update_every, loss=loss, seed=seed
        )
        self.heads = nn.ModuleList(projection_head(encoder.graph_channels) for _ in self.augmentations)

    def head_of(self, number: int) -> nn.Module:
        return self.heads[number]
