"""A competition's sample submission: which sounds it asks about, and the answers put into it.

The first column is the id of a sound: its path below the folder of the sounds, with or without the
suffix. Where another column has the name of a class, every other column must have one and gets that
class's probability; where there is one other column, it gets the label. Rows and columns keep their
order.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from auricle.core.errors import DataError, nearest
from auricle.core.tables import open_table
from auricle.core.types import Label, Prediction
from auricle.data.readers.rows import locate
from auricle.data.wording import listed, plural

_SOUND_FOLDERS = (
    "", "audio_files", "audio", "test_audio", "audio_test", "test", "test/audio", "train_audio",
)  # fmt: skip
_LOOKED_AT = 1000


@dataclass(frozen=True)
class Submission:
    """A sample submission: its rows as they stand, and the path of each row's sound."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sounds: tuple[str, ...]

    def classes(self, labels: Sequence[Label]) -> tuple[Label, ...]:
        """Return the class of each column after the first; nothing where one column wants a label.

        `labels` are those of the classifier. Raises `DataError` where neither is so.
        """
        columns = self.header[1:]
        strange = [name for name in columns if name not in labels]
        if not strange:
            return columns
        if len(columns) == 1:
            return ()
        if len(strange) == len(columns):
            raise DataError(
                f"{self.path.name} has {len(columns)} columns beside the id, and none has the name "
                f"of a class: {listed(map(repr, columns))}. One column for the label, or one for "
                f"each class, can be filled; the classes are {listed(map(repr, labels))}"
            )
        guess = nearest(strange[0], labels)
        hint = f"; did you mean '{guess}'?" if guess else ""
        raise DataError(
            f"{self.path.name} asks for '{strange[0]}', which is no class of this classifier{hint}"
        )

    def filled(
        self, labels: Sequence[Label], answers: Mapping[str, Prediction]
    ) -> Iterator[tuple[object, ...]]:
        """Yield the rows with the answers in them, in the sample's order.

        `answers` are predictions by path, with all labels where probabilities are asked for; a row
        whose sound has none stays as it is. Raises as `classes` does.
        """
        classes = self.classes(labels)
        for row, sound in zip(self.rows, self.sounds, strict=True):
            answer = answers.get(sound)
            if answer is None:
                yield row
            elif classes:
                scores = dict(zip(answer.labels, answer.scores, strict=True))
                yield (row[0], *(scores[name] for name in classes))
            else:
                yield (row[0], answer.label)


def open_submission(path: Path, audio_root: Path | None = None) -> Submission:
    """Read a sample submission and find its sounds.

    They lie in `audio_root` (default: the sample's folder), or in `audio_files/`, `audio/`,
    `test_audio/`... there. A sound that is not found gets the path where it should be. Raises
    `DataError`.
    """
    table = open_table(path)
    if len(table.header) < 2:
        raise DataError(
            f"{path} has one column only: a sample submission has an id and at least one column to "
            "be filled in"
        )
    rows: list[tuple[str, ...]] = []
    for number, cells in table.rows():
        if cells is None or not cells[0]:
            fault = "more cells than columns" if cells is None else "the id is empty"
            raise DataError(f"{path.name} line {number}: {fault}")
        rows.append(tuple(cells))
    if not rows:
        raise DataError(f"{path} has columns but no rows")
    root = path.parent if audio_root is None else audio_root
    if not root.is_dir():
        raise DataError(f"the folder of the sounds, {root}, is not a folder")
    ids = [row[0] for row in rows]

    def hits(folder: str) -> int:
        return sum(os.path.isfile(locate(root / folder, name)) for name in ids[:_LOOKED_AT])

    base = root / max(_SOUND_FOLDERS, key=hits)
    sounds = tuple(locate(base, name) for name in ids)
    if not any(map(os.path.isfile, sounds)):
        raise DataError(
            f"{plural(len(ids), 'sound')} that {path.name} asks about, and none exists: "
            f"{listed(sounds)}. Say where they are with --audio-root DIR"
        )
    return Submission(path, table.header, tuple(rows), sounds)
