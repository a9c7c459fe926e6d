"""What is odd about single clips, and about the table of labels."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from auricle.audio.level import CLIPPED_SHARE, SILENT_PEAK
from auricle.core.types import Clip
from auricle.data.check.measuring import Measures
from auricle.data.check.report import Finding, Kind
from auricle.data.manifest import Manifest
from auricle.data.wording import case_twins, listed, plural

DC_OFFSET = 0.02
LENGTH_RATIO = 4.0
"""How much longer or shorter than the median a clip may be."""
IMBALANCE = 10.0
"""How many times the clips of the smallest class the largest may have."""


def unusable(manifest: Manifest) -> Iterator[Finding]:
    """Yield the rows that the reader could not use."""
    for path in manifest.missing:
        yield Finding("missing", "error", (path,), "the file does not exist")
    for line in manifest.rejected:
        yield Finding("bad_row", "error", (), line)


def levels(manifest: Manifest, measures: Measures) -> Iterator[Finding]:
    """Yield clips that are silent, clipped or off zero."""
    records = measures.records
    silent = measures.measured & (records["peak"] < SILENT_PEAK)
    clipped = ~silent & (records["full_scale_share"] >= CLIPPED_SHARE)
    off_zero = ~silent & (np.abs(records["mean"]) > DC_OFFSET)
    for row in np.flatnonzero(silent | clipped | off_zero).tolist():
        path, record = (manifest.clips[row].path,), records[row]
        if silent[row]:
            detail = f"no sample is above {SILENT_PEAK:g}"
            yield Finding("silent", "warning", path, detail, (row,))
        if clipped[row]:
            detail = f"{record['full_scale_share']:.1%} of the samples are at full scale"
            yield Finding("clipped", "warning", path, detail, (row,))
        if off_zero[row]:
            detail = f"the mean is {record['mean']:+.3f}"
            yield Finding("dc_offset", "warning", path, detail, (row,))


def lengths(manifest: Manifest, measures: Measures) -> Iterator[Finding]:
    """Yield clips much longer or shorter than the median."""
    if not measures.measured.any():
        return
    durations_s = measures.records["duration_s"]
    median_s = float(np.median(durations_s[measures.measured]))
    odd = (durations_s < median_s / LENGTH_RATIO) | (durations_s > median_s * LENGTH_RATIO)
    for row in np.flatnonzero(odd & measures.measured).tolist():
        detail = f"{durations_s[row]:.2f} s, where the median is {median_s:.2f} s"
        yield Finding("length", "note", (manifest.clips[row].path,), detail, (row,))


def formats(manifest: Manifest, measures: Measures) -> Iterator[Finding]:
    """Yield the clips whose sample rate or number of channels is not that of most."""
    kinds: tuple[tuple[Kind, str, str], ...] = (
        ("sample_rates", "Hz", "sample_rate"),
        ("channels", "channels", "channels"),
    )
    for kind, unit, column in kinds:
        counted = tally(measures.column(column))
        if len(counted) > 1:
            values = measures.records[column]
            rows = np.flatnonzero(measures.measured & (values != next(iter(counted)))).tolist()
            text = ", ".join(f"{value} {unit} ({count})" for value, count in counted.items())
            paths = tuple(manifest.clips[row].path for row in rows)
            yield Finding(kind, "note", paths, f"mixed: {text}", tuple(rows))


def tally(values: npt.NDArray[np.integer]) -> dict[int, int]:
    """Count values, the most common first."""
    found, counts = np.unique(values, return_counts=True)
    return dict(Counter(dict(zip(found.tolist(), counts.tolist(), strict=True))).most_common())


def side_of(clip: Clip) -> str | None:
    """Return the side of a split that a clip is on, else its fold."""
    return clip.split or (f"fold {clip.fold}" if clip.fold else None)


def group_leaks(manifest: Manifest) -> Iterator[Finding]:
    """Yield groups with clips on several sides."""
    first: dict[str, str] = {}
    torn: dict[str, list[int]] = {}
    for clip in manifest.clips:
        side = side_of(clip)
        if clip.group is not None and side and first.setdefault(clip.group, side) != side:
            torn.setdefault(clip.group, [])
    if not torn:
        return
    for row, clip in enumerate(manifest.clips):
        if clip.group in torn:
            torn[clip.group].append(row)
    for name, rows in torn.items():
        clips = [manifest.clips[row] for row in rows]
        detail = f"the group '{name}' is in {listed(sides_of(clips))}"
        yield Finding("leak", "error", tuple(clip.path for clip in clips), detail, tuple(rows))


def sides_of(clips: Iterable[Clip]) -> list[str]:
    """Return the sides that clips are on, sorted."""
    return sorted({side for clip in clips if (side := side_of(clip))})


def classes(manifest: Manifest) -> Iterator[Finding]:
    """Yield classes with one clip, very uneven ones, and labels that differ in case or blanks."""
    counts = {label: sum(by.values()) for label, by in manifest.counts().items()}
    single = {label for label, count in counts.items() if count == 1}
    for row, clip in enumerate(manifest.clips) if single else ():
        for label in single.intersection(clip.labels):
            detail = f"the class '{label}' has one clip"
            yield Finding("single_clip", "warning", (clip.path,), detail, (row,))
    if counts and max(counts.values()) >= IMBALANCE * min(counts.values()):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        detail = (
            f"'{most}' has {plural(counts[most], 'clip')}, '{least}' {counts[least]:,}: judge by "
            "balanced accuracy"
        )
        yield Finding("imbalance", "note", (), detail)
    for note in case_twins(manifest.labels):
        yield Finding("label_twins", "warning", (), note)
