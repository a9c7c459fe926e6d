"""What is measured of every clip: one pass over its samples, a few hundred bytes kept."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.audio import blocks, load, probe
from auricle.audio.level import FULL_SCALE
from auricle.audio.members.h5 import is_changed
from auricle.core.errors import (
    AudioError,
    AuricleError,
    MissingExtra,
    NotFiniteAudio,
    TruncatedAudio,
)
from auricle.core.threads import in_order
from auricle.core.types import Clip, FloatArray
from auricle.core.units import samples_to_seconds
from auricle.data.check.cache import MeasureCache
from auricle.data.check.records import RECORD, Fault, Measured
from auricle.data.check.report import Finding
from auricle.data.fingerprint import Fingerprinter, Landmarks
from auricle.data.manifest import Manifest

_JOINED = 4096


@dataclass(frozen=True, eq=False)
class Measures:
    """What was measured of the clips of a manifest.

    `records` (of `RECORD`) has one row a clip, zeros where `measured` is False. The landmarks of
    clip `n` are `landmarks[starts[n]:starts[n + 1]]`.
    """

    records: npt.NDArray[np.void]
    measured: npt.NDArray[np.bool_]
    landmarks: Landmarks
    starts: npt.NDArray[np.int64]

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one column of the clips that were measured."""
        return self.records[name][self.measured]


def measure_all(
    manifest: Manifest,
    *,
    workers: int | None,
    cache: MeasureCache | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[Measures, list[Finding]]:
    """Measure every clip, in order; return the measures and a finding for every bad clip."""
    total = len(manifest.clips)
    records, counts = np.zeros(total, RECORD), np.zeros(total, np.int64)
    faults: list[Finding] = []
    joined: list[Landmarks] = []
    recent: list[Landmarks] = []
    for row, (clip, result) in enumerate(_results(manifest.clips, workers, cache)):
        if isinstance(result, Fault):
            faults.append(Finding(result.kind, "error", (clip.path,), result.detail, (row,)))
        else:
            records[row], counts[row] = result.record, len(result.landmarks)
            recent.append(result.landmarks)
        if len(recent) >= _JOINED:
            joined.append(np.concatenate(recent))
            recent.clear()
        if progress is not None:
            progress(row + 1, total)
    landmarks = np.concatenate([*joined, *recent, np.empty(0, np.uint32)])
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Measures(records, records["sample_rate"] > 0, landmarks, starts), faults


def _results(
    clips: Iterable[Clip], workers: int | None, cache: MeasureCache | None
) -> Iterator[tuple[Clip, Measured | Fault]]:
    """Yield every clip with its result, in order; the cache is used by this thread alone."""
    known = ((clip, None if cache is None else cache.find(clip)) for clip in clips)
    for (clip, found), result in in_order(_measure_unless_known, known, workers):
        if cache is not None and found is None and not _is_passing(result):
            cache.keep(clip, result)
        yield clip, result


def _is_passing(result: Measured | Fault) -> bool:
    return isinstance(result, Fault) and not result.lasting


def _measure_unless_known(item: tuple[Clip, Measured | Fault | None]) -> Measured | Fault:
    clip, known = item
    return measure(clip) if known is None else known


def measure(clip: Clip) -> Measured | Fault:
    """Decode a clip once, in blocks; return its record and landmarks, or what is wrong with it."""
    try:
        info = probe(clip.path)
        if info.frames == 0:
            return Fault("empty", "the file has no samples")
        if is_changed(clip.path):
            return Fault("damaged", "it is not the sound that was packed: make the pack again")
        return _sum_up(_pieces(clip), info.sample_rate, info.channels)
    except TruncatedAudio as error:
        return Fault("truncated", _reason(error, clip))
    except NotFiniteAudio as error:
        return Fault("not_finite", _reason(error, clip))
    except (AudioError, MissingExtra) as error:
        if _has_no_bytes(clip.path):
            return Fault("empty", "the file has no bytes")
        # It may be a permission, or an extra that is not installed: it is looked at again.
        return Fault("unreadable", _reason(error, clip), lasting=False)
    except OSError as error:
        return Fault("unreadable", error.strerror or str(error), lasting=False)


def _reason(error: AuricleError, clip: Clip) -> str:
    """Return what an error says, without the path, which stands beside it."""
    return str(error).removeprefix(clip.path).lstrip(": ")


def _has_no_bytes(path: str) -> bool:
    try:
        return os.path.getsize(path) == 0
    except (OSError, ValueError):  # ValueError: a null byte in the path
        return False


def _pieces(clip: Clip) -> Iterator[FloatArray]:
    if clip.onset_s == 0 and clip.offset_s is None:
        yield from blocks(clip.path)
    else:
        duration_s = None if clip.offset_s is None else clip.offset_s - clip.onset_s
        yield load(clip.path, offset_s=clip.onset_s, duration_s=duration_s).samples


def _sum_up(pieces: Iterable[FloatArray], sample_rate: int, channels: int) -> Measured:
    digest = hashlib.blake2b(str(sample_rate).encode(), digest_size=8)
    marks = Fingerprinter(sample_rate)
    count = loud = 0
    total = peak = 0.0
    for piece in pieces:
        size = np.abs(piece)
        count += len(piece)
        total += float(np.sum(piece, dtype=np.float64))
        peak = max(peak, float(size.max(initial=0.0)))
        loud += int(np.count_nonzero(size >= FULL_SCALE))
        digest.update(np.ascontiguousarray(piece).data)
        marks.add(piece)
    values = (
        sample_rate,
        channels,
        samples_to_seconds(count, sample_rate),
        peak,
        total / max(count, 1),
        loud / max(count, 1),
        int.from_bytes(digest.digest(), "little"),
    )
    return Measured(np.array(values, RECORD), marks.finish())
