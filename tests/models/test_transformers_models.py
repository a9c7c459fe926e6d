"""AST and encoders with a head, against `transformers` itself on random weights."""

import importlib

import numpy as np
import pytest
import torch

from auricle.artifact.parts import build_frontend, build_model
from auricle.artifact.transformers_folder import load_transformers_folder
from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.tensors import Features

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8, 8, 8],
    "conv_stride": [5, 4, 4],
    "conv_kernel": [10, 8, 4],
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "conv_depthwise_kernel_size": 5,
    "classifier_proj_size": 12,
    "id2label": {0: "yes", 1: "no", 2: "up"},
}
NORMED = {"feat_extract_norm": "layer"}
STABLE = {**NORMED, "do_stable_layer_norm": True, "conv_bias": True}

# name: class in transformers, what is changed in its configuration, normalise, mask
KINDS = {
    "wav2vec2": ("Wav2Vec2", {"use_weighted_layer_sum": True}, True, False),
    "wav2vec2_large": ("Wav2Vec2", STABLE, True, True),
    "hubert": ("Hubert", {**NORMED, "use_weighted_layer_sum": True}, True, True),
    "wavlm": ("WavLM", {**NORMED, "use_weighted_layer_sum": True}, True, True),
    "wavlm_plain": ("WavLM", {"classifier_proj_size": 7}, False, False),
    "w2v_bert": ("Wav2Vec2Bert", {"use_weighted_layer_sum": True}, True, True),
}


