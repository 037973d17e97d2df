"""One rank of a test: opens the process group, calls a function of the test's file, and stores what it returns."""

import importlib.util
import os
import socket
import sys
import warnings
from datetime import timedelta
from pathlib import Path

import jaxtyping
import torch
import torch.distributed as dist

# As in setup.cfg: an int may stand for a float.
TYPES = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"


def main(file: str, name: str, rank: int, world: int, folder: Path) -> None:
    warnings.simplefilter("error")
    # As in setup.cfg: torch_geometric still uses TorchScript when it is imported.
    warnings.filterwarnings("ignore", message=r".*torch\.jit.*", category=DeprecationWarning)
    torch.set_num_threads(1)
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    if loopback:  # no other machine is asked for anything
        os.environ["GLOO_SOCKET_IFNAME"] = loopback
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meeting'}",  # no port that another process might take meanwhile
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=60),
    )
    with jaxtyping.install_import_hook("graphcl", TYPES):
        spec = importlib.util.spec_from_file_location("program", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        inputs = torch.load(folder / "inputs.pt", weights_only=True)
        torch.save(getattr(module, name)(inputs), folder / f"result{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
