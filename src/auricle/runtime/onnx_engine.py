"""`OnnxEngine`: the tensor step on ONNX Runtime.

`onnxruntime` is imported when an engine is made, so that importing this room stays cheap.
"""

import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from auricle.core.errors import ArtifactError
from auricle.core.types import FloatArray
from auricle.runtime.engine import EngineOutput, score_in_chunks
from auricle.runtime.predictor import Predictor
from auricle.runtime.spec import parse_artifact_config

METADATA_KEY: Final = "auricle.config"
"""The metadata key of an ONNX file under which the text of `config.json` lies."""

_INPUTS: Final = ("waveforms", "lengths_samples")
_OUTPUTS: Final = ("scores", "frame_scores", "embedding")
_MOST_SAMPLES: Final = 2**19  # scored at once: 16 s at 32 kHz
_ONLY_FATAL: Final = 4  # what goes wrong is raised as an exception; the log would repeat it


class OnnxEngine:
    """A network in an ONNX file: inputs `waveforms`, `lengths_samples`; see `EngineOutput`.

    An input or output that the graph does not have is left out; `waveforms` and one output
    must exist. `threads` bounds the cores of one network call (default: those that this
    process may use). Raises `ArtifactError` for a file that is missing, damaged or not ours.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        self.path = Path(path)
        if threads is not None and threads < 1:
            raise ArtifactError(f"threads must be at least 1, got {threads}")
        if not self.path.is_file():
            raise ArtifactError(f"ONNX file not found: {self.path}")
        self._session, self._failures = _open_session(self.path, threads or _usable_cores())
        self._inputs = {node.name for node in self._session.get_inputs()}
        found = [node.name for node in self._session.get_outputs()]
        self._outputs = [name for name in found if name in _OUTPUTS]
        self._check_interface(found)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.config_text: str | None = metadata.get(METADATA_KEY)

    def _check_interface(self, found: list[str]) -> None:
        if "waveforms" in self._inputs and self._inputs <= set(_INPUTS) and self._outputs:
            return
        raise ArtifactError(
            f"{self.path} is not an Auricle ONNX file: it must take {' and '.join(_INPUTS)} and "
            f"give one of {', '.join(_OUTPUTS)}, but it takes {', '.join(sorted(self._inputs))} "
            f"and gives {', '.join(found)}. Make one with 'auricle export'"
        )

    def __call__(
        self, waveforms: FloatArray, lengths_samples: npt.NDArray[np.int64]
    ) -> EngineOutput:
        """Score `waveforms` `(batch, time)`; lengths `(batch,)` in samples. See `Engine`."""
        return score_in_chunks(self._score, waveforms, lengths_samples, _MOST_SAMPLES)

    def _score(self, waveforms: FloatArray, lengths_samples: npt.NDArray[np.int64]) -> EngineOutput:
        offered = {"waveforms": waveforms, "lengths_samples": lengths_samples}
        feed = {name: offered[name] for name in self._inputs}
        try:
            values = self._session.run(self._outputs, feed)
        except self._failures as error:
            raise ArtifactError(
                f"{self.path}: the network failed on {waveforms.shape[0]} windows of "
                f"{waveforms.shape[1]} samples: {_one_line(error)}"
            ) from None
        named = dict(zip(self._outputs, values, strict=True))
        return EngineOutput(
            scores=named.get("scores"),
            frame_scores=named.get("frame_scores"),
            embedding=named.get("embedding"),
        )


def load_onnx(path: str | Path, *, threads: int | None = None, batch_size: int = 16) -> Predictor:
    """Load a deployed classifier from its ONNX file alone; torch is not needed.

    Raises `ArtifactError` for a file that `auricle export` did not make, or that is damaged or
    made by a newer Auricle.
    """
    engine = OnnxEngine(path, threads)
    if engine.config_text is None:
        raise ArtifactError(
            f"{path} is not an Auricle ONNX file: its metadata lacks '{METADATA_KEY}'. "
            "Make one with 'auricle export'"
        )
    config = parse_artifact_config(engine.config_text, str(path))
    return Predictor(engine, config.spec, batch_size=batch_size)


def _open_session(path: Path, threads: int) -> tuple[Any, tuple[type[Exception], ...]]:
    """Open the file; return the session and the exceptions that ONNX Runtime raises."""
    import onnxruntime
    import onnxruntime.capi.onnxruntime_pybind11_state as binding

    # They share no base class but Exception.
    failures = tuple(
        value
        for value in vars(binding).values()
        if isinstance(value, type) and issubclass(value, Exception)
    )
    options = onnxruntime.SessionOptions()
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_FATAL
    # Clips come in many lengths, and a memory plan is kept for every shape seen. (The arena
    # stays on: with batches as small as ours it takes less memory than malloc, and less time.)
    options.enable_mem_pattern = False
    try:
        session = onnxruntime.InferenceSession(
            path, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except failures as error:
        raise ArtifactError(
            f"{path} cannot be loaded as an ONNX file: {_one_line(error)}. "
            "Make it again with 'auricle export'"
        ) from None
    return session, failures


def _usable_cores() -> int:
    # Linux knows how many cores this process may use; elsewhere all of them count.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
