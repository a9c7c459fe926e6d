"""`check`: what is wrong with a data set, found before it costs a training run."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from auricle.audio import blocks, load, probe
from auricle.core.errors import AudioError, MissingExtra, TruncatedAudio
from auricle.core.types import Clip, FloatArray
from auricle.core.units import samples_to_seconds
from auricle.data.manifest import Manifest
from auricle.data.wording import case_twins, listed, plural

Severity: TypeAlias = Literal["error", "warning", "note"]
"""error: a clip cannot be used or a figure would be wrong; warning: look at it; note: know it."""

Kind: TypeAlias = Literal[
    "missing",
    "bad_row",
    "unreadable",
    "truncated",
    "empty",
    "silent",
    "clipped",
    "dc_offset",
    "length",
    "sample_rates",
    "channels",
    "duplicate",
    "two_labels",
    "leak",
    "imbalance",
    "single_clip",
    "label_twins",
]

SILENT_PEAK = 1e-4
"""Largest absolute sample of a silent clip: -80 dB relative to full scale."""
FULL_SCALE = 0.999
CLIPPED_SHARE = 1e-3
"""Share of samples at full scale from which a clip counts as clipped."""
DC_OFFSET = 0.02
LENGTH_RATIO = 4.0
"""How much longer or shorter than the median a clip may be."""
IMBALANCE = 10.0
"""How many times the clips of the smallest class the largest may have."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the files it concerns."""

    kind: Kind
    severity: Severity
    paths: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class Measure:
    """What was measured of one clip. `content` is a hash of its decoded samples and rate."""

    sample_rate: int
    channels: int
    duration_s: float
    peak: float
    mean: float
    full_scale_share: float
    content: str


@dataclass(frozen=True)
class CheckReport:
    """What `check` found. Durations in seconds, sample rates in Hz, counts of clips."""

    findings: tuple[Finding, ...]
    clips: int
    labels: dict[str, int]
    duration_s: float
    median_s: float
    sample_rates: dict[int, int]
    channels: dict[int, int]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are more than notes."""
        return tuple(finding for finding in self.findings if finding.severity != "note")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self)


def check(
    manifest: Manifest,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Decode every clip and report what is wrong with the data set.

    `workers` threads decode side by side (default: one per processor); `progress` is called
    with clips done and clips in all. Bad files become findings; nothing is raised for them.
    Groups and duplicates across splits are looked for where clips have a split, else across
    folds. Memory stays flat: files are decoded in blocks.
    """
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        results: list[Measure | Finding] = []
        for result in pool.map(_measure, manifest.clips):
            results.append(result)
            if progress is not None:
                progress(len(results), len(manifest.clips))
    measured = [
        (clip, result)
        for clip, result in zip(manifest.clips, results, strict=True)
        if isinstance(result, Measure)
    ]
    findings = [result for result in results if isinstance(result, Finding)]
    findings += [
        Finding("missing", "error", (path,), "the file does not exist") for path in manifest.missing
    ]
    findings += [Finding("bad_row", "error", (), line) for line in manifest.rejected]
    for look in (_levels, _lengths, _formats, _same_sound):
        findings += look(measured)
    findings += _group_leaks(manifest)
    findings += _classes(manifest)
    durations = [measure.duration_s for _, measure in measured]
    return CheckReport(
        findings=tuple(
            sorted(findings, key=lambda one: (_RANK[one.severity], one.kind, one.paths))
        ),
        clips=len(manifest.clips),
        labels={label: sum(by.values()) for label, by in manifest.counts().items()},
        duration_s=float(sum(durations)),
        median_s=float(np.median(durations)) if durations else 0.0,
        sample_rates=_tally(measure.sample_rate for _, measure in measured),
        channels=_tally(measure.channels for _, measure in measured),
    )


_RANK = {"error": 0, "warning": 1, "note": 2}
_Measured: TypeAlias = list[tuple[Clip, Measure]]


def _tally(values: Iterator[int]) -> dict[int, int]:
    return dict(Counter(values).most_common())


def _measure(clip: Clip) -> Measure | Finding:
    try:
        if os.path.getsize(clip.path) == 0:
            return Finding("empty", "error", (clip.path,), "the file has no bytes")
        info = probe(clip.path)
        if info.frames == 0:
            return Finding("empty", "error", (clip.path,), "the file has no samples")
        pieces = _pieces(clip)
        return _sum_up(pieces, info.sample_rate, info.channels)
    except TruncatedAudio as error:
        return Finding("truncated", "error", (clip.path,), str(error))
    except (AudioError, MissingExtra) as error:
        return Finding("unreadable", "error", (clip.path,), str(error))
    except OSError as error:
        return Finding("unreadable", "error", (clip.path,), error.strerror or str(error))


def _pieces(clip: Clip) -> Iterator[FloatArray]:
    if clip.onset_s == 0 and clip.offset_s is None:
        yield from blocks(clip.path)
    else:
        duration_s = None if clip.offset_s is None else clip.offset_s - clip.onset_s
        yield load(clip.path, offset_s=clip.onset_s, duration_s=duration_s).samples


