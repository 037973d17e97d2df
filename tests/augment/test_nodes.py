"""Node dropping and masking: exact numbers, uniform choice, and what a masked row becomes."""

from collections import Counter
from itertools import combinations

import pytest
import torch
from scipy import stats
from torch_geometric.data import Batch, Data

from graphcl.augment import Compose, NodeDrop, NodeMask, RandomChoice


def star(n: int) -> Data:
    leaves = torch.arange(1, n)
    hub = torch.zeros_like(leaves)
    edge_index = torch.stack([torch.cat([hub, leaves]), torch.cat([leaves, hub])])
    return Data(x=torch.arange(2.0 * n).reshape(n, 2), edge_index=edge_index)


def copies(data: Data, count: int) -> Batch:
    return Batch.from_data_list([data] * count)


# --- how many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "n", "rounded", "floored"),
    [
        (0.1, 4, 0, 0),
        (0.1, 6, 1, 0),
        (0.1, 10, 1, 1),
        (0.1, 19, 2, 1),
        (0.29, 100, 29, 29),  # 28.999999999999996 in floating point
        (0.7, 10, 7, 7),
        (0.3, 5, 2, 1),
        (0.0, 50, 0, 0),
        (0.99, 3, 3, 2),
        (1.0, 7, 7, 7),
    ],
)
def test_the_number_is_exact(share: float, n: int, rounded: int, floored: int) -> None:
    for count, k in (("round", rounded), ("floor", floored)):
        assert NodeDrop(drop=share, count=count).view(star(n), 3).num_nodes == max(n - k, 1)
        masked = NodeMask(mask=share, fill=-1.0, count=count).view(star(n), 3)
        assert int((masked.x == -1).all(1).sum()) == k


def test_every_graph_of_a_batch_has_its_own_number() -> None:
    sizes = [1, 2, 3, 10, 25, 100]
    view = NodeDrop(drop=0.4).view(Batch.from_data_list([star(n) for n in sizes]), 0)
    assert view.ptr.diff().tolist() == [n - round(0.4 * n) for n in sizes]
    assert view.batch.bincount().tolist() == view.ptr.diff().tolist()


def test_one_node_always_stays() -> None:
    view = NodeDrop(drop=1.0).view(copies(star(5), 300), 0)
    assert view.ptr.diff().tolist() == [1] * 300
    assert set(view.n_id.tolist()) == set(range(5))
    assert view.num_edges == 0


# --- which ones -------------------------------------------------------------------------------------------------------


def test_dropped_nodes_are_uniform() -> None:
    view = NodeDrop(drop=0.4).view(copies(star(5), 4000), 0)
    kept = Counter(tuple(ids) for ids in view.n_id.view(4000, 3).tolist())
    assert set(kept) == set(combinations(range(5), 3))
    assert stats.chisquare(list(kept.values())).pvalue > 1e-3


def test_masked_nodes_are_uniform() -> None:
    view = NodeMask(mask=0.4, fill=-1.0).view(copies(star(5), 4000), 1)
    rows = (view.x == -1).all(1).view(4000, 5)
    masked = Counter(tuple(row.nonzero().flatten().tolist()) for row in rows)
    assert set(masked) == set(combinations(range(5), 2))
    assert stats.chisquare(list(masked.values())).pvalue > 1e-3


def test_the_choice_does_not_depend_on_the_number_of_graphs() -> None:
    # Above 65,536 graphs the sort key has another layout.
    data = Data(edge_index=torch.empty(2, 0, dtype=torch.int64), num_nodes=4)
    few = NodeDrop(drop=0.5).view(copies(data, 100), 0)
    many_nodes = torch.arange(70_000).repeat_interleave(4)
    many = Data(edge_index=data.edge_index, batch=many_nodes, num_nodes=280_000)
    assert torch.equal(NodeDrop(drop=0.5).view(many, 0).n_id[:200], few.n_id)


# --- what is left -----------------------------------------------------------------------------------------------------


