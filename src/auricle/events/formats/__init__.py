"""Label formats: one kind of label file is one class and one line here."""

from auricle.core.registry import Registry
from auricle.events.formats.base import RecordingFormat, TableFormat

_MODULES = ("strong_tables", "weak_tables", "raven", "audacity", "jams")

FORMATS: Registry[TableFormat | RecordingFormat] = Registry("label format", __name__, _MODULES)
