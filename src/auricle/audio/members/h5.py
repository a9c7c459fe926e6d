"""Sounds in the HDF5 files that `auricle data pack` writes: the layout, and reading by member.

The arrays lie in the file uncompressed and in one piece each, so the HDF5 library only says where:
they are read through one memory map, which threads and forked processes share and which costs a
few microseconds a clip.

    waveforms   int16 (clips, samples) where all have one length, else (samples of all,); or
    features    float16 or float32 (frames of all, bins)
    starts      int64 (clips + 1,): where each clip begins in the joined ones, and their end
    lengths     int64 (clips,): samples or frames of each, without the zeros behind a short one
    names       bytes (clips,), UTF-8; name_order int64 (clips,): the clips sorted by name
    hashes      uint8 (clips, 16): BLAKE2b of the bytes of each
    labels      text (classes,): the classes in their order; targets uint8 (clips, classes)
    split, fold, group   text (clips,), empty where a clip has none
    manifest    text (rows,): a JSON object each, the row's clip by its number
    config      text: JSON, how the pack was made

Attributes: `format` ("auricle-pack"), `version`, `kind` ("waveforms" or "features"), and
`sample_rate` (Hz).
"""

import bisect
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.audio.decode import Decoder
from auricle.audio.members import CONTAINERS, ContainerType, split_member
from auricle.audio.members.samples import SampleDecoder
from auricle.core.errors import DataError, MissingExtra, UnreadableAudio, nearest

FORMAT, VERSION = "auricle-pack", 1
HASH_BYTES = 16
SUFFIXES = (".h5", ".hdf5")
TYPES = {"waveforms": ("<i2",), "features": ("<f2", "<f4")}
"""The kinds of packs and the types of their values."""

_ROWS_AT_ONCE = 4096
_SHOWN_NAMES = 10_000


@dataclass(frozen=True, eq=False)
class Pack:
    """An open pack. Its arrays are views of a memory map; see the layout above.

    `sample_rate` is that of the sound (Hz); `values` are the waveforms or features.
    """

    path: str
    kind: str
    sample_rate: int
    values: npt.NDArray[Any]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    names: npt.NDArray[np.bytes_]
    name_order: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.uint8]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lengths)

    def clip(self, index: int) -> npt.NDArray[Any]:
        """Return a clip: int16 `(samples,)`, or features `(frames, bins)`."""
        length = int(self.lengths[index])
        if self.kind == "waveforms" and self.values.ndim == 2:
            return self.values[index, :length]
        start = int(self.starts[index])
        return self.values[start : start + length]

    def name(self, index: int) -> str:
        """Return the name of a clip."""
        return bytes(self.names[index]).decode("utf-8", "replace")

    def is_as_packed(self, index: int) -> bool:
        """Say whether the bytes of a clip have the hash that they had when they were packed."""
        digest = hashlib.blake2b(self.clip(index).tobytes(), digest_size=HASH_BYTES).digest()
        return digest == self.hashes[index].tobytes()

    def find(self, name: str) -> int | None:
        """Return the number of the clip called `name`; None where there is none."""
        wanted = name.encode("utf-8", "surrogateescape")
        at = bisect.bisect_left(self.name_order, wanted, key=lambda row: bytes(self.names[row]))
        if at == len(self):
            return None
        row = int(self.name_order[at])
        return row if bytes(self.names[row]) == wanted else None

    def texts(self, name: str) -> Iterator[str]:
        """Yield the entries of a dataset of text (`manifest`, `split`...), a block at a time."""
        with _hdf5(self.path) as file:
            texts = _own(file, name, self.path).asstr()
            for start in range(0, texts.shape[0], _ROWS_AT_ONCE):
                yield from texts[start : start + _ROWS_AT_ONCE]

    def config_text(self) -> str:
        """Return the JSON that says how the pack was made."""
        with _hdf5(self.path) as file:
            return str(_own(file, "config", self.path).asstr()[()])


