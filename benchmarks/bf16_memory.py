"""Memory of training in bfloat16 on a CPU: batches of molecules, of which no two have the same number of atoms.

    python benchmarks/bf16_memory.py

torch's own autocast keeps a compiled product for every number of rows; ours fills rows up to few numbers. The encoder
of Hu et al. (5 layers, width 300) takes batches of 256 molecules of ZINC forwards and back, each way in a process of
its own, one thread. Memory is what is resident beyond that after the first five batches; time is of the process.
Writes ``results/bf16_memory.csv``.
"""

import argparse
import csv
import datetime
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from graphcl import __version__
from graphcl.data import PackedDataset, load_molecules
from graphcl.data.home import home
from graphcl.nn import GraphEncoder, MoleculeEncoder, mean_readout
from graphcl.nn._autocast import bfloat16

RESULTS = Path(__file__).parent / "results"


def resident() -> float:
    """MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def child(way: str, batches: int) -> None:
    """Prints MiB gained and seconds per batch."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dataset = load_molecules(home() / "zinc250k" / "smiles.csv.gz")
    packed = PackedDataset(dataset[: 256 * batches])
    encoder = GraphEncoder(MoleculeEncoder(300, 5), mean_readout)
    for number, batch in enumerate(packed.batches(256)):
        if number == 5:
            before, start = resident(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16) if way == "torch's autocast" else bfloat16("cpu"):
            graph = encoder.encode(batch).graph
        graph.float().square().mean().backward()
    print(json.dumps([resident() - before, (time.process_time() - start) / (batches - 5)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=105)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS / "bf16_memory.csv")
    options = parser.parse_args()
    if options.batches < 6:
        parser.error(f"expected more than the 5 batches that are not counted, got --batches {options.batches}")
    if options.child:
        return child(options.child, options.batches)
    rows = []
    for way in ("torch's autocast", "graphcl"):
        command = [sys.executable, __file__, "--child", way, "--batches", str(options.batches)]
        gained, seconds = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        rows.append({"way": way, "batches": options.batches - 5, "gained_mib": f"{gained:.0f}"})
        rows[-1] |= {"seconds_per_batch": f"{seconds:.4f}", "device": platform.machine(), "threads": "1"}
        rows[-1] |= {"torch": torch.__version__, "version": __version__, "date": datetime.date.today().isoformat()}
        rows[-1] |= {"command": f"python benchmarks/bf16_memory.py --batches {options.batches}"}
        print(rows[-1], flush=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
