"""Foreign checkpoints: what the registry says, what is taken, and what is refused and why."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import auricle
from auricle.artifact.parts import build_model
from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.checkpoint import MACLS, open_checkpoint
from auricle.artifact.published.loading import load_any
from auricle.artifact.published.reading import read_tensors
from auricle.artifact.published.recognise import recognise
from auricle.core.audioset import audioset_labels
from auricle.core.errors import ArtifactError, ConfigError, UnknownName
from auricle.models import MODELS
from auricle.tensors import Features

TINY = "cnn6_tiny"
LABELS = ["a", "b", "c", "d", "e"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny_state() -> dict[str, Tensor]:
    """The state dict of a tiny Cnn6 of five classes."""
    torch.manual_seed(1)
    return auricle.create_model(TINY, 5).state_dict()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(content: Any, name: str = "weights.pth", **how: Any) -> Path:
        torch.save(content, tmp_path / name, **how)
        return tmp_path / name

    return save


# -- the registry


def test_every_published_checkpoint_fills_a_network_that_is_there():
    for name in PUBLISHED:
        published = PUBLISHED[name]
        assert published.model in MODELS, name
        assert published.url.startswith("https://")
        assert published.licence
        assert published.facts
        assert bool(published.figure) == bool(published.figure_source)
        assert not published.verified, "nothing could be downloaded yet: say what changed"
        labels = published.label_list()
        assert labels is None or labels == audioset_labels()


def test_files_of_one_name_are_of_one_network():
    by_file: dict[str, set[str]] = {}
    for name in PUBLISHED:
        published = PUBLISHED[name]
        if published.layout == "torch":
            section = json.dumps(published.model_section, sort_keys=True)
            by_file.setdefault(published.file, set()).add(section)
    assert all(len(sections) == 1 for sections in by_file.values())


def test_every_network_of_macls_is_there():
    assert {name for names in MACLS.values() for name in names} <= set(MODELS)


def row_of(name: str) -> str:
    """The line of the documentation that a checkpoint has."""
    published = PUBLISHED[name]
    checked = "none" if published.checksum is None else published.checksum.algorithm
    size = "" if published.size_bytes is None else f"{published.size_bytes:,}"
    figure = f"{published.figure} ({published.figure_source})" if published.figure else ""
    cells = [f"`{name}`", f"`{published.model}`", f"`{published.file}`", figure]
    return f"| {' | '.join([*cells, published.licence, size, checked])} |"


def test_the_documentation_lists_every_checkpoint():
    page = Path(__file__).resolve().parents[2] / "docs" / "checkpoints.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = {line for line in lines if line.startswith("| `")}
    assert rows == {row_of(name) for name in PUBLISHED}
    assert any("None of these files has been loaded here yet" in line for line in lines)


# -- what is taken


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model": state, "iteration": 3, "sampler": {"indexes": np.arange(5)}},
        lambda state: {"state_dict": state, "epoch": np.int64(3)},
        lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
    ],
)
def test_wrapped_weights_are_taken_out(tiny_state, saved, wrap, zipped):
    path = saved(wrap(tiny_state), _use_new_zipfile_serialization=zipped)
    read = read_tensors(path)
    assert read.keys() == tiny_state.keys()
    assert all(torch.equal(read[key], tiny_state[key]) for key in read)


def test_a_file_is_recognised_by_its_keys(tiny_state, saved):
    path = saved({"model": tiny_state})
    opened = open_checkpoint(path)
    assert opened.model["name"] == TINY
    assert opened.classes == 5
    assert opened.frontend["name"] == MODELS[TINY].frontend
    with pytest.raises(ArtifactError, match=r"does not name its 5 classes.*--labels FILE"):
        load_any(path)


def test_labels_name_the_classes(tiny_state, saved, tmp_path):
    path = saved(tiny_state)
    classifier = auricle.load(path, labels=LABELS)
    sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    prediction = classifier.predict(sound, sample_rate=16000)
    assert sorted(prediction.labels) == LABELS
    assert sum(prediction.scores) == pytest.approx(1, abs=1e-5)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(ConfigError, match=r"--labels names 2 classes and .* scores 5"):
        auricle.load(path, labels=tmp_path / "labels.txt")


def test_527_classes_are_those_of_audioset(saved):
    path = saved(auricle.create_model(TINY, 527).state_dict())
    classifier = auricle.load(path)
    assert classifier.labels == audioset_labels()
    assert classifier.spec.activation == "sigmoid"
    assert classifier.spec.window_s == 10


@pytest.mark.parametrize(
    "file", ["Cnn6_mAP=0.343.pth", "Cnn6_mAP%3D0.343.pth", "cnn6_map=0.343.pth?download=1"]
)
def test_a_published_file_is_known_by_its_name(file):
    with torch.device("meta"):
        state = dict(auricle.create_model("cnn6", 527).state_dict())
    candidate, _ = recognise(state, Path(file))
    assert candidate.published is PUBLISHED["panns/cnn6"]


def test_a_published_name_on_a_file_of_other_classes(saved):
    path = saved(auricle.create_model("leenet11", 5).state_dict(), "LeeNet11_mAP=0.266.pth")
    opened = open_checkpoint(path)
    assert (opened.labels, opened.classes, opened.activation) == (None, 5, "softmax")


def test_an_embedding_network_embeds_and_does_not_predict(saved, tmp_path):
    network = auricle.create_model("campplus_tiny", 0).eval()
    path = saved(network.state_dict(), "network.ckpt")
    classifier = auricle.load(path)
    sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    assert classifier.embed(sound, sample_rate=16000).shape == (1, network.embedding_dim)
    with pytest.raises(ArtifactError, match="gives no scores"):
        classifier.predict(sound, sample_rate=16000)
    exported = auricle.load(auricle.export(path, tmp_path / "network.onnx"))
    ours, theirs = (c.embed(sound, sample_rate=16000) for c in (classifier, exported))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("classes", [0, 3, 5])
def test_a_new_number_of_classes_replaces_the_head_only(tiny_state, saved, classes):
    torch.manual_seed(2)
    network = auricle.create_model(TINY, classes, pretrained=saved(tiny_state))
    head = {key for key in tiny_state if key.startswith("fc_audioset.")}
    state = network.state_dict()
    assert state.keys() == (tiny_state.keys() if classes else tiny_state.keys() - head)
    for key in state.keys() - head:
        assert torch.equal(state[key], tiny_state[key])
    if classes:
        assert len(state["fc_audioset.bias"]) == classes
        kept = classes == 5 and torch.equal(
            state["fc_audioset.weight"], tiny_state["fc_audioset.weight"]
        )
        assert kept == (classes == 5)


def test_a_network_without_a_head_gets_a_fresh_one(saved):
    state = auricle.create_model("campplus_tiny", 0).state_dict()
    network = auricle.create_model("campplus_tiny", 7, pretrained=saved(state)).eval()
    scores = network(Features(torch.zeros(2, 80, 100), torch.full((2,), 100))).scores
    assert scores is not None
    assert scores.shape == (2, 7)


def test_a_macls_folder_may_lack_its_notes(tmp_path):
    state = auricle.create_model("tdnn", 4, options={"pooling": "tap"}).state_dict()
    (tmp_path / "best_model").mkdir()
    torch.save(state, tmp_path / "best_model" / "model.pth")
    opened = open_checkpoint(tmp_path)
    assert (opened.model["name"], opened.model["pooling"], opened.classes) == ("tdnn", "tap", 4)
    assert (opened.normalise.kind, opened.normalise.target_db) == ("rms", -20)
    (tmp_path / "best_model" / "model.state").write_text("{")
    with pytest.raises(ArtifactError, match="is not the JSON that macls writes"):
        open_checkpoint(tmp_path)


# -- what is refused


class Trap:
    """Its pickle makes a folder when it is loaded."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.makedirs, (str(self.sentinel),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_named_and_not_run(tmp_path, tiny_state, saved, zipped):
    sentinel = tmp_path / "the code was run"
    path = saved(
        {"model": tiny_state, "extra": Trap(sentinel)}, _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(
        ArtifactError, match=r"holds code \(\w+\.makedirs\).*nothing in it was exec"
    ):
        auricle.load(path)
    path.write_bytes(pickle.dumps(Trap(sentinel)))
    with pytest.raises(ArtifactError, match="nothing in it was executed"):
        auricle.load(path)
    assert not sentinel.exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "is a web page, not weights"),
        (b"<HTML>404</HTML>", "is a web page, not weights"),
        (b"", "is empty: fetch it again"),
        (b"garbage" * 100, "is no whole checkpoint"),
    ],
)
def test_what_is_no_checkpoint_at_all(tmp_path, content, complaint):
    path = tmp_path / "Cnn14_mAP=0.431.pth"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=complaint):
        auricle.load(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.01, 0.1, 0.5, 0.999])
