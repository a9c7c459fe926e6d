"""Checkpoints as their authors write them, through the command line to the reference's numbers.

The files are written from the golden entries alone (keys, order, values), wrapped as the authors
wrap them; no network of ours takes part in writing.
"""

import csv
import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from auricle import api
from auricle.artifact.published import PUBLISHED
from auricle.cli import main
from auricle.core.audioset import audioset_labels
from auricle.frontends import FRONTENDS
from auricle.models import MODELS
from auricle.tensors import Features

LABELS = [f"class {index}" for index in range(10)]


def write_waves(folder: Path, waves: Tensor, sample_rate: int) -> list[Path]:
    """Write a batch of waveforms as 32-bit float WAV files."""
    paths = [folder / f"{index}.wav" for index in range(len(waves))]
    for path, wave in zip(paths, waves.numpy(), strict=True):
        soundfile.write(path, wave, sample_rate, subtype="FLOAT")
    return paths


def predict(model: object, waves: list[Path], labels: list[str], *options: object) -> np.ndarray:
    """Run `auricle predict` for all labels; return probabilities `(files, classes)`."""
    output = waves[0].parent / "predictions.csv"
    words = ["predict", model, *waves, "--top-k", len(labels), "--output", output, "--quiet"]
    assert main([str(word) for word in [*words, *options]]) == 0
    found = {str(wave): np.full(len(labels), np.nan) for wave in waves}
    with output.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["path"]][labels.index(row["label"])] = float(row["score"])
    return np.stack(list(found.values()))


def embed(model: object, waves: list[Path], *options: object) -> np.ndarray:
    """Run `auricle embed`; return one vector a file."""
    output = waves[0].parent / "vectors.npz"
    words = ["embed", model, *waves, "--output", output, "--quiet", *options]
    assert main([str(word) for word in words]) == 0
    with np.load(output) as arrays:
        assert list(arrays["path"]) == [str(wave) for wave in waves]
        return arrays["embedding"]


# -- PANNs: pytorch/main.py of audioset_tagging_cnn, saved by the torch of 2020


def panns_state(golden: Any) -> "OrderedDict[str, Tensor]":
    """The state dict of a PANNs file: the front-end's constants before the network's."""
    values = golden.published()
    front = golden.described.get("front_end", {})
    constants = {}
    if "n_fft" in front:
        points, bins = front["n_fft"], front["n_mels"]
        for part in ("real", "imag"):
            key = f"spectrogram_extractor.stft.conv_{part}.weight"
            constants[key] = torch.zeros(points // 2 + 1, 1, points)
        constants["logmel_extractor.melW"] = torch.zeros(points // 2 + 1, bins)
    state = OrderedDict({**constants, **values})
    # A module leaves the versions of its parts on the state dict, and torch pickles them too.
    paths = {""} | {
        key.rsplit(".", depth)[0] for key in state for depth in range(1, key.count(".") + 1)
    }
    paths |= {f"spec_augmenter{part}" for part in ("", ".time_dropper", ".freq_dropper")}
    norms = {path for path in paths if f"{path}.num_batches_tracked" in state}
    paths |= {f"{path.rpartition('.')[0]}" for path in paths if "." in path}
    state._metadata = OrderedDict(  # type: ignore[attr-defined]
        (path, {"version": 2 if path in norms else 1}) for path in sorted(paths)
    )
    return state


def write_panns(path: Path, state: Mapping[str, Tensor]) -> None:
    checkpoint = {"iteration": 600_000, "model": state}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=False)


PANNS = {
    "Cnn10": ("panns/cnn10", 32000),
    "Cnn6": ("panns/cnn6", 32000),
    "MobileNetV1": ("panns/mobilenetv1", 32000),
    "LeeNet11": ("panns/leenet11", 32000),
}


@pytest.mark.parametrize("name", PANNS)
def test_parity_of_panns_files(entry, tmp_path, name):
    golden = entry(f"panns.{name}")
    published, rate = PANNS[name]
    path = tmp_path / PUBLISHED[published].file
    write_panns(path, panns_state(golden))
    ((_, expected),) = list(golden.vectors())
    waves = write_waves(tmp_path, golden.input_of(expected), rate)
    found = predict(path, waves, list(audioset_labels()))
    np.testing.assert_allclose(found, expected["clipwise_output"], atol=1e-3)
    golden.close(torch.from_numpy(embed(path, waves)), expected["embedding"])


def test_a_published_name_finds_its_file_in_the_cache(entry, tmp_path, monkeypatch):
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    golden = entry("panns.LeeNet11")
    path = tmp_path / "cache" / "published" / "panns" / "leenet11" / "LeeNet11_mAP=0.266.pth"
    path.parent.mkdir(parents=True)
    write_panns(path, panns_state(golden))
    ((_, expected),) = list(golden.vectors())
    waves = write_waves(tmp_path, golden.input_of(expected), 32000)
    found = predict("panns/leenet11", waves, list(audioset_labels()))
    np.testing.assert_allclose(found, expected["clipwise_output"], atol=1e-3)


def test_a_written_panns_file_has_the_published_size(entry, tmp_path, monkeypatch):
    """To the byte: so the published file holds `iteration` and `model`, and no sampler.

    It was saved by the torch of 2020 (no ZIP) from a graphics card, whose name stands once per
    tensor. A tensor's address in memory stands there twice, in digits.
    """
    published = PUBLISHED["panns/cnn10"]
    state = panns_state(entry("panns.Cnn10"))
    card = 0
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: f"cuda:{card}")
    path = tmp_path / published.file
    write_panns(path, state)
    digits = sum(len(str(value.untyped_storage()._cdata)) - 14 for value in state.values())
    assert path.stat().st_size - 2 * digits == published.size_bytes


