"""Artifacts: what is saved is what is loaded; nothing in a foreign file is run."""

import json
import pickle

import numpy as np
import onnx
import pytest
import torch

import auricle
from auricle.artifact.classifier import Classifier, TorchEngine, build_classifier
from auricle.artifact.folder import (
    artifact_config,
    config_text,
    load_classifier,
    save_artifact,
)
from auricle.artifact.onnx_export import ExportError, export_onnx
from auricle.core.errors import ArtifactError, AudioError
from auricle.core.types import Waveform
from auricle.models import MODELS
from auricle.runtime import ClassifierSpec, load_onnx
from auricle.runtime.predictor import Predictor

LABELS = ("a", "b", "c")


def make(name: str = "small_resnet_tiny") -> tuple[Classifier, object]:
    torch.manual_seed(0)
    frontend, model = {"name": MODELS[name].frontend}, {"name": name}
    classifier = build_classifier(frontend, model, len(LABELS)).eval()
    for module in classifier.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
    network = classifier.model
    spec = ClassifierSpec(
        labels=LABELS,
        sample_rate=classifier.frontend.sample_rate,
        window_s=2.0,
        hop_s=1.0,
        shortest_samples=classifier.shortest_samples,
        activation="softmax" if network.scores_are == "logits" else "none",
        frame_period_s=classifier.frontend.frame_period_s if network.has_frame_scores else None,
    )
    return classifier, artifact_config(spec, frontend, model, {"command": "test"})


def noises(rate: int, *seconds: float) -> list[Waveform]:
    rng = np.random.default_rng(0)
    return [Waveform(rng.normal(0, 0.1, int(rate * s)).astype(np.float32), rate) for s in seconds]


@pytest.fixture
def saved(tmp_path):
    classifier, config = make()
    save_artifact(tmp_path / "saved", classifier.state_dict(), config, "card")
    return tmp_path / "saved"


def test_what_is_saved_is_what_is_loaded(saved):
    classifier, config = make()
    clips = noises(config.spec.sample_rate, 0.02, 0.7, 2.0, 3.3)
    ours = list(Predictor(TorchEngine(classifier), config.spec).score_many(clips))
    theirs = list(auricle.load(saved).score_many(clips))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert load_classifier(saved)[1] == config


def test_bf16_is_close_to_fp32_and_is_bf16(saved):
    _, config = make()
    clips = noises(config.spec.sample_rate, 0.7, 2.0, 3.3)
    ours = np.stack(list(auricle.load(saved).score_many(clips)))
    theirs = np.stack(list(auricle.load(saved, precision="bf16").score_many(clips)))
    assert theirs.dtype == np.float32
    assert 0 < np.abs(ours - theirs).max() < 0.02


def test_a_batch_too_large_for_the_cache_is_walked_in_chunks(monkeypatch):
    classifier, config = make()
    clips = noises(config.spec.sample_rate, *[1.0] * 5)
    engine = TorchEngine(classifier)
    whole = list(Predictor(engine, config.spec).score_many(clips))
    seen = []
    classifier.frontend.register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    monkeypatch.setattr("auricle.artifact.classifier._MOST_SAMPLES", 2 * config.spec.sample_rate)
    in_chunks = list(Predictor(engine, config.spec).score_many(clips))
    assert seen == [2, 2, 1]
    np.testing.assert_allclose(in_chunks, whole, atol=1e-6)


