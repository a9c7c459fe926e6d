"""What the bytes of a file say about it before anything is decoded: which container, and whether
its end is missing.

Decoders read a file that was cut short without a word (libsndfile even corrects the frame count
of the header), so the declared size of the sound data is compared with the size of the file.
Costs a few small reads. References: RFC 3533 (Ogg), EBU Tech 3306 (RF64), Apple CAF 1.0, AIFF-C,
ISO 14496-12 (MP4), RFC 8794 (EBML), Sony Wave64.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from auricle.audio.mp3 import inspect_mp3, skip_id3
from auricle.audio.ogg import inspect_ogg

_MOST_CHUNKS = 10_000
"""A limit against files that are built to be walked for ever."""


@dataclass(frozen=True)
class Container:
    """What a file is, by content.

    `cut_short` says how the end is missing and `damage` what is broken inside (None: nothing
    seen). `end_is_there` is True where the container proves it. `counts_frames` is False where
    the container does not declare its length and decoders estimate it; `needs_av` is True where
    libsndfile refuses or misreads the file.
    """

    name: str = "unknown"
    cut_short: str | None = None
    damage: str | None = None
    end_is_there: bool = False
    counts_frames: bool = True
    needs_av: bool = False


def inspect(file: BinaryIO, size_bytes: int, *, thorough: bool) -> Container:
    """Say what `file` (of `size_bytes`) is and whether it is whole.

    `thorough` also checks every page of an Ogg file (about 0.1 ms per 50 KB); otherwise only its
    end is looked at.
    """
    start = file.read(16)
    if start.startswith(b"OggS"):
        cut_short, damage = inspect_ogg(file, size_bytes, thorough=thorough)
        return Container("OGG", cut_short, damage)
    for name, is_this, layout in _CHUNKED:
        if is_this(start):
            return _inspect_chunks(name, start, file, size_bytes, layout(start))
    if start[:4] in (b".snd", b"dns."):
        return Container("AU", _missing_au(start, size_bytes))
    if start[4:8] in (b"ftyp", b"moov", b"mdat"):
        return Container("MP4", _missing_box(file, size_bytes), needs_av=True)
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return Container("WEBM", _missing_ebml(file, size_bytes), needs_av=True)
    if start.startswith(b"fLaC"):
        return Container("FLAC")  # only decoding tells whether it is whole
    return _inspect_mpeg(file, size_bytes)


def _inspect_mpeg(file: BinaryIO, size_bytes: int) -> Container:
    at = skip_id3(file)
    file.seek(at)
    head = file.read(2)
    # ADTS has the sync word of MP3 and the layer bits that MP3 reserves.
    if len(head) == 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return Container("AAC", counts_frames=False, needs_av=True)
    mp3 = inspect_mp3(file, at)
    if mp3 is None:
        return Container()
    cut_short = None if mp3.end_byte is None else _missing(mp3.start_byte, mp3.end_byte, size_bytes)
    return Container(
        "MP3",
        cut_short,
        end_is_there=mp3.end_byte is not None and cut_short is None,
        counts_frames=mp3.counts_frames,
        # libsndfile takes the first frame's bitrate for the whole and would drop the rest.
        needs_av=mp3.bitrate_varies and not mp3.counts_frames,
    )


class _Layout(NamedTuple):
    """How chunks lie in a file: `header` unpacks to (name, size)."""

    first_byte: int
    header: struct.Struct
    size_counts_header: bool
    alignment: int
    sound: bytes


def _riff(start: bytes) -> _Layout:
    return _Layout(12, struct.Struct(">4sI" if start[:4] == b"RIFX" else "<4sI"), False, 2, b"data")


_CHUNKED: tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], _Layout]], ...] = (
    (
        "WAV",
        lambda start: start[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and start[8:12] == b"WAVE",
        _riff,
    ),
    (
        "AIFF",
        lambda start: start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"),
        lambda start: _Layout(12, struct.Struct(">4sI"), False, 2, b"SSND"),
    ),
    (
        "W64",
        lambda start: start == b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00",
        lambda start: _Layout(40, struct.Struct("<4s12xQ"), True, 8, b"data"),
    ),
    (
        "CAF",
        lambda start: start[:4] == b"caff",
        lambda start: _Layout(8, struct.Struct(">4sq"), False, 1, b"data"),
    ),
)


def _inspect_chunks(
    name: str, start: bytes, file: BinaryIO, size_bytes: int, layout: _Layout
) -> Container:
    """Compare the declared size of the sound with the file's."""
    found = _find_sound(file, layout)
    if found is None:
        return Container(name)
    begin, declared = found
    if declared is None:
        return Container(name, "it ends before its sound data begins")
    if declared == 0 and begin < size_bytes and name == "WAV":
        # A recorder that lost power, or an empty sound with tags behind it? libsndfile takes
        # both for empty; FFmpeg reads on. The size of the whole was then not written either.
        whole = int.from_bytes(start[4:8], "big" if start[:4] == b"RIFX" else "little")
        return Container(name, needs_av=whole + 8 <= begin or _is_placeholder(whole))
    if _is_placeholder(declared):
        return Container(name)
    return Container(name, _missing(begin, begin + declared, size_bytes))


