"""New numbers by first occurrence, in the way of a CPU and in the way of any device."""

import pytest
import torch

from graphcl.data._numbering import Numbering


@pytest.fixture(params=[False, True], ids=["cpu", "anywhere"])
def numbering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Numbering:
    made = Numbering(10, torch.device("cpu"))
    if request.param:
        monkeypatch.setattr(
            made,
            "_first_place",
            lambda nodes: made._first_place_anywhere(nodes, torch.arange(len(nodes), dtype=torch.int32)),
        )
    return made


def test_nodes_are_numbered_as_they_come(numbering: Numbering) -> None:
    numbering.start(torch.tensor([7, 3, 7]))
    numbers, new = numbering.number(torch.tensor([5, 3, 0, 5, 7, 0]), 3)
    assert (numbers.tolist(), new.tolist()) == ([3, 1, 4, 3, 0, 4], [5, 0])
    numbers, new = numbering.number(torch.tensor([0, 9, 7]), 5)
    assert (numbers.tolist(), new.tolist()) == ([4, 5, 0], [9])
    numbers, new = numbering.number(torch.tensor([9]), 6)
    assert (numbers.tolist(), new.tolist()) == ([5], [])


def test_it_is_clean_afterwards(numbering: Numbering) -> None:
    numbering.start(torch.tensor([7, 3]))
    numbering.number(torch.tensor([5, 3]), 2)
    numbering.finish(torch.tensor([7, 3, 5]))
    numbering.start(torch.tensor([1]))
    numbers, new = numbering.number(torch.tensor([7, 1]), 1)
    assert (numbers.tolist(), new.tolist()) == ([1, 0], [7])


def test_it_equals_a_dictionary(numbering: Numbering) -> None:
    generator = torch.Generator().manual_seed(0)
    seeds = torch.randint(10, (3,), generator=generator)
    known: dict[int, int] = {}
    for place, node in enumerate(seeds.tolist()):
        known.setdefault(node, place)
    total = 3
    numbering.start(seeds)
    for _ in range(4):
        nodes = torch.randint(10, (6,), generator=generator)
        before, expected = total, []
        for node in nodes.tolist():
            if node not in known:
                known[node] = total
                total += 1
            expected.append(known[node])
        numbers, new = numbering.number(nodes, before)
        assert numbers.tolist() == expected
        assert new.tolist() == [node for node, number in known.items() if number >= before]
