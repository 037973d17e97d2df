"""Keyed randomness: the known SplitMix64 stream, the same numbers on the host and in tensors, and their laws."""

import pytest
import torch
from scipy import stats

from graphcl._random import (
    _mix_,
    _mix_anywhere_,
    below,
    drawing_from,
    fold,
    hash_ids,
    normal,
    randint,
    seed_from,
    torch_seeded,
)

WORD = 2**64 - 1


def splitmix64(seed: int, count: int) -> list[int]:
    """The generator as its authors print it (Steele, Lea and Flood, OOPSLA 2014, figure 17), on unsigned integers."""
    numbers = []
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & WORD
        numbers.append(mix(seed))
    return numbers


def mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def signed(value: int) -> int:
    return value - 2**64 if value >> 63 else value


KEYS = [0, 1, 42, -1, 1234567, 2**62 - 1, -(2**63)]


def test_the_literal_generator_is_splitmix64() -> None:
    # The first outputs for seed 1234567, as published with the reference implementations.
    assert splitmix64(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("key", KEYS)
def test_hashes_are_the_outputs_of_splitmix64(key: int) -> None:
    expected = [signed(number) for number in splitmix64(key & WORD, 100)]
    assert hash_ids(key, torch.arange(1, 101)).tolist() == expected
    assert [fold(key, value) for value in range(100)] == expected


@pytest.mark.parametrize("key", KEYS)
def test_a_key_may_be_a_tensor(key: int) -> None:
    ids = torch.arange(-3, 50)
    assert torch.equal(hash_ids(torch.tensor(key), ids), hash_ids(key, ids))
    for value in (0, 1, 7, 2**40):
        for k, v in ((torch.tensor(key), value), (key, torch.tensor(value)), (torch.tensor(key), torch.tensor(value))):
            folded = fold(k, v)
            assert isinstance(folded, torch.Tensor)
            assert folded.shape == ()
            assert int(folded) == fold(key, value)


@pytest.mark.parametrize("shape", [(), (0,), (1000,), (3, 5)])
def test_every_device_mixes_alike(shape: tuple[int, ...]) -> None:
    numbers = hash_ids(8, torch.arange(1, torch.Size(shape).numel() + 1)).reshape(shape)
    expected = [signed(number) for number in (mix(number & WORD) for number in numbers.flatten().tolist())]
    for mixer in (_mix_, _mix_anywhere_):
        mixed = mixer(numbers.clone())
        assert mixed.shape == shape
        assert mixed.flatten().tolist() == expected


def test_a_key_per_element_broadcasts() -> None:
    keys, ids = torch.tensor([5, 6]), torch.arange(3)
    table = hash_ids(keys[:, None], ids)
    assert table.shape == (2, 3)
    assert [hash_ids(k, ids).tolist() for k in (5, 6)] == table.tolist()


def test_arguments_are_left_as_they_were() -> None:
    ids, keys, hashes = torch.arange(10), torch.arange(10), hash_ids(3, torch.arange(10))
    before = hashes.clone()
    hash_ids(keys, ids), fold(keys, 1), below(hashes, 0.5), randint(hashes, 3), normal(hashes)
    assert torch.equal(ids, torch.arange(10))
    assert torch.equal(keys, torch.arange(10))
    assert torch.equal(hashes, before)


def test_hashes_are_distinct_and_every_bit_is_fair() -> None:
    hashes = hash_ids(9, torch.arange(100_000))
    assert hashes.unique().numel() == 100_000
    ones = torch.stack([(hashes >> bit) & 1 for bit in range(64)]).sum(1)
    # 64 binomials of standard deviation 158: five of them is one chance in 30,000.
    assert (ones - 50_000).abs().max() < 5 * 158.2


def test_neighbouring_keys_and_ids_are_unrelated() -> None:
    ids = torch.arange(100_000)
    for a, b in ((hash_ids(0, ids), hash_ids(1, ids)), (hash_ids(0, ids), hash_ids(0, ids + 1))):
        pairs = torch.stack([randint(a, 10), randint(b, 10)])
        counts = torch.bincount(pairs[0] * 10 + pairs[1], minlength=100)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_below_is_true_at_its_rate(probability: float) -> None:
    hashes = hash_ids(1, torch.arange(100_000))
    hits = int(below(hashes, probability).sum())
    assert stats.binomtest(hits, 100_000, probability).pvalue > 1e-4
    assert torch.equal(below(hashes, torch.tensor(probability, dtype=torch.float64)), below(hashes, probability))


def test_below_is_exact_at_its_ends() -> None:
    hashes = torch.cat([hash_ids(1, torch.arange(1000)), torch.tensor([-1, 0, 2**63 - 1, -(2**63)])])
    assert not below(hashes, 0.0).any()
    assert below(hashes, 1.0).all()
    # The upper 53 bits count: a hash of half the range is the first that is not below one half.
    edge = torch.tensor([2**63 - 1, -(2**63)])
    assert below(edge, 0.5).tolist() == [True, False]
    assert below(torch.tensor([(1 << 11) - 1, 1 << 11]), 2.0**-53).tolist() == [True, False]


def test_below_takes_one_probability_per_element() -> None:
    hashes = hash_ids(2, torch.arange(20_000))
    rates = torch.tensor([0.0, 0.25, 1.0]).repeat_interleave(torch.tensor([100, 19_800, 100]))
    hits = below(hashes, rates)
    assert not hits[:100].any()
    assert hits[-100:].all()
    assert stats.binomtest(int(hits[100:-100].sum()), 19_800, 0.25).pvalue > 1e-4


@pytest.mark.parametrize("high", [1, 2, 7, 1000])
def test_randint_is_uniform(high: int) -> None:
    values = randint(hash_ids(4, torch.arange(100_000)), high)
    assert int(values.min()) >= 0
    assert int(values.max()) < high
    if high > 1:
        assert stats.chisquare(torch.bincount(values, minlength=high).numpy()).pvalue > 1e-4


def test_randint_takes_one_bound_per_element_and_negative_hashes() -> None:
    assert randint(torch.tensor([-1, -(2**63), 5, 5]), torch.tensor([10, 10, 1, 3])).tolist() == [
        (2**63 - 1) % 10,
        2**62 % 10,
        0,
        2,
    ]


def test_normal_is_standard_normal() -> None:
    values = normal(hash_ids(5, torch.arange(200_000)))
    assert values.dtype == torch.float32
    assert abs(float(values.mean())) < 4 / 200_000**0.5
    assert abs(float(values.var()) - 1) < 4 * (2 / 200_000) ** 0.5
    assert stats.kstest(values.double().numpy(), "norm").pvalue > 1e-4


def test_normal_reads_the_upper_sixteen_bits() -> None:
    low, same, median, high = normal(torch.tensor([0, (1 << 48) - 1, -(2**63), -1])).tolist()
    assert low == same == -high
    assert low < -4
    assert 0 < median < 1e-4
    assert normal(torch.arange(4)[:, None]).shape == (4, 1)


def test_seed_from_consumes_the_generator_and_nothing_else() -> None:
    before = torch.get_rng_state()
    draw = [seed_from(torch.Generator().manual_seed(7)) for _ in range(2)]
    assert draw[0] == draw[1]
    generator = torch.Generator().manual_seed(7)
    stream = [seed_from(generator) for _ in range(50)]
    assert stream[0] == draw[0]
    assert len(set(stream)) == 50
    assert all(0 <= seed < 2**62 for seed in stream)
    assert torch.equal(torch.get_rng_state(), before)


def test_seed_from_reads_the_default_generator_where_none_is_given() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        assert seed_from(None) == seed_from(torch.Generator().manual_seed(7))


def test_seeding_the_cpu_leaves_every_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    for name in ("manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, seeded.append)
    before = torch.get_rng_state()
    with torch_seeded(7):
        drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))
    assert torch.equal(torch.get_rng_state(), before)
    assert seeded == []


