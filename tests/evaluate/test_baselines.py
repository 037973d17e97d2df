import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data

from graphcl.evaluate import (
    collect_statistics,
    embed_graphs,
    raw_embeddings,
    untrained_embeddings,
    untrained_init_embeddings,
)
from graphcl.methods import GraphCL, MVGRLGraph
from graphcl.nn import GIN, GraphEncoder


def graphs(seed=0, count=20):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        n = int(rng.integers(3, 9))
        edges = torch.tensor([[i, (i + 1) % n] for i in range(n)]).T
        x = torch.from_numpy(rng.normal(2, 3, size=(n, 4))).float()
        found.append(Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1)))
    return found


def batches(data, size=6):
    return [Batch.from_data_list(data[start : start + size]) for start in range(0, len(data), size)]


def make():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GraphCL(GraphEncoder(GIN(4, hidden_channels=5)), seed=0)


DATA = graphs()


def test_raw_is_the_sum_of_node_features():
    expected = torch.stack([g.x.double().sum(0) for g in DATA]).numpy()
    np.testing.assert_allclose(raw_embeddings(batches(DATA)), expected)
    with pytest.raises(ValueError, match="features="):
        raw_embeddings([Batch.from_data_list([Data(edge_index=DATA[0].edge_index, num_nodes=9)])])
    with pytest.raises(ValueError, match="at least one batch"):
        raw_embeddings([])


def test_embeddings_are_the_encoders_in_eval_mode_in_the_order_of_the_data():
    method = make().train()
    encoder = make().encoder.eval()
    with torch.no_grad():
        expected = torch.cat([encoder(g.x, g.edge_index).graph for g in DATA]).numpy()
    found = embed_graphs(method, batches(DATA))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found, embed_graphs(method, batches(DATA)))  # looking changes nothing
    np.testing.assert_array_equal(found, untrained_init_embeddings(make, batches(DATA)))
    assert method.encoder.training


def test_untrained_differs_from_untrained_init_by_the_statistics_alone():
    shuffled = batches([DATA[i] for i in np.random.default_rng(0).permutation(len(DATA))])
    init = untrained_init_embeddings(make, batches(DATA))
    collected = untrained_embeddings(make, batches(DATA), statistics=shuffled)
    assert np.abs(init - collected).max() > 0.1
    np.testing.assert_array_equal(collected, untrained_embeddings(make, batches(DATA), statistics=shuffled))
    method, fresh = make(), make()
    collect_statistics(method, shuffled)
    for (name, value), (_, before) in zip(method.named_parameters(), fresh.named_parameters(), strict=True):
        assert torch.equal(value, before), name
        assert value.grad is None
    changed = [name for name, b in method.named_buffers() if not torch.equal(b, dict(fresh.named_buffers())[name])]
    assert len(changed) == 9
    assert all("norms" in name for name in changed)


def test_statistics_are_those_of_one_epoch_in_train_mode():
    method = make()
    collect_statistics(method, batches(DATA))
    gnn = make().encoder.gnn
    seen = []
    gnn.norms[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    gnn.train()
    for batch in batches(DATA):
        gnn(batch.x, batch.edge_index)
    norm = method.encoder.gnn.norms[0]
    # Of equal weight for every batch, and nothing left of the initial mean 0 and variance 1.
    torch.testing.assert_close(norm.running_mean, torch.stack([x.mean(0) for x in seen]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([x.var(0) for x in seen]).mean(0))
    assert norm.momentum == 0.1
    buffers = {name: value.clone() for name, value in method.named_buffers()}
    collect_statistics(method, batches(DATA))  # starts afresh
    for name, value in method.named_buffers():
        torch.testing.assert_close(value, buffers[name], msg=name)


def test_a_failure_leaves_the_momentum_as_it_was():
    method = make()
    with pytest.raises(ValueError, match="expected x of shape"):
        collect_statistics(method, batches([Data(x=torch.ones(3, 7), edge_index=torch.tensor([[0], [1]]))]))
    assert {part.momentum for part in method.modules() if isinstance(part, nn.BatchNorm1d)} == {0.1}


def test_the_mode_and_the_global_generator_stay_as_they_were():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(4)

        def forward(self, x, edge_index, batch, *, num_graphs):
            return self.norm(nn.functional.dropout(x, training=self.training))

    method = nn.Module()
    method.encoder = Noisy().eval()
    before = torch.get_rng_state()
    collect_statistics(method, batches(DATA), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert not method.encoder.training
    first = method.encoder.norm.running_mean.clone()
    other = nn.Module()
    other.encoder = Noisy().eval()
    torch.rand(5)
    collect_statistics(other, batches(DATA), seed=3)
    assert torch.equal(other.encoder.norm.running_mean, first)


def test_both_encoders_of_a_method_that_embeds_with_two_are_looked_through():
    torch.manual_seed(0)
    method = MVGRLGraph(GraphEncoder(GIN(4, 8, 2)))
    method.second.gnn.norms[0].eval()
    seen = []
    hook = method.second.gnn.norms[1].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    collect_statistics(method, batches(DATA))
    hook.remove()
    assert [int(norm.num_batches_tracked) for norm in method.second.gnn.norms] == [len(batches(DATA))] * 2
    mean = torch.stack([x.mean(0) for x in seen]).mean(0)
    torch.testing.assert_close(method.second.gnn.norms[1].running_mean, mean)
    assert not method.second.gnn.norms[0].training and method.second.gnn.norms[1].training  # modes as they were


def test_an_encoder_that_reads_edge_features_gets_them() -> None:
    from graphcl.augment import AtomMask, BondDrop
    from graphcl.data import PackedDataset, from_smiles_list
    from graphcl.nn import MoleculeEncoder

    def make() -> GraphCL:
        return GraphCL(GraphEncoder(MoleculeEncoder(8, 2, virtual_node=True)), views=(AtomMask(), BondDrop()))

    batches = PackedDataset(from_smiles_list(["CCO", "c1ccccc1", "CCN", "C1CC1O"] * 4)).batches(8)
    embeddings = untrained_embeddings(make, batches, statistics=batches)
    assert embeddings.shape == (16, 8) and np.allclose(embeddings[:4], embeddings[4:8], atol=1e-6)
    assert not np.allclose(embeddings[0], embeddings[1], atol=1e-3)


def test_graphs_without_a_batch_and_networks_without_a_method_are_refused() -> None:
    graph = Data(x=torch.ones(3, 2), edge_index=torch.zeros(2, 0, dtype=torch.int64))
    with pytest.raises(TypeError, match="expected batches of graphs, got a single graph; write DataLoader"):
        raw_embeddings([graph])
    with pytest.raises(TypeError, match=r"which has embed\(data\), got GraphEncoder; GraphCL\(GraphEncoder"):
        embed_graphs(GraphEncoder(GIN(2)), [graph])
