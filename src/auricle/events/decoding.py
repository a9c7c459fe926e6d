"""Frame probabilities to events.

The rule, for each label on its own and in whole frames:

1. A frame is active where its probability is at least the label's threshold.
2. A maximal run of active frames `i ... j-1` lasts from `i` to `j` frame periods.
3. Runs whose gap is shorter than the minimum gap are joined; an equal gap is kept.
4. Then events that are not longer than the minimum length are dropped.

The limits are converted to frames once and rounded to nine decimals, because a comparison in
seconds goes either way by position: `0.8 - 0.7 > 0.1` but `0.3 - 0.2 < 0.1`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from auricle.core.errors import ConfigError, DataError, unknown_name
from auricle.core.types import Event, Label

EVENT_COLUMNS = ("filename", "onset", "offset", "event_label", "score")
"""The columns of a table of events; times are in seconds."""

_DECIMALS = 9

_Runs: TypeAlias = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]


def decode_events(
    frame_probabilities: npt.ArrayLike,
    labels: Sequence[Label],
    frame_period_s: float,
    *,
    thresholds: Mapping[Label, float] | float = 0.5,
    min_gap_s: float | None = 0.0,
    min_length_s: float | None = 0.0,
    clip_end_s: float | None = None,
    filename: str | None = None,
) -> list[Event]:
    """Return the events in `frame_probabilities` `(frames, labels)`, sorted by onset.

    `frame_period_s` is the time between frames. A label that a mapping of `thresholds` leaves
    out has 0.5. A limit of None or 0 is no limit. The offset of an event that reaches beyond
    `clip_end_s` is cut there, after the limits were applied: the last frame of a clip may end
    one period after it. Times are rounded to a nanosecond, so that 69 frames of 10 ms are
    0.69 s. The score is the highest probability among the event's frames, so it is never below
    the threshold, and joining runs never lowers it.

    Raises `DataError` for a wrong shape or a NaN, `ConfigError` for a limit that is negative or
    a threshold of an unknown label.
    """
    probabilities = _checked_probabilities(frame_probabilities, labels)
    if not frame_period_s > 0:
        raise ConfigError(f"the frame period must be above 0 s, got {frame_period_s}")
    min_gap_frames = _limit_frames("minimum gap", min_gap_s, frame_period_s)
    min_length_frames = _limit_frames("minimum length", min_length_s, frame_period_s)

    # Thresholds take the probabilities' type: float32 0.7 is as large as a threshold of 0.7.
    active = probabilities >= _threshold_row(thresholds, labels).astype(probabilities.dtype)
    classes, starts, ends = _joined(_active_runs(active), min_gap_frames)
    long_enough = ends - starts > min_length_frames
    classes, starts, ends = classes[long_enough], starts[long_enough], ends[long_enough]

    scores = _peaks(probabilities, classes, starts, ends)
    order = np.lexsort((classes, starts))
    classes, starts, ends, scores = classes[order], starts[order], ends[order], scores[order]
    onsets_s = np.round(starts * frame_period_s, _DECIMALS)
    offsets_s = np.round(ends * frame_period_s, _DECIMALS)
    names = [labels[int(index)] for index in classes]
    if clip_end_s is not None:
        offsets_s = np.minimum(offsets_s, clip_end_s)
    return [
        Event(onset_s, offset_s, name, score, filename)
        for onset_s, offset_s, name, score in zip(
            onsets_s.tolist(), offsets_s.tolist(), names, scores.tolist(), strict=True
        )
        if onset_s < offset_s
    ]


def event_rows(
    events: Iterable[Event],
) -> Iterator[tuple[str | None, float, float, Label, float | None]]:
    """Return the events as rows of `EVENT_COLUMNS`."""
    return (
        (event.filename, event.onset_s, event.offset_s, event.label, event.score)
        for event in events
    )


def _checked_probabilities(values: npt.ArrayLike, labels: Sequence[Label]) -> npt.NDArray[Any]:
    probabilities = np.asarray(values)
    if not np.issubdtype(probabilities.dtype, np.floating):
        probabilities = probabilities.astype(np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        raise DataError(
            f"frame probabilities must have the shape (frames, {len(labels)}), "
            f"one column for each label, got {probabilities.shape}"
        )
    if np.isnan(probabilities).any():
        raise DataError("frame probabilities must be numbers, got NaN; check the sound for NaN")
    return probabilities


def _limit_frames(name: str, limit_s: float | None, frame_period_s: float) -> float:
    if limit_s is None:
        return 0.0
    if not limit_s >= 0:
        raise ConfigError(f"the {name} of events must be 0 s (no limit) or more, got {limit_s}")
    return round(limit_s / frame_period_s, _DECIMALS)


def _threshold_row(
    thresholds: Mapping[Label, float] | float, labels: Sequence[Label]
) -> npt.NDArray[np.float64]:
    if not isinstance(thresholds, Mapping):
        return np.full(len(labels), thresholds, np.float64)
    for label in thresholds:
        if label not in labels:
            raise unknown_name("label with a threshold", label, labels)
    return np.array([thresholds.get(label, 0.5) for label in labels], np.float64)


def _active_runs(active: npt.NDArray[np.bool_]) -> _Runs:
    frames, labels = active.shape
    # One silent frame on each side turns every run into a pair of changes.
    padded = np.zeros((labels, frames + 2), np.bool_)
    padded[:, 1:-1] = active.T
    classes, changes = np.nonzero(padded[:, 1:] != padded[:, :-1])
    return classes[::2], changes[::2], changes[1::2]


def _joined(runs: _Runs, min_gap_frames: float) -> _Runs:
    classes, starts, ends = runs
    apart = (classes[1:] != classes[:-1]) | (starts[1:] - ends[:-1] >= min_gap_frames)
    first = np.concatenate([np.ones(min(len(starts), 1), np.bool_), apart])
    last = np.concatenate([apart, np.ones(min(len(ends), 1), np.bool_)])
    return classes[first], starts[first], ends[last]


def _peaks(
    probabilities: npt.NDArray[Any],
    classes: npt.NDArray[np.intp],
    starts: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
) -> npt.NDArray[Any]:
    frames = len(probabilities)
    # `reduceat` reduces from each index to the next, so every second result is an event's peak.
    # The events come label by label, which makes it one pass over the values; the value added
    # at the end lets an index point one past the last frame.
    flat = np.append(probabilities.T.reshape(-1), 0).astype(probabilities.dtype, copy=False)
    spans = np.stack([classes * frames + starts, classes * frames + ends], axis=1).reshape(-1)
    return np.maximum.reduceat(flat, spans)[::2] if len(spans) else flat[:0]
