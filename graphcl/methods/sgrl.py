"""SGRL: scatter the embeddings of one encoder away from their centre, and let another one follow them."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from graphcl import losses
from graphcl._arguments import check_whole
from graphcl._random import Key
from graphcl.distributed import joined_rows
from graphcl.methods._smooth import smoothed
from graphcl.methods.base import Method
from graphcl.methods.bgrl import prelu_predictor
from graphcl.methods.nodes import mark_seeds
from graphcl.nn import EMATarget, Embeddings, GraphEncoder

__all__ = ["SGRL", "scattering"]


def scattering(z: Tensor) -> Tensor:
    r"""Minus the mean squared distance of unit rows from their centre, in [-1, 0]: -1 where they cancel out.

    .. math:: L = -\frac1N \sum_i \Big\lVert \frac{z_i}{\lVert z_i \rVert} - c \Big\rVert^2, \qquad
        c = \frac1N \sum_i \frac{z_i}{\lVert z_i \rVert}

    Example:
        >>> import torch
        >>> scattering(torch.eye(2)), scattering(torch.ones(3, 2))
        (tensor(-0.5000), tensor(-0.))

    Source: He, Shan, Zhao, Zhang, Wang, Zhang, "Exploitation of a Latent Mechanism in Graph Contrastive Learning:
    Representation Scattering", NeurIPS 2024.
    """
    z = F.normalize(z if z.element_size() > 4 else z.float(), dim=1)
    return -(z - z.mean(0)).square().sum(1).mean()


class SGRL(Method):
    r"""One encoder, the target, scatters its embeddings; the other, online, predicts them from a neighbourhood.

    .. math:: L = \mathrm{scattering}(t) + \Big( 1 - \frac1N \sum_i \cos(q_i, t_i) \Big), \qquad
        q = p(h + \hat A^k h)

    for the embeddings h of the online encoder, smoothed by the normalised adjacency and mapped by the predictor p, and
    t of the target, which the second term does not train. After each step the target's weights move a little towards
    the online ones. No views, no negatives. ``embed`` gives :math:`h + \hat A^k h`.

    Args:
        encoder: The online encoder, from graphs to node embeddings; the authors' is a one-layer GCN of width 1024 with
            PReLU.
        predictor: From embeddings to predictions; :func:`prelu_predictor` by default.
        power: k.
        momentum: The share of its weights that the target keeps in a step.
        seed: Unused: this method draws nothing.

    Raises:
        ValueError: ``power`` is negative or ``momentum`` out of range.
        TypeError: ``power`` is not a whole number.

    Example:
        >>> import torch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.eye(10), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> method = SGRL(GraphEncoder(GIN(10)))
        >>> method(graph).backward()
        >>> method.after_step()  # once the optimiser has moved

    Source: He, Shan, Zhao, Zhang, Wang, Zhang, "Exploitation of a Latent Mechanism in Graph Contrastive Learning:
    Representation Scattering", NeurIPS 2024.
    Differs from the authors' code: the target starts as a copy of the online encoder, and one optimiser trains both at
    once (no weight is in both terms), where theirs moves the target before its own step; the two have a PReLU each
    instead of one between them; the predictor is that of BGRL, 512 wide inside instead of as wide as the embeddings.
    """

    level = "node"
    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        predictor: nn.Module | None = None,
        power: int = 1,
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        self.predictor = prelu_predictor(encoder.out_channels) if predictor is None else predictor
        self.power = check_whole("power", power)
        self.target = EMATarget(encoder, momentum=momentum)
        self.target.module.requires_grad_(True)  # this target is trained as well, to scatter
        self.loss = losses.Bootstrap()

    def loss_of(self, data: Data, key: Key) -> Tensor:
        self.target.note(self.training)
        data = mark_seeds(data)
        online = self.represent(data).node
        target = cast(GraphEncoder, self.target.module).encode(data).node
        seeds = data._store.get("seed_mask")
        if seeds is not None:
            online, target = online[seeds], target[seeds]
        online, target = self.predictor(joined_rows(online)), joined_rows(target)
        return scattering(target) + self.loss(online, target) / 2

    def represent(self, data: Data) -> Embeddings:
        return smoothed(self.encoder.encode(data), self.encoder, data, self.power)

    def after_step(self) -> None:
        """Move the target."""
        self.target.follow(self.encoder)