def lively(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def saved(tmp_path_factory, name, model, extractor):
    folder = tmp_path_factory.mktemp(name)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def speech(request, tmp_path_factory):
    """A folder with an encoder and a head, and the model and feature extractor it holds."""
    transformers = importlib.import_module("transformers")
    name, changes, normalise, mask = KINDS[request.param]
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = lively(getattr(transformers, f"{name}ForSequenceClassification")(config))
    kind = "SeamlessM4T" if name == "Wav2Vec2Bert" else "Wav2Vec2"
    extractor = getattr(transformers, f"{kind}FeatureExtractor")(
        do_normalize=normalise, return_attention_mask=mask
    )
    return saved(tmp_path_factory, request.param, model, extractor), model, extractor


@pytest.fixture(scope="module")
def ast(tmp_path_factory):
    """A folder with an AST of 64 frames, and the model and feature extractor it holds."""
    transformers = importlib.import_module("transformers")
    size = {key: SMALL[key] for key in list(SMALL)[:4]}
    config = transformers.ASTConfig(**size, max_length=64, id2label=SMALL["id2label"])
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = lively(transformers.ASTForAudioClassification(config))
    with pytest.warns(UserWarning, match="At least one mel filter has all zero values"):
        extractor = transformers.ASTFeatureExtractor(max_length=64, mean=-6.0, std=5.0)
    return saved(tmp_path_factory, "ast", model, extractor), model, extractor


def built(folder):
    """The front-end and the model of a folder, with its weights, and its labels."""
    found = load_transformers_folder(folder)
    frontend = build_frontend(found.frontend).eval()
    model = build_model(found.model, bins=frontend.bins, classes=len(found.labels)).eval()
    model.load_state_dict(found.weights, strict=True)
    return frontend, model, found


def padded(waves):
    batch = torch.zeros(len(waves), max(map(len, waves)))
    for row, wave in enumerate(waves):
        batch[row, : len(wave)] = torch.from_numpy(wave)
    return batch, torch.tensor([len(wave) for wave in waves])


def sounds(*lengths):
    rng = np.random.default_rng(4)
    return [(0.02 + 0.1 * rng.standard_normal(n)).astype(np.float32) for n in lengths]


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # of transformers
def test_scores_of_an_encoder_with_a_head_are_those_of_transformers(speech):
    folder, reference, extractor = speech
    frontend, model, found = built(folder)
    assert found.labels == ("yes", "no", "up")
    batches = [sounds(n) for n in (600, 2777)]
    if extractor.return_attention_mask:
        batches.append(sounds(600, 4001, 2777))
    for waves in batches:
        inputs = extractor(waves, sampling_rate=16000, padding=True, return_tensors="pt")
        with torch.no_grad():
            expected = reference(**inputs).logits
            ours = model(frontend(*padded(waves)))
        torch.testing.assert_close(ours.scores, expected, atol=1e-4, rtol=1e-4)
        assert ours.embedding.shape == (len(waves), 16)


def test_a_sum_of_layers_takes_the_last_one_behind_its_norm():
    """As in the version that SUPERB's checkpoints were made with; transformers 5 leaves it out."""
    transformers = importlib.import_module("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(2)
        preset = MODELS["wav2vec2_classifier_tiny"]  # whose norm stands behind the layers
        model = lively(preset.family(preset.config, bins=1, classes=2))
    encoder = model.wav2vec2
    assert isinstance(encoder, transformers.Wav2Vec2Model)
    values = torch.randn(1, 1, 2000, generator=torch.Generator().manual_seed(0))
    output = encoder(values[:, 0], output_hidden_states=True)
    states = [*output.hidden_states[:2], encoder.encoder.layer_norm(output.hidden_states[2])]
    torch.testing.assert_close(states[2], output.last_hidden_state)
    shares = model.layer_weights.softmax(0)
    expected = sum(share * state for share, state in zip(shares, states, strict=True)).mean(1)
    ours = model(Features(values, torch.tensor([2000]))).embedding
    torch.testing.assert_close(ours, expected)


def test_keys_are_the_published_ones_in_their_order(speech):
    folder, reference, _ = speech
    _, model, found = built(folder)
    published = [key for key in reference.state_dict() if not key.endswith("masked_spec_embed")]
    assert list(model.state_dict()) == published
    assert set(found.weights) == set(published)
    assert all(key.endswith("masked_spec_embed") for key in found.skipped)


def test_keys_of_ast_are_the_published_ones_in_their_order(ast):
    folder, reference, _ = ast
    _, model, found = built(folder)
    assert list(model.state_dict()) == list(reference.state_dict())
    assert set(found.weights) == set(model.state_dict())


def test_scores_of_ast_are_those_of_transformers(ast):
    """Shorter and longer than its picture: padded and cut as its feature extractor does."""
    folder, reference, extractor = ast
    frontend, model, found = built(folder)
    assert found.labels == ("yes", "no", "up")
    assert (frontend.frames, frontend.mean, frontend.std) == (64, -6.0, 5.0)
    for waves in (sounds(4001), sounds(16000), sounds(700, 20000, 4001)):
        inputs = extractor(waves, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            expected = reference(**inputs).logits
            features = frontend(*padded(waves))
            ours = model(features)
        pictures = torch.as_tensor(np.stack(inputs["input_values"])).transpose(1, 2)
        torch.testing.assert_close(features.values, pictures, atol=1e-3, rtol=0)
        torch.testing.assert_close(ours.scores, expected, atol=2e-4, rtol=1e-4)
        pooled = reference.audio_spectrogram_transformer(pictures.transpose(1, 2)).pooler_output
        torch.testing.assert_close(ours.embedding, pooled.detach(), atol=2e-4, rtol=1e-4)


def test_a_front_end_of_other_features_is_refused():
    for name, bins, message in (
        ("wavlm_classifier_tiny", 64, "reads 1 rows of features, got 64: use --frontend waveform"),
        ("w2v_bert_classifier_tiny", 1, "got 1: use --frontend seamless_fbank"),
        ("ast_tiny", 8, "patches of 16 mel bins, got 8"),
    ):
        preset = MODELS[name]
        with pytest.raises(ConfigError, match=message):
            preset.family(preset.config, bins=bins, classes=2)


def test_ast_refuses_another_number_of_frames():
    preset = MODELS["ast_tiny"]
    model = preset.family(preset.config, bins=128, classes=2)
    features = Features(torch.zeros(1, 128, 100), torch.tensor([100]))
    with pytest.raises(ConfigError, match=r"reads 128 frames, got 100: set --frontend.frames 128"):
        model(features)


def test_published_sizes():
    """AST has 87 M parameters with AudioSet's head, as the paper says."""
    millions = {"ast": 86.6, "wav2vec2_base_classifier": 94.7, "wavlm_base_plus_classifier": 94.7}
    for name, expected in millions.items():
        preset = MODELS[name]
        bins = 128 if name == "ast" else 1
        with torch.device("meta"):
            model = preset.family(preset.config, bins=bins, classes=527)
        assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == expected
