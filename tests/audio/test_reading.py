"""`load`, `blocks` and `probe`: what comes out of a file is what went in."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle import audio
from auricle.core.errors import AudioError, AuricleError, UnreadableAudio


def tone_level(samples, hz, sample_rate):
    """The amplitude of the sine of `hz` in the sound."""
    t = np.arange(len(samples)) / sample_rate
    window = np.hanning(len(samples))
    return 2 * abs(np.sum(samples * window * np.exp(-2j * np.pi * hz * t))) / window.sum()


def test_lossless_formats_come_back_to_the_bit(every_format, lossless_name, some_sounds):
    sound = some_sounds(3.0, 48000, 2)
    waveform = audio.load(every_format[lossless_name], channel=1)
    assert waveform.sample_rate == 48000
    assert waveform.samples.dtype == np.float32
    assert waveform.samples.flags.c_contiguous
    # 16 bits: within one step.
    np.testing.assert_allclose(waveform.samples, sound[:, 1], atol=1 / 32768)


def test_every_format_keeps_length_and_tone(every_format, format_name):
    waveform = audio.load(every_format[format_name], channel=0)
    assert waveform.sample_rate == 48000
    assert waveform.samples.dtype == np.float32
    # AAC and MP3 come in frames of 1024 and 1152, and raw AAC keeps what its encoder put first.
    assert 0 <= len(waveform.samples) - 144000 <= 2200
    middle = waveform.samples[24000:120000]
    assert tone_level(middle, 440, 48000) == pytest.approx(0.3, rel=0.05)
    assert tone_level(middle, 880, 48000) < 0.01


def test_probe_agrees_with_load(every_format, format_name):
    info = audio.probe(every_format[format_name])
    assert (info.sample_rate, info.channels) == (48000, 2)
    assert info.path == str(every_format[format_name])
    decoded = len(audio.load(every_format[format_name]).samples)
    if info.container in ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "AIFF", "CAF", "W64", "AU", "MP3"):
        assert info.frames == decoded
    # Raw AAC declares nothing: its length is an estimate from its bitrate.
    assert info.duration_s == pytest.approx(
        decoded / 48000, abs=0.15 if format_name == "aac" else 0.03
    )


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [("wav", "WAV", "PCM_16"), ("opus", "OGG", "OPUS"), ("m4a", "MP4", "AAC"),
     ("webm", "WEBM", "OPUS"), ("aac", "AAC", "AAC")],
)  # fmt: skip
def test_probe_names_container_and_codec(every_format, name, container, codec):
    info = audio.probe(every_format[name])
    assert (info.container, info.codec) == (container, codec)


@pytest.mark.parametrize(
    ("offset_s", "duration_s"), [(0.0, 0.5), (0.3, 1.0), (1.7, 0.01), (2.9, 9)]
)
def test_a_stretch_is_the_slice_of_the_whole(every_format, format_name, offset_s, duration_s):
    whole = audio.load(every_format[format_name]).samples
    part = audio.load(every_format[format_name], offset_s=offset_s, duration_s=duration_s).samples
    start = round(offset_s * 48000)
    np.testing.assert_array_equal(part, whole[start : start + round(duration_s * 48000)])


def test_equal_durations_give_equal_counts_at_every_offset(every_format):
    counts = {
        len(
            audio.load(every_format["flac"], 32000, offset_s=0.0137 * i, duration_s=0.33333).samples
        )
        for i in range(20)
    }
    assert counts == {10667}


def test_a_resampled_stretch_is_the_stretch_resampled(every_format):
    part = audio.load(every_format["ogg"], offset_s=0.41, duration_s=0.5)
    expected = audio.resample(part.samples, 48000, 32000)
    got = audio.load(every_format["ogg"], 32000, offset_s=0.41, duration_s=0.5)
    assert got.sample_rate == 32000
    assert len(got.samples) == 16000
    np.testing.assert_array_equal(got.samples, expected)


def test_mono_is_the_mean_of_the_channels(tmp_path, wav, some_sounds):
    sound = some_sounds(0.5, 16000, 8)
    path = wav(tmp_path / "eight.wav", sound, 16000, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(path).samples, sound.mean(axis=1), atol=1e-7)
    for channel in range(8):
        np.testing.assert_array_equal(audio.load(path, channel=channel).samples, sound[:, channel])


@pytest.mark.parametrize("channel", [8, -1, True, "left", 0.0])
def test_a_channel_that_does_not_exist_is_an_error(tmp_path, wav, some_sounds, channel):
    path = wav(tmp_path / "eight.wav", some_sounds(0.1, 16000, 8), 16000)
    with pytest.raises(AudioError, match=r"8 channels \(0 to 7\)|'mean' or a number"):
        audio.load(path, channel=channel)
    with pytest.raises(AudioError):
        list(audio.blocks(path, channel=channel))


def test_extremes_are_fine(tmp_path, wav, some_sounds):
    path = wav(tmp_path / "odd.wav", some_sounds(0.05, 192000, 8), 192000, subtype="PCM_24")
    waveform = audio.load(path, 32000)
    assert waveform.samples.shape == (1600,)
    assert tone_level(waveform.samples, 440, 32000) > 0.02


def test_samples_beyond_full_scale_are_kept(tmp_path, wav):
    sound = np.full((100, 1), 3.5, dtype=np.float32)
    path = wav(tmp_path / "loud.wav", sound, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(audio.load(path).samples, sound[:, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_counted(tmp_path, wav, some_sounds, bad):
    sound = some_sounds(0.1, 16000, 2)
    sound[[3, 700, 1500], 1] = bad
    path = wav(tmp_path / "nan.wav", sound, 16000, subtype="FLOAT")
    with pytest.raises(UnreadableAudio, match=r"3 samples that are NaN or infinite; export"):
        audio.load(path)
    with pytest.raises(UnreadableAudio, match="NaN"):
        list(audio.blocks(path))
    assert len(audio.load(path, channel=0).samples) == 1600


def test_a_sum_that_overflows_is_reported_without_a_warning(tmp_path, wav):
    sound = np.full((10, 2), 3e38, dtype=np.float32)
    path = wav(tmp_path / "huge.wav", sound, 16000, subtype="FLOAT")
    with pytest.raises(UnreadableAudio, match="10 samples"):
        audio.load(path)


@pytest.mark.parametrize("to_hz", [None, 48000, 32000, 44100, 8000])
def test_blocks_are_load_in_every_format(every_format, format_name, to_hz):
    pieces = list(audio.blocks(every_format[format_name], to_hz, block_s=0.37))
    assert len(pieces) > 5
    assert all(piece.dtype == np.float32 and piece.ndim == 1 and len(piece) for piece in pieces)
    whole = audio.load(every_format[format_name], to_hz).samples
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    length=st.integers(1, 30000),
    from_hz=st.sampled_from([8000, 11025, 16000, 22050, 44100, 96000, 7919]),
    to_hz=st.sampled_from([8000, 16000, 22050, 32000, 44100]),
    block_s=st.floats(0.003, 2.0),
    channels=st.integers(1, 3),
)
def test_blocks_are_load_whatever_the_sizes(
    tmp_path, wav, length, from_hz, to_hz, block_s, channels
):
    sound = np.random.default_rng(length).uniform(-1, 1, (length, channels)).astype(np.float32)
    path = wav(tmp_path / "any.wav", sound, from_hz, subtype="FLOAT")
    try:
        whole = audio.load(path, to_hz).samples
    except UnreadableAudio:  # one sample at 44.1 kHz is none at 8 kHz
        assert length * to_hz / from_hz < 0.5
        with pytest.raises(UnreadableAudio):
            list(audio.blocks(path, to_hz, block_s=block_s))
        return
    assert len(whole) == int(length * to_hz / from_hz + 0.5)
    pieces = list(audio.blocks(path, to_hz, block_s=block_s))
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_a_file_longer_than_one_piece_is_mixed_the_same(tmp_path, wav, some_sounds, monkeypatch):
    path = wav(tmp_path / "a.flac", some_sounds(1.0, 16000, 2), 16000)
    whole = audio.load(path, 8000).samples
    monkeypatch.setattr("auricle.audio.reading._LOAD_BLOCK_FRAMES", 1000)
    np.testing.assert_array_equal(audio.load(path, 8000).samples, whole)


def test_blocks_hold_one_block_at_a_time(tmp_path):
    """A file of 30 hours (sparse: 1.7 GB of zeros that take no room) begins at once."""
    path = tmp_path / "day.wav"
    frames = 30 * 3600 * 8000
    with soundfile.SoundFile(path, "w", 8000, 1, format="RF64") as file:
        file.write(np.zeros(8000, dtype=np.float32))
    header = bytearray(path.read_bytes()[:-16000])
    size = header.index(b"ds64") + 16
    header[size : size + 8] = (2 * frames).to_bytes(8, "little")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 2 * frames)
    assert audio.probe(path).duration_s == pytest.approx(30 * 3600)
    pieces = audio.blocks(path, 16000, block_s=30.0)
    for _ in range(3):
        assert len(next(pieces)) <= 30 * 16000
    pieces.close()
    # The last second of it is as near as the first.
    end = audio.load(path, offset_s=30 * 3600 - 1, duration_s=1)
    assert len(end.samples) == 8000


def test_files_can_be_read_by_many_threads(every_format):
    paths = list(every_format.values()) * 3
    one_by_one = [audio.load(path, 32000).samples for path in paths]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: audio.load(path, 32000).samples, paths))
    for alone, shared in zip(one_by_one, together, strict=True):
        np.testing.assert_array_equal(alone, shared)


@pytest.mark.parametrize(
    "how",
    [
        {"offset_s": -1.0},
        {"offset_s": float("nan")},
        {"duration_s": 0.0},
        {"duration_s": -2.0},
        {"offset_s": 3.2},
        {"offset_s": 1e9},
        {"sample_rate": 0},
        {"sample_rate": -16000},
    ],
)
def test_arguments_out_of_range_are_errors(every_format, how):
    for name in ("flac", "m4a"):
        with pytest.raises(AudioError) as caught:
            audio.load(every_format[name], **how)
        assert "\n" not in str(caught.value)


def test_block_s_must_be_positive(every_format):
    with pytest.raises(AudioError, match="block_s"):
        list(audio.blocks(every_format["wav"], block_s=0))


def test_non_ascii_names_are_fine(tmp_path, wav, with_av, some_sounds):
    sound = some_sounds(0.2, 48000, 1)
    wav(tmp_path / "Mönch 鳥 100%.flac", sound, 48000)
    with_av(tmp_path / "Mönch 鳥 100%?:.m4a", sound, 48000, "aac", {})
    for path in tmp_path.iterdir():
        assert len(audio.load(str(path)).samples) >= 9600


def test_alac_and_integer_codecs_of_av_become_floats(tmp_path, with_av, some_sounds):
    av = pytest.importorskip("av")
    sound = (some_sounds(0.3, 48000, 2) * 32767).astype(np.int16)
    with av.open(str(tmp_path / "l.m4a"), "w") as container:
        track = container.add_stream("alac", rate=48000, layout="stereo", format="s16p")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.T), format="s16p", layout="stereo"
        )
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    got = audio.load(tmp_path / "l.m4a", channel=1).samples
    np.testing.assert_allclose(got[: len(sound)], sound[:, 1] / 32768, atol=1e-6)


def test_importing_audio_loads_neither_av_nor_torch():
    code = "import sys, auricle.audio; sys.exit(bool({'av', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_av_the_error_names_the_extra(every_format, tmp_path, monkeypatch):
    monkeypatch.setattr("auricle.audio.decode.find_spec", lambda name: None)
    for name in ("m4a", "aac", "webm", "mp4"):
        with pytest.raises(AuricleError, match=r"M4A.*pip install 'auricle\[av\]'"):
            audio.load(every_format[name])
    text = tmp_path / "text.wav"
    text.write_text("not a sound")
    with pytest.raises(UnreadableAudio, match="not a sound file"):
        audio.load(text)
    assert len(audio.load(every_format["mp3"]).samples) == 144000


def test_every_esc10_clip_is_whole_and_equal_to_libsndfile(esc10: Path):
    paths = audio.find_audio([esc10])
    assert len(paths) == 400
    for path in paths[::10]:
        expected, _ = soundfile.read(path, dtype="float32")
        np.testing.assert_array_equal(audio.load(path).samples, expected)
