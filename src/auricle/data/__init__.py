"""Layer 2: manifests, readers, checks and splits of labelled sound."""

from auricle.data.check import CheckReport, Finding, check
from auricle.data.config import DataConfig
from auricle.data.demo import DemoData, demo_dataset
from auricle.data.manifest import (
    SPLITS,
    Manifest,
    require_trainable,
    unit_of,
)
from auricle.data.manifest_files import read_manifest, write_manifest
from auricle.data.readers import READERS, read_dataset
from auricle.data.splits import apply_splits, fold_names, folds
from auricle.data.tables import table_writer, write_table

__all__ = [
    "READERS",
    "SPLITS",
    "CheckReport",
    "DataConfig",
    "DemoData",
    "Finding",
    "Manifest",
    "apply_splits",
    "check",
    "demo_dataset",
    "fold_names",
    "folds",
    "read_dataset",
    "read_manifest",
    "require_trainable",
    "table_writer",
    "unit_of",
    "write_manifest",
    "write_table",
]
