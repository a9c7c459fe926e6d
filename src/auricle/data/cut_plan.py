"""Which clips are cut out of recordings, and what their labels are: decided before any sound.

All positions are samples of the clips' rate, so that what is planned is cut exactly.
"""

import math
import os
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

import numpy as np

from auricle.audio.encoding import SoundFormat
from auricle.core.errors import ConfigError
from auricle.core.types import Label
from auricle.core.units import seconds_to_samples
from auricle.data.manifest import Manifest

Layout = Literal["auto", "folders", "flat"]
Ends = Literal["shift", "drop", "keep"]

MOST_STEM_BYTES = 150
"""Of the name of a recording in those of its clips, which file systems allow 255 bytes."""


@dataclass(frozen=True)
class CutOptions:
    """How recordings are cut.

    With `length_s` into windows of that many seconds every `hop_s` (default: `length_s`), which
    have the labels of the events that lie in them with at least `min_share`: the time inside over
    the length of the event, or of the window where that is shorter. Without it into one clip per
    event, with `margin_s` on both sides.

    `ends` says what becomes of the sound behind the last whole window: it is moved back to end
    with the recording ("shift"), left out ("drop"), or made a shorter clip ("keep"). `background`
    is the label of clips in which no event sounds, at most `background_count` of a recording
    (default: as many as it has clips with events, at least 1), of `background_length_s` (windows
    have `length_s`; default: the median of the events' clips). `keep_empty` keeps windows without
    events as clips without a label. With `strong` the manifest has a row per event, of whatever
    share, with times from the start of its clip.

    `layout`: a folder per class, or one folder for all; "auto" takes folders where no clip has
    two labels. `form`, `bits` and `sample_rate` (Hz, None: the recording's) are those of the clips.
    """

    length_s: float | None = None
    hop_s: float | None = None
    margin_s: float = 0.0
    min_share: float = 0.5
    ends: Ends = "shift"
    background: Label | None = None
    background_count: int | None = None
    background_length_s: float | None = None
    keep_empty: bool = False
    strong: bool = False
    layout: Layout = "auto"
    form: SoundFormat = "flac"
    bits: Literal[16, 24] = 16
    sample_rate: int | None = None

    def __post_init__(self) -> None:
        for name in ("length_s", "hop_s", "background_length_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be above 0 seconds, got {value:g}")
        if not (math.isfinite(self.margin_s) and self.margin_s >= 0):
            raise ConfigError(f"margin_s must be at least 0 seconds, got {self.margin_s:g}")
        if not 0 < self.min_share <= 1:
            raise ConfigError(f"min_share must be above 0 and at most 1, got {self.min_share:g}")
        if self.background_count is not None and self.background_count < 0:
            raise ConfigError(f"background_count must be at least 0, got {self.background_count}")
        if self.sample_rate is not None and self.sample_rate <= 0:
            raise ConfigError(f"sample_rate must be above 0 Hz, got {self.sample_rate}")
        if self.length_s is None and self.hop_s is not None:
            raise ConfigError("hop_s is the step between windows: give length_s, their length, too")
        if self.length_s is not None and (self.margin_s or self.background_length_s):
            raise ConfigError(
                "margin_s and background_length_s are for one clip per event: leave length_s out"
            )
        if self.length_s is None and self.keep_empty:
            raise ConfigError("keep_empty is about windows: give length_s, their length")
        if self.background is not None and self.keep_empty:
            raise ConfigError(
                "clips without events either get the label of the background or none: give "
                "background or keep_empty"
            )
        if self.layout == "folders" and (self.keep_empty or self.strong):
            raise ConfigError(
                "a folder per class holds clips with one label each: for clips without a label, "
                "or labels with times, use layout flat"
            )


@dataclass(frozen=True, order=True)
class Span:
    """An event in seconds; the end None is that of the recording."""

    onset_s: float
    offset_s: float | None = field(compare=False)
    labels: tuple[Label, ...] = field(compare=False)


