"""MP3 headers: does the file declare its length, and can it be trusted without?

Only a Xing, Info or VBRI header declares the length. Without one a file that was cut short looks
like any other, and decoders estimate its length from the bitrate of the first frame.
Reference: ISO 11172-3, ISO 13818-3, LAME's tag specification, Fraunhofer's VBRI header.
"""

from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

_SEARCH_BYTES = 1 << 16
_WALK_BYTES = 1 << 18
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ = (44100, 48000, 32000)


@dataclass(frozen=True)
class Mp3Header:
    """Where the frames begin and, where declared, end; whether the length is declared."""

    start_byte: int
    end_byte: int | None
    counts_frames: bool
    bitrate_varies: bool


class _Frame(NamedTuple):
    kind: bytes  # the bits that all frames of a file share
    kbps: int
    length_bytes: int


def skip_id3(file: BinaryIO) -> int:
    """Return the byte after the ID3v2 tags at the start of a file."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return at
        size = 0
        for byte in head[6:10]:  # seven bits a byte
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if head[5] & 0x10 else 0)


def inspect_mp3(file: BinaryIO, at: int) -> Mp3Header | None:
    """Read the first MP3 frame at or after byte `at`; None where there is none (layer III)."""
    file.seek(at)
    head = file.read(_SEARCH_BYTES)
    offset = _first_frame(head)
    if offset is None:
        return None
    start = at + offset
    tag = head[offset : offset + 256]
    for mark in (b"Xing", b"Info"):
        # It follows the side information, at most 32 bytes (and 2 of checksum).
        found = tag.find(mark, 4, 48)
        if found > 0:
            flags = _big(tag, found + 4)
            length = _big(tag, found + (12 if flags & 1 else 8)) if flags & 2 else 0
            return Mp3Header(start, start + length if length else None, bool(flags & 1), False)
    if tag[36:40] == b"VBRI":
        return Mp3Header(start, start + _big(tag, 46), True, False)
    file.seek(start)
    return Mp3Header(start, None, False, _bitrate_varies(file.read(_WALK_BYTES)))


def _first_frame(head: bytes) -> int | None:
    at = head.find(b"\xff")
    while at >= 0:
        frame = _frame(head, at)
        if frame is not None:
            # The sync word also occurs by chance: another frame, or the end, must follow.
            following = at + frame.length_bytes
            after = _frame(head, following)
            if following >= len(head) or (after is not None and after.kind == frame.kind):
                return at
        at = head.find(b"\xff", at + 1)
    return None


def _bitrate_varies(stream: bytes) -> bool:
    first = frame = _frame(stream, 0)
    at = 0
    while first and frame and frame.kind == first.kind:
        if frame.kbps != first.kbps:
            return True
        at += frame.length_bytes
        frame = _frame(stream, at)
    return False


def _frame(stream: bytes, at: int) -> _Frame | None:
    if at + 4 > len(stream) or stream[at] != 0xFF or stream[at + 1] & 0xE6 != 0xE2:
        return None
    version = stream[at + 1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    index, rate = stream[at + 2] >> 4, stream[at + 2] >> 2 & 3
    if version == 1 or index in (0, 15) or rate == 3:
        return None
    kbps = (_KBPS_1 if version == 3 else _KBPS_2)[index]
    rate_hz = _RATES_HZ[rate] // {3: 1, 2: 2, 0: 4}[version]
    length = (144000 if version == 3 else 72000) * kbps // rate_hz + (stream[at + 2] >> 1 & 1)
    return _Frame(bytes((stream[at + 1], rate)), kbps, length)


def _big(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
