"""Raven selection tables beside recordings, as Raven Pro saves them (see the format `raven`)."""

from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.recordings import RecordingsReader

READERS.add(
    "raven",
    RecordingsReader(
        "raven",
        About("recordings with Raven selection tables (.txt), a row per event"),
        (".txt",),
    ),
)
