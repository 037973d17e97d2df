"""SimGRACE: contrast a graph's embedding with that of a noisy copy of the encoder; no augmentation."""

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch_geometric.data import Data

from graphcl._random import Key, hash_ids, normal
from graphcl.distributed import joined_rows
from graphcl.losses import InfoNCE
from graphcl.methods.base import Method, check_several
from graphcl.nn import Embeddings, GraphEncoder, project_views, projection_head

__all__ = ["SimGRACE", "perturbed"]


class SimGRACE(Method):
    r"""Contrast the embeddings of a graph by the encoder and by a copy of it with noise on its weights.

    .. math:: \theta'_l = \theta_l + \eta \, \Delta_l, \qquad \Delta_l \sim N(0, \mathrm{Var}(\theta_l))

    for each weight tensor l. The noisy encoder gets no gradient. Its BatchNorm normalises by its own batch, and leaves
    the running statistics of the encoder alone.

    Args:
        encoder: From graphs to embeddings; the paper's is ``GraphEncoder(GIN(in_channels))``.
        eta: The strength of the noise, at least 0.
        head: From graph embeddings to what is compared, without noise; :func:`graphcl.nn.projection_head` by default.
        loss: From two ``[G, D]`` tensors to a scalar; InfoNCE at temperature 0.2 without the positive in the
            denominator by default.
        seed: The seed of the noise.

    Raises:
        ValueError: ``eta`` is negative or infinite; at the call, the batch holds fewer than two graphs.

    Example:
        >>> from torch_geometric.data import Batch
        >>> from graphcl.nn import GIN
        >>> ring = torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10])
        >>> graph = Data(x=torch.ones(10, 3), edge_index=torch.cat([ring, ring.flip(0)], 1))
        >>> SimGRACE(GraphEncoder(GIN(3)))(Batch.from_data_list([graph] * 4)).shape
        torch.Size([])

    Source: Xia, Wu, Chen, Hu, Li, "SimGRACE: A Simple Framework for Graph Contrastive Learning without Data
    Augmentation", WWW 2022, section 3.1; that the noisy side gets no gradient is in the authors' code.
    Differs from the authors' code: a weight tensor of one number gets no noise (its deviation does not exist); the
    anchors are the clean embeddings, as in the paper, where its code for unsupervised learning on TU data takes the
    noisy ones.
    """

    joins_ranks = True

    def __init__(
        self,
        encoder: GraphEncoder,
        *,
        eta: float = 1.0,
        head: nn.Module | None = None,
        loss: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, seed=seed)
        if not 0 <= eta < math.inf:
            raise ValueError(f"expected a finite eta >= 0 (the strength of the noise), got {eta!r}")
        self.eta = eta
        self.head = projection_head(encoder.graph_channels) if head is None else head
        self.loss = InfoNCE(temperature=0.2, positive_in_denominator=False) if loss is None else loss

    def loss_of(self, data: Data, key: Key) -> Tensor:
        check_several(data)
        clean = self.encoder.encode(data).graph
        with torch.no_grad():
            noisy = _encode_with(perturbed(self.encoder, key, self.eta), self.encoder, data).graph
        z1, z2 = project_views(self.head, [joined_rows(clean), joined_rows(noisy)])
        return self.loss(z1, z2.detach())


def perturbed(module: nn.Module, key: Key, eta: float) -> dict[str, Tensor]:
    """The weights of ``module`` with noise of their own deviation times ``eta``, and copies of its buffers.

    Args:
        module: Any module; it is left alone.
        key: The stream of the noise: the same key, the same noise.
        eta: The strength of the noise.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> noisy = perturbed(layer, 0, 1.0)
        >>> sorted(noisy), torch.equal(noisy["weight"], layer.weight)
        (['bias', 'weight'], False)
    """
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    sizes = [weight.numel() for weight in weights.values()]
    tensors = {name: buffer.clone() for name, buffer in module.named_buffers()}
    if not sizes:
        return tensors
    device = next(iter(weights.values())).device
    noise = normal(hash_ids(key, torch.arange(sum(sizes), device=device))).split(sizes)
    for (name, weight), drawn in zip(weights.items(), noise, strict=True):
        deviation = weight.std() if weight.numel() > 1 else weight.new_zeros(())
        tensors[name] = weight + eta * deviation * drawn.view_as(weight).to(weight.dtype)
    return tensors


class _Encode(nn.Module):
    """``encode`` as a call, which is what weights can be exchanged for."""

    def __init__(self, encoder: GraphEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, data: Data) -> Embeddings:
        return self.encoder.encode(data)


def _encode_with(tensors: dict[str, Tensor], encoder: GraphEncoder, data: Data) -> Embeddings:
    return functional_call(_Encode(encoder), {f"encoder.{n}": t for n, t in tensors.items()}, (data,))
