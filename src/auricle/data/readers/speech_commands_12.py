"""The task of twelve classes on Speech Commands: ten words, `_unknown_` and `_silence_`.

After the tutorial that came with the archive (tensorflow/examples/speech_commands, `train.py` and
`input_data.py`; also section 7 of arXiv 1804.03209): the words yes, no, up, down, left, right, on,
off, stop and go; in each part as many clips of other words as a tenth of those of the ten
(`--unknown_percentage 10`), and as many stretches of a second of the recordings in
`_background_noise_` (`--silence_percentage 10`). Which other words are taken depends on a hash of
their names only, so that every run, machine and copy has the same ones; the tutorial draws them
anew. The noise is cut at even steps: of each recording the first 80 % for training, the next 10 %
for validation, the rest for testing, so that no part hears another's noise.

The test set of this task that was published as an archive of its own (4,890 files, a folder per
class) needs no reader: it is a folder per class.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auricle.audio import probe
from auricle.core.errors import AudioError
from auricle.core.types import Clip
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.folder import entries, is_sound
from auricle.data.readers.rows import Gatherer, audio_base, refuse_columns
from auricle.data.readers.speech_commands import ABOUT, NOISE_FOLDER, word_clips

WORDS = frozenset({"yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"})
UNKNOWN = "_unknown_"
SILENCE = "_silence_"
_SHARE = 0.1
_CLIP_S = 1.0
# Where in a noise recording, as shares of its length, the stretches of each part lie.
_PLACES = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0), None: (0.0, 1.0)}


class TwelveClassReader:
    """Speech Commands as twelve classes; asked for by name, never taken for the whole archive."""

    about = replace(
        ABOUT,
        summary="Speech Commands as 12 classes: ten words, unknown words, silence (by name only)",
        totals={"classes": 12},
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say no: the archive is the reader `speech_commands`'s unless this one is named."""
        return False

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the ten words and draw the other two classes, the same on every machine."""
        refuse_columns(config, "Speech Commands is a folder per word and has no columns")
        base = audio_base(config, path)
        gather = Gatherer(self.about, config)
        notes: list[str] = []
        return gather.manifest(_clips(path, base, gather, notes), path, grouped=True, notes=notes)


def _clips(path: Path, base: Path, gather: Gatherer, notes: list[str]) -> Iterator[Clip | None]:
    wanted: Counter[str | None] = Counter()
    others: dict[str | None, list[Clip]] = defaultdict(list)
    for clip in word_clips(path, base, gather):
        if clip is None or clip.labels[0] in WORDS:
            wanted[clip.split if clip else None] += clip is not None
            yield clip
        else:
            others[clip.split].append(clip)
    noises = _noises(base / NOISE_FOLDER, gather)
    for split, count in wanted.items():
        share = math.ceil(count * _SHARE)
        for clip in sorted(others[split], key=_drawn)[:share]:
            yield replace(clip, labels=(UNKNOWN,), extra={"word": clip.labels[0]})
        yield from _silence(noises, split, share, gather)
    notes.append(
        f"{UNKNOWN} is a tenth as many other words and {SILENCE} as many stretches of "
        f"{NOISE_FOLDER} as there are clips of the ten words in each part"
    )
    if not noises:
        notes.append(f"there is no sound in {base / NOISE_FOLDER}: no clip is {SILENCE}")


def _drawn(clip: Clip) -> str:
    """Order clips by chance, but on every machine alike."""
    name = "/".join(Path(clip.path).parts[-2:])
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _noises(folder: Path, gather: Gatherer) -> list[tuple[Path, float]]:
    """Return the noise recordings that can be read, with their lengths in seconds."""
    found: list[tuple[Path, float]] = []
    for path in sorted(filter(is_sound, entries(folder))) if folder.is_dir() else ():
        try:
            length_s = probe(path).duration_s
        except AudioError as error:
            gather.rejected.append(str(error))
            continue
        if length_s is not None:
            found.append((path, length_s))
    return found


def _silence(
    noises: list[tuple[Path, float]], split: str | None, count: int, gather: Gatherer
) -> Iterator[Clip | None]:
    """Cut `count` stretches of a second at even steps out of the part's place in each recording."""
    first, last = _PLACES[split]
    long_enough = [
        (path, first * length_s, last * length_s - _CLIP_S)
        for path, length_s in noises
        if (last - first) * length_s >= _CLIP_S
    ]
    for at, (path, start_s, latest_s) in enumerate(long_enough):
        # As many from each recording; the first ones give what is left over.
        share = count // len(long_enough) + (at < count % len(long_enough))
        for turn in range(share):
            onset_s = round(start_s + turn * (latest_s - start_s) / max(share - 1, 1), 6)
            yield gather.clip(
                str(path),
                (SILENCE,),
                onset_s=onset_s,
                offset_s=round(onset_s + _CLIP_S, 6),
                split=split,
            )


READERS.add("speech_commands_12", TwelveClassReader())
