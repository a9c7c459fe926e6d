"""Decoding with PyAV (FFmpeg): M4A, AAC, MP4, WebM and what libsndfile refuses.

A stretch is decoded from the start of the file and cut out: after a seek the AAC decoder fills
noise bands with other noise, and WebM's time base of 1 ms is too coarse, so that a read after a
seek would differ from the same stretch of the whole.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from typing import cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from auricle.audio.containers import Container
from auricle.audio.decode import REMEDY, refusal
from auricle.core.errors import TruncatedAudio, UnreadableAudio
from auricle.core.types import FloatArray

# A file that somebody uploads may be a playlist that names other files or addresses.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": (
        "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,m4a,matroska,mov,mp3,mp4,mpc,mpc8,"
        "mpeg,mpegts,ogg,oma,rm,tak,tta,voc,w64,wav,webm,wv"
    ),
}
_NAMES = {"mov": "MP4", "matroska": "WEBM"}

_WEBM_SLACK_S = 0.05
"""WebM declares its length with the codec's delay (6.5 ms for Opus) in it, to the millisecond."""


@contextmanager
def open_av(
    path: str | os.PathLike[str], looks_like: Container, member: BufferedIOBase | None = None
) -> Generator["AvDecoder", None, None]:
    """Open the one audio stream of a file, or of a container's `member` that holds one.

    Raises `UnreadableAudio`.
    """
    if member is None:
        # "file:" keeps FFmpeg from reading a protocol into a name with a colon.
        source = f"file:{os.path.abspath(os.fspath(path))}"
    else:
        member.seek(0)
        source = member
    try:
        container = av.open(source, mode="r", options=_OPTIONS, metadata_errors="replace")
    except FFmpegError:
        raise UnreadableAudio(refusal(path, looks_like)) from None
    with container:
        streams = container.streams.audio
        if len(streams) != 1:
            held = f"{len(streams)} audio streams" if streams else "no audio stream"
            raise UnreadableAudio(
                f"{path} holds {held}, and one is needed; "
                + (
                    "extract one, as with: ffmpeg -i IN -map 0:a:0 OUT.wav"
                    if streams
                    else "name a file with sound"
                )
            )
        yield AvDecoder(path, container, streams[0])


class AvDecoder:
    """A `Decoder` over PyAV."""

    def __init__(
        self, path: str | os.PathLike[str], container: InputContainer, stream: AudioStream
    ) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        # PyAV's types forget that a damaged stream has none.
        context = cast("AudioCodecContext | None", stream.codec_context)
        if context is None or not context.sample_rate or not context.channels:
            raise UnreadableAudio(
                f"{path} does not say its codec, sample rate or channels: it is damaged or cut "
                "short; get a whole copy"
            )
        name = container.format.name.split(",")[0]
        self.container: str = _NAMES.get(name, name.upper())
        self.codec = context.name.upper()
        self.sample_rate = context.sample_rate
        self.channels = context.channels
        self.frames = self._declared_frames()

    def stream(
        self, start_frame: int, count: int | None, block_frames: int, *, allow_truncated: bool
    ) -> Iterator[FloatArray]:
        """See `Decoder.stream`. Blocks hold at least `block_frames`, but for the last."""
        end = None if count is None else start_frame + count
        at, pending, held = 0, [], 0
        for piece in self._pieces(allow_truncated=allow_truncated):
            length = piece.shape[1]
            first = max(0, start_frame - at)
            last = length if end is None else min(length, end - at)
            at += length
            if first < last:
                pending.append(piece[:, first:last])
                held += last - first
            if held >= block_frames:
                yield np.concatenate(pending, axis=1)
                pending, held = [], 0
            if end is not None and at >= end:
                break
        if pending:
            yield np.concatenate(pending, axis=1)
        if end is None and not allow_truncated:
            self._check_count(at)

    def _pieces(self, *, allow_truncated: bool) -> Iterator[FloatArray]:
        """Yield decoded frames as float32 `(channels, frames)`."""
        to_float = AudioResampler(format="fltp")
        for frame in self._frames(allow_truncated=allow_truncated):
            if frame.sample_rate != self.sample_rate or frame.layout.nb_channels != self.channels:
                raise UnreadableAudio(
                    f"{self._path} changes from {self.sample_rate} Hz and {self.channels} "
                    f"channels to {frame.sample_rate} Hz and {frame.layout.nb_channels} on its "
                    "way; re-encode it"
                )
            if frame.format.name == "fltp":
                yield frame.to_ndarray().astype(np.float32, copy=False)
            else:
                for converted in to_float.resample(frame):
                    yield converted.to_ndarray().astype(np.float32, copy=False)

    def _frames(self, *, allow_truncated: bool) -> Iterator[AudioFrame]:
        """Decode packet by packet; a broken last packet is a missing end, any other is damage."""
        broken: FFmpegError | None = None
        try:
            for packet in self._container.demux(self._stream):
                if broken is not None and packet.size:
                    break
                try:
                    yield from packet.decode()
                except FFmpegError as error:
                    broken = error
            else:
                if broken is not None and not allow_truncated:
                    raise TruncatedAudio(
                        f"{self._path} is cut short: its last packet is incomplete; {REMEDY}"
                    )
                return
        except FFmpegError as error:
            broken = error
        raise UnreadableAudio(
            f"{self._path} is damaged: {_reason(broken)}; get a whole copy or re-encode it"
        )

    def _check_count(self, frames: int) -> None:
        """Raise `UnreadableAudio` where FFmpeg skipped damage in a WebM file without a word."""
        if self.container != "WEBM" or self.frames is None or len(self._container.streams) > 1:
            return  # a video may last longer than its sound
        if frames < self.frames - _WEBM_SLACK_S * self.sample_rate:
            raise UnreadableAudio(
                f"{self._path} is damaged: it declares {self.frames / self.sample_rate:.2f} s of "
                f"sound and {frames / self.sample_rate:.2f} s can be decoded; "
                "get a whole copy or re-encode it"
            )

    def _declared_frames(self) -> int | None:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return round(self._stream.duration * self._stream.time_base * self.sample_rate)
        if self._container.duration is not None:
            return round(self._container.duration / av.time_base * self.sample_rate)
        return None


def _reason(error: FFmpegError) -> str:
    return error.strerror or str(error)
