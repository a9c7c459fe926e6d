"""What is in a data set: classes, durations, formats, and clips to look at."""

import hashlib
import heapq
import math
import os
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.audio import AudioInfo, load, log_mel_spectrogram, probe
from auricle.core.errors import AudioError, MissingExtra
from auricle.core.reporting import Reporter, Silent
from auricle.core.threads import in_order
from auricle.core.types import Clip, FloatArray, Label
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest

MOST_FILES = 20_000
"""How many files are opened for their durations; of more, so many are drawn."""
HISTOGRAM_BINS = 24
MOST_SEEN_S = 30.0
"""How much of a clip its spectrogram shows."""


@dataclass(frozen=True)
class Durations:
    """Lengths of clips in seconds; `histogram` counts them between `least_s` and `most_s`."""

    clips: int
    total_s: float
    least_s: float
    median_s: float
    most_s: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class ClassView:
    """One class: its clips, also by part (split, else fold), and their length in seconds.

    `label` is None for clips without any; `total_s` is None where no file of it could be read.
    """

    label: Label | None
    clips: int
    by_part: dict[str, int]
    total_s: float | None


@dataclass(frozen=True)
class Overview:
    """What `survey` found.

    `part` says what the counts by part are: "split", "fold" or None. Durations, sample rates
    (Hz) and channels are those of `files_read` files of `files`; where not all were read, the
    seconds of a class are scaled up to its clips. `bad` has a line for every file that could not
    be used.
    """

    clips: int
    files: int
    files_read: int
    part: str | None
    parts: tuple[str, ...]
    classes: tuple[ClassView, ...]
    durations: Durations | None
    sample_rates: dict[int, int]
    channels: dict[int, int]
    bad: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the overview as plain values for JSON."""
        return asdict(self)


def survey(
    manifest: Manifest,
    *,
    seed: int = 0,
    most_files: int = MOST_FILES,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Overview:
    """Count classes and read the headers of files, up to `most_files` of them.

    `workers` threads read side by side (default: twice the processors); `reporter` shows how many
    files are read. Nothing is raised for bad files.
    """
    part = next((name for name in ("split", "fold") if _has(manifest, name)), None)
    counts: dict[Label | None, Counter[str]] = {label: Counter() for label in manifest.labels}
    keys = array("Q")
    for clip in manifest.clips:
        keys.append(_key(seed, clip.path))
        for label in clip.labels or (None,):
            counts.setdefault(label, Counter())[_part_of(clip, part)] += 1
    unique = np.unique(np.frombuffer(keys, np.uint64))
    drawn = unique[:most_files]
    chosen = [
        clip
        for clip, key in zip(manifest.clips, keys, strict=True)
        if len(drawn) and key <= int(drawn[-1])
    ]
    paths = list(dict.fromkeys(clip.path for clip in chosen))
    infos = _probe_all(paths, workers, reporter or Silent())
    seconds, bad = _seconds(chosen, infos)
    parts = tuple(sorted({name for row in counts.values() for name in row}, key=_part_order))
    return Overview(
        clips=len(manifest.clips),
        files=len(unique),
        files_read=len(paths),
        part=part,
        parts=parts if part else (),
        classes=tuple(_class_views(counts, chosen, seconds)),
        durations=_durations(seconds[~np.isnan(seconds)]),
        sample_rates=_counted(info.sample_rate for info in _good(infos)),
        channels=_counted(info.channels for info in _good(infos)),
        bad=(
            *(line for _, line in manifest.unusable()),
            *bad,
        ),
    )


def _has(manifest: Manifest, name: str) -> bool:
    return any(getattr(clip, name) is not None for clip in manifest.clips)


def _part_of(clip: Clip, part: str | None) -> str:
    return "" if part is None else getattr(clip, part) or ""


def _part_order(name: str) -> tuple[int, int, str]:
    """Order train, validation, test as such, folds by number, the rest by name."""
    known = ("train", "validation", "test")
    rank = known.index(name) if name in known else len(known)
    return rank, int(name) if name.isdecimal() else 0, name


def _key(seed: int, text: str) -> int:
    """Return the lot that a text draws: the same everywhere, whatever the order of the clips."""
    content = f"{seed}\0{text}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _probe_all(
    paths: Sequence[str], workers: int | None, reporter: Reporter
) -> dict[str, AudioInfo | str]:
    infos: dict[str, AudioInfo | str] = {}
    # Opening files waits for the disk more than it computes.
    workers = workers or 2 * (os.cpu_count() or 1)
    with reporter.progress("opening files", len(paths)) as progress:
        for path, info in in_order(_probe, paths, workers):
            infos[path] = info
            progress.advance()
    return infos


def _probe(path: str) -> AudioInfo | str:
    try:
        return probe(path)
    except (AudioError, MissingExtra) as error:
        return str(error)


def _good(infos: Mapping[str, AudioInfo | str]) -> Iterable[AudioInfo]:
    return (info for info in infos.values() if isinstance(info, AudioInfo))


def _seconds(
    clips: Sequence[Clip], infos: Mapping[str, AudioInfo | str]
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return the length of each clip (NaN: not known) and a line per bad file or clip."""
    seconds = np.full(len(clips), np.nan)
    bad = [info for info in infos.values() if isinstance(info, str)]
    for index, clip in enumerate(clips):
        info = infos[clip.path]
        if isinstance(info, str):
            continue
        end_s = info.duration_s if clip.offset_s is None else clip.offset_s
        if info.duration_s is not None and end_s is not None:
            end_s = min(end_s, info.duration_s)
        if end_s is None:
            continue
        if end_s <= clip.onset_s:
            bad.append(f"{clip.path}: the clip starts at {clip.onset_s:g} s, where the file ends")
            continue
        seconds[index] = end_s - clip.onset_s
    return seconds, bad


