"""What every method is: a module whose call on a graph, or a batch of graphs, gives the loss of one step."""

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn
from torch_geometric.data import Data

from graphcl._random import Key, fold, seed_from
from graphcl.nn import Embeddings, GraphEncoder

__all__ = ["Method"]


class Method(nn.Module, ABC):
    """A self-supervised method: ``method(data)`` is the loss of one step, ``method.embed(data)`` the embeddings.

    Randomness is keyed by the method's ``seed`` and its ``step``, a buffer that is saved with the weights, so that a
    resumed run goes on as if it had never stopped. A ``generator`` takes the place of both for one call.

    Args:
        encoder: From graphs to embeddings.
        seed: The seed of every random choice in the method.
    """

    step: Tensor

    def __init__(self, encoder: GraphEncoder, *, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(encoder, GraphEncoder):
            raise TypeError(
                f"expected a GraphEncoder, got {type(encoder).__name__}; wrap the network: GraphEncoder(network)"
            )
        self.encoder = encoder
        self.seed = seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, data: Data, *, generator: Generator | None = None) -> Tensor:
        """The loss of one step, a scalar."""
        if generator is not None:
            return self.loss_of(data, seed_from(generator))
        # On a device the key stays a tensor: reading the step on the host would wait for the queue.
        loss = self.loss_of(data, fold(self.seed, int(self.step) if self.step.device.type == "cpu" else self.step))
        if self.training:
            self.step += 1
        return loss

    @abstractmethod
    def loss_of(self, data: Data, key: Key) -> Tensor:
        """The loss of the step that ``key`` names."""

    @torch.no_grad()
    def embed(self, data: Data) -> Embeddings:
        """Node and graph embeddings of the clean graph, by the encoder alone, in evaluation mode."""
        modes = [(module, module.training) for module in self.encoder.modules()]  # a part may be frozen
        self.encoder.eval()
        try:
            return self.encoder.encode(data)
        finally:
            for module, training in modes:
                module.training = training

    def after_step(self) -> None:
        """What has to happen once the optimiser has moved: nothing here; elsewhere moving targets, queues."""
