"""Which column of a table means what: named by an option, else found by its name.

Where two columns could be the label, one that holds words comes before one that holds numbers
(`category` before `target`). Columns called exactly split, fold and group are taken as that; any
other grouping column must be declared with `data.group`, and is hinted at where its name suggests
one. `none` takes no such column.
"""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from auricle.audio import AUDIO_SUFFIXES
from auricle.core.errors import DataError, nearest
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.tables import Table
from auricle.data.wording import bare, listed, words

# Names without case, blanks and punctuation, the likeliest first.
_PATH_NAMES = words(
    "path filepath file filename fname audio audiopath audiofile audiofilename audiofilepath wav",
    "wavpath wavfile slicefilename relativepath clip clippath clipname sound soundfile",
)
_LABEL_NAMES = words(
    "label labels category categories class classes classname classlabel labelname eventlabel",
    "target targets tag tags species genre emotion word command primarylabel classid labelid",
    "targetid",
)
# 'start' and 'end' are left out on purpose: UrbanSound8K uses them for where a clip was cut from.
_ONSET_NAMES = ("onset", "onsets", "onsetseconds")  # bare: `onset_s` is `onsets`
_OFFSET_NAMES = ("offset", "offsets", "offsetseconds")
_GROUP_HINTS = words(
    "speaker speakerid spk spkid srcfile source sourcefile sourceid recording recordingid record",
    "session sessionid subject subjectid patient patientid site location fsid freesoundid client",
    "clientid recordist individual animal user userid artist song track ytid youtubeid videoid",
    "original originalfile originalfilename",
)
_LOOKED_AT = 200


@dataclass(frozen=True)
class Columns:
    """Positions of the columns of one table; None where there is none."""

    path: int
    label: int
    onset: int | None
    offset: int | None
    split: int | None
    fold: int | None
    group: int | None
    notes: tuple[str, ...] = ()

    def extra(self, header: Sequence[str]) -> list[tuple[int, str]]:
        """Return position and name of the columns that have no meaning to us."""
        ours = {
            self.path,
            self.label,
            self.onset,
            self.offset,
            self.split,
            self.fold,
            self.group,
        }
        return [(at, name) for at, name in enumerate(header) if name and at not in ours]


def find_columns(table: Table, config: DataConfig) -> Columns:
    """Find what each column of `table` means.

    Raises `DataError` where the path or the label cannot be found, or where an option names a
    column that does not exist.
    """
    notes: list[str] = []
    path = _wanted(table, config.path, "path")
    if path is None:
        path = _by_name(table, _PATH_NAMES, "path", notes)
    label = _wanted(table, config.label, "label")
    if label is None:
        label = _best_label(table, notes)
    group = _optional(table, config.group, "group", "what must stay on one side of a split", notes)
    columns = Columns(
        path=path,
        label=label,
        onset=_first(table, _ONSET_NAMES),
        offset=_first(table, _OFFSET_NAMES),
        split=_optional(table, config.split, "split", "the splits", notes),
        fold=_optional(table, config.fold, "fold", "the folds", notes),
        group=group,
    )
    if group is None and config.group is None:
        hints = [name for _, name in columns.extra(table.header) if bare(name) in _GROUP_HINTS]
        if hints:
            notes.append(
                f"no group is declared; if clips that share {_quoted(hints)} must not stand on "
                f"both sides of a split, say so with --data.group {hints[0]}"
            )
    return replace(columns, notes=tuple(notes))


def _wanted(table: Table, name: str | None, key: str) -> int | None:
    """Return the position of a column that an option names, None where it names none."""
    if name is None:
        return None
    if name in table.header:
        return table.header.index(name)
    alike = [at for at, column in enumerate(table.header) if bare(column) == bare(name)]
    if len(alike) == 1:
        return alike[0]
    guess = nearest(name, [column for column in table.header if column])
    hint = f" Did you mean '{guess}'?" if guess else ""
    raise DataError(
        f"--data.{key} {name}: {table.path.name} has no such column; it has "
        f"{_quoted(table.header)}.{hint}"
    )


def _optional(
    table: Table, name: str | None, key: str, meaning: str, notes: list[str]
) -> int | None:
    if name == NO_COLUMN:
        return None
    if name is not None:
        return _wanted(table, name, key)
    at = _first(table, (key,))
    if at is not None and not any(cells[at] for _, cells in table.rows() if cells):
        return None  # a column without a word in it, as our own manifests have
    if at is not None:
        notes.append(
            f"the column '{table.header[at]}' says {meaning}; --data.{key} {NO_COLUMN} ignores it"
        )
    return at


def _by_name(table: Table, names: Sequence[str], key: str, notes: list[str]) -> int:
    found = _candidates(table, names)
    if not found:
        raise _no_column(table, key, names)
    if len(found) > 1:
        notes.append(_choice(table, key, found, found[0]))
    return found[0]


def _best_label(table: Table, notes: list[str]) -> int:
    """Choose among columns that could be the label: words before bare numbers, then by name."""
    found = _candidates(table, _LABEL_NAMES)
    if not found:
        raise _no_column(table, "label", _LABEL_NAMES)
    if len(found) == 1:
        return found[0]
    rows = [cells for _, cells in itertools.islice(table.rows(), _LOOKED_AT) if cells]
    words = [at for at in found if not all(_is_number(cells[at]) for cells in rows)]
    chosen = (words or found)[0]
    notes.append(_choice(table, "label", found, chosen))
    return chosen


def _choice(table: Table, key: str, found: Sequence[int], chosen: int) -> str:
    names = [table.header[at] for at in found]
    other = next(table.header[at] for at in found if at != chosen)
    return (
        f"the columns {_quoted(names)} could each be the {key}; '{table.header[chosen]}' was "
        f"taken. --data.{key} {other} takes another"
    )


def _candidates(table: Table, names: Sequence[str]) -> list[int]:
    """Return positions of columns that are called one of `names`, in the order of `names`."""
    known = [bare(column) for column in table.header]
    return [at for name in names for at, column in enumerate(known) if column == name]


def _first(table: Table, names: Sequence[str]) -> int | None:
    return next(iter(_candidates(table, names)), None)


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True


def _no_column(table: Table, key: str, names: Sequence[str]) -> DataError:
    if any(os.path.splitext(cell)[1].lower() in AUDIO_SUFFIXES for cell in table.header):
        return DataError(
            f"{table.path} starts with data: its first row must name the columns, as 'path,label'"
        )
    known = {bare(column): column for column in table.header if column}
    guess = next((near for name in names[:4] if (near := nearest(name, known))), None)
    hint = f"; perhaps --data.{key} {known[guess]}" if guess else ""
    return DataError(
        f"{table.path} has no column for the {key}: it has {_quoted(table.header)}{hint}. Call it "
        f"'{names[0]}', or name it with --data.{key} COLUMN"
    )


def _quoted(names: Sequence[str]) -> str:
    return listed((f"'{name}'" for name in names if name), shown=12)
