"""Files that are cut short, damaged inside, or no sound at all."""

import os
import struct
from contextlib import suppress

import numpy as np
import pytest
import soundfile

from auricle import audio
from auricle.audio.decode import examine
from auricle.core.errors import AuricleError, TruncatedAudio, UnreadableAudio


def cut(path, folder, share):
    """A copy of the first `share` of a file (a count of bytes to leave out, where negative)."""
    whole = path.read_bytes()
    short = folder / path.name
    short.write_bytes(whole[: int(len(whole) * share)] if share > 0 else whole[:share])
    return short


def one_line(error):
    text = str(error.value)
    return "\n" not in text and ";" in text


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 0.99, -1])
def test_a_file_cut_short_is_reported(every_format, format_name, tmp_path, share):
    short = cut(every_format[format_name], tmp_path, share)
    with pytest.raises(TruncatedAudio, match="cut short") as caught:
        audio.load(short)
    assert one_line(caught)
    with pytest.raises(TruncatedAudio):
        list(audio.blocks(short, 16000))


@pytest.mark.parametrize("share", [0.5, 0.7, 0.99])
def test_what_is_there_is_read_where_allowed(every_format, streaming_name, tmp_path, share):
    whole = audio.load(every_format[streaming_name]).samples
    short = cut(every_format[streaming_name], tmp_path, share)
    there = audio.load(short, allow_truncated=True).samples
    # Opus comes in pages of a second, of which only whole ones can be decoded.
    page = 1.05 * 48000 if streaming_name in ("ogg", "opus", "webm") else 5000
    assert share * len(whole) - page < len(there) < len(whole)
    # The last codec frame may lack the half that overlaps with the next.
    np.testing.assert_array_equal(there[:-3000], whole[: len(there) - 3000])
    blocks = list(audio.blocks(short, block_s=0.4, allow_truncated=True))
    np.testing.assert_array_equal(np.concatenate(blocks), there)


@pytest.mark.parametrize("name", ["m4a", "mp4"])
def test_an_m4a_without_its_table_of_contents_cannot_be_read(every_format, tmp_path, name):
    short = cut(every_format[name], tmp_path, 0.5)
    with pytest.raises(UnreadableAudio, match="nothing in it can be decoded") as caught:
        audio.load(short, allow_truncated=True)
    assert one_line(caught)


@pytest.mark.parametrize("length", [1, 4, 11, 30, 60])
def test_a_file_of_a_few_bytes_is_an_error_never_a_crash(
    every_format, format_name, tmp_path, length
):
    stub = tmp_path / every_format[format_name].name
    stub.write_bytes(every_format[format_name].read_bytes()[:length])
    with pytest.raises((UnreadableAudio, TruncatedAudio)) as caught:
        audio.load(stub)
    assert one_line(caught)
    with suppress(UnreadableAudio):  # where the header is whole, a few samples may be there
        assert len(audio.load(stub, allow_truncated=True).samples) < 12


def test_a_stretch_of_a_file_cut_short_is_reported_too(every_format, declaring_name, tmp_path):
    short = cut(every_format[declaring_name], tmp_path, 0.7)
    with pytest.raises(TruncatedAudio):
        audio.load(short, offset_s=0.1, duration_s=0.2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["ogg", "opus", "flac", "mp3", "m4a", "aac", "webm"])
