"""Every registered model through the same trials; its tiny presets through all of them."""

import io
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from auricle.frontends import FRONTENDS
from auricle.models import MODELS
from auricle.tensors import Features

TINY = [name for name in MODELS if MODELS[name].tiny]
CLASSES = 3


def lengths_of(model):
    """The shortest count of frames that the model takes, and two longer ones."""
    return sorted({model.shortest_frames, 2 * model.shortest_frames + 1, 101})


def close(ours, expected, tolerance=1e-4):
    """Equal up to `tolerance` of the largest value."""
    expected = expected.detach()
    bound = tolerance * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(ours.detach(), expected, atol=bound, rtol=0)


def test_every_family_has_a_tiny_preset():
    families = {MODELS[name].family for name in MODELS}
    assert families == {MODELS[name].family for name in TINY}


@pytest.mark.parametrize("name", list(MODELS))
def test_what_it_states_is_what_it_gives(frontend_of, name):
    """Shapes of every preset, large ones too: on the meta device they cost nothing."""
    preset = MODELS[name]
    assert preset.frontend in FRONTENDS
    assert preset.source
    bins = frontend_of(name).bins
    for classes in (0, CLASSES):
        with torch.device("meta"):
            model = preset.family(preset.config, bins=bins, classes=classes).eval()
            frames = lengths_of(model)[0]
            output = model(Features(torch.zeros(2, bins, frames), torch.zeros(2)))
        assert set(model.unused_parameters) <= {name for name, _ in model.named_parameters()}
        assert output.embedding.shape == (2, model.embedding_dim)
        if classes == 0:
            assert output.scores is None
            assert output.frame_scores is None
            assert not model.has_frame_scores
            continue
        assert output.scores.shape == (2, CLASSES)
        assert output.scores_are == model.scores_are
        assert (output.frame_scores is not None) == model.has_frame_scores
        if model.has_frame_scores:
            assert output.frame_scores.shape == (2, frames, CLASSES)


@pytest.mark.parametrize("name", TINY)
def test_scores_at_three_lengths(make_model, make_features, name):
    model = make_model(name)
    for frames in lengths_of(model):
        output = model(make_features(frames, model.bins))
        tensors = [output.scores, output.embedding]
        assert output.scores.shape == (2, CLASSES)
        if model.has_frame_scores:
            assert output.frame_scores.shape == (2, frames, CLASSES)
            tensors.append(output.frame_scores)
        for tensor in tensors:
            assert tensor.isfinite().all()
        if output.scores_are == "probabilities":
            assert ((output.scores >= 0) & (output.scores <= 1)).all()
        assert not torch.allclose(output.scores[0], output.scores[1], rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_gets_a_gradient(make_model, make_features, name):
    model = make_model(name).train()
    output = model(make_features(lengths_of(model)[-1], model.bins, clips=4))
    output.scores.square().sum().backward()
    without = {key for key, p in model.named_parameters() if p.grad is None}
    assert without == set(model.unused_parameters)
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", TINY)
def test_a_batch_gives_what_its_clips_give(make_model, make_features, name):
    model = make_model(name)
    features = make_features(lengths_of(model)[1], model.bins, clips=3)
    together = model(features)
    for row in range(3):
        alone = model(
            Features(features.values[row : row + 1], features.lengths_frames[row : row + 1])
        )
        close(alone.scores[0], together.scores[row])
        close(alone.embedding[0], together.embedding[row])


@pytest.mark.parametrize("name", TINY)
def test_padding_is_called_safe_where_it_is(make_model, make_features, name):
    model = make_model(name)
    short, *_, long = lengths_of(model)
    features = make_features(long, model.bins)
    alone = model(Features(features.values[:1, :, :short], torch.tensor([short]))).scores[0]
    padded = model(Features(features.values, torch.tensor([short, long]))).scores[0]
    unchanged = (padded - alone).abs().max() <= 1e-4 * alone.abs().max().clamp(min=1)
    assert bool(unchanged) == model.padding_safe


@pytest.mark.parametrize("name", TINY)
def test_a_new_head_leaves_the_rest_alone(make_model, make_features, name):
    model = make_model(name)
    features = make_features(lengths_of(model)[1], model.bins)
    before = model(features)
    model.replace_head(7)
    after = model(features)
    assert after.scores.shape == (2, 7)
    assert model.classes == 7
    if model.has_frame_scores:
        assert after.frame_scores.shape[2] == 7
    assert torch.equal(after.embedding, before.embedding)
    model.replace_head(0)
    assert model(features).scores is None
    assert torch.equal(model(features).embedding, before.embedding)


@pytest.mark.parametrize("name", TINY)
def test_channels_last_and_bfloat16(make_model, make_features, name):
    model = make_model(name)
    features = make_features(lengths_of(model)[1], model.bins)
    plain = model(features)
    model.to(memory_format=torch.channels_last)
    close(model(features).scores, plain.scores)
    with torch.autocast("cpu", torch.bfloat16):
        cast = model(features)
    assert cast.scores.dtype == cast.embedding.dtype == torch.float32
    close(cast.scores, plain.scores, 0.1)


class Composition(nn.Module):
    """Waveforms to the outputs that exist, as an exported file has them."""

    def __init__(self, frontend, model):
        super().__init__()
        self.frontend = frontend
        self.model = model

    def forward(self, waveforms, lengths_samples):
        output = self.model(self.frontend(waveforms, lengths_samples))
        values = (output.scores, output.frame_scores, output.embedding)
        return [value for value in values if value is not None]


def to_onnx(frontend, model, shortest):
    dimensions = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time", min=shortest)}
    length = 2 * shortest + 100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks about its own insides
        program = torch.onnx.export(
            Composition(frontend.for_export(), model).eval(),
            (torch.zeros(2, length), torch.full((2,), length)),
            dynamo=True,
            dynamic_shapes=(dimensions, {0: dimensions[0]}),
            verbose=False,
        )
    buffer = io.BytesIO()
    program.save(buffer)
    return program, buffer.getvalue()


@pytest.mark.parametrize("name", TINY)
def test_exported_graph_gives_the_same_scores(make_model, frontend_of, name):
    frontend, model = frontend_of(name), make_model(name)
    frames = lengths_of(model)
    counts = [frontend.samples_for_frames(count) for count in frames]
    program, graph = to_onnx(frontend, model, counts[0])
    assert not {node.op_type for node in program.model.graph} & {"STFT", "DFT"}
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    for clips, samples in zip((1, 3, 2), counts, strict=True):
        generator = torch.Generator().manual_seed(samples)
        waveforms = 0.1 * torch.randn(clips, samples, generator=generator)
        lengths = torch.full((clips,), samples)
        with torch.no_grad():
            expected = Composition(frontend, model)(waveforms, lengths)
        inputs = dict(zip(names, (waveforms.numpy(), lengths.numpy()), strict=False))
        for ours, theirs in zip(session.run(None, inputs), expected, strict=True):
            bound = 1e-4 * max(1.0, float(theirs.abs().max()))
            np.testing.assert_allclose(ours, theirs.numpy(), atol=bound, rtol=0)
