"""Lists without a header: `path<TAB>label` or `path label` a line, as many programs write them.

Which files are lists: a text file (`.txt`, `.lst`, `.list`) whose first line begins with the name
of a sound and goes on with a label. In a folder those called `train`, `val`, `test`... or
`train_list` and so on are its splits; with none of them the one called `meta`, `list`, `data` or
`all` is read, as the scene data sets of the DCASE challenges have it (`audio/a001_0_30.wav beach`,
zenodo.org/record/45739). `--data.table NAME` chooses another.

Labels that are all numbers count the lines of a label list beside the list from 0, where there is
one (`label_list.txt`, `labels.txt`...; github.com/yeyupiaoling/AudioClassification-Pytorch): then
the classes have its names and its order. Further columns are kept as `column_3`...; the location of
the recording is one in those scenes, and `--data.group column_3` declares it. Beside `meta.txt`,
`evaluation_setup/foldN_evaluate.txt` says which files are fold N.

Paths start from `data.audio_root`, else from the folder of the list, or from `audio_files/` or
`audio/` in it, or from one of the two folders above it, where more of them exist.
"""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from auricle.audio import AUDIO_SUFFIXES
from auricle.core.errors import DataError
from auricle.core.tables import text_lines
from auricle.core.types import Clip, Label
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import SPLIT_NAMES, entries
from auricle.data.readers.rows import Gatherer, audio_base, locate, refuse_columns
from auricle.data.wording import listed

