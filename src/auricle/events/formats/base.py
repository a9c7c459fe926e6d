"""What a label format is, and what all of them share.

Every format reads and writes the same rows: `Clip`s whose `path` is the name that the file gives
(nothing is looked for on the disk). A row with a label and times is an event; one with labels
and no times (onset 0, offset None) says what is somewhere in the recording; one without a label
says that nothing is in it. Columns that mean nothing to us are kept in `extra`, a confidence
under `score`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.types import Clip

SCORE = "score"
LOW_HZ, HIGH_HZ = "Low Freq (Hz)", "High Freq (Hz)"
"""The names under which `Clip.extra` keeps the confidence and the band of an event."""


@dataclass
class Faults:
    """What a reading left out: `rejected` rows, one line each, and `others`, files of other kinds.

    A strict one (the default of `read_labels`) raises `DataError` for the first bad row.
    """

    rejected: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    strict: bool = False

    def reject(self, where: str, fault: str) -> None:
        """Note a row that cannot be used. Raises `DataError` where strict."""
        if self.strict:
            raise DataError(f"{where}: {fault}")
        self.rejected.append(f"{where}: {fault}")


@dataclass(frozen=True)
class Reading:
    """How a label file is read: where faults go, and which column holds the label (None: found)."""

    faults: Faults
    label_column: str | None = None


class LabelFormat(ABC):
    """One kind of label file. `strong` and `weak` say which rows it can hold."""

    summary: str
    strong: bool
    weak: bool
    holds: frozenset[str] | None = None
    """Names of the extra columns that it keeps; None: any."""

    @abstractmethod
    def claims(self, path: Path) -> bool:
        """Say whether the file at `path` looks like this format. Raises `DataError`."""

    def refuse_unfit(self, clip: Clip) -> None:
        """Refuse a row that the format cannot say. Raises `DataError`."""
        if clip.labels and clip.offset_s is None and not self.weak:
            raise DataError(
                f"'{clip.labels[0]}' in {clip.path} has no times, and this format needs them"
            )
        if clip.offset_s is not None and clip.labels and not self.strong:
            raise DataError(
                f"'{clip.labels[0]}' in {clip.path} has times, and this format holds none"
            )


class TableFormat(LabelFormat):
    """Labels of many recordings in one file."""

    @abstractmethod
    def read(self, path: Path, how: Reading) -> Iterator[Clip]:
        """Walk the rows of a file. Raises `DataError`."""

    @abstractmethod
    def write(self, path: Path, rows: Iterable[Clip], extra: Sequence[str]) -> None:
        """Write rows, whole or not at all, with the `extra` columns. Raises `DataError`."""


class RecordingFormat(LabelFormat):
    """Labels of one recording in one file; a data set is a folder of them."""

    @abstractmethod
    def recording_of(self, name: str) -> str | None:
        """Return the recording that a file called `name` is about; None: not such a file."""

    @abstractmethod
    def file_name(self, recording: str, *, whole: bool) -> str:
        """Return what the label file of `recording` is called; `whole`: with its suffix."""

    @abstractmethod
    def read(self, path: Path, recording: str, how: Reading) -> Iterator[Clip]:
        """Walk the rows of a file; `recording` counts where the file names none itself."""

    @abstractmethod
    def write(self, path: Path, recording: str, rows: Sequence[Clip], extra: Sequence[str]) -> None:
        """Write the rows of one recording. The caller sees to it that a folder is whole."""


def checked_clip(
    path: str,
    labels: Iterable[str],
    times: tuple[str, str],
    where: str,
    faults: Faults,
    *,
    extra: dict[str, str] | None = None,
) -> Clip | None:
    """Make a row of cells into a clip; None, and a fault noted, where it breaks a rule.

    `times` are onset and offset as they stand there, both empty where there are none.
    """
    fault = None
    onset, offset = times
    onset_s, offset_s = 0.0, None
    labels = tuple(labels)
    if not path:
        fault = "the file name is empty"
    elif onset or offset:
        onset_s, offset_s = number(onset), number(offset)
        fault = time_fault(onset_s, offset_s)
        if fault is None and not labels:
            fault = "the label is empty"
    if fault is not None:
        faults.reject(where, fault)
        return None
    return Clip(path, labels, onset_s, offset_s, extra=extra or {})


def free_columns(names: Iterable[str], taken: Iterable[Sequence[str]]) -> list[str]:
    """Return what extra columns are called where some names are `taken` by a table's own."""
    ours = {name for aliases in taken for name in aliases}
    return [f"{name}_" if name.casefold() in ours else name for name in names]


def time_fault(onset_s: float, offset_s: float) -> str | None:
    """Say what is wrong with the times of an event, in seconds; None where nothing is."""
    if not (math.isfinite(onset_s) and math.isfinite(offset_s)):
        return "onset and offset must both be seconds"
    if onset_s < 0:
        return f"the onset is negative ({onset_s} s)"
    if offset_s < onset_s:
        return f"the offset ({offset_s} s) is before the onset ({onset_s} s)"
    return None


def number(text: str) -> float:
    """Read a number that may have a decimal comma; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return math.nan


def seconds(value: float) -> str:
    """Write seconds so that they read back as the same number, without an exponent."""
    text = repr(float(value))
    return f"{value:.15f}".rstrip("0") if "e" in text else text


def check_text(text: str, what: str, forbidden: str = "\n\r\0") -> None:
    """Refuse a name or label that a text table does not give back. Raises `DataError`."""
    if not text or text != text.strip():
        state = "is empty" if not text else "begins or ends with a blank"
        raise DataError(f"the {what} {text!r} {state}, which this format does not keep: rename it")
    bad = next((letter for letter in forbidden if letter in text), None)
    if bad is not None:
        raise DataError(
            f"the {what} {text!r} holds {bad!r}, which this format cannot say: rename it"
        )
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"the {what} {text!a} is not valid Unicode: rename it") from None
