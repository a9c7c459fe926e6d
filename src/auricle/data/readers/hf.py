"""Data sets of Hugging Face `datasets`: folders that it saved, and Parquet files as on the hub.

`save_to_disk` writes `dataset_info.json`, `state.json` and `data-*.arrow`, one such folder per
split where there are several (`dataset_dict.json`); data sets on the hub are Parquet files called
`train-00000-of-00006.parquet`, mostly in `data/`. A column of structs `{bytes, path}` holds the
sounds as encoded files, which our own decoder reads: neither `datasets` nor its decoder is needed,
pyarrow is. The names of classes stand in the table's metadata (`ClassLabel`).

To get one from the hub: `hf download NAME --repo-type dataset --local-dir FOLDER`.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auricle.audio.members import join_member
from auricle.audio.members.arrow import arrow_stream, audio_columns, row_name
from auricle.core.errors import DataError, MissingExtra, nearest
from auricle.core.types import Clip
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.manifest import COLUMNS, Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import SPLIT_NAMES
from auricle.data.readers.rows import Gatherer, refuse_columns
from auricle.data.wording import listed, words

_LABELS = words(
    "label labels category class classes target event_label human_labels genre emotion intent",
    "keyword language species",
)
_SHARD = re.compile(r"(.+?)-\d{5}-of-\d{5}$")
_ROWS_AT_ONCE = 4096
_DICT = "dataset_dict.json"


class _NoLabel(DataError):
    """A shard has no column of labels, as the test part of a challenge."""


class HuggingFaceReader:
    """A data set of Hugging Face `datasets`: Arrow or Parquet files with sounds inside."""

    about = About("Hugging Face datasets: a folder of save_to_disk, or Parquet files of the hub")

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether files of `datasets` are there, with sounds inside."""
        if config.table is not None:
            return False
        if path.is_file():
            return path.suffix.lower() in (".parquet", ".arrow")
        if (path / _DICT).is_file():
            return True
        if (path / "state.json").is_file() and any(path.glob("*.arrow")):
            return True
        shards = _parquet_files(path)
        return bool(shards) and _has_sounds(shards[0])

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the rows; the names of splits are those of the files or folders.

        `data.label`, `data.group`, `data.fold` and `data.split` name columns.
        """
        if find_spec("pyarrow") is None:
            raise MissingExtra(f"{path}: reading Hugging Face datasets", "data")
        keys = ("label", "group", "fold", "split", "label_separator")
        refuse_columns(config, "its sounds are found by their type", allowed=keys)
        if config.audio_root is not None:
            raise DataError("--audio-root: the sounds of a Hugging Face data set lie inside it")
        shards = list(_shards(path))
        if not shards:
            raise DataError(f"{path} holds no Arrow or Parquet file of a Hugging Face data set")
        # Shards need not agree: a test part may lack the labels, or number the classes otherwise.
        gather = Gatherer(self.about, config)
        plans: dict[Path, _Plan] = {}
        for file, _ in shards:
            try:
                plans[file] = _plan(file, config)
            except _NoLabel as error:
                gather.rejected.append(str(error))
        if not plans:
            raise DataError(gather.rejected[0])
        shards = [(file, split) for file, split in shards if file in plans]
        named = all(plan.classes for plan in plans.values())
        classes = dict.fromkeys(name for plan in plans.values() for name in plan.classes or ())
        notes = [note for plan in plans.values() for note in plan.notes]
        return gather.manifest(
            (clip for file, split in shards for clip in _clips(file, split, plans[file], gather)),
            path,
            labels=tuple(classes) if named else None,
            multi_label=any(plan.several for plan in plans.values()),
            grouped=any(plan.group is not None for plan in plans.values()),
            notes=tuple(dict.fromkeys([*notes, *_told(path, shards, config)])),
        )


@dataclass(frozen=True)
class _Plan:
    """Which column is what, and the classes' names where labels are numbers."""

    audio: str
    label: str
    several: bool
    separator: str | None
    classes: tuple[str, ...] | None
    group: str | None
    fold: str | None
    split: str | None
    extra: tuple[str, ...]
    notes: tuple[str, ...]


