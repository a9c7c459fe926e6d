"""Tables of text in (see `auricle.core.tables`) and out (by suffix)."""

import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from auricle.core.errors import ConfigError, MissingExtra
from auricle.core.tables import Table, open_table
from auricle.core.writing import replacing, write_csv

__all__ = ["TABLE_SUFFIXES", "Table", "open_table", "table_writer", "write_table"]

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".tab")
_PARQUET_ROWS = 65536


def write_table(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as the suffix of `path` says: `.csv`, `.tsv`, `.jsonl` or `.parquet`.

    The file is whole or absent. Raises `ConfigError` for another suffix, `MissingExtra` for
    Parquet without pyarrow, `WriteError` when the disk refuses.
    """
    table_writer(path)(path, header, rows)


Writer = Callable[[str | Path, Sequence[str], Iterable[Sequence[Any]]], None]


def table_writer(path: str | Path) -> Writer:
    """Return what writes a table to `path`; call it early to fail before the work is done.

    Raises as `write_table` does.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise ConfigError(
            f"output '{path}': the suffix says the form and must be one of {', '.join(_WRITERS)}"
        )
    if suffix == ".parquet":
        _pyarrow()
    return _WRITERS[suffix]


def _write_tsv(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    write_csv(path, header, rows, delimiter="\t")


def _write_jsonl(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with (
        replacing(path) as temporary,
        # The name of a file need not be text; escaped this way, it reads back from JSON.
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        for row in rows:
            named = {name: _plain(value) for name, value in zip(header, row, strict=True)}
            json.dump(named, file, ensure_ascii=False)
            file.write("\n")


def _plain(value: Any) -> Any:
    """Make a NumPy number a Python one, and NaN (which JSON does not know) None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _write_parquet(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write in blocks of rows, so that memory stays flat. The first block fixes the types."""
    arrow, parquet = _pyarrow()
    rows = iter(rows)
    schema = writer = None
    with replacing(path) as temporary:
        try:
            while (block := list(itertools.islice(rows, _PARQUET_ROWS))) or writer is None:
                columns = list(zip(*block, strict=True)) or [()] * len(header)
                table = arrow.table(
                    dict(zip(header, map(list, columns), strict=True)), schema=schema
                )
                if writer is None:
                    schema = table.schema
                    writer = parquet.ParquetWriter(temporary, schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("Parquet output", "data") from None
    return pyarrow, pyarrow.parquet


_WRITERS: dict[str, Writer] = {
    ".csv": write_csv,
    ".tsv": _write_tsv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
