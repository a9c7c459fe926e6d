"""Decoded clips: read, resampled and kept in memory where they fit."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from auricle import audio
from auricle.core.errors import AudioError, DataError
from auricle.core.reporting import Reporter
from auricle.core.types import Clip, FloatArray, Waveform
from auricle.core.units import seconds_to_samples
from auricle.data.config import DataConfig

BYTES_PER_SAMPLE = 4


@dataclass(frozen=True)
class BadClip:
    """A clip that could not be used, and why."""

    path: str
    reason: str


class ClipStore:
    """The sound of a list of clips at one sample rate (Hz).

    Clips are decoded once and kept, float32, in memory that loader processes share, where all
    of them fit `cache_mb`; otherwise each access reads just the stretch that it needs.
    """

    def __init__(self, clips: Sequence[Clip], sample_rate: int, data: DataConfig) -> None:
        self.clips = list(clips)
        self.sample_rate = sample_rate
        self.data = data
        self._lengths: list[int] = []
        self._starts: list[int] = []
        self._cache: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.clips)

    def prepare(self, reporter: Reporter, *, shared: bool, workers: int = 2) -> list[BadClip]:
        """Measure all clips, decode them where they fit, drop and return the bad ones.

        `shared` puts the sound where loader processes can read it.
        """
        lengths, bad = self._measure(reporter, workers)
        self._keep([index for index, length in enumerate(lengths) if length is not None])
        self._lengths = [length for length in lengths if length is not None]
        total_mb = sum(self._lengths) * BYTES_PER_SAMPLE / 1e6
        if total_mb <= self.data.cache_mb:
            bad += self._fill_cache(reporter, shared=shared, workers=workers)
        return bad

    def length(self, index: int) -> int:
        """Return the length of a clip in samples at the store's sample rate."""
        return self._lengths[index]

    def whole(self, index: int) -> Waveform:
        """Return all of a clip. Raises `AudioError`."""
        if self._cache is not None:
            start = self._starts[index]
            return Waveform(
                self._cache[start : start + self._lengths[index]].numpy(), self.sample_rate
            )
        return self._read(self.clips[index])

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

    def _measure(self, reporter: Reporter, workers: int) -> tuple[list[int | None], list[BadClip]]:
        lengths: list[int | None] = []
        bad: list[BadClip] = []
        with (
            ThreadPoolExecutor(workers) as pool,
            reporter.progress("measuring clips", len(self.clips)) as progress,
        ):
            for clip, measured in zip(
                self.clips, pool.map(self._measure_one, self.clips), strict=True
            ):
                progress.advance()
                if isinstance(measured, AudioError):
                    bad.append(BadClip(clip.path, str(measured)))
                    lengths.append(None)
                else:
                    lengths.append(measured)
        return lengths, bad

    def _measure_one(self, clip: Clip) -> int | AudioError:
        try:
            end_s = clip.offset_s or audio.probe(clip.path).duration_s
            if end_s is None:  # a stream that does not state its length
                return len(self._read(clip).samples)
            return max(1, seconds_to_samples(end_s - clip.onset_s, self.sample_rate))
        except AudioError as error:
            return error

    def _fill_cache(self, reporter: Reporter, *, shared: bool, workers: int) -> list[BadClip]:
        bad: list[BadClip] = []
        sounds: list[FloatArray] = []
        good: list[int] = []
        with (
            ThreadPoolExecutor(workers) as pool,
            reporter.progress("decoding clips", len(self.clips)) as progress,
        ):
            for index, sound in enumerate(pool.map(self._try_read, self.clips)):
                progress.advance()
                if isinstance(sound, AudioError):
                    bad.append(BadClip(self.clips[index].path, str(sound)))
                else:
                    good.append(index)
                    sounds.append(sound)
        self._keep(good)
        self._lengths = [len(sound) for sound in sounds]
        self._starts = [0, *np.cumsum(self._lengths).tolist()][:-1]
        cache = torch.empty(sum(self._lengths), dtype=torch.float32)
        if shared:
            cache.share_memory_()
        for start, sound in zip(self._starts, sounds, strict=True):
            cache[start : start + len(sound)] = torch.from_numpy(sound)
        self._cache = cache
        return bad

    def _try_read(self, clip: Clip) -> FloatArray | AudioError:
        try:
            return self._read(clip).samples
        except AudioError as error:
            return error

    def _keep(self, indices: list[int]) -> None:
        self.clips = [self.clips[index] for index in indices]


def require_mostly_good(bad: Sequence[BadClip], total: int, limit: float) -> None:
    """Raise `DataError` when more than `limit` (a fraction) of the clips are bad."""
    if bad and (len(bad) == total or len(bad) > limit * total):
        raise DataError(
            f"{len(bad)} of {total} clips cannot be used (allowed: {limit:.0%}, "
            f"--train.max_bad_fraction); the first: {bad[0].reason}"
        )
