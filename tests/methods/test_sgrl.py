"""SGRL: scattering by hand, which term trains which encoder, and a target that follows."""

import copy

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Data

from graphcl.methods import SGRL, scattering
from graphcl.nn import GIN, GraphEncoder


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(12, (2, 24), generator=generator)
    return Data(
        x=torch.randn(12, 4, generator=generator), edge_index=torch.cat([edges, edges.flip(0)], 1).unique(dim=1)
    )


def make(**arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SGRL(GraphEncoder(GIN(4, 3, 2, norm="layer")), **arguments)


def literal_scattering(z):
    unit = [row / row.norm() for row in z]
    centre = sum(unit) / len(unit)
    return -sum(((row - centre) ** 2).sum() for row in unit) / len(unit)


class TestScattering:
    def test_is_that_of_the_paper(self):
        z = torch.randn(9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        torch.testing.assert_close(scattering(z), literal_scattering(z))

    def test_ends(self):
        z = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
        assert scattering(torch.cat([z, -z])).item() == pytest.approx(-1.0)
        assert scattering(torch.ones(5, 3)).item() == pytest.approx(0.0, abs=1e-6)

    def test_length_of_rows_is_of_no_account(self):
        z = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(scattering(z * torch.arange(1.0, 8)[:, None]), scattering(z))

    def test_gradient(self):
        z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(scattering, (z,))

    def test_low_precision_is_widened(self):
        assert scattering(torch.ones(4, 2, dtype=torch.bfloat16)).dtype == torch.float32


def test_loss_is_that_of_the_paper(data):
    method = make(power=2)
    with torch.no_grad():
        for parameter in method.target.module.parameters():
            parameter.mul_(1.3)
    h, t = method.encoder.encode(data).node, method.target.module.encode(data).node
    adjacency = torch.eye(12)
    for source, target in data.edge_index.T.tolist():
        adjacency[target, source] = 1
    scale = adjacency.sum(1).rsqrt()
    adjacency = scale[:, None] * adjacency * scale
    q = method.predictor(h + adjacency @ (adjacency @ h))
    wanted = literal_scattering(t) + 1 - F.cosine_similarity(q, t).mean()
    torch.testing.assert_close(method(data), wanted)


def test_each_term_trains_its_own_encoder(data):
    method = make()
    scattering(method.target.module.encode(data).node).backward()
    wanted = [p.grad.clone() for p in method.target.module.parameters()]
    method.zero_grad()
    method(data).backward()
    for parameter, gradient in zip(method.target.module.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert all(p.grad.isfinite().all() for p in method.encoder.parameters())


def test_target_moves_towards_the_online_encoder(data):
    method = make(momentum=0.9)
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(1.0)
    before = copy.deepcopy(method.target.module)
    method(data)
    method.after_step()
    for old, new in zip(before.parameters(), method.target.module.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)


def test_embeddings_are_those_that_are_predicted_from(data):
    method = make(power=1)
    found = method.embed(data)
    h = method.encoder.encode(data).node
    torch.testing.assert_close(make(power=0).embed(data).node, h)
    assert not torch.allclose(found.node, h)
    torch.testing.assert_close(found.graph, found.node.sum(0, keepdim=True))


def test_of_a_loaders_batch_the_seeds_count(data):
    method = make()
    q, t = method.predictor(method.represent(data).node)[:5], method.target.module.encode(data).node[:5]
    data.batch_size, data.n_id = 5, torch.arange(12)
    torch.testing.assert_close(method(data), scattering(t) + 1 - F.cosine_similarity(q, t).mean())


def test_wrong_powers_are_refused():
    with pytest.raises(ValueError, match="expected power of at least 0, got -1"):
        make(power=-1)
