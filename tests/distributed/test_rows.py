"""The gather and the ring, in one process and in two."""

import pytest
import torch
import torch.distributed as dist

from graphcl.distributed import all_gather_rows, rank, ring, row_counts, world

COUNTS = ([2, 2], [3, 1], [0, 4], [0, 0])
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


class TestOneProcess:
    def test_is_the_only_rank(self):
        assert (rank(), world()) == (0, 1)

    def test_gathers_itself_without_a_copy(self):
        z = torch.randn(3, 2, requires_grad=True)
        assert all_gather_rows(z) is z
        assert row_counts(z) == [3]

    def test_the_ring_is_itself(self):
        z, ids = torch.randn(3, 2), torch.arange(3)
        ((rows, numbers),) = ring(z, ids, counts=[3])
        assert torch.equal(rows, z)
        assert torch.equal(numbers, ids)

    @pytest.mark.parametrize("counts", [[2], [3, 0], []])
    def test_refuses_the_counts_of_others(self, counts):
        with pytest.raises(ValueError, match="expected the rows of 1 ranks, 3 of them here"):
            all_gather_rows(torch.ones(3, 2), counts=counts)

    def test_refuses_a_number(self):
        with pytest.raises(ValueError, match=r"expected rows \[N, ...\], got a single number"):
            all_gather_rows(torch.tensor(1.0))


def rows_of(r, count, dtype=torch.float64):
    return (torch.arange(3.0 * count).view(count, 3) + 100 * r).to(dtype)


def gather_everything(_):
    """What rank r sees for rows that differ by rank, and the gradient where rank r weighs all rows by r + 1."""
    me, results = rank(), []
    for counts in COUNTS:
        for dtype in DTYPES:
            z = rows_of(me, counts[me], dtype).requires_grad_()
            everything = all_gather_rows(z)
            factor = torch.arange(float(everything.numel())).view_as(everything).to(dtype)
            ((me + 1) * factor * everything).sum().backward()
            results.append((everything.detach(), z.grad))
    return results


def go_round(_):
    me, results = rank(), []
    for counts in COUNTS:
        z = rows_of(me, counts[me])
        ids = torch.full((counts[me],), me)
        results.append([torch.cat([b[0], b[1][:, None]], 1) for b in ring(z, ids, counts=counts)])
    integers = all_gather_rows(torch.arange(2 + me)), all_gather_rows(torch.tensor([True] * (1 + me)))
    return results, integers


def differentiate_twice(_):
    z = torch.full((1 + rank(), 1), 2.0 + rank(), dtype=torch.float64, requires_grad=True)
    everything = all_gather_rows(z)
    (first,) = torch.autograd.grad((everything**3).sum(), z, create_graph=True)
    first.square().sum().backward()
    return first.detach(), z.grad


def disagree(_):
    said = []
    for z in (torch.ones(2, 3 + rank()), torch.ones(2, *[3] * (1 + rank()))):
        try:
            all_gather_rows(z)
        except ValueError as error:
            said.append(str(error))
    try:
        all_gather_rows(torch.ones(2, 3, dtype=(torch.float32, torch.float64)[rank()]))
    except TypeError as error:
        said.append(str(error))
    dist.barrier()  # the group is still in step
    return said


def all_of_them(inputs):
    return [program(inputs) for program in (gather_everything, go_round, differentiate_twice, disagree)]


def test_two_processes(ranks):
    results = ranks(all_of_them, 2, None)
    for me, (gathered, (rounds, (numbers, truths)), (first, second), said) in enumerate(results):
        cases = iter(gathered)
        for counts in COUNTS:
            for dtype in DTYPES:
                everything, grad = next(cases)
                expected = torch.cat([rows_of(r, n, dtype) for r, n in enumerate(counts)])
                assert everything.dtype == grad.dtype == dtype
                assert torch.equal(everything, expected)
                # Both ranks weigh all rows: by 1 and by 2, so 3 together.
                factor = torch.arange(float(expected.numel())).view_as(expected)
                torch.testing.assert_close(grad, (3 * factor).split(counts)[me].to(dtype))
        for counts, blocks in zip(COUNTS, rounds, strict=True):
            for step, block in enumerate(blocks):
                source = (me - step) % 2
                expected = rows_of(source, counts[source])
                assert torch.equal(block, torch.cat([expected, torch.full((len(expected), 1), source)], 1))
        assert numbers.tolist() == [0, 1, 0, 1, 2]
        assert truths.tolist() == [True] * 3
        # Each rank sums z^3 over all rows: 2 x 3 z^2, whose square, 36 z^4, has the derivative 144 z^3. Each rank's
        # backward pass of its own rows' squares reaches both ranks' cubes.
        z = 2.0 + me
        torch.testing.assert_close(first, torch.full_like(first, 6 * z**2))
        torch.testing.assert_close(second, torch.full_like(second, 144 * z**3))
        assert "one width on all ranks, got widths [3, 4] in [2, 2] dimensions" in said[0]
        assert "in [2, 3] dimensions" in said[1]
        assert "one dtype on all ranks" in said[2]
