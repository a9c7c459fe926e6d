"""Layer 1: frame scores to events; label formats in and out."""

from auricle.events.decoding import EVENT_COLUMNS, decode_events, event_rows

__all__ = ["EVENT_COLUMNS", "decode_events", "event_rows"]