def test_edges_at_dropped_nodes_go_and_the_rest_are_renumbered() -> None:
    path = Data(edge_index=torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]), num_nodes=4)
    for key in range(20):
        view = NodeDrop(drop=0.25).view(path, key)
        kept = view.n_id.tolist()
        expected = {(a, b) for a, b in path.edge_index.t().tolist() if a in kept and b in kept}
        assert {(kept[a], kept[b]) for a, b in view.edge_index.t().tolist()} == expected
        assert view.num_nodes == 3


def test_a_reference_to_a_dropped_node_is_named() -> None:
    data, aug = star(4), NodeDrop(drop=0.75)
    lost = next(key for key in range(100) if 0 not in aug.view(data, key).n_id.tolist())
    data.root_index = torch.tensor([0, 0])
    with pytest.raises(ValueError, match=r"'root_index'.*2 reference\(s\).*delete data.root_index"):
        aug.view(data, lost)


def test_a_negative_reference_is_refused() -> None:
    data = star(4)
    data.root_index = torch.tensor([-1])
    with pytest.raises(ValueError, match="root_index"):
        NodeDrop(drop=0.25).view(data, 0)


# --- dropped, but still there ----------------------------------------------------------------------------------------


def test_a_mask_marks_the_nodes_that_removal_takes_out() -> None:
    batch = Batch.from_data_list([star(n) for n in (1, 2, 7, 20)])
    for key in range(10):
        removed, marked = NodeDrop(drop=0.4).view(batch, key), NodeDrop(drop=0.4, remove=False).view(batch, key)
        assert marked.num_nodes == batch.num_nodes
        assert marked.x is batch.x
        assert marked.node_mask.dtype == torch.bool
        assert torch.equal(marked.x[marked.node_mask], removed.x)
        assert torch.equal(marked.batch[marked.node_mask], removed.batch)
        number = marked.node_mask.cumsum(0) - 1
        assert torch.equal(number[marked.edge_index], removed.edge_index)
        assert marked.node_mask[marked.edge_index].all()
        assert "n_id" not in marked
        parts = [part.node_mask for part in marked.to_data_list()]
        assert [int(mask.sum()) for mask in parts] == [1, 1, 4, 12]


def test_a_mask_is_narrowed_by_the_next_view() -> None:
    first = NodeDrop(drop=0.5, remove=False).view(star(20), 0)
    second = NodeDrop(drop=0.5, remove=False).view(first, 1)
    assert int(first.node_mask.sum()) == 10
    assert int(second.node_mask.sum()) == 5
    assert not (second.node_mask & ~first.node_mask).any()
    third = NodeDrop(drop=0.4).view(second, 2)
    assert torch.equal(third.node_mask, second.node_mask[third.n_id])
    assert int(third.node_mask.sum()) == 3
    assert third.num_nodes == 18


@pytest.mark.parametrize("remove", [False, True])
def test_one_node_that_counts_stays_however_often_nodes_are_dropped(remove: bool) -> None:
    batch = Batch.from_data_list([star(n) for n in (1, 2, 3)])
    again = Compose([NodeDrop(drop=0.9, remove=False), NodeDrop(drop=0.9, remove=remove)])
    for key in range(20):
        view = again.view(batch, key)
        assert torch.zeros(3).index_add_(0, view.batch, view.node_mask.float()).tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_mean_of_many_numbers_of_few_digits(dtype: torch.dtype) -> None:
    no_edges = torch.empty(2, 0, dtype=torch.int64)
    for size, number in ((2000, 100.0), (70_000, 1 / 1024)):
        data = Data(x=torch.full((size, 1), number, dtype=dtype), edge_index=no_edges)
        assert NodeMask(mask=0.5).view(data, 0).x.unique().tolist() == [number]


def test_a_node_mask_of_another_kind_is_refused() -> None:
    data = star(4)
    data.node_mask = torch.ones(4)
    with pytest.raises(ValueError, match=r"node_mask to be the \[4\] bool.*got torch.float32.*another name"):
        NodeDrop(remove=False).view(data, 0)


def test_references_to_marked_nodes_hold() -> None:
    data = star(4)
    data.root_index = torch.tensor([0, 3])
    for key in range(10):
        assert NodeDrop(drop=0.75, remove=False).view(data, key).root_index.tolist() == [0, 3]


# --- masks ------------------------------------------------------------------------------------------------------------


