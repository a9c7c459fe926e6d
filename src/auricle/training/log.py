"""`log.csv`: one row a log interval, cut back to the checkpoint when a run resumes."""

import csv
from pathlib import Path

from auricle.core.writing import WriteError, write_csv

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "accuracy",
    "learning_rate",
    "clips_per_s",
    "validation",
    "seconds",
)


class TrainingLog:
    """The CSV log of a run."""

    def __init__(self, path: Path, resume_step: int | None = None) -> None:
        self.path = path
        rows = self._rows_until(resume_step) if resume_step is not None else []
        write_csv(path, COLUMNS, rows)

    def write(self, row: dict[str, float | int | str]) -> None:
        """Append a row; columns without a value stay empty. Raises `WriteError`."""
        try:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(
                    [_short(row.get(column, "")) for column in COLUMNS]
                )
        except OSError as error:
            raise WriteError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _rows_until(self, step: int) -> list[list[str]]:
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        # A killed run may have left half a row behind.
        return [row for row in rows if len(row) == len(COLUMNS) and int(row[0]) <= step]


def _short(value: float | int | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
