"""Sounds in the HDF5 files that `auricle data pack` writes."""

from auricle.audio.decode import Decoder
from auricle.audio.members import CONTAINERS
from auricle.core.errors import UnreadableAudio


def open_h5_member(container: str, member: str) -> Decoder:
    """Open a sound of a pack. See `OpenMember`."""
    raise UnreadableAudio(f"{container} is not a pack of sounds; make one with: auricle data pack")


for suffix in (".h5", ".hdf5"):
    CONTAINERS.add(suffix, open_h5_member)
