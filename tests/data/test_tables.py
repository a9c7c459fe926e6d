import json
from pathlib import Path

import pytest

from auricle.core.errors import ConfigError, DataError, MissingExtra
from auricle.data import tables
from auricle.data.tables import open_table, write_table

ROWS = [["a b.wav", 'the "dog", loud', 0.5], ["ü.wav", "x\ty", 1e-3]]
HEADER = ["path", "label", "score"]


def cells(path: Path) -> list[list[str] | None]:
    return [row for _, row in open_table(path).rows()]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_text_tables_read_back_what_was_written(tmp_path: Path, suffix: str):
    path = tmp_path / f"x{suffix}"
    write_table(path, HEADER, ROWS)
    assert open_table(path).header == tuple(HEADER)
    assert cells(path) == [[str(cell) for cell in row] for row in ROWS]


def test_jsonl_has_one_object_a_row_and_null_for_nan(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    write_table(path, HEADER, [*ROWS, ["c.wav", "z", float("nan")]])
    objects = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert objects[0] == {"path": "a b.wav", "label": 'the "dog", loud', "score": 0.5}
    assert objects[2]["score"] is None


def test_parquet_keeps_types_over_several_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(tables, "_PARQUET_ROWS", 2)
    path = tmp_path / "x.parquet"
    write_table(path, ["path", "rank"], ([f"{n}.wav", n] for n in range(5)))
    assert parquet.read_table(path).to_pydict() == {
        "path": [f"{n}.wav" for n in range(5)],
        "rank": list(range(5)),
    }


def test_parquet_without_rows_keeps_its_columns(tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "x.parquet", HEADER, [])
    assert parquet.read_table(tmp_path / "x.parquet").column_names == HEADER


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'auricle\[data\]'"):
        write_table(tmp_path / "x.parquet", HEADER, ROWS)


def test_unknown_suffix_names_the_four(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"\.csv, \.tsv, \.jsonl, \.parquet"):
        write_table(tmp_path / "x.xlsx", HEADER, ROWS)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_failure_half_way_leaves_the_old_table(tmp_path: Path, suffix: str):
    path = tmp_path / f"x{suffix}"
    path.write_text("old")

    def rows():
        yield ROWS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_table(path, HEADER, rows())
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt"])
def test_the_delimiter_is_found_whatever_the_suffix(tmp_path: Path, delimiter: str, name: str):
    path = tmp_path / name
    rows = [["path", "label"], ["a.wav", "x"], ["b.wav", "y"]]
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    assert open_table(path).delimiter == delimiter
    assert cells(path) == rows[1:]


def test_commas_inside_cells_do_not_fool_the_delimiter(tmp_path: Path):
    path = tmp_path / "x.tsv"
    path.write_text("path\tlabel\na, b, c.wav\tone, two\nd.wav\tx, y\n")
    assert cells(path) == [["a, b, c.wav", "one, two"], ["d.wav", "x, y"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_read_alike(tmp_path: Path, encoding: str, newline: str):
    path = tmp_path / "x.csv"
    # U+010A holds the byte of a line feed in UTF-16.
    path.write_bytes(newline.join(["path,label", "größe Ċ.wav,日本"]).encode(encoding))
    assert open_table(path).header == ("path", "label")
    assert cells(path) == [["größe Ċ.wav", "日本"]]


def test_one_line_in_latin_1_spoils_only_itself(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_bytes("path,label\nä.wav,日本\n".encode() + "é.wav,café\n".encode("latin-1"))
    assert cells(path) == [["ä.wav", "日本"], ["é.wav", "café"]]


def test_quotes_blanks_and_blank_lines(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text('\n path , label \n\na.wav, "x, y" \n"b\nc.wav",z,\n')
    assert cells(path) == [["a.wav", "x, y"], ["b\nc.wav", "z"]]


def test_ragged_rows(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("path,label,fold\na.wav,x\nb.wav,x,1,oops\n")
    assert list(open_table(path).rows()) == [(2, ["a.wav", "x", ""]), (3, None)]


def test_a_table_longer_than_the_first_look(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("path,label\n" + "".join(f"{n}.wav,ä{n}\n" for n in range(20000)))
    rows = cells(path)
    assert len(rows) == 20000
    assert rows[-1] == ["19999.wav", "ä19999"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("path,label,path\n", "two columns called 'path'"),
    ],
)
def test_no_header(tmp_path: Path, text: str, message: str):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        open_table(path)


def test_an_open_quote_is_named_with_its_line(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text('path,label\na.wav,x\n"b.wav,x\n' + "c.wav,y\n" * 40000)
    with pytest.raises(DataError, match=r"after line 2.*quote"):
        cells(path)
