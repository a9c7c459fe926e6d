from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auricle.core.errors import AudioError
from auricle.core.types import Waveform
from auricle.runtime.sources import as_waveform, path_of, read_blocks

SOUND = np.linspace(-0.5, 0.5, 40, dtype=np.float32)


@pytest.mark.parametrize(
    ("kind", "scale", "zero"),
    [("int8", 128, 0), ("int16", 2**15, 0), ("int32", 2**31, 0), ("uint8", 128, 128)],
)
def test_integers_are_scaled_by_their_range(kind: str, scale: float, zero: float) -> None:
    values = np.array([-1.0, -0.5, 0.0, 0.5])
    waveform = as_waveform((values * scale + zero).astype(kind), 8000)
    assert waveform.samples.dtype == np.float32
    np.testing.assert_array_equal(waveform.samples, values)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_floats_are_taken_as_they_are(kind: str) -> None:
    waveform = as_waveform(np.array([0.25, -2.0], kind), 8000)
    assert waveform.samples.dtype == np.float32
    assert waveform.samples.tolist() == [0.25, -2.0]


@pytest.mark.parametrize("channels", [1, 2, 16])
def test_channels_are_averaged_whichever_axis_they_are(channels: int) -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((channels, 50))
    expected = sound.mean(axis=0).astype(np.float32)
    np.testing.assert_allclose(as_waveform(sound, 8000).samples, expected, rtol=1e-6)
    np.testing.assert_allclose(as_waveform(sound.T, 8000).samples, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "shape", [(2, 10), (16, 16), (17, 17), (40, 50), (0, 50), (50, 0), (1, 2, 50), ()]
)
def test_a_shape_that_can_be_read_two_ways_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match="got shape") as caught:
        as_waveform(np.zeros(shape), 8000)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("kind", ["int64", "uint16", "bool", "complex64", "str"])
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(AudioError, match="samples must be floats"):
        as_waveform(np.zeros(20).astype(kind), 8000)


@pytest.mark.parametrize("rate", [0, -8000, 44100.0, True, None, "8000"])
def test_a_rate_is_a_positive_whole_number(rate: object) -> None:
    with pytest.raises(AudioError, match="sample_rate must be a positive whole number"):
        as_waveform(SOUND, rate)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="sample_rate must be a positive whole number"):
        list(read_blocks(Waveform(SOUND, rate), 8000))  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers(bad: float) -> None:
    samples = SOUND.copy()
    samples[7] = bad
    with pytest.raises(AudioError, match="not numbers"):
        list(read_blocks(Waveform(samples, 8000), 8000))


def test_an_empty_waveform() -> None:
    with pytest.raises(AudioError, match="empty"):
        list(read_blocks(Waveform(SOUND[:0], 8000), 16000))


@pytest.mark.parametrize("samples", [SOUND.reshape(2, 20), np.zeros(20, np.int16)])
def test_a_waveform_holds_one_channel_of_floats(samples: np.ndarray) -> None:
    with pytest.raises(AudioError, match="give such an array with sample_rate="):
        list(read_blocks(Waveform(samples, 8000), 8000))  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [None, 3, b"a.wav", ["a.wav"], SOUND])
def test_what_is_no_sound_is_named(source: object) -> None:
    with pytest.raises(AudioError, match="a sound must be a path") as caught:
        list(read_blocks(source, 8000))  # type: ignore[arg-type]
    assert type(source).__name__ in str(caught.value)
    assert ("Waveform(samples" in str(caught.value)) == isinstance(source, np.ndarray)


def test_a_waveform_is_resampled() -> None:
    t = np.arange(4800) / 48000
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    (samples,) = read_blocks(Waveform(tone, 48000), 16000)
    expected = np.sin(2 * np.pi * 440 * np.arange(1600) / 16000)
    assert len(samples) == 1600
    np.testing.assert_allclose(samples[200:-200], expected[200:-200], atol=1e-3)


def test_a_file_can_be_named_by_text_or_path(tone: Callable[..., Path], tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", seconds=0.2)
    by_path = np.concatenate(list(read_blocks(path, 16000)))
    by_text = np.concatenate(list(read_blocks(str(path), 16000)))
    np.testing.assert_array_equal(by_path, by_text)
    assert len(by_path) == 3200
    assert path_of(path) == path_of(str(path)) == str(path)
    assert path_of(Waveform(SOUND, 8000)) is None


def test_a_chosen_channel(tmp_path: Path) -> None:
    import soundfile

    sound = np.stack([np.full(100, 0.25), np.full(100, -0.5)], axis=1)
    soundfile.write(tmp_path / "a.wav", sound, 8000, subtype="FLOAT")
    for channel, value in ((0, 0.25), (1, -0.5), ("mean", -0.125)):
        samples = np.concatenate(
            list(read_blocks(tmp_path / "a.wav", 8000, channel=channel))  # type: ignore[arg-type]
        )
        np.testing.assert_allclose(samples, value)