def test_a_download_that_is_cut_short(tiny_state, saved, zipped, kept):
    path = saved(tiny_state, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ArtifactError, match=str(path)) as caught:
        auricle.load(path, labels=LABELS)
    assert "PytorchStreamReader" not in str(caught.value)


def test_a_kept_file_of_another_size_than_published(cache):
    path = cache / "published" / "panns" / "cnn10" / "Cnn10_mAP=0.380.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 100)
    with pytest.raises(ArtifactError, match=r"100 bytes, .* published with 25,237,595"):
        auricle.load("panns/cnn10")


def test_paddles_pickles_are_refused_with_the_way_out(tmp_path):
    path = tmp_path / "panns_cnn14.pdparams"
    path.write_bytes(pickle.dumps({"fc1.weight": np.zeros(3)}, protocol=4))
    with pytest.raises(ArtifactError, match=r"nothing in it was executed.*panns/cnn14"):
        auricle.load(path)


@pytest.mark.parametrize("content", [[1, 2], 3, {"a": 1}, {"model": {}}, {}])
def test_what_holds_no_state_dict(saved, content):
    with pytest.raises(ArtifactError, match=r"torch\.save\(network\.state_dict\(\), PATH\)"):
        auricle.load(saved(content))


def test_another_architecture_says_what_is_missing_and_what_is_too_many(tiny_state, saved):
    path = saved(tiny_state)
    with pytest.raises(ArtifactError, match=r"does not fill the network cnn14_clip_tiny: it lacks"):
        auricle.load(path, model="cnn14_clip_tiny", labels=LABELS)
    with pytest.raises(
        ArtifactError,
        match=rf"does not fill the network ecapa_tdnn: .*\. It is of the network {TINY}: "
        rf"give --model {TINY}$",
    ):
        auricle.load(path, model="ecapa_tdnn", labels=LABELS)
    narrow = build_model(
        {"name": "campplus", "embedding_dim": 192}, bins=80, classes=0
    ).state_dict()
    with pytest.raises(ArtifactError, match="does not fill the network campplus: ") as caught:
        auricle.load(saved(narrow), model="campplus", labels=LABELS)
    assert "give --model campplus" not in str(caught.value)
    less = {key: value for key, value in tiny_state.items() if key != "fc1.bias"}
    with pytest.raises(ArtifactError, match=r"it lacks fc1\.bias"):
        auricle.load(saved(less), model=TINY, labels=LABELS)
    with pytest.raises(ArtifactError, match=r"it has fc9\.bias besides"):
        auricle.load(saved({**tiny_state, "fc9.bias": torch.zeros(3)}), model=TINY)
    with pytest.raises(ArtifactError, match=r"is of no network that is known here; the nearest is"):
        auricle.load(saved({**tiny_state, "fc9.bias": torch.zeros(3)}))
    with pytest.raises(ArtifactError, match=r"fc1\.bias is \(17,\) and should be \(16,\)"):
        auricle.load(saved({**tiny_state, "fc1.bias": torch.zeros(17)}), model=TINY)
    with pytest.raises(ArtifactError, match="is of no network that is known here"):
        auricle.load(saved({"some.weight": torch.zeros(3)}))