def _find_sound(file: BinaryIO, layout: _Layout) -> tuple[int, int | None] | None:
    """Walk the chunks to the sound: (its first byte, its size), size None where the file ends
    before it; None where the walk leads nowhere.
    """
    at, header_bytes, sound_64_bit = layout.first_byte, layout.header.size, None
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        header = file.read(header_bytes)
        if len(header) < header_bytes:
            return at, None
        name, declared = layout.header.unpack(header)
        at += header_bytes
        if layout.size_counts_header:
            declared -= header_bytes
        if name == b"ds64":
            sound_64_bit = int.from_bytes(file.read(16)[8:], "little")
        if name == layout.sound:
            if sound_64_bit is not None and declared == 0xFFFFFFFF:
                declared = sound_64_bit
            return at, declared
        if declared < 0:
            return None
        at += declared
        at += -at % layout.alignment
    return None


def _missing_au(start: bytes, size_bytes: int) -> str | None:
    if len(start) < 12:
        return "it ends before its sound data begins"
    content, declared = struct.unpack(">II" if start[:4] == b".snd" else "<II", start[4:12])
    return None if _is_placeholder(declared) else _missing(content, content + declared, size_bytes)


def _missing_box(file: BinaryIO, size_bytes: int) -> str | None:
    """Walk the top-level boxes of an MP4 file; the last one must end inside the file."""
    at, names = 0, []
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            break
        length, name = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        if length == 0:  # to the end of the file
            return None
        if length < 8:
            return None  # not a box: the decoder shall say what is wrong
        if at + length > size_bytes and name in (b"moov", b"moof", b"mdat"):
            return _missing(at, at + length, size_bytes)
        names.append(name)
        at += length
    return None if b"moov" in names else "its table of contents (the 'moov' box) is missing"


def _missing_ebml(file: BinaryIO, size_bytes: int) -> str | None:
    """Compare the size of a Matroska or WebM file's one Segment with the file's."""
    file.seek(4)
    length = _ebml_size(file)
    if length is None:
        return None
    file.seek(length, 1)
    if file.read(4) != b"\x18\x53\x80\x67":
        return None
    length = _ebml_size(file)
    if length is None:
        return None
    at = file.tell()
    return _missing(at, at + length, size_bytes)


def _ebml_size(file: BinaryIO) -> int | None:
    """Read a size of variable width; None where it is unknown (all ones) or absent."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value


def _is_placeholder(declared: int) -> bool:
    """Say whether a size is what programs write that do not know it yet (a pipe, a crash).

    0 and all ones are common; sox and arecord write figures just below 2 GiB.
    """
    return (
        declared <= 0
        or declared in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
        or 0x7FFFF000 <= declared <= 0x80000000
    )


def _missing(begin: int, end: int, size_bytes: int) -> str | None:
    if end <= size_bytes:
        return None
    there = max(0, size_bytes - begin)
    return f"it declares {end - begin} bytes of sound and holds {there}"
