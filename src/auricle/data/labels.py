"""Which classes count, in which order and under which names.

Applied once, after any reader, in this order: ids become names (`data.label_names`), classes
outside a list are dropped and the others put into its order (`data.classes`), and one label is
taken as "none of these" (`data.background`).
"""

import csv
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError, nearest
from auricle.core.tables import text_lines
from auricle.core.types import Label
from auricle.data.clips import Clips, LabelColumn
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.texts import smallest, starts_of
from auricle.data.wording import bare, listed, plural, words

_ID_COLUMNS = words("mid id labelid classid code")
_NAME_COLUMNS = words("displayname name label labelname class classname category eventlabel")
_LONGEST_NAME = 200
_COMMENT = "#"

Mask = npt.NDArray[np.bool_]


def choose_labels(manifest: Manifest, config: DataConfig, *, lenient: bool = False) -> Manifest:
    """Rename, keep and order the classes of a manifest as the configuration says.

    A clip that is left without a label is dropped, with a note, where every clip must have one;
    in a multi-label data set it stays as an example of none of the classes, unless another one
    of its file that has a label lies over it in time. `lenient`: data need
    not hold the background class, as where a classifier is judged on data of its classes only.
    Raises `DataError` for a file that cannot be used, and for a class or a background that is
    most likely misspelt.
    """
    names = {} if config.label_names is None else read_label_names(config.label_names)
    if names:
        manifest = _renamed(manifest, names, Path(config.label_names or ""))
    if config.classes is not None:
        manifest = _kept(manifest, Path(config.classes), names, config.background)
    if config.background is not None:
        manifest = _with_background(manifest, config.background, names, lenient=lenient)
    return manifest


def read_classes(path: str | Path) -> tuple[Label, ...]:
    """Read a list of classes, in its order; one that is listed twice counts once.

    One name or id a line, or the first column of a table; a table whose header names a column
    of names (`name`, `label`, `display_name`...) or of ids is read by it. Blank lines and lines
    that begin with `#` are passed over. Raises `DataError`.
    """
    path = Path(path)
    rows = _rows(path, "data.classes", whole_lines=path.suffix.lower() not in (".csv", ".tsv"))
    column, is_header = 0, False
    if rows:
        header = [bare(cell) for cell in rows[0]]
        found = [name for name in (*_NAME_COLUMNS, *_ID_COLUMNS) if name in header]
        # One word alone may be a class of that name, unless more columns stand beside it.
        is_header = bool(found) and (len(header) > 1 or path.suffix.lower() in (".csv", ".tsv"))
        column = header.index(found[0]) if is_header else 0
    cells = (row[column].strip() for row in rows[is_header:] if column < len(row))
    classes = tuple(dict.fromkeys(cell for cell in cells if cell))
    if not classes:
        raise DataError(f"--data.classes {path}: the file names no class; write one a line")
    return classes


def read_label_names(path: str | Path) -> dict[str, Label]:
    """Read a table of ids and names, as a map from id to name.

    The columns are found by their names (`id` or `mid`; `label`, `name` or `display_name`), as
    in AudioSet's `class_labels_indices.csv` (`index,mid,display_name`); a table of two columns
    without such a header is ids, then names. Raises `DataError`.
    """
    path = Path(path)
    rows = _rows(path, "data.label_names", whole_lines=False)
    header = [bare(cell) for cell in rows[0]] if rows else []
    ids = next((header.index(name) for name in _ID_COLUMNS if name in header), None)
    label = next((header.index(name) for name in _NAME_COLUMNS if name in header), None)
    if ids is not None and label is not None:
        rows = rows[1:]
    elif len(header) == 2:
        ids, label = 0, 1
    else:
        raise DataError(
            f"--data.label_names {path}: it must be a table of ids and names, with a header such "
            "as 'id,label', or of two columns"
        )
    names: dict[str, Label] = {}
    for row in rows:
        if len(row) <= max(ids, label) or not row[ids] or not row[label]:
            raise DataError(f"--data.label_names {path}: a row lacks its id or its name: {row}")
        if names.setdefault(row[ids], row[label]) != row[label]:
            raise DataError(
                f"--data.label_names {path}: the id '{row[ids]}' has two names, "
                f"'{names[row[ids]]}' and '{row[label]}'"
            )
    if not names:
        raise DataError(f"--data.label_names {path}: the file names no id")
    return names


