"""What embeddings of graphs say by themselves: clusters against classes, and the nearest other graphs."""

import numpy as np

from graphcl.evaluate._checks import FloatArray, IntArray
from graphcl.evaluate._parts import PartScore
from graphcl.evaluate.clustering import kmeans_scores
from graphcl.evaluate.knn import unit
from graphcl.evaluate.protocols import Protocol
from graphcl.evaluate.retrieval import retrieval_precision

__all__ = ["kernel_rows", "score_run"]


def score_run(x: FloatArray, y: IntArray, protocol: Protocol, run: int) -> PartScore:
    """One run of a protocol that learns from no label."""
    if protocol.probe == "kmeans":
        return PartScore(kmeans_scores(unit(x), y, run=run))
    found = retrieval_precision(x, y, k=[int(k) for k in protocol.grid])
    return PartScore({f"precision@{k}": precision for k, precision in found.items()})


def kernel_rows(gram: FloatArray) -> FloatArray:
    """Vectors ``[n, r]`` whose products are the kernel, r its numerical rank; what a wrong sign of rounding adds goes.

    Example:
        >>> rows = kernel_rows(np.array([[1.0, 0.5], [0.5, 1.0]]))
        >>> (rows @ rows.T).round(6).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
    """
    values, vectors = np.linalg.eigh(gram)
    kept = values > len(gram) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    rows: FloatArray = vectors[:, kept] * np.sqrt(values[kept])
    return rows if kept.any() else np.zeros((len(gram), 1))
