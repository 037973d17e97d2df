"""The algorithm across ranks: the rows of the others come by, and every rank works out the gradient of its own.

A row that is a key of others is pulled by each of them with a weight that takes two numbers, the log-sum and its
gradient, so only those travel in the backward pass (and with the ring, the rows once more). No gradient of a row ever
does.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphcl.distributed import all_gather_rows, rank, ring
from graphcl.similarity import _operators
from graphcl.similarity._pairs import Pairs
from graphcl.similarity._plan import is_symmetric

__all__ = ["sums_across"]


def sums_across(
    query: Tensor,
    key: Tensor | None,
    scale: Tensor,
    query_groups: Tensor,
    key_groups: Tensor,
    counts: list[list[int]],
    *,
    columns: bool,
    way: str,
    precision: str,
) -> tuple[Tensor, Tensor]:
    """Log-sums ``[S, M]`` of the own queries over all ranks' keys, and with ``columns`` ``[S, N]`` of the own keys.

    Args:
        query: ``[M, D]``, normalised and scaled as the similarity wants it.
        key: ``[N, D]``; None compares all ranks' queries among themselves.
        scale: ``[S]``.
        query_groups: ``[E, M]``; a pair whose groups are alike in one of the E is left out.
        key_groups: ``[E, N]``.
        counts: The rows of the query and of the key on each rank.
        columns: Whether the sums over the queries are wanted, too.
        way: ``"gather"`` or ``"ring"``.
        precision: ``"float32"`` or ``"bf16"``.
    """
    result: tuple[Tensor, Tensor] = _Across.apply(  # type: ignore[no-untyped-call]
        query, key, scale, query_groups, key_groups, counts, columns, way, precision
    )
    return result


class _Side(NamedTuple):
    """The rows of one kind (queries, keys, or both in one), and how those of all ranks come by."""

    rows: Tensor  # [n, D], this rank's
    groups: Tensor  # [G, n]
    counts: list[int]  # n on each rank
    held: tuple[Tensor, Tensor] | None  # rows and groups [N, G] of all ranks; None with the ring

    def blocks(self, state: Tensor | None = None) -> Iterator[tuple[bool, Tensor, Tensor, Tensor]]:
        """Rows, groups and state ``[T, n]`` of all ranks in blocks, each with whether it is this rank's own."""
        state = self.rows.new_empty(0, len(self.rows)) if state is None else state
        if self.held is None:
            for step, (rows, groups, more) in enumerate(ring(self.rows, self.groups.T, state.T, counts=self.counts)):
                yield step == 0, rows, groups.T, more.T
            return
        every_row, every_group = self.held
        every_state = all_gather_rows(state.T, counts=self.counts)
        start = sum(self.counts[: rank()])
        stop = start + self.counts[rank()]
        for own, part in ((False, slice(0, start)), (True, slice(start, stop)), (False, slice(stop, None))):
            yield own, every_row[part], every_group[part].T, every_state[part].T


def _side(rows: Tensor, groups: Tensor, counts: list[int], way: str) -> _Side:
    if way == "ring":
        return _Side(rows, groups, counts, None)
    return _Side(rows, groups, counts, (all_gather_rows(rows, counts=counts), all_gather_rows(groups.T, counts=counts)))