def open_pack(path: str | os.PathLike[str]) -> Pack:
    """Open a pack; it is kept open in this process until the file changes.

    Raises `DataError` for a file that is no pack, was cut short or is of a newer version, and
    `MissingExtra` without h5py.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise DataError(f"pack {path} cannot be read: {error.strerror}") from None
    return _open_pack(os.fspath(path), status.st_mtime_ns, status.st_size, status.st_ino)


def is_pack(path: str | os.PathLike[str]) -> bool:
    """Say whether a file has the name and the first bytes of HDF5, and says that it is a pack."""
    if os.path.splitext(path)[1].lower() not in SUFFIXES or not os.path.isfile(path):
        return False
    if find_spec("h5py") is None:
        return True  # reading it says what to install
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get("format") == FORMAT
    except _FAULTS:
        return False


# What h5py raises on files that are damaged or built to harm.
_FAULTS = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError)


@lru_cache(maxsize=64)
def _open_pack(path: str, changed_ns: int, size_bytes: int, number: int) -> Pack:
    try:
        with _hdf5(path) as file:
            pack = _read(path, file)
    except _FAULTS as error:
        raise DataError(
            f"{path} is not a pack that can be read, or was cut short ({error}); make it again "
            "with: auricle data pack"
        ) from None
    _check(pack)
    return pack


def _hdf5(path: str) -> Any:
    if find_spec("h5py") is None:
        raise MissingExtra(f"{path}: reading HDF5", "data")
    import h5py

    return h5py.File(path, "r")


def _read(path: str, file: Any) -> Pack:
    if file.attrs.get("format") != FORMAT:
        raise DataError(
            f"{path} is an HDF5 file that Auricle did not write: its layout is unknown. Unpack its "
            "sounds into files, and pack those with: auricle data pack"
        )
    version = int(file.attrs["version"])
    if version != VERSION:
        raise DataError(
            f"{path} is a pack of version {version}, this Auricle reads {VERSION}: upgrade with: "
            "pip install --upgrade auricle"
        )
    kind = str(file.attrs["kind"])
    if kind not in TYPES:
        raise DataError(f"{path} is a pack of '{kind}'; known: {', '.join(TYPES)}")
    content = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))

    def array(name: str, *types: str, ndim: int) -> npt.NDArray[Any]:
        return _view(content, _own(file, name, path), types, ndim, f"{path}: '{name}'")

    values = _own(file, kind, path)
    return Pack(
        path=path,
        kind=kind,
        sample_rate=int(file.attrs["sample_rate"]),
        values=array(kind, *TYPES[kind], ndim=2 if kind == "features" else len(values.shape)),
        starts=array("starts", "<i8", ndim=1),
        lengths=array("lengths", "<i8", ndim=1),
        names=array("names", f"|S{_own(file, 'names', path).dtype.itemsize}", ndim=1),
        name_order=array("name_order", "<i8", ndim=1),
        hashes=array("hashes", "|u1", ndim=2),
        targets=array("targets", "|u1", ndim=2),
        labels=tuple(_own(file, "labels", path).asstr()[()]),
    )


def _own(file: Any, name: str, path: str) -> Any:
    """Return a dataset that lies in this file itself. Raises `DataError`.

    HDF5 can point into other files, by links, virtual datasets and external storage: a file from
    somewhere must not read ours.
    """
    import h5py

    link = file.get(name, getlink=True)
    if link is None:
        raise DataError(f"{path} is a damaged pack: it has no '{name}'; make it again")
    found = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise DataError(f"{path} is refused: its '{name}' does not lie in the file itself")
    if found.size > file.id.get_filesize():  # a few bytes can claim any number of empty entries
        raise DataError(f"{path} is refused: its '{name}' claims more than the file can hold")
    return found


def _view(
    content: npt.NDArray[np.uint8], dataset: Any, types: tuple[str, ...], ndim: int, where: str
) -> npt.NDArray[Any]:
    """Return the values of a dataset as a view of the file's bytes."""
    shape = dataset.shape
    if dataset.dtype.str not in types or len(shape) != ndim or ndim not in (1, 2):
        raise DataError(
            f"{where} must be {' or '.join(types)} of {ndim} axes, is {dataset.dtype.str} of "
            f"shape {shape}: not a pack of this version"
        )
    if not dataset.size:
        return np.empty(shape, dataset.dtype)
    start = dataset.id.get_offset()
    if start is None or dataset.chunks is not None:
        raise DataError(f"{where} is compressed or in pieces: not a pack of this version")
    end = start + dataset.size * dataset.dtype.itemsize
    if end > len(content):
        raise DataError(f"{where} ends after the file: it was cut short; make the pack again")
    return content[start:end].view(dataset.dtype).reshape(shape)


def _check(pack: Pack) -> None:
    """Raise `DataError` where the arrays of a pack do not fit each other."""
    clips = len(pack.lengths)
    rows = {len(pack.names), len(pack.name_order), len(pack.hashes), len(pack.targets)}
    joined = pack.kind == "features" or pack.values.ndim == 1
    fits = rows == {clips} and len(pack.starts) == clips + 1
    fits = fits and pack.targets.shape[1] == len(pack.labels)
    fits = fits and pack.hashes.shape[1] == HASH_BYTES and pack.sample_rate > 0
    fits = fits and bool((pack.lengths >= 0).all())
    if fits and joined:
        ends = pack.starts[:-1] + pack.lengths
        fits = pack.starts[0] == 0 and bool((ends == pack.starts[1:]).all())
        fits = fits and pack.starts[-1] == len(pack.values)
    elif fits:
        fits = len(pack.values) == clips and bool((pack.lengths <= pack.values.shape[1]).all())
    order = pack.name_order
    if not fits or not bool(((order >= 0) & (order < clips)).all()):
        raise DataError(
            f"{pack.path} is a damaged pack: its arrays do not fit each other; make it again with: "
            "auricle data pack"
        )


def open_h5_member(container: str, member: str) -> Decoder:
    """Open a sound of a pack. See `OpenMember`."""
    pack = _sounds(container)
    index = pack.find(member)
    if index is None:
        known = [pack.name(row) for row in range(min(len(pack), _SHOWN_NAMES))]
        guess = nearest(member, known)
        hint = f"did you mean '{guess}'?" if guess else f"it holds {len(pack):,} sounds"
        raise UnreadableAudio(f"{container} has no sound '{member}'; {hint}")
    return SampleDecoder(pack.clip(index), pack.sample_rate, "HDF5")


def is_changed(path: str) -> bool:
    """Say whether `path` names a sound of a pack that is not the one that was packed.

    False for all other files. Raises `UnreadableAudio` where the pack cannot be read.
    """
    inside = split_member(path)
    if inside is None or os.path.splitext(inside[0])[1].lower() not in SUFFIXES:
        return False
    pack = _sounds(inside[0])
    index = pack.find(inside[1])
    return index is not None and not pack.is_as_packed(index)


def list_h5_members(container: str) -> Iterator[str]:
    """Yield the names of the sounds of a pack. See `ContainerType`."""
    pack = _sounds(container)
    yield from (pack.name(index) for index in range(len(pack)))


def _sounds(container: str) -> Pack:
    try:
        pack = open_pack(container)
    except DataError as error:
        raise UnreadableAudio(str(error)) from None
    if pack.kind != "waveforms":
        raise UnreadableAudio(
            f"{container} holds {pack.kind}, not sound: read them with auricle.data.open_pack"
        )
    return pack


for suffix in SUFFIXES:
    CONTAINERS.add(suffix, ContainerType(open_h5_member, list_h5_members))
