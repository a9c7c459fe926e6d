"""The same sound, or nearly the same, more than once: under two labels, on two sides of a split."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.audio import load
from auricle.audio.level import SILENT_PEAK
from auricle.core.errors import AuricleError
from auricle.core.threads import in_order
from auricle.core.types import Clip, FloatArray
from auricle.core.units import seconds_to_samples
from auricle.data.check.looks import sides_of
from auricle.data.check.measuring import Measures
from auricle.data.check.report import Finding
from auricle.data.duplicates import Match, correlation, near_duplicates, required_correlation
from auricle.data.fingerprint import RATE_HZ
from auricle.data.manifest import Manifest
from auricle.data.wording import listed

_COMPARED_S = 10.0
_SLACK_S = 0.008


@dataclass(frozen=True)
class NearPair:
    """Two clips, by row, that are nearly the same sound; `lag_s` as in `Match`."""

    first: int
    second: int
    lag_s: float
    correlation: float


def exact_copies(measures: Measures) -> list[list[int]]:
    """Return the rows of clips whose decoded samples are equal; silence is not a sound."""
    heard = np.flatnonzero(measures.measured & (measures.records["peak"] >= SILENT_PEAK))
    content = measures.records["content"][heard]
    order = np.argsort(content, kind="stable")
    edges = np.flatnonzero(np.diff(content[order])) + 1
    return sorted(heard[rows].tolist() for rows in np.split(order, edges) if len(rows) > 1)


def same_sound(manifest: Manifest, copies: Iterable[list[int]]) -> Iterator[Finding]:
    """Yield what follows from exact copies."""
    for rows in copies:
        clips = [manifest.clips[row] for row in rows]
        paths = tuple(clip.path for clip in clips)
        detail = f"{len(clips)} clips are the same sound"
        yield Finding("duplicate", "warning", paths, detail, tuple(rows))
        yield from _contradictions(clips, rows, "the same sound")


def near_pairs(
    manifest: Manifest, measures: Measures, copies: Iterable[list[int]], workers: int | None
) -> list[NearPair]:
    """Find clips that are nearly the same sound, each pair confirmed by correlation."""
    landmarks, starts = _of_distinct(measures, copies)
    matches = (
        match
        for match in near_duplicates(landmarks, starts)
        if not _overlap(manifest.clips[match.first], manifest.clips[match.second])
    )

    def confirm(match: Match) -> float | None:
        return _confirmed(manifest, measures, match)

    return [
        NearPair(match.first, match.second, match.lag_s, value)
        for match, value in in_order(confirm, matches, workers)
        if value is not None
    ]


def nearly_same_sound(manifest: Manifest, pairs: list[NearPair]) -> Iterator[Finding]:
    """Yield what follows from near copies; those that hang together are one finding."""
    for rows, held in _clusters(pairs):
        clips = [manifest.clips[row] for row in rows]
        paths = tuple(clip.path for clip in clips)
        one_group = clips[0].group is not None and len({clip.group for clip in clips}) == 1
        detail = f"{len(clips)} clips are nearly the same sound ({_evidence(held)})"
        if one_group:
            detail += f", all of the group '{clips[0].group}'"
        severity = "note" if one_group else "warning"
        yield Finding("near_duplicate", severity, paths, detail, tuple(rows))
        yield from _contradictions(clips, rows, "nearly the same sound")


def _contradictions(clips: list[Clip], rows: list[int], what: str) -> Iterator[Finding]:
    """Yield the labels and the sides of a split that one sound must not have together."""
    paths = tuple(clip.path for clip in clips)
    labels = {tuple(sorted(clip.labels)) for clip in clips}
    if len(labels) > 1:
        texts = sorted("+".join(label) or "no label" for label in labels)
        detail = f"{what} is labelled {listed(texts)}"
        yield Finding("two_labels", "error", paths, detail, tuple(rows))
    sides = sides_of(clips)
    if len(sides) > 1:
        yield Finding("leak", "error", paths, f"{what} is in {listed(sides)}", tuple(rows))


def _evidence(pairs: list[NearPair]) -> str:
    values = [pair.correlation for pair in pairs]
    if len(pairs) > 1:
        return f"correlation {min(values):.2f} to {max(values):.2f}"
    lag_s = pairs[0].lag_s
    if abs(lag_s) < 0.01:
        return f"correlation {values[0]:.2f}"
    when = "earlier" if lag_s > 0 else "later"  # a clip that begins later has the sound earlier
    return f"correlation {values[0]:.2f}, {abs(lag_s):.2f} s {when} in the second"


def _of_distinct(
    measures: Measures, copies: Iterable[list[int]]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the landmarks without those of silence and of all copies but the first."""
    kept = measures.measured & (measures.records["peak"] >= SILENT_PEAK)
    for rows in copies:
        kept[rows[1:]] = False
    counts = np.diff(measures.starts)
    landmarks = measures.landmarks[np.repeat(kept, counts)]
    return landmarks, np.concatenate([[0], np.cumsum(counts * kept)])


def _overlap(first: Clip, second: Clip) -> bool:
    """Say whether two clips are of one file and share time, so that they must sound alike."""
    if first.path != second.path:
        return False
    ends = [np.inf if clip.offset_s is None else clip.offset_s for clip in (first, second)]
    return max(first.onset_s, second.onset_s) < min(ends)


def _confirmed(manifest: Manifest, measures: Measures, match: Match) -> float | None:
    """Decode what two clips share, up to ten seconds around where they agree, and correlate it.

    Returns None where they are not the same.
    """
    starts_s = (max(0.0, match.lag_s), max(0.0, -match.lag_s))
    rows = (match.first, match.second)
    durations_s = measures.records["duration_s"]
    shared_s = min(
        float(durations_s[row]) - start for row, start in zip(rows, starts_s, strict=True)
    )
    skipped_s = max(0.0, min(match.middle_s - _COMPARED_S / 2, shared_s - _COMPARED_S))
    try:
        sounds = [
            _stretch(manifest.clips[row], start + skipped_s, min(shared_s, _COMPARED_S))
            for row, start in zip(rows, starts_s, strict=True)
        ]
    except AuricleError:  # a file that went away or changed while the check ran
        return None
    value = correlation(sounds[0], sounds[1], 0, seconds_to_samples(_SLACK_S, RATE_HZ))
    return value if value >= required_correlation(sounds[0], sounds[1]) else None


def _stretch(clip: Clip, start_s: float, duration_s: float) -> FloatArray:
    return load(clip.path, RATE_HZ, offset_s=clip.onset_s + start_s, duration_s=duration_s).samples


def _clusters(pairs: list[NearPair]) -> Iterator[tuple[list[int], list[NearPair]]]:
    """Gather pairs that share clips; yield the rows, in order, and the pairs of each."""
    leader: dict[int, int] = {}

    def find(row: int) -> int:
        while (above := leader.setdefault(row, row)) != row:
            leader[row] = leader[above]
            row = above
        return row

    for pair in pairs:
        low, high = sorted((find(pair.first), find(pair.second)))
        leader[high] = low
    gathered: dict[int, list[NearPair]] = {}
    for pair in pairs:
        gathered.setdefault(find(pair.first), []).append(pair)
    for held in gathered.values():
        rows = sorted({row for pair in held for row in (pair.first, pair.second)})
        yield rows, held
