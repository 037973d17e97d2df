"""Pretrain GraphCL and score its embeddings by 5-fold cross-validation, beside the same encoder untrained."""

import torch

from graphcl.data import PackedDataset, load
from graphcl.evaluate import compared_embeddings, evaluate_embeddings, format_table, protocol, result_rows, with_folds
from graphcl.methods import GraphCL
from graphcl.nn import GIN, GraphEncoder
from graphcl.train import fit

SEED = 0
dataset = load("synthetic-molecules")
graphs = PackedDataset(dataset, graph_id=True)


def make(seed: int) -> GraphCL:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GraphCL(GraphEncoder(GIN(dataset.num_features)), seed=seed)


def train(seed: int) -> GraphCL:
    method = make(seed)
    fit(method, graphs, epochs=20, seed=seed)
    return method


embeddings, kernels = compared_embeddings(graphs, [SEED], make=make, trained={"GraphCL": train})
chosen = with_folds(protocol("tu-linear-svm"), 5, 3)
scores = evaluate_embeddings(embeddings, graphs.y.numpy(), chosen, [SEED], kernels=kernels)
print(format_table(result_rows(scores, dataset=dataset.name)))