_SUFFIXES = (".txt", ".lst", ".list")
_WHOLE = ("meta", "list", "data_list", "data", "all")
_LABEL_LISTS = ("label_list", "labels", "label", "classes", "class_list", "label_names")
_SOUND_FOLDERS = ("", "audio_files", "audio", "..", "../..")
_SETUP = "evaluation_setup"
_LOOKED_AT = 1000
_ENTRY = re.compile(
    rf"(.+?(?:{'|'.join(re.escape(suffix) for suffix in sorted(AUDIO_SUFFIXES))}))[\s,;]+(\S.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _List:
    """A list to read, and the split that its name stands for (None: it does not say)."""

    path: Path
    split: str | None = None


class ListReader:
    """Lists without a header: a path and a label a line, and perhaps a list of labels."""

    about = About("lists without a header: 'path<TAB>label' a line, a label list beside them")

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` is a list, or a folder with one that the rule finds."""
        return bool(_lists(path, config))

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the list, or one list per split."""
        refuse_columns(config, "a list has no columns with names", allowed=("table", "group"))
        lists = _lists(path, config)
        if not lists:
            raise DataError(
                f"{path} is no list and holds none: a list has a sound and its label on each line "
                f"and ends in {', '.join(_SUFFIXES)}; in a folder it is called train, test, meta..."
            )
        gather = Gatherer(self.about, config)
        notes: list[str] = []
        names = _label_names(lists, notes)
        folds = {} if config.fold == NO_COLUMN else _folds(lists[0].path.parent / _SETUP)
        if folds:
            notes.append(f"{_SETUP}/ says the folds; --data.fold {NO_COLUMN} ignores it")
        group = None if config.group == NO_COLUMN else config.group
        base = _base(lists, config, notes)
        clips = itertools.chain.from_iterable(
            _clips(item, base, names, folds, gather) for item in lists
        )
        if len(lists) > 1:
            notes.append(f"read as splits: {listed(item.path.name for item in lists)}")
        notes += _passed_over(path, lists)
        manifest = gather.manifest(
            clips, path, labels=names or None, grouped=group is not None, notes=notes
        )
        columns = listed(manifest.columns.extra) or "none"
        if group is not None and not manifest.columns.groups.filled().any():
            raise DataError(
                f"--data.group {group}: {lists[0].path.name} has no such column; it has beside "
                f"path and label: {columns}"
            )
        if manifest.columns.extra and config.group is None:
            manifest = manifest.noting(
                f"no group is declared; if clips that share one of {columns} must not stand on "
                "both sides of a split, say so with --data.group NAME"
            )
        return manifest


def _lists(path: Path, config: DataConfig) -> list[_List]:
    """Choose the lists of `path` by the rule above."""
    if path.is_file():
        return [_List(path)] if config.table is None and _is_list(path) else []
    if config.table is not None:
        chosen = path / config.table
        return [_List(chosen)] if _is_list(chosen) else []
    files = [entry for entry in sorted(entries(path)) if entry.suffix.lower() in _SUFFIXES]
    splits = [
        _List(file, split)
        for file in files
        if (split := SPLIT_NAMES.get(_without_list(file))) and _is_list(file)
    ]
    if splits:
        return splits
    named = {file.stem.lower(): file for file in files}
    return [_List(named[name]) for name in _WHOLE if name in named and _is_list(named[name])][:1]


def _passed_over(path: Path, lists: Sequence[_List]) -> Iterator[str]:
    """Say which files are called like a split, but are no list, and which tables lie beside."""
    tables = [file.name for file in lists[0].path.parent.glob("*.[ct]sv")]
    if tables:
        yield f"{listed(sorted(tables))} not read; --data.reader table reads a table"
    for file in sorted(entries(path)) if path.is_dir() and lists[0].split else ():
        split = file.suffix.lower() in _SUFFIXES and SPLIT_NAMES.get(_without_list(file))
        if split and not _is_list(file):
            yield f"{file.name} is not read: its first line is not a sound and a label"


def _without_list(path: Path) -> str:
    return re.sub(r"[_-]?list$", "", path.stem.lower())


def _is_list(path: Path) -> bool:
    """Say whether the first line of a text file is a sound with a label."""
    if path.suffix.lower() not in _SUFFIXES or not path.is_file():
        return False
    return any(_entry(line) for _, line in itertools.islice(_lines(path), 1))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip():
            yield number, line.strip()


def _entry(line: str) -> list[str] | None:
    """Return the path, the label and what follows it; None where a line has no label.

    Tabs part the cells. Without one, the path ends where a suffix of sound does, so that it may
    hold blanks, and the rest is the label.
    """
    if "\t" in line:
        cells = [cell.strip() for cell in line.split("\t")]
        is_sound = os.path.splitext(cells[0])[1].lower() in AUDIO_SUFFIXES
        return cells if is_sound and cells[1] else None
    found = _ENTRY.fullmatch(line)
    return [found[1].strip(), found[2].strip()] if found else None


def _clips(
    item: _List, base: Path, names: Sequence[Label], folds: dict[str, str], gather: Gatherer
) -> Iterator[Clip | None]:
    seen: set[int] = set()  # hashes: lines of a long list would weigh more than its clips
    for number, line in _lines(item.path):
        where = f"{item.path.name} line {number}"
        cells = _entry(line)
        if cells is None:
            gather.rejected.append(f"{where}: it is not a sound and a label: '{line[:80]}'")
            continue
        name, label, *more = cells
        key = hash((name, label))
        if key in seen:
            gather.rejected.append(f"{where}: it repeats another line")
            continue
        seen.add(key)
        if names:
            if not label.isdecimal() or int(label) >= len(names):
                gather.rejected.append(
                    f"{where}: '{label}' is no line of the label list, which has {len(names)}"
                )
                continue
            label = names[int(label)]
        yield gather.clip(
            locate(base, name),
            (label,),
            split=item.split,
            fold=folds.get(Path(name).name),
            extra={f"column_{at}": cell for at, cell in enumerate(more, start=3)},
        )


def _label_names(lists: Sequence[_List], notes: list[str]) -> tuple[Label, ...]:
    """Return the names that the numbers of the lists stand for; none where labels are words."""
    labels = (
        cells[1] for item in lists for _, line in _lines(item.path) if (cells := _entry(line))
    )
    if not all(label.isdecimal() for label in labels):
        return ()
    folder = lists[0].path.parent
    found = [
        path
        for name in _LABEL_LISTS
        for suffix in _SUFFIXES
        if (path := folder / f"{name}{suffix}").is_file() and not _is_list(path)
    ]
    if not found:
        notes.append(
            f"the labels are numbers; a list of their names, one a line from 0 on, may stand in "
            f"{folder / 'label_list.txt'}"
        )
        return ()
    names = tuple(line for _, line in _lines(found[0]))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{found[0]} names '{repeated[0]}' twice: one line is one class")
    if not names:
        raise DataError(f"{found[0]} is empty: it must name a class on each line")
    notes.append(f"the numbers of the classes are the lines of {found[0].name}, from 0")
    return names


def _folds(setup: Path) -> dict[str, str]:
    """Return the fold of each file by `foldN_evaluate.txt`, for the files that are in one."""
    found: dict[str, str] = {}
    for path in sorted(setup.glob("fold*_evaluate.txt")):
        name = re.fullmatch(r"fold(\d+)_evaluate", path.stem)
        for _, line in _lines(path) if name else ():
            cells = _entry(line)
            if name and cells:
                found[Path(cells[0]).name] = name[1]
    return found


def _base(lists: Sequence[_List], config: DataConfig, notes: list[str]) -> Path:
    """Return the folder that the paths of the lists start from."""
    folder = lists[0].path.parent
    if config.audio_root is not None:
        return audio_base(config, folder)
    looked_at = [line for item in lists for line in itertools.islice(_lines(item.path), _LOOKED_AT)]
    names = [cells[0] for _, line in looked_at if (cells := _entry(line))]
    # A tie goes to the first: the lists' own folder.
    best = max(_SOUND_FOLDERS, key=lambda name: _hits(folder / name, names))
    if best:
        notes.append(
            f"the paths of {lists[0].path.name} start from {os.path.normpath(folder / best)}; "
            "--audio-root DIR says otherwise"
        )
    return folder / best


def _hits(base: Path, names: Iterable[str]) -> int:
    return sum(os.path.isfile(locate(base, name)) for name in names)


READERS.add("list", ListReader())