def _rows(path: Path, key: str, *, whole_lines: bool) -> list[list[str]]:
    """Read the cells of each row; a line without a tab is one cell where `whole_lines`."""
    try:
        lines = [line.rstrip("\r\n") for line in text_lines(path)]
    except DataError as error:
        raise DataError(f"--{key}: {error}") from None
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith(_COMMENT)]
    head = lines[0] if lines else ""
    if whole_lines and "\t" not in head:
        rows = [[line.strip()] for line in lines]
    else:
        delimiter = "\t" if "\t" in head else max(",;", key=head.count)
        try:
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            rows = [[cell.strip() for cell in row] for row in reader]
        except csv.Error as error:
            raise DataError(f"--{key} {path} cannot be read: {error}") from None
    for row in rows:
        if len(longest := max(row, key=len, default="")) > _LONGEST_NAME:
            raise DataError(
                f"--{key} {path}: a name has at most {_LONGEST_NAME} characters, and one has "
                f"{len(longest):,}. Is this a list of classes?"
            )
    return rows


# -- ids to names ------------------------------------------------------------------------------


def _renamed(manifest: Manifest, names: Mapping[str, Label], path: Path) -> Manifest:
    known = set(names.values())
    found = [label for label in manifest.labels if label in names]
    strangers = [label for label in manifest.labels if label not in names and label not in known]
    if not found and len(strangers) == len(manifest.labels):
        raise DataError(
            f"--data.label_names {path}: no label of the data is an id in it. The data has "
            f"{listed(manifest.labels)}, the file {listed(names)}"
        )
    new = {label: names.get(label, label) for label in manifest.labels}
    was_sorted = list(manifest.labels) == sorted(manifest.labels)
    labels = dict.fromkeys(new.values())
    notes = []
    if strangers:
        notes.append(
            f"{plural(len(strangers), 'label')} that {path.name} does not name keep theirs: "
            f"{listed(strangers)}"
        )
    if merged := len(new) - len(labels):
        shared = Counter(new.values())
        twice = [label for label, count in shared.items() if count > 1]
        notes.append(
            f"{plural(merged, 'label')} joined another to which {path.name} gives the same name: "
            f"{listed(twice)}"
        )
    clips = manifest.columns
    clips = clips.having(labels=_relabelled(clips.labels, new))
    ordered = sorted(labels) if was_sorted else labels
    return replace(manifest, clips=clips, labels=tuple(ordered)).noting(*notes)


# -- a list of classes ---------------------------------------------------------------------------


def _kept(
    manifest: Manifest, path: Path, names: Mapping[str, Label], background: str | None
) -> Manifest:
    classes = list(dict.fromkeys(names.get(name, name) for name in read_classes(path)))
    if background in manifest.labels and background not in classes:
        classes.append(background)  # who names it wants it
    notes = list(_absent(classes, manifest.labels, path, names))
    clips = manifest.columns
    column = _relabelled(clips.labels, {label: label for label in classes})
    bare_now = (clips.labels.sizes > 0) & (column.sizes == 0)
    dropped = _counts(clips.labels, set(clips.labels.names) - set(classes))
    clips = clips.having(labels=column)
    hidden = _under_labels(clips, bare_now) if manifest.multi_label else bare_now
    clips = clips.select(~hidden)
    if not len(clips):
        raise DataError(f"--data.classes {path}: no clip has one of its classes")
    if dropped:
        gone = listed(label for label, _ in dropped.most_common())
        counted = bare_now & ~hidden if manifest.multi_label else hidden
        count = plural(int(np.count_nonzero(counted)), "clip")
        notes.append(
            f"labels that {path.name} lacks are dropped ({gone}); {count} without another stay as "
            f"examples of none of the classes{_hidden(hidden)}"
            if manifest.multi_label
            else f"{count} of classes that {path.name} lacks are left out: {gone}"
        )
    return replace(manifest, clips=clips, labels=tuple(classes)).noting(*notes)


def _absent(
    classes: Sequence[Label], labels: Sequence[Label], path: Path, names: Mapping[str, Label]
) -> Iterator[str]:
    """Refuse classes that are misspelt; write a note on those that merely have no clip."""
    present = set(labels)
    absent = [name for name in classes if name not in present]
    if not absent:
        return
    unlisted = [label for label in labels if label not in set(classes)]
    twins = {bare(label): label for label in unlisted}
    known = set(names.values())
    for name in absent:
        if (twin := twins.get(bare(name))) is not None:
            raise DataError(f"--data.classes {path}: unknown class '{name}'; the data has '{twin}'")
        if known and name not in known:
            guess = nearest(name, known | present)
            hint = f"; did you mean '{guess}'?" if guess else ""
            raise DataError(
                f"--data.classes {path}: unknown class '{name}': neither the data nor the table "
                f"of label names has it{hint}"
            )
    if len(absent) == len(classes):
        raise DataError(
            f"--data.classes {path}: the data has none of its classes ({listed(absent)}); it has "
            f"{listed(labels)}. --data.label_names FILE turns ids into names"
        )
    guess = nearest(absent[0], unlisted) if unlisted and not known else None
    hint = f". Is '{absent[0]}' the '{guess}' of the data?" if guess else ""
    yield f"{plural(len(absent), 'class', 'classes')} of {path.name} without a clip: " + (
        f"{listed(absent)}{hint}"
    )


