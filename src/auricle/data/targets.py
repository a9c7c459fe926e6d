"""Targets of labelled files as arrays: weak `(files, classes)`, strong `(files, frames, classes)`.

Frame k covers the samples from k hops to k + 1 hops, its end left out, and an event marks every
frame that it overlaps: from the one that holds its onset to the one before its offset, rounded
down and up. So do the baseline of DCASE Task 4 (`desed_task`, `ManyHotEncoder`) and the targets
of AudioSet's strong labels in bakhtos/PANNs (`target.py`). An event without any length marks the
frame that it lies in. Events are cut at the end of the clip; those that begin there or later
count in neither array. Positions are rounded to a millionth of a frame, so that 0.29 s is frame
29 of 10 ms, whatever the binary fractions say.

Rows of both arrays are files in the order in which the labels first name them, columns are the
manifest's classes in their order. Both orders are written beside the arrays, from the same table.
"""

import csv
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from auricle.core.errors import ConfigError, DataError
from auricle.core.types import Clip, Label
from auricle.core.units import seconds_to_samples
from auricle.core.writing import remove_leftovers, replacing_folder, write_csv, write_json

Kind: TypeAlias = Literal["weak", "strong"]
KINDS: tuple[Kind, ...] = ("weak", "strong")

GRID_FILE, FILES_FILE, LABELS_FILE = "targets.json", "files.csv", "labels.csv"

_FORMAT_VERSION = 1
_DECIMALS = 6
_BLOCK_BYTES = 8 * 2**20
_LONGEST_S = 86_400.0

Targets: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FrameGrid:
    """The frames of a clip of `clip_samples`: `frames` of them, a hop each, at a rate in Hz.

    There may be one more than the clip fills (a front-end that centres its frames), or fewer.
    """

    sample_rate: int
    hop_samples: int
    clip_samples: int
    frames: int

    @classmethod
    def covering(cls, clip_s: float, hop_s: float, sample_rate: int) -> "FrameGrid":
        """Return the grid with just as many frames as cover `clip_s` seconds.

        Raises `ConfigError` where the hop is not a whole number of samples, and for lengths that
        are not above 0 or longer than a day.
        """
        if sample_rate < 1:
            raise ConfigError(f"the sample rate must be at least 1 Hz, got {sample_rate}")
        for name, value in (("clip", clip_s), ("hop", hop_s)):
            if not (value <= _LONGEST_S and seconds_to_samples(value, sample_rate) >= 1):
                raise ConfigError(
                    f"the length of a {name} must be at least a sample of {sample_rate} Hz and at "
                    f"most a day, got {value} s"
                )
        hop = seconds_to_samples(hop_s, sample_rate)
        if abs(hop_s * sample_rate - hop) > 1e-6 * hop:
            raise ConfigError(
                f"the hop must be a whole number of samples: {hop_s} s at {sample_rate} Hz are "
                f"{hop_s * sample_rate:g}. Give --hop-samples, as the front-end counts"
            )
        clip = seconds_to_samples(clip_s, sample_rate)
        return cls(sample_rate, hop, clip, -(-clip // hop))

    @property
    def hop_s(self) -> float:
        """Length of a frame in seconds."""
        return self.hop_samples / self.sample_rate

    @property
    def clip_s(self) -> float:
        """Length of the clip in seconds."""
        return self.clip_samples / self.sample_rate


@dataclass(frozen=True)
class Spans:
    """The frames of each labelled stretch: `first` to `end`, the latter left out.

    `inside` says which stretches begin before the end of the clip; `cut` how many of those reach
    beyond it. A clip has `frames`.
    """

    frames: int
    first: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]
    cut: int


@dataclass(frozen=True, eq=False)
class LabelledFiles:
    """The labels of files as columns, a row per stretch and label, sorted by file.

    `file` and `label` are positions in `files` and `labels`, times are in seconds (an offset of
    infinity: to the end), and the rows of file i are `starts[i]` to `starts[i + 1]`. `timed`: some
    row has times.
    """

    files: tuple[str, ...]
    labels: tuple[Label, ...]
    file: npt.NDArray[np.int32]
    label: npt.NDArray[np.int32]
    onset_s: npt.NDArray[np.float64]
    offset_s: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]
    timed: bool

    def spans(self, grid: FrameGrid) -> Spans:
        """Return the frames of every row."""
        per_second = grid.sample_rate / grid.hop_samples
        clip = grid.clip_samples / grid.hop_samples
        with np.errstate(over="ignore"):  # what is too large for a float is past every clip
            onset = np.round(self.onset_s * per_second, _DECIMALS)
            offset = np.round(self.offset_s * per_second, _DECIMALS)
        inside = onset < round(clip, _DECIMALS)
        first = np.floor(np.minimum(onset, grid.frames)).astype(np.int64)
        end = np.ceil(np.minimum(offset, min(clip, grid.frames))).astype(np.int64)
        finite = np.isfinite(offset)
        cut = int(np.count_nonzero(inside & finite & (offset > round(clip, _DECIMALS))))
        end = np.minimum(np.maximum(end, first + 1), grid.frames)
        return Spans(grid.frames, first, end, inside, cut)

    def weak(self, spans: Spans, start: int, stop: int) -> Targets:
        """Return the classes of files `start` to `stop`: uint8 `(files, classes)`."""
        targets = np.zeros((stop - start, len(self.labels)), np.uint8)
        rows = slice(self.starts[start], self.starts[stop])
        inside = spans.inside[rows]
        targets[self.file[rows][inside] - start, self.label[rows][inside]] = 1
        return targets

    def strong(
        self, spans: Spans, start: int, stop: int, frames: tuple[int, int] | None = None
    ) -> Targets:
        """Return the frames of files `start` to `stop`: uint8 `(files, frames, classes)`.

        `frames` are the first one and the one behind the last (default: all of the clip).
        """
        left, right = frames or (0, spans.frames)
        targets = np.zeros((stop - start, right - left, len(self.labels)), np.uint8)
        rows = np.arange(self.starts[start], self.starts[stop])
        rows = rows[spans.inside[rows]]
        for file, first, end, label in zip(
            (self.file[rows] - start).tolist(),
            (np.maximum(spans.first[rows], left) - left).tolist(),
            (np.maximum(spans.end[rows], left) - left).tolist(),
            self.label[rows].tolist(),
            strict=True,
        ):
            targets[file, first:end, label] = 1
        return targets


