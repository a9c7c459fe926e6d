"""Audacity label tracks beside recordings, exported as text (see the format `audacity`)."""

from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.recordings import RecordingsReader

READERS.add(
    "audacity",
    RecordingsReader(
        "audacity",
        About("recordings with Audacity label tracks (.txt), a row per event"),
        (".txt",),
        sound_beside=True,
    ),
)
