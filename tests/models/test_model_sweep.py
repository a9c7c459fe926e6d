"""Every registered model through the same trials; its tiny presets through all of them."""

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

from auricle.artifact.classifier import Classifier, TorchEngine, build_classifier
from auricle.artifact.folder import artifact_config
from auricle.artifact.onnx_export import export_onnx
from auricle.core.errors import ConfigError
from auricle.frontends import FRONTENDS
from auricle.models import MODELS
from auricle.runtime import ClassifierSpec
from auricle.runtime.onnx_engine import OnnxEngine
from auricle.tensors import Features
from auricle.training.losses import classification_loss

TINY = [name for name in MODELS if MODELS[name].tiny]
CLASSES = 3


def close(ours, expected, tolerance=1e-4):
    """Equal up to `tolerance` of the largest value."""
    expected = expected.detach()
    bound = tolerance * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(ours.detach(), expected, atol=bound, rtol=0)


def test_every_family_has_a_tiny_preset():
    families = {MODELS[name].family for name in MODELS}
    assert families == {MODELS[name].family for name in TINY}


@pytest.mark.parametrize("name", list(MODELS))
def test_what_it_states_is_what_it_gives(frontend_of, lengths_of, name):
    """Shapes of every preset, large ones too: on the meta device they cost nothing."""
    preset = MODELS[name]
    assert preset.frontend in FRONTENDS
    assert preset.source
    frontend = frontend_of(name)
    for classes in (0, CLASSES):
        with torch.device("meta"):
            model = preset.family(preset.config, bins=frontend.bins, classes=classes).eval()
        samples = lengths_of(name, model)[0]
        features = frontend(torch.zeros(2, samples), torch.full((2,), samples))
        output = model(on_meta(features))
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
            assert output.frame_scores.shape == (2, features.values.shape[2], CLASSES)


@pytest.mark.parametrize("frontend", ["logmel_8k", "waveform_16k", "gtzan_image"])
@pytest.mark.parametrize("name", TINY)
def test_features_that_it_cannot_read_are_refused_before_any_sound(name, frontend):
    """What is not refused with the front-end is scored."""
    with torch.device("meta"):
        try:
            classifier = build_classifier({"name": frontend}, {"name": name}, CLASSES).eval()
        except ConfigError:  # its words: test_features_fit
            return
    model, front = classifier.model, classifier.frontend
    output = model(front.outline(classifier.shortest_samples + front.sample_rate))
    assert output.scores.shape == (1, CLASSES)


def on_meta(features):
    waveforms = None if features.waveforms is None else features.waveforms.to("meta")
    return Features(features.values.to("meta"), features.lengths_frames.to("meta"), waveforms)


