"""ONNX export: front-end inside, Fourier transform as convolution, dynamic batch and time."""

import copy
import logging
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from auricle.artifact.classifier import Classifier, TorchEngine
from auricle.artifact.folder import config_text
from auricle.core.errors import AuricleError, MissingExtra
from auricle.core.types import FloatArray, Waveform
from auricle.core.writing import replacing
from auricle.runtime.onnx_engine import METADATA_KEY, OnnxEngine
from auricle.runtime.predictor import Predictor
from auricle.runtime.spec import ArtifactConfig

OPSET = 18
TOLERANCE = 1e-4
MOST_BYTES = 2**31 - 1  # of a file of protobuf


class ExportError(AuricleError):
    """The exported file does not give the classifier's scores."""


@dataclass(frozen=True)
class Exported:
    """An exported file, and its largest difference in probability.

    It was compared on `clips` real clips, and on a noise of the shortest length.
    """

    path: Path
    difference: float
    clips: int


class _Graph(nn.Module):
    """The outputs that exist, by name, as the exporter wants them."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> dict[str, Tensor]:
        output = self.classifier(waveforms, lengths_samples)
        named = {
            "scores": output.scores,
            "frame_scores": output.frame_scores,
            "embedding": output.embedding,
        }
        return {name: value for name, value in named.items() if value is not None}


def export_onnx(
    classifier: Classifier,
    config: ArtifactConfig,
    path: str | Path,
    examples: Sequence[Waveform] = (),
) -> Exported:
    """Write `classifier` as an ONNX file and check it against itself.

    The file's scores are compared with the classifier's on `examples` (real clips where the
    caller has some) and on a noise of the shortest length. Raises `ExportError` when a probability
    differs by more than 1e-4 (the file is not left behind), `MissingExtra` without onnx.
    """
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise MissingExtra("ONNX export", "train")
    _refuse_too_large(classifier, path)
    # A copy: the caller's network may be in training on another device.
    model = copy.deepcopy(classifier.model).cpu()
    graph = _Graph(Classifier(classifier.frontend.for_export().cpu(), model)).eval()
    with replacing(path) as temporary:
        _write(graph, classifier.shortest_samples, config, temporary)
        difference = _largest_difference(classifier, config, temporary, examples)
        if not difference <= TOLERANCE:
            raise ExportError(
                f"the exported file's scores differ by {difference:.1e} from the classifier's "
                f"(allowed: {TOLERANCE:.0e}); it was not written to {path}"
            )
    return Exported(Path(path), difference, len(examples))


def _refuse_too_large(classifier: Classifier, path: str | Path) -> None:
    weights = sum(
        value.numel() * value.element_size() for value in classifier.state_dict().values()
    )
    if weights > MOST_BYTES:
        raise ExportError(
            f"an ONNX file holds at most {MOST_BYTES / 1e9:.1f} GB and the weights have "
            f"{weights / 1e9:.1f} GB; {path} was not written. Run the folder itself, or train with "
            "a smaller network or front-end"
        )


def _write(graph: _Graph, shortest: int, config: ArtifactConfig, path: Path) -> None:
    # An example batch of one would be baked in as a fixed batch.
    length = max(2 * shortest, config.spec.sample_rate)
    example = (torch.zeros(2, length), torch.full((2,), length))
    with torch.no_grad():
        names = list(graph(*example))
    batch = torch.export.Dim("batch", min=1)
    time = torch.export.Dim("time", min=shortest)
    with _quiet_exporter():
        program = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            input_names=["waveforms", "lengths_samples"],
            output_names=names,
            dynamic_shapes={"waveforms": {0: batch, 1: time}, "lengths_samples": {0: batch}},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # dynamo=True always returns a program
    _rename_namesakes(program.model.graph)
    program.model.metadata_props[METADATA_KEY] = config_text(config)
    program.save(str(path), external_data=False)


def _rename_namesakes(graph: Any) -> None:
    """Give values within a graph another name where they have that of an output.

    A layer's result is named after its operator, so that a network with an `nn.Embedding` has two
    values `embedding`.
    """
    outputs = {value.name: value for value in graph.outputs}
    for node in graph:
        for value in node.outputs:
            if value.name in outputs and value is not outputs[value.name]:
                value.name = f"{value.name}/within"


def _largest_difference(
    classifier: Classifier, config: ArtifactConfig, path: Path, examples: Sequence[Waveform]
) -> float:
    noise = np.random.default_rng(0).normal(0, 0.1, classifier.shortest_samples)
    shortest = Waveform(noise.astype(np.float32), config.spec.sample_rate)
    clips = [shortest, *examples]
    # Networks are compared here, on sounds too that the classifier would leave out.
    spec = config.spec.model_copy(update={"min_clip_s": None})
    ours = Predictor(TorchEngine(classifier), spec)
    theirs = Predictor(OnnxEngine(path), spec)
    pairs = zip(_answers(ours, clips), _answers(theirs, clips), strict=True)
    return max(_difference(a, b) for a, b in pairs)


def _answers(predictor: Predictor, clips: Sequence[Waveform]) -> Iterator[FloatArray]:
    """Yield what the network says of each clip: probabilities, or a vector where it has no head."""
    if predictor.labels:
        return predictor.score_many(clips)
    return (predictor.embed(clip) for clip in clips)


def _difference(ours: FloatArray, theirs: FloatArray) -> float:
    return float(np.abs(ours - theirs).max())


@contextmanager
def _quiet_exporter() -> Generator[None, None, None]:
    """Keep the exporter's remarks about its own internals from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
