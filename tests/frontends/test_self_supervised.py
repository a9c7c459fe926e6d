"""Self-supervised encoders as front-ends, against `transformers` itself on random weights."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch

from auricle.artifact.parts import build_frontend, resolve_frontend
from auricle.artifact.transformers_folder import load_frontend_weights
from auricle.core.errors import AudioError, ConfigError, MissingExtra
from auricle.encoders import TINY
from auricle.frontends import FRONTENDS

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
}
NORMED = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
BATCH_NORM = {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False}
WAVLM = {"num_buckets": 16, "max_bucket_distance": 20}

# name: class in transformers, what is changed in its configuration, normalise, mask
KINDS = {
    "wav2vec2_group": ("Wav2Vec2", {}, True, False),
    "wav2vec2_layer": ("Wav2Vec2", NORMED, True, True),
    "hubert_group": ("Hubert", {}, True, False),
    "hubert_layer": ("Hubert", {**NORMED, **BATCH_NORM}, True, True),
    "wavlm_group": ("WavLM", WAVLM, False, True),
    "wavlm_layer": ("WavLM", {**WAVLM, **NORMED}, True, True),
    "w2v_bert": ("Wav2Vec2Bert", {}, True, True),
}
LENGTHS = (600, 4001, 2777)


def sounds(lengths=LENGTHS):
    rng = np.random.default_rng(3)
    return [(0.05 + 0.1 * rng.standard_normal(n)).astype(np.float32) for n in lengths]


def padded(waves):
    batch = torch.zeros(len(waves), max(map(len, waves)))
    for row, wave in enumerate(waves):
        batch[row, : len(wave)] = torch.from_numpy(wave)
    return batch, torch.tensor([len(wave) for wave in waves])


@pytest.fixture(scope="module", params=KINDS)
def checkpoint(request, tmp_path_factory):
    """A folder as `save_pretrained` writes it, and the model and feature extractor it holds."""
    transformers = importlib.import_module("transformers")
    name, changes, normalise, mask = KINDS[request.param]
    config = getattr(transformers, f"{name}Config")(**SMALL, **changes)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = getattr(transformers, f"{name}Model")(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    kind = "SeamlessM4T" if name == "Wav2Vec2Bert" else "Wav2Vec2"
    extractor = getattr(transformers, f"{kind}FeatureExtractor")(
        do_normalize=normalise, return_attention_mask=mask
    )
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder, model, extractor


def reference(model, extractor, waves):
    """The hidden states of each layer, `[(batch, frames, hidden)]`."""
    inputs = extractor(waves, sampling_rate=16000, padding=True, return_tensors="pt")
    with torch.no_grad():
        output = model(**inputs, output_hidden_states=True)
    return [*output.hidden_states[:-1], output.last_hidden_state]


def preset_for(folder):
    return "w2v_bert_2" if "w2v_bert" in folder.name else "wavlm_base"


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # of transformers
@pytest.mark.parametrize("layers", ["last", "mix"])
def test_states_are_those_of_transformers(checkpoint, layers):
    """Alone, and in a padded batch as its own feature extractor prepares it."""
    folder, model, extractor = checkpoint
    section = {"name": preset_for(folder), "checkpoint": str(folder), "layers": layers}
    frontend = build_frontend(resolve_frontend(section)).eval()
    load_frontend_weights(frontend)
    mask = extractor.return_attention_mask
    if layers == "mix":
        torch.nn.init.normal_(frontend.layer_weights, generator=torch.Generator().manual_seed(5))
    waves = sounds()
    batches = [[wave] for wave in waves] + ([waves] if mask else [])
    for batch in batches:
        states = reference(model, extractor, batch)
        expected = states[-1]
        if layers == "mix":
            shares = frontend.layer_weights.softmax(0)
            expected = sum(share * state for share, state in zip(shares, states, strict=True))
        features = frontend(*padded(batch))
        for row, wave in enumerate(batch):
            own = int(features.lengths_frames[row])
            assert own == frontend.frame_count(len(wave)) > 0
            torch.testing.assert_close(
                features.values[row, :, :own].T, expected[row, :own], atol=2e-4, rtol=0
            )
            assert (features.values[row, :, own:] == 0).all()


def test_a_checkpoint_says_what_it_wants(checkpoint):
    """Architecture, normalisation and mask are read from its own files, and spelled out."""
    folder, model, extractor = checkpoint
    section = resolve_frontend({"name": "hubert_base", "checkpoint": str(folder)})
    frontend = build_frontend(section)
    described = frontend.config.encoder
    assert described.model_type == model.config.model_type
    assert described.hidden_size == 16
    assert frontend.config.mask_padding == extractor.return_attention_mask
    if not described.hears_features:
        assert frontend.config.normalise == extractor.do_normalize
    again = build_frontend({**section, "checkpoint": "nowhere/at-all"})  # nothing is read
    again.load_state_dict(frontend.state_dict())


@pytest.mark.parametrize("name", TINY)
def test_clips_of_a_batch_leave_each_other_alone_where_it_says_so(build, name):
    masked = build(name, mask_padding=True).eval().requires_grad_(False)
    waves = sounds()
    together = masked(*padded(waves))
    apart = 0.0
    for row, wave in enumerate(waves):
        alone = masked(*padded([wave])).values[0]
        own = alone.shape[1]
        apart = max(apart, float((together.values[row, :, :own] - alone).abs().max()))
    assert (apart < 1e-4) == masked.padding_safe
    assert masked.padding_safe == (name != "hubert_tiny")  # its group norm sees the padding
    assert not build(name, mask_padding=False).padding_safe


@pytest.mark.parametrize("layers", ["last", "mix"])
def test_a_frozen_encoder_takes_no_gradient_and_knows_no_dropout(build, layers):
    frontend = build("wav2vec2_tiny", frozen=True, layers=layers).train()
    assert frontend.training
    assert not any(module.training for module in frontend.encoder.modules())
    sound, lengths = padded(sounds())
    values = frontend(sound, lengths).values
    assert torch.equal(values, frontend(sound, lengths).values)
    assert values.requires_grad == (layers == "mix")
    if layers == "mix":
        values.square().sum().backward()
        assert frontend.layer_weights.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in frontend.encoder.parameters())


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("layers", ["last", "mix"])
def test_a_fine_tuned_encoder_learns_everywhere(build, name, layers):
    frontend = build(name, frozen=False, layers=layers).train()
    frontend(*padded(sounds())).values.square().sum().backward()
    without = [key for key, p in frontend.named_parameters() if p.grad is None]
    assert without == []
    assert all(p.grad.isfinite().all() for p in frontend.parameters())
    dropped = frontend(*padded(sounds())).values
    assert not torch.equal(dropped, frontend(*padded(sounds())).values)


def test_an_untrained_mix_is_the_mean_of_the_layers(build):
    frontend = build("hubert_tiny").eval()
    shares = frontend.layer_weights.softmax(0)
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3))


@pytest.mark.parametrize("name", TINY)
def test_a_waveform_that_is_too_short_is_refused(build, name):
    frontend = build(name).eval()
    samples = frontend.shortest_samples
    assert frontend.frame_count(samples) == 1 > frontend.frame_count(samples - 1)
    with pytest.raises(AudioError, match=f"at least {samples} samples.*got {samples - 1}: pad"):
        frontend(torch.zeros(1, samples - 1), torch.tensor([samples - 1]))


def test_a_clip_of_less_than_a_frame_in_a_batch_is_nothing(build):
    """The predictor pads to the shortest length, and tells the clip's own."""
    frontend = build("wav2vec2_tiny").eval()
    features = frontend(0.1 * torch.ones(2, 4000), torch.tensor([3, 4000]))
    assert features.lengths_frames[0] == 0
    assert (features.values[0] == 0).all()
    assert features.values.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": None}, "needs its architecture in --frontend.encoder, or"),
        ({"encoder": {"model_type": "whisper"}}, "frontend.encoder.model_type"),
        ({"encoder": {"model_type": "wavlm", "hidden_sise": 3}}, "did you mean.*hidden_size"),
        ({"encoder": {"model_type": "wavlm", "hidden_size": 770}}, "multiple of num_attention"),
        ({"encoder": {"model_type": "hubert", "conv_dim": [3]}}, "must have the same length"),
        ({"encoder": {"model_type": "wavlm", "conv_stride": [16384] * 7}}, "spans .* samples"),
        ({"encoder": {"model_type": "wavlm", "num_hidden_layers": 10**9}}, "less than or equal"),
        ({"layers": "first"}, "'last' or 'mix'"),
    ],
)
def test_settings_that_cannot_work_are_refused(build, options, message):
    with pytest.raises(ConfigError, match=message):
        build("wav2vec2_tiny", **options)