class _Own(NamedTuple):
    """This rank's rows in one role, and what is summed over others for them. No autograd in here."""

    rows: Tensor  # [n, D]
    groups: Tensor  # [E, n]
    scale: Tensor  # [S]
    precision: str

    def _pairs(self, others: Tensor | None, groups: Tensor) -> Pairs:
        keys = self.rows if others is None else others
        own, other, listed = (groups.new_empty(shape) for shape in ((0, len(self.rows)), (0, len(keys)), (2, 0)))
        return Pairs(self.groups, groups, own, other, listed)

    def sums(self, others: Tensor | None, groups: Tensor) -> Tensor:
        """Log-sums ``[S, n]`` over other rows; None for the own ones, in the role of keys."""
        pairs = self._pairs(others, groups)
        return _operators.logsumexp(self.rows, others, self.scale, None, None, *pairs, False, self.precision)[0]

    def pull(
        self, others: Tensor | None, groups: Tensor, row: Tensor | None, column: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The gradients of the own rows and of the scale.

        ``row`` holds the log-sums of the own rows over the others, then the gradients of these log-sums, ``[2S, n]``;
        ``column`` those of the others over the own rows. None where there are none.
        """
        s = len(self.scale)
        sums, grads = (self.rows.new_zeros(2 * s, len(self.rows)) if row is None else row).split(s)
        other_sums, other_grads = (self.rows.new_empty(2 * s, 0) if column is None else column).split(s)
        return _operators.logsumexp_backward(
            grads,
            other_grads,
            sums,
            other_sums,
            self.rows,
            others,
            self.scale,
            None,
            None,
            *self._pairs(others, groups),
            column is not None,
            self.precision,
            True,
            False,
            True,
        )[0:3:2]


def _total(own: _Own, side: _Side, *, among: bool) -> Tensor:
    """Log-sums of the own rows over all ranks' keys; ``among``: the own rows are keys, each pair reckoned once."""
    total = own.rows.new_full((len(own.scale), len(own.rows)), -torch.inf)
    for mine, rows, groups, _ in side.blocks():
        if len(rows) and len(own.rows):
            total = torch.logaddexp(total, own.sums(None if mine and among else rows, groups[-len(own.groups) :]))
    return total


def _pull_between(own: _Own, side: _Side, row: Tensor | None, column: Tensor | None) -> tuple[Tensor, Tensor]:
    """The gradients of rows of one kind that meet those of another."""
    total, scale = torch.zeros_like(own.rows), torch.zeros_like(own.scale)
    for _, rows, groups, state in side.blocks(column):
        if len(rows) and len(own.rows):
            more, share = own.pull(rows, groups, row, None if column is None else state)
            total += more
            scale += share
    return total, scale


def _pull_among(own: _Own, key_groups: Tensor, side: _Side, row: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of rows that meet rows of their own kind: each pulls as a query and is pulled as a key."""
    total, scale = torch.zeros_like(own.rows), torch.zeros_like(own.scale)
    as_key = own._replace(groups=key_groups)
    for mine, rows, groups, state in side.blocks(row):
        if not len(rows) or not len(own.rows):
            continue
        as_query, as_keys = groups.split(len(key_groups)) if len(groups) else (groups, groups)
        if mine:
            more, share = own.pull(None, as_keys, row, None)
        else:
            if _bars_alike(own.groups, key_groups, as_query, as_keys):
                more, share = own.pull(rows, as_keys, row, state)
            else:
                pulls = own.pull(rows, as_keys, row, None), as_key.pull(rows, as_query, None, state)
                more, share = pulls[0][0] + pulls[1][0], pulls[0][1] + pulls[1][1]
            share = share / 2  # the ranks of both rows have it
        total += more
        scale += share
    return total, scale


def _bars_alike(query: Tensor, key: Tensor, other_query: Tensor, other_key: Tensor) -> bool:
    """Whether own row i as a query is barred from other row j exactly if j as a query is from i."""
    none = query.new_empty(0, 0)
    both = Pairs(torch.cat([query, other_query], 1), torch.cat([key, other_key], 1), none, none, query.new_empty(2, 0))
    return is_symmetric(both, 0)


class _Across(torch.autograd.Function):
    """Log-sums of the own queries over the keys of all ranks, and of the own keys over the queries of all ranks."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor | None,
        scale: Tensor,
        query_groups: Tensor,
        key_groups: Tensor,
        counts: list[list[int]],
        columns: bool,
        way: str,
        precision: str,
    ) -> tuple[Tensor, Tensor]:
        others = query.new_empty(len(scale), 0)
        if key is None:
            # A row is a query and a key: its groups in both roles travel with it.
            sides = [_side(query, torch.cat([query_groups, key_groups]), counts[0], way)]
        else:
            if key is query:  # rows of two kinds, whatever they hold
                key = query.detach()
            sides = [_side(key, key_groups, counts[1], way)]
            if columns:
                sides.append(_side(query, query_groups, counts[0], way))
                others = _total(_Own(key, key_groups, scale, precision), sides[1], among=False)
        rows = _total(_Own(query, query_groups, scale, precision), sides[0], among=key is None)
        held = [tensor for side in sides for tensor in side.held or ()]
        ctx.save_for_backward(query, key, scale, query_groups, key_groups, rows, others, *held)
        ctx.counts, ctx.columns, ctx.way, ctx.precision = counts, columns, way, precision
        return rows, others

    @staticmethod
    def backward(ctx: Any, row_grad: Tensor, column_grad: Tensor) -> tuple[Tensor | None, ...]:
        with torch.no_grad():
            grads = _Across.gradients(ctx, row_grad, column_grad)
        if torch.is_grad_enabled():
            query, key, scale = ctx.saved_tensors[:3]
            grads = [None if g is None else _refusing(g, query, key, scale, row_grad, column_grad) for g in grads]
        return *grads, None, None, None, None, None, None

    @staticmethod
    def gradients(ctx: Any, row_grad: Tensor, column_grad: Tensor) -> list[Tensor | None]:
        """Those of the query, the key and the scale."""
        query, key, scale, query_groups, key_groups, rows, others, *held = ctx.saved_tensors
        first, second = tuple(held[:2]) or None, tuple(held[2:]) or None
        row, column = torch.cat([rows, row_grad]), torch.cat([others, column_grad]) if ctx.columns else None
        own = _Own(query, query_groups, scale, ctx.precision)
        needs = ctx.needs_input_grad
        query_grad = key_grad = scale_grad = None
        if key is None:
            side = _Side(query, torch.cat([query_groups, key_groups]), ctx.counts[0], first)
            query_grad, scale_grad = _pull_among(own, key_groups, side, row)
        else:
            if needs[0] or needs[2]:
                side = _Side(key, key_groups, ctx.counts[1], first)
                query_grad, scale_grad = _pull_between(own, side, row, column)
            if needs[1]:
                side = _Side(query, query_groups, ctx.counts[0], second)
                if second is None:
                    side = _side(query, query_groups, ctx.counts[0], ctx.way)
                key_grad, _ = _pull_between(_Own(key, key_groups, scale, ctx.precision), side, column, row)
        return [query_grad, key_grad, scale_grad]


def _refusing(grad: Tensor, *others: Tensor | None) -> Tensor:
    result: Tensor = _Refusal.apply(grad, *others)  # type: ignore[no-untyped-call]
    return result


class _Refusal(torch.autograd.Function):
    """A gradient as it is, with an error where one of its own is asked for: it depends on ``others``."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, *others: Tensor | None) -> Tensor:
        return grad.view_as(grad)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> None:
        raise RuntimeError(
            "expected one derivative across ranks, got a request for a second one, which they do not have"
        )
