"""JAMS files beside recordings (see the format `jams`)."""

from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.recordings import RecordingsReader

READERS.add(
    "jams",
    RecordingsReader(
        "jams", About("recordings with JAMS files (.jams), a row per event or label"), (".jams",)
    ),
)