def test_garbage_inside_is_reported_and_is_not_truncation(every_format, tmp_path, name, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(every_format[name].read_bytes())
    at = int(len(data) * rng.uniform(0.2, 0.6))
    data[at : at + 3000] = rng.bytes(3000)
    broken = tmp_path / every_format[name].name
    broken.write_bytes(data)
    for allow in (False, True) if name != "webm" else (False,):
        with pytest.raises(UnreadableAudio, match="damaged") as caught:
            audio.load(broken, allow_truncated=allow)
        assert one_line(caught)


@pytest.mark.parametrize("name", ["ogg", "opus"])
def test_a_lost_ogg_page_is_reported(every_format, tmp_path, name):
    data = every_format[name].read_bytes()
    starts = [i for i in range(len(data)) if data.startswith(b"OggS", i)]
    lossy = tmp_path / "lost.ogg"
    lossy.write_bytes(data[: starts[3]] + data[starts[4] :])
    with pytest.raises(UnreadableAudio, match="pages are missing before byte"):
        audio.load(lossy)


def test_one_flipped_bit_in_an_ogg_page_is_seen(every_format, tmp_path):
    data = bytearray(every_format["ogg"].read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flip.ogg").write_bytes(data)
    with pytest.raises(UnreadableAudio, match="checksum"):
        audio.load(tmp_path / "flip.ogg")


def test_tags_after_the_end_are_no_damage(every_format, taggable_name, tmp_path):
    whole = every_format[taggable_name]
    tagged = tmp_path / whole.name
    tagged.write_bytes(whole.read_bytes() + b"TAG" + b"title".ljust(125))
    np.testing.assert_array_equal(audio.load(tagged).samples, audio.load(whole).samples)


def test_tags_before_the_start_are_skipped(every_format, tmp_path):
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 0x10, 0]) + bytes(0x10 << 7)
    tagged = tmp_path / "tagged.mp3"
    tagged.write_bytes(tag + every_format["mp3"].read_bytes())
    assert len(audio.load(tagged).samples) == 144000
    with pytest.raises(TruncatedAudio):
        audio.load(cut(tagged, tmp_path, 0.9))


# What programs write that do not know the length: (where the sizes stand, what stands there).
@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF])
def test_the_wav_of_a_pipe_is_not_truncated(every_format, tmp_path, size):
    data = bytearray(every_format["wav"].read_bytes())
    data[4:8] = struct.pack("<I", size)
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    path = tmp_path / "pipe.wav"
    path.write_bytes(data)
    assert examine(path, thorough=True).cut_short is None
    np.testing.assert_array_equal(audio.load(path).samples, audio.load(every_format["wav"]).samples)


def test_an_empty_wav_with_tags_behind_is_empty(tmp_path):
    """FFmpeg would decode the tags."""
    chunk = b"LIST" + struct.pack("<I", 400) + bytes(range(200)) * 2
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + bytes(4)
    path = tmp_path / "empty.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body + chunk)) + body + chunk)
    with pytest.raises(UnreadableAudio, match="no samples"):
        audio.load(path)


def test_the_au_and_caf_of_a_pipe_are_not_truncated(every_format, tmp_path):
    au = bytearray(every_format["au"].read_bytes())
    au[8:12] = b"\xff" * 4
    caf = bytearray(every_format["caf"].read_bytes())
    at = caf.index(b"data") + 4
    caf[at : at + 8] = b"\xff" * 8
    for name, data in (("au", au), ("caf", caf)):
        path = tmp_path / f"pipe.{name}"
        path.write_bytes(data)
        whole = audio.load(every_format[name]).samples
        np.testing.assert_array_equal(audio.load(path).samples[: len(whole)], whole)


def test_a_flac_that_does_not_declare_its_length(every_format, tmp_path):
    data = bytearray(every_format["flac"].read_bytes())
    data[21] &= 0xF0  # the 36 bits of the count of samples
    data[22:26] = bytes(4)
    path = tmp_path / "pipe.flac"
    path.write_bytes(data)
    assert audio.probe(path).frames is None
    whole = audio.load(every_format["flac"]).samples
    np.testing.assert_array_equal(audio.load(path).samples, whole)
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks(path, block_s=0.7))), whole)


def mp3_without_header(path):
    """The frames of an MP3 without the first, which holds the Xing header."""
    data = path.read_bytes()
    first = data.index(b"\xff\xfb")
    second = data.index(data[first : first + 2], first + 100)
    assert b"Xing" in data[first:second] or b"Info" in data[first:second]
    return data[second:]


def test_an_mp3_of_constant_bitrate_without_header_is_read_whole(tmp_path, wav, some_sounds):
    path = tmp_path / "c.mp3"
    sound = some_sounds(2.0, 44100, 1)
    with soundfile.SoundFile(path, "w", 44100, 1, bitrate_mode="CONSTANT") as file:
        file.write(sound)
    bare = tmp_path / "bare.mp3"
    bare.write_bytes(mp3_without_header(path))
    container = examine(bare, thorough=True)
    assert (container.name, container.counts_frames) == ("MP3", False)
    assert abs(len(audio.load(bare).samples) - 88200) <= 3 * 1152
    # It cannot be told that this one was cut: the page on limits says so.
    assert len(audio.load(cut(bare, tmp_path, 0.5)).samples) < 60000


