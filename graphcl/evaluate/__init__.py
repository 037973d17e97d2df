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
    "LabelSplit",
    "SEMI_PROTOCOLS",
    "SemiProtocol",
    "finetune_on_few",
    "label_splits",
    "mean_lift",
    "normalised_head",
    "semi_protocol",
    "with_semi_tuning",
    "MOLECULE_PROTOCOLS",
    "MoleculeProtocol",
    "compared_molecule_embeddings",
    "evaluate_molecules",
    "finetune_by",
    "finetune_molecules",
    "molecule_protocol",
    "OgbScorer",
    "ogb_scorer",
    "raw_molecule_embeddings",
    "with_tuning",
    "LinearScores",
    "linear_scores",
    "Finetuned",
    "finetune",
    "fingerprint_scores",
    "forest_predictions",
    "morgan_fingerprints",
    "TargetScaler",
    "TaskScores",
    "masked_bce",
    "masked_mse",
    "task_average_precision",
    "task_rmse",
    "task_roc_auc",
    "Diagnostics",
    "Histogram",
    "collapse_of",
    "diagnose",
    "dimension_std",
    "effective_rank",
    "false_negative_rate",
    "similarity_histogram",
    "similarity_samples",
    "singular_values",
    "retrieval_precision",
    "grouped_folds",
    "wl_classes",
    "audit",
    "kmeans_scores",
    "knn_votes",
    "LinkScore",
    "LinkSplit",
    "hits_at",
    "link_score",
    "lift_of_one",
    "link_split",
    "mean_reciprocal_rank",
    "ogb_link_split",
    "LogisticFit",
    "fit_logistic",
    "compared_node_embeddings",
    "embed_nodes",
    "raw_node_embeddings",
    "untrained_init_node_embeddings",
    "untrained_node_embeddings",
    "SplitScore",
    "node_score",
    "NODE_PROTOCOLS",
    "NodeProtocol",
    "node_protocol",
    "with_splits",
    "NodeModel",
    "evaluate_links",
    "evaluate_nodes",
    "NodeSplit",
    "mask_splits",
    "node_split_hash",
    "node_splits",
    "random_splits",
    "SupervisedGCN",
    "COLUMNS",
    "Evaluation",
    "Fold",
    "FoldScore",
    "Lift",
    "Note",
    "PROTOCOLS",
    "Protocol",
    "Provenance",
    "Result",
    "cached",
    "is_cached",
    "collect_statistics",
    "compared_embeddings",
    "embed_graphs",
    "evaluate_embeddings",
    "fold_scores",
    "format_table",
    "holm",
    "kernel_fold_scores",
    "merge_results",
    "paired_lift",
    "profile",
    "protocol",
    "raw_embeddings",
    "raw_path",
    "read_results",
    "result_rows",
    "split_hash",
    "stratified_folds",
    "summarise",
    "untrained_embeddings",
    "untrained_init_embeddings",
    "with_folds",
    "wl_features",
    "wl_kernel",
    "write_results",
]
