"""The exported forms of spectral front-ends in ONNX Runtime, with dynamic batch and time."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

FRONTENDS = {
    "spectrogram": ("spectrogram", {"power": 1, "pad_mode": "zeros"}),
    "mel": ("mel", {"normalise": "clip_mean", "pad_mode": "replicate"}),
    "logmel": ("logmel_16k", {"top_db": 40.0, "normalise": "clip_mean_std"}),
    "mfcc": ("mfcc", {"center": False}),
    "pcen": ("pcen", {"normalise": "dataset", "dataset_mean": 1.0, "dataset_std": 2.0}),
    "energy": ("fbank", {"use_energy": True, "use_power": False, "window": "blackman"}),
    "mirrored": ("fbank", {"snip_edges": False, "use_energy": True, "raw_energy": False}),
}


class Together(nn.Module):
    """All of them in one graph: one export is slow enough."""

    def __init__(self, frontends):
        super().__init__()
        self.frontends = nn.ModuleDict(frontends)

    def forward(self, waveforms, lengths_samples):
        made = {name: part(waveforms, lengths_samples) for name, part in self.frontends.items()}
        values = {name: features.values for name, features in made.items()}
        return {**values, "lengths": made["mel"].lengths_frames}


@pytest.fixture(scope="module")
def frontends(build):
    return {key: build(name, **options).eval() for key, (name, options) in FRONTENDS.items()}


@pytest.fixture(scope="module")
def session(frontends, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "frontends.onnx"
    graph = Together({key: part.for_export() for key, part in frontends.items()}).eval()
    batch, time = torch.export.Dim("batch", min=1), torch.export.Dim("time", min=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            graph,
            (torch.zeros(2, 4000), torch.full((2,), 4000)),
            dynamo=True,
            input_names=["waveforms", "lengths_samples"],
            output_names=[*FRONTENDS, "lengths"],
            dynamic_shapes={"waveforms": {0: batch, 1: time}, "lengths_samples": {0: batch}},
            opset_version=18,
            verbose=False,
        )
    program.save(str(path))
    return onnxruntime.InferenceSession(str(path))


@pytest.mark.parametrize(("batch", "samples"), [(1, 500), (1, 16001), (3, 7777)])
def test_onnx_runtime_gives_the_same_features(frontends, session, batch, samples):
    generator = torch.Generator().manual_seed(samples)
    sound = 0.1 * torch.randn(batch, samples, generator=generator)
    lengths = torch.linspace(samples, samples // 2 + 250, batch).long()
    sound[torch.arange(samples) >= lengths[:, None]] = 0
    feed = {"waveforms": sound.numpy(), "lengths_samples": lengths.numpy()}
    names = [output.name for output in session.get_outputs()]
    theirs = dict(zip(names, session.run(None, feed), strict=True))
    for key, frontend in frontends.items():
        ours = frontend(sound, lengths).values.numpy()
        bound = 1e-4 * max(20.0, float(np.abs(ours).max()))
        np.testing.assert_allclose(theirs[key], ours, atol=bound, rtol=0, err_msg=key)
    assert theirs["lengths"].tolist() == frontends["mel"](sound, lengths).lengths_frames.tolist()