def _plan(file: Path, config: DataConfig) -> _Plan:
    schema = _schema(file)
    sounds = audio_columns(schema)
    if not sounds:
        raise DataError(f"{file} has no column of sounds; it has {listed(schema.names, 12)}")
    features = _features(schema)
    label = _label(file, schema, features, config)
    feature = features.get(label, {})
    # A list of classes is written as {"feature": ...}, before version 4 as [...].
    inner = feature[0] if isinstance(feature, list) else feature.get("feature", feature)
    names = inner.get("names")
    import pyarrow.types

    several = pyarrow.types.is_list(schema.field(label).type)
    notes = [f"the column '{label}' is the label; --data.label takes another"]
    if len(sounds) > 1:
        notes.append(f"of the columns of sounds {listed(sounds)}, '{sounds[0]}' was read")

    def column(key: str) -> str | None:
        wanted = getattr(config, key)
        if wanted == NO_COLUMN:
            return None
        if wanted is not None:
            return _named(file, schema, key, str(wanted))
        if key not in schema.names:
            return None
        notes.append(f"the column '{key}' was taken; --data.{key} {NO_COLUMN} ignores it")
        return key

    group, fold, split = column("group"), column("fold"), column("split")
    used = {label, *sounds, group, fold, split}
    extra = tuple(
        field.name
        for field in schema
        if field.name not in used
        and not pyarrow.types.is_nested(field.type)
        and not pyarrow.types.is_binary(field.type)
    )
    return _Plan(
        audio=sounds[0],
        label=label,
        several=several or config.label_separator is not None,
        separator=config.label_separator,
        classes=tuple(map(str, names)) if names else None,
        group=group,
        fold=fold,
        split=split,
        extra=extra,
        notes=tuple(notes),
    )


def _label(file: Path, schema: Any, features: Mapping[str, Any], config: DataConfig) -> str:
    if config.label is not None:
        return _named(file, schema, "label", config.label)
    by_name = {name.casefold(): name for name in schema.names}
    candidates = [by_name[name] for name in _LABELS if name in by_name]
    classes = [name for name, feature in features.items() if "ClassLabel" in json.dumps(feature)]
    found = [name for name in candidates if name in classes] or candidates or classes
    if not found:
        raise _NoLabel(
            f"{file} has no column for the label: it has {listed(schema.names, 12)}. Name it with "
            "--data.label COLUMN"
        )
    return found[0]


def _named(file: Path, schema: Any, key: str, name: str) -> str:
    if name in schema.names:
        return name
    guess = nearest(name, schema.names)
    hint = f". Did you mean '{guess}'?" if guess else ""
    fault = _NoLabel if key == "label" else DataError
    raise fault(
        f"--data.{key} {name}: {file} has no such column; it has {listed(schema.names, 12)}{hint}"
    )


def _features(schema: Any) -> dict[str, Any]:
    """Return what `datasets` knows of the columns, which it keeps in the metadata."""
    text = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(text).get("info", {}).get("features", {})
    except (ValueError, AttributeError):
        return {}
    return features if isinstance(features, dict) else {}


def _clips(file: Path, split: str | None, plan: _Plan, gather: Gatherer) -> Iterator[Clip | None]:
    for row, (name, absent, cells) in enumerate(_rows(file, plan)):
        where = f"{file.name} row {row}"
        labels = _labels(cells[plan.label], plan, where, gather)
        if labels is None:
            continue
        path = join_member(file, row_name(row, name))
        if absent:  # the sound lies beside, in a file of its own
            path = os.path.join(file.parent, name)
            if not name or not os.path.isfile(path):
                gather.missing.append(path if name else where)
                continue
        said = _text(cells.get(plan.split or ""))
        place = split if said is None else SPLIT_NAMES.get(said.lower())
        yield Clip(
            path=path,
            labels=labels,
            split=place if gather.keeps_split else None,
            fold=_text(cells.get(plan.fold or "")),
            group=_text(cells.get(plan.group or "")),
            extra={
                f"{key}_" if key in COLUMNS else key: str(cells[key])
                for key in plan.extra
                if cells[key] is not None
            },
        )


def _rows(file: Path, plan: _Plan) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """Walk a shard without its sounds: the sound's name, whether it is absent, the other cells."""
    import pyarrow

    columns = [plan.label, *plan.extra, *filter(None, (plan.group, plan.fold, plan.split))]
    blocks = _arrow_blocks if file.suffix.lower() == ".arrow" else _parquet_blocks
    try:
        for block, absent in blocks(file, plan.audio, columns):
            names = block.column(plan.audio).field("path").to_pylist()
            values = [block.column(name).to_pylist() for name in columns]
            for name, gone, *cells in zip(names, absent, *values, strict=True):
                yield name or "", gone, dict(zip(columns, cells, strict=True))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read: {' '.join(str(error).split())}") from None


