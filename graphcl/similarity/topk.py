"""The k most similar keys of every query: retrieval, nearest neighbours, hard negatives."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphcl._arguments import check_choice, check_whole
from graphcl.similarity._checks import check_pairs, check_query_key
from graphcl.similarity._fold import SIMILARITIES, Folded, Similarity, fold
from graphcl.similarity._operators import tile_shape
from graphcl.similarity._pairs import Pairs, as_pairs
from graphcl.similarity._plan import make_plan
from graphcl.similarity._precision import full_precision
from graphcl.similarity.dense import barred_pairs
from graphcl.similarity.explain import DENSE_PAIRS
from graphcl.similarity.pairwise import pairwise

__all__ = ["topk"]


@torch.no_grad()
def topk(
    query: Float[Tensor, "m d"],
    key: Float[Tensor, "n d"] | None = None,
    k: int = 1,
    *,
    similarity: Similarity = "cosine",
    exclude: Sequence[tuple[Int[Tensor, " m"], Int[Tensor, " n"]]] = (),
    only: tuple[Int[Tensor, " m"], Int[Tensor, " n"]] | None = None,
    skip: Int[Tensor, "2 p"] | None = None,
    impl: Literal["auto", "dense", "tiled", "faiss"] = "auto",
) -> tuple[Float[Tensor, "m k"], Int[Tensor, "m k"]]:
    """The k most similar keys of each query among those that count for it, exact, most similar first.

    Equal similarities are ordered by index, the lower first, whatever the implementation. Those of equal keys may still
    differ in their last bit, by where the keys stand in a product. No gradient: to learn from the pairs found, compare
    ``query[:, None]`` with ``key[indices]``.

    Args:
        query: ``[M, D]``.
        key: ``[N, D]``; None compares the rows of the query among themselves, with themselves too unless excluded.
        k: How many.
        similarity: ``"cosine"``, ``"dot"`` or ``"euclidean"``, minus the squared distance.
        exclude: As in :func:`graphcl.similarity.logsumexp`.
        only: As in :func:`graphcl.similarity.logsumexp`.
        skip: As in :func:`graphcl.similarity.logsumexp`.
        impl: ``"dense"`` holds the M x N matrix, ``"tiled"`` a tile of it, ``"auto"`` chooses between them by size.
            ``"faiss"`` asks the library of that name (exact too, on the CPU, without pairs left out; ties are its own).

    Returns:
        Similarities ``[M, k]`` and indices of keys ``[M, k]``; queries with fewer than k keys end in -inf and -1.

    ``torch.compile`` breaks its graph here: leave out ``fullgraph=True`` around it.

    Raises:
        ValueError: Shapes, devices, names or k do not fit.
        TypeError: The inputs are not floating point.
        ImportError: faiss is asked for and not installed.

    Example:
        >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]])
        >>> own = torch.arange(3)
        >>> values, indices = topk(z, k=1, exclude=[(own, own)])
        >>> indices.tolist()
        [[2], [2], [0]]
    """
    keys = query if key is None else key
    check_query_key(query, keys)
    check_pairs(query, keys, exclude, only, skip)
    check_choice("similarity", similarity, SIMILARITIES)
    check_choice("impl", impl, ("auto", "dense", "tiled", "faiss"))
    k = check_whole("k", k, 1)
    if impl == "faiss":
        if exclude or only is not None or skip is not None:
            raise ValueError("expected no exclude, only or skip with impl='faiss', which cannot leave pairs out")
        return _faiss(query, keys, k, similarity)
    if impl == "dense" or (impl == "auto" and len(query) * len(keys) <= DENSE_PAIRS):
        scores = pairwise(query, key, similarity=similarity)
        scores.masked_fill_(barred_pairs(query, keys, exclude, only, skip), -torch.inf)
        values, indices = _greatest(scores, k)
        return _pad(values, indices, k)
    return _tiled(query, keys, k, similarity, as_pairs(query, keys, exclude, only, skip))


def _tiled(query: Tensor, key: Tensor, k: int, similarity: str, pairs: Pairs) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(torch.float32, torch.promote_types(query.dtype, key.dtype))
    rows, columns = tile_shape(query.device)
    with full_precision(query):
        folded = fold(query.to(dtype), key.to(dtype), torch.ones(1, dtype=dtype, device=query.device), similarity)
        plan = make_plan(len(query), len(key), pairs, triangle=False, rows=rows, columns=columns)
        values = query.new_full((len(query), k), -torch.inf, dtype=dtype)
        indices = torch.full((len(query), k), -1, device=query.device)
        for strip in plan.strips:
            mine = slice(strip.start, strip.stop)
            best, where = values[mine], indices[mine]
            for tile in strip.tiles:
                scores = _scores(folded, mine, slice(tile.start, tile.stop))
                plan.bar(scores, strip, tile, -torch.inf)
                found, place = _greatest(scores, k)
                # Those found before have lower indices and stand first: a stable sort keeps equal ones in that order.
                both, order = torch.cat([best, found], 1).sort(stable=True, dim=1, descending=True)
                best, where = both[:, :k], torch.cat([where, place + tile.start], 1).gather(1, order[:, :k])
            values[mine], indices[mine] = best, where
    return _pad(values, indices, k)


def _scores(folded: Folded, mine: slice, theirs: slice) -> Tensor:
    assert folded.key is not None
    scores = (folded.scale * folded.query[mine]) @ folded.key[theirs].T
    if folded.query_bias is not None and folded.key_bias is not None:
        scores.add_(folded.query_bias[0, mine, None]).add_(folded.key_bias[0, theirs]).clamp_(max=0)
    return scores


def _greatest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Up to k greatest of each row, equal ones by index. ``torch.topk`` alone picks any of equal ones."""
    width = scores.size(1)
    if k + 1 >= width:
        values, indices = scores.sort(stable=True, dim=1, descending=True)
        return values[:, :k], indices[:, :k]
    values, indices = scores.topk(k + 1, 1)
    tied = (values[:, k] == values[:, k - 1]) & ~values[:, k].isneginf()
    indices, order = indices[:, :k].sort(1)
    values, order = values[:, :k].gather(1, order).sort(stable=True, dim=1, descending=True)
    indices = indices.gather(1, order)
    rows = tied.nonzero()[:, 0]  # the next one is as great as the last: which of the equal ones came first?
    if len(rows):
        again, place = scores[rows].sort(stable=True, dim=1, descending=True)
        values[rows], indices[rows] = again[:, :k], place[:, :k]
    return values, indices