def test_masking_keeps_the_structure_and_the_other_rows() -> None:
    data = star(10)
    view = NodeMask(mask=0.3, fill=0.5).view(data, 0)
    masked = (view.x == 0.5).all(1)
    assert int(masked.sum()) == 3
    assert torch.equal(view.x[~masked], data.x[~masked])
    assert view.edge_index is data.edge_index
    assert "n_id" not in view


def test_the_mean_is_that_of_the_graph() -> None:
    graphs = [star(3), star(8), Data(x=torch.empty(0, 2), edge_index=torch.empty(2, 0, dtype=torch.int64))]
    view = NodeMask(mask=1.0, fill="mean").view(Batch.from_data_list(graphs), 0)
    for part, data in zip(view.to_data_list()[:2], graphs, strict=False):
        assert torch.allclose(part.x, data.x.mean(0).expand_as(data.x))


def test_the_mean_of_complex_features() -> None:
    graphs = [
        Data(x=torch.randn(n, 3, dtype=torch.complex64), edge_index=torch.empty(2, 0, dtype=torch.int64))
        for n in (4, 1, 6)
    ]
    view = NodeMask(mask=1.0, fill="mean").view(Batch.from_data_list(graphs), 0)
    for data, part in zip(graphs, view.to_data_list(), strict=True):
        assert torch.allclose(part.x, data.x.mean(0).expand_as(data.x), atol=1e-6)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)], ids=["1-d", "2-d", "3-d"])
@pytest.mark.parametrize("fill", ["mean", "gaussian", 7.0])
def test_features_of_any_shape(shape: tuple[int, ...], fill: str | float) -> None:
    data = star(5)
    data.x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0))
    view = NodeMask(mask=1.0, fill=fill).view(data, 0)
    assert view.x.shape == (5, *shape)
    if fill == "mean":
        assert torch.allclose(view.x, data.x.mean(0).expand_as(data.x))
    if fill == 7.0:
        assert (view.x == 7).all()


def test_gaussian_noise_has_the_authors_moments() -> None:
    data = Data(x=torch.zeros(2000, 20), edge_index=torch.empty(2, 0, dtype=torch.int64))
    x = NodeMask(mask=1.0, fill="gaussian").view(data, 0).x
    assert stats.kstest(((x - 0.5) / 0.5).flatten().double().numpy(), "norm").pvalue > 1e-3
    # Neither rows nor columns repeat one another.
    assert torch.corrcoef(x.t()).sub(torch.eye(20)).abs().max() < 0.12
    assert x.unique(dim=0).size(0) == 2000


def test_noise_does_not_tell_which_nodes_were_chosen() -> None:
    # Rows are chosen by the smallest hashes: the noise must not be small because the hash is.
    data = Data(x=torch.zeros(20_000, 4), edge_index=torch.empty(2, 0, dtype=torch.int64))
    x = NodeMask(mask=0.05, fill="gaussian").view(data, 0).x
    chosen = x[(x != 0).all(1)]
    assert chosen.size(0) == 1000
    assert stats.kstest(((chosen - 0.5) / 0.5).flatten().double().numpy(), "norm").pvalue > 1e-3


def test_masking_needs_features() -> None:
    data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
    with pytest.raises(ValueError, match=r"expected node features to mask, got data without x.*features='constant'"):
        NodeMask()(data)


def test_integer_features_take_whole_tokens_only() -> None:
    data = star(6)
    data.x = data.x.long()
    view = NodeMask(mask=0.5, fill=-7).view(data, 0)
    assert view.x.dtype == torch.int64
    assert int((view.x == -7).all(1).sum()) == 3
    for fill in ("mean", "gaussian", 0.5):
        with pytest.raises(TypeError, match=r"floating-point x.*int64"):
            NodeMask(fill=fill).view(data, 0)


@pytest.mark.parametrize(
    ("dtype", "fill", "span"),
    [(torch.uint8, -1, "0 to 255"), (torch.uint8, [3, 300], "0 to 255"), (torch.bool, 2, "0 to 1")],
    ids=str,
)
def test_a_token_is_a_number_that_the_features_can_hold(dtype: torch.dtype, fill: object, span: str) -> None:
    data = star(6)
    data.x = data.x.to(dtype)
    with pytest.raises(TypeError, match=f"got {dtype}; give a whole number from {span}"):
        NodeMask(mask=0.5, fill=fill).view(data, 0)


