"""A folder of sounds that augmentations draw from: read once, kept in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from auricle import audio
from auricle.core.errors import AudioError, ConfigError, MissingExtra, UnreadableAudio

_BYTES_PER_SAMPLE = 4


class Sounds(Sequence[Tensor]):
    """Sounds at one sample rate, float32 `(time,)` each; `notes` say what was left out and why."""

    def __init__(self, sounds: Sequence[Tensor], notes: Sequence[str]) -> None:
        self._sounds = tuple(sounds)
        self.notes = tuple(notes)

    def __len__(self) -> int:
        return len(self._sounds)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return self._sounds[index]

    def stretches(self, which: Sequence[int], places: Sequence[float], size: int) -> Tensor:
        """Read `size` samples of each of the sounds `which`: `(len(which), size)`.

        `places` in [0, 1) say where in the room that is left; a shorter sound goes round.
        """
        read = torch.empty(len(which), size)
        for row, index, place in zip(read, which, places, strict=True):
            sound = self._sounds[index]
            if len(sound) >= size:
                start = int(place * (len(sound) - size + 1))
                row.copy_(sound[start : start + size])
            else:
                turned = sound.roll(-int(place * len(sound)))
                row.copy_(turned.repeat(-(-size // len(sound)))[:size])
        return read


class SoundFolder:
    """The sound files of a folder and below.

    `option` names the flag in messages; `longest_s` cuts each file, and `cache_mb` ends the reading
    at so many MB of float32: files are taken in an order that depends on their names alone, so
    that what is read of a larger folder is a fair part of it and the same everywhere. Raises
    `ConfigError` where the folder is missing or holds no sound.
    """

    def __init__(
        self, folder: str, option: str, *, longest_s: float | None = None, cache_mb: int = 1024
    ) -> None:
        self.folder = folder
        self.option = option
        self.longest_s = longest_s
        self.cache_mb = cache_mb
        if not Path(folder).is_dir():
            raise ConfigError(f"{option} must name a folder of sound files, got '{folder}'")
        try:
            paths = audio.find_audio([folder])
        except UnreadableAudio as error:
            raise ConfigError(f"{option}: {error}") from None
        self.paths = sorted(paths, key=self._order)
        self._read: dict[int, Sounds] = {}

    def at(self, sample_rate: int) -> Sounds:
        """Return the sounds at `sample_rate` (Hz), which are read the first time.

        Raises `ConfigError` where none of the files can be used.
        """
        if sample_rate not in self._read:
            self._read[sample_rate] = self._load(sample_rate)
        return self._read[sample_rate]

    def _order(self, path: Path) -> bytes:
        name = path.relative_to(self.folder).as_posix()
        return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()

    def _load(self, sample_rate: int) -> Sounds:
        sounds: list[Tensor] = []
        bad: list[str] = []
        budget = self.cache_mb * 10**6 // _BYTES_PER_SAMPLE
        for sound in self._decoded(sample_rate, bad):
            if budget <= 0:
                break
            # What is over goes with the memory of the whole: a slice would keep it.
            sounds.append(sound[:budget].clone())
            budget -= len(sound)
        if not sounds:
            raise ConfigError(
                f"{self.option}: none of the {len(self.paths)} sound files in '{self.folder}' can "
                f"be used; the first: {bad[0]}"
            )
        notes = []
        if bad:
            notes.append(
                f"{self.option}: {len(bad)} of {len(self.paths)} files are left out; the first: "
                f"{bad[0]}"
            )
        unread = len(self.paths) - len(bad) - len(sounds)
        if unread or budget < 0:
            notes.append(
                f"{self.option}: {self.cache_mb} MB are full after {len(sounds)} of "
                f"{len(self.paths)} files; the others are not used"
            )
        return Sounds(sounds, notes)

    def _decoded(self, sample_rate: int, bad: list[str]) -> Iterator[Tensor]:
        """Yield the usable sounds; `bad` gathers why others are not."""
        left_s = self.cache_mb * 10**6 / _BYTES_PER_SAMPLE / sample_rate + 1
        longest_s = min(left_s, self.longest_s or left_s)
        for path in self.paths:
            try:
                samples = audio.load(path, sample_rate, duration_s=longest_s).samples
            except (AudioError, MissingExtra) as error:
                bad.append(str(error))
                continue
            if not samples.any():
                bad.append(f"{path} is silent")
                continue
            yield torch.from_numpy(samples)
