"""Fine-tuning an encoder of graphs on a labelled set: the epoch is chosen on validation, the test is read once."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from graphcl._arguments import check_choice, check_seed
from graphcl._random import torch_seeded
from graphcl._vocabulary import check_same_vocabulary
from graphcl.data import PackedDataset, shuffled
from graphcl.evaluate._checks import to_numpy
from graphcl.evaluate._labels import scorable
from graphcl.evaluate._names import check_encoder_lr
from graphcl.evaluate._objective import Objective, labels_to_learn, objective_of
from graphcl.evaluate._positions import check_split, split_of
from graphcl.evaluate.baselines import plain_averages
from graphcl.evaluate.multitask import Judge, TaskScores
from graphcl.methods import Method
from graphcl.nn import GraphEncoder
from graphcl.nn._autocast import bfloat16
from graphcl.nn._modes import evaluating
from graphcl.nn.embeddings import no_encoder

__all__ = ["Finetuned", "finetune"]

PREDICTED_AT_ONCE = 512  # graphs


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """The result of fine-tuning: scores, the chosen epoch, and the tuned model.

    Attributes:
        test: The scores on the test part, at the chosen epoch: ROC-AUC, RMSE in the target's unit, or the accuracy of
            classes as that of one task.
        valid: The mean score on the validation part after each epoch.
        epoch: The chosen epoch, counted from 1.
        seconds: Time taken.
        model: The tuned encoder and head at that epoch, ``model[1](model[0].encode(batch).graph)``: logits, or scaled
            targets.
        answer: From what the model says to what :meth:`predict` returns.
    """

    test: TaskScores
    valid: list[float]
    epoch: int
    seconds: float
    model: nn.ModuleList
    answer: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def predict(self, graphs: Any) -> Tensor:
        """Predictions ``[N, tasks]`` of graphs, labelled or not: of numbers in the target's unit, else probabilities.

        Of labels 0 and 1 they are the probabilities of 1, of one class out of several those of each class
        ``[N, classes]``, of a task of which the training part had no label NaN. The model works in evaluation mode, in
        float32, where its weights are.

        Args:
            graphs: A data set, a list of graphs, or a :class:`graphcl.data.PackedDataset`.

        Raises:
            ValueError: The encoder was made for another index table.

        Example:
            >>> from graphcl.data import from_smiles_list
            >>> from graphcl.nn import MoleculeEncoder, mean_readout
            >>> molecules = from_smiles_list(["C" * n for n in range(1, 21)])
            >>> molecules._data.y, molecules.slices["y"] = torch.arange(20.0)[:, None], molecules.slices["row"]
            >>> split = {"train": torch.arange(12), "valid": torch.arange(12, 16), "test": torch.arange(16, 20)}
            >>> encoder = GraphEncoder(MoleculeEncoder(16, 2), mean_readout)
            >>> tuned = finetune(encoder, molecules, split, classification=False, epochs=1, batch_size=8)
            >>> tuned.predict(from_smiles_list(["CCO", "CCN"])).shape
            torch.Size([2, 1])
        """
        encoder: Any = self.model[0]
        packed = graphs if isinstance(graphs, PackedDataset) else PackedDataset(graphs)
        check_same_vocabulary(dataset=packed, encoder=encoder)
        batches = packed.to(next(self.model.parameters()).device).batches(PREDICTED_AT_ONCE)
        with evaluating(self.model):
            said = torch.cat([self.model[1](encoder.encode(batch).graph).float() for batch in batches])
        return self.answer(said).cpu()


def finetune(
    encoder: nn.Module,
    dataset: Any,
    split: Mapping[str, Tensor] | None = None,
    *,
    classification: bool,
    epochs: int = 100,
    batch_size: int = 32,
    lr: float = 1e-3,
    encoder_lr: float | None = None,
    select: Literal["valid", "last"] = "valid",
    head_only: bool = False,
    settle: bool = False,
    seed: int = 0,
    device: torch.device | str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    score: Judge | None = None,
    head: Callable[[int, int], nn.Module] = nn.Linear,
) -> Finetuned:
    """Tune a copy of an encoder, with a linear head for every task or a head of your own, and score it.

    Labels that were not measured are masked; a task of 0 and 1 without any in the training part has no score.
    Regression targets are scaled by the training part, errors scaled back.
    Where a graph has one class out of several, ``y`` of one integer, the head has an output for every class and learns
    by cross-entropy. The score of the test part is taken once, at the epoch that ``select`` names: the first one with
    the best validation score, or the last.

    Args:
        encoder: Graphs to embeddings, or the method that trained it; it is left as it was. Its own dropout holds.
        dataset: Graphs with labels ``y`` ``[1, tasks]``, or classes 0, 1, ... or numbers ``[1]``; a data set or a
            :class:`graphcl.data.PackedDataset`.
        split: Positions under ``train``, ``valid`` and ``test``; by default the data set's own.
        classification: Whether labels are 0 and 1 (ROC-AUC) or classes (accuracy), or numbers (RMSE).
        epochs: Passes over the training part.
        batch_size: Graphs per step.
        lr: The learning rate of Adam.
        encoder_lr: That of the encoder, where it is not the head's: a smaller one keeps more of what it has learned.
        select: Which epoch is scored: the best on validation (Hu et al.), or the last (GraphCL, GraphMAE).
        head_only: Leave the encoder as it is, in evaluation mode, and tune the head alone.
        settle: Before a part is scored, take the statistics of BatchNorm anew from the whole training part, a pass over
            it without gradients. The published protocols do without; where an epoch has but a few steps, the running
            statistics lag so far behind the weights that scores suffer and probabilities are all near 0 or 1.
        seed: Of the head's weights, the order of the graphs and dropout.
        device: Where to train.
        precision: ``"bf16"`` computes in bfloat16 where that is safe (autocast); several times faster on CPUs and GPUs
            made for it.
        score: How a part is scored, from targets and predictions ``[N, tasks]``; ROC-AUC, accuracy or RMSE by default.
            The best epoch is that of the largest score where ``classification`` is set, else of the smallest.
        head: From the width of the embeddings and the number of outputs to the module between them.

    Raises:
        ValueError: There are no labels or no split, its parts are masks, overlap or point outside, an argument is out
            of range, the encoder was made for another index table, the training part has no label or less than two
            graphs, or a part cannot be scored (:func:`graphcl.evaluate.task_roc_auc`).

    Example:
        >>> from graphcl.data import from_smiles_list
        >>> from graphcl.nn import MoleculeEncoder, mean_readout
        >>> molecules = from_smiles_list(["C" * n + end for n in range(1, 11) for end in ("O", "N")])
        >>> molecules._data.y, molecules.slices["y"] = torch.tensor([[0.0], [1.0]] * 10), molecules.slices["row"]
        >>> split = {"train": torch.arange(12), "valid": torch.arange(12, 16), "test": torch.arange(16, 20)}
        >>> encoder = GraphEncoder(MoleculeEncoder(16, 2), mean_readout)
        >>> finetune(encoder, molecules, split, classification=True, epochs=20, batch_size=8).test.mean
        1.0

    Source: Hu, Liu, Gomes, Zitnik, Liang, Pande, Leskovec, "Strategies for Pre-training Graph Neural Networks", ICLR
    2020, section 5 and appendix (100 epochs, batches of 32, Adam at 1e-3, scaffold split).
    """
    if epochs < 1 or batch_size < 2 or lr <= 0:
        raise ValueError(f"expected epochs >= 1, batch_size >= 2, lr > 0, got {epochs}, {batch_size}, {lr}")
    if isinstance(encoder, Method):
        encoder = _encoder_of(encoder)
    if not (hasattr(encoder, "encode") and hasattr(encoder, "graph_channels")):
        raise no_encoder(encoder)
    seed = check_seed(seed)
    check_encoder_lr(encoder_lr, head_only)
    check_choice("select", select, ("valid", "last"))
    check_choice("precision", precision, ("fp32", "bf16"))
    split = split_of(dataset, split)
    start = time.perf_counter()
    packed = dataset if isinstance(dataset, PackedDataset) else PackedDataset(dataset)
    check_same_vocabulary(dataset=packed, encoder=encoder)
    packed = packed.to(device)
    labels = labels_to_learn(packed, classification)
    parts = check_split(split, len(labels))
    if len(parts["train"]) < 2:
        raise ValueError(f"expected at least 2 graphs in the training part, got {len(parts['train'])}")
    if labels.dim() == 2:
        known = scorable(to_numpy(labels).astype(np.float64), parts, classification=classification)
        labels = torch.from_numpy(known).to(labels)
    split = {part: torch.from_numpy(positions) for part, positions in parts.items()}
    with torch_seeded(seed, torch.device(device)):
        objective = objective_of(labels, split["train"], classification, score)
        tuned: Any = copy.deepcopy(encoder)
        model = nn.ModuleList([tuned, head(tuned.graph_channels, objective.width)]).to(device)
        tuning = _Tuning(model, packed, labels, split, objective, head_only, precision == "bf16")
        tuning.settles = settle and not head_only
        rates = (lr if encoder_lr is None else encoder_lr, lr)
        valid, epoch = tuning.run(epochs, batch_size, rates, select, seed)
        return Finetuned(
            test=tuning.score("test"),
            valid=valid,
            epoch=epoch,
            seconds=time.perf_counter() - start,
            model=model,
            answer=objective.answer,
        )


def _encoder_of(method: Method) -> GraphEncoder:
    """The encoder of a method whose embeddings are its encoder's."""
    if (type(method).represent, type(method).embed) != (Method.represent, Method.embed):
        raise TypeError(
            f"expected a method that embeds by its encoder alone, got {type(method).__name__}; to tune that encoder "
            "without the rest give method.encoder"
        )
    return method.encoder


