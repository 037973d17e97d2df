"""Layer-wise inference: equal to the whole forward pass, in blocks that stay within their budget."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GAT, GCN, PNA, EdgeCNN, GraphSAGE
from torch_geometric.nn import GIN as PyGGIN

from graphcl import nn as nets
from graphcl.methods import GRACE
from graphcl.nn import GIN, Embeddings, GraphEncoder, embed_layerwise

NODES, WIDTH = 120, 7


@pytest.fixture
def graph(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A directed graph with a hub, isolated nodes, loops and repeated edges; edges in no order."""
    x = torch.randn(NODES, WIDTH, generator=generator)
    source = torch.randint(NODES - 10, (700,), generator=generator)
    target = (torch.rand(700, generator=generator) ** 3 * (NODES - 10)).long()
    loops = torch.tensor([[3, 3, 5, 5], [3, 3, 5, 9]])
    return x, torch.cat([torch.stack([source, target]), loops], 1)


def trained(model: nn.Module, x: Tensor, edge_index: Tensor) -> nn.Module:
    """With statistics and affine weights that are not the initial ones."""
    model.train()
    for _ in range(3):
        model(x, edge_index)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.LayerNorm) and module.weight is not None:
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model


MODELS: dict[str, Any] = {
    "GIN": lambda: GIN(WIDTH, 8, 3),
    "GIN, wide input": lambda: GIN(WIDTH, 3, 2, norm="layer"),
    "GIN, one layer": lambda: GIN(WIDTH, 8, 1, norm="none"),
    "GraphEncoder": lambda: GraphEncoder(GIN(WIDTH, 8, 2)),
    "GCN": lambda: GCN(WIDTH, 8, 3, 5),
    "GCN, improved": lambda: GCN(WIDTH, 8, 2, improved=True, norm="batch_norm"),
    "GCN, no loops": lambda: GCN(WIDTH, 8, 2, add_self_loops=False, act="prelu", dropout=0.5),
    "GCN, plain sums": lambda: GCN(WIDTH, 8, 2, normalize=False, add_self_loops=False),
    "GCN, cached": lambda: GCN(WIDTH, 8, 2, cached=True),
    "GCN, mean": lambda: GCN(WIDTH, 8, 2, aggr="mean", bias=False),
    "GCN, no bias": lambda: GCN(WIDTH, 8, 2, bias=False),
    "GCN, one layer": lambda: GCN(WIDTH, 8, 1, 5),
    "GCN, jk cat": lambda: GCN(WIDTH, 8, 3, 5, jk="cat"),
    "SAGE": lambda: GraphSAGE(WIDTH, 8, 3, 5, norm="batch_norm", act_first=True),
    "SAGE, jk max": lambda: GraphSAGE(WIDTH, 8, 3, jk="max", norm="layer_norm", norm_kwargs={"mode": "node"}),
    "SAGE, jk last": lambda: GraphSAGE(WIDTH, 8, 3, 5, jk="last", act=None),
    "SAGE, jk lstm": lambda: GraphSAGE(WIDTH, 8, 2, 5, jk="lstm", aggr="max"),
    "PyG's GIN": lambda: PyGGIN(WIDTH, 8, 2, norm="batch_norm", train_eps=True),
    "GAT": lambda: GAT(WIDTH, 8, 2, 6, heads=2),
    "GAT, v2": lambda: GAT(WIDTH, 8, 2, v2=True),
    "our GCN": lambda: nets.GCN(WIDTH, 8, 3, out_channels=5, activation="prelu", norm="batch", act_last=False),
    "our GCN, plain sums": lambda: nets.GCN(WIDTH, 8, 2, normalise=False),
    "our GCN, jk cat": lambda: nets.GCN(WIDTH, 8, 2, jk="cat", norm="layer", dropout=0.3),
    "our SAGE": lambda: nets.SAGE(WIDTH, 8, 2, norm="batch"),
    "our GAT": lambda: nets.GAT(WIDTH, 8, 2, heads=2),
    "our GAT, mean of heads": lambda: nets.GAT(WIDTH, 8, 2, heads=3, concat=False, act_last=False),
    "EdgeCNN": lambda: EdgeCNN(WIDTH, 8, 2),
    "PNA": lambda: PNA(WIDTH, 8, 2, aggregators=["mean", "max"], scalers=["identity"], deg=torch.ones(9).long()),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("budget", [1, 50, 10_000])
def test_equals_the_whole_pass(graph: tuple[Tensor, Tensor], name: str, budget: int) -> None:
    x, edge_index = graph
    model = trained(MODELS[name](), x, edge_index)
    with torch.no_grad():
        model.eval()
        whole = model(x, edge_index)
        model.train()
    found = embed_layerwise(model, x, edge_index, budget=budget)
    torch.testing.assert_close(found, getattr(whole, "node", whole), atol=1e-5, rtol=1e-5)
    assert model.training and not found.requires_grad


def test_weights_and_attributes_of_edges(graph: tuple[Tensor, Tensor], generator: torch.Generator) -> None:
    x, edge_index = graph
    weight = torch.rand(edge_index.size(1), generator=generator)
    attr = torch.randn(edge_index.size(1), 3, generator=generator)
    for ours in (nets.GCN(WIDTH, 8, 2).eval(), nets.GIN(WIDTH, 8, 2).eval(), nets.SAGE(WIDTH, 8, 2).eval()):
        with torch.no_grad():
            weighted = ours(x, edge_index, weight)
        found = embed_layerwise(ours, x, edge_index, edge_weight=weight, budget=60)
        torch.testing.assert_close(found, weighted, atol=1e-5, rtol=1e-5)
    gcn, gat = GCN(WIDTH, 8, 2).eval(), GAT(WIDTH, 8, 2, edge_dim=3).eval()
    with torch.no_grad():
        weighted, attributed = gcn(x, edge_index, weight), gat(x, edge_index, edge_attr=attr)
    found = embed_layerwise(gcn, x, edge_index, edge_weight=weight, budget=60)
    torch.testing.assert_close(found, weighted, atol=1e-5, rtol=1e-5)
    found = embed_layerwise(gat, x, edge_index, edge_attr=attr, budget=60)
    torch.testing.assert_close(found, attributed, atol=1e-5, rtol=1e-5)


def test_a_compiled_network_is_what_was_compiled(graph: tuple[Tensor, Tensor]) -> None:
    x, edge_index = graph
    model = trained(nets.GCN(WIDTH, 8, 2, norm="batch"), x, edge_index)
    expected = embed_layerwise(model, x, edge_index)
    compiled = torch.compile(model, backend="eager")
    for network in (compiled, GraphEncoder(compiled), torch.compile(GraphEncoder(model), backend="eager")):
        assert torch.equal(embed_layerwise(network, x, edge_index), expected)


def test_the_model_is_left_as_it_was(graph: tuple[Tensor, Tensor]) -> None:
    x, edge_index = graph
    model = GCN(WIDTH, 8, 2, norm="batch_norm")
    model.norms[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    embed_layerwise(model, x, edge_index)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training and model.convs[0].training and not model.norms[0].training
    assert all(conv.normalize for conv in model.convs)
    assert model(x, edge_index).requires_grad


class Counted:
    """Features that note how many rows are asked for at once."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.shape, self.asked = x, x.shape, list[int]()

    def __getitem__(self, ids: Tensor) -> Tensor:
        self.asked.append(ids.numel())
        return self.x[ids]


def test_a_block_stays_within_its_budget(generator: torch.Generator) -> None:
    sources = torch.randint(NODES, (6 * NODES,), generator=generator)
    edge_index = torch.stack([sources, torch.arange(NODES).repeat(6)])
    features = Counted(torch.randn(NODES, WIDTH, generator=generator))
    embed_layerwise(GIN(WIDTH, 8, 2), features, edge_index, budget=70)
    assert len(features.asked) == 12 and max(features.asked) <= 70  # ten nodes with six edges each


def test_a_hub_beyond_the_budget_has_a_block_of_its_own() -> None:
    star = torch.stack([torch.arange(NODES), torch.zeros(NODES, dtype=torch.int64)])
    features = Counted(torch.randn(NODES, WIDTH))
    embed_layerwise(GIN(WIDTH, 8, 2), features, star, budget=30)
    assert features.asked == [NODES, 30, 30, 30, NODES - 1 - 90]


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_features_from_disk(graph: tuple[Tensor, Tensor], tmp_path: Path, kind: type) -> None:
    x, edge_index = graph
    np.save(tmp_path / "x.npy", x.numpy().astype(kind))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = GIN(WIDTH, 8, 2)
    expected = embed_layerwise(model, torch.from_numpy(np.array(mapped)).float(), edge_index)
    assert torch.equal(embed_layerwise(model, mapped, edge_index, budget=1000), expected)


def test_float64_and_graphs_without_edges() -> None:
    model = GraphSAGE(WIDTH, 8, 2).double().eval()
    x, none = torch.randn(5, WIDTH), torch.empty(2, 0, dtype=torch.int64)
    found = embed_layerwise(model, x, none)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, model(x.double(), none).detach())
    assert embed_layerwise(model, x[:0], none).shape == (0, 8)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_in_float64(graph: tuple[Tensor, Tensor], name: str) -> None:
    x, edge_index = graph
    model = MODELS[name]().double().eval()
    found = embed_layerwise(model, x, edge_index, budget=50)
    with torch.no_grad():
        whole = model(x.double(), edge_index)
    node = whole.node if isinstance(whole, Embeddings) else whole
    torch.testing.assert_close(found, node, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["our GCN", "our SAGE", "our GAT", "GIN", "GCN"])
def test_models_in_bfloat16(graph: tuple[Tensor, Tensor], name: str) -> None:
    x, edge_index = graph
    model = MODELS[name]().bfloat16().eval()
    found = embed_layerwise(model, x, edge_index, budget=50)
    assert found.dtype == torch.bfloat16
    with torch.no_grad():
        torch.testing.assert_close(found, model(x.bfloat16(), edge_index), rtol=0.05, atol=0.05)


def test_refuses_what_does_not_fit(graph: tuple[Tensor, Tensor]) -> None:
    x, edge_index = graph
    model = GCN(WIDTH, 8, 2)
    with pytest.raises(ValueError, match=f"expected node numbers from 0 to {NODES - 1}, got {NODES}"):
        embed_layerwise(model, x, torch.tensor([[0], [NODES]]))
    with pytest.raises(ValueError, match=r"features of shape \[N, F\]"):
        embed_layerwise(model, x[0], edge_index)
    with pytest.raises(ValueError, match="dtype int64"):
        embed_layerwise(model, x, edge_index.int())
    with pytest.raises(ValueError, match="a budget of at least 1 edge, got 0"):
        embed_layerwise(model, x, edge_index, budget=0)
    with pytest.raises(ValueError, match="edge_weight with a row for each of 704 edges, got 3"):
        embed_layerwise(model, x, edge_index, edge_weight=torch.ones(3))
    with pytest.raises(ValueError, match=rf"expected x of shape \[N, {WIDTH}\], got \[{NODES}, 3\]"):
        embed_layerwise(GraphEncoder(model), x[:, :3], edge_index)
    with pytest.raises(ValueError, match="expected no edge_weight, got one; GAT does not take it"):
        embed_layerwise(nets.GAT(WIDTH, 8, 2), x, edge_index, edge_weight=torch.ones(704))
    with pytest.raises(ValueError, match="expected edge_index on cpu, where the features are, got it on meta"):
        embed_layerwise(model, x, edge_index.to("meta"))


@pytest.mark.gpu
def test_a_model_on_a_gpu_and_features_on_the_host(graph: tuple[Tensor, Tensor]) -> None:
    x, edge_index = graph
    model = GCN(WIDTH, 8, 2).eval()
    expected = model(x, edge_index).detach()
    found = embed_layerwise(model.cuda(), x, edge_index, budget=80)
    assert not found.is_cuda
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_edge_weights_of_one_column_and_methods():
    graph = Data(x=torch.randn(3, 4), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    weight, model = torch.rand(4), GCN(4, 8, 2).eval()
    found = embed_layerwise(model, graph.x, graph.edge_index, edge_weight=weight[:, None])
    torch.testing.assert_close(found, model(graph.x, graph.edge_index, weight))
    with pytest.raises(TypeError, match="got GRACE; give method.encoder"):
        embed_layerwise(GRACE(GraphEncoder(model)), graph.x, graph.edge_index)