# All networks' graphs are compared in the models' sweep.
@pytest.mark.parametrize(
    "name", ["small_resnet_tiny", "cnn14_decision_att_tiny", "image_resnet_tiny"]
)
def test_exported_it_answers_the_same(name, tmp_path):
    """ONNX is equal from any length and any input sample rate, events and embedding too."""
    classifier, config = make(name)
    exported = export_onnx(classifier, config, tmp_path / "m.onnx")
    assert exported.difference <= 1e-4
    ours = Predictor(TorchEngine(classifier), config.spec)
    theirs = load_onnx(tmp_path / "m.onnx")
    assert theirs.spec == config.spec
    clips = [clip for rate in (8000, 44100) for clip in noises(rate, 0.05, 1.3, 4.1)]
    for batch_size in (1, 4):
        there = Predictor(theirs.engine, theirs.spec, batch_size=batch_size)
        for one, other in zip(ours.score_many(clips), there.score_many(clips), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(ours.embed(clips[2]), theirs.embed(clips[2]), atol=1e-3, rtol=1e-3)


def test_the_onnx_file_is_as_promised(tmp_path):
    classifier, config = make()
    export_onnx(classifier, config, tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    assert [value.name for value in model.graph.input] == ["waveforms", "lengths_samples"]
    assert [value.name for value in model.graph.output] == ["scores", "frame_scores", "embedding"]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["auricle.config"] == config_text(config)
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"STFT", "DFT"}


def test_a_least_length_does_not_hinder_the_export(tmp_path):
    """The file is checked on a very short noise, which the trained classifier would leave out."""
    classifier, config = make()
    limits = {"trim_db": 30.0, "min_clip_s": 0.5, "max_clip_s": 2.0, "short_clips": "reflect"}
    config = config.model_copy(update={"spec": config.spec.model_copy(update=limits)})
    export_onnx(classifier, config, tmp_path / "m.onnx", noises(config.spec.sample_rate, 0.1, 3.0))
    theirs = load_onnx(tmp_path / "m.onnx")
    assert theirs.spec == config.spec
    ours = Predictor(TorchEngine(classifier), config.spec)
    short, *clips = noises(config.spec.sample_rate, 0.1, 0.7, 3.0)
    for one, other in zip(ours.score_many(clips), theirs.score_many(clips), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    with pytest.raises(AudioError, match=r"holds 0\.100 s"):
        theirs.predict(short)


def test_an_export_that_differs_is_not_left_behind(tmp_path, monkeypatch):
    classifier, config = make()
    monkeypatch.setattr("auricle.artifact.onnx_export.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="differ by"):
        export_onnx(classifier, config, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_no_file_could_hold_is_refused(tmp_path, monkeypatch):
    classifier, config = make()
    monkeypatch.setattr("auricle.artifact.onnx_export.MOST_BYTES", 1000)
    with pytest.raises(ExportError, match=r"at most 0\.0 GB.*not written\. Run the folder itself"):
        export_onnx(classifier, config, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_in_the_place_of_weights_is_refused_and_not_run(saved, tmp_path, how):
    sentinel = tmp_path / "executed"
    with (saved / "model.safetensors").open("wb") as file:
        if how == "pickle":
            pickle.dump(Bomb(sentinel), file)
        else:
            torch.save(Bomb(sentinel), file)
    with pytest.raises(ArtifactError, match="nothing in them was executed"):
        auricle.load(saved)
    assert not sentinel.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "newer"),
        ({"format_version": "x"}, "format_version"),
        ({"spec": {}}, "spec"),
        ({"model": {"name": "cn10"}}, "cn10|cnn10"),
        ({"model": {"name": "small_resnet_tiny", "widths": [4, 16]}}, "do not fit"),
        ({"model": {"name": "small_resnet_tiny", "width": [4]}}, "model.widths"),
        ({"frontend": {}}, "front-end|frontend"),
        ({"frontend": {"name": "logmel_8k", "n_mels": 10**9}}, "n_mels"),
        ({"model": {"name": "small_resnet_tiny", "widths": [10**8, 10**8]}}, "less than or equal"),
        ({"model": {"name": "small_resnet_tiny", "widths": [10**4, 10**4]}}, "do not fit"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(saved, change, message):
    path = saved / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match=message) as caught:
        auricle.load(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        auricle.load(saved)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stranger", "unexpected stranger"),
        ("model.stranger", r"missing model\.head\.bias; unexpected model\.stranger"),
    ],
)
def test_weights_with_other_keys_are_refused(saved, name, message):
    from safetensors.torch import load_file, save_file

    weights = load_file(str(saved / "model.safetensors"))
    weights[name] = weights.pop("model.head.bias")
    save_file(weights, str(saved / "model.safetensors"))
    with pytest.raises(ArtifactError, match=message):
        auricle.load(saved)
