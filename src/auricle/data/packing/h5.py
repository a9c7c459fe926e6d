"""Writing packs in HDF5; `auricle.audio.members.h5` tells the layout and reads it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.audio.members.h5 import FORMAT, HASH_BYTES, VERSION, open_pack
from auricle.core.errors import AudioError, MissingExtra
from auricle.core.writing import replacing
from auricle.data.packing.chunks import Done
from auricle.data.packing.plan import PackOptions, Plan, row_record
from auricle.data.packing.sound import (
    Encoder,
    Packed,
    encode_features,
    encode_int16,
    most_samples,
)

_ALIGNMENT_BYTES = 64  # so that maps of every type lie well
_ROWS_AT_ONCE = 4096


def require_h5py() -> None:
    """Raise `MissingExtra` without h5py."""
    if find_spec("h5py") is None:
        raise MissingExtra("packing into HDF5", "data")


class H5Form:
    """A pack in HDF5: of sound, or of the features that an `encoder` makes of it."""

    def __init__(
        self, path: Path, plan: Plan, options: PackOptions, encoder: Encoder | None = None
    ) -> None:
        require_h5py()
        self.path = path
        self.plan = plan
        self.options = options
        self.encoder = encoder
        self._places = np.empty(0, dtype=np.int64)

    def encode(self, indices: range) -> Iterator[Packed | AudioError]:
        """Yield the bytes of some clips."""
        if self.encoder is None:
            return encode_int16(self.plan, indices, self.options)
        return encode_features(self.plan, indices, self.options, self.encoder)

    def prepare(self, done: Done, config: Mapping[str, Any]) -> None:
        """Write all of the pack but its values, for which room is left, where it is not there."""
        if not self.path.exists():
            with replacing(self.path) as temporary:
                self._write(temporary, done, config)
        self._places = self._find_places(done)

    def place(self, index: int) -> tuple[Path, int]:
        """Return the file and the offset (bytes) of a clip."""
        return self.path, int(self._places[index])

    def differing(self, done: Done) -> Iterator[int]:
        """Yield the clips whose bytes in the pack are not those that were packed."""
        pack = open_pack(self.path)
        for number, index in enumerate(np.flatnonzero(done.good)):
            content = pack.clip(number).tobytes()
            digest = hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
            if not digest == done.hashes[index].tobytes() == pack.hashes[number].tobytes():
                yield int(index)

    def _write(self, path: Path, done: Done, config: Mapping[str, Any]) -> None:
        import h5py

        good = np.flatnonzero(done.good)
        rate = self.options.sample_rate if self.encoder is None else self.encoder.sample_rate
        kind = "waveforms" if self.encoder is None else "features"
        with h5py.File(
            path, "w", alignment_threshold=1, alignment_interval=_ALIGNMENT_BYTES
        ) as file:
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
            file.attrs["kind"], file.attrs["sample_rate"] = kind, rate
            self._write_tables(file, good, config)
            self._write_clips(file, done, good)
            self._write_targets(file, good)

    def _write_tables(
        self, file: Any, good: npt.NDArray[np.int64], config: Mapping[str, Any]
    ) -> None:
        """Write the classes, what is known of each clip, the rows and the configuration."""
        labels = self.plan.manifest.labels
        _text(file, "labels", len(labels), labels)
        for name in ("split", "fold", "group"):
            of_clips = (getattr(next(self.plan.rows_of(int(index))), name) for index in good)
            _text(file, name, len(good), (value or "" for value in of_clips))
        count = sum(1 for _ in self._records(good))
        texts = (json.dumps(row, separators=(",", ":")) for row in self._records(good))
        _text(file, "manifest", count, texts)
        _text(file, "config", None, [json.dumps(config)])

    def _write_clips(self, file: Any, done: Done, good: npt.NDArray[np.int64]) -> None:
        """Write names, lengths and hashes, and leave room for the values."""
        names = np.array([_bytes(self.plan.names[index]) for index in good], dtype=np.bytes_)
        lengths = done.lengths[good].astype("<i8")
        samples = most_samples(self.options) if self.encoder is None else None
        steps = lengths if samples is None else np.full(len(good), samples)
        starts = np.concatenate(([0], np.cumsum(steps))).astype("<i8")
        file["names"], file["name_order"] = names, np.argsort(names, kind="stable").astype("<i8")
        file["starts"], file["lengths"], file["hashes"] = starts, lengths, done.hashes[good]
        total = int(starts[-1])
        if self.encoder is not None:
            _room(file, "features", (total, self.encoder.bins), self.encoder.dtype)
        else:
            shape = (total,) if samples is None else (len(good), samples)
            _room(file, "waveforms", shape, "<i2")

    def _write_targets(self, file: Any, good: npt.NDArray[np.int64]) -> None:
        labels = self.plan.manifest.labels
        numbers = {label: number for number, label in enumerate(labels)}
        _room(file, "targets", (len(good), len(labels)), "|u1")
        for start in range(0, len(good), _ROWS_AT_ONCE):
            of_block = good[start : start + _ROWS_AT_ONCE]
            block = np.zeros((len(of_block), len(labels)), dtype=np.uint8)
            for record in self._records(of_block):
                for label in record["labels"]:
                    block[record["clip"], numbers[label]] = 1
            if block.size:
                file["targets"][start : start + len(block)] = block

    def _records(self, good: npt.NDArray[np.int64]) -> Iterator[dict[str, Any]]:
        """Yield the rows of the manifest, each with the number of its clip in the pack."""
        for number, index in enumerate(good):
            for clip in self.plan.rows_of(int(index)):
                record = row_record(clip, self.options.length_s)
                if record is not None:
                    yield {"clip": number, **record}

    def _find_places(self, done: Done) -> npt.NDArray[np.int64]:
        import h5py

        pack = open_pack(self.path)
        with h5py.File(self.path, "r") as file:
            values: Any = file[pack.kind]
            start, size = values.id.get_offset() or 0, values.dtype.itemsize
        width = pack.values.shape[1] if pack.kind == "features" else 1
        places = np.full(len(done.good), -1, dtype=np.int64)
        places[done.good] = start + pack.starts[:-1] * (width * size)
        return places


def _text(file: Any, name: str, count: int | None, texts: Iterable[str]) -> None:
    """Write `count` texts as one array (None: one text); what is no text in names is escaped."""
    import h5py

    if count is None:
        file.create_dataset(name, data=_bytes(*texts), dtype=h5py.string_dtype())
        return
    made = file.create_dataset(name, shape=(count,), dtype=h5py.string_dtype())
    block: list[bytes] = []
    at = 0
    for text in texts:
        block.append(_bytes(text))
        if len(block) == _ROWS_AT_ONCE:
            made[at : at + len(block)] = block
            at += len(block)
            block = []
    if block:
        made[at : at + len(block)] = block


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace").replace(b"\0", b"\\0")


def _room(file: Any, name: str, shape: tuple[int, ...], dtype: str) -> None:
    """Make a dataset of zeros in one piece, whose place in the file is settled at once.

    The file grows by zeros that take no room on the disk.
    """
    import h5py

    low: Any = h5py  # the library's own functions, which its hints leave out
    settings = low.h5p.create(low.h5p.DATASET_CREATE)
    settings.set_layout(low.h5d.CONTIGUOUS)
    settings.set_alloc_time(low.h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(low.h5d.FILL_TIME_NEVER)
    space, of = low.h5s.create_simple(shape), low.h5t.py_create(np.dtype(dtype))
    low.h5d.create(file.id, name.encode(), of, space, settings)
