"""Scaffold splits: no scaffold on two sides, always the same, and OGB's own splits to the last molecule."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from graphcl.data.scaffold import scaffold, scaffold_groups, scaffold_split, split_digest
from graphcl.data.tables import read_molecules

SMILES = [
    "CC(=O)Oc1ccccc1C(=O)O", "CCO", "c1ccc2ccccc2c1C", "C1CC1C(=O)NC2CCN(C)CC2", "Cc1ccccc1", "CC", "OC[C@@H]1CCCO1",
    "NC[C@H]1CCCO1", "O=C1CCCN1C", "c1ccccc1", "C1CCCCC1N", "C1CCCCC1", "c1ccncc1", "Fc1ccncc1", "CCCC", "C#N",
    "C[C@@H]1O[C@H]2C[C@@H]1CC2", "C[C@H]1O[C@H]2C[C@@H]1CC2", "c1ccccc1-c1ccccc1", "Cc1ccccc1-c1ccccc1C",
]  # fmt: skip


def test_scaffolds() -> None:
    assert [scaffold(text) for text in SMILES[:4]] == ["c1ccccc1", "", "c1ccc2ccccc2c1", "O=C(NC1CCNCC1)C1CC1"]
    assert scaffold("[CH3:7][c:1]1[cH:2][cH:3][cH:4][cH:5][cH:6]1") == "c1ccccc1"  # without atom-map numbers
    with pytest.raises(ValueError, match="expected a SMILES of a molecule, got 'xx'"):
        scaffold("xx")


def test_chirality_tells_scaffolds_apart() -> None:
    one, other = "C1C[C@@H]2CC[C@H]1O2", "C1C[C@H]2CC[C@H]1N2C"
    assert "@" in scaffold(one, chirality=True) and "@" not in scaffold(one)
    texts = ["CC1C[C@H]2CC[C@@H]1C2", "CC1C[C@@H]2CC[C@H]1C2", other]
    assert len(set(scaffold_groups(texts).tolist())) == 2
    decalins = ["C1CC[C@H]2CCCC[C@@H]2C1", "C1CC[C@H]2CCCC[C@H]2C1"]
    assert scaffold_groups(decalins).tolist() == [0, 0] and scaffold_groups(decalins, chirality=True).tolist() == [0, 1]


def test_groups_are_numbered_by_their_first_molecule() -> None:
    assert scaffold_groups(SMILES[:6]).tolist() == [0, 1, 2, 3, 0, 1]


GOLDEN = {
    ("ordered", 0): "f8052433fe15856f",
    ("balanced", 0): "883eb79d6d09972e",
    ("balanced", 1): "34d210a7d774c1bb",
    ("random", 0): "9b5dca76a7f4c011",
    ("random", 1): "a26cdc128d8d1408",
}


@pytest.mark.parametrize(("kind", "seed"), GOLDEN)
def test_golden(kind: Any, seed: int) -> None:
    split = scaffold_split(scaffold_groups(SMILES), train=0.6, valid=0.2, kind=kind, seed=seed)
    assert split_digest(split) == GOLDEN[kind, seed]


@given(
    groups=st.lists(st.integers(0, 6), min_size=1, max_size=60),
    kind=st.sampled_from(["ordered", "balanced", "random"]),
    seed=st.integers(0, 5),
)
def test_every_molecule_once_and_no_scaffold_twice(groups: list[int], kind: Any, seed: int) -> None:
    numbers = torch.tensor([*groups, *range(7, 17)])  # ten molecules alone with their scaffolds fill what is left
    groups = numbers.tolist()
    try:
        split = scaffold_split(numbers, train=0.5, valid=0.25, kind=kind, seed=seed)
    except ValueError:
        assume(condition=False)
    assert sorted(torch.cat(list(split.values())).tolist()) == list(range(len(groups)))
    sides = [set(numbers[positions].tolist()) for positions in split.values()]
    assert sum(map(len, sides)) == len(set().union(*sides))
    again = scaffold_split(numbers, train=0.5, valid=0.25, kind=kind, seed=seed)
    assert split_digest(again) == split_digest(split)


def literal_ordered(groups: list[int]) -> dict[str, list[int]]:
    """As the authors' code has it: groups sorted by size and first molecule, largest first; cutoffs at 80 and 90 %."""
    sets: dict[int, list[int]] = {}
    for i, group in enumerate(groups):
        sets.setdefault(group, []).append(i)
    train: list[int] = []
    valid: list[int] = []
    test: list[int] = []
    for members in sorted(sets.values(), key=lambda s: (len(s), s[0]), reverse=True):
        if len(train) + len(members) <= 0.8 * len(groups):
            train += members
        elif len(train) + len(valid) + len(members) <= 0.9 * len(groups):
            valid += members
        else:
            test += members
    return {"train": train, "valid": valid, "test": test}


@given(st.lists(st.integers(0, 30), min_size=30, max_size=80))
def test_ordered_equals_the_literal_loop(groups: list[int]) -> None:
    expected = literal_ordered(groups)
    if all(expected.values()):
        split = scaffold_split(torch.tensor(groups))
        assert {part: positions.tolist() for part, positions in split.items()} == expected


