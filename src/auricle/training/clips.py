"""Decoded clips: read, resampled and kept in memory where they fit."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import numpy as np
import torch

from auricle import audio
from auricle.core.errors import AudioError, DataError
from auricle.core.reporting import Reporter
from auricle.core.threads import in_order
from auricle.core.types import Clip, FloatArray, Waveform
from auricle.core.units import seconds_to_samples
from auricle.data.clips import Clips
from auricle.data.config import DataConfig

BYTES_PER_SAMPLE = 4
SLACK_SAMPLES = 16  # per clip: resampling may give a few more than measured
MOST_READERS = 4  # of whole clips ahead of the network: they may be long
AHEAD = 2  # clips a reader that wait: they may be long

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True)
class BadClip:
    """A clip that could not be used, and why."""

    path: str
    reason: str


class ClipStore:
    """The sound of a list of clips at one sample rate (Hz).

    Clips are decoded once and kept, float32, in memory that loader processes share, where all
    of them fit the budget; otherwise each access reads just the stretch that it needs.
    """

    def __init__(self, clips: Sequence[Clip], sample_rate: int, data: DataConfig) -> None:
        self.clips = Clips.of(clips)  # columns: there may be millions
        self.sample_rate = sample_rate
        self.data = data
        self._lengths: list[int] = []
        self._starts: list[int] = []
        self._parts: list[tuple[int, int]] = []
        self._cache: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def cached_mb(self) -> float:
        """Memory (MB) that the decoded clips take."""
        return 0.0 if self._cache is None else sum(self._lengths) * BYTES_PER_SAMPLE / 1e6

    def prepare(
        self, reporter: Reporter, *, shared: bool, budget_mb: float | None = None
    ) -> list[BadClip]:
        """Measure all clips, decode them where they fit, drop and return the bad ones.

        `shared` puts the sound where loader processes can read it; `budget_mb` takes the place of
        the configured `cache_mb`.
        """
        self._lengths, bad = self._try_all(
            "measuring clips", self._measure_one, self.clips, reporter
        )
        total_mb = sum(self._lengths) * BYTES_PER_SAMPLE / 1e6
        if total_mb <= (self.data.cache_mb if budget_mb is None else budget_mb):
            bad += self._fill_cache(reporter, shared=shared)
        if self.data.limits:
            indices = range(len(self.clips))
            self._parts, below = self._try_all("trimming clips", self._try_part, indices, reporter)
            bad += below
        return bad

    def length(self, index: int) -> int:
        """Return the length of a clip in samples at the store's sample rate."""
        return self._lengths[index]

    def part(self, index: int) -> tuple[int, int]:
        """Return where the sound that counts begins and ends in a clip, in samples."""
        return self._parts[index] if self._parts else (0, self._lengths[index])

    def whole(self, index: int) -> Waveform:
        """Return all of a clip, before any limit. Raises `AudioError`."""
        if self._cache is not None:
            start = self._starts[index]
            return Waveform(
                self._cache[start : start + self._lengths[index]].numpy(), self.sample_rate
            )
        return self._read(self.clips[index])

    def whole_clips(self) -> Iterator[tuple[Clip, Waveform | AudioError]]:
        """Yield every clip in order with all of its sound, or why it cannot be read.

        Clips that are not in memory are decoded by a few threads ahead of the caller.
        """

        def get(index: int) -> Waveform | AudioError:
            try:
                return self.whole(index)
            except AudioError as error:
                return error

        indices = range(len(self.clips))
        if self._cache is not None:
            yield from ((self.clips[index], get(index)) for index in indices)
            return
        readers = min(MOST_READERS, os.cpu_count() or 1)
        for index, sound in in_order(get, indices, readers, ahead=AHEAD):
            yield self.clips[index], sound

    def stretch(self, index: int, start: int, length: int) -> FloatArray:
        """Return `length` samples of a clip from sample `start` on. Raises `AudioError`."""
        if self._cache is not None:
            return self.whole(index).samples[start : start + length]
        clip = self.clips[index]
        return audio.load(
            clip.path,
            self.sample_rate,
            offset_s=clip.onset_s + start / self.sample_rate,
            duration_s=length / self.sample_rate,
            channel=self.data.channel,
            allow_truncated=self.data.allow_truncated,
        ).samples[:length]

    def _read(self, clip: Clip) -> Waveform:
        duration_s = None if clip.offset_s is None else clip.offset_s - clip.onset_s
        return audio.load(
            clip.path,
            self.sample_rate,
            offset_s=clip.onset_s,
            duration_s=duration_s,
            channel=self.data.channel,
            allow_truncated=self.data.allow_truncated,
        )

    def _try_all(
        self,
        what: str,
        function: Callable[[Item], Found | AudioError],
        items: Iterable[Item],
        reporter: Reporter,
    ) -> tuple[list[Found], list[BadClip]]:
        """Return what `function` finds of each clip (its `items`, in order); drop the bad ones."""
        good: list[int] = []
        found: list[Found] = []
        bad: list[BadClip] = []
        with reporter.progress(what, len(self.clips)) as progress:
            for index, (_, one) in enumerate(in_order(function, items, ahead=AHEAD)):
                progress.advance()
                if isinstance(one, AudioError):
                    bad.append(BadClip(self.clips[index].path, str(one)))
                else:
                    good.append(index)
                    found.append(one)
        self._keep(good)
        return found, bad

    def _measure_one(self, clip: Clip) -> int | AudioError:
        try:
            ends_s = (clip.offset_s, audio.probe(clip.path).duration_s)
            end_s = min((end_s for end_s in ends_s if end_s is not None), default=0.0)
            if end_s <= clip.onset_s:  # a stream that does not state its length, or an error
                return len(self._read(clip).samples)
            return max(1, seconds_to_samples(end_s - clip.onset_s, self.sample_rate))
        except AudioError as error:
            return error

    def _fill_cache(self, reporter: Reporter, *, shared: bool) -> list[BadClip]:
        """Decode every clip to its place behind the one before; `_lengths` becomes exact."""
        bad: list[BadClip] = []
        good: list[int] = []
        lengths: list[int] = []
        cache = _buffer(sum(self._lengths) + SLACK_SAMPLES * len(self.clips), shared=shared)
        end = 0
        with reporter.progress("decoding clips", len(self.clips)) as progress:
            indices = range(len(self.clips))
            for index, sound in in_order(self._try_read, indices, ahead=AHEAD):
                progress.advance()
                if isinstance(sound, AudioError):
                    bad.append(BadClip(self.clips[index].path, str(sound)))
                    continue
                if end + len(sound) > len(cache):  # some headers state less than there is
                    larger = _buffer((end + len(sound)) * 5 // 4, shared=shared)
                    larger[:end] = cache[:end]
                    cache = larger
                cache[end : end + len(sound)] = torch.from_numpy(sound)
                end += len(sound)
                good.append(index)
                lengths.append(len(sound))
        self._keep(good)
        self._lengths = lengths
        self._starts = [0, *accumulate(lengths)][:-1]
        self._cache = cache
        return bad

    def _try_part(self, index: int) -> tuple[int, int] | AudioError:
        limits, name = self.data.limits, self.clips[index].path
        try:
            if limits.trim_db is None and self._cache is None:  # the length says it all
                return limits.cut(0, self._lengths[index], self.sample_rate, name)
            return limits.bounds([self.whole(index).samples], self.sample_rate, name)
        except AudioError as error:
            return error

    def _try_read(self, index: int) -> FloatArray | AudioError:
        try:
            return self._read(self.clips[index]).samples
        except AudioError as error:
            return error

    def _keep(self, indices: list[int]) -> None:
        self.clips = self.clips.select(np.array(indices, np.int64))
        self._lengths = [self._lengths[index] for index in indices] if self._lengths else []
        self._starts = [self._starts[index] for index in indices] if self._starts else []


def _buffer(samples: int, *, shared: bool) -> torch.Tensor:
    """Return room for sound; what is not written takes no memory."""
    buffer = torch.empty(samples, dtype=torch.float32)
    return buffer.share_memory_() if shared else buffer


def require_mostly_good(bad: Sequence[BadClip], total: int, limit: float) -> None:
    """Raise `DataError` when more than `limit` (a fraction) of the clips are bad."""
    if bad and (len(bad) == total or len(bad) > limit * total):
        raise DataError(
            f"{len(bad)} of {total} clips cannot be used (allowed: {limit:.0%}, "
            f"--train.max_bad_fraction); the first: {bad[0].reason}"
        )
