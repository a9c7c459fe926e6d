"""Recording labelled clips into a folder per class.

A clip is written under a temporary name while it is recorded and gets its own when it is whole:
what is interrupted leaves nothing behind. Names hold the time and a random part, so that two
recorders never write the same file.
"""

import math
import os
import secrets
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from auricle.audio.encoding import to_integers
from auricle.audio.level import CLIPPED_SHARE, FULL_SCALE
from auricle.audio.microphone import Microphone
from auricle.core.errors import DataError
from auricle.core.types import FloatArray, Label
from auricle.core.units import seconds_to_samples
from auricle.core.writing import replacing

Bits = Literal[16, 24]

QUIET_DB = -40.0
"""A clip whose loudest sample lies below is told to be too quiet, dB relative to full scale."""
MOST_LABEL_BYTES = 150
"""Of a label that names a folder and files, which file systems allow 255 bytes."""

_MOST_BYTES = (1 << 32) - (1 << 20)  # what the header of a WAV file can count


@dataclass(frozen=True)
class Take:
    """One recorded clip; `peak_db` is its loudest sample, dB relative to full scale."""

    path: Path
    duration_s: float
    peak_db: float
    clipped_share: float
    overflows: int

    @property
    def problems(self) -> list[str]:
        """What is wrong with the sound, one sentence each."""
        found: list[str] = []
        if self.peak_db == -math.inf:
            found.append("nothing but zeros was recorded: is the microphone muted?")
        elif self.peak_db < QUIET_DB:
            found.append(
                f"too quiet: its peak is {self.peak_db:.0f} dB; raise the input level, or go nearer"
            )
        if self.clipped_share >= CLIPPED_SHARE:
            found.append(
                f"clipped: {self.clipped_share:.1%} of the samples are at full scale; lower the "
                "input level"
            )
        if self.overflows:
            found.append(f"sound was lost {self.overflows} times: the machine was too slow")
        return found


Watch = Callable[[float, float], None]
"""Told the seconds so far and the peak of the last block in dB, block by block."""


def class_folder(folder: Path, label: Label) -> Path:
    """Return where the clips of a class go. Raises `DataError` for what can be no folder's name."""
    forbidden = any(letter in "/\\" or ord(letter) < 32 for letter in label)
    if forbidden or not label.strip() or label != label.strip() or label.startswith("."):
        raise DataError(
            f"the label {label!r} cannot be the name of a folder: use letters, figures and signs "
            "other than / and \\, without a dot or blanks at its start"
        )
    if len(os.fsencode(label)) > MOST_LABEL_BYTES:
        raise DataError(
            f"the label '{label[:20]}...' is too long for the name of a folder: at most "
            f"{MOST_LABEL_BYTES} bytes are"
        )
    return folder / label


def record_take(
    microphone: Microphone,
    folder: Path,
    label: Label,
    *,
    length_s: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    bits: Bits = 16,
    watch: Watch | None = None,
) -> Take:
    """Record one clip of a class: `length_s` seconds, exactly, or until `stop` says so.

    The microphone must be open. The clip is a WAV file of `bits` bits in `folder/label`, whole or
    absent; where nothing stops it, it ends when the file is full. Raises `DataError` for a label
    that can be no folder and a length that is no clip, `MicrophoneError`, `WriteError`.
    """
    target = class_folder(folder, label) / _new_name(label)
    most = _MOST_BYTES // (microphone.channels * bits // 8)
    wanted = most
    if length_s is not None:
        wanted = seconds_to_samples(length_s, microphone.sample_rate)
        if not 1 <= wanted <= most:
            raise DataError(
                f"a clip has at least one sample, and at most {most / microphone.sample_rate:.0f} "
                f"s, which fill a WAV file; got {length_s:g} s"
            )
    meter = _Meter()
    lost_before = microphone.overflows
    with replacing(target) as temporary, temporary.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(microphone.channels)
        file.setsampwidth(bits // 8)
        file.setframerate(microphone.sample_rate)
        for block in microphone.blocks():
            left = wanted - meter.frames
            block = block[:, :left]
            meter.add(block)
            file.writeframesraw(to_pcm(block, bits))
            if watch is not None:
                watch(meter.frames / microphone.sample_rate, meter.block_peak_db)
            if block.shape[1] == left or stop():
                break
    return Take(
        path=target,
        duration_s=meter.frames / microphone.sample_rate,
        peak_db=_db(meter.peak),
        clipped_share=meter.clipped / max(1, meter.frames * microphone.channels),
        overflows=microphone.overflows - lost_before,
    )


def to_pcm(samples: FloatArray, bits: Bits) -> bytes:
    """Return float32 `(channels, time)` as little-endian PCM, frame by frame; see `to_integers`."""
    numbers = to_integers(samples.T, bits)
    if bits == 16:
        return numbers.astype("<i2").tobytes()
    wide = np.ascontiguousarray(numbers.astype("<i4"))
    return wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


class _Meter:
    """Counts and peaks of what was recorded so far."""

    def __init__(self) -> None:
        self.frames = 0
        self.peak = 0.0
        self.clipped = 0
        self.block_peak_db = -math.inf

    def add(self, block: FloatArray) -> None:
        levels = np.abs(block)
        peak = float(levels.max(initial=0.0))
        self.frames += block.shape[1]
        self.peak = max(self.peak, peak)
        self.clipped += int(np.count_nonzero(levels >= FULL_SCALE))
        self.block_peak_db = _db(peak)


def _db(peak: float) -> float:
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def _new_name(label: Label) -> str:
    stem = "_".join(label.split())
    return f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}.wav"
