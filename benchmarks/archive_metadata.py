"""Run the readers of archives on the archives' own metadata.

    python benchmarks/archive_metadata.py FOLDER

FOLDER holds what can be had without the sound; what is not there is passed over and said:

    esc50.csv                                  meta/esc50.csv of github.com/karolpiczak/ESC-50
    UrbanSound8K.csv                           metadata/UrbanSound8K.csv of the archive
    validation_list.txt testing_list.txt train_list.txt
                                               of Speech Commands v1 (train_list.txt: the rest)
    train_filtered.txt valid_filtered.txt test_filtered.txt
                                               of jordipons/sklearn-audio-transfer-learning (GTZAN)

Around each, an empty file is made for every sound that it names, in a temporary folder of the
archive's layout; then the reader must find every row and every published total, and its splits or
folds must pass the check for leaks. Nothing of FOLDER is kept.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from shutil import copyfile
from typing import NamedTuple

import numpy as np
import soundfile

from auricle.core.tables import open_table
from auricle.data import READERS, DataConfig, Manifest, apply_splits, folds, read_dataset
from auricle.data.readers.gtzan import GENRES
from common import Figure, figure, record
from harness import arguments

NOISES = ("doing_the_dishes", "dude_miaowing", "exercise_bike", "pink_noise", "running_tap")
NOISE_S = 60
IN_FOLD = " in fold "  # marks a recording that stands in two folds


class Archive(NamedTuple):
    """What must be in FOLDER, how the layout is made around it, and the readers that read it."""

    files: tuple[str, ...]
    lay_out: Callable[[Path, Path], None]
    readers: tuple[str, ...]


def main() -> int:
    """Run; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    rows: list[list[str]] = []
    figures: dict[str, Figure] = {}
    runs: dict[str, dict[str, object]] = {}
    sums: dict[str, str] = {}
    for name, archive in ARCHIVES.items():
        absent = [file for file in archive.files if not (args.folder / file).is_file()]
        if absent:
            print(f"{name}: not run, {', '.join(absent)} is not there")
            continue
        for file in archive.files:
            sums[file] = hashlib.sha256((args.folder / file).read_bytes()).hexdigest()
        with tempfile.TemporaryDirectory() as folder:
            archive.lay_out(args.folder, Path(folder))
            for reader in archive.readers:
                found = try_reader(Path(folder), reader)
                rows.append([reader, *(str(value) for value in found.values())])
                figures[f"{reader}_clips"] = figure(float(str(found["clips"])), "clips", digits=0)
                runs[reader] = found
    if not runs:
        raise SystemExit(f"{args.folder} holds no metadata of an archive; see --help")
    record(
        "archive_metadata",
        title="Readers on the archives' own metadata",
        what=(
            "Every sound that an archive's own tables or lists name stands as an empty file in the "
            "archive's layout. 'not as published' lists what differs from the published totals; "
            "'in two folds' counts recordings that the official folds do not keep whole (they have "
            "two kinds of sound): the folds are kept, and the reader names them."
        ),
        command="python benchmarks/archive_metadata.py FOLDER",
        seed=None,
        figures=figures,
        runs={**runs, "sha256": sums},
        table={
            "header": ["reader", *next(iter(runs.values()))],
            "rows": rows,
        },
        folder=args.results,
    )
    return 0


def try_reader(folder: Path, name: str) -> dict[str, object]:
    """Read the layout by the reader `name` and say what was found."""
    manifest = read_dataset(folder, DataConfig(reader=name))
    differences = [note for note in manifest.notes if "are published" in note]
    claimed = [other for other in READERS if READERS[other].claims(folder, DataConfig())]
    groups = {clip.group for clip in manifest.clips if clip.group}
    refuse_leaks(manifest)
    return {
        "clips": len(manifest.clips),
        "classes": len(manifest.labels),
        "splits": " / ".join(str(size) for size in manifest.split_sizes().values()),
        "folds": len({clip.fold for clip in manifest.clips if clip.fold}),
        "groups": len({group.partition(IN_FOLD)[0] for group in groups}),
        "in two folds": len({g.partition(IN_FOLD)[0] for g in groups if IN_FOLD in g}),
        "missing": len(manifest.missing),
        "claimed": name in claimed,
        "not as published": "; ".join(differences) or "nothing",
    }


def refuse_leaks(manifest: Manifest) -> None:
    """Raise `DataError` where a declared group stands on two sides of a fold or split."""
    apply_splits(manifest, DataConfig(), seed=0)
    if any(clip.fold for clip in manifest.clips):
        folds(manifest, DataConfig(), seed=0)


def empty(root: Path, names: Iterable[str]) -> None:
    """Make empty files below `root`."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def column(path: Path, *names: str) -> list[tuple[str, ...]]:
    """Return the cells of some columns of a table."""
    table = open_table(path)
    places = [table.header.index(name) for name in names]
    return [tuple(cells[at] for at in places) for _, cells in table.rows() if cells]


def esc50(source: Path, root: Path) -> None:
    """Lay out ESC-50 around its table."""
    (root / "meta").mkdir()
    copyfile(source / "esc50.csv", root / "meta" / "esc50.csv")
    empty(root / "audio", (name for (name,) in column(source / "esc50.csv", "filename")))


def urbansound8k(source: Path, root: Path) -> None:
    """Lay out UrbanSound8K around its table."""
    (root / "metadata").mkdir()
    table = root / "metadata" / "UrbanSound8K.csv"
    copyfile(source / "UrbanSound8K.csv", table)
    names = column(table, "fold", "slice_file_name")
    empty(root / "audio", (f"fold{fold}/{name}" for fold, name in names))


def speech_commands(source: Path, root: Path) -> None:
    """Lay out Speech Commands v1 around its lists; the noise is a minute of silence each."""
    for name in ("validation_list.txt", "testing_list.txt"):
        copyfile(source / name, root / name)
    for name in ("validation_list.txt", "testing_list.txt", "train_list.txt"):
        empty(root, (source / name).read_text(encoding="utf-8").split())
    noise = root / "_background_noise_"
    noise.mkdir()
    for name in NOISES:
        soundfile.write(noise / f"{name}.wav", np.zeros(NOISE_S * 16000), 16000)


def gtzan(source: Path, root: Path) -> None:
    """Lay out GTZAN, 100 excerpts a genre, and see that the lists name none beside them."""
    empty(root / "genres", (f"{g}/{g}.{at:05d}.wav" for g in GENRES for at in range(100)))
    for name in ("train_filtered.txt", "valid_filtered.txt", "test_filtered.txt"):
        for line in (source / name).read_text(encoding="utf-8").split():
            if not (root / "genres" / line).is_file():
                raise SystemExit(f"{name} names {line}, which is no excerpt of GTZAN")


ARCHIVES: Mapping[str, Archive] = {
    "ESC-50": Archive(("esc50.csv",), esc50, ("esc50", "esc10")),
    "UrbanSound8K": Archive(("UrbanSound8K.csv",), urbansound8k, ("urbansound8k",)),
    "Speech Commands v1": Archive(
        ("validation_list.txt", "testing_list.txt", "train_list.txt"),
        speech_commands,
        ("speech_commands", "speech_commands_12"),
    ),
    "GTZAN": Archive(
        ("train_filtered.txt", "valid_filtered.txt", "test_filtered.txt"), gtzan, ("gtzan",)
    ),
}


if __name__ == "__main__":
    sys.exit(main())
