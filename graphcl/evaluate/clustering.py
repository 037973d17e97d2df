"""k-means on embeddings, compared with the classes: every run counts, none is picked."""

import numpy as np

from graphcl.evaluate._checks import FloatArray, IntArray

__all__ = ["kmeans_scores"]


def kmeans_scores(
    embeddings: FloatArray, labels: IntArray, *, run: int, clusters: int | None = None
) -> dict[str, float]:
    """How well one run of k-means finds the classes.

    Args:
        embeddings: Rows [nodes, dimensions], scaled as the protocol says.
        labels: Classes [nodes].
        run: Number of the run, the seed of the start; ten starts (k-means++), of which the tightest clusters stay. No
            label takes part in that choice.
        clusters: Number of clusters; that of the classes when left out.

    Returns:
        ``nmi``, the normalised mutual information (arithmetic mean), and ``ari``, the adjusted Rand index.

    Raises:
        ValueError: More clusters than nodes, or a label is NaN.

    Example:
        >>> x = np.array([[0.0], [0.1], [5.0], [5.1]])
        >>> kmeans_scores(x, np.array([0, 0, 1, 1]), run=0)
        {'nmi': 1.0, 'ari': 1.0}

    Source: Lee et al., Augmentation-Free Self-Supervised Learning on Graphs, AAAI 2022 (k-means, NMI).
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    labels = np.asarray(labels)
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError("expected a class for every node, got NaN among them; leave those nodes out")
    number = len(np.unique(labels)) if clusters is None else clusters
    if not 1 <= number <= len(embeddings):
        raise ValueError(f"expected from 1 cluster to one per node ({len(embeddings)}), got {number} clusters")
    found = KMeans(n_clusters=number, n_init=10, random_state=run).fit_predict(embeddings)
    return {
        "nmi": float(normalized_mutual_info_score(labels, found)),
        "ari": float(adjusted_rand_score(labels, found)),
    }
