"""A hand-written TU data set, which each test may spoil in one place."""

from collections.abc import Callable
from pathlib import Path

import pytest

# Three graphs: a triangle, a pair, a path of three. Nodes 1-3, 4-5, 6-8.
TINY = {
    "A": "1, 2\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n4, 5\n5, 4\n6, 7\n7, 6\n7, 8\n8, 7\n",
    "graph_indicator": "1\n1\n1\n2\n2\n3\n3\n3\n",
    "graph_labels": "1\n-1\n1\n",
    "node_labels": "0\n0\n1\n1\n0\n2\n1\n0\n",
}

WriteTU = Callable[..., Path]


@pytest.fixture
def write_tu() -> WriteTU:
    """Writes the raw files into a folder; a keyword replaces the text of one file, None leaves it out."""

    def write(folder: Path, name: str = "TINY", **changes: str | None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, text in (TINY | changes).items():
            if text is not None:
                (folder / f"{name}_{kind}.txt").write_text(text)
        return folder

    return write