@pytest.mark.parametrize("kind", ["balanced", "random"])
def test_shares_are_kept_where_groups_are_small(kind: Any) -> None:
    groups = torch.arange(1000) // 2
    sizes = {part: len(p) for part, p in scaffold_split(groups, kind=kind).items()}
    assert sizes == {"train": 800, "valid": 100, "test": 100}
    one, other = (split_digest(scaffold_split(groups, kind=kind, seed=seed)) for seed in (0, 1))
    assert one != other


@pytest.mark.parametrize("kind", ["ordered", "balanced", "random"])
@pytest.mark.parametrize(
    ("train", "valid", "n", "sizes"),
    [
        (0.7, 0.1, 10, [7, 1, 2]),
        (0.7, 0.2, 100, [70, 20, 10]),
        (0.6, 0.3, 100, [60, 30, 10]),
        (0.57, 0.2, 100, [57, 20, 23]),
    ],
)
def test_whole_shares_are_whole_whatever_the_rounding(
    kind: Any, train: float, valid: float, n: int, sizes: Any
) -> None:
    split = scaffold_split(torch.arange(n), train=train, valid=valid, kind=kind)
    assert [len(positions) for positions in split.values()] == sizes


def test_a_large_group_trains_when_balanced() -> None:
    groups = torch.tensor([0] * 15 + list(range(1, 86)))
    for seed in range(5):
        assert set(range(15)) <= set(scaffold_split(groups, kind="balanced", seed=seed)["train"].tolist())


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"got none for train: of 4 molecules with 1 scaffolds"):
        scaffold_split(torch.tensor([0, 0, 0, 0]), kind="balanced", train=0.5, valid=0.2)
    with pytest.raises(ValueError, match="expected shares that leave some for the test"):
        scaffold_split(torch.arange(10), train=0.9, valid=0.1)
    with pytest.raises(ValueError, match="expected kind to be"):
        scaffold_split(torch.arange(10), kind="scaffold")  # type: ignore[arg-type]
    for wrong in (["CCO", "CC"], {True: torch.arange(10)}, torch.rand(10), torch.zeros(5, 2, dtype=torch.int64)):
        with pytest.raises(TypeError, match=r"expected groups as integers \[molecules\], got .*scaffold_groups"):
            scaffold_split(wrong)  # type: ignore[arg-type]


def test_a_row_that_is_no_molecule_is_named() -> None:
    with pytest.raises(TypeError, match="a list of SMILES, got one text 'CCO'"):
        scaffold_groups("CCO")
    assert scaffold_groups(text for text in ("CCO", "c1ccccc1")).tolist() == [0, 1]
    with pytest.raises(ValueError, match="row 1: expected a SMILES of a molecule, got 'C1CC'"):
        scaffold_groups(["CCO", "C1CC"])
    with pytest.raises(ValueError, match="row 1: expected a SMILES of a molecule, got None"):
        scaffold_groups(["CCO", None])
    for empty in ("", " "):
        with pytest.raises(ValueError, match=f"row 0: expected a SMILES of a molecule, got '{empty}'"):
            scaffold_groups([empty, empty])


def test_a_digest_is_of_positions_in_whatever_holds_them() -> None:
    split = {"train": torch.tensor([2, 0]), "valid": torch.tensor([1]), "test": torch.tensor([3])}
    digest = split_digest(split)
    for like in (np.asarray, torch.Tensor.tolist, lambda positions: positions.int()):
        assert split_digest({part: like(positions) for part, positions in split.items()}) == digest
    assert split_digest(split | {"valid": []}) == split_digest(split | {"valid": torch.arange(0)})
    mask = torch.tensor([True, False, True, False])
    for masked in (mask, mask.numpy(), mask.tolist()):
        with pytest.raises(TypeError, match=r"under 'train' as whole numbers, got bool; write mask.nonzero"):
            split_digest(split | {"train": masked})
    with pytest.raises(TypeError, match="under 'test' as whole numbers, got float64"):
        split_digest(split | {"test": [3.0]})


def test_a_group_may_have_any_number() -> None:
    groups = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 3])
    for part, positions in scaffold_split(groups).items():
        assert torch.equal(positions, scaffold_split(groups - 1)[part])  # -1 is a group like any other


@pytest.mark.parametrize("name", ["bace", "bbbp", "esol", "freesolv"])
def test_the_ordered_split_with_chirality_is_that_of_ogb(graphcl_home: Path, name: str) -> None:
    folder = graphcl_home / "ogb" / f"ogbg_mol{name}"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    theirs = {}
    for part in ("train", "valid", "test"):
        with gzip.open(folder / "split" / "scaffold" / f"{part}.csv.gz", "rt") as file:
            theirs[part] = torch.tensor([int(line) for line in file])
    smiles = read_molecules(folder / "mapping" / "mol.csv.gz").smiles
    ours = scaffold_split(scaffold_groups(smiles, chirality=True))
    assert split_digest(ours) == split_digest(theirs)
    known = {"bace": ("6b6221a039a21b99", "a8e354bad9e7abd9"), "bbbp": ("ef2bde4419a93994", "1bf55f77f6d124d9")}
    if name in known:
        without = split_digest(scaffold_split(scaffold_groups(smiles)))
        assert (split_digest(ours), without) == known[name]
