"""The sparsified diffusions of a batch: small graphs all at once, large ones one by one."""

from typing import Literal

import numpy as np

from graphcl.augment._exact import exact
from graphcl.augment._kernels import Kernel
from graphcl.augment._matrices import Matrices
from graphcl.augment._push import push
from graphcl.augment._sparsify import Rule

__all__ = ["EXACT_UP_TO", "Method", "diffuse"]

Method = Literal["auto", "exact", "push"]
EXACT_UP_TO = 2048
"""The most nodes for which ``auto`` works with dense matrices."""


def diffuse(a: Matrices, kernel: Kernel, rule: Rule, *, method: Method, tolerance: float) -> Matrices:
    """The sparsified diffusion of each graph, entries ascending by row and column.

    The way is chosen by each graph's own size, so that no graph's result depends on the others.
    """
    limit = {"auto": EXACT_UP_TO, "exact": np.inf, "push": 0}[method]
    small = a.sizes <= limit
    if small.all():
        return exact(a, kernel, rule)
    large = np.flatnonzero(~small)
    parts = [exact(a.pick(np.flatnonzero(small)), kernel, rule)]
    parts += [push(a.pick(large[i : i + 1]), kernel, rule, tolerance) for i in range(large.size)]
    return Matrices.join(parts).pick(np.argsort(np.concatenate([np.flatnonzero(small), large])))
