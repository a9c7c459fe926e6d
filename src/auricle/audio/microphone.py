"""A microphone as a source of blocks of samples.

PortAudio, through the package sounddevice of the extra 'mic', is the only one who knows devices.
Blocks are read, not called back: the reader sets the pace, and what it is too slow for is counted.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from auricle.audio.resampling import Resampler, check_rate
from auricle.core.errors import AudioError, MissingExtra, nearest
from auricle.core.types import FloatArray
from auricle.core.units import seconds_to_samples

BLOCK_S = 0.05
_HELD_S = 0.25
"""How much the system keeps for a reader that is late."""


class MicrophoneError(AudioError):
    """There is no microphone, or it does not give sound."""


@dataclass(frozen=True)
class InputDevice:
    """A device that sound can be recorded from. `sample_rate` (Hz) is what it prefers."""

    index: int
    name: str
    system: str
    channels: int
    sample_rate: int
    default: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.system})"


class Backend(Protocol):
    """What is used of the module sounddevice."""

    InputStream: Any
    default: Any

    @property
    def PortAudioError(self) -> type[Exception]:
        """What its functions raise."""
        ...

    def query_devices(self) -> Any:
        """Return a sequence of devices, each a mapping."""
        ...

    def query_hostapis(self) -> Any:
        """Return a sequence of systems such as ALSA, each a mapping."""
        ...


def input_devices(backend: Backend | None = None) -> list[InputDevice]:
    """List the devices that sound can be recorded from.

    Raises `MissingExtra` without sounddevice and `MicrophoneError` without PortAudio.
    """
    backend = backend or load_backend()
    try:
        devices, systems = backend.query_devices(), backend.query_hostapis()
    except backend.PortAudioError as error:
        raise MicrophoneError(f"PortAudio cannot list devices: {_reason(error)}") from None
    chosen = backend.default.device
    default = chosen if isinstance(chosen, int) else chosen[0]
    return [
        InputDevice(
            index=index,
            name=str(device["name"]),
            system=str(systems[device["hostapi"]]["name"]),
            channels=int(device["max_input_channels"]),
            sample_rate=int(device["default_samplerate"]),
            default=index == default,
        )
        for index, device in enumerate(devices)
        if device["max_input_channels"] > 0
    ]


def load_backend() -> Backend:
    """Import sounddevice. Raises `MissingExtra`, and `MicrophoneError` without PortAudio."""
    try:
        import sounddevice
    except ImportError:
        raise MissingExtra("Recording from a microphone", "mic") from None
    except OSError as error:  # sounddevice looks for the library when it is imported
        raise MicrophoneError(
            f"recording needs the library PortAudio, which cannot be loaded ({error}). On Debian "
            "and Ubuntu: apt-get install libportaudio2; on Fedora: dnf install portaudio"
        ) from None
    return sounddevice


def find_device(name: str | None, devices: list[InputDevice]) -> InputDevice:
    """Return the device that is called `name`, or whose name alone holds it, whatever the case.

    None is the system's default. The text may name the system too, as `Built-in (ALSA)` does.
    Raises `MicrophoneError` for none and for several, and lists them.
    """
    if not devices:
        raise MicrophoneError(
            "no microphone found: connect one, and let this program use it where the system asks "
            "(containers and remote machines usually have none)"
        )
    if name is None:
        return next((device for device in devices if device.default), devices[0])
    wanted = name.casefold()
    found = [one for one in devices if wanted in (one.name.casefold(), str(one).casefold())]
    found = found or [one for one in devices if wanted in str(one).casefold()]
    if not found:
        guess = nearest(name, [one.name for one in devices])
        hint = f"did you mean '{guess}'?" if guess else f"there are: {_listed(devices)}"
        raise MicrophoneError(f"no microphone is called '{name}'; {hint}")
    if len(found) == 1:
        return found[0]
    for device in found:
        if device.default:
            return device
    raise MicrophoneError(f"'{name}' fits {len(found)} microphones, name one: {_listed(found)}")


def _listed(devices: list[InputDevice]) -> str:
    return ", ".join(f"'{device}'" for device in devices)


class Microphone:
    """Sound from a device, block by block, as long as the `with` block lasts.

    `sample_rate` in Hz and `channels` are what `blocks` yields. A device that does not offer the
    rate is opened at its own (`device_rate`), and what it gives is resampled. `block_s` is how
    many seconds a block lasts. `overflows` counts the blocks before which sound was lost, since
    nobody read in time.
    """

    def __init__(
        self,
        device: InputDevice,
        *,
        sample_rate: int = 16000,
        channels: int = 1,
        block_s: float | None = None,
        backend: Backend | None = None,
    ) -> None:
        """Say what is to be opened. Raises `AudioError` for figures out of range."""
        check_rate(sample_rate)
        if not 1 <= channels <= device.channels:
            raise AudioError(
                f"{device} has {device.channels} channels; {channels} cannot be recorded"
            )
        block_s = BLOCK_S if block_s is None else block_s
        if not (math.isfinite(block_s) and block_s > 0):
            raise AudioError(f"block_s must be above 0 seconds, got {block_s}")
        self.device = device
        self.sample_rate = sample_rate
        self.device_rate = sample_rate
        self.channels = channels
        self.overflows = 0
        self._block_s = block_s
        self._backend = backend or load_backend()
        self._stream: Any = None

    def __enter__(self) -> "Microphone":
        """Open the device and start it. Raises `MicrophoneError`."""
        try:
            self._stream = self._open(self.sample_rate)
        except self._backend.PortAudioError as error:
            if self.device.sample_rate == self.sample_rate:
                raise self._refusal(error) from None
            try:
                self._stream = self._open(self.device.sample_rate)
            except self._backend.PortAudioError as second:
                raise self._refusal(second) from None
            self.device_rate = self.device.sample_rate
        return self

    def _open(self, sample_rate: int) -> Any:
        stream = self._backend.InputStream(
            samplerate=sample_rate,
            blocksize=self._block_frames(sample_rate),
            latency=_HELD_S,
            device=self.device.index,
            channels=self.channels,
            dtype="float32",
        )
        try:
            stream.start()
        except self._backend.PortAudioError:
            stream.close()
            raise
        return stream

    def _block_frames(self, sample_rate: int) -> int:
        return max(1, seconds_to_samples(self._block_s, sample_rate))

    def _refusal(self, error: Exception) -> MicrophoneError:
        return MicrophoneError(
            f"{self.device} cannot be recorded from: {_reason(error)}. Another program may use it; "
            "--list-devices shows what else there is"
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the device, whatever happened."""
        if self._stream is not None:
            # Not stop(), which waits for what is still to come.
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
            self._stream = None

    def blocks(self) -> Iterator[FloatArray]:
        """Yield float32 `(channels, time)` in [-1, 1) for as long as it is asked.

        16-bit sound comes exactly: a sample is its number over 32,768. Raises `MicrophoneError`
        when the device goes away, and outside of the `with` block.
        """
        resamplers = [Resampler(self.device_rate, self.sample_rate) for _ in range(self.channels)]
        frames = self._block_frames(self.device_rate)
        while True:
            if self._stream is None:
                raise MicrophoneError("a microphone gives sound only inside its 'with' block")
            try:
                block, overflowed = self._stream.read(frames)
            except self._backend.PortAudioError as error:
                raise MicrophoneError(
                    f"{self.device} stopped giving sound: {_reason(error)}"
                ) from None
            self.overflows += bool(overflowed)
            if not np.isfinite(block).all():
                raise MicrophoneError(
                    f"{self.device} gives samples that are no numbers; choose another device"
                )
            pieces = [one(row.copy()) for one, row in zip(resamplers, block.T, strict=True)]
            if len(pieces[0]):
                yield np.stack(pieces)


def _reason(error: Exception) -> str:
    """Return what PortAudio says, without its own numbering."""
    text = str(error.args[0]) if error.args else str(error)
    return " ".join(text.split())
