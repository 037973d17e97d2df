"""The molecule encoder against message passing written out, in values and gradients, and inside the package."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Batch
from torch_geometric.nn import MessagePassing

from graphcl._vocabulary import TABLES
from graphcl.data import PackedDataset, from_smiles, from_smiles_list
from graphcl.methods import ADGCL
from graphcl.nn import GIN, GraphEncoder, MoleculeEncoder, mean_readout, split_batch

SMILES = ["CCO", "c1ccccc1C(=O)O", "[Na+].[Cl-]", "C", "C/C=C/C#N", "O=C1CCCN1"]


class Literal(MessagePassing):
    """One layer as the paper has it: a vector per bond, self-loops appended."""

    def __init__(self, encoder: MoleculeEncoder, layer: int) -> None:
        super().__init__(aggr="add")
        self.update_, self.conv = encoder.updates[layer], encoder.conv
        self.tables = list(encoder.bonds[layer].split(encoder.bond_sizes))
        self.hu = encoder.vocab == "hu2020"

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        n = x.size(0)
        bonds = sum(table[edge_attr[:, c]] for c, table in enumerate(self.tables[: edge_attr.size(1)]))
        own = self.tables[0][4] + self.tables[1][0] if self.hu else self.tables[-1][0]
        bonds = torch.cat([bonds, own.expand(n, -1)])  # type: ignore[list-item]
        loops = torch.cat([edge_index, torch.arange(n).expand(2, -1)], 1)
        if self.conv == "gin":
            return self.update_(
                self.propagate(loops, x=x, bonds=bonds, norm=torch.ones(loops.size(1), 1, dtype=x.dtype))
            )
        degree = torch.zeros(n, dtype=x.dtype).index_add_(0, loops[0], torch.ones(loops.size(1), dtype=x.dtype))
        norm = (degree[loops[0]] * degree[loops[1]]).rsqrt()[:, None]
        return self.propagate(loops, x=self.update_(x), bonds=bonds, norm=norm)

    def message(self, x_j: Tensor, bonds: Tensor, norm: Tensor) -> Tensor:  # type: ignore[override]
        return norm * (x_j + bonds)


def literal(encoder: MoleculeEncoder, batch: Batch) -> Tensor:
    """All layers; the virtual node written with loops over molecules."""
    parts = encoder.atoms.weight.split(encoder.atoms.sizes)
    h = sum(part[batch.x[:, c]] for c, part in enumerate(parts))
    assert isinstance(h, Tensor)
    count, outputs = batch.num_graphs, []
    virtual = None if encoder.virtual_start is None else [encoder.virtual_start] * count
    for layer in range(encoder.num_layers):
        if virtual is not None:
            h = h + torch.stack([virtual[int(b)] for b in batch.batch])
        inner = h
        norm = encoder.norms[layer]
        h = Literal(encoder, layer)(h, batch.edge_index, batch.edge_attr)
        h = F.batch_norm(h, None, None, norm.weight, norm.bias, training=True)
        h = h.relu() if layer < encoder.num_layers - 1 else h
        outputs.append(h)
        if virtual is not None and layer < encoder.num_layers - 1:
            update: Any = encoder.virtual[layer]  # type: ignore[index]
            z = torch.stack([inner[batch.batch == g].sum(0) + virtual[g] for g in range(count)])
            for linear, norm in zip((update.lower, update.upper), update.norms, strict=True):
                z = F.batch_norm(linear(z), None, None, norm.weight, norm.bias, training=True).relu()
            virtual = list(z)
    return outputs[-1] if encoder.jk == "last" else sum(outputs)  # type: ignore[return-value]


def molecules(vocab: str) -> Batch:
    return PackedDataset(from_smiles_list(SMILES, vocab=vocab)).batch(range(len(SMILES)))


@pytest.mark.parametrize("virtual_node", [False, True])
@pytest.mark.parametrize("conv", ["gin", "gcn"])
@pytest.mark.parametrize("vocab", TABLES)
def test_equals_the_literal_form(vocab: str, conv: Any, virtual_node: bool) -> None:
    encoder = MoleculeEncoder(6, 3, vocab=vocab, conv=conv, virtual_node=virtual_node, jk="sum").double()
    if encoder.virtual_start is not None:
        nn.init.normal_(encoder.virtual_start)
    batch = molecules(vocab)
    ours = encoder(batch.x, batch.edge_index, batch.edge_attr, batch=batch.batch, num_graphs=batch.num_graphs)
    theirs = literal(encoder, batch)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)
    weight = torch.randn_like(theirs)
    parameters = list(encoder.parameters())
    one, other = (torch.autograd.grad((out * weight).sum(), parameters) for out in (ours, theirs))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)


def test_views_in_one_pass_are_views_one_by_one() -> None:
    batch = molecules("ogb")
    for virtual_node in (False, True):
        torch.manual_seed(1)
        encoder = GraphEncoder(MoleculeEncoder(8, 3, virtual_node=virtual_node), mean_readout)
        views = [batch, Batch.from_data_list(batch.to_data_list()[::-1])]
        one_by_one = [encoder.encode(view) for view in views]
        joint = encoder.encode_views(views)
        for a, b in zip(joint, one_by_one, strict=True):
            torch.testing.assert_close(a.graph, b.graph, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(a.node, b.node, atol=1e-5, rtol=1e-4)


def test_a_batch_is_its_molecules() -> None:
    batch = molecules("ogb")
    encoder = GraphEncoder(MoleculeEncoder(8, 2, virtual_node=True)).eval()
    whole = encoder.encode(batch).graph
    each = torch.cat([encoder.encode(from_smiles(s)).graph for s in SMILES])
    torch.testing.assert_close(whole, each, atol=1e-5, rtol=1e-4)


def test_parts_of_a_batch_keep_their_bonds() -> None:
    batch = molecules("ogb")
    encoder = GraphEncoder(MoleculeEncoder(8, 2)).eval()
    parts = torch.cat([encoder.encode(part).graph for part in split_batch(batch, [2, 4])])
    torch.testing.assert_close(parts, encoder.encode(batch).graph)


def test_bonds_reach_a_network_of_pyg() -> None:
    from torch_geometric.nn import GAT

    batch = molecules("ogb")
    batch.edge_attr = batch.edge_attr.float()
    network = GAT(9, 8, 2, edge_dim=3)
    with_bonds = GraphEncoder(network, edge_attr=True).eval().encode(batch).graph
    other = batch.clone()
    other.edge_attr = other.edge_attr + 1
    assert not torch.allclose(with_bonds, GraphEncoder(network, edge_attr=True).eval().encode(other).graph)
    # A network that does not ask has none.
    assert GraphEncoder(GIN(9)).encode(batch).graph.shape == (len(SMILES), 96)


def test_weights_know_their_table() -> None:
    encoder = MoleculeEncoder(4, 1, vocab="ogb")
    MoleculeEncoder(4, 1, vocab="ogb").load_state_dict(encoder.state_dict())
    with pytest.raises(ValueError, match="expected weights for vocab='pyg', got those for 'ogb'"):
        MoleculeEncoder(4, 1, vocab="pyg").load_state_dict(encoder.state_dict())
    wrapped = GraphEncoder(MoleculeEncoder(4, 1, vocab="hu2020"))
    with pytest.raises(ValueError, match="expected weights for vocab='hu2020', got those for 'ogb'"):
        wrapped.load_state_dict(GraphEncoder(encoder).state_dict())


def test_refusals() -> None:
    batch, encoder = molecules("ogb"), MoleculeEncoder(4, 1)
    with pytest.raises(ValueError, match=r"expected edge_attr \[\d+, 3\], the bonds of vocab='ogb', got none"):
        encoder(batch.x, batch.edge_index)
    with pytest.raises(
        ValueError, match=r"expected x \[n, 9\] of integers, the indices of vocab='ogb', got torch.float"
    ):
        encoder(batch.x.float(), batch.edge_index, batch.edge_attr)
    wrong = batch.edge_attr.clone()
    wrong[0, 0] = 12  # PyG's aromatic bond
    with pytest.raises(ValueError, match="expected column 0 of edge_attr within 0 to 4 under vocab='ogb', got 0 to 12"):
        encoder(batch.x, batch.edge_index, wrong)
    for bad, said in (
        ({"conv": "gat"}, "expected conv to be"), ({"jk": "cat"}, "expected jk to be"),
        ({"dropout": 1.0}, "expected dropout within"), ({"num_layers": 0}, "expected num_layers of at least 1"),
        ({"vocab": "mine"}, "expected vocab to be 'ogb'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            MoleculeEncoder(4, **{"num_layers": 1, **bad})


def test_dropout_only_in_training() -> None:
    batch, encoder = molecules("ogb"), MoleculeEncoder(16, 2, dropout=0.5)
    arguments = batch.x, batch.edge_index, batch.edge_attr
    assert (encoder(*arguments) == 0).float().mean() > 0.3
    encoder.eval()
    assert torch.equal(encoder(*arguments), encoder(*arguments)) and bool((encoder(*arguments) != 0).all())


def test_bfloat16_is_near() -> None:
    batch, encoder = molecules("ogb"), MoleculeEncoder(32, 3, virtual_node=True)
    arguments = {"batch": batch.batch, "num_graphs": batch.num_graphs}
    full = encoder(batch.x, batch.edge_index, batch.edge_attr, **arguments)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(batch.x, batch.edge_index, batch.edge_attr, **arguments)
    assert torch.nn.functional.cosine_similarity(full, half.float()).min() > 0.999
    half.float().square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_molecules_without_bonds() -> None:
    batch = PackedDataset(from_smiles_list(["C", "[Na+].[Cl-]", "N"])).batch([0, 1, 2])
    for conv in ("gin", "gcn"):
        out = MoleculeEncoder(8, 2, conv=conv)(batch.x, batch.edge_index, batch.edge_attr)  # type: ignore[arg-type]
        assert out.shape == (4, 8) and bool(torch.isfinite(out).all())


def test_molecules_of_another_table_are_not_trained_on() -> None:
    from graphcl.augment import AtomMask
    from graphcl.methods import GraphCL
    from graphcl.train import fit

    dataset = from_smiles_list(SMILES, vocab="pyg")
    for encoder_vocab, view_vocab in (("ogb", "pyg"), ("pyg", "ogb")):
        encoder = GraphEncoder(MoleculeEncoder(4, 1, vocab=encoder_vocab))
        method = GraphCL(encoder, views=(AtomMask(vocab=view_vocab), AtomMask(vocab=view_vocab)))  # type: ignore[arg-type]
        with pytest.raises(
            ValueError, match="expected one table of atoms and bonds, got 'pyg' in dataset and 'ogb' in"
        ):
            fit(method, dataset, epochs=1, batch_size=3)


def test_it_learns_and_trains_with_the_package() -> None:
    from graphcl.augment import AtomMask, BondDrop
    from graphcl.methods import GraphCL
    from graphcl.train import fit

    dataset = from_smiles_list([f"{'C' * (i % 7)}c1ccccc1{'O' * (i % 2)}" for i in range(32)])
    method = GraphCL(GraphEncoder(MoleculeEncoder(16, 2), mean_readout), views=(AtomMask(0.3), BondDrop(0.2)))
    before = [p.clone() for p in method.parameters()]
    losses = fit(method, dataset, epochs=4, batch_size=16).epochs
    assert len(losses) == 4 and all(torch.isfinite(p).all() for p in method.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True)]
    assert sum(moved) >= len(moved) - 1


@pytest.mark.parametrize("virtual_node", [False, True])
@pytest.mark.parametrize("conv", ["gin", "gcn"])
def test_what_comes_along_a_bond_is_weighed(conv, virtual_node):
    molecules = from_smiles_list(["CCO", "c1ccccc1N", "C", "CC(=O)O"])
    batch = Batch.from_data_list(list(molecules))
    encoder = MoleculeEncoder(8, 2, conv=conv, virtual_node=virtual_node).double().eval()
    options = {"batch": batch.batch, "num_graphs": batch.num_graphs}

    def encode(weight):
        return encoder(batch.x, batch.edge_index, batch.edge_attr, edge_weight=weight, **options)

    weight = torch.linspace(0, 1, batch.num_edges, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(encode(torch.ones(batch.num_edges, 1)), encode(None))
    assert torch.autograd.gradcheck(lambda weight: encode(weight).sum(0), (weight,))
    if conv == "gin":  # whose degrees no bond has a part in
        keep = torch.arange(batch.num_edges) % 4 > 0
        bonds = batch.edge_index[:, keep], batch.edge_attr[keep]
        torch.testing.assert_close(encode(keep.double()), encoder(batch.x, *bonds, **options))


def test_an_adversary_drops_bonds():
    molecules = from_smiles_list(["CCO", "c1ccccc1N", "C", "CC(=O)O"])
    method = ADGCL(GraphEncoder(MoleculeEncoder(8, 2), mean_readout))
    method(Batch.from_data_list(list(molecules))).backward()
    assert all(weight.grad is not None for weight in method.dropper.parameters())