def _pad(values: Tensor, indices: Tensor, k: int) -> tuple[Tensor, Tensor]:
    missing = k - values.size(1)
    values = torch.nn.functional.pad(values, (0, missing), value=-torch.inf)
    return values, torch.nn.functional.pad(indices, (0, missing), value=-1).masked_fill(values.isneginf(), -1)


def _faiss(query: Tensor, key: Tensor, k: int, similarity: str) -> tuple[Tensor, Tensor]:
    try:
        import faiss
    except ImportError as error:
        raise ImportError("impl='faiss' needs faiss: pip install 'graphcl[ann]', or use impl='tiled'") from error
    if query.device.type != "cpu":
        raise ValueError(f"expected rows on the CPU with impl='faiss', got {query.device}")
    folded = fold(query.float(), key.float(), torch.ones(1), "dot" if similarity == "euclidean" else similarity)
    assert folded.key is not None
    index = (faiss.IndexFlatL2 if similarity == "euclidean" else faiss.IndexFlatIP)(query.size(1))
    index.add(folded.key.contiguous().numpy())
    found, place = index.search(folded.query.contiguous().numpy(), k)
    values, indices = torch.from_numpy(found), torch.from_numpy(place)
    return (-values if similarity == "euclidean" else values).masked_fill(indices < 0, -torch.inf), indices
