"""Packing: the sound of a data set with its labels in one file, or in a few."""

from auricle.audio.members.h5 import Pack, open_pack
from auricle.data.packing.making import PackReport, check_pack_output, pack
from auricle.data.packing.plan import PackOptions, first_clips

__all__ = [
    "Pack",
    "PackOptions",
    "PackReport",
    "check_pack_output",
    "first_clips",
    "open_pack",
    "pack",
]
