"""Recipes on molecules: their papers' numbers, and methods that train there or say why not."""

import pytest
import torch

from graphcl._recipes import METHODS, NOT_ON_MOLECULES, recipe, settings_for
from graphcl._resolve import make_encoder, make_method
from graphcl.data import from_smiles_list
from graphcl.errors import ConfigError
from graphcl.losses import NTXent
from graphcl.nn import MoleculeEncoder
from graphcl.train import fit

SMILES = [f"{'C' * (1 + i % 5)}{'ON'[i % 2]}C{ring}" for ring in ("c1ccccc1", "C1CCNCC1", "c1ccsc1") for i in range(6)]


def test_recipes_have_their_papers_numbers() -> None:
    molclr = settings_for("molclr", vocab="ogb")
    assert (molclr["temperature"], molclr["batch_size"], molclr["hidden"], molclr["layers"]) == (0.1, 512, 300, 5)
    method = make_method({**molclr, "seed": 0}, 9)
    assert isinstance(method.loss, NTXent) and method.loss.temperature == 0.1 and recipe("molclr").name == "MolCLR"
    chosen = settings_for("graphcl", vocab="ogb")
    assert (chosen["temperature"], chosen["epochs"], chosen["batch_size"], chosen["lr"]) == (0.1, 100, 256, 1e-3)
    assert settings_for("graphcl", vocab="hu2020")["views"] == ["node-drop:0.2|subgraph:0.8"] * 2
    encoder = make_encoder({**chosen, "virtual_node": True, "conv": "gcn", "hidden": 8}, 9).gnn
    assert isinstance(encoder, MoleculeEncoder) and encoder.conv == "gcn" and encoder.virtual is not None


@pytest.mark.parametrize("name", [name for name, known in METHODS.items() if not known.needs or name == "molclr"])
def test_every_method_trains_on_molecules_or_says_why_not(name: str) -> None:
    if name in NOT_ON_MOLECULES:
        with pytest.raises(ConfigError, match=f"expected a method for molecules, got {name}, which"):
            settings_for(name, vocab="ogb")
        return
    pytest.importorskip("rdkit", reason="needs the extra molecules")
    small = {"hidden": 8, "layers": 2, "seed": 0}
    method = make_method({**settings_for(name, vocab="ogb"), **small}, 9, total_steps=3)
    fit(method, from_smiles_list(SMILES), epochs=1, batch_size=16)
    assert all(bool(torch.isfinite(p).all()) for p in method.parameters())
