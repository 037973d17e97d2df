"""A run on two ranks against the same run in one process, for every method."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader, NodeLoader
from torch_geometric.nn import GIN as PyGGIN
from torch_geometric.utils import subgraph

from graphcl import methods
from graphcl.augment import FeatureMask, PPRDiffusion
from graphcl.data import NeighbourSampler
from graphcl.distributed import one_batch, rank, world
from graphcl.errors import RunError
from graphcl.losses import NTXent
from graphcl.methods import GraphCL, Method
from graphcl.nn import GIN, GraphEncoder
from graphcl.train import RunFolder, fit
from graphcl.train.checkpoint import load_checkpoint

METHODS = {
    "ADGCL": {},
    "BGRL": {},
    "CCASSG": {},
    "COSTA": {},
    "CrossModal": {"modality": "text", "modality_channels": 5},
    "DGI": {},
    "GAE": {},
    "GBT": {},
    "GCA": {},
    "GGD": {},
    "GRACE": {},
    "GraphBYOL": {},
    "GraphBarlowTwins": {},
    "GraphCL": {},
    "GraphMAE": {},
    "GraphMAEGraph": {},
    "GraphMoCo": {"queue_size": 20},
    "GraphSimCSE": {},
    "GraphSupCon": {},
    "GraphSwAV": {"num_prototypes": 4},
    "GraphVICReg": {},
    "InfoGraph": {},
    "JOAO": {"update_every": 2},
    "JOAOv2": {"update_every": 2},
    "MVGRL": {"diffusion": PPRDiffusion(alpha=0.2, top_k=8)},
    "MVGRLGraph": {},
    "NodeAndGraph": {},
    "NodeSupCon": {},
    "PCL": {"queue_size": 16, "num_clusters": (2, 3), "cluster_every": 2},
    "RGCL": {},
    "SGRL": {},
    "SimGRACE": {},
    "SubtreeContrast": {"num_nodes": 40},
}
OWN_LABELS = {"NodeSupCon"}  # labels of nodes; all others have labels of graphs


def graphs(name, count=14):
    generator = torch.Generator().manual_seed(0)
    found = []
    for i in range(count):
        n = 5 + i % 6
        edges = torch.randint(n, (2, 2 * n), generator=generator)
        edges = edges[:, edges[0] != edges[1]]
        data = Data(
            x=torch.randn(n, 4, generator=generator, dtype=torch.float64),
            edge_index=torch.cat([edges, edges.flip(0)], 1).unique(dim=1),
            text=torch.randn(1, 5, generator=generator, dtype=torch.float64),
            y=torch.arange(n) % 2 if name in OWN_LABELS else torch.tensor([i % 3]),
        )
        data.train_mask = torch.arange(n) % 4 < 3
        found.append(data)
    return found


def build(name, network=None):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rank())  # fit, like torch's own wrapper, gives all ranks the weights of the first
        network = GIN(4, 8, 2) if network is None else network
        return getattr(methods, name)(GraphEncoder(network), **METHODS[name]).double()


def trained(name, **settings):
    """Two epochs of three batches, of 6, 6 and 2 graphs; unlike one another, so that ranks have unlike parts."""
    method = build(name)
    history = fit(method, graphs(name), **{"epochs": 2, "batch_size": 6, "lr": 0.01, "progress": False, **settings})
    return [row["loss"] for row in history.epochs], dict(method.state_dict())


def check_same(found, expected, tolerance=1e-8):
    losses, weights = found
    assert losses == pytest.approx(expected[0], rel=tolerance, abs=tolerance)
    for key, value in expected[1].items():
        torch.testing.assert_close(
            weights[key], value, rtol=tolerance, atol=tolerance, msg=lambda said, key=key: f"{key}: {said}"
        )


# --- what the ranks do ------------------------------------------------------------------------------------------------


def everything(folder):
    methods = {name: trained(name) for name in METHODS}
    return methods, options(), folders(folder), loaders(), refusals(), by_hand(), unlike_parts()


def options():
    """Settings that the loop itself reads."""
    return {
        "clip": trained("GraphCL", clip=0.1, accumulate=2, schedule="cosine", warmup=1),
        "patience": trained("GraphCL", epochs=6, patience=1, lr=0.5),
        "own loss": len(trained("GraphCL", epochs=6, patience=2, lr=1e-4, callbacks=[rising])[0]),
        "ring": ring_of_seeds(),
    }


def rising(moment, method):
    return {"loss": float(moment.epoch)}


def fail(moment, method):
    raise OSError("no such plotter")


def turn(moment, method):
    method.seed += 1


def folders(folder):
    """A run with a folder: who writes, who is called, and going on with it."""
    called = []
    path = RunFolder(f"{folder}/run")
    fit(build("GraphMoCo"), graphs("GraphMoCo"), epochs=1, batch_size=6, folder=path, progress=False)
    method = build("GraphMoCo")
    history = fit(
        method,
        graphs("GraphMoCo"),
        epochs=2,
        batch_size=6,
        folder=path,
        resume=True,
        progress=False,
        callbacks=[lambda moment, method: called.append(moment.epoch)],
    )
    states = load_checkpoint(path.checkpoint_file)["random"]
    return [row["loss"] for row in history.epochs], dict(method.state_dict()), called, tuple(states.shape)


class Dropping(nn.Module):
    """Says what it has dropped."""

    out_channels = 4

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, edge_index):
        self.seen = self.dropout(torch.ones(8))
        return self.linear(x) + self.seen.sum()


def named(data):
    """With names of their own: a graph's view is the same wherever in a batch it lies."""
    for i, one in enumerate(data):
        one.graph_id = torch.tensor([i])
    return data