def _arrow_blocks(file: Path, audio: str, _columns: list[str]) -> Iterator[tuple[Any, list[bool]]]:
    from pyarrow import memory_map

    with memory_map(str(file)) as source:
        for block in arrow_stream(source):
            yield block, block.column(audio).field("bytes").is_null().to_pylist()


def _parquet_blocks(file: Path, audio: str, columns: list[str]) -> Iterator[tuple[Any, list[bool]]]:
    """Read all but the bytes of the sounds; statistics say where a group has none."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(file) as parquet:
        names = [parquet.schema.column(at).path for at in range(len(parquet.schema))]
        at = names.index(f"{audio}.bytes")
        for group in range(parquet.num_row_groups):
            statistics = parquet.metadata.row_group(group).column(at).statistics
            rows = parquet.metadata.row_group(group).num_rows
            none = bool(statistics and statistics.null_count == rows)
            wanted = [f"{audio}.path", *columns]
            for block in parquet.iter_batches(_ROWS_AT_ONCE, [group], wanted):
                yield block, [none] * block.num_rows


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _labels(value: Any, plan: _Plan, where: str, gather: Gatherer) -> tuple[str, ...] | None:
    """Return the labels of a cell; None, and why, for one that a classifier cannot learn."""
    if isinstance(value, str) and plan.separator:
        value = [part.strip() for part in value.split(plan.separator) if part.strip()]
    values = value if isinstance(value, list) else [value]
    values = [v.strip() if isinstance(v, str) else v for v in values if v not in (None, "")]
    if not values and not plan.several:
        gather.rejected.append(f"{where}: the label is empty")
        return None
    if plan.classes is None:
        return tuple(dict.fromkeys(str(v) for v in values))
    # -1 is how `datasets` says that a label is not known.
    if not all(isinstance(v, int) and 0 <= v < len(plan.classes) for v in values):
        gather.rejected.append(f"{where}: the label {value} is none of {len(plan.classes)} classes")
        return None
    return tuple(dict.fromkeys(plan.classes[int(v)] for v in values))


def _schema(file: Path) -> Any:
    """Return the Arrow schema of a shard. Raises `DataError`."""
    import pyarrow
    import pyarrow.parquet

    try:
        if file.suffix.lower() == ".parquet":
            return pyarrow.parquet.read_schema(file)
        with pyarrow.memory_map(str(file)) as source:
            return arrow_stream(source).schema
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read: {' '.join(str(error).split())}") from None


def _has_sounds(file: Path) -> bool:
    if find_spec("pyarrow") is None:
        return False
    try:
        return bool(audio_columns(_schema(file)))
    except DataError:
        return False


def _parquet_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.parquet"), *folder.glob("*/*.parquet")])


def _shards(path: Path) -> Iterator[tuple[Path, str | None]]:
    """Walk the shards of a data set with the split that each belongs to."""
    if path.is_file():
        yield path, _split(path)
        return
    try:
        splits = json.loads((path / _DICT).read_text(encoding="utf-8"))["splits"]
    except FileNotFoundError:
        splits = None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path / 'dataset_dict.json'} cannot be read: {error}") from None
    if splits is not None:
        for name in splits:
            for file in sorted((path / str(name)).glob("*.arrow")):
                yield file, SPLIT_NAMES.get(str(name).lower())
        return
    arrow = sorted(path.glob("*.arrow"))
    for file in arrow or _parquet_files(path):
        yield file, _split(file)


def _split(file: Path) -> str | None:
    """Return the split of `train-00000-of-00006.parquet`, or of `train/0000.parquet`."""
    shard = _SHARD.match(file.stem)
    named = (shard[1] if shard else file.stem, file.parent.name)
    return next((split for name in named if (split := SPLIT_NAMES.get(name.lower()))), None)


def _told(path: Path, shards: list[tuple[Path, str | None]], config: DataConfig) -> Iterator[str]:
    """Say which parts the files were taken for, and that those of several folders are one set."""
    parts = sorted({split for _, split in shards if split})
    if parts and config.split != NO_COLUMN:
        yield f"the names of files or folders say the splits: {listed(parts)}"
    folders = {file.parent for file, _ in shards} - {path}
    several = sorted(at.name for at in folders if at.name.lower() not in SPLIT_NAMES)
    if len(several) > 1 and not (path / _DICT).is_file():
        yield (
            f"the files of {listed(several)} were read as one data set; each may be DATA by itself"
        )


READERS.add("hf", HuggingFaceReader())
