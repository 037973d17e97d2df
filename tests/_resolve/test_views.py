"""Views in words."""

import pytest

from graphcl._resolve import make_view
from graphcl.augment import AtomMask, BondDrop, Compose, RandomChoice, SubgraphRemove
from graphcl.errors import ConfigError


def test_views_in_words() -> None:
    view = make_view("atom-mask:0.25+bond-drop:0.25|subgraph-remove", "pyg")
    assert isinstance(view, RandomChoice) and isinstance(view.augmentations[0], Compose)
    mask, bonds = view.augmentations[0].augmentations
    assert (
        isinstance(mask, AtomMask) and isinstance(bonds, BondDrop) and isinstance(view.augmentations[1], SubgraphRemove)
    )
    assert (mask.vocab, mask.mask, view.augmentations[1].remove) == ("pyg", 0.25, 0.25)
    with pytest.raises(ConfigError, match="expected graphs made from SMILES"):
        make_view("atom-mask")
