"""Weights of ImageNet: where they come from, what they fill, and what is said without them."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision.models import mobilenet_v3_small

import auricle
from auricle.artifact.imagenet import load_imagenet
from auricle.artifact.parts import build_model
from auricle.core.errors import ArtifactError, ConfigError
from auricle.models.image import ImageNetwork

BINS = 64
RESNET = {"name": "image_resnet_tiny", "imagenet": True}
MOBILENET = {"name": "mobilenetv3_small", "imagenet": True}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a hub that nobody reaches."""
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "of_the_hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    return tmp_path / "hub"


@pytest.fixture
def published(cache: Path) -> Callable[..., dict[str, torch.Tensor]]:
    """Put the weights of a network of timm where a download would leave them."""

    def put(backbone: str, of: str | None = None) -> dict[str, torch.Tensor]:
        network = timm.create_model(of or backbone)
        assert timm.get_pretrained_cfg(backbone).hf_hub_id
        folder = cache / timm.get_pretrained_cfg(backbone).hf_hub_id.replace("/", "--")
        folder.mkdir(parents=True)
        save_file(network.state_dict(), folder / "model.safetensors")
        return network.state_dict()

    return put


def built(section: dict[str, object], classes: int = 3) -> ImageNetwork:
    model = build_model(section, bins=BINS, classes=classes)
    assert isinstance(model, ImageNetwork)
    return model


@pytest.mark.parametrize("classes", [0, 3, 1000])
def test_all_but_the_last_layer_is_filled(published, classes):
    weights = published("test_resnet")
    model = built(RESNET, classes)
    head = [value.clone() for value in model.head().parameters()]
    load_imagenet(model)
    filled = model.network.state_dict()
    body = {key for key in weights if not key.startswith("fc.")}
    assert all(torch.equal(filled[key], weights[key]) for key in body)
    for value, before in zip(model.head().parameters(), head, strict=True):
        assert torch.equal(value, before)


def test_one_channel_sees_grey_as_three_did(published):
    published("test_resnet")
    three, one = built(RESNET, 0).eval(), built({**RESNET, "channels": 1}, 0).eval()
    for model in (three, one):
        load_imagenet(model)
    grey = torch.rand(2, 1, BINS, BINS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(one.embed(grey), three.embed(grey.expand(-1, 3, -1, -1)))


def test_a_picture_of_another_size_is_fitted(published):
    """Places of patches are learned at 160 x 160; ours are 64 x 64."""
    weights = published("test_vit")
    model = built({"name": "image_vit_tiny", "imagenet": True})
    load_imagenet(model)
    filled = model.network.state_dict()
    assert filled["pos_embed"].shape != weights["pos_embed"].shape
    assert torch.equal(filled["blocks.0.mlp.fc1.weight"], weights["blocks.0.mlp.fc1.weight"])


def test_torchvision(cache):
    model = built({**MOBILENET, "channels": 1})
    weights = mobilenet_v3_small().state_dict()
    cache.mkdir(parents=True)
    torch.save(weights, cache / model.imagenet_file()[1])
    load_imagenet(model)
    filled = model.network.state_dict()
    first = "features.0.0.weight"
    torch.testing.assert_close(filled[first], weights[first].sum(1, keepdim=True))
    assert torch.equal(filled["classifier.0.weight"], weights["classifier.0.weight"])


def test_a_bare_network_begins_with_them_too(published):
    weights = published("test_resnet")
    model = auricle.create_model("image_resnet_tiny", 3, options={"imagenet": True})
    assert torch.equal(model.network.conv1[0].weight, weights["conv1.0.weight"])


def test_nothing_is_fetched_unless_it_is_asked_for(cache):
    model = built({"name": "image_resnet_tiny"})
    before = {key: value.clone() for key, value in model.state_dict().items()}
    load_imagenet(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_building_fetches_nothing(cache):
    """So an artifact is rebuilt without the file that its training began with."""
    assert built(RESNET).imagenet
    assert not cache.exists()


def test_weights_of_another_network(published):
    published("test_resnet", of="test_efficientnet")
    with pytest.raises(ArtifactError, match=r"does not hold the weights .* --model\.imagenet"):
        load_imagenet(built(RESNET))


def test_a_pickle_is_never_run(cache, tmp_path):
    model = built(MOBILENET)
    cache.mkdir(parents=True)
    (cache / model.imagenet_file()[1]).write_bytes(pickle.dumps(Touch(str(tmp_path / "ran"))))
    with pytest.raises(ArtifactError):
        load_imagenet(model)
    assert not (tmp_path / "ran").exists()


class Touch:
    """A pickle of it creates a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (self.path, "w")


@pytest.mark.parametrize("section", [RESNET, MOBILENET])
def test_offline_it_says_where_the_file_goes(cache, monkeypatch, section):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(ArtifactError, match=r"cannot be fetched") as caught:
        load_imagenet(built(section))
    assert str(cache) in str(caught.value)


def test_a_size_that_nobody_published():
    model = built({**MOBILENET, "width_factor": 0.5})
    with pytest.raises(ConfigError, match="width_factor"):
        load_imagenet(model)