@pytest.mark.parametrize("fill", ["median", "0"])
def test_an_unknown_fill_is_refused(fill: str) -> None:
    with pytest.raises(ValueError, match="'mean' or 'gaussian'"):
        NodeMask(fill=fill)


@pytest.mark.parametrize("fill", [None, True, [0.0, None], {}], ids=repr)
def test_a_fill_is_a_number_or_a_name(fill: object) -> None:
    with pytest.raises(TypeError, match="expected fill to be a number"):
        NodeMask(fill=fill)


@pytest.mark.parametrize("fill", [[7, 8], (7.0, 8.0), torch.tensor([7.0, 8.0])], ids=str)
def test_a_row_of_numbers(fill: object) -> None:
    view = NodeMask(mask=0.5, fill=fill).view(star(6), 0)
    assert int((view.x == torch.tensor([7.0, 8.0])).all(1).sum()) == 3


def test_a_learned_token_gets_its_gradient_in_company_too() -> None:
    token = torch.full((2,), -1.0, requires_grad=True)
    batch = copies(star(6), 20)
    for aug in (NodeMask(mask=0.5, fill=token), RandomChoice([NodeDrop(drop=0.5), NodeMask(mask=0.5, fill=token)])):
        view = aug.view(batch, 0)
        masked = int((view.x == -1).all(1).sum())
        assert masked > 0
        token.grad = None
        view.x.sum().backward()
        assert token.grad is not None
        assert token.grad.tolist() == [masked, masked]


def test_a_token_takes_the_type_of_the_features() -> None:
    data = star(4)
    data.x = data.x.half()
    assert NodeMask(mask=1.0, fill=torch.tensor([0.5, 2.0])).view(data, 0).x.dtype == torch.float16


def test_categories_take_a_token_per_column() -> None:
    data = star(6)
    data.x = data.x.long()
    for fill in ([119, 5], torch.tensor([119, 5])):
        view = NodeMask(mask=0.5, fill=fill).view(data, 0)
        assert view.x.dtype == torch.int64
        assert int((view.x == torch.tensor([119, 5])).all(1).sum()) == 3
    for wrong in ([1, 0.5], torch.tensor([1.0, 2.0]), float("inf")):
        with pytest.raises(TypeError, match=r"floating-point x.*int64.*token"):
            NodeMask(fill=wrong).view(data, 0)


@pytest.mark.parametrize("fill", [[1.0], torch.zeros(3), torch.zeros(1, 2), torch.tensor(1.0)], ids=str)
def test_a_row_has_the_shape_of_a_row(fill: object) -> None:
    with pytest.raises(ValueError, match=r"expected a fill of shape \[2\], a row of 'x', got"):
        NodeMask(fill=fill).view(star(4), 0)


U8, I64 = torch.uint8, torch.int64


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        (U8, torch.tensor([300, 1])),
        (U8, torch.tensor([-1, 1])),
        (torch.float32, torch.tensor([1j, 1j])),
        (I64, torch.tensor([0.5, 1])),
    ],
)
def test_a_token_that_the_features_cannot_hold_is_refused(dtype: torch.dtype, fill: torch.Tensor) -> None:
    data = Data(x=torch.ones(2, 2, dtype=dtype), edge_index=torch.zeros(2, 0, dtype=I64))
    with pytest.raises(TypeError, match="x"):
        NodeMask(mask=1.0, fill=fill).view(data, 0)


@pytest.mark.parametrize(("dtype", "fill"), [(torch.float64, [0.1, 0.2]), (I64, [2**53 + 1, 1]), (U8, [255, 0])])
def test_a_row_keeps_its_digits(dtype: torch.dtype, fill: list[float]) -> None:
    data = Data(x=torch.ones(2, 2, dtype=dtype), edge_index=torch.zeros(2, 0, dtype=I64))
    assert NodeMask(mask=1.0, fill=fill).view(data, 0).x.tolist() == [fill, fill]
