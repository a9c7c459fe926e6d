"""Classifiers of the hub and folders of transformers, through `auricle.load`."""

import importlib
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch

import auricle
from auricle.artifact.classifier import build_classifier
from auricle.artifact.folder import artifact_config, save_artifact
from auricle.artifact.published.loading import load_any
from auricle.core.errors import ArtifactError, ConfigError
from auricle.models import MODELS
from auricle.runtime import ClassifierSpec

SOUND = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)


class Hub(SimpleHTTPRequestHandler):
    """The files of one folder under `/owner/name/resolve/main/`."""

    def do_GET(self):
        self.path = self.path.removeprefix("/owner/name/resolve/main")
        super().do_GET()

    def log_message(self, format, *arguments):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch, serve_http) -> Path:
    """The folder that a hub on this machine serves as `owner/name`."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("HF_ENDPOINT", serve_http(partial(Hub, directory=str(folder))))
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return folder


def save_tiny(folder: Path) -> None:
    name = "small_resnet_tiny"
    frontend, model = {"name": MODELS[name].frontend}, {"name": name}
    torch.manual_seed(0)
    classifier = build_classifier(frontend, model, 3)
    spec = ClassifierSpec(
        labels=("a", "b", "c"),
        sample_rate=classifier.frontend.sample_rate,
        window_s=1.0,
        hop_s=0.5,
        shortest_samples=classifier.shortest_samples,
    )
    config = artifact_config(spec, frontend, model, {})
    save_artifact(folder, classifier.state_dict(), config, "card")


def test_an_artifact_of_ours_is_loaded_from_the_hub(hub):
    save_tiny(hub)
    ours = auricle.load(hub).predict(SOUND, sample_rate=16000)
    theirs = auricle.load("owner/name").predict(SOUND, sample_rate=16000)
    assert (ours.labels, ours.scores) == (theirs.labels, theirs.scores)
    for file in hub.iterdir():
        file.unlink()
    assert auricle.load("owner/name").labels == ("a", "b", "c")  # kept
    with pytest.raises(ConfigError, match="names its own labels"):
        auricle.load("owner/name", labels=["x", "y", "z"])
    with pytest.raises(ConfigError, match="leave --model cnn6 out"):
        auricle.load("owner/name", model="cnn6")


def test_a_repository_that_is_not_there(hub):
    with pytest.raises(
        ArtifactError, match=r"config\.json of 'owner/other' is not on this machine"
    ):
        auricle.load("owner/other")


@pytest.fixture
def ast_folder(tmp_path) -> Path:
    """A tiny AST of three classes, as `save_pretrained` leaves it."""
    transformers = importlib.import_module("transformers")
    config = transformers.ASTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_length=128,
        num_labels=3,
        id2label={0: "yes", 1: "no", 2: "maybe"},
        label2id={"yes": 0, "no": 1, "maybe": 2},
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.ASTForAudioClassification(config)
    network.save_pretrained(tmp_path / "ast")
    extractor = transformers.ASTFeatureExtractor(max_length=128)
    extractor.save_pretrained(tmp_path / "ast")
    return tmp_path / "ast"


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")  # the reference's
def test_an_ast_of_transformers_gives_its_scores(ast_folder):
    transformers = importlib.import_module("transformers")
    network = transformers.ASTForAudioClassification.from_pretrained(ast_folder).eval()
    extractor = transformers.ASTFeatureExtractor.from_pretrained(ast_folder)
    heard = extractor(SOUND, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = network(**heard).logits.softmax(dim=1)[0].numpy()
    prediction = auricle.load(ast_folder).predict(SOUND, sample_rate=16000)
    found = dict(zip(prediction.labels, prediction.scores, strict=True))
    assert set(found) == {"yes", "no", "maybe"}
    theirs = [found[label] for label in ("yes", "no", "maybe")]
    np.testing.assert_allclose(theirs, expected, atol=1e-3)
    assert np.ptp(expected) > 0.01


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")  # the reference's
def test_an_ast_is_a_start_for_other_classes(ast_folder):
    network = auricle.create_model("ast", 7, pretrained=ast_folder)
    assert network.classes == 7
    _, config = load_any(ast_folder)
    assert config.spec.window_s == pytest.approx(1.28)
    with pytest.raises(ConfigError, match="is of the network ast, not cnn6"):
        auricle.create_model("cnn6", 7, pretrained=ast_folder)
