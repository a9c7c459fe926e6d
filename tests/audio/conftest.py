"""Sounds of every format, made on the spot."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

LOSSLESS = {
    "wav": {},
    "rf64": {"format": "RF64"},
    "wavex": {"format": "WAVEX"},
    "rifx": {"format": "WAV", "endian": "BIG"},
    "flac": {},
    "aiff": {},
    "caf": {},
    "w64": {},
    "au": {},
}
LOSSY = {
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {},
}
WITH_AV = {
    "m4a": ("aac", {}),
    "faststart.m4a": ("aac", {"movflags": "faststart"}),
    "aac": ("aac", {}),
    "webm": ("libopus", {}),
    "mp4": ("aac", {}),
}


def some_sound(seconds: float, sample_rate: int, channels: int, seed: int = 7) -> np.ndarray:
    """A tone, other in each channel, under noise that keeps frames from being alike."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sample_rate))[:, None] / sample_rate
    hz = 440 * (1 + np.arange(channels))
    sound = 0.3 * np.sin(2 * np.pi * hz * t) + 0.02 * rng.standard_normal((len(t), channels))
    return sound.astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, sample_rate: int, **how: str) -> Path:
    """Write `(time, channels)` with libsndfile, which crashes on one long buffer of Vorbis."""
    with soundfile.SoundFile(path, "w", sample_rate, samples.shape[1], **how) as file:
        for start in range(0, len(samples), 65536):
            file.write(samples[start : start + 65536])
    return path


def write_av(
    path: Path,
    samples: np.ndarray,
    sample_rate: int,
    codec: str,
    options: dict[str, str],
    streams: int = 1,
) -> Path:
    """Write `(time, channels)` with PyAV."""
    av = pytest.importorskip("av")
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(str(path), "w", options=options) as container:
        tracks = [
            container.add_stream(codec, rate=sample_rate, layout=layout) for _ in range(streams)
        ]
        for track in tracks:
            for start in range(0, len(samples), 1024):
                planes = np.ascontiguousarray(samples[start : start + 1024].T)
                frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = sample_rate, start
                container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


@pytest.fixture(scope="session")
def some_sounds() -> Callable[..., np.ndarray]:
    """`some_sound` as a fixture."""
    return some_sound


@pytest.fixture(scope="session")
def wav() -> Callable[..., Path]:
    """`write_sound` as a fixture."""
    return write_sound


@pytest.fixture(scope="session")
def with_av() -> Callable[..., Path]:
    """`write_av` as a fixture."""
    return write_av


@pytest.fixture(scope="session")
def every_format(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Three seconds of stereo at 48 kHz in every format, by name."""
    folder = tmp_path_factory.mktemp("formats")
    sound = some_sound(3.0, 48000, 2)
    paths = {
        name: write_sound(folder / f"s-{name}.{_suffix(name)}", sound, 48000, **how)
        for name, how in {**LOSSLESS, **LOSSY}.items()
    }
    for name, (codec, options) in WITH_AV.items():
        paths[name] = write_av(folder / f"s.{name}", sound, 48000, codec, options)
    return paths


def _suffix(name: str) -> str:
    return {"wavex": "wav", "rifx": "wav"}.get(name, name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that ask for `format_name` over all formats; others over their group."""
    groups = {
        "format_name": [*LOSSLESS, *LOSSY, *WITH_AV],
        "lossless_name": [*LOSSLESS],
        # An M4A's table of contents stands at its end: without it nothing can be decoded.
        "streaming_name": [n for n in (*LOSSLESS, *LOSSY, *WITH_AV) if n not in ("m4a", "mp4")],
        # libsndfile takes everything behind the header of a W64 for sound.
        "taggable_name": [n for n in (*LOSSLESS, *LOSSY, *WITH_AV) if n != "w64"],
        # Only decoding the end of these tells that it is missing.
        "declaring_name": [n for n in (*LOSSLESS, *LOSSY, *WITH_AV) if n not in ("flac", "aac")],
    }
    for argument, names in groups.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, names)