# -- macls: a folder of model.pth and model.state


def write_macls(folder: Path, golden: Any) -> Path:
    best = folder / f"{golden.described['source']['class']}_Fbank" / "best_model"
    best.mkdir(parents=True)
    torch.save(OrderedDict(golden.published()), best / "model.pth")
    state = {"last_epoch": 59, "accuracy": 0.9, "version": "1.0.6", "feature_method": "Fbank"}
    state["model"] = golden.described["source"]["class"]
    (best / "model.state").write_text(json.dumps(state, indent=4))
    (folder / "label_list.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    return best


def levelled(wave: Tensor) -> Tensor:
    """A waveform at -20 dB, as macls normalises it."""
    return wave * 10 ** (-20 / 20) / wave.square().mean().sqrt()


def heard(model: torch.nn.Module, frontend: str, waves: Tensor) -> Any:
    """What a network makes of waveforms, one at a time, through a front-end of its own."""
    preset = FRONTENDS[frontend]
    front = preset.build(preset.config)
    with torch.no_grad():
        outputs = [model(front(wave[None], torch.tensor([len(wave)]))) for wave in waves]
    return outputs


@pytest.mark.parametrize(
    ("name", "preset", "options"),
    [
        ("TDNN_ASP", "tdnn", {}),
        ("EcapaTdnn_TSP", "ecapa_tdnn", {"pooling": "tsp"}),
        ("CAMPPlus", "campplus", {}),
        ("PANNS_CNN6", "macls_cnn6", {}),
    ],
)
def test_parity_of_macls_folders(entry, tmp_path, name, preset, options):
    golden = entry(f"macls.{name}")
    folder = write_macls(tmp_path, golden)
    network = api.create_model(preset, 10, pretrained=folder, options=options).eval()
    for expected, output in vectors_and_outputs(golden, network):
        golden.close(output.scores, expected["logits"])
        golden.close(output.embedding, expected["embedding"])
    sounds = golden.input("wave16k")
    waves = write_waves(tmp_path, sounds, 16000)
    found = predict(folder, waves, LABELS, "--labels", tmp_path / "label_list.txt")
    outputs = heard(network, MODELS[preset].frontend, torch.stack([levelled(s) for s in sounds]))
    expected_here = torch.cat([output.scores.softmax(dim=1) for output in outputs])
    np.testing.assert_allclose(found, expected_here.numpy(), atol=1e-3)


def vectors_and_outputs(golden, network):
    """Yield the arrays of every vector of features, and what `network` makes of its input."""
    for _, expected in golden.vectors():
        x = golden.input_of(expected)
        with torch.no_grad():
            output = network(Features(x, torch.full((len(x),), x.shape[2])))
        yield expected, output


# -- 3D-Speaker: a flat state dict without a head


def test_parity_of_3d_speaker_files(entry, tmp_path):
    golden = entry("3d-speaker.CAMPPlus")
    path = tmp_path / "campplus_voxceleb.bin"
    torch.save(OrderedDict(golden.published()), path)
    network = api.create_model("campplus", 0, pretrained=path).eval()
    for expected, output in vectors_and_outputs(golden, network):
        golden.close(output.embedding, expected["embedding"])
    sounds = golden.input("wave16k")
    waves = write_waves(tmp_path, sounds, 16000)
    expected_here = torch.cat([o.embedding for o in heard(network, "fbank80_norm", sounds)])
    golden.close(torch.from_numpy(embed(path, waves)), expected_here.numpy())
    assert main(["predict", str(path), str(waves[0]), "--quiet"]) == 2


# -- EfficientAT: a flat state dict


def test_parity_of_efficientat_releases(entry, tmp_path):
    golden = entry("efficientat.mn04")
    path = tmp_path / "mn04_as_mAP_432.pt"
    torch.save(OrderedDict(golden.published()), path)
    network = api.create_model("mn04", 527, pretrained=path).eval()
    for expected, output in vectors_and_outputs(golden, network):
        golden.close(output.scores, expected["logits"])
        golden.close(output.embedding, expected["embedding"])
    sounds = golden.input("wave32k")
    waves = write_waves(tmp_path, sounds, 32000)
    outputs = heard(network, MODELS["mn04"].frontend, sounds)
    expected_here = torch.cat([output.scores.sigmoid() for output in outputs])
    found = predict(path, waves, list(audioset_labels()))
    np.testing.assert_allclose(found, expected_here.numpy(), atol=1e-3)
