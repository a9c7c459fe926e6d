"""Near duplicates among many sounds, found by their landmarks without comparing all pairs.

Peaks that lie close together make a hash: the bin of the first, and how far the others are from it
in frequency and time. Hashes of all sounds are sorted; equal ones stand side by side, and sounds
that share several at one and the same lag are candidates. Then the whole constellations are laid
over each other at that lag and the peaks that meet are counted. What is left is for `correlation`
of the sounds themselves to confirm.

Chance makes hashes equal too, and such pairs grow with the square of the sounds. A hash of three
peaks tells about 2**27 apart, which does for a hundred thousand clips. Beyond, a hash takes four:
some more short sounds are missed, and time and memory stay in line with the number of clips.

References: Wang, "An Industrial-Strength Audio Search Algorithm", ISMIR 2003 (hashes of peaks and
their agreement in time).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from auricle.core.types import FloatArray
from auricle.data.fingerprint import STEP_S, STEPS_PER_HOP, Landmarks, times_and_bins

Integers = npt.NDArray[np.int64]

_LOOK_AHEAD = 24
"""How many later peaks are looked through for the partners of a peak."""
_SHORTEST_STEPS, _LONGEST_STEPS = 2 * STEPS_PER_HOP, 62 * STEPS_PER_HOP  # 32 ms to 1 s
_WIDEST_BINS = 63  # 1 kHz
_PARTNER_BITS = 7 + 6
_TIME_GRAIN_STEPS = 6  # times are compared in grains of 1.5 hops

_INDEX_BITS = 28
_HASH_BITS = 35
_MOST_IN_MEMORY = 1 << 25
"""Hashes that are sorted at a time (some 30 bytes each); where there are more, all are made again
for each further part, which is cheaper than to keep them."""
_BLOCK = 1 << 16  # landmarks whose hashes are made at a time

_REACH = 8
"""A hash is compared with this many of its equals, so that a common one costs no square."""
_LAG_GRAIN_STEPS = 6
_MEET_STEPS, _MEET_BINS = 5, 1
_LEAST_MEETING = 6
_LEAST_SHARE = 0.25
_LEAST_CORRELATION, _MOST_CORRELATION = 0.5, 0.95


class _Scheme(NamedTuple):
    """A peak makes a hash with each `in_hash` of its next `partners`; how many hits are needed."""

    partners: int
    in_hash: int
    least_hits: int

    @property
    def hashes(self) -> int:
        """How many hashes a peak makes at most."""
        return comb(self.partners, self.in_hash)


_FEW_SOUNDS, _MANY_SOUNDS = _Scheme(3, 2, 3), _Scheme(4, 3, 2)
_MANY_LANDMARKS = 1 << 24  # those of about 130,000 clips of 5 s


@dataclass(frozen=True)
class Match:
    """Two sounds, by number, that seem to be the same.

    `second` begins `lag_s` seconds after the beginning of `first` (below 0: before it). Where
    both sound, `share` of the peaks of the poorer one are peaks of the other, `meeting` in number;
    half of them lie before `middle_s` seconds of what both share.
    """

    first: int
    second: int
    lag_s: float
    share: float
    meeting: int
    middle_s: float


def near_duplicates(landmarks: Landmarks, starts: npt.ArrayLike) -> Iterator[Match]:
    """Find the pairs of sounds that share most of their landmarks, in order.

    `landmarks` are those of all sounds one after another; sound `n` has those from `starts[n]` to
    `starts[n + 1]`. Time and memory grow with the number of landmarks (see above).
    """
    bounds = np.asarray(starts, np.int64)
    for first, second, lag_steps in _candidates(landmarks, bounds):
        pair = [landmarks[bounds[at] : bounds[at + 1]] for at in (first, second)]
        share, met = _agreement(pair[0], pair[1], lag_steps)
        if share >= _LEAST_SHARE and len(met) >= _LEAST_MEETING:
            middle = float(np.median(met)) - max(0, -lag_steps)
            lag_s, middle_s = lag_steps * STEP_S, max(0.0, middle) * STEP_S
            yield Match(first, second, lag_s, share, len(met), middle_s)


def _candidates(landmarks: Landmarks, bounds: Integers) -> Iterator[tuple[int, int, int]]:
    """Yield pairs whose hashes agree on a lag, with that lag in steps, ordered by pair."""
    scheme = _FEW_SOUNDS if len(landmarks) < _MANY_LANDMARKS else _MANY_SOUNDS
    parts = 1 + len(landmarks) * scheme.hashes // _MOST_IN_MEMORY
    found = [_hits(landmarks, bounds, scheme, part, parts) for part in range(parts)]
    pairs = np.concatenate([pair for pair, _ in found])
    lags = np.concatenate([lag for _, lag in found])
    # Most hits are lone ones by chance: put them aside before anything is computed of them.
    order = np.argsort(pairs, kind="stable")
    pairs, lags = pairs[order], lags[order]
    often = _run_lengths(pairs) >= scheme.least_hits
    pairs, lags = pairs[often], lags[often]
    if not len(pairs):
        return
    order = np.lexsort((lags, pairs))
    pairs, lags = pairs[order], lags[order]
    number = np.cumsum(np.diff(pairs, prepend=pairs[0]) != 0)
    line = number << 40 | (lags + (1 << 30))
    agreeing = np.searchsorted(line, line + _LAG_GRAIN_STEPS, "right") - np.arange(len(line))
    best = np.lexsort((-agreeing, pairs))
    best = best[np.diff(pairs[best], prepend=-1) != 0]
    for at in best[agreeing[best] >= scheme.least_hits].tolist():
        middle = int(np.median(lags[at : at + agreeing[at]]))
        yield int(pairs[at] >> 32), int(pairs[at] & 0xFFFFFFFF), middle


def _run_lengths(values: Integers) -> Integers:
    """Return, for each of sorted values, how often it occurs."""
    edges = np.flatnonzero(np.diff(values, prepend=values[:1] - 1, append=values[-1:] + 1))
    lengths = np.diff(edges)
    return np.repeat(lengths, lengths)


def _hits(
    landmarks: Landmarks, bounds: Integers, scheme: _Scheme, part: int, parts: int
) -> tuple[Integers, Integers]:
    """Return pairs of sounds with an equal hash (`first << 32 | second`) and its lag in steps."""
    keys, anchors = _sorted_keys(landmarks, bounds, scheme, part, parts)
    same = keys[1:] >> _INDEX_BITS == keys[:-1] >> _INDEX_BITS
    keys = keys[np.append(same, False) | np.insert(same, 0, False)] if len(same) else keys[:0]
    hashes, at = keys >> _INDEX_BITS, anchors[keys & ((1 << _INDEX_BITS) - 1)]
    owner = np.searchsorted(bounds, at, "right") - 1
    time, _ = times_and_bins(landmarks[at])
    pairs, lags = [], []
    for reach in range(1, min(_REACH, len(hashes) - 1) + 1):
        equal = (hashes[reach:] == hashes[:-reach]) & (owner[reach:] != owner[:-reach])
        one = np.flatnonzero(equal)
        other = one + reach
        in_order = owner[one] < owner[other]
        low, high = np.where(in_order, one, other), np.where(in_order, other, one)
        pairs.append(owner[low] << 32 | owner[high])
        lags.append(time[low] - time[high])
    nothing = np.empty(0, np.int64)
    return np.concatenate([*pairs, nothing]), np.concatenate([*lags, nothing])


def _sorted_keys(
    landmarks: Landmarks, bounds: Integers, scheme: _Scheme, part: int, parts: int
) -> tuple[Integers, npt.NDArray[np.integer]]:
    """Return the hashes of a part, sorted, and the landmark that each begins with.

    The lower bits of a hash are the place of its landmark among those that are returned.
    """
    place = np.uint32 if len(landmarks) < 1 << 32 else np.int64
    blocks: list[Integers] = [np.empty(0, np.int64)]
    anchors: list[npt.NDArray[np.integer]] = [np.empty(0, place)]
    count = 0
    for start in range(0, len(landmarks), _BLOCK):
        made, from_landmark = _hashes(landmarks, bounds, scheme, start)
        if parts > 1:
            mine = made % parts == part
            made, from_landmark = made[mine], from_landmark[mine]
        blocks.append(made << _INDEX_BITS | np.arange(count, count + len(made)))
        anchors.append(from_landmark.astype(place))
        count += len(made)
    keys = np.concatenate(blocks)
    blocks.clear()
    keys.sort()
    return keys, np.concatenate(anchors)


def _hashes(
    landmarks: Landmarks, bounds: Integers, scheme: _Scheme, start: int
) -> tuple[Integers, Integers]:
    """Return the hashes of a block of landmarks and the landmark that each begins with.

    The partners of a peak are the next ones within 1 s and 1 kHz.
    """
    chosen = landmarks[start : start + _BLOCK + _LOOK_AHEAD]
    time, bins = times_and_bins(chosen)
    owner = np.searchsorted(bounds, np.arange(start, start + len(chosen)), "right")
    count = min(_BLOCK, len(chosen))
    filled = np.zeros(count, np.int64)
    partners = np.zeros((scheme.partners, count), np.int64)
    for ahead in range(1, _LOOK_AHEAD + 1):
        here = np.arange(min(count, len(chosen) - ahead))
        there = here + ahead
        later, higher = time[there] - time[here], bins[there] - bins[here]
        fits = (owner[there] == owner[here]) & (np.abs(higher) <= _WIDEST_BINS)
        fits &= (
            (later >= _SHORTEST_STEPS) & (later < _LONGEST_STEPS) & (filled[here] < scheme.partners)
        )
        one = here[fits]
        grain = (later[fits] + _TIME_GRAIN_STEPS // 2) // _TIME_GRAIN_STEPS
        partners[filled[one], one] = (higher[fits] + 64) << 6 | grain
        filled[one] += 1
    made, anchors = [], []
    for chosen_partners in combinations(range(scheme.partners), scheme.in_hash):
        full = np.flatnonzero(filled > chosen_partners[-1])
        value = bins[full]
        for partner in chosen_partners:
            value = value << _PARTNER_BITS | partners[partner, full]
        made.append(_mixed(value))
        anchors.append(full + start)
    return np.concatenate(made), np.concatenate(anchors)


def _mixed(values: Integers) -> Integers:
    """Spread values of up to 64 bits over `_HASH_BITS` (Fibonacci hashing; Knuth, TAOCP 3)."""
    product = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (product >> np.uint64(64 - _HASH_BITS)).astype(np.int64)


def _agreement(first: Landmarks, second: Landmarks, lag_steps: int) -> tuple[float, Integers]:
    """Lay `second` over `first` at a lag; return the share of peaks that meet, and the times in
    `second`, in steps, of those that do.
    """
    time, bins = times_and_bins(first)
    other_time, other_bins = times_and_bins(second)
    other_time = other_time + lag_steps
    start = max(time[0], other_time[0]) - _MEET_STEPS
    end = min(time[-1], other_time[-1]) + _MEET_STEPS
    mine, theirs = (time >= start) & (time <= end), (other_time >= start) & (other_time <= end)
    other_time, other_bins = other_time[theirs], other_bins[theirs]
    line = np.sort(_on_a_line(bins[mine], time[mine]))
    meets = np.zeros(len(other_time), np.bool_)
    for shift in range(-_MEET_BINS, _MEET_BINS + 1):
        wanted = _on_a_line(other_bins + shift, other_time)
        low = np.searchsorted(line, wanted - _MEET_STEPS, "left")
        meets |= np.searchsorted(line, wanted + _MEET_STEPS, "right") > low
    met = other_time[meets] - lag_steps
    return len(met) / max(1, min(len(line), len(meets))), met


def _on_a_line(bins: Integers, time: Integers) -> Integers:
    """Put peaks on one axis on which those of different bins are far apart."""
    return bins << 40 | (time + (1 << 30))


def correlation(
    first: FloatArray, second: FloatArray, lag_samples: int, slack_samples: int
) -> float:
    """Return the correlation of two sounds, of one sample rate, at the best lag near `lag_samples`.

    At each lag within `slack_samples` of it, `second` begins that many samples after `first`; the
    product of what both cover is divided by the root of their energies there: 1 for sounds that
    differ in level alone, about 0 for others. Lags are tried in steps of half a sample, since
    sounds of high pitch that are half a sample apart correlate little. 0 where they never sound
    together.
    """
    size = 1 << (len(first) + len(second) - 1).bit_length()
    spectrum = np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size))
    product = 2 * np.fft.irfft(spectrum, 2 * size)  # twice the length: twice the rate
    halves = np.arange(2 * (lag_samples - slack_samples), 2 * (lag_samples + slack_samples) + 1)
    lags = halves // 2
    start, end = np.maximum(0, lags), np.minimum(len(first), len(second) + lags)
    halves, lags, start, end = (one[end > start] for one in (halves, lags, start, end))
    mine, theirs = (
        np.concatenate([[0.0], np.cumsum(np.square(one, dtype=np.float64))])
        for one in (first, second)
    )
    energy = (mine[end] - mine[start]) * (theirs[end - lags] - theirs[start - lags])
    heard = energy > 1e-6 * mine[-1] * theirs[-1]  # where one is silent, rounding would correlate
    values = np.abs(product[halves[heard] % (2 * size)]) / np.sqrt(energy[heard])
    return float(values.max(initial=0.0))


def required_correlation(first: FloatArray, second: FloatArray) -> float:
    """Return the correlation from which two sounds are one: 0.5 for rich ones, to 0.95 for poor.

    Sounds of few degrees of freedom, such as a short vowel or a hum, correlate by chance: about
    one over the root of their number, which is here the product of the shares of time and of
    frequency that hold the energy (participation ratios), times the number of samples.
    """
    freedom = min(_degrees_of_freedom(first), _degrees_of_freedom(second))
    return float(np.clip(4 / max(freedom, 1.0) ** 0.5, _LEAST_CORRELATION, _MOST_CORRELATION))


def _degrees_of_freedom(samples: FloatArray) -> float:
    energy = np.square(samples, dtype=np.float64)
    power = np.square(np.abs(np.fft.rfft(samples))).astype(np.float64)
    return _participants(energy) * _participants(power) / max(1, len(samples))


def _participants(energy: npt.NDArray[np.float64]) -> float:
    squares = float(np.square(energy).sum())
    return float(energy.sum()) ** 2 / squares if squares > 0 else 0.0