# -- none of these -------------------------------------------------------------------------------


def _with_background(
    manifest: Manifest, background: str, names: Mapping[str, Label], *, lenient: bool
) -> Manifest:
    """Take a label as "none of these": in a multi-label data set, as no label at all."""
    if background not in manifest.labels:
        if background in names or not lenient:
            guess = names.get(background) or nearest(background, manifest.labels)
            hint = f"; did you mean '{guess}'?" if guess else f"; it has {listed(manifest.labels)}"
            raise DataError(f"--data.background {background}: the data has no such label{hint}")
        return manifest
    if not manifest.multi_label:
        return manifest.noting(f"the class '{background}' means none of the others")
    clips = manifest.columns
    labels = tuple(label for label in manifest.labels if label != background)
    column = _relabelled(clips.labels, {label: label for label in labels})
    changed = column.sizes < clips.labels.sizes
    clips = clips.having(labels=column)
    bare_now = changed & (column.sizes == 0)
    hidden = _under_labels(clips, bare_now)
    count = plural(int(np.count_nonzero(bare_now & ~hidden)), "clip")
    notes = [
        f"{count} labelled '{background}' are examples of none of the classes{_hidden(hidden)}"
    ]
    if others := int(np.count_nonzero(changed & ~bare_now)):
        notes.append(
            f"{plural(others, 'clip')} labelled '{background}' have other labels too, which count"
        )
    return replace(manifest, clips=clips.select(~hidden), labels=labels).noting(*notes)


def _under_labels(clips: Clips, bare: Mask) -> Mask:
    """Say which of the `bare` stretches overlap one of the same file that has a label.

    They are examples of nothing: an event that lost its label may sound over one that kept its.
    """
    under = bare.copy()
    under[bare] = labels_over(clips, bare) > 0
    return under


def labels_over(clips: Clips, rows: Mask) -> npt.NDArray[np.int64]:
    """Count for each of `rows` the clips with a label that overlap it in its file, itself too."""
    if not rows.any():
        return np.zeros(0, np.int64)
    files = clips.paths.factorise()[0].astype(np.int64)
    ends_s = np.where(np.isnan(clips.offsets_s), np.inf, clips.offsets_s)
    moments = np.unique(np.concatenate([clips.onsets_s, ends_s]), return_inverse=True)[1]
    # Numbers of moments, file after file: every file's are above those of the files before it.
    onsets, ends = files * len(moments) + moments.reshape(2, -1)
    labelled = clips.labels.sizes > 0
    begun = np.searchsorted(np.sort(onsets[labelled]), ends[rows], "left")
    return begun - np.searchsorted(np.sort(ends[labelled]), onsets[rows], "right")


def _hidden(hidden: Mask) -> str:
    count = int(np.count_nonzero(hidden))
    return f"; {count:,} that others with a label lie over are left out" if count else ""


# -- columns of labels -----------------------------------------------------------------------------


def _relabelled(column: LabelColumn, new: Mapping[Label, Label]) -> LabelColumn:
    """Return the column with new labels; one that has none is dropped, two equal ones are one."""
    names = tuple(dict.fromkeys(new.values()))
    number = {name: at for at, name in enumerate(names)}
    codes = np.array([number.get(new.get(label, ""), -1) for label in column.names] or [-1])
    rows, old = column.flat()
    labels = codes[old]
    rows, labels = rows[labels >= 0], labels[labels >= 0]
    # The first of equal labels in a row stays where it is.
    _, first = np.unique(rows.astype(np.int64) * max(1, len(names)) + labels, return_index=True)
    first.sort()
    rows, labels = rows[first], labels[first]
    sizes = np.bincount(rows, minlength=len(column)).astype(column.sizes.dtype)
    return LabelColumn(names, smallest(labels), starts_of(sizes), sizes)


def _counts(column: LabelColumn, labels: Collection[Label]) -> Counter[Label]:
    """Count how often each of `labels` occurs, those that do not left out."""
    counts = np.bincount(column.flat_codes(), minlength=len(column.names)).tolist()
    named = zip(column.names, counts, strict=True)
    return Counter({label: count for label, count in named if count and label in labels})