def _sum_up(pieces: Iterator[FloatArray], sample_rate: int, channels: int) -> Measure:
    digest = hashlib.blake2b(str(sample_rate).encode(), digest_size=16)
    count = loud = 0
    total = peak = 0.0
    for piece in pieces:
        size = np.abs(piece)
        count += len(piece)
        total += float(np.sum(piece, dtype=np.float64))
        peak = max(peak, float(size.max(initial=0.0)))
        loud += int(np.count_nonzero(size >= FULL_SCALE))
        digest.update(np.ascontiguousarray(piece).data)
    return Measure(
        sample_rate=sample_rate,
        channels=channels,
        duration_s=samples_to_seconds(count, sample_rate),
        peak=peak,
        mean=total / max(count, 1),
        full_scale_share=loud / max(count, 1),
        content=digest.hexdigest(),
    )


def _levels(measured: _Measured) -> Iterator[Finding]:
    for clip, measure in measured:
        paths = (clip.path,)
        if measure.peak < SILENT_PEAK:
            yield Finding("silent", "warning", paths, f"no sample is above {SILENT_PEAK:g}")
            continue
        if measure.full_scale_share >= CLIPPED_SHARE:
            share = f"{measure.full_scale_share:.1%} of the samples are at full scale"
            yield Finding("clipped", "warning", paths, share)
        if abs(measure.mean) > DC_OFFSET:
            yield Finding("dc_offset", "warning", paths, f"the mean is {measure.mean:+.3f}")


def _lengths(measured: _Measured) -> Iterator[Finding]:
    if not measured:
        return
    median_s = float(np.median([measure.duration_s for _, measure in measured]))
    for clip, measure in measured:
        if not median_s / LENGTH_RATIO <= measure.duration_s <= median_s * LENGTH_RATIO:
            detail = f"{measure.duration_s:.2f} s, where the median is {median_s:.2f} s"
            yield Finding("length", "note", (clip.path,), detail)


def _formats(measured: _Measured) -> Iterator[Finding]:
    kinds: tuple[tuple[Kind, str, Callable[[Measure], int]], ...] = (
        ("sample_rates", "Hz", lambda measure: measure.sample_rate),
        ("channels", "channels", lambda measure: measure.channels),
    )
    for kind, unit, of in kinds:
        tally = Counter(of(measure) for _, measure in measured)
        if len(tally) > 1:
            usual = tally.most_common(1)[0][0]
            others = tuple(clip.path for clip, measure in measured if of(measure) != usual)
            text = ", ".join(f"{value} {unit} ({count})" for value, count in tally.most_common())
            yield Finding(kind, "note", others, f"mixed: {text}")


def _same_sound(measured: _Measured) -> Iterator[Finding]:
    """Find clips whose decoded samples are equal bit for bit; silence is not a sound."""
    alike: dict[str, list[Clip]] = defaultdict(list)
    for clip, measure in measured:
        if measure.peak >= SILENT_PEAK:
            alike[measure.content].append(clip)
    for clips in alike.values():
        if len(clips) < 2:
            continue
        paths = tuple(clip.path for clip in clips)
        yield Finding("duplicate", "warning", paths, f"{len(clips)} clips are the same sound")
        labels = {tuple(sorted(clip.labels)) for clip in clips}
        if len(labels) > 1:
            texts = sorted("+".join(label) or "no label" for label in labels)
            yield Finding(
                "two_labels", "error", paths, f"the same sound is labelled {listed(texts)}"
            )
        sides = {side for clip in clips if (side := _side(clip))}
        if len(sides) > 1:
            yield Finding("leak", "error", paths, f"the same sound is in {listed(sorted(sides))}")


def _side(clip: Clip) -> str | None:
    return clip.split or (f"fold {clip.fold}" if clip.fold else None)


def _group_leaks(manifest: Manifest) -> Iterator[Finding]:
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in manifest.clips:
        if clip.group is not None:
            groups[clip.group].append(clip)
    for name, clips in groups.items():
        sides = {side for clip in clips if (side := _side(clip))}
        if len(sides) > 1:
            paths = tuple(clip.path for clip in clips)
            detail = f"the group '{name}' is in {listed(sorted(sides))}"
            yield Finding("leak", "error", paths, detail)


def _classes(manifest: Manifest) -> Iterator[Finding]:
    counts = {label: sum(by.values()) for label, by in manifest.counts().items()}
    for label, count in counts.items():
        if count == 1:
            paths = tuple(clip.path for clip in manifest.clips if label in clip.labels)
            yield Finding("single_clip", "warning", paths, f"the class '{label}' has one clip")
    if counts and max(counts.values()) >= IMBALANCE * min(counts.values()):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        detail = (
            f"'{most}' has {plural(counts[most], 'clip')}, '{least}' {counts[least]:,}: judge by "
            "balanced accuracy"
        )
        yield Finding("imbalance", "note", (), detail)
    for note in case_twins(manifest.labels):
        yield Finding("label_twins", "warning", (), note)