def loaders():
    """Graphs and nodes by loaders, each rank's its own part; and what dropout drew."""
    data = named(graphs("GraphCL"))
    sampler = DistributedSampler(data, world(), rank(), shuffle=False) if world() > 1 else None
    method = build("GraphCL")
    history = fit(method, DataLoader(data, 7 if world() > 1 else 14, sampler=sampler), epochs=2, progress=False)
    one = graphs("GRACE", 1)[0]
    nodes = torch.arange(one.num_nodes).tensor_split(world())[rank()]
    whole = NodeLoader(one, NeighbourSampler(one, [-1, -1], seed=0), nodes, batch_size=8)
    grace = build("GRACE")
    grace.views = (FeatureMask(mask=0.3), FeatureMask(mask=0.1))
    told = fit(grace, whole, epochs=1, progress=False)
    dropping = Dropping().double()
    fit(GraphCL(GraphEncoder(dropping)).double(), graphs("GraphCL"), epochs=1, batch_size=14, progress=False)
    return (
        [row["loss"] for row in history.epochs],
        dict(method.state_dict()),
        dropping.seen,
        [row["loss"] for row in told.epochs],
    )


def by_hand():
    """The gradient of a step under torch's own wrapper."""
    method, data = build("GraphCL"), named(graphs("GraphCL"))
    part = Batch.from_data_list([data[i] for i in torch.arange(14).tensor_split(world())[rank()]])
    wrapped = DistributedDataParallel(method) if world() > 1 else method
    with one_batch():
        loss = wrapped(part)
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in method.named_parameters()}


def half(first):
    """A view of all nodes of the large graphs, and of the even or the odd ones of the small ones."""

    def view(data):
        numbers = torch.arange(data.num_nodes) - data.ptr[data.batch]
        kept = (data.ptr.diff()[data.batch] > 5) | (numbers % 2 == first)
        edges = subgraph(kept, data.edge_index, relabel_nodes=True)[0]
        ptr = torch.cat([data.ptr[:1], torch.bincount(data.batch[kept], minlength=data.num_graphs).cumsum(0)])
        return Data(x=data.x[kept], edge_index=edges, batch=data.batch[kept], ptr=ptr, n_id=numbers[kept])

    return view