def test_an_mp3_of_varying_bitrate_without_header_loses_nothing(every_format, tmp_path):
    """libsndfile takes the first frame's bitrate for all and stops early."""
    pytest.importorskip("av")
    bare = tmp_path / "bare.mp3"
    bare.write_bytes(mp3_without_header(every_format["mp3"]))
    if not examine(bare, thorough=True).needs_av:
        pytest.fail("the encoder no longer varies its bitrate: choose another sound")
    assert abs(len(audio.load(bare).samples) - 144000) <= 3 * 1152


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.wav", b"", "empty"),
        ("text.wav", b"this is not a sound", "not a sound file"),
        ("page.wav", b"<!DOCTYPE html><html>" * 50, "not a sound file"),
        ("zeros.wav", bytes(5000), "not a sound file"),
        ("headerless.raw", bytes(5000), "not a sound file"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nother.wav\n", "not a sound file"),
        ("list.wav", b"ffconcat version 1.0\nfile other.wav\n", "not a sound file"),
    ],
)
def test_what_is_no_sound_is_an_error_of_one_line(tmp_path, name, content, reason, allow):
    (tmp_path / name).write_bytes(content)
    for read in (audio.load, audio.probe):
        with pytest.raises(UnreadableAudio, match=reason) as caught:
            read(tmp_path / name, **({"allow_truncated": allow} if read is audio.load else {}))
        assert one_line(caught)


def test_a_header_without_samples_is_an_error(tmp_path, wav):
    for suffix in ("wav", "aiff", "caf"):
        path = wav(tmp_path / f"none.{suffix}", np.empty((0, 1), dtype=np.float32), 16000)
        with pytest.raises(UnreadableAudio, match="no samples"):
            audio.load(path)
        with pytest.raises(UnreadableAudio, match="no samples"):
            list(audio.blocks(path))


def test_missing_files_and_folders_are_errors(tmp_path):
    with pytest.raises(UnreadableAudio, match="does not exist"):
        audio.load(tmp_path / "nowhere.wav")
    with pytest.raises(UnreadableAudio, match="is a folder"):
        audio.load(tmp_path)
    with pytest.raises(UnreadableAudio):
        audio.load("null\0byte.wav")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UnreadableAudio, match="not a regular file"):
        audio.load(tmp_path / "pipe.wav")


def test_mp4_needs_one_audio_stream(tmp_path, with_av, some_sounds):
    av = pytest.importorskip("av")
    two = with_av(tmp_path / "two.mp4", some_sounds(0.3, 48000, 1), 48000, "aac", {}, streams=2)
    with pytest.raises(UnreadableAudio, match="2 audio streams"):
        audio.load(two)
    with av.open(str(tmp_path / "video.mp4"), "w") as container:
        track = container.add_stream("mpeg4", rate=10)
        track.width = track.height = 64
        track.pix_fmt = "yuv420p"
        picture = np.zeros((64, 64, 3), dtype=np.uint8)
        container.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(track.encode(None))
    with pytest.raises(UnreadableAudio, match="no audio stream"):
        audio.load(tmp_path / "video.mp4")


def test_headers_full_of_noise_end_in_an_error_or_sound(every_format, format_name, tmp_path):
    """Any damage to the first bytes: an error for people or a sound, never another exception."""
    data = every_format[format_name].read_bytes()[:20000]
    path = tmp_path / every_format[format_name].name
    outcomes = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        noisy = bytearray(data)
        for at in rng.integers(0, 120, 6):
            noisy[at] = rng.integers(256)
        path.write_bytes(noisy)
        for read in (audio.load, lambda p: audio.load(p, allow_truncated=True), audio.probe):
            try:
                read(path)
                outcomes.append("sound")
            except AuricleError as error:
                outcomes.append(str(error))
    assert len(outcomes) == 36
    assert not any("\n" in outcome for outcome in outcomes)


def test_all_esc10_clips_are_whole_and_halves_are_not(esc10, tmp_path):
    paths = audio.find_audio([esc10])
    assert len(paths) == 400
    for path in paths:
        container = examine(path, thorough=True)
        assert (container.name, container.cut_short, container.damage) == ("OGG", None, None)
    for path in paths[::20]:
        with pytest.raises(TruncatedAudio):
            audio.load(cut(path, tmp_path, 0.5))
