"""FSD50K: 51,197 clips of 0.3 to 30 s, of 200 classes of the AudioSet ontology, several a clip.

`FSD50K.ground_truth/dev.csv` (`fname,labels,mids,split`; split is train or val) and `eval.csv`
(`fname,labels,mids`) name `FSD50K.dev_audio/{fname}.wav` and `FSD50K.eval_audio/{fname}.wav`;
labels are separated by commas and already hold those above them in the ontology. The classes are
kept in the order of `vocabulary.csv` (rows `index,label,mid` without a header) where it is there.
Each clip has a licence of its own (FSD50K.metadata). (zenodo.org/record/4060432; arXiv 2010.00475.)

`uploader`, which the authors kept on one side of their split, stands in the metadata's JSON and is
not read: no group is declared.
"""

from collections.abc import Iterator
from pathlib import Path

from auricle.core.tables import text_lines
from auricle.core.types import Clip, Label
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import SPLIT_NAMES
from auricle.data.readers.rows import Gatherer, audio_base, locate, refuse_columns

_TRUTH = "FSD50K.ground_truth"


class FSD50KReader:
    """FSD50K as published: the ground truth's tables and the two folders of audio."""

    about = About(
        "FSD50K: 200 classes, several a clip; official training, validation and test parts",
        licence="CC BY 4.0 as a whole; each clip CC0, CC BY, CC BY-NC or CC Sampling+",
        citation=(
            "E. Fonseca, X. Favory, J. Pons, F. Font and X. Serra, FSD50K: an Open Dataset of "
            "Human-Labeled Sound Events, IEEE/ACM TASLP 30, 2022, arXiv 2010.00475"
        ),
        home="https://zenodo.org/record/4060432",
        totals={"clips": 51197, "test clips": 10231, "classes": 200},
        experimental=True,
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether a table of the ground truth is there."""
        return config.table is None and any(
            (path / _TRUTH / name).is_file() for name in ("dev.csv", "eval.csv")
        )

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read both parts with the official split; the classes are those of the vocabulary."""
        refuse_columns(config, "the columns of FSD50K are fixed")
        gather = Gatherer(self.about, config)
        return gather.manifest(
            self._clips(path, audio_base(config, path), gather),
            path,
            labels=_vocabulary(path / _TRUTH / "vocabulary.csv"),
            multi_label=True,
        )

    def _clips(self, path: Path, base: Path, gather: Gatherer) -> Iterator[Clip | None]:
        for part in ("dev", "eval"):
            table = path / _TRUTH / f"{part}.csv"
            if not table.is_file():
                gather.rejected.append(f"{table} does not exist: its part was not read")
                continue
            columns = ("fname", "labels", *(("split",) if part == "dev" else ()))
            for where, row in gather.rows(table, columns):
                split = SPLIT_NAMES.get(row.get("split", "").lower()) if part == "dev" else "test"
                if not row["fname"] or split is None:
                    gather.rejected.append(f"{where}: fname is empty, or split not train or val")
                    continue
                yield gather.clip(
                    locate(base, f"FSD50K.{part}_audio/{row['fname']}.wav"),
                    tuple(filter(None, (name.strip() for name in row["labels"].split(",")))),
                    split=split,
                    extra={"mids": row["mids"]} if "mids" in row else None,
                )


def _vocabulary(path: Path) -> tuple[Label, ...] | None:
    if not path.is_file():
        return None
    rows = (line.strip().split(",") for line in text_lines(path) if line.strip())
    return tuple(row[1] for row in rows if len(row) >= 3 and row[0].isdecimal())


READERS.add("fsd50k", FSD50KReader())
