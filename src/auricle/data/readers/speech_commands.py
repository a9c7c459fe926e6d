"""Speech Commands (version 1: 30 words, version 2: 35): one word of about a second in each file.

`WORD/SPEAKER_nohash_N.wav`, with `validation_list.txt` and `testing_list.txt` beside the folders:
what neither list names is for training. The name before `_nohash_` is a hash of the speaker, who
always stands in one part; it is declared as the group. `_background_noise_` holds long recordings
and no word. (README.md of the archive; P. Warden, arXiv 1804.03209.)

The archive tells its version by its words; version 1 has 64,721 recordings of words. The twelve
classes that papers compare (ten words, unknown words, silence) are the reader
`speech_commands_12`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.tables import text_lines
from auricle.core.types import Clip
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import entries, is_sound
from auricle.data.readers.rows import Gatherer, audio_base, refuse_columns

NOISE_FOLDER = "_background_noise_"
LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
_HASH = "_nohash_"
_ONLY_VERSION_2 = "backward"
_TOTALS_OF_VERSION_1 = {
    "clips": 64721,
    "classes": 30,
    "validation clips": 6798,
    "test clips": 6835,
}
ABOUT = About(
    "Speech Commands v1/v2: all words, the official lists, the speaker as group",
    licence="CC BY 4.0",
    citation=(
        "P. Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, "
        "arXiv 1804.03209, 2018"
    ),
    home="https://www.tensorflow.org/datasets/catalog/speech_commands",
    totals={"clips": 105829, "classes": 35, "validation clips": 9981, "test clips": 11005},
)


class SpeechCommandsReader:
    """Speech Commands as published: a folder per word, the validation list and the test list."""

    about = ABOUT

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether both lists are there and name files of the archive's form."""
        return config.table is None and all(_is_list(path / name) for name in LISTS)

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read every word with the official splits and the speaker as group."""
        refuse_columns(config, "Speech Commands is a folder per word and has no columns")
        about = self.about
        base = audio_base(config, path)
        if not (base / _ONLY_VERSION_2).is_dir():
            about = replace(about, totals=_TOTALS_OF_VERSION_1)
        gather = Gatherer(about, config)
        return gather.manifest(word_clips(path, base, gather), path, grouped=True)


def word_clips(path: Path, base: Path, gather: Gatherer) -> Iterator[Clip | None]:
    """Walk the words below `base`, by the lists in `path`; then the listed files that are missing.

    A clip is None where its file does not exist; `gather` then knows its path.
    """
    splits: dict[str, str] = {}
    for name, split in LISTS.items():
        listed = dict.fromkeys((line.strip() for line in text_lines(path / name)), split)
        listed.pop("", None)
        if not listed:
            raise DataError(f"{path / name} names no file: the official split is not there")
        splits |= listed
    for word in sorted(entries(base)):
        if not word.is_dir() or word.name == NOISE_FOLDER:
            continue
        for file in sorted(filter(is_sound, entries(word))):
            split = splits.pop(f"{word.name}/{file.name}", "train")
            yield _clip(file, word.name, split, gather)
    for name, split in splits.items():
        yield _clip(base / name, name.partition("/")[0], split, gather)


def _clip(file: Path, word: str, split: str, gather: Gatherer) -> Clip | None:
    speaker, marked, _ = file.name.partition(_HASH)
    return gather.clip(str(file), (word,), split=split, group=speaker if marked else None)


def _is_list(path: Path) -> bool:
    if not path.is_file():
        return False
    first = next((line for line in text_lines(path) if line.strip()), "")
    return "/" in first and _HASH in first and len(first.split()) == 1


READERS.add("speech_commands", SpeechCommandsReader())
