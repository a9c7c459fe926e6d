"""Classifiers and checkpoints that cannot be used: one clear line, and nothing in them is run."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper

COMMANDS = ("predict", "detect", "embed", "evaluate", "export")


class Trap:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.makedirs, (str(self.sentinel),)


@pytest.fixture
def sentinel(tmp_path):
    """A path that only code inside a pickle makes."""
    path = tmp_path / "the code was run"
    yield path
    assert not path.exists()


@pytest.fixture(params=["pickle", "torch"])
def write_trap(request, sentinel) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        if request.param == "pickle":
            path.write_bytes(pickle.dumps(Trap(sentinel)))
        else:
            torch.save({"weights": Trap(sentinel)}, path)
        return path

    return write


def test_the_trap_works(tmp_path):
    path = tmp_path / "trap"
    pickle.loads(pickle.dumps(Trap(path)))  # noqa: S301
    assert path.exists()


@pytest.fixture
def words(odd_sounds, tone_folder, tmp_path) -> Callable[[str, Path], list[object]]:
    """The words of each command on a classifier."""

    def make(command: str, model: Path) -> list[object]:
        if command == "evaluate":
            return [command, model, tone_folder]
        if command == "export":
            return [command, model, tmp_path / "out.onnx"]
        more = ["--output", tmp_path / "out.csv"] if command == "embed" else []
        return [command, model, odd_sounds / "plain.wav", *more]

    return make


@pytest.mark.parametrize("command", COMMANDS)
def test_code_in_the_weights_is_not_run(refused, copied, write_trap, words, command):
    write_trap(copied / "model.safetensors")
    message = refused(*words(command, copied))
    assert "model.safetensors is not a safetensors file" in message
    assert "nothing in them was executed" in message


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".onnx", ".safetensors"])
def test_a_checkpoint_of_another_program_is_not_run(
    refused, tmp_path, write_trap, words, command, suffix
):
    model = write_trap(tmp_path / f"model{suffix}")
    assert str(model) in refused(*words(command, model))


def test_code_in_a_checkpoint_is_not_run_when_resuming(refused, copied, write_trap, tone_folder):
    command = ("train", tone_folder, "--config", copied / "config.yaml")
    for name in ("training.safetensors", "model.safetensors"):
        shutil.copytree(copied, copied.parent / name)
        write_trap(copied.parent / name / "checkpoints" / "last" / name)
        message = refused(*command, "--output", copied.parent / name, "--resume")
        assert f"last/{name} is not a safetensors file" in message


@pytest.mark.parametrize("text", ["{", "[]", "{}x", '{"step": "one"}', '{"stop": 1}'])
def test_a_checkpoint_with_a_broken_state(refused, copied, tone_folder, text):
    (copied / "checkpoints" / "last" / "state.json").write_text(text)
    command = ("train", tone_folder, "--config", copied / "config.yaml", "--output", copied)
    message = refused(*command, "--resume")
    assert "state.json cannot be read" in message


def changed(config: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Set (or with `...` take out) the value at a dotted path."""
    *sections, last = path.split(".")
    node = config
    for section in sections:
        node = node[section]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return config


CONFIGS = [
    ("format_version", 99, "made by a newer Auricle (format_version 99"),
    ("format_version", 0, "states format_version 0"),
    ("format_version", "one", "states format_version 'one'"),
    ("format_version", True, "states format_version True"),
    ("format_version", ..., "states no format_version"),
    ("spec", ..., "'spec' is missing"),
    ("spec.labels", ..., "'spec.labels' is missing"),
    ("spec.labels", ["a", "a", "b"], "labels must differ"),
    ("spec.hop_s", 9, "hop_s (9.0) must not exceed window_s (1.0)"),
    ("spec.sample_rate", 0, "'spec.sample_rate' = 0"),
    ("spec.widht", 3, "unknown key 'spec.widht'"),
]