@pytest.mark.gpu
def test_a_gpu_that_is_named_is_seeded_and_given_back() -> None:
    device = torch.device("cuda", torch.cuda.current_device())
    before = torch.cuda.get_rng_state(device)
    with torch_seeded(7):
        assert torch.equal(torch.cuda.get_rng_state(device), before)
    drawn = []
    for _ in range(2):
        with torch_seeded(7, device):
            drawn.append(torch.rand(3, device=device))
    assert torch.equal(*drawn)
    assert torch.equal(torch.cuda.get_rng_state(device), before)


def test_seed_from_takes_no_number() -> None:
    with pytest.raises(TypeError, match=r"expected a torch.Generator, got 7; write torch.Generator\(\).manual_seed"):
        seed_from(7)  # type: ignore[arg-type]


def test_seeds_that_nobody_gives_follow_from_the_key_of_the_block():
    state = torch.get_rng_state()
    with drawing_from(lambda: 3):
        first = [seed_from(None) for _ in range(3)]
        with drawing_from(lambda: 4):
            other = seed_from(None)
        last = seed_from(None)
    assert torch.equal(torch.get_rng_state(), state)
    with drawing_from(lambda: 3):
        assert [seed_from(None) for _ in range(4)] == [*first, last]
    assert len({*first, other, last}) == 5
    with drawing_from(lambda: 3):
        given = [seed_from(torch.Generator().manual_seed(0)) for _ in range(2)]
    assert given[0] == given[1] == seed_from(torch.Generator().manual_seed(0))
