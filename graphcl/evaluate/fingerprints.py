"""What Morgan fingerprints and a random forest score: the trivial row beside every encoder of molecules, and strong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcl._rdkit import any_molecule
from graphcl.data._featurise import texts_of
from graphcl.evaluate._checks import FloatArray, to_numpy
from graphcl.evaluate._labels import scorable
from graphcl.evaluate._positions import check_split
from graphcl.evaluate.multitask import Judge, TaskScores, judge_of

__all__ = ["fingerprint_scores", "forest_predictions", "morgan_fingerprints"]


def morgan_fingerprints(
    smiles: Sequence[str], *, radius: int = 2, bits: int = 2048, counts: bool = False
) -> NDArray[np.uint8]:
    """Folded Morgan fingerprints, which with radius 2 are known as ECFP4.

    A molecule with a valence that RDKit does not know, such as OGB's sets have, is taken without that check.

    Args:
        smiles: N SMILES.
        radius: Bonds around each atom.
        bits: B.
        counts: How often each feature occurs (at most 255) rather than whether.

    Returns:
        ``[N, B]`` uint8.

    Raises:
        ValueError: RDKit reads no molecule in one of them.
        TypeError: The SMILES are a single text.
        ImportError: RDKit is not installed.

    Example:
        >>> morgan_fingerprints(["CCO", "OCC"], bits=64).sum(1)
        array([6, 6], dtype=uint64)

    Source: Rogers and Hahn, "Extended-Connectivity Fingerprints", Journal of Chemical Information and Modeling 50,
    2010.
    """
    try:
        from rdkit import rdBase
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise ImportError("fingerprints need RDKit; install it with: pip install 'graphcl[molecules]'") from error
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=int(radius), fpSize=int(bits))
    of = generator.GetCountFingerprintAsNumPy if counts else generator.GetFingerprintAsNumPy
    given = smiles if isinstance(smiles, str) else list(smiles)
    texts = texts_of(given)
    prints = np.zeros((len(texts), bits), dtype=np.uint8)
    with rdBase.BlockLogs():
        for row, text in enumerate(texts):
            molecule = any_molecule(text) if text is given[row] else None
            if molecule is None:
                raise ValueError(f"expected SMILES of molecules, got {given[row]!r} in row {row}")
            np.minimum(of(molecule), 255, out=prints[row], casting="unsafe")
    return prints


def forest_predictions(
    features: Any, y: Any, train: Any, *, classification: bool, seed: int = 0, trees: int = 500, n_jobs: int = 1
) -> FloatArray:
    """What a random forest per task, fitted on its measured labels in the training part, says of all molecules.

    Args:
        features: ``[N, F]``.
        y: ``[N, T]``, NaN for what was not measured.
        train: Positions of the training part.
        classification: Whether labels are classes 0 and 1, of which the probability of 1 is predicted.
        seed: Of the forests.
        trees: In each forest.
        n_jobs: Threads to share the trees.

    Returns:
        ``[N, T]`` float64. A task of one class in the training part has that class throughout, one without any label 0.

    Example:
        >>> x, y = np.eye(4).repeat(5, 0), np.repeat([[0.0], [1.0], [0.0], [1.0]], 5, 0)
        >>> forest_predictions(x, y, np.arange(20), classification=True, trees=20)[5:].round()[[0, 5]].tolist()
        [[1.0], [0.0]]
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    x, labels, rows = to_numpy(features), to_numpy(y).astype(np.float64), to_numpy(train)
    out = np.zeros(labels.shape)
    make = RandomForestClassifier if classification else RandomForestRegressor
    for task, column in enumerate(labels.T):
        known = rows[~np.isnan(column[rows])]
        values = np.unique(column[known])
        if len(values) < 2:
            out[:, task] = values[0] if len(values) else 0.0
            continue
        forest = make(n_estimators=trees, random_state=seed, n_jobs=n_jobs)
        forest.fit(x[known], column[known])
        out[:, task] = forest.predict_proba(x)[:, 1] if classification else forest.predict(x)
    return out


def fingerprint_scores(
    smiles: Sequence[str],
    y: Any,
    split: Mapping[str, Any],
    *,
    classification: bool,
    seed: int = 0,
    trees: int = 500,
    n_jobs: int = 1,
    score: Judge | None = None,
) -> dict[str, TaskScores]:
    """ROC-AUC (classification) or RMSE of a random forest on Morgan fingerprints, on ``valid`` and ``test``.

    Nothing is chosen here, so the validation part is not used.

    Args:
        smiles: N SMILES, as a data set's ``smiles``.
        y: ``[N, T]``, NaN for what was not measured.
        split: Positions under ``train``, ``valid`` and ``test``.
        classification: Whether labels are classes 0 and 1.
        seed: Of the forests.
        trees: In each forest.
        n_jobs: Threads to share the trees.
        score: How a part is scored, from labels and predictions ``[N, T]``; ROC-AUC or RMSE by default.

    Raises:
        ValueError: No task can be scored on a part (:func:`graphcl.evaluate.task_roc_auc`), the training part has no
            label, shapes differ, or parts of the split are masks, overlap or point outside.

    Example:
        >>> smiles = ["C" * n + end for n in range(1, 11) for end in ("O", "N")]
        >>> y = np.array([[0.0], [1.0]] * 10)
        >>> split = {"train": range(12), "valid": range(12, 16), "test": range(16, 20)}
        >>> fingerprint_scores(smiles, y, split, classification=True, trees=20)["test"].mean
        1.0
    """
    labels = to_numpy(y).astype(np.float64)
    if labels.ndim != 2 or len(labels) != len(smiles):
        raise ValueError(f"expected labels of shape [{len(smiles)}, tasks], got {list(labels.shape)}")
    parts = check_split(split, len(labels))
    labels = scorable(labels, parts, classification=classification)
    features = morgan_fingerprints(smiles)
    said = forest_predictions(
        features, labels, parts["train"], classification=classification, seed=seed, trees=trees, n_jobs=n_jobs
    )
    score = judge_of(score, classification=classification)
    return {part: score(labels[parts[part]], said[parts[part]]) for part in ("valid", "test")}