def unlike_parts():
    """What one rank's part has, and the other's has not."""
    data = graphs("GAE", 2)
    data[0].edge_index = data[0].edge_index[:, :0]
    gae, grace = build("GAE"), build("GRACE")
    grace.views = (half(0), half(1))
    found = []
    for method in (gae, grace):
        history = fit(method, data, epochs=2, batch_size=2, progress=False)
        found.append(([row["loss"] for row in history.epochs], dict(method.state_dict())))
    return found


def ring_of_seeds():
    """A graph whose nodes look all the same: each rank's seeds have the same surroundings."""
    to = (torch.arange(12) + 1) % 12
    ring = Data(x=torch.ones(12, 4, dtype=torch.float64), edge_index=torch.stack([torch.arange(12), to]))
    nodes = torch.arange(12).tensor_split(world())[rank()]
    loader = NodeLoader(ring, NeighbourSampler(ring, [-1, -1], seed=0), nodes, batch_size=6)
    return fit(build("GRACE"), loader, epochs=1, progress=False).epochs[0]["epoch"]


class Own(Method):
    def loss_of(self, data, key):
        return self.encoder.encode(data).graph.square().mean()


def refusals():
    """The words with which each of these is refused, on this rank."""
    data = graphs("GraphCL")

    def said(error, action):
        with pytest.raises(error) as caught:
            action()
        return str(caught.value)

    encoder = GraphEncoder(GIN(4, 8, 2)).double()
    unwritable = RunFolder("/dev/null/run")
    across, frozen = GraphCL(encoder, loss=NTXent(across_ranks=True)), build("GraphCL")
    frozen.encoder.requires_grad_(rank() == 0)
    unlike = GraphCL(encoder, loss=NTXent(temperature=0.2 + 0.1 * rank())).double()
    errors = (ValueError, RunError)
    return {
        "one graph": said(ValueError, lambda: fit(build("GRACE"), data[0], progress=False)),
        "own loss": said(NotImplementedError, lambda: fit(Own(encoder), data, progress=False)),
        "unlike": said(ValueError, lambda: fit(build("GraphCL"), data, lr=0.1 + rank(), progress=False)),
        "own graphs": said(ValueError, lambda: fit(build("GraphCL"), data[rank() :: 2], progress=False)),
        "too few": said(ValueError, lambda: fit(build("GRACE"), data, batch_size=1, progress=False)),
        "same part": said(ValueError, lambda: fit(build("GraphCL"), DataLoader(data, 7), progress=False)),
        "across": said(ValueError, lambda: fit(across.double(), data, progress=False)),
        "frozen": said(ValueError, lambda: fit(frozen, data, progress=False)),
        "temperature": said(ValueError, lambda: fit(unlike, data, progress=False)),
        "callback": said((OSError, RunError), lambda: fit(build("GraphCL"), data, callbacks=[fail], progress=False)),
        "other seed": said(errors, lambda: fit(build("GraphCL"), data, callbacks=[turn], progress=False)),
        "folder": said(RunError, lambda: fit(build("GraphCL"), data, folder=unwritable, progress=False)),
    }


@pytest.fixture(scope="module")
def two(ranks, tmp_path_factory):
    """What two ranks find, for all tests below: starting processes is what takes time."""
    return ranks(everything, 2, str(tmp_path_factory.mktemp("ranks")))


# --- and what one process does ----------------------------------------------------------------------------------------