class _Tuning:
    def __init__(
        self,
        model: nn.ModuleList,
        packed: PackedDataset,
        labels: Tensor,
        split: Mapping[str, Tensor],
        objective: Objective,
        head_only: bool,
        bf16: bool,
    ) -> None:
        self.model, self.packed, self.labels, self.head_only, self.bf16 = model, packed, labels, head_only, bf16
        self.split, self.objective, self.settles = split, objective, False

    def run(
        self, epochs: int, batch_size: int, rates: tuple[float, float], select: str, seed: int
    ) -> tuple[list[float], int]:
        """Tune the model; the validation scores, and the chosen epoch, whose weights the model then has."""
        parts = [{"params": part.parameters(), "lr": lr} for part, lr in zip(self.model, rates, strict=True)]
        optimizer = torch.optim.Adam(parts[1:] if self.head_only else parts)
        generator = torch.Generator().manual_seed(seed)
        valid: list[float] = []
        best, chosen = 0, self.model.state_dict()
        for epoch in range(epochs):
            self._epoch(optimizer, batch_size, generator)
            if self.settles:
                self._settle(batch_size)
            valid.append(self.score("valid").mean)
            better = valid[-1] > valid[best] if self.objective.larger else valid[-1] < valid[best]
            if select == "last" or epoch == 0 or better:
                best = epoch
                chosen = {key: value.detach().clone() for key, value in self.model.state_dict().items()}
        self.model.load_state_dict(chosen)
        return valid, best + 1

    def _epoch(self, optimizer: torch.optim.Optimizer, batch_size: int, generator: torch.Generator) -> None:
        train = self.split["train"]
        order = train[shuffled(len(train), generator=generator)]
        self.model.train()
        if self.head_only:
            self.model[0].eval()
        # A batch of one molecule may be one atom, over which there is nothing to normalise.
        for batch in self.packed.batches(batch_size, order=order, drop_last=len(order) % batch_size == 1):
            optimizer.zero_grad(set_to_none=True)
            self.objective.loss(self._forward(batch), batch.y).backward()
            optimizer.step()

    @torch.no_grad()
    def _settle(self, batch_size: int) -> None:
        """BatchNorm's statistics anew, over the training part in its order, with all else as it is when it is used."""
        self.model.eval()
        train = self.split["train"]
        with plain_averages(self.model) as norms:
            for norm in norms:
                norm.train()
            for batch in self.packed.batches(batch_size, order=train, drop_last=len(train) % batch_size == 1):
                self._forward(batch)

    def _forward(self, batch: Any) -> Tensor:
        encoder: Any = self.model[0]
        head = self.model[1]
        device = self.packed.device.type
        with bfloat16(device, enabled=self.bf16):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.head_only):
                graph = encoder.encode(batch).graph
            said: Tensor = head(graph)
        return said.float()

    @torch.no_grad()
    def score(self, part: str) -> TaskScores:
        """The scores of a part at the present weights."""
        self.model.eval()
        positions = self.split[part]
        batches = self.packed.batches(PREDICTED_AT_ONCE, order=positions)
        said = torch.cat([self._forward(batch) for batch in batches]).cpu()
        target = self.labels[positions.to(self.labels.device)].cpu()
        return self.objective.judge(target, self.objective.back(said))
