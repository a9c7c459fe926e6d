"""Layer 2: manifests, readers, checks and splits of labelled sound."""

from auricle.data.config import DataConfig
from auricle.data.manifest import (
    SPLITS,
    Manifest,
    read_manifest,
    require_trainable,
    unit_of,
    write_manifest,
)
from auricle.data.readers import READERS, read_dataset
from auricle.data.tables import table_writer, write_table

__all__ = [
    "READERS",
    "SPLITS",
    "DataConfig",
    "Manifest",
    "read_dataset",
    "read_manifest",
    "require_trainable",
    "table_writer",
    "unit_of",
    "write_manifest",
    "write_table",
]
