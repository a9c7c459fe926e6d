"""A network made of NumPy, whose scores can be worked out by hand, and small ONNX files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auricle.runtime import ClassifierSpec, EngineOutput

RATE = 1000


class LoudnessEngine:
    """Scores `(mean square, mean absolute)` of each row.

    With `hears_padding` the mean runs over the padded row, as in a network that pools without a
    mask: a window that shares a batch with a longer one then gets another score.
    """

    def __init__(self, *, hears_padding: bool = False, frame_samples: int | None = None) -> None:
        self.hears_padding = hears_padding
        self.frame_samples = frame_samples
        self.shapes: list[tuple[int, int]] = []

    def __call__(
        self, waveforms: npt.NDArray[np.float32], lengths_samples: npt.NDArray[np.int64]
    ) -> EngineOutput:
        assert waveforms.dtype == np.float32
        assert lengths_samples.dtype == np.int64
        self.shapes.append(waveforms.shape)
        scores = np.stack(
            [
                self._loudness(row if self.hears_padding else row[:length])
                for row, length in zip(waveforms, lengths_samples, strict=True)
            ]
        )
        frames = None
        if self.frame_samples is not None:
            whole = -(-waveforms.shape[1] // self.frame_samples) * self.frame_samples
            padded = np.pad(waveforms, ((0, 0), (0, whole - waveforms.shape[1])))
            cut = padded.reshape(len(padded), -1, self.frame_samples)
            frames = np.stack([np.abs(cut).max(axis=2), -cut.min(axis=2)], axis=2)
        return EngineOutput(scores, frames, embedding=scores * 2)

    @staticmethod
    def _loudness(row: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        values = row.astype(np.float64)
        return np.array([np.mean(values**2), np.mean(np.abs(values))], np.float32)


@pytest.fixture(scope="session")
def loudness() -> type[LoudnessEngine]:
    return LoudnessEngine


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., ClassifierSpec]:
    """A spec at 1 kHz with windows of 1 s every 0.5 s, labels `power` and `size`."""

    def make(**changes: Any) -> ClassifierSpec:
        values: dict[str, Any] = {
            "labels": ("power", "size"),
            "sample_rate": RATE,
            "window_s": 1.0,
            "hop_s": 0.5,
            "activation": "none",
        }
        return ClassifierSpec.model_validate(values | changes)

    return make


@pytest.fixture(scope="session")
def config_text(make_spec: Callable[..., ClassifierSpec]) -> Callable[..., str]:
    def text(**spec: Any) -> str:
        return json.dumps({"format_version": 1, "spec": make_spec(**spec).model_dump(mode="json")})

    return text


@pytest.fixture(scope="session")
def write_onnx() -> Callable[..., Path]:
    """Write an ONNX file that scores `weights` times the mean square of a window."""

    def write(
        path: Path,
        *,
        config: str | None,
        weights: tuple[float, ...] = (1.0, 2.0),
        inputs: tuple[str, str] = ("waveforms", "lengths_samples"),
        outputs: tuple[str, str] = ("scores", "embedding"),
        reads_lengths: bool = True,
    ) -> Path:
        constants = {
            "axes": np.array([1], np.int64),
            "weights": np.array([weights], np.float32),
        }
        nodes = [
            helper.make_node("Mul", [inputs[0], inputs[0]], ["squares"]),
            helper.make_node("ReduceSum", ["squares", "axes"], ["energy"], keepdims=1),
        ]
        if reads_lengths:
            nodes += [
                helper.make_node("Unsqueeze", [inputs[1], "axes"], ["column"]),
                helper.make_node("Cast", ["column"], ["lengths"], to=TensorProto.FLOAT),
                helper.make_node("Div", ["energy", "lengths"], [outputs[1]]),
            ]
        else:
            nodes.append(
                helper.make_node("ReduceMean", ["squares", "axes"], [outputs[1]], keepdims=1)
            )
        nodes.append(helper.make_node("MatMul", [outputs[1], "weights"], [outputs[0]]))
        graph_inputs = [helper.make_tensor_value_info(inputs[0], TensorProto.FLOAT, ["b", "t"])]
        if reads_lengths:
            graph_inputs.append(helper.make_tensor_value_info(inputs[1], TensorProto.INT64, ["b"]))
        graph = helper.make_graph(
            nodes,
            "loudness",
            graph_inputs,
            [
                helper.make_tensor_value_info(outputs[0], TensorProto.FLOAT, ["b", len(weights)]),
                helper.make_tensor_value_info(outputs[1], TensorProto.FLOAT, ["b", 1]),
            ],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        if config is not None:
            helper.set_model_props(model, {"auricle.config": config})
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path

    return write
