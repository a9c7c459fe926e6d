"""Layer 1: frame scores to events; label formats in and out."""

from auricle.events.decoding import EVENT_COLUMNS, decode_events, event_rows
from auricle.events.formats import FORMATS
from auricle.events.formats.base import Faults
from auricle.events.labels import find_format, read_labels, write_labels

__all__ = [
    "EVENT_COLUMNS",
    "FORMATS",
    "Faults",
    "decode_events",
    "event_rows",
    "find_format",
    "read_labels",
    "write_labels",
]
