"""A fingerprint that knows a sound again after re-encoding, a change of level, a shift or noise.

The fingerprint of a sound is its constellation: the times and frequencies of the strongest local
peaks of a spectrogram, about 30 a second, four bytes each. A peak of a narrow bin stands above
noise that covers the sum, keeps its place through a codec, has no level, and moves in time with
the sound. Zero padding has no peaks. Reference: Wang, "An Industrial-Strength Audio Search
Algorithm", ISMIR 2003. Unlike there, places in time are interpolated to a quarter of a hop, so that
a shift by part of a hop does no harm.

What it does not know again: sound played faster, slower or at another pitch, and the same event
recorded by another microphone.
"""

import numpy as np
import numpy.typing as npt

from auricle.audio.resampling import Resampler
from auricle.core.types import FloatArray

Landmarks = npt.NDArray[np.uint32]
"""Peaks in order of time: `time << FREQUENCY_BITS | bin`, time in `STEP_S`, bins of 15.6 Hz."""

RATE_HZ = 16000
FREQUENCY_BITS = 9
STEPS_PER_HOP = 4

_WINDOW = 1024
HOP_SAMPLES = 256
STEP_S = HOP_SAMPLES / STEPS_PER_HOP / RATE_HZ
"""The unit of a landmark's time, 4 ms."""

_LOWEST_BIN = 4  # below about 60 Hz stand hum, wind and offsets
_BINS = 512
_NEAR = (8, 5)
"""A peak is the largest value within this many bins and frames on every side..."""
_NEAR_IF_SHORT = (4, 3)
_SHORT_FRAMES = 94
"""... or within so many where less than 1.5 s sound, which would have too few: these peaks hold
those that the sound would have as part of a longer one."""

_STRETCH_FRAMES = 31  # half a second
_PEAKS_PER_STRETCH = 12
_PEAKS_OF_ALL = 8
_LEAST_PEAKS = 64
"""The strongest this many of every stretch are kept, and of all: 8 times the stretches, or 64."""

_DEEPEST = 70 / 10 * float(np.log(10))  # dB below the loudest, as natural log of power
_FAINTEST = -16.0  # natural log of power; a sine of full scale has 11, so this is -117 dB
_SEGMENT_FRAMES = 2048  # 33 s are worked on at a time
_MOST_STEPS = 1 << (32 - FREQUENCY_BITS)  # 9.3 hours; what comes later has no landmarks


class Fingerprinter:
    """Takes a sound in pieces of any length and returns its landmarks, in bounded memory."""

    def __init__(self, sample_rate: int) -> None:
        self._resampler = Resampler(sample_rate, RATE_HZ)
        self._pending: list[FloatArray] = []
        self._pending_samples = 0
        self._first_frame = 0  # where the pending samples begin
        self._lead = 0  # frames at their start that only serve as neighbours
        self._found: list[Landmarks] = []

    def add(self, samples: FloatArray) -> None:
        """Take the next float32 samples `(time,)` at the sound's own rate."""
        self._append(self._resampler(samples))
        wanted = (self._lead + _SEGMENT_FRAMES + _NEAR[1]) * HOP_SAMPLES + _WINDOW
        while self._pending_samples >= wanted:
            self._segment(_SEGMENT_FRAMES)

    def finish(self) -> Landmarks:
        """Return the landmarks of all that was added."""
        self._append(self._resampler.rest())
        short = _WINDOW - self._pending_samples
        if not self._first_frame and short > 0:
            self._append(np.zeros(short, np.float32))
        self._segment(None)
        return np.concatenate(self._found)

    def _append(self, samples: FloatArray) -> None:
        self._pending.append(samples)
        self._pending_samples += len(samples)

    def _segment(self, frames: int | None) -> None:
        """Find the peaks of the next `frames` (None: all), and keep what their successors need."""
        samples = np.concatenate(self._pending)
        end = None if frames is None else self._lead + frames
        if len(samples) >= _WINDOW:
            stop = None if end is None else (end + _NEAR[1] - 1) * HOP_SAMPLES + _WINDOW
            level = _log_power(samples[:stop])
            whole = frames is None and not self._first_frame
            short = whole and _sounding_frames(level) < _SHORT_FRAMES
            found = _peaks(level, self._lead, end, _NEAR_IF_SHORT if short else _NEAR)
            found[0] += self._first_frame * STEPS_PER_HOP
            self._found.append(_pack(*found))
        else:
            self._found.append(np.empty(0, np.uint32))
        if end is not None:
            rest = samples[(end - _NEAR[1]) * HOP_SAMPLES :]
            self._pending, self._pending_samples = [rest], len(rest)
            self._first_frame += end - _NEAR[1]
            self._lead = _NEAR[1]


