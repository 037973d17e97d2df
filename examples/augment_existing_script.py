"""A script you may already have (PyG, supervised GIN, few labelled molecules), and three augmentations plugged into it.

An augmentation is a PyG transform: it goes where `T.NormalizeFeatures()` goes. The two lines that are new are marked.
How it is done is what this shows; whether it helps depends on the data, and on these few molecules it does not.
"""

import torch
import torch_geometric.transforms as T
from torch.nn import functional as F
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GIN, MLP, global_add_pool

from graphcl.augment import EdgeDrop, NodeMask, RandomWalkSubgraph
from graphcl.data import load

EPOCHS, TRAIN = 40, 80
AUGMENT = T.Compose([RandomWalkSubgraph(keep=0.8), EdgeDrop(drop=0.02), NodeMask(mask=0.05, fill=0.0)])  # <- new


class Classifier(torch.nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.gnn = GIN(in_channels, 32, num_layers=5, norm="batch_norm", jk="cat")
        self.head = MLP([32, 32, classes], norm=None)

    def forward(self, data):
        nodes = self.gnn(data.x, data.edge_index)
        return self.head(global_add_pool(nodes, data.batch, size=data.num_graphs) / 10)


def train(model, loader, optimizer, transform):
    model.train()
    for batch in loader:
        if transform is not None:
            batch = transform(batch)  # <- new: all graphs of the batch at once, on its device
        optimizer.zero_grad()
        F.cross_entropy(model(batch), batch.y).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model, graphs):
    model.eval()
    right = sum(int((model(batch).argmax(1) == batch.y).sum()) for batch in DataLoader(graphs, batch_size=200))
    return 100 * right / len(graphs)


def run(seed, transform=None):
    dataset = load("synthetic-molecules")
    with torch.random.fork_rng():  # the same split, weights and order of batches with and without augmentations
        torch.manual_seed(seed)
        order = torch.randperm(len(dataset))
        train_set, test_set = dataset[order[:TRAIN]], dataset[order[TRAIN:]]
        # A transform of the data set does, too, and runs in the loader's workers: train_set.transform = AUGMENT
        model = Classifier(dataset.num_features, dataset.num_classes)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
        loader = DataLoader(train_set, batch_size=20, shuffle=True)
        for _ in range(EPOCHS):
            train(model, loader, optimizer, transform)
            schedule.step()
        return accuracy(model, train_set), accuracy(model, test_set)


for seed in range(2):
    for name, transform in (("as it was", None), ("with augmentations", AUGMENT)):
        on_train, on_test = run(seed, transform)
        print(f"seed {seed}, {name:20s} train {on_train:5.1f} %   test {on_test:5.1f} %")