def gather_labels(
    clips: Iterable[Clip],
    labels: Sequence[Label],
    *,
    duration_s: Callable[[str], float | None] | None = None,
) -> LabelledFiles:
    """Gather the rows of a manifest, or of a label file, which may come in any order.

    `labels` are the classes in their order. A row without an end lasts as long as its file, where
    `duration_s(path)` tells that (None: it cannot), else to the end of the clip. Raises
    `DataError` for a label that is not among `labels`.
    """
    files: dict[str, int] = {}
    column = {label: at for at, label in enumerate(labels)}
    file, label = array("i"), array("i")
    onset_s, offset_s = array("d"), array("d")
    timed = False
    for clip in clips:
        at = files.setdefault(clip.path, len(files))
        if not clip.labels:
            continue
        end_s = clip.offset_s
        timed |= end_s is not None or clip.onset_s > 0
        if end_s is None and duration_s is not None:
            end_s = duration_s(clip.path)
        for name in clip.labels:
            if name not in column:
                raise DataError(f"{clip.path}: the label '{name}' is not one of the classes")
            file.append(at)
            label.append(column[name])
            onset_s.append(clip.onset_s)
            offset_s.append(math.inf if end_s is None else end_s)
    order = np.argsort(np.asarray(file), kind="stable")
    counts = np.bincount(np.asarray(file, np.int64), minlength=len(files))
    return LabelledFiles(
        tuple(files),
        tuple(labels),
        np.asarray(file, np.int32)[order],
        np.asarray(label, np.int32)[order],
        np.asarray(onset_s)[order],
        np.asarray(offset_s)[order],
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        timed,
    )


# -- on the disk ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """What was written: the shape of each array, how many stretches count and why some do not.

    `late` begin after the end of the clip and are left out, `cut` reach beyond it.
    """

    shapes: dict[Kind, tuple[int, ...]]
    stretches: int
    late: int
    cut: int


def write_targets(
    folder: str | Path,
    rows: LabelledFiles,
    grid: FrameGrid,
    *,
    kinds: Sequence[Kind] = KINDS,
    force: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Write `weak.npy` and `strong.npy` (uint8), `files.csv`, `labels.csv` and `targets.json`.

    The folder is whole or absent; memory stays flat, since arrays are written a block of files at
    a time. `progress(files)` is called as rows of each array are written. Raises `ConfigError`
    where the folder is there (with `force`, where it holds anything but targets), `DataError`
    without a file or a class, `WriteError`.
    """
    folder = Path(folder)
    check_targets_folder(folder, force=force)
    if not rows.files or not rows.labels:
        raise DataError("targets need at least one file and one class, got none")
    spans = rows.spans(grid)
    shapes: dict[Kind, tuple[int, ...]] = {kind: _shape(kind, rows, grid) for kind in kinds}
    remove_leftovers(folder.parent, of=folder.name)
    with replacing_folder(folder) as temporary:
        for kind in kinds:
            with (temporary / f"{kind}.npy").open("wb") as file:
                _write_array(file, shapes[kind], _blocks(kind, rows, spans), progress)
        write_csv(temporary / FILES_FILE, ["row", "path"], enumerate(rows.files))
        write_csv(temporary / LABELS_FILE, ["column", "label"], enumerate(rows.labels))
        said = {"format_version": _FORMAT_VERSION, **asdict(grid), "shapes": shapes}
        write_json(temporary / GRID_FILE, said)
    late = int(np.count_nonzero(~spans.inside))
    return Written(shapes, len(rows.file) - late, late, spans.cut)


