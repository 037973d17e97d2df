"""Prototypes stay on the sphere; k-means finds what is there."""

import pytest
import torch
from torch.nn import functional as F

from graphcl.losses import SwAV
from graphcl.nn import Prototypes, kmeans


class TestPrototypes:
    def test_scores_are_cosines(self, generator):
        prototypes, z = Prototypes(6, 5), torch.randn(4, 6, generator=generator)
        wanted = torch.stack(
            [torch.stack([torch.cosine_similarity(a, c, dim=0) for c in prototypes.weight]) for a in z]
        )
        torch.testing.assert_close(prototypes(z), wanted)

    def test_back_to_length_one_after_a_step(self, generator):
        prototypes = Prototypes(6, 5)
        torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.ones(5))
        optimizer = torch.optim.SGD(prototypes.parameters(), lr=1.0)
        z = torch.randn(8, 6, generator=generator)
        SwAV()(z, z, prototypes.weight).backward()
        optimizer.step()
        assert not torch.allclose(prototypes.weight.norm(dim=1), torch.ones(5))
        direction = F.normalize(prototypes.weight.detach())
        prototypes.normalise_()
        torch.testing.assert_close(prototypes.weight.detach(), direction)
        assert prototypes.weight.requires_grad

    def test_drawn_over_all_directions(self):
        assert Prototypes(3, 4000).weight.mean(0).abs().max() < 0.05

    @pytest.mark.parametrize(("channels", "count"), [(0, 3), (3, 1)])
    def test_refusals(self, channels, count):
        with pytest.raises(ValueError, match="expected channels >= 1 and num_prototypes >= 2"):
            Prototypes(channels, count)


def blobs(generator, clusters=4, each=30):
    centres = 10 * torch.eye(clusters, 5)
    return centres.repeat_interleave(each, 0) + torch.randn(clusters * each, 5, generator=generator)


class TestKMeans:
    def test_a_fixed_point_of_lloyd(self, generator):
        z = torch.randn(200, 3, generator=generator, dtype=torch.float64)
        centres, assignment = kmeans(z, 5, iterations=200)
        assert torch.equal(assignment, torch.cdist(z, centres).argmin(1))
        for k in range(5):
            torch.testing.assert_close(centres[k], z[assignment == k].mean(0))

    def test_each_round_tightens(self, generator):
        z = torch.randn(300, 4, generator=generator)

        def cost(iterations):
            centres, assignment = kmeans(z, 6, iterations=iterations)
            return (z - centres[assignment]).square().sum().item()

        costs = [cost(i) for i in (1, 2, 5, 20)]
        assert costs == sorted(costs, reverse=True)
        assert costs[-1] < 0.98 * costs[0]

    def test_finds_well_separated_clusters(self, generator):
        z = blobs(generator)
        best = min((kmeans(z, 4, key=key) for key in range(8)), key=lambda r: (z - r[0][r[1]]).square().sum().item())
        labels = best[1].view(4, 30)
        assert (labels == labels[:, :1]).all()
        assert labels[:, 0].unique().numel() == 4

    def test_far_from_the_origin(self, generator):
        z = blobs(generator)
        centres, assignment = kmeans(z + 10_000, 4)
        wanted = kmeans(z, 4)
        assert torch.equal(assignment, wanted[1])
        torch.testing.assert_close(centres - 10_000, wanted[0], atol=0.01, rtol=0)

    def test_keyed(self, generator):
        z = torch.randn(100, 3, generator=generator)
        assert torch.equal(kmeans(z, 7, key=1)[0], kmeans(z, 7, key=1)[0])
        assert not torch.equal(kmeans(z, 7, key=1)[0], kmeans(z, 7, key=2)[0])

    def test_by_blocks(self, generator, monkeypatch):
        z = torch.randn(50, 3, generator=generator)
        whole = kmeans(z, 4)
        monkeypatch.setattr("graphcl.nn.prototypes.PAIRS", 12)
        torch.testing.assert_close(kmeans(z, 4), whole)

    def test_equal_rows_and_as_many_clusters_as_rows(self):
        centres, assignment = kmeans(torch.ones(5, 2), 3)
        assert torch.equal(centres, torch.ones(3, 2))
        z = torch.tensor([[0.0], [1.0], [2.0]])
        centres, assignment = kmeans(z, 3)
        assert torch.equal(centres[assignment], z)

    @pytest.mark.parametrize(("rows", "clusters", "iterations"), [(2, 3, 1), (3, 0, 1), (3, 2, 0)])
    def test_refusals(self, rows, clusters, iterations):
        with pytest.raises(ValueError, match="expected (z of shape|num_clusters)"):
            kmeans(torch.ones(rows, 2), clusters, iterations=iterations)