@dataclass
class Recording:
    """A recording with its events. `name` is its own among all, and fit for the name of a file.

    `split`, `fold` and `group` are those of its rows, where they agree.
    """

    path: str
    name: str = ""
    spans: list[Span] = field(default_factory=list)
    split: str | None = None
    fold: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Cut:
    """A clip to be cut: samples `start` to `end`, with its labels.

    `events` are onset and offset in samples from the start of the clip, and the label. `background`
    says that the label is that of the background.
    """

    start: int
    end: int
    labels: tuple[Label, ...]
    events: tuple[tuple[int, int, Label], ...] = ()
    background: bool = False


def recordings_of(manifest: Manifest) -> list[Recording]:
    """Gather the rows of a manifest by recording, in the order in which they come."""
    found: dict[str, Recording] = {}
    mixed: set[tuple[str, str]] = set()
    for clip in manifest.clips:
        recording = found.get(clip.path)
        if recording is None:
            recording = found[clip.path] = Recording(
                clip.path, split=clip.split, fold=clip.fold, group=clip.group
            )
        for name in ("split", "fold", "group"):
            if getattr(recording, name) != getattr(clip, name):
                mixed.add((clip.path, name))
        if clip.labels:
            recording.spans.append(Span(clip.onset_s, clip.offset_s, clip.labels))
    for path, name in mixed:
        setattr(found[path], name, None)
    recordings = list(found.values())
    _name_all(recordings)
    return recordings


def _name_all(recordings: Sequence[Recording]) -> None:
    stems = [_fit_for_file(os.path.basename(recording.path)) for recording in recordings]
    counts = Counter(stem.casefold() for stem in stems)
    for recording, stem in zip(recordings, stems, strict=True):
        if counts[stem.casefold()] > 1:  # recordings of several folders may have one name
            stem += f"-{blake2b(os.fsencode(recording.path), digest_size=4).hexdigest()}"
        recording.name = stem


def _fit_for_file(name: str) -> str:
    """Return a name without its suffix and without what file systems or tables stumble over."""
    stem = re.sub(r"[^\w.+@-]+", "_", os.path.splitext(name)[0])
    short = stem.encode(errors="replace")[:MOST_STEM_BYTES].decode(errors="ignore")
    return short.strip("._") or "recording"


def plan_recording(
    recording: Recording,
    total: int,
    sample_rate: int,
    options: CutOptions,
    background_s: float,
    *,
    one_label: bool,
) -> tuple[list[Cut], list[str]]:
    """Plan the cuts of a recording of `total` samples, in order; and a line per event past its end.

    `background_s` is how long clips of the background are beside clips of events. With
    `one_label` a clip around an event has the label of that event alone, else of all that count.
    """
    events, late = _in_samples(recording, total, sample_rate)
    if options.length_s is None:
        margin = seconds_to_samples(options.margin_s, sample_rate)
        length = max(1, seconds_to_samples(background_s, sample_rate))
        cuts = list(_around_events(events, total, margin, options, one_label=one_label))
        free = _tiles(_gaps(events, total, margin), length)
    else:
        spans = _windows(total, sample_rate, options)
        cuts, free = [], []
        for start, end, inside in _touching(events, spans):
            labels = _labels_inside(inside, start, end, options)
            if labels or (not inside and options.keep_empty):
                cuts.append(_cut(start, end, labels, inside))
            elif not inside:
                free.append((start, end))
    if options.background is not None:
        label = (options.background,)
        most = options.background_count
        most = max(1, len(cuts)) if most is None else most
        cuts += [
            Cut(start, end, label, ((0, end - start, label[0]),), background=True)
            for start, end in _spread(free, most)
        ]
    return sorted(set(cuts), key=lambda cut: (cut.start, cut.end, cut.labels)), late


_Event = tuple[int, int, tuple[Label, ...]]