FOLDER_CONFIGS = [
    *CONFIGS,
    ("spec.labels", ["only"], "do not fit its network"),
    ("model.name", "nope", "unknown model 'nope'"),
    ("model.name", None, "unknown model 'None'"),
    ("model.name", ["cnn6"], "unknown model"),
    ("model.name", ..., "unknown model ''"),
    ("model.widht", 3, "did you mean '--model.widths'"),
    ("model.widths", [8], "do not fit its network"),
    ("frontend.name", 3, "unknown front-end '3'"),
    ("frontend.n_mels", -1, "'frontend.n_mels' = -1"),
    ("model", 3, "'model' = 3"),
]


@pytest.mark.parametrize(("path", "value", "words"), FOLDER_CONFIGS)
def test_an_artifact_whose_config_breaks_a_rule(refused, copied, odd_sounds, path, value, words):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(changed(config, path, value)))
    message = refused("predict", copied, odd_sounds / "plain.wav")
    assert words in message
    assert str(copied) in message
    assert len(message) < 600


@pytest.mark.parametrize(("path", "value", "words"), CONFIGS)
def test_an_onnx_file_whose_config_breaks_a_rule(
    refused, trained, odd_sounds, tmp_path, path, value, words
):
    model = onnx.load(trained / "model.onnx")
    (entry,) = model.metadata_props
    entry.value = json.dumps(changed(json.loads(entry.value), path, value))
    onnx.save(model, tmp_path / "model.onnx")
    assert words in refused("predict", tmp_path / "model.onnx", odd_sounds / "plain.wav")


@pytest.mark.parametrize("garbage", [b"garbage", b"", b"\xff\xfe\x00", b"[" * 100_000, b"3"])
def test_an_artifact_whose_config_is_garbage(refused, copied, odd_sounds, garbage):
    (copied / "config.json").write_bytes(garbage)
    assert "config.json" in refused("predict", copied, odd_sounds / "plain.wav")


def test_an_artifact_with_a_file_missing_or_cut(refused, copied, odd_sounds):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    sound = odd_sounds / "plain.wav"
    assert "is not a safetensors file" in refused("predict", copied, sound)
    weights.unlink()
    assert "model.safetensors is missing" in refused("predict", copied, sound)
    (copied / "config.json").unlink()
    assert "holds no config.json" in refused("predict", copied, sound)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_classifier_that_is_not_there(refused, words, odd_sounds, tmp_path, command):
    assert str(tmp_path / "nowhere") in refused(*words(command, tmp_path / "nowhere"))
    # A folder and a file that are something else.
    assert "config.json" in refused(*words(command, odd_sounds))
    assert "plain.wav" in refused(*words(command, odd_sounds / "plain.wav"))


def foreign_network(path: Path) -> None:
    """A valid ONNX file that has nothing to do with sound."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)


def without_metadata(ours: Path, path: Path) -> None:
    model = onnx.load(ours)
    del model.metadata_props[:]
    onnx.save(model, path)


@pytest.mark.parametrize("command", ["predict", "detect", "embed", "evaluate"])
def test_an_onnx_file_that_is_not_ours(refused, trained, words, tmp_path, command):
    path = tmp_path / "foreign.onnx"
    foreign_network(path)
    assert "is not an Auricle ONNX file: it must take waveforms" in refused(*words(command, path))
    without_metadata(trained / "model.onnx", path)
    assert "its metadata lacks 'auricle.config'" in refused(*words(command, path))
    for content in (b"garbage" * 99, b"", (trained / "model.onnx").read_bytes()[:9999]):
        path.write_bytes(content)
        assert "cannot be loaded as an ONNX file" in refused(*words(command, path))


@pytest.mark.parametrize("name", ["model.bin", "model", "."])
def test_an_export_must_be_called_onnx(refused, trained, tmp_path, name):
    before = sorted(tmp_path.iterdir())
    assert "something.onnx" in refused("export", trained, tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


def test_an_onnx_file_is_run_on_the_processor(refused, trained, odd_sounds):
    sound = odd_sounds / "plain.wav"
    for device in ("cuda", "gpu"):
        assert "--device" in refused("predict", trained / "model.onnx", sound, "--device", device)
    assert "--precision" in refused("predict", trained / "model.onnx", sound, "--precision", "bf16")
