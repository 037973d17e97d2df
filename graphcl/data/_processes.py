"""Work on many SMILES in processes of their own, each a program that reads lines and writes answers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["AT_ONCE", "answers", "environment"]

AT_ONCE = 10_000  # molecules per process: long beside its start


def answers(module: str, texts: Sequence[str], workers: int) -> Iterator[bytes]:
    """What ``python -m module`` writes for each ``AT_ONCE`` lines of ``texts``, in their order."""

    def of(start: int) -> bytes:
        return _in_process(module, texts[start : start + AT_ONCE])

    with ThreadPoolExecutor(workers) as threads:
        yield from threads.map(of, range(0, len(texts), AT_ONCE))


def environment(**variables: str) -> dict[str, str]:
    """That of a process which is to import this very package, from wherever it was imported here."""
    here = str(Path(__file__).resolve().parent.parent.parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **variables}


def _in_process(module: str, texts: Sequence[str]) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", module],
        input="".join(text.replace("\n", " ") + "\n" for text in texts).encode(),
        capture_output=True,
        env=environment(PYTHONIOENCODING="utf-8"),
        check=False,
    )
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()[-200:]
        raise RuntimeError(
            f"a worker process ({module}) failed ({why or 'it ended'}); try again with workers=0 to see why"
        )
    return done.stdout