def _class_views(
    counts: Mapping[Label | None, Counter[str]],
    clips: Sequence[Clip],
    seconds: npt.NDArray[np.float64],
) -> Iterable[ClassView]:
    total: defaultdict[Label | None, float] = defaultdict(float)
    measured: Counter[Label | None] = Counter()
    for clip, length_s in zip(clips, seconds.tolist(), strict=True):
        if not math.isnan(length_s):
            for label in clip.labels or (None,):
                total[label] += length_s
                measured[label] += 1
    for label, by_part in counts.items():
        scale = by_part.total() / measured[label] if measured[label] else None
        yield ClassView(
            label=label,
            clips=by_part.total(),
            by_part=dict(by_part),
            total_s=None if scale is None else total[label] * scale,
        )


def _durations(seconds: npt.NDArray[np.float64]) -> Durations | None:
    if not len(seconds):
        return None
    least_s, most_s = float(seconds.min()), float(seconds.max())
    histogram, _ = np.histogram(seconds, HISTOGRAM_BINS, (least_s, max(most_s, least_s + 1e-9)))
    return Durations(
        clips=len(seconds),
        total_s=float(seconds.sum()),
        least_s=least_s,
        median_s=float(np.median(seconds)),
        most_s=most_s,
        histogram=tuple(histogram.tolist()),
    )


def _counted(values: Iterable[int]) -> dict[int, int]:
    return dict(Counter(values).most_common())


def draw_clips(
    manifest: Manifest, labels: Sequence[Label | None], count: int, seed: int = 0
) -> dict[Label | None, list[Clip]]:
    """Draw up to `count` clips of each of `labels` (None: of those without a label).

    The draw depends on the seed and on each clip's path and onset alone: it is the same in any
    order of the clips, and a clip that is added moves at most one out.
    """
    wanted = set(labels)
    heaps: dict[Label | None, list[tuple[int, int, Clip]]] = {label: [] for label in labels}
    for index, clip in enumerate(manifest.clips):
        hit = wanted.intersection(clip.labels or (None,))
        if not hit or count < 1:
            continue
        # The end of the path: the draw is the same where the data set lies elsewhere.
        name = "/".join(clip.path.replace(os.sep, "/").split("/")[-2:])
        lot = (-_key(seed, f"{name}\0{clip.onset_s!r}"), -index, clip)
        for label in hit:
            if len(heaps[label]) < count:
                heapq.heappush(heaps[label], lot)
            elif lot[:2] > heaps[label][0][:2]:
                heapq.heapreplace(heaps[label], lot)
    return {label: [lot[2] for lot in sorted(heaps[label])[::-1]] for label in labels}


@dataclass(frozen=True)
class Thumbnail:
    """A clip to look at: its spectrogram in dB `(bands, columns)`, or the `problem` with it.

    `seen_s` is how much of the clip it shows, in seconds; `high_hz` the top of its highest band.
    """

    clip: Clip
    spectrogram_db: FloatArray | None = None
    seen_s: float = 0.0
    high_hz: float = 0.0
    problem: str | None = None


def thumbnail(clip: Clip, config: DataConfig, *, bands: int, columns: int) -> Thumbnail:
    """Read the first `MOST_SEEN_S` of a clip and compute its spectrogram. Raises nothing."""
    length_s = MOST_SEEN_S
    if clip.offset_s is not None:
        length_s = min(length_s, clip.offset_s - clip.onset_s)
    try:
        sound = load(
            clip.path,
            offset_s=clip.onset_s,
            duration_s=length_s,
            channel=config.channel,
            allow_truncated=config.allow_truncated,
        )
        values = log_mel_spectrogram(sound.samples, sound.sample_rate, bands=bands, columns=columns)
    except (AudioError, MissingExtra) as error:
        return Thumbnail(clip, problem=str(error))
    return Thumbnail(clip, values, sound.duration_s, sound.sample_rate / 2)


def thumbnails(
    clips: Mapping[Label | None, Sequence[Clip]],
    config: DataConfig,
    *,
    bands: int,
    columns: int,
    workers: int | None = None,
) -> dict[Label | None, list[Thumbnail]]:
    """Compute the thumbnails of the clips of each class, in `workers` threads."""
    made: dict[Label | None, list[Thumbnail]] = {label: [] for label in clips}
    drawn = ((label, clip) for label, of in clips.items() for clip in of)
    for (label, _), one in in_order(
        lambda item: thumbnail(item[1], config, bands=bands, columns=columns), drawn, workers
    ):
        made[label].append(one)
    return made
