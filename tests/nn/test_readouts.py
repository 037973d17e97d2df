"""The readouts against those of PyG."""

import pytest
import torch
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from graphcl.nn import max_readout, mean_readout, sum_readout

READOUTS = [(sum_readout, global_add_pool), (mean_readout, global_mean_pool), (max_readout, global_max_pool)]
readouts = pytest.mark.parametrize(("ours", "pyg"), READOUTS, ids=["sum", "mean", "max"])

BATCHES = [
    [0, 0, 1, 2, 2, 2],
    [2, 0, 1, 0, 2, 2],  # out of order
    [1, 1, 3, 3, 3, 3],  # graphs 0, 2 and 4 have no nodes
    [3, 1, 3, 1, 3, 3],
]


@readouts
@pytest.mark.parametrize("batch", BATCHES, ids=str)
class TestAgainstPyG:
    def test_value_and_gradient(self, ours, pyg, batch, generator):
        batch = torch.tensor(batch)
        x = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
        weight = torch.randn(5, 4, generator=generator, dtype=torch.float64)
        found, wanted = ours(x, batch, 5), pyg(x, batch, 5)
        torch.testing.assert_close(found, wanted)
        grads = (torch.autograd.grad(y, x, weight)[0] for y in (found, wanted))
        torch.testing.assert_close(*grads)

    def test_double_precision_gradient(self, ours, pyg, batch, generator):
        x = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: ours(x, torch.tensor(batch), 5), (x,))


@readouts
class TestEdges:
    def test_no_nodes(self, ours, pyg):
        assert ours(torch.ones(0, 3), torch.zeros(0, dtype=torch.int64), 2).tolist() == [[0.0] * 3] * 2

    def test_no_graphs(self, ours, pyg):
        assert ours(torch.ones(0, 3), torch.zeros(0, dtype=torch.int64), 0).shape == (0, 3)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
    def test_dtype_is_kept(self, ours, pyg, dtype):
        x = torch.tensor([[-1.0], [-3.0], [2.0]], dtype=dtype)
        y = ours(x, torch.tensor([0, 0, 1]), 2)
        assert y.dtype == dtype
        assert y[1].item() == 2.0

    def test_permutation_of_the_nodes(self, ours, pyg, generator):
        x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        batch = torch.randint(4, (20,), generator=generator)
        p = torch.randperm(20, generator=generator)
        torch.testing.assert_close(ours(x[p], batch[p], 4), ours(x, batch, 4))


def test_hand_computed():
    x, batch = torch.tensor([[-1.0], [-3.0], [2.0]]), torch.tensor([0, 0, 1])
    values = [readout(x, batch, 2).squeeze(1).tolist() for readout in (sum_readout, mean_readout, max_readout)]
    assert values == [[-4.0, 2.0], [-2.0, 2.0], [-1.0, 2.0]]
