"""Fine-tuning by a protocol: its numbers hold, and the encoder that is given stays as it was."""

import copy

import pytest
import torch

from graphcl.data import from_smiles_list
from graphcl.evaluate import finetune, finetune_by, molecule_protocol, with_tuning
from graphcl.nn import GraphEncoder, MoleculeEncoder, mean_readout

SPLIT = {"train": torch.arange(12), "valid": torch.arange(12, 16), "test": torch.arange(16, 20)}
LAST = with_tuning(molecule_protocol("moleculenet-finetune-last-epoch"), epochs=2, batch_size=8, lr=0.01)


@pytest.fixture
def molecules():
    made = from_smiles_list(["C" * n + end for n in range(1, 11) for end in ("O", "N")])
    made._data.y, made.slices["y"] = torch.tensor([[0.0], [1.0]] * 10), made.slices["row"]
    return made


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return GraphEncoder(MoleculeEncoder(16, 2), mean_readout)


def test_the_numbers_are_the_protocols(molecules, encoder):
    before = copy.deepcopy(encoder.state_dict())
    by = finetune_by(LAST, encoder, molecules, SPLIT, classification=True, seed=3)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert encoder.gnn.dropout == 0.0 and by.model[0].gnn.dropout == LAST.dropout == 0.5
    encoder.gnn.dropout = 0.5
    plain = finetune(
        encoder, molecules, SPLIT, classification=True, epochs=2, batch_size=8, lr=0.01, select="last", seed=3
    )
    assert by.epoch == 2 and by.valid == plain.valid
    assert torch.equal(by.predict(molecules), plain.predict(molecules))


def test_a_protocol_of_frozen_embeddings_is_refused(molecules, encoder):
    with pytest.raises(ValueError, match="expected a protocol of fine-tuning"):
        finetune_by(molecule_protocol("moleculenet-linear"), encoder, molecules, SPLIT, classification=True)
