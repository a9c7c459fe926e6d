"""Drawing soundscapes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import Field

from auricle.audio import load, probe
from auricle.audio.reading import Channel
from auricle.core.config import Config
from auricle.core.errors import AudioError, DataError, MissingExtra
from auricle.core.types import Clip, FloatArray, Label, Waveform
from auricle.core.units import db_to_amplitude, seconds_to_samples
from auricle.data.soundscapes.record import (
    JOIN_S,
    Background,
    Colour,
    PlacedEvent,
    Soundscape,
    audible,
    cut,
    event_sound,
    ground_of,
    noise_of,
    power,
)

LEAST_S = 0.1
"""An event is heard for at least so long, where it is that long."""
HIGHEST_PEAK = 0.99
"""A louder soundscape is scaled down as a whole, which changes no ratio."""

_WHOLE_S = 60.0  # backgrounds up to here are read whole, and their silent ends cut
_QUIETEST_DB = -60.0  # of the background, for the ratio: an event in digital silence is still heard
_SOURCE_TRIES = 20
_PLACE_TRIES = 50


class MixConfig(Config):
    """What soundscapes are made of. Ranges are drawn from evenly, both ends included."""

    length_s: float = Field(10.0, ge=0.1, le=3600, description="length of a soundscape (s)")
    sample_rate: int = Field(16000, ge=1000, le=192000, description="sample rate (Hz)")
    min_events: int = Field(1, ge=0, description="fewest events in a soundscape")
    max_events: int = Field(5, ge=0, le=1000, description="most events in a soundscape")
    min_snr_db: float = Field(0.0, ge=-60, le=90, description="lowest ratio to the background (dB)")
    max_snr_db: float = Field(20.0, ge=-60, le=90, description="highest ratio to the background")
    min_pitch: float = Field(0.0, ge=-24, le=24, description="lowest change of pitch (semitones)")
    max_pitch: float = Field(0.0, ge=-24, le=24, description="highest change of pitch (semitones)")
    max_overlap: int | None = Field(
        None, ge=1, description="most events at any moment; null: as many as come together"
    )
    max_event_s: float | None = Field(
        None, gt=0, description="longer events are cut to a stretch of so long (s); null: never"
    )
    background_db: float = Field(
        -35.0, ge=-80, le=0, description="level of the background (dB of full scale, RMS)"
    )
    colour: Colour = Field("pink", description="noise where there are no background sounds")
    trim_db: float = Field(
        40.0, gt=0, le=120, description="how far below its loudest part an event is silent (dB)"
    )
    seed: int = Field(0, ge=0, description="seed of every draw")
    channel: Channel = Field("mean", description="how a file becomes mono, as in the section data")
    allow_truncated: bool = Field(False, description="use files that are cut short")


@dataclass(frozen=True, slots=True)
class Source:
    """A stretch of a file that may be drawn; times in seconds, `offset_s` None: to its end."""

    path: str
    label: Label
    onset_s: float = 0.0
    offset_s: float | None = None
    group: str | None = None


@dataclass
class Mixed:
    """A soundscape that was made, and what went wrong on the way.

    `bad` tells of sources that could not be used, by path; `unplaced` counts the events for which
    `max_overlap` left no room.
    """

    record: Soundscape
    samples: FloatArray
    bad: dict[str, str] = field(default_factory=dict[str, str])
    unplaced: int = 0


def sources_of(clips: Iterable[Clip]) -> tuple[list[Source], int]:
    """Return the clips that are one event each, and how many have no label or several."""
    sources: list[Source] = []
    others = 0
    for clip in clips:
        if len(clip.labels) == 1:
            sources.append(
                Source(clip.path, clip.labels[0], clip.onset_s, clip.offset_s, clip.group)
            )
        else:
            others += 1
    return sources, others


class Mixer:
    """Makes soundscapes of events and backgrounds; without backgrounds, over noise.

    Labels are drawn evenly, then one of the label's events: a class of many clips is heard no more
    often than another. Raises `DataError` where there is no event at all.
    """

    def __init__(
        self, events: Sequence[Source], backgrounds: Sequence[Source], config: MixConfig
    ) -> None:
        if not events and config.max_events:
            raise DataError("there is no event to place: no clip has exactly one label")
        self.config = config
        self.events = tuple(events)
        self.backgrounds = tuple(backgrounds)
        by_label: dict[Label, list[Source]] = {}
        for source in events:
            by_label.setdefault(source.label, []).append(source)
        self._by_label = [by_label[label] for label in sorted(by_label)]

    def make(self, number: int) -> Mixed:
        """Make the soundscape of that number. Raises `DataError` where too many sources are bad."""
        config = self.config
        rng = np.random.default_rng([config.seed, number])
        length = max(1, seconds_to_samples(config.length_s, config.sample_rate))
        mixed = Mixed(_empty(number, length, config), np.empty(0, np.float32))
        background, ground = self._background(rng, number, length, mixed)
        count = int(rng.integers(config.min_events, config.max_events + 1))
        placed: list[PlacedEvent] = []
        samples = ground.copy()
        for _ in range(count):
            event, sound = self._event(rng, ground, mixed)
            if event is None:
                continue
            onset = self._onset(rng, placed, len(sound), length)
            if onset is None:
                mixed.unplaced += 1
                continue
            event, sound = _fitted(event, sound, onset, ground, config)
            placed.append(event)
            samples[onset : onset + event.length] += np.float32(event.gain) * sound
        scale = _scale(samples)
        mixed.record = mixed.record.model_copy(
            update={"background": background, "events": tuple(placed), "scale": scale}
        )
        mixed.samples = samples * np.float32(scale)
        return mixed

    def _background(
        self, rng: np.random.Generator, number: int, length: int, mixed: Mixed
    ) -> tuple[Background, FloatArray]:
        config = self.config
        if not self.backgrounds:
            # A seed of its own: the record makes the noise again without the draws before it.
            background = Background(colour=config.colour, seed=(config.seed, number, 1))
            sound = noise_of(background, length, config.sample_rate)
            return _levelled(background, sound, config)
        for _ in range(_SOURCE_TRIES):
            source = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            place = (float(rng.random()), float(rng.random()))
            try:
                background = _stretch_of(source, config, place)
                return _levelled(
                    background, ground_of(background, length, config.sample_rate), config
                )
            except (AudioError, MissingExtra) as error:
                mixed.bad[source.path] = str(error)
        raise DataError(
            f"{_SOURCE_TRIES} backgrounds in a row cannot be used; the last: "
            f"{next(reversed(mixed.bad.values()))}"
        )

    def _event(
        self, rng: np.random.Generator, ground: FloatArray, mixed: Mixed
    ) -> tuple[PlacedEvent | None, FloatArray]:
        config = self.config
        for _ in range(_SOURCE_TRIES):
            sources = self._by_label[int(rng.integers(len(self._by_label)))]
            source = sources[int(rng.integers(len(sources)))]
            snr_db = float(rng.uniform(config.min_snr_db, config.max_snr_db))
            pitch = float(rng.uniform(config.min_pitch, config.max_pitch))
            place = float(rng.random())
            try:
                samples, rate, start = _heard_in(source, config, pitch, place)
                event = PlacedEvent(
                    label=source.label, onset=0, length=0, snr_db=snr_db, pitch=pitch, gain=0.0,
                    path=source.path, group=source.group, channel=config.channel,
                    source_rate=rate, source_start=start, source_stop=start + len(samples),
                )  # fmt: skip
                return event, event_sound(event, samples, config.sample_rate)
            except (AudioError, MissingExtra) as error:
                mixed.bad[source.path] = str(error)
        raise DataError(
            f"{_SOURCE_TRIES} events in a row cannot be used; the last: "
            f"{next(reversed(mixed.bad.values()))}"
        )

    def _onset(
        self, rng: np.random.Generator, placed: Sequence[PlacedEvent], size: int, length: int
    ) -> int | None:
        """Draw where an event begins; None where it finds no room among the others."""
        least = min(size, seconds_to_samples(LEAST_S, self.config.sample_rate), length)
        for _ in range(_PLACE_TRIES):
            onset = int(rng.integers(length - least + 1))
            limit = self.config.max_overlap
            if limit is None or _most_at_once(placed, onset, onset + size) < limit:
                return onset
        return None


def _heard_in(
    source: Source, config: MixConfig, pitch: float, place: float
) -> tuple[FloatArray, int, int]:
    """Return what is taken of a source: samples, their rate, and the first one's place in the file.

    Of an event that is too long, `place` in [0, 1) says which stretch.
    """
    sound = _read(source, config)
    rate = sound.sample_rate
    start, stop = _trimmed(source.path, sound.samples, rate, config)
    longest_s = min(config.max_event_s or config.length_s, config.length_s) * 2 ** (pitch / 12)
    longest = max(1, seconds_to_samples(longest_s, rate))
    if stop - start > longest:
        first = start + int(place * (stop - start - longest + 1))
        part = sound.samples[first : first + longest]
        start, stop = (first + edge for edge in _trimmed(source.path, part, rate, config))
    return sound.samples[start:stop], rate, seconds_to_samples(source.onset_s, rate) + start


def _read(source: Source, config: MixConfig) -> Waveform:
    return load(
        source.path,
        offset_s=source.onset_s,
        duration_s=None if source.offset_s is None else source.offset_s - source.onset_s,
        channel=config.channel,
        allow_truncated=config.allow_truncated,
    )


def _trimmed(path: str, samples: FloatArray, rate: int, config: MixConfig) -> tuple[int, int]:
    extent = audible(samples, rate, config.trim_db)
    if extent is None:
        raise AudioError(f"{path} is silent")
    return extent


def _fitted(
    event: PlacedEvent, sound: FloatArray, onset: int, ground: FloatArray, config: MixConfig
) -> tuple[PlacedEvent, FloatArray]:
    """Cut an event at the soundscape's end, and find the gain that gives it its ratio."""
    length = min(len(sound), len(ground) - onset)
    if length < len(sound):  # the cut may lie in a pause: the label ends where the sound does
        extent = audible(sound[:length], config.sample_rate, config.trim_db)
        length = length if extent is None else extent[1]
    sound = cut(sound, length, config.sample_rate)
    behind = max(power(ground[onset : onset + length]), power(ground) * 10 ** (_QUIETEST_DB / 10))
    gain = (behind / max(power(sound), 1e-20)) ** 0.5 * db_to_amplitude(event.snr_db)
    return event.model_copy(update={"onset": onset, "length": length, "gain": gain}), sound


