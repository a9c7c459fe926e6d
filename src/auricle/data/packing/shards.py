"""Writing WebDataset shards: tar archives that hold, for each clip, files of one basename.

`0000012-dog.flac` is the sound, `0000012-dog.json` the rows of the manifest, `0000012-dog.cls` the
number of the class where there is one. `index.json` lists the shards (in the form of `wids`, the
index of the WebDataset library) and, under `auricle`, the classes in their order and how the pack
was made. Reference: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from auricle.audio.members.h5 import HASH_BYTES
from auricle.core.errors import AudioError
from auricle.core.types import Waveform
from auricle.core.writing import WriteError, write_json
from auricle.data.packing.chunks import Done
from auricle.data.packing.plan import PackOptions, Plan, row_record
from auricle.data.packing.sound import Packed, read_clip, to_int16

INDEX = "index.json"
_BLOCK = 512
_END = 2 * _BLOCK  # zeros that end an archive
_MOST_LETTERS = 60
_FLAC_MOST_HZ = 655_350


class ShardForm:
    """A pack in a folder of shards."""

    def __init__(self, path: Path, plan: Plan, options: PackOptions) -> None:
        check_flac_rate(options.sample_rate or 0)
        self.path = path
        self.plan = plan
        self.options = options
        self._numbers = {label: number for number, label in enumerate(plan.manifest.labels)}
        self._shards = self._offsets = np.empty(0, dtype=np.int64)

    def encode(self, indices: range) -> Iterator[Packed | AudioError]:
        """Yield some clips as pieces of an archive: FLAC, JSON, and the number of the class."""
        for index in indices:
            try:
                sound, cut, resampled = read_clip(self.plan, index, self.options)
            except AudioError as error:
                yield error
                continue
            samples, over = to_int16(sound.samples, self.options.peaks)
            flac = io.BytesIO()
            soundfile.write(flac, samples, sound.sample_rate, format="FLAC", subtype="PCM_16")
            files = {"flac": flac.getvalue(), **self._beside(index, sound, len(samples))}
            key = _key(index, self.plan.names[index])
            pieces = (_entry(f"{key}.{suffix}", content) for suffix, content in files.items())
            yield Packed(b"".join(pieces), len(samples), over, cut, resampled)

    def _beside(self, index: int, sound: Waveform, samples: int) -> dict[str, bytes]:
        """Return what stands beside a sound: its rows, and its class where it has one."""
        records = (row_record(row, self.options.length_s) for row in self.plan.rows_of(index))
        rows = [record for record in records if record is not None]
        said = {
            "name": self.plan.names[index],
            "sample_rate": sound.sample_rate,
            "samples": samples,
            "rows": rows,
        }
        files = {"json": json.dumps(said).encode()}
        labels = {label for row in rows for label in row["labels"]}
        if len(labels) == 1 and not self.plan.manifest.multi_label:
            files["cls"] = str(self._numbers[labels.pop()]).encode()
        return files

    def prepare(self, done: Done, config: Mapping[str, Any]) -> None:
        """Make the shards, each of its size and empty where it is not there yet, and the index."""
        self._shards, self._offsets = assign(done, self.options)
        try:
            self.path.mkdir(exist_ok=True)
            of_good = self._shards[done.good]
            sizes = np.bincount(of_good, weights=done.sizes_bytes[done.good])
            for shard, size in enumerate(sizes):
                with self._shard(shard).open("ab") as file:
                    file.truncate(int(size) + _END)  # zeros, which also end the archive
            self._write_index(np.bincount(of_good), config)
        except OSError as error:
            raise WriteError(f"cannot write {self.path}: {error.strerror or error}") from None

    def place(self, index: int) -> tuple[Path, int]:
        """Return the file and the offset (bytes) of a clip."""
        return self._shard(int(self._shards[index])), int(self._offsets[index])

    def differing(self, done: Done) -> Iterator[int]:
        """Yield the clips whose bytes in the shards are not those that were packed."""
        good = np.flatnonzero(done.good)
        for shard, indices in groupby(good, key=lambda index: int(self._shards[index])):
            with self._shard(shard).open("rb") as file:
                for index in indices:
                    file.seek(int(self._offsets[index]))
                    content = file.read(int(done.sizes_bytes[index]))
                    digest = hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
                    if digest != done.hashes[index].tobytes():
                        yield int(index)

    def _shard(self, shard: int) -> Path:
        return self.path / f"shard-{shard:06d}.tar"

    def _write_index(self, counts: npt.NDArray[np.int64], config: Mapping[str, Any]) -> None:
        shards = [(self._shard(shard), int(count)) for shard, count in enumerate(counts)]
        index = {
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "shardlist": [
                {"url": path.name, "nsamples": count, "filesize": path.stat().st_size}
                for path, count in shards
            ],
            "auricle": config,
        }
        write_json(self.path / INDEX, index)


def check_flac_rate(sample_rate: int) -> None:
    """Raise `AudioError` for a rate (Hz) that FLAC cannot say."""
    if sample_rate > _FLAC_MOST_HZ:
        raise AudioError(
            f"FLAC holds rates up to {_FLAC_MOST_HZ} Hz, not {sample_rate}: give --sample-rate"
        )


def _key(index: int, name: str) -> str:
    """Return a basename: WebDataset takes what follows its first dot for the suffix."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(name).stem)[:_MOST_LETTERS]
    return f"{index:07d}-{stem}"


def _entry(name: str, content: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % _BLOCK)


def assign(done: Done, options: PackOptions) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each clip's shard and its offset in it (bytes); -1 for bad clips.

    A shard is full where the next clip would pass `shard_mb` or `shard_clips`.
    """
    shards = np.full(len(done.good), -1, dtype=np.int64)
    offsets = np.full(len(done.good), -1, dtype=np.int64)
    most_bytes = options.shard_mb * 1e6
    shard = offset = clips = 0
    for index in np.flatnonzero(done.good):
        size = int(done.sizes_bytes[index])
        full = clips and offset + size + _END > most_bytes
        if full or (options.shard_clips is not None and clips == options.shard_clips):
            shard, offset, clips = shard + 1, 0, 0
        shards[index], offsets[index] = shard, offset
        offset, clips = offset + size, clips + 1
    return shards, offsets