def _in_samples(
    recording: Recording, total: int, sample_rate: int
) -> tuple[list[_Event], list[str]]:
    events: list[_Event] = []
    late: list[str] = []
    for span in sorted(recording.spans):
        onset = seconds_to_samples(span.onset_s, sample_rate)
        offset = total
        if span.offset_s is not None:
            offset = min(total, seconds_to_samples(span.offset_s, sample_rate))
        if onset >= total:
            late.append(
                f"{recording.path}: '{', '.join(span.labels)}' at {span.onset_s:g} s lies past the "
                f"end ({total / sample_rate:.3f} s)"
            )
        else:  # an event of no length is one sample
            events.append((onset, max(offset, onset + 1), span.labels))
    return events, late


def _windows(total: int, sample_rate: int, options: CutOptions) -> Iterator[tuple[int, int]]:
    """Yield the windows of a recording."""
    length = max(1, seconds_to_samples(options.length_s or 0, sample_rate))
    hop = length
    if options.hop_s is not None:
        hop = max(1, seconds_to_samples(options.hop_s, sample_rate))
    start = 0
    while start + length <= total:
        yield start, start + length
        start += hop
    covered = start - hop + length if start else 0
    if covered >= total or options.ends == "drop":
        return
    if options.ends == "shift":
        yield max(0, total - length), total
    elif start < total:
        yield start, total


def _touching(
    events: Sequence[_Event], spans: Iterator[tuple[int, int]]
) -> Iterator[tuple[int, int, list[_Event]]]:
    """Yield each span, whose starts rise, with the events that it overlaps."""
    active: list[_Event] = []
    following = 0
    for start, end in spans:
        while following < len(events) and events[following][0] < end:
            active.append(events[following])
            following += 1
        active = [event for event in active if event[1] > start]
        yield start, end, list(active)


def _labels_inside(
    inside: Sequence[_Event], start: int, end: int, options: CutOptions
) -> tuple[Label, ...]:
    """Return the labels of a window; with strong labels every event counts, since it has times."""
    labels: set[Label] = set()
    for onset, offset, names in inside:
        overlap = min(end, offset) - max(start, onset)
        # The slack is for shares such as 0.1, which no binary number is.
        least = options.min_share * min(offset - onset, end - start) - 1e-6
        if options.strong or overlap >= least:
            labels.update(names)
    return tuple(sorted(labels))


def _cut(start: int, end: int, labels: tuple[Label, ...], inside: Sequence[_Event]) -> Cut:
    events = tuple(
        (max(onset, start) - start, min(offset, end) - start, name)
        for onset, offset, names in inside
        for name in names
    )
    return Cut(start, end, labels, events)


def _around_events(
    events: Sequence[_Event], total: int, margin: int, options: CutOptions, *, one_label: bool
) -> Iterator[Cut]:
    """Yield a clip per event, or one per stretch that events share."""
    around = [
        (max(0, onset - margin), min(total, offset + margin), names)
        for onset, offset, names in events
    ]
    if one_label:
        for start, end, names in around:
            yield from (Cut(start, end, (name,)) for name in names)
        return
    stretches = sorted({(start, end) for start, end, _ in around})
    ends = np.maximum.accumulate([offset for _, offset, _ in events]) if events else np.empty(0)
    for start, end in stretches:
        # No event before the first whose end, or that of one before it, reaches in.
        first = int(np.searchsorted(ends, start, side="right"))
        behind = bisect_left(events, end, key=lambda event: event[0])
        inside = [event for event in events[first:behind] if event[1] > start]
        yield _cut(start, end, _labels_inside(inside, start, end, options), inside)


def _gaps(events: Sequence[_Event], total: int, margin: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches that are farther than the margin from every event."""
    free_from = 0
    for onset, offset, _ in events:
        if onset - margin > free_from:
            yield free_from, onset - margin
        free_from = max(free_from, offset + margin)
    if free_from < total:
        yield free_from, total


def _tiles(gaps: Iterator[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    return [
        (start, start + length)
        for begin, end in gaps
        for start in range(begin, end - length + 1, length)
    ]


def _spread(spans: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Return at most so many of the spans, evenly spread over them."""
    if len(spans) <= most:
        return list(spans)
    return [spans[(2 * index + 1) * len(spans) // (2 * most)] for index in range(most)]