@pytest.mark.parametrize("name", TINY)
def test_it_computes_in_the_networks_precision_and_gives_fp32(build, name):
    frontend = build(name).eval().requires_grad_(False)
    plain = frontend(*padded(sounds())).values
    with torch.autocast("cpu", torch.bfloat16):
        low = frontend(*padded(sounds())).values
    assert low.dtype == torch.float32
    assert 0 < (low - plain).abs().max() < 0.1


def test_listing_front_ends_and_models_imports_no_library_of_models():
    code = (
        "import sys; from auricle.models import MODELS; from auricle.frontends import FRONTENDS; "
        "print(len(MODELS) + len(FRONTENDS), sorted({'transformers', 'timm'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, _, imported = done.stdout.strip().partition(" ")
    assert int(count) > 50
    assert imported == "[]"


def test_without_transformers_the_extra_is_named(build, monkeypatch):
    monkeypatch.setattr("auricle.encoders.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'auricle\[models\]'"):
        build("wavlm_tiny")


def test_published_sizes_are_known_without_a_file(build):
    """Parameters as their papers count them: 95 M, 317 M, 580 M."""
    millions = {"wav2vec2_base": 94.4, "wavlm_large": 315.5, "w2v_bert_2": 580.5}
    for name, expected in millions.items():
        with torch.device("meta"):
            frontend = build(name)
        count = sum(parameter.numel() for parameter in frontend.parameters())
        assert round(count / 1e6, 1) == expected
        assert FRONTENDS[name].config.frozen
        assert not any(parameter.requires_grad for parameter in frontend.parameters())