@pytest.mark.parametrize("name", TINY)
def test_scores_at_three_lengths(make_model, hear, lengths_of, name):
    model = make_model(name)
    for samples in lengths_of(name, model):
        features = hear(name, samples)
        output = model(features)
        tensors = [output.scores, output.embedding]
        assert output.scores.shape == (2, CLASSES)
        if model.has_frame_scores:
            assert output.frame_scores.shape == (2, features.values.shape[2], CLASSES)
            tensors.append(output.frame_scores)
        for tensor in tensors:
            assert tensor.isfinite().all()
        if output.scores_are == "probabilities":
            assert ((output.scores >= 0) & (output.scores <= 1)).all()
        assert not torch.allclose(output.scores[0], output.scores[1], rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_gets_a_gradient(make_model, hear, lengths_of, name):
    model = make_model(name).train()
    output = model(hear(name, lengths_of(name, model)[-1], clips=4))
    output.scores.square().sum().backward()
    without = {key for key, p in model.named_parameters() if p.grad is None}
    assert without == set(model.unused_parameters)
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def rows(features, chosen):
    """The features of some clips of a batch."""
    waveforms = None if features.waveforms is None else features.waveforms[chosen]
    return Features(features.values[chosen], features.lengths_frames[chosen], waveforms)


@pytest.mark.parametrize("name", TINY)
def test_a_batch_gives_what_its_clips_give(make_model, hear, lengths_of, name):
    model = make_model(name)
    features = hear(name, lengths_of(name, model)[1], clips=3)
    together = model(features)
    for row in range(3):
        alone = model(rows(features, slice(row, row + 1)))
        close(alone.scores[0], together.scores[row])
        close(alone.embedding[0], together.embedding[row])


@pytest.mark.parametrize("name", TINY)
def test_padding_is_called_safe_where_it_is(make_model, hear, lengths_of, name):
    """Zeros (of the features) behind a clip change nothing of a model that says so."""
    model = make_model(name)
    short, _, long = lengths_of(name, model)
    alone, batch = hear(name, short, clips=1), hear(name, long)
    values, waveforms = batch.values.clone(), batch.waveforms
    values[0] = 0
    values[0, ..., : alone.values.shape[-1]] = alone.values[0]
    if waveforms is not None:
        waveforms = waveforms.clone()
        waveforms[0] = 0
        waveforms[0, :short] = alone.waveforms[0]
    lengths = torch.stack([alone.lengths_frames[0], batch.lengths_frames[1]])
    padded = model(Features(values, lengths, waveforms)).scores[0]
    expected = model(alone).scores[0]
    unchanged = (padded - expected).abs().max() <= 1e-4 * expected.abs().max()
    nothing_is_padded = alone.values.shape[-1] == values.shape[-1]  # pictures have one size
    assert bool(unchanged) == (model.padding_safe or nothing_is_padded)


@pytest.mark.parametrize("name", TINY)
def test_a_new_head_leaves_the_rest_alone(make_model, hear, lengths_of, name):
    model = make_model(name)
    features = hear(name, lengths_of(name, model)[1])
    before = model(features)
    model.replace_head(7)
    after = model(features)
    assert after.scores.shape == (2, 7)
    assert model.classes == 7
    if model.has_frame_scores:
        assert after.frame_scores.shape[2] == 7
    assert torch.equal(after.embedding, before.embedding)
    assert not any(part.training for part in model.modules())
    model.replace_head(0)
    assert model(features).scores is None
    assert torch.equal(model(features).embedding, before.embedding)
    model.double().replace_head(4)
    assert {value.dtype for value in model.parameters()} == {torch.float64}


@pytest.mark.parametrize("name", TINY)
def test_saved_and_loaded_it_is_the_same(make_model, hear, lengths_of, frontend_of, name):
    model = make_model(name)
    features = hear(name, lengths_of(name, model)[1])
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    again = (
        MODELS[name]
        .family(MODELS[name].config, bins=frontend_of(name).bins, classes=CLASSES)
        .eval()
    )
    again.load_state_dict(safetensors.torch.load(safetensors.torch.save(weights)), strict=True)
    assert torch.equal(again(features).scores, model(features).scores)


@pytest.mark.parametrize("name", TINY)
def test_channels_last_and_bfloat16(make_model, hear, lengths_of, name):
    model = make_model(name)
    features = hear(name, lengths_of(name, model)[1])
    plain = model(features)
    model.to(memory_format=torch.channels_last)
    close(model(features).scores, plain.scores)
    with torch.autocast("cpu", torch.bfloat16):
        cast = model(features)
    assert cast.scores.dtype == cast.embedding.dtype == torch.float32
    close(cast.scores, plain.scores, 0.1)


@pytest.mark.parametrize("name", TINY)
def test_it_learns(lengths_of, frontend_of, name):
    """From its first weights on: dead or bursting gradients would not tell hiss from rumble."""
    preset, frontend = MODELS[name], frontend_of(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = preset.family(preset.config, bins=frontend.bins, classes=2)
        samples = lengths_of(name, model)[-1]
        noises = 0.1 * torch.randn(8, samples)
        noises[4:] = noises[4:].cumsum(1) / 10
        features = frontend(noises.clamp(-1, 1), torch.full((8,), samples))
        targets = torch.eye(2).repeat_interleave(4, dim=0)
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
        losses = []
        for _ in range(300):
            loss = classification_loss(model(features), targets, multi_label=False)
            losses.append(float(loss.detach()))
            if losses[-1] < min(0.45, 0.7 * losses[0]):  # a guess gives 0.69
                return
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    pytest.fail(f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f}")


@pytest.mark.parametrize("name", TINY)
def test_exported_graph_gives_the_same_scores(make_model, frontend_of, lengths_of, tmp_path, name):
    frontend, model = frontend_of(name), make_model(name)
    classifier = Classifier(frontend, model)
    spec = ClassifierSpec(
        labels=tuple("abc"),
        sample_rate=frontend.sample_rate,
        window_s=2.0,
        hop_s=1.0,
        shortest_samples=classifier.shortest_samples,
        activation="sigmoid" if model.scores_are == "logits" else "none",
        frame_period_s=frontend.frame_period_s if model.has_frame_scores else None,
    )
    path = tmp_path / "model.onnx"
    sections = {"name": MODELS[name].frontend}, {"name": name}
    export_onnx(classifier, artifact_config(spec, *sections, {}), path)
    assert not {node.op_type for node in onnx.load(path).graph.node} & {"STFT", "DFT"}
    ours, theirs = OnnxEngine(path), TorchEngine(classifier)
    for clips, samples in zip((1, 3, 2), lengths_of(name, model), strict=True):
        rng = np.random.default_rng(samples)
        waveforms = rng.normal(0, 0.1, (clips, samples)).astype(np.float32)
        lengths = np.full(clips, samples)
        exported, expected = (engine(waveforms, lengths) for engine in (ours, theirs))
        for kind in ("scores", "frame_scores", "embedding"):
            one, other = getattr(exported, kind), getattr(expected, kind)
            assert (one is None) == (other is None)
            if other is not None:
                bound = 1e-4 * max(1.0, float(np.abs(other).max()))
                np.testing.assert_allclose(one, other, atol=bound, rtol=0)