def test_every_method_is_here():
    kinds = {kind for kind in vars(methods).values() if isinstance(kind, type) and issubclass(kind, Method)}
    abstract = {"Method", "ViewMethod", "NodeMethod", "NodeViewMethod", "GraphViewMethod"}
    assert {kind.__name__ for kind in kinds} - abstract == set(METHODS)
    assert all(getattr(methods, name).joins_ranks for name in METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_two_ranks_end_with_the_weights_of_one_process(two, name):
    expected = trained(name)
    for found in two:
        check_same(found[0][name], expected)


@pytest.mark.parametrize("name", ["clip", "patience"])
def test_options_of_the_loop(two, name):
    expected = options()[name]
    for found in two:
        check_same(found[1][name], expected)


def test_a_run_is_gone_on_with(two, tmp_path):
    losses, weights, called, shape = folders(tmp_path)
    for r, found in enumerate(two):
        check_same(found[2][:2], (losses, weights))
        assert found[2][2] == (called if r == 0 else [])  # the first rank's part
        assert found[2][3] == (2, *shape)  # a state for each rank


def apart(name, folder=None, epochs=(2,)):
    """What the method of a network that sees its rank's part alone has at the end, in one run or in several."""
    for resume, number in enumerate(epochs):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rank())
            encoder = GraphEncoder(PyGGIN(4, 8, 2, dropout=0.3, norm="batch_norm"))
            head = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3), nn.Linear(8, 8))
            method = getattr(methods, name)(encoder, head=head, **METHODS[name]).double()
        settings = {"batch_size": 14, "folder": folder, "resume": bool(resume), "progress": False}
        fit(method, graphs(name), epochs=number, **settings)
    return dict(method.state_dict())


def apart_and_again(folder):
    return [(apart(name), apart(name, f"{folder}/{name}", (1, 2))) for name in ("GraphMoCo", "GraphBYOL")]


def test_what_ranks_see_for_themselves_is_kept_of_the_first_and_resumes(ranks, tmp_path):
    two = ranks(apart_and_again, 2, str(tmp_path))
    for mine, others in zip(*two, strict=True):
        expected = mine[0]
        for found in (mine[1], *others):
            assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_loaders_of_parts(two):
    losses, weights, _, of_nodes = loaders()
    for found in two:
        check_same(found[3][:2], (losses, weights))
        assert found[3][3] == pytest.approx(of_nodes)
    assert not torch.equal(two[0][3][2], two[1][3][2])  # ranks do not drop alike


def test_parts_that_lack_what_others_have(two):
    for number, expected in enumerate(unlike_parts()):
        for found in two:
            check_same(found[6][number], expected)


def test_seeds_are_told_apart_by_their_names(two):
    assert [found[1]["ring"] for found in two] == [1, 1]


def test_ranks_have_one_patience(two):
    """A callback's own loss, which the first rank alone has, decides on all."""
    assert [found[1]["own loss"] for found in two] == [3, 3]


def test_a_loop_by_hand(two):
    loss, grads = by_hand()
    for found in two:
        torch.testing.assert_close(found[5][0], loss)
        torch.testing.assert_close(found[5][1], grads)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("one graph", "expected a set of graphs, or a loader, to divide between 2 ranks, got one graph"),
        ("own loss", "expected a method whose loss runs over the graphs of all ranks, got Own"),
        ("unlike", "expected all ranks to call fit alike, got different values of lr"),
        ("own graphs", "got different values of dataset on some of them; a set of graphs is given whole to every rank"),
        ("across", "expected a loss with across_ranks=False, got True: inside one_batch, as in fit"),
        ("frozen", "got different values of the method's weights on some of them"),
        ("temperature", "got different values of the method's settings on some of them"),
        ("too few", "expected at least one graph of every batch for each of 2 ranks, got 14 graphs in batches of 1"),
        ("same part", "expected a part of the data of its own for every rank, got the same first batch on several"),
    ],
)
def test_refusals(two, what, words):
    assert all(words in found[4][what] for found in two)


def test_what_one_rank_cannot_write_is_an_error_on_all(two):
    assert "expected a writable output folder" in two[0][4]["folder"]
    assert "expected the first rank to read and write the run's files" in two[1][4]["folder"]
    assert "expected callbacks that leave the method as it is" in two[0][4]["other seed"]
    assert two[0][4]["callback"] == "no such plotter"
    assert "and call its callbacks, but it failed" in two[1][4]["callback"]
