"""A run that starts from a checkpoint: its network, its front-end, its weights, a new head."""

from pathlib import Path

import pytest
import torch

import auricle
from auricle.artifact.classifier import Classifier
from auricle.artifact.folder import load_weights
from auricle.artifact.parts import build_frontend
from auricle.artifact.published.loading import start_from
from auricle.core.config import read_yaml
from auricle.core.errors import ArtifactError, ConfigError
from auricle.core.reporting import Silent
from auricle.data import read_manifest

TINY = "cnn6_tiny"
# A step so small that the weights stay what they were.
STILL = {"train.learning_rate": 1e-12, "train.ema_decay": 0, "train.weight_decay": 0}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The file of a tiny Cnn6 of five classes, saved as the authors of the PANNs save theirs."""
    torch.manual_seed(1)
    state = auricle.create_model(TINY, 5).state_dict()
    torch.save({"iteration": 1, "model": state}, tmp_path / "published.pth")
    return tmp_path / "published.pth"


def train(data: Path, output: Path, **how):
    options = {"train.max_steps": 1, "train.batch_size": 8, **STILL, **how.pop("options", {})}
    return auricle.train(data, output=output, options=options, **how)


def convolutions(weights):
    return {key: value for key, value in weights.items() if ".conv" in key and value.ndim == 4}


def test_a_run_starts_from_the_checkpoint(checkpoint, tone_folder, tmp_path):
    run = train(tone_folder, tmp_path / "run", pretrained=checkpoint)
    config = read_yaml(run.folder / "config.yaml")
    assert (config["model"]["name"], config["frontend"]["name"]) == (TINY, "logmel_16k")
    assert config["train"]["pretrained"] == str(checkpoint)
    weights = load_weights(run.folder / "model.safetensors")
    before = torch.load(checkpoint, weights_only=True)["model"]
    found = convolutions(weights)
    assert len(found) == 3
    for key, value in found.items():
        torch.testing.assert_close(value, before[key.removeprefix("model.")], atol=1e-6, rtol=0)
    assert weights["model.fc_audioset.weight"].shape == (3, 16)
    checkpoint.unlink()  # the run stands alone
    sound = next(tone_folder.rglob("*.wav"))
    assert set(auricle.load(run.folder).predict(sound).labels) == {"high", "low", "noisy low"}


def test_a_run_starts_from_a_run_and_keeps_its_head(tone_folder, tmp_path):
    first = train(tone_folder, tmp_path / "first", model="small_resnet_tiny")
    second = train(tone_folder, tmp_path / "second", pretrained=first.folder)
    before, after = (load_weights(run.folder / "model.safetensors") for run in (first, second))
    for key, value in before.items():
        if value.ndim >= 2:  # batch norms go on counting
            torch.testing.assert_close(after[key], value, atol=1e-6, rtol=0)


def test_a_head_of_the_same_classes_follows_the_order_of_the_data(tone_folder, tmp_path):
    run = train(tone_folder, tmp_path / "first", model="small_resnet_tiny")
    section = read_yaml(run.folder / "config.yaml")["model"]
    frontend = build_frontend(read_yaml(run.folder / "config.yaml")["frontend"])
    labels = read_manifest(run.folder / "manifest.csv").labels
    turned = [labels[2], labels[0], labels[1]]
    network = auricle.create_model("small_resnet_tiny", 3)
    classifier = Classifier(frontend, network)
    start_from(classifier, section, run.folder, labels=turned, reporter=Silent())
    of_run = load_weights(run.folder / "model.safetensors")
    (key,) = [k for k, v in network.state_dict().items() if v.shape == (3,) and "bias" in k]
    assert torch.equal(network.state_dict()[key], of_run[f"model.{key}"][[2, 0, 1]])


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"frontend": "logmel_8k"}, r"logmel_8k disagrees .*sample_rate is 8000 here and 16000"),
        ({"options": {"frontend.n_mels": 40}}, r"n_mels is 40 here and 64 there"),
        ({"options": {"model.embedding_dim": 20}}, r"fc1\.\w+ is .* and should be"),
    ],
)
def test_what_disagrees_with_the_checkpoint(checkpoint, tone_folder, tmp_path, how, complaint):
    with pytest.raises((ConfigError, ArtifactError), match=complaint):
        train(tone_folder, tmp_path / "run", pretrained=checkpoint, **how)
    assert not (tmp_path / "run").exists()


def test_a_published_name_settles_network_and_front_end_without_a_download():
    options = {"train.pretrained": "panns/cnn14_16k"}
    resolved = auricle.api.resolve_run(None, options)
    assert resolved.model["name"] == "cnn14_16k"
    assert resolved.frontend["sample_rate"] == 16000
    with pytest.raises(ConfigError, match="is of the network cnn14_16k, not cnn10: leave --model"):
        auricle.api.resolve_run(None, {**options, "model.name": "cnn10"})
    with pytest.raises(ConfigError, match="sample_rate is 32000 here and 16000 there"):
        auricle.api.resolve_run(None, {**options, "frontend.name": "logmel_32k"})


def test_a_checkpoint_that_is_not_there(tone_folder, tmp_path):
    with pytest.raises(ArtifactError, match=r"no classifier at .*nothing\.pth"):
        train(tone_folder, tmp_path / "run", pretrained=tmp_path / "nothing.pth")