def test_another_number_of_mel_bins(saved):
    path = saved(auricle.create_model(TINY, 5, bins=128).state_dict())
    complaint = r"it was made for 128 mel bins, and the front-end gives 64"
    with pytest.raises(ArtifactError, match=complaint):
        auricle.load(path, model=TINY, labels=LABELS)
    with pytest.raises(ArtifactError, match=complaint):
        auricle.create_model(TINY, 5, pretrained=path)


def test_front_end_constants_tell_sample_rates_apart():
    """Cnn14 at 8, 16 and 32 kHz has the same parameters: the file's own constants tell which."""
    with torch.device("meta"):
        state = dict(auricle.create_model("cnn14", 527).state_dict())
    key = "spectrogram_extractor.stft.conv_real.weight"
    for points, name in ((1024, "cnn14"), (512, "cnn14_16k"), (256, "cnn14_8k")):
        constants = {key: torch.zeros(points // 2 + 1, 1, points)}
        candidate, classes = recognise({**state, **constants}, Path("x.pth"))
        assert (candidate.name, classes) == (name, 527)
    with pytest.raises(ArtifactError, match=r"differently: cnn14, cnn14_16k, cnn14_8k\. Say"):
        recognise(state, Path("x.pth"))
    with pytest.raises(ArtifactError, match=r"another front-end \(512 points, \? mel bins\)"):
        recognise({**state, key: torch.zeros(257, 1, 512)}, Path("x.pth"), name="cnn14")


@pytest.mark.parametrize(
    ("name", "guess"),
    [("panns/cn14", "panns/cnn14"), ("efficientat/mn10_ass", "efficientat/mn10_as")],
)
def test_a_published_name_one_letter_off(name, guess):
    with pytest.raises(UnknownName, match=f"did you mean '{guess}'"):
        auricle.load(name)


def test_a_name_without_its_family():
    with pytest.raises(ArtifactError, match=r"no classifier at cnn14:.*did you mean 'panns/cnn14'"):
        auricle.load("cnn14")


def test_a_path_that_is_not_there_is_no_name_on_the_hub(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=r"no classifier at runs/dogz"):
        auricle.load("runs/dogz")


def test_a_model_name_one_letter_off(tiny_state, saved):
    with pytest.raises(UnknownName, match="did you mean 'cnn6_tiny'"):
        auricle.load(saved(tiny_state), model="cnn6_tny")


def test_offline_says_what_to_get_from_where_and_where_to_put_it(cache, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr("socket.create_connection", refuse)
    with pytest.raises(ArtifactError) as caught:
        auricle.load("panns/cnn14")
    message = str(caught.value)
    assert "Cnn14_mAP=0.431.pth of panns/cnn14" in message
    assert PUBLISHED["panns/cnn14"].url in message
    assert str(cache / "published" / "panns" / "cnn14" / "Cnn14_mAP=0.431.pth") in message
    assert "no network here" in message


def test_a_model_may_not_disagree_with_its_checkpoint(tiny_state, saved):
    with pytest.raises(ConfigError, match="leave --model cnn6 out"):
        auricle.load("panns/cnn14", model="cnn6")
    with pytest.raises(ArtifactError, match="does not fill the network cnn14"):
        auricle.create_model("cnn14", 5, pretrained=saved(tiny_state))
