"""Featurising in worker processes: shards of SMILES in, shards of arrays out, each a file, so that work can be resumed.

A worker is this module run as a program, which is told shards on its standard input. It starts in half a second, for it
imports neither torch nor the caller's script.
"""

import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from graphcl._files import write_whole
from graphcl.data._featurise import Packed, featurise
from graphcl.data._processes import environment
from graphcl.errors import DataError

__all__ = ["SHARD", "make_shards", "read_shard"]

SHARD = 2000  # molecules: half a second's work
_ARRAYS = ("x", "edge_index", "edge_attr", "atoms", "edges", "position")


def make_shards(
    smiles: Sequence[str],
    folder: Path,
    *,
    vocab: str,
    scaffolds: bool,
    workers: int,
    done: Callable[[int], None],
) -> list[Path]:
    """Featurise in shards, of which those that are in the folder already are not made again.

    Args:
        smiles: The SMILES.
        folder: Where the shards lie; it belongs to these SMILES and these choices alone.
        vocab: The index table.
        scaffolds: Find the scaffolds, too.
        workers: The number of processes; none but this one if 0.
        done: Told the number of molecules whenever a shard is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(smiles), SHARD)
    paths = [folder / f"{start:09d}.npz" for start in starts]
    parts = [list(smiles[start : start + SHARD]) for start in starts]
    waiting = [i for i, path in enumerate(paths) if not path.is_file()]
    for i in set(range(len(paths))).difference(waiting):
        done(len(parts[i]))
    if workers == 0:
        for i in waiting:
            _write(paths[i], featurise(parts[i], vocab, scaffolds=scaffolds))
            done(len(parts[i]))
        return paths
    with _crew(min(workers, len(waiting))) as crew, ThreadPoolExecutor(max(crew.qsize(), 1)) as threads:

        def make(i: int) -> int:
            worker = crew.get()
            try:
                _ask(worker, {"smiles": parts[i], "path": str(paths[i]), "vocab": vocab, "scaffolds": scaffolds})
            finally:
                crew.put(worker)
            return len(parts[i])

        for number in threads.map(make, waiting):
            done(number)
    return paths


def read_shard(path: Path) -> Packed:
    """The arrays of one shard.

    Raises:
        DataError: It is damaged, as a machine may leave it that lost its power.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            texts = json.loads(bytes(stored["texts"]).decode())
            scaffolds = [(one, other) for one, other in texts["scaffolds"]]
            failed = [(i, why) for i, why in texts["failed"]]
            return Packed(**{key: stored[key] for key in _ARRAYS}, scaffolds=scaffolds, failed=failed)
    except (ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}): delete it and load again, and it is made anew.") from error


def _write(path: Path, packed: Packed) -> None:
    """In one step: what is there is whole."""
    texts = json.dumps({"scaffolds": packed.scaffolds, "failed": packed.failed}).encode()
    arrays = {key: getattr(packed, key) for key in _ARRAYS}
    write_whole(path, lambda file: np.savez(file, texts=np.frombuffer(texts, dtype=np.uint8), **arrays))


@contextmanager
def _crew(count: int) -> Iterator[SimpleQueue[subprocess.Popen[str]]]:
    command, own = [sys.executable, "-m", "graphcl.data._shards"], environment(OMP_NUM_THREADS="1")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    crew: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
    processes: list[subprocess.Popen[str]] = []
    try:
        for _ in range(count):
            processes.append(subprocess.Popen(command, env=own, **pipes))  # type: ignore[call-overload]
            crew.put(processes[-1])
        yield crew
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _ask(worker: subprocess.Popen[str], task: dict[str, Any]) -> None:
    assert worker.stdin is not None and worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(task) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if answer != "ok\n":
        said = answer.strip() or "it ended"
        raise RuntimeError(
            f"a worker process that reads molecules failed ({said}); load again to go on from there, with workers=0 to "
            f"see why"
        )


def main() -> None:
    """Make the shards that the standard input asks for, one per line."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # nothing that a library prints is taken for an answer
    for line in sys.stdin:
        task = json.loads(line)
        try:
            _write(Path(task["path"]), featurise(task["smiles"], task["vocab"], scaffolds=task["scaffolds"]))
            answer = "ok"
        except (OSError, ImportError, ValueError) as error:
            answer = f"{type(error).__name__}: {error}".replace("\n", " ")
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
