"""Named, leak-free protocols for frozen embeddings, the baselines beside them, and the tables made of their scores."""

from graphcl.evaluate.audit import audit
from graphcl.evaluate.baselines import (
    collect_statistics,
    embed_graphs,
    raw_embeddings,
    untrained_embeddings,
    untrained_init_embeddings,
)
from graphcl.evaluate.cache import cached, is_cached
from graphcl.evaluate.clustering import kmeans_scores
from graphcl.evaluate.diagnostics import (
    Histogram,
    collapse_of,
    diagnose,
    dimension_std,
    effective_rank,
    false_negative_rate,
    profile,
    similarity_histogram,
    similarity_samples,
    singular_values,
)
from graphcl.evaluate.duplicates import grouped_folds, wl_classes
from graphcl.evaluate.evaluation import Evaluation
from graphcl.evaluate.finetune import Finetuned, finetune
from graphcl.evaluate.fingerprints import fingerprint_scores, forest_predictions, morgan_fingerprints
from graphcl.evaluate.knn import knn_votes
from graphcl.evaluate.lift import Lift, holm, lift_of_one, mean_lift, paired_lift
from graphcl.evaluate.link import LinkScore, hits_at, link_score, mean_reciprocal_rank
from graphcl.evaluate.link_splits import LinkSplit, link_split, ogb_link_split
from graphcl.evaluate.logistic import LogisticFit, fit_logistic
from graphcl.evaluate.molecule_baselines import compared_molecule_embeddings, raw_molecule_embeddings
from graphcl.evaluate.molecule_probe import LinearScores, linear_scores
from graphcl.evaluate.molecule_protocols import (
    MOLECULE_PROTOCOLS,
    MoleculeProtocol,
    molecule_protocol,
    with_tuning,
)
from graphcl.evaluate.molecule_runner import evaluate_molecules, finetune_molecules
from graphcl.evaluate.molecule_tuning import finetune_by
from graphcl.evaluate.multitask import (
    TargetScaler,
    TaskScores,
    masked_bce,
    masked_mse,
    task_average_precision,
    task_rmse,
    task_roc_auc,
)
from graphcl.evaluate.node_baselines import (
    compared_node_embeddings,
    embed_nodes,
    raw_node_embeddings,
    untrained_init_node_embeddings,
    untrained_node_embeddings,
)
from graphcl.evaluate.node_probes import SplitScore, node_score
from graphcl.evaluate.node_protocols import NODE_PROTOCOLS, NodeProtocol, node_protocol, with_splits
from graphcl.evaluate.node_runner import evaluate_links, evaluate_nodes
from graphcl.evaluate.node_splits import NodeSplit, mask_splits, node_split_hash, node_splits, random_splits
from graphcl.evaluate.ogb_scores import OgbScorer, ogb_scorer
from graphcl.evaluate.probes import FoldScore, fold_scores, kernel_fold_scores
from graphcl.evaluate.protocols import PROTOCOLS, Protocol, protocol, with_folds
from graphcl.evaluate.results import COLUMNS, Result, merge_results, read_results, summarise, write_results
from graphcl.evaluate.retrieval import retrieval_precision
from graphcl.evaluate.rows import Note, Provenance, result_rows
from graphcl.evaluate.runner import evaluate_embeddings, raw_path
from graphcl.evaluate.semi_protocols import SEMI_PROTOCOLS, SemiProtocol, semi_protocol, with_semi_tuning
from graphcl.evaluate.semi_runner import finetune_on_few, normalised_head
from graphcl.evaluate.semi_splits import LabelSplit, label_splits
from graphcl.evaluate.splits import Fold, split_hash, stratified_folds
from graphcl.evaluate.suite import compared_embeddings
from graphcl.evaluate.supervised import NodeModel, SupervisedGCN
from graphcl.evaluate.table import format_table
from graphcl.evaluate.watch import Diagnostics
from graphcl.evaluate.wl import wl_features, wl_kernel

__all__ = [
    "COLUMNS",
    "MOLECULE_PROTOCOLS",
    "NODE_PROTOCOLS",
    "PROTOCOLS",
    "SEMI_PROTOCOLS",
    "Diagnostics",
    "Evaluation",
    "Finetuned",
    "Fold",
    "FoldScore",
    "Histogram",
    "LabelSplit",
    "Lift",
    "LinearScores",
    "LinkScore",
    "LinkSplit",
    "LogisticFit",
    "MoleculeProtocol",
    "NodeModel",
    "NodeProtocol",
    "NodeSplit",
    "Note",
    "OgbScorer",
    "Protocol",
    "Provenance",
    "Result",
    "SemiProtocol",
    "SplitScore",
    "SupervisedGCN",
    "TargetScaler",
    "TaskScores",
    "audit",
    "cached",
    "collapse_of",
    "collect_statistics",
    "compared_embeddings",
    "compared_molecule_embeddings",
    "compared_node_embeddings",
    "diagnose",
    "dimension_std",
    "effective_rank",
    "embed_graphs",
    "embed_nodes",
    "evaluate_embeddings",
    "evaluate_links",
    "evaluate_molecules",
    "evaluate_nodes",
    "false_negative_rate",
    "finetune",
    "finetune_by",
    "finetune_molecules",
    "finetune_on_few",
    "fingerprint_scores",
    "fit_logistic",
    "fold_scores",
    "forest_predictions",
    "format_table",
    "grouped_folds",
    "hits_at",
    "holm",
    "is_cached",
    "kernel_fold_scores",
    "kmeans_scores",
    "knn_votes",
    "label_splits",
    "lift_of_one",
    "linear_scores",
    "link_score",
    "link_split",
    "mask_splits",
    "masked_bce",
    "masked_mse",
    "mean_lift",
    "mean_reciprocal_rank",
    "merge_results",
    "molecule_protocol",
    "morgan_fingerprints",
    "node_protocol",
    "node_score",
    "node_split_hash",
    "node_splits",
    "normalised_head",
    "ogb_link_split",
    "ogb_scorer",
    "paired_lift",
    "profile",
    "protocol",
    "random_splits",
    "raw_embeddings",
    "raw_molecule_embeddings",
    "raw_node_embeddings",
    "raw_path",
    "read_results",
    "result_rows",
    "retrieval_precision",
    "semi_protocol",
    "similarity_histogram",
    "similarity_samples",
    "singular_values",
    "split_hash",
    "stratified_folds",
    "summarise",
    "task_average_precision",
    "task_rmse",
    "task_roc_auc",
    "untrained_embeddings",
    "untrained_init_embeddings",
    "untrained_init_node_embeddings",
    "untrained_node_embeddings",
    "with_folds",
    "with_semi_tuning",
    "with_splits",
    "with_tuning",
    "wl_classes",
    "wl_features",
    "wl_kernel",
    "write_results",
]
