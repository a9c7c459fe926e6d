"""From a clip of the plan to the bytes that a pack keeps of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from auricle import audio
from auricle.audio.encoding import to_integers
from auricle.core.errors import AudioError, UnreadableAudio
from auricle.core.types import FloatArray, Waveform
from auricle.core.units import seconds_to_samples
from auricle.data.packing.plan import PackOptions, Plan

Int16Array = npt.NDArray[np.int16]

CLIPS_AT_ONCE = 64
"""Clips of a chunk: what a killed run has to do again, for each of its threads."""


@dataclass(frozen=True)
class Packed:
    """The bytes of one clip and what is to be told of it.

    `length` in samples or frames; `over` counts the samples beyond full scale; `cut` says that its
    end was cut off, `resampled` that its file has another rate.
    """

    content: bytes
    length: int
    over: int = 0
    cut: bool = False
    resampled: bool = False


class Encoder(Protocol):
    """What makes features of sound, such as a front-end or a trained network without its head.

    `sample_rate` of the sound that it takes (Hz), `bins` of its features, `dtype` (`<f2` or
    `<f4`), `config`: plain values that say what it is.
    """

    sample_rate: int
    bins: int
    dtype: str
    config: dict[str, Any]

    def encode(self, sounds: Sequence[Waveform]) -> list[npt.NDArray[Any] | AudioError]:
        """Return the features `(frames, bins)` of each sound, or why it has none."""
        ...


def to_int16(samples: FloatArray, peaks: str) -> tuple[Int16Array, int]:
    """Return float32 samples in [-1, 1] as int16, and how many lie beyond full scale.

    Those are clipped, or with `peaks="scale"` the whole clip is scaled to bring its largest to
    full scale. What was int16 comes back bit for bit.
    """
    over = int(np.count_nonzero(np.abs(samples) > 1))
    if over and peaks == "scale":
        samples = samples / np.abs(samples).max()
    return to_integers(samples, 16).astype("<i2", copy=False), over


def read_clip(plan: Plan, index: int, options: PackOptions) -> tuple[Waveform, bool, bool]:
    """Read a clip; say whether its end was cut off and whether it was resampled.

    The rate is that of `options`, which names one by now. Raises `AudioError`.
    """
    onset_s, offset_s = plan.stretch(index)
    rate = options.sample_rate
    assert rate is not None  # the caller's duty
    sound = audio.load(
        plan.paths[index],
        offset_s=onset_s,
        duration_s=None if offset_s is None else offset_s - onset_s,
        channel=options.channel,
        allow_truncated=options.allow_truncated,
    )
    samples = audio.resample(sound.samples, sound.sample_rate, rate)
    if not len(samples):
        raise UnreadableAudio(f"{plan.paths[index]} holds no samples at {rate} Hz; leave it out")
    most = most_samples(options)
    cut = most is not None and len(samples) > most
    return Waveform(samples[:most], rate), cut, sound.sample_rate != rate


def most_samples(options: PackOptions) -> int | None:
    """Return the samples of a clip where all have one length, else None."""
    if options.length_s is None or options.sample_rate is None:
        return None
    return max(1, seconds_to_samples(options.length_s, options.sample_rate))


def encode_int16(plan: Plan, indices: range, options: PackOptions) -> Iterator[Packed | AudioError]:
    """Yield the int16 samples of some clips."""
    for index in indices:
        try:
            sound, cut, resampled = read_clip(plan, index, options)
        except AudioError as error:
            yield error
            continue
        samples, over = to_int16(sound.samples, options.peaks)
        yield Packed(samples.tobytes(), len(samples), over, cut, resampled)


def encode_features(
    plan: Plan, indices: range, options: PackOptions, encoder: Encoder
) -> Iterator[Packed | AudioError]:
    """Yield the features of some clips; those of several are made at once."""
    made: dict[int, Packed | AudioError] = {}
    sounds: dict[int, tuple[Waveform, bool, bool]] = {}
    for index in indices:
        try:
            sounds[index] = read_clip(plan, index, options)
        except AudioError as error:
            made[index] = error
    encoded = encoder.encode([sound for sound, _, _ in sounds.values()])
    for (index, (_, cut, resampled)), values in zip(sounds.items(), encoded, strict=True):
        if isinstance(values, AudioError):
            made[index] = values
        else:
            content = np.ascontiguousarray(values, dtype=encoder.dtype)
            made[index] = Packed(content.tobytes(), len(content), 0, cut, resampled)
    yield from (made[index] for index in indices)
