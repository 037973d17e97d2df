"""Contrast across processes: the rank, rows and sums gathered from all ranks with their gradient, and a ring.

Start one process for each device by ``torchrun`` and open the process group; the losses do the rest::

    # torchrun --nproc-per-node=4 pretrain.py
    torch.distributed.init_process_group()
    encoder = torch.nn.parallel.DistributedDataParallel(encoder)
    loss = NTXent(temperature=0.2, across_ranks=True)
    loss(encoder(view1), encoder(view2)).backward()  # the gradient of one process with all the rows

A loss without ``across_ranks`` is right too where every rank computes it in full over the rows of all,
``loss(all_gather_rows(z1), all_gather_rows(z2))``: W times the work, but the same gradient. That is what methods do
inside :func:`one_batch`, as :func:`graphcl.train.fit` calls them; every rank encodes its own graphs alone::

    with one_batch():
        loss = method(batch)  # of the graphs of all ranks
    loss.backward()  # averaged over the ranks, the gradient of one process

Every rank must make the same calls in the same order, and run the backward pass if any does: a rank that stays away
lets the others wait until the time limit of the process group. A learnable temperature belongs into the module that is
wrapped in ``DistributedDataParallel``, like every other weight. Built on the public functions of ``torch.distributed``
alone.
"""

from graphcl.distributed.joined import (
    is_one_batch,
    is_part,
    joined_groups,
    joined_rows,
    mean_over_ranks,
    one_batch,
    own_rows,
    rows_before,
    sum_over_ranks,
)
from graphcl.distributed.rows import all_gather_rows, rank, ring, row_counts, world

__all__ = [
    "all_gather_rows",
    "is_one_batch",
    "is_part",
    "joined_groups",
    "joined_rows",
    "mean_over_ranks",
    "one_batch",
    "own_rows",
    "rank",
    "ring",
    "row_counts",
    "rows_before",
    "sum_over_ranks",
    "world",
]
