"""Ogg pages (RFC 3533): is the last one there, and are all between whole?

Decoders skip lost and damaged pages without a word: seconds of sound vanish. The page checksum,
sequence number and end-of-stream flag tell.
"""

import os
import zlib
from typing import BinaryIO

_HEADER_BYTES = 27
_LARGEST_PAGE_BYTES = _HEADER_BYTES + 255 + 255 * 255
_END_OF_STREAM = 0x04
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def inspect_ogg(
    file: BinaryIO, size_bytes: int, *, thorough: bool
) -> tuple[str | None, str | None]:
    """Return (how the end is missing, what is damaged inside), None for what is in order."""
    cut_short = _missing_end(file, size_bytes)
    if cut_short is not None or not thorough:
        return cut_short, None
    return None, _first_damage(file)


def _missing_end(file: BinaryIO, size_bytes: int) -> str | None:
    file.seek(max(0, size_bytes - _LARGEST_PAGE_BYTES))
    tail = file.read(_LARGEST_PAGE_BYTES)
    at = len(tail)
    while (at := tail.rfind(b"OggS", 0, at)) >= 0:
        header = tail[at : at + _HEADER_BYTES + 255]
        if len(header) < _HEADER_BYTES:
            return "its last Ogg page is incomplete"
        if header[4] != 0 or header[5] > 7:
            continue  # the four letters, by chance, in the sound data
        table = header[_HEADER_BYTES : _HEADER_BYTES + header[26]]
        if at + _HEADER_BYTES + header[26] + sum(table) > len(tail):
            return "its last Ogg page is incomplete"
        if not header[5] & _END_OF_STREAM:
            return "its last Ogg page is not marked as the end of the stream"
        return None
    return "it does not end with an Ogg page"


def _first_damage(file: BinaryIO) -> str | None:
    file.seek(0, os.SEEK_SET)
    at, ended = 0, False
    expected: dict[bytes, int] = {}  # the next page number of each stream
    while header := file.read(_HEADER_BYTES):
        if len(header) < _HEADER_BYTES or header[:4] != b"OggS":
            # Tags that other programs append after the end are no part of the sound.
            return None if ended else f"no Ogg page begins at byte {at}"
        table = file.read(header[26])
        body = file.read(sum(table))
        if _checksum(header[:22] + bytes(4) + header[26:] + table + body) != int.from_bytes(
            header[22:26], "little"
        ):
            return f"the checksum of the Ogg page at byte {at} is wrong"
        stream, number = header[14:18], int.from_bytes(header[18:22], "little")
        if number != expected.get(stream, number):
            return f"Ogg pages are missing before byte {at}"
        expected[stream] = (number + 1) & 0xFFFFFFFF
        ended = bool(header[5] & _END_OF_STREAM)
        at += len(header) + len(table) + len(body)
    return None


def _checksum(page: bytes) -> int:
    """Return the CRC-32 of Ogg: zlib's polynomial, without its bit reversal and inversions."""
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(crc.to_bytes(4, "little").translate(_REVERSED), "big")
