"""Each fault that a raw file can have is named with its file and line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphcl.data import tu_check
from graphcl.data.tu_check import check_raw, count_lines, missing_files
from graphcl.errors import DataError

WriteTU = Callable[..., Path]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"node_labels": None},
        {
            "node_attributes": "0.5, 1\n" * 7 + " -1e-3, nan\n",
            "edge_labels": "0\n" * 12,
            "edge_attributes": "1.5\n" * 12,
        },
        {"node_labels": "0, 1\n" * 8, "graph_labels": None, "graph_attributes": "0.5\n1\n-2\n"},
        {"graph_labels": "1\r\n-1\r\n 1\r\n"},
    ],
)
def test_good_files_pass(tmp_path: Path, write_tu: WriteTU, changes: dict[str, str | None]) -> None:
    check_raw(write_tu(tmp_path, **changes), "TINY")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"A": None}, r"lacks TINY_A\.txt"),
        ({"graph_indicator": None, "graph_labels": None}, r"lacks TINY_graph_indicator\.txt, TINY_graph_labels\.txt"),
        ({"A": "1, 2\n2, 1\n1, 3"}, r"TINY_A\.txt, line 3: the file does not end with a newline"),
        ({"A": "1, 2\n2, 9\n"}, r"TINY_A\.txt, line 2: edge \(2, 9\) names a node outside 1\.\.8"),
        ({"A": "1, 2\n2, 1\n0, 1\n"}, r"TINY_A\.txt, line 3: edge \(0, 1\) names a node outside"),
        ({"A": "1, 2\n2, 1\n3, 4\n"}, r"TINY_A\.txt, line 3: edge \(3, 4\) joins graph 1 and graph 2"),
        ({"A": "1, 2\n2; 1\n"}, r"TINY_A\.txt, line 2: expected integers separated by commas, got '2; 1'"),
        ({"A": "1, 2\n2, 1, 1\n"}, r"TINY_A\.txt, line 2: expected 2 columns, got 3"),
        ({"A": "1, 2\n2\n1, 2, 3\n"}, r"TINY_A\.txt, line 2: expected 2 columns, got 1"),
        ({"A": "1\n2\n"}, r"TINY_A\.txt, line 1: expected 2 columns, got 1"),
        ({"A": "1, 2\n"}, r"TINY_A\.txt has 1 lines: expected at least one edge, written in both directions"),
        ({"A": ""}, r"TINY_A\.txt has 0 lines"),
        ({"graph_indicator": ""}, r"TINY_graph_indicator\.txt is empty"),
        ({"graph_indicator": "1\n1\n1\n2\n2\n3\n3\n"}, r"TINY_node_labels\.txt has 8 lines: expected 7"),
        ({"graph_indicator": "1\n1\n1\n2\n2\n3\n3\n", "node_labels": None}, r"line 11: edge \(7, 8\) names a node"),
        ({"graph_indicator": "1\n1\n1\n3\n3\n2\n2\n2\n"}, r"line 4: graph 3 follows graph 1, so graph 2 \(index 1\)"),
        ({"graph_indicator": "1\n1\n2\n2\n1\n3\n3\n3\n"}, r"graph_indicator\.txt, line 5: graph 1 comes after graph 2"),
        ({"graph_indicator": "2\n" * 8}, r"line 1: graph 2 follows graph 0, so graph 1 \(index 0\) has no nodes"),
        ({"graph_indicator": "0\n" * 8}, r"graph_indicator\.txt, line 1: graphs are numbered from 1, got 0"),
        ({"graph_labels": "1\n-1\n"}, r"TINY_graph_labels\.txt ends after line 2: expected 3"),
        ({"graph_labels": "1\n-1\n1\n1\n"}, r"TINY_graph_labels\.txt has 4 lines, .* graph 4 \(index 3\) has no nodes"),
        ({"graph_labels": "1\n\n1\n"}, r"TINY_graph_labels\.txt, line 2: expected integers .* got ''"),
        ({"graph_labels": "1\n-1\n1.5\n"}, r"TINY_graph_labels\.txt, line 3: expected integers"),
        ({"graph_labels": f"1\n-1\n{10**30}\n"}, r"TINY_graph_labels\.txt, line 3: expected integers"),
        ({"node_labels": "0\n0\n1\n"}, r"TINY_node_labels\.txt ends after line 3: expected 8, one per line of TINY_gr"),
        ({"node_labels": "0\n0\n1\nC\n1\n1\n1\n1\n"}, r"TINY_node_labels\.txt, line 4: expected integers .* got 'C'"),
        ({"node_attributes": "0.5\n" * 9}, r"TINY_node_attributes\.txt has 9 lines: expected 8"),
        ({"node_attributes": "0.5\nx\n" * 4}, r"TINY_node_attributes\.txt, line 2: expected numbers"),
        ({"edge_labels": "0\n" * 5}, r"TINY_edge_labels\.txt ends after line 5: expected 12, one per line of TINY_A"),
        ({"edge_attributes": "0.1, 2\n" * 11 + "0.1"}, r"TINY_edge_attributes\.txt, line 12: the file does not end"),
    ],
)  # fmt: skip
def test_a_fault_is_named(tmp_path: Path, write_tu: WriteTU, changes: dict[str, str | None], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_raw(write_tu(tmp_path, **changes), "TINY")


def test_lines_are_counted_across_blocks(tmp_path: Path, write_tu: WriteTU, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tu_check, "BLOCK", 10)
    check_raw(write_tu(tmp_path), "TINY")
    with pytest.raises(DataError, match=r"TINY_A\.txt, line 11: edge \(7, 80\) names a node outside"):
        check_raw(write_tu(tmp_path, A=(tmp_path / "TINY_A.txt").read_text().replace("7, 8\n", "7, 80\n")), "TINY")
    assert count_lines(tmp_path / "TINY_A.txt") == 12


@pytest.mark.parametrize("text", ["1, 2\n2, 1\n3,4 \n", " 1,2\n-3 ,\t4\n+5,6\n", "1, 2\r\n3, 4\r\n"])
def test_the_fast_parser_agrees_with_the_exact_one(tmp_path: Path, text: str) -> None:
    fast = tu_check._parse(text.encode(), int)
    assert fast is not None
    np.testing.assert_array_equal(fast, tu_check._parse_lines(tmp_path, text.encode(), 1, int, 2))


def test_missing_files_are_listed(tmp_path: Path, write_tu: WriteTU) -> None:
    assert missing_files(tmp_path, "TINY") == ["TINY_A.txt", "TINY_graph_indicator.txt", "TINY_graph_labels.txt"]
    assert missing_files(write_tu(tmp_path, node_labels=None), "TINY") == []


@pytest.mark.parametrize("name", ["MUTAG", "IMDB-BINARY"])
def test_real_files_pass(graphcl_home: Path, name: str) -> None:
    check_raw(graphcl_home / "TU" / name / "raw", name)
