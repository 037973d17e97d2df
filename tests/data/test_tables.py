"""Files of molecules: every format gives the same rows, and what is wrong with a file is said with its place."""

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphcl.data.tables import read_molecules
from graphcl.errors import DataError

CSV = 'name,SMILES,active,pIC50\nethanol,CCO,1,5.5\n"a, b",c1ccccc1,,-1e-3\nnone,,0,NaN\n'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def check(path: Path, **arguments: str) -> None:
    table = read_molecules(path, labels=["active", "pIC50"], **arguments)  # type: ignore[arg-type]
    assert table.smiles == ["CCO", "c1ccccc1", ""]
    expected = np.array([[1, 5.5], [np.nan, -1e-3], [0, np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(table.labels, expected)
    assert table.labels.dtype == np.float32 and table.tasks == ("active", "pIC50")


def test_csv_and_tsv_plain_and_gzip(write: Write) -> None:
    check(write("a.csv", CSV))
    check(write("a.csv.gz", gzip.compress(CSV.encode())))
    check(write("a.csv", gzip.compress(CSV.encode())))  # by its bytes, not by its name
    check(write("a.TSV", CSV.replace('"a, b"', "ab").replace(",", "\t")))
    check(write("a.dat", CSV), file_format="csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(write: Write, encoding: str) -> None:
    check(write("a.csv", CSV.encode(encoding)))
    assert read_molecules(write("a.smi", "CCO\n".encode(encoding)), encoding="UTF8").smiles == ["CCO"]


def test_windows_line_ends_and_empty_lines(write: Write) -> None:
    check(write("a.csv", CSV.replace("\n", "\r\n") + "\r\n"))


def test_smi(write: Write) -> None:
    path = write("a.smi", "CCO ethanol\nc1ccccc1\tbenzene ring\n\nC\n")
    assert read_molecules(path).smiles == ["CCO", "c1ccccc1", "C"]
    with pytest.raises(DataError, match="has lines of SMILES and no columns, so none is called 'active'"):
        read_molecules(path, labels=["active"])


def test_sdf(write: Write) -> None:
    from rdkit import Chem

    records = []
    for smiles, active in (("C[C@H](N)C(=O)O", "1"), ("CCO", "")):
        molecule = Chem.MolFromSmiles(smiles)
        molecule.SetProp("active", active)
        records.append(Chem.MolToMolBlock(molecule) + f">  <active>\n{active}\n\n$$$$\n")
    broken = "\n\n\n  1  0  0\nnonsense\nM  END\n$$$$\n"
    for name, content in (("a.sdf", "".join(records) + broken), ("b.sdf.gz", "".join(records) + broken)):
        data = content.encode()
        table = read_molecules(write(name, gzip.compress(data) if name.endswith("gz") else data), labels=["active"])
        assert table.smiles == ["C[C@H](N)C(=O)O", "CCO", ""]
        np.testing.assert_array_equal(table.labels, [[1], [np.nan], [np.nan]])


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"smiles": ["CCO", None], "active": [1, None], "other": ["x", "y"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    for name in ("a.parquet", "a.parquet.gz"):
        read = read_molecules(tmp_path / name, labels=["active"])
        assert read.smiles == ["CCO", ""]
        np.testing.assert_array_equal(read.labels, [[1], [np.nan]])
    # Columns with spaces around their names, texts that are kept as bytes, and names that are there twice.
    spaced = pyarrow.table({" Smiles": [b"CCO", b"C"], " active ": [1, 0]})
    parquet.write_table(spaced, tmp_path / "c.parquet")
    read = read_molecules(tmp_path / "c.parquet", labels=["active"])
    assert read.smiles == ["CCO", "C"] and read.labels.tolist() == [[1], [0]]
    parquet.write_table(pyarrow.table([["C"], [1], [2]], names=["smiles", "y", "y"]), tmp_path / "d.parquet")
    with pytest.raises(DataError, match="has several columns 'y'"):
        read_molecules(tmp_path / "d.parquet", labels=["y"])
    (tmp_path / "b.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="is no Parquet file"):
        read_molecules(tmp_path / "b.parquet")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty: expected a file of molecules"),
        ("smiles,y\n", "has no rows: expected at least one molecule"),
        ("mol,y\nC,1\n", "has no column 'smiles'. Its columns: mol, y. Name the one"),
        ("smiles,SMILES,y\nC,N,1\n", "has several columns 'smiles'. Its columns: smiles, SMILES, y. Name the one"),
        ("smiles,y,y\nC,1,0\n", "has several columns 'y': expected one of that name"),
        ("smiles,other\nC,1\n", "has no column 'y' to learn from. Its columns: smiles, other"),
        ("smiles,y\nC,1\nCC,CI\n", "row 1, column 'y': expected a number or an empty cell, got the text 'CI'"),
        ("smiles,y\nC,1_5\n", "row 0, column 'y': expected a number or an empty cell, got the text '1_5'"),
        ("smiles,y\nC,True\n", "Write true and false as 1 and 0"),
        ("smiles,y\nC,inf\n", "row 0, column 'y': expected a finite number, got 'inf'"),
        (
            "smiles,y\nC,-1e39\n",
            "row 0, column 'y': expected a finite number, got '-1e39' (labels are kept as float32)",
        ),
        ("smiles;y\nC;1\n", "Its columns: smiles;y. There are semicolons between them"),
        ("smiles\ty\nC\t1\n", "There are tabs between them: save it with commas as .csv, or with tabs as .tsv"),
        ("smiles,y\nC,1,2\n", "line 2: expected 2 cells as in the header, got 3"),
        ('smiles,y\n"C,1\n', "line 2: a quotation mark that is never closed"),
        ('smiles,y,name\nC,1,\nCC,0,"5-FU\nCCC,1,\n', "line 3: a quotation mark that is never closed"),
        ("smiles,y\nC,1\n\xe9".encode("latin-1"), "line 3: expected text in utf-8-sig, got other bytes"),
        (gzip.compress(CSV.encode(), mtime=0)[:40], "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(write: Write, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_molecules(write("a.csv", content), labels=["y"])
    assert said in str(caught.value) and "a.csv" in str(caught.value)


def test_cells_of_any_length_are_read_and_the_limit_of_csv_is_put_back(write: Write) -> None:
    limit = csv.field_size_limit()
    note = "a" * (limit + 1)
    assert read_molecules(write("a.csv", f"smiles,note\nC,{note}\nCC,b\n")).smiles == ["C", "CC"]
    with pytest.raises(DataError, match="line 2: a quotation mark that is never closed"):
        read_molecules(write("a.csv", f'smiles,note\nC,"{note}\n'))
    assert csv.field_size_limit() == limit


def test_label_names_are_a_list_or_come_one_by_one(write: Write) -> None:
    path = write("a.csv", CSV)
    assert read_molecules(path, labels=(name for name in ("active", "pIC50"))).tasks == ("active", "pIC50")
    with pytest.raises(TypeError, match=r"got one text 'active'; write \['active'\]"):
        read_molecules(path, labels="active")


def test_blank_lines_are_not_counted_as_rows(write: Write) -> None:
    with pytest.raises(DataError, match="row 1, column 'y'"):
        read_molecules(write("a.csv", "smiles,y\n\nC,1\n\n\nCC,x\n"), labels=["y"])


def flipped(content: bytes) -> bytes:
    """The same with bytes in the middle that are others, as a bad disk leaves them."""
    packed = bytearray(gzip.compress(content))
    for i in range(len(packed) // 2, len(packed) // 2 + 20):
        packed[i] ^= 0xFF
    return bytes(packed)


def sdf(count: int) -> bytes:
    from rdkit import Chem

    return "".join(Chem.MolToMolBlock(Chem.MolFromSmiles("C" * (n % 40 + 1))) + "$$$$\n" for n in range(count)).encode()


def test_archives_that_are_damaged_in_the_middle(write: Write) -> None:
    rows = "smiles\n" + "".join(f"{'C' * (n % 50 + 1)}O{'N' * (n % 7)}\n" for n in range(500))
    for name, content in (("a.csv.gz", rows.encode()), ("a.smi.gz", rows.encode()), ("a.sdf.gz", sdf(200))):
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            read_molecules(write(name, flipped(content)))
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            read_molecules(write(name, gzip.compress(content)[:-40]))


def test_an_sdf_of_another_encoding(write: Write) -> None:
    path = write("a.sdf", sdf(2).replace(b"$$$$", ">  <name>\ncafé\n\n$$$$".encode("latin-1")))
    with pytest.raises(DataError, match="a.sdf, line 8: expected text in utf-8-sig, got other bytes"):
        read_molecules(path)
    table = read_molecules(path, encoding="latin-1")
    assert table.smiles == ["C", "CC"] and table.columns == ("smiles", "name")


def test_records_of_an_sdf_that_are_none_say_why(write: Write) -> None:
    from rdkit import Chem

    five = Chem.MolToMolBlock(Chem.MolFromSmiles("CC(C)(C)(C)C", sanitize=False), kekulize=False)
    empty = Chem.MolToMolBlock(Chem.MolFromSmiles(""))
    content = "$$$$\n".join(["nonsense\n", Chem.MolToMolBlock(Chem.MolFromSmiles("CO")), five, empty, "\n\r\n"])
    for data in (content, content.replace("\n", "\r\n")):
        table = read_molecules(write("a.sdf", data))
        assert table.smiles == ["", "CO", "", ""]  # and no row for the empty lines at the end
        assert sorted(table.reasons) == [0, 2, 3]
        assert table.reasons[0] == "no record that RDKit can read" and table.reasons[3] == "no atoms"
        assert "valence" in table.reasons[2]


def test_another_encoding_can_be_said(write: Write) -> None:
    path = write("a.csv", "smiles,größe\nC,1\n".encode("latin-1"))
    assert read_molecules(path, labels=["größe"], encoding="latin-1").labels.tolist() == [[1]]


def test_mixed_encodings_are_told_by_the_line(write: Write) -> None:
    rows = ["smiles,name", *(f"C,{i}é" for i in range(5000))]
    content = "\n".join(rows).encode() + "\nC,é\n".encode("latin-1") + "\n".join(rows[1:]).encode()
    with pytest.raises(DataError, match="a.csv, line 5002: expected text in utf-8-sig"):
        read_molecules(write("a.csv", content))


def test_refusals(write: Write) -> None:
    path = write("a.csv", CSV)
    with pytest.raises(DataError, match="has no column 'mol'. Its columns: name, SMILES, active, pIC50"):
        read_molecules(path, smiles="mol")
    with pytest.raises(DataError, match="cannot be read"):
        read_molecules(path.with_name("absent.csv"))
    with pytest.raises(DataError, match="does not say by its name what it is"):
        read_molecules(write("molecules", CSV))
    with pytest.raises(ValueError, match="expected file_format to be '"):
        read_molecules(path, file_format="xlsx")
    with pytest.raises(TypeError, match="expected labels to be a list of column names"):
        read_molecules(path, labels="active")
    with pytest.raises(ValueError, match="expected each label column once, got active, active"):
        read_molecules(path, labels=["active", "active"])
    with pytest.raises(ValueError, match="expected an encoding that Python knows, .* got 'windows'"):
        read_molecules(path, encoding="windows")


def test_a_heading_of_an_smi_file_is_no_molecule(tmp_path):
    path = tmp_path / "mine.smi"
    path.write_text("SMILES Name\nCCO ethanol\nC methane\n")
    assert read_molecules(path).smiles == ["CCO", "C"]
