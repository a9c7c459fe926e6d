"""Layer 2: spec, predictor and ONNX engine: a trained classifier at work, without torch."""

from auricle.runtime.engine import Engine, EngineOutput
from auricle.runtime.onnx_engine import METADATA_KEY, OnnxEngine, load_onnx
from auricle.runtime.predictor import Predictor
from auricle.runtime.sources import Source
from auricle.runtime.spec import (
    FORMAT_VERSION,
    ArtifactConfig,
    ClassifierSpec,
    EventSpec,
    Normalise,
    parse_artifact_config,
)

__all__ = [
    "FORMAT_VERSION",
    "METADATA_KEY",
    "ArtifactConfig",
    "ClassifierSpec",
    "Engine",
    "EngineOutput",
    "EventSpec",
    "Normalise",
    "OnnxEngine",
    "Predictor",
    "Source",
    "load_onnx",
    "parse_artifact_config",
]
