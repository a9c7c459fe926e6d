"""PANNs against numbers computed by the reference implementation, front-end included."""

import functools
import json
import zlib

import numpy as np
import pytest
import torch

from auricle.frontends import FRONTENDS
from auricle.models import MODELS

PRESETS = {
    "Cnn6": "cnn6",
    "Cnn10": "cnn10",
    "Cnn14": "cnn14",
    "Cnn14_16k": "cnn14_16k",
    "Cnn14_8k": "cnn14_8k",
    "Cnn14_mel32": "cnn14_mel32",
    "Cnn14_mel128": "cnn14_mel128",
    "Cnn14_emb32": "cnn14_emb32",
    "Cnn14_emb128": "cnn14_emb128",
    "Cnn14_emb512": "cnn14_emb512",
    "Cnn14_DecisionLevelMax": "cnn14_decision_max",
    "Cnn14_DecisionLevelAvg": "cnn14_decision_avg",
    "Cnn14_DecisionLevelAtt": "cnn14_decision_att",
}


@functools.cache
def filled(key, shape, kind, offset, scale):
    """The value of a state dict's entry by the rule of the folder, and its absolute sum."""
    if kind == "zeros":
        return torch.zeros(shape, dtype=torch.int64), 0.0
    draw = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    x = draw.astype(np.float32).astype(np.float64)
    value = (offset + scale * (np.abs(x) if kind == "abs_normal" else x)).astype(np.float32)
    return torch.from_numpy(np.asarray(value)), float(np.abs(value, dtype=np.float64).sum())


@pytest.fixture(scope="module", autouse=True)
def forget_values():
    yield
    filled.cache_clear()


@pytest.mark.parametrize("entry", PRESETS)
def test_panns_parity(parity, entry):
    described = json.loads((parity / f"panns.{entry}.json").read_text())
    preset = MODELS[PRESETS[entry]]
    frontend = FRONTENDS[preset.frontend].build(FRONTENDS[preset.frontend].config)
    with torch.device("meta"):  # the values come from the folder
        model = preset.family(preset.config, bins=frontend.bins, classes=527).eval()

    rows = described["state_dict"]
    assert list(model.state_dict()) == [key for key, *_ in rows]
    values = {key: filled(key, tuple(shape), *fill) for key, shape, _, fill in rows}
    total = sum(absolute for _, absolute in values.values())
    assert total == pytest.approx(described["filled_abs_sum"], rel=1e-9)
    assert sum(p.numel() for p in model.parameters()) == described["parameter_count"]
    model.load_state_dict({key: v for key, (v, _) in values.items()}, strict=True, assign=True)

    with np.load(parity / f"panns.{entry}.npz") as arrays:
        expected = dict(arrays)
    with np.load(parity / "inputs.npz") as arrays:
        waveforms = torch.tensor(arrays[str(expected["input"])])
    lengths = torch.full((len(waveforms),), waveforms.shape[1])
    for twin in (frontend, frontend.for_export()):
        with torch.no_grad():
            features = twin(waveforms, lengths)
            output = model(features)
        compare(features, output, expected)


def compare(features, output, expected):
    def close(ours, reference, tolerance):
        np.testing.assert_allclose(ours.numpy(), reference, atol=tolerance, rtol=0)

    def probabilities(scores):
        return scores.sigmoid() if output.scores_are == "logits" else scores

    close(probabilities(output.scores), expected["clipwise_output"], 1e-3)
    if "logmel" in expected:
        silent_or_quiet = 2e-3 if features.values.shape[1] > 64 else 5e-4
        close(features.values.transpose(1, 2)[:, None], expected["logmel"], silent_or_quiet)
    if "logits" in expected:
        close(output.scores, expected["logits"], 1e-4 * np.abs(expected["logits"]).max())
    if "embedding" in expected:
        close(output.embedding, expected["embedding"], 1e-4 * np.abs(expected["embedding"]).max())
    assert (output.frame_scores is not None) == ("framewise_output" in expected)
    if output.frame_scores is not None:
        close(probabilities(output.frame_scores), expected["framewise_output"], 1e-3)
        segments = expected["segment_logits"]
        if output.scores_are == "logits":
            close(output.frame_scores[:, ::32][:, :6], segments, 1e-4 * np.abs(segments).max())


def test_parity_covers_every_cnn_of_the_family(parity):
    there = {path.name.split(".")[1] for path in parity.glob("panns.Cnn*.json")}
    assert there == set(PRESETS)