def fingerprint(samples: FloatArray, sample_rate: int) -> Landmarks:
    """Return the landmarks of float32 samples `(time,)` at `sample_rate` (Hz)."""
    whole = Fingerprinter(sample_rate)
    whole.add(samples)
    return whole.finish()


def times_and_bins(landmarks: Landmarks) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split landmarks into times (in `STEP_S`) and frequency bins."""
    wide = landmarks.astype(np.int64)
    return wide >> FREQUENCY_BITS, wide & (_BINS - 1)


def _pack(steps: npt.NDArray[np.int64], bins: npt.NDArray[np.int64]) -> Landmarks:
    kept = (steps >= 0) & (steps < _MOST_STEPS)
    packed = (steps[kept] << FREQUENCY_BITS | bins[kept]).astype(np.uint32)
    packed.sort()
    return packed


_HANN: FloatArray = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


def _log_power(samples: FloatArray) -> FloatArray:
    """Return the natural log of power `(frames, bins)`."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(frames * _HANN, axis=1)[:, :_BINS]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.log(np.maximum(power, np.float32(1e-10)))


def _floor(level: FloatArray) -> float:
    """Return the level below which nothing counts as sound."""
    return max(float(level.max()) - _DEEPEST, _FAINTEST)


def _sounding_frames(level: FloatArray) -> int:
    """Count the frames with sound: what was padded with silence is as short as it was."""
    level = level[:, _LOWEST_BIN:]
    return int(np.count_nonzero(level.max(axis=1) > _floor(level)))


def _peaks(
    level: FloatArray, first: int, end: int | None, near: tuple[int, int]
) -> list[npt.NDArray[np.int64]]:
    """Return times (in steps) and bins of the peaks among the frames `first` to `end`."""
    level = level[:, _LOWEST_BIN:]
    floor = _floor(level)
    summit = _running_max(_running_max(level, near[0], 1), near[1], 0)
    is_peak = (level == summit) & (level > floor)
    is_peak[:, [0, -1]] = False  # the edge of the spectrum is no summit
    is_peak[:first] = False
    if end is not None:
        is_peak[end:] = False
    frames, bins = np.nonzero(is_peak)
    chosen = _strongest(level[frames, bins], frames // _STRETCH_FRAMES)
    frames, bins = frames[chosen], bins[chosen]
    steps = np.rint((frames + _between(level, frames, bins)) * STEPS_PER_HOP)
    return [steps.astype(np.int64), bins + _LOWEST_BIN]


def _strongest(level: FloatArray, stretch: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Choose the strongest peaks of every stretch, and the strongest of all stretches.

    The first keep quiet parts from being forgotten, the others give a short sound in silence as
    many peaks as it has, whether the silence holds noise or not.
    """
    order = np.lexsort((-level, stretch))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(stretch[order], stretch[order])
    stretches = int(stretch.max(initial=0)) + 1
    loudest = np.argsort(-level, kind="stable")[: max(_LEAST_PEAKS, _PEAKS_OF_ALL * stretches)]
    return np.union1d(np.flatnonzero(rank < _PEAKS_PER_STRETCH), loudest)


def _between(
    level: FloatArray, frames: npt.NDArray[np.int64], bins: npt.NDArray[np.int64]
) -> FloatArray:
    """Return how far the top of a parabola through a peak and its neighbours lies from it."""
    inside = (frames > 0) & (frames < len(level) - 1)
    before = level[np.maximum(frames - 1, 0), bins]
    after = level[np.minimum(frames + 1, len(level) - 1), bins]
    bend = before - 2 * level[frames, bins] + after
    bent = inside & (bend < -1e-6)
    return np.where(bent, 0.5 * (before - after) / np.where(bent, bend, 1), 0).clip(-0.5, 0.5)


def _running_max(values: FloatArray, reach: int, axis: int) -> FloatArray:
    """Return the largest value within `reach` places on either side, along an axis.

    Windows are doubled (van Herk's idea in its simplest form): few passes, whatever the reach.
    """
    values = np.moveaxis(values, axis, 0)
    edge = np.full((reach, *values.shape[1:]), -np.inf, values.dtype)
    largest, width, wanted = np.concatenate([edge, values, edge]), 1, 2 * reach + 1
    while width < wanted:
        step = min(width, wanted - width)
        largest = np.maximum(largest[:-step], largest[step:])
        width += step
    return np.moveaxis(largest, 0, axis)