def check_targets_folder(folder: Path, *, force: bool) -> None:
    """Refuse a folder that targets may not be written to. Raises `ConfigError`."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder for the targets")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not force:
        raise ConfigError(f"{folder} is not empty: use --force to replace targets, or another name")
    ours = {GRID_FILE, FILES_FILE, LABELS_FILE, *(f"{kind}.npy" for kind in KINDS)}
    strangers = sorted({path.name for path in folder.iterdir()} - ours)
    if strangers or not (folder / GRID_FILE).is_file():
        raise ConfigError(
            f"{folder} holds more than targets ({', '.join(strangers[:3])}), and would be "
            "replaced whole: give another folder"
        )


def _shape(kind: Kind, rows: LabelledFiles, grid: FrameGrid) -> tuple[int, ...]:
    if kind == "weak":
        return (len(rows.files), len(rows.labels))
    return (len(rows.files), grid.frames, len(rows.labels))


def _blocks(kind: Kind, rows: LabelledFiles, spans: Spans) -> Iterator[tuple[Targets, int]]:
    """Yield an array piece by piece, each with how many files it completes."""
    frames = spans.frames if kind == "strong" else 1
    classes = len(rows.labels)
    files_at_once = max(1, _BLOCK_BYTES // (frames * classes))
    # A single file may be larger than a block: its frames then come in pieces.
    frames_at_once = frames if files_at_once > 1 else max(1, _BLOCK_BYTES // classes)
    for start in range(0, len(rows.files), files_at_once):
        stop = min(start + files_at_once, len(rows.files))
        if kind == "weak":
            yield rows.weak(spans, start, stop), stop - start
            continue
        for left in range(0, frames, frames_at_once):
            right = min(left + frames_at_once, frames)
            done = stop - start if right == frames else 0
            yield rows.strong(spans, start, stop, (left, right)), done


def _write_array(
    file: BinaryIO,
    shape: tuple[int, ...],
    blocks: Iterable[tuple[Targets, int]],
    progress: Callable[[int], None] | None,
) -> None:
    """Write a `.npy` file with ordinary writes: the pages of a memory map would count as ours."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for block, files in blocks:
        file.write(block.data)
        if progress is not None:
            progress(files)


@dataclass(frozen=True, eq=False)
class SavedTargets:
    """Targets read back: the arrays (memory maps; None where not written) with both orders."""

    files: tuple[str, ...]
    labels: tuple[Label, ...]
    grid: FrameGrid
    weak: Targets | None
    strong: Targets | None


def read_targets(folder: str | Path) -> SavedTargets:
    """Read what `write_targets` wrote. Raises `DataError` where its parts do not fit together."""
    folder = Path(folder)
    try:
        said = json.loads((folder / GRID_FILE).read_text(encoding="utf-8"))
        grid = FrameGrid(*(int(said[name]) for name in FrameGrid.__dataclass_fields__))
        files = _read_names(folder / FILES_FILE)
        labels = _read_names(folder / LABELS_FILE)
        arrays = {
            kind: np.load(folder / f"{kind}.npy", mmap_mode="r")
            for kind in KINDS
            if kind in said["shapes"]
        }
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(f"{folder} holds no targets that can be read: {error}") from None
    for kind, values in arrays.items():
        sizes = (len(files), len(labels))
        wanted = sizes if kind == "weak" else (sizes[0], grid.frames, sizes[1])
        if values.shape != wanted or values.dtype != np.uint8:
            raise DataError(
                f"{folder / kind}.npy must be uint8 of the shape {wanted}, as {FILES_FILE}, "
                f"{LABELS_FILE} and {GRID_FILE} say, and is {values.dtype} {values.shape}"
            )
    return SavedTargets(files, labels, grid, arrays.get("weak"), arrays.get("strong"))


def _read_names(path: Path) -> tuple[str, ...]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        _, *rows = csv.reader(file)
    if [row[0] for row in rows] != [str(at) for at in range(len(rows))]:
        raise ValueError(f"the rows of {path.name} are not numbered in their order")
    return tuple(row[1] for row in rows)
