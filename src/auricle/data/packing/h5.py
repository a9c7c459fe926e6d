"""Writing packs in HDF5; `auricle.audio.members.h5` tells the layout and reads it."""

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.audio.members.h5 import FORMAT, VERSION, open_pack
from auricle.core.errors import AudioError, MissingExtra
from auricle.core.types import Clip
from auricle.core.writing import WriteError, replacing
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
_OF_CLIPS = ("split", "fold", "group")

Targets = npt.NDArray[np.uint8]


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
        self._numbers = {label: number for number, label in enumerate(plan.manifest.labels)}
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
                try:
                    self._write(temporary, done, config)
                except RuntimeError as error:  # so h5py says some faults of the disk
                    raise WriteError(f"cannot write {self.path}: {error}") from None
        self._places = self._find_places(done)

    def place(self, index: int) -> tuple[Path, int]:
        """Return the file and the offset (bytes) of a clip."""
        return self.path, int(self._places[index])

    def differing(self, done: Done) -> Iterator[int]:
        """Yield the clips whose bytes in the pack are not those that were packed."""
        pack = open_pack(self.path)
        for number, index in enumerate(np.flatnonzero(done.good)):
            same = done.hashes[index].tobytes() == pack.hashes[number].tobytes()
            if not same or not pack.is_as_packed(number):
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
            text, made = h5py.string_dtype(), {**config, "cut": done.cut}
            file.create_dataset("config", data=_bytes(json.dumps(made)), dtype=text)
            labels = [_bytes(label) for label in self.plan.manifest.labels]
            file.create_dataset("labels", data=labels, shape=(len(labels),), dtype=text)
            self._write_rows(file, good)
            self._write_clips(file, done, good)

    def _write_rows(self, file: Any, good: npt.NDArray[np.int64]) -> None:
        """Write the rows, and what they say of each clip, a block of clips at a time."""
        import h5py

        text, labels = h5py.string_dtype(), self.plan.manifest.labels
        for name in _OF_CLIPS:
            file.create_dataset(name, shape=(len(good),), dtype=text)
        _room(file, "targets", (len(good), len(labels)), "|u1")
        manifest = file.create_dataset(
            "manifest", shape=(0,), maxshape=(None,), chunks=(_ROWS_AT_ONCE,), dtype=text
        )
        of_clips = self.plan.walk(int(index) for index in good)
        for start in range(0, len(good), _ROWS_AT_ONCE):
            block = list(islice(of_clips, _ROWS_AT_ONCE))
            end = start + len(block)
            for name in _OF_CLIPS:
                file[name][start:end] = [_bytes(getattr(rows[0], name) or "") for rows in block]
            texts, targets = self._block(block, start)
            manifest.resize((len(manifest) + len(texts),))
            if texts:
                manifest[-len(texts) :] = texts
            if targets.size:
                file["targets"][start:end] = targets

    def _block(self, block: list[list[Clip]], start: int) -> tuple[list[bytes], Targets]:
        """Return the rows of some clips, numbered from `start` on, and their targets."""
        texts: list[bytes] = []
        targets = np.zeros((len(block), len(self._numbers)), dtype=np.uint8)
        for at, rows in enumerate(block):
            for row in rows:
                record = row_record(row, self.options.length_s)
                if record is not None:
                    texts.append(_bytes(json.dumps({"clip": start + at, **record})))
                    targets[at, [self._numbers[label] for label in row.labels]] = 1
        return texts, targets

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
