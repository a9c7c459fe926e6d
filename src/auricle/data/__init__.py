"""Layer 2: manifests, readers, checks and splits of labelled sound."""

from auricle.data.check import CheckReport, Finding, check
from auricle.data.config import DataConfig
from auricle.data.cut_plan import CutOptions
from auricle.data.cutting import CutResult, cut
from auricle.data.manifest import SPLITS, Manifest, require_trainable, unit_of
from auricle.data.manifest_files import read_manifest, write_manifest
from auricle.data.overview import Overview, draw_clips, survey, thumbnails
from auricle.data.packing import PackOptions, first_clips, open_pack, pack
from auricle.data.readers import READERS, read_dataset
from auricle.data.splits import apply_splits, folds
from auricle.data.submission import open_submission
from auricle.data.tables import table_writer, write_table
from auricle.data.targets import read_targets

__all__ = [
    "READERS",
    "SPLITS",
    "CheckReport",
    "CutOptions",
    "CutResult",
    "DataConfig",
    "Finding",
    "Manifest",
    "Overview",
    "PackOptions",
    "apply_splits",
    "check",
    "cut",
    "draw_clips",
    "first_clips",
    "folds",
    "open_pack",
    "open_submission",
    "pack",
    "read_dataset",
    "read_manifest",
    "read_targets",
    "require_trainable",
    "survey",
    "table_writer",
    "thumbnails",
    "unit_of",
    "write_manifest",
    "write_table",
]
