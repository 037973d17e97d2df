"""Networks as layers: what is known, what can be taught, what is refused. Their values: test_inference."""

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCN, GraphConv, GraphNorm, GraphSAGE
from torch_geometric.nn import GIN as PyGGIN

from graphcl.nn import GIN, GraphEncoder, Layers, embed_layerwise, layers_of

WIDTH = 7


class Mine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = GraphConv(WIDTH, 4)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(x, edge_index).tanh()


def test_an_encoder_has_the_layers_of_its_network() -> None:
    network = GIN(WIDTH, 8, 3)
    for model in (network, GraphEncoder(network)):
        layers = layers_of(model)
        assert (layers.widths, len(layers.steps), layers.all_outputs, layers.head) == ([8, 8, 8], 3, True, None)
    assert layers_of(GCN(WIDTH, 8, 2, out_channels=3)).widths == [8, 3]
    assert layers_of(GCN(WIDTH, 8, 2, jk="cat", out_channels=3)).head is not None


def test_a_class_of_your_own(generator: torch.Generator) -> None:
    x = torch.randn(120, WIDTH, generator=generator)
    edge_index = torch.randint(120, (2, 700), generator=generator)
    model = Mine()
    with pytest.raises(TypeError, match=r"got Mine; register a function for it with graphcl.nn.layers_of.register"):
        layers_of(model)
    layers_of.register(Mine, lambda mine: Layers([lambda x, edges, n: mine.conv(x, edges.edge_index)[:n].tanh()], [4]))
    with torch.no_grad():
        expected = model(x, edge_index)
    torch.testing.assert_close(embed_layerwise(model, x, edge_index, budget=40), expected, atol=1e-5, rtol=1e-5)


class Twice(GCN):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return 2 * super().forward(x, edge_index)


def test_a_forward_of_its_own_is_not_overlooked() -> None:
    with pytest.raises(TypeError, match="Twice has a forward of its own"):
        layers_of(Twice(WIDTH, 8, 2))


@pytest.mark.parametrize(
    "model",
    [
        GCN(WIDTH, 8, 2, norm="graph_norm"),
        GraphSAGE(WIDTH, 8, 2, norm="layer_norm"),  # PyG's normalises over the graph
        PyGGIN(WIDTH, 8, 2, norm="pair_norm"),
        GCN(WIDTH, 8, 2, norm="batch_norm", norm_kwargs={"track_running_stats": False}),
        GCN(WIDTH, 8, 2, norm=GraphNorm(8)),
    ],
    ids=str,
)
def test_refuses_what_looks_at_all_nodes(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="looks at all nodes at once"):
        layers_of(model)


def test_refuses_messages_against_the_edges() -> None:
    with pytest.raises(ValueError, match="flow='target_to_source'"):
        layers_of(GCN(WIDTH, 8, 2, flow="target_to_source"))
