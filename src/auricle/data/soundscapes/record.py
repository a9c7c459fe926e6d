"""What a soundscape is made of, and its sound made of that."""

import json
from typing import Literal, TypeAlias

import numpy as np

from auricle.audio import ClipLimits, load, resample
from auricle.audio.level import SILENT_PEAK
from auricle.audio.reading import Channel
from auricle.core.config import Config, validate
from auricle.core.types import Clip, FloatArray, Label
from auricle.core.units import samples_to_seconds, seconds_to_samples

Colour: TypeAlias = Literal["white", "pink", "brown"]

FADE_S = 0.005
JOIN_S = 0.05
"""By how much a background overlaps itself where it goes round."""

_LOWEST_HZ = 20.0


class Background(Config):
    """The background of a soundscape: a stretch of a file, or noise.

    The stretch is `source_start` to `source_stop`, in samples of the file at `source_rate` (Hz);
    it goes round from `offset` (samples of the soundscape) on, and is scaled by `gain`. Of noise,
    `colour` and `seed` say all.
    """

    path: str | None = None
    group: str | None = None
    channel: Channel = "mean"
    source_rate: int = 0
    source_start: int = 0
    source_stop: int = 0
    offset: int = 0
    colour: Colour | None = None
    seed: tuple[int, ...] = ()
    gain: float = 1.0


class PlacedEvent(Config):
    """An event in a soundscape; `onset` and `length` in samples of the soundscape.

    The sound is `source_start` to `source_stop`, in samples of the file at `source_rate` (Hz),
    raised by `pitch` semitones and scaled by `gain`, with which it has `snr_db` over its extent.
    """

    label: Label
    onset: int
    length: int
    snr_db: float
    pitch: float
    gain: float
    path: str
    group: str | None = None
    channel: Channel = "mean"
    source_rate: int
    source_start: int
    source_stop: int


class Soundscape(Config):
    """The record of one soundscape, of which `render` makes its sound again."""

    name: str
    number: int
    sample_rate: int
    length: int
    scale: float = 1.0
    background: Background
    events: tuple[PlacedEvent, ...] = ()

    def to_json(self) -> str:
        """Write the record as one line of JSON; write it with `errors="backslashreplace"`."""
        return json.dumps(self.model_dump(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Soundscape":
        """Read what `to_json` wrote. Raises `ConfigError`, and `ValueError` where it is no JSON."""
        return validate(cls, json.loads(text))

    def labels(self, suffix: str = "") -> list[Clip]:
        """Return a row for each event, by time; one without labels where there is none."""
        path = self.name + suffix
        rows = [
            Clip(
                path,
                (event.label,),
                onset_s=samples_to_seconds(event.onset, self.sample_rate),
                offset_s=samples_to_seconds(event.onset + event.length, self.sample_rate),
                group=event.group,
            )
            for event in sorted(self.events, key=lambda event: (event.onset, event.length))
        ]
        return rows or [Clip(path)]


def render(record: Soundscape) -> FloatArray:
    """Make the sound of a record again: float32 `(time,)`, bit for bit what `Mixer.make` made.

    Raises `AudioError` where a source is gone.
    """
    background, rate = record.background, record.sample_rate
    if background.path is None:
        ground = noise_of(background, record.length, rate)
    else:
        ground = ground_of(background, record.length, rate)
    samples = ground * np.float32(background.gain)
    for event in record.events:
        sound = cut(event_sound(event, read_stretch(event), rate), event.length, rate)
        samples[event.onset : event.onset + event.length] += np.float32(event.gain) * sound
    return samples * np.float32(record.scale)


def audible(samples: FloatArray, sample_rate: int, trim_db: float) -> tuple[int, int] | None:
    """Return the first sample and the one behind the last that are heard; None: silence.

    What counts is the level of frames of 10 ms: those up to `trim_db` below the loudest are heard.
    """
    if np.abs(samples).max(initial=0.0) < SILENT_PEAK:
        return None
    return ClipLimits(trim_db=trim_db).bounds([samples], sample_rate)


def read_stretch(source: "Background | PlacedEvent") -> FloatArray:
    """Read what is taken of a file. Raises `AudioError`."""
    rate = source.source_rate
    return load(
        source.path or "",
        offset_s=source.source_start / rate,
        duration_s=(source.source_stop - source.source_start) / rate,
        channel=source.channel,
        allow_truncated=True,  # the stretch was there when it was chosen
    ).samples


def event_sound(event: PlacedEvent, stretch: FloatArray, sample_rate: int) -> FloatArray:
    """Fade the ends of an event's `stretch` and change its pitch: `(time,)` at `sample_rate`."""
    rate, samples = event.source_rate, stretch.copy()
    fade = min(seconds_to_samples(FADE_S, rate), len(samples) // 2)
    ramp = _ramp(fade)
    samples[:fade] *= ramp
    samples[len(samples) - fade :] *= ramp[::-1]
    # Played at another rate: that of a semitone is off by less than 0.1 cent at 8 kHz.
    return resample(samples, round(rate * 2 ** (event.pitch / 12)), sample_rate)


def cut(sound: FloatArray, length: int, sample_rate: int) -> FloatArray:
    """Cut a sound to `length` samples, with a fade where something is lost."""
    if length >= len(sound):
        return sound
    sound = sound[:length].copy()
    fade = min(seconds_to_samples(FADE_S, sample_rate), length // 2)
    sound[length - fade :] *= _ramp(fade)[::-1]
    return sound


def power(samples: FloatArray) -> float:
    """Return the mean square of `(time,)`; 0 of nothing."""
    return float(np.square(samples, dtype=np.float64).mean()) if len(samples) else 0.0


def ground_of(background: Background, length: int, sample_rate: int) -> FloatArray:
    """Read a background and let it go round, each end faded into the beginning."""
    sound = resample(read_stretch(background), background.source_rate, sample_rate)
    if len(sound) >= length and not background.offset:
        return sound[:length].copy()
    join = min(seconds_to_samples(JOIN_S, sample_rate), len(sound) // 2)
    period = max(1, len(sound) - join)
    # Sine and cosine: two sounds that have nothing to do with each other keep their power.
    rise = np.sqrt(_ramp(join))
    turn = sound[:period].copy()
    if join:
        turn[:join] = turn[:join] * rise + sound[period:] * rise[::-1]
    places = (np.arange(length) + background.offset) % period
    return turn[places]


def noise_of(background: Background, length: int, sample_rate: int) -> FloatArray:
    """Make coloured noise, float32 `(time,)`: power by 1 (white), 1/f (pink) or 1/f^2 (brown)."""
    white = np.random.default_rng(background.seed).standard_normal(length)
    if background.colour == "white":
        return white.astype(np.float32)
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(white, size)
    hz = np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), _LOWEST_HZ)
    spectrum *= hz ** (-0.5 if background.colour == "pink" else -1.0)
    return np.fft.irfft(spectrum, size)[:length].astype(np.float32)


def _ramp(size: int) -> FloatArray:
    """Rise from 0 to 1 as half a cosine."""
    places = (np.arange(size, dtype=np.float64) + 0.5) / max(1, size)
    return (0.5 - 0.5 * np.cos(np.pi * places)).astype(np.float32)