def _most_at_once(placed: Sequence[PlacedEvent], onset: int, offset: int) -> int:
    """Count the events that sound together, at most, between two samples."""
    inside = [
        event for event in placed if event.onset < offset and onset < event.onset + event.length
    ]
    moments = [onset, *(event.onset for event in inside if event.onset > onset)]
    return max(
        sum(event.onset <= moment < event.onset + event.length for event in inside)
        for moment in moments
    )


def _scale(samples: FloatArray) -> float:
    peak = float(np.abs(samples).max(initial=0.0))
    return HIGHEST_PEAK / peak if peak > HIGHEST_PEAK else 1.0


def _stretch_of(source: Source, config: MixConfig, place: tuple[float, float]) -> Background:
    """Choose what is read of a background: all that is heard of a short one, a part of a long."""
    info = probe(source.path)
    ends_s = [end_s for end_s in (source.offset_s, info.duration_s) if end_s is not None]
    end_s = min(ends_s, default=None)
    rate = info.sample_rate
    start = seconds_to_samples(source.onset_s, rate)
    if end_s is None or end_s - source.onset_s <= max(_WHOLE_S, 2 * config.length_s):
        sound = _read(source, config)
        first, last = _trimmed(source.path, sound.samples, rate, config)
        start, stop = start + first, start + last
    else:
        stop = seconds_to_samples(end_s, rate)
    needed = seconds_to_samples(config.length_s + 2 * JOIN_S, rate)
    if stop - start > needed:
        start += int(place[0] * (stop - start - needed + 1))
        stop = start + needed
    length = seconds_to_samples((stop - start) / rate, config.sample_rate)
    short = length < seconds_to_samples(config.length_s + JOIN_S, config.sample_rate)
    return Background(
        path=source.path,
        group=source.group,
        channel=config.channel,
        source_rate=rate,
        source_start=start,
        source_stop=stop,
        offset=int(place[1] * length) if short else 0,
    )


def _levelled(
    background: Background, sound: FloatArray, config: MixConfig
) -> tuple[Background, FloatArray]:
    level = power(sound) ** 0.5
    if level == 0:
        raise AudioError(f"{background.path} is silent")
    gain = db_to_amplitude(config.background_db) / level
    return background.model_copy(update={"gain": gain}), sound * np.float32(gain)


def _empty(number: int, length: int, config: MixConfig) -> Soundscape:
    return Soundscape(
        name=f"soundscape_{number:06d}",
        number=number,
        sample_rate=config.sample_rate,
        length=length,
        background=Background(),
    )
