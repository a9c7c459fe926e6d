"""Checkpoints of `transformers`: old names, other tasks, damaged folders, the hub, no network."""

import importlib
import json
from functools import partial
from http.server import SimpleHTTPRequestHandler

import pytest
import torch
from safetensors.torch import load_file, save_file

from auricle.artifact.hub import hub_file
from auricle.artifact.parts import build_frontend, resolve_frontend
from auricle.artifact.transformers_folder import load_frontend_weights, load_transformers_folder
from auricle.core.errors import ArtifactError, ConfigError
from auricle.encoders import TINY

DESCRIBED = TINY["wav2vec2_tiny"].model_dump(mode="json", exclude={"model_type"})


def write(folder, tree):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(tree))


@pytest.fixture
def folder(tmp_path):
    """A pre-trained Wav2Vec 2.0 with its quantizer, as `save_pretrained` leaves it."""
    transformers = importlib.import_module("transformers")
    config = transformers.Wav2Vec2Config(
        **DESCRIBED, codevector_dim=4, proj_codevector_dim=4, num_codevectors_per_group=3
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.Wav2Vec2ForPreTraining(config).save_pretrained(tmp_path / "w2v")
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    extractor.save_pretrained(tmp_path / "w2v")
    return tmp_path / "w2v"


def loaded(source):
    section = {"name": "wav2vec2_base", "checkpoint": str(source)}
    frontend = build_frontend(resolve_frontend(section))
    load_frontend_weights(frontend)
    return frontend.encoder.state_dict()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_heads_of_pre_training_are_named_as_skipped(folder):
    found = load_transformers_folder(folder)
    assert found.labels is None
    assert not any(key.startswith("classifier") for key in found.weights)
    skipped = {key.split(".")[0] for key in found.skipped}
    assert skipped == {"quantizer", "project_q", "project_hid", "wav2vec2"}
    assert [key for key in found.skipped if key[:4] == "wav2"] == ["wav2vec2.masked_spec_embed"]


@pytest.mark.parametrize("how", ["pickled", "half", "bare", "parts"])
def test_the_same_weights_in_other_forms(folder, how):
    """Old names and a pickle, half precision, without the task's prefix, in several files."""
    expected = loaded(folder)
    path = folder / "model.safetensors"
    weights = load_file(str(path))
    path.unlink()
    if how == "pickled":
        names = {"parametrizations.weight.original0": "weight_g"}
        names["parametrizations.weight.original1"] = "weight_v"
        for new, old in names.items():
            weights = {key.replace(new, old): value for key, value in weights.items()}
        assert any(key.endswith("weight_v") for key in weights)
        torch.save(weights, folder / "pytorch_model.bin")
    elif how == "half":
        save_file({key: value.half() for key, value in weights.items()}, str(path))
        expected = {key: value.half().float() for key, value in expected.items()}
    elif how == "bare":
        bare = {k.removeprefix("wav2vec2."): v for k, v in weights.items() if k[:4] == "wav2"}
        save_file(bare, str(path))
    else:
        keys = sorted(weights)
        parts = {"a.safetensors": keys[::2], "b.safetensors": keys[1::2]}
        for part, those in parts.items():
            save_file({key: weights[key] for key in those}, str(folder / part))
        index = {"weight_map": {key: part for part, those in parts.items() for key in those}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert same(loaded(folder), expected)


def test_names_of_ast_on_the_hub_are_the_older_ones(tmp_path):
    """What `save_pretrained` writes is the hub's layout, not that of the modules."""
    transformers = importlib.import_module("transformers")
    size = {key: DESCRIBED[key] for key in ("hidden_size", "num_hidden_layers")}
    config = transformers.ASTConfig(**size, num_attention_heads=2, max_length=32)
    transformers.ASTModel(config).save_pretrained(tmp_path)
    keys = load_file(str(tmp_path / "model.safetensors")).keys()
    assert any("encoder.layer.0.attention.attention.query" in key for key in keys)
    found = load_transformers_folder(tmp_path)
    assert found.labels is None
    assert found.frontend == {"name": "ast_fbank", "frames": 32, "n_mels": 128}
    assert "audio_spectrogram_transformer.layers.0.attention.q_proj.weight" in found.weights


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"model_type": "whisper"}, "is a 'whisper': the self-supervised encoders built here are"),
        ({"model_type": "wav2vec2", "add_adapter": True}, "says add_adapter: True"),
        ({"model_type": "wavlm", "hidden_size": "wide"}, "hidden_size"),
        (
            {"model_type": "wav2vec2-bert", "position_embeddings_type": "rotary"},
            "only relative_key",
        ),
        ([], "must hold a JSON object, got list"),
    ],
)
def test_a_config_of_something_else_is_refused(folder, tree, message):
    write(folder, tree)
    with pytest.raises(ArtifactError, match=message):
        load_transformers_folder(folder)


def test_an_encoder_of_another_rate_is_refused(folder):
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 24000}))
    with pytest.raises(ConfigError, match="hears 24000 Hz; encoders of 16000 Hz"):
        resolve_frontend({"name": "wav2vec2_base", "checkpoint": str(folder)})


def test_weights_of_another_architecture_are_refused(folder):
    other = {"name": "wav2vec2_tiny", "encoder": {"num_hidden_layers": 3, "conv_bias": False}}
    frontend = build_frontend({**other, "checkpoint": str(folder)})
    with pytest.raises(ConfigError, match=r"num_hidden_layers is 2 there and 3 here; conv_bias"):
        load_frontend_weights(frontend)


def test_dropout_may_differ_from_the_checkpoints(folder):
    section = {"name": "wav2vec2_base", "checkpoint": str(folder)}
    frontend = build_frontend(resolve_frontend({**section, "encoder": {"hidden_dropout": 0.0}}))
    assert frontend.described.hidden_dropout == 0
    assert frontend.described.num_hidden_layers == 2
    load_frontend_weights(frontend)


def test_building_reads_nothing_but_the_section(folder):
    """Whoever loads an artifact is led to no other file, whatever its config.json says."""
    with pytest.raises(ConfigError, match="needs its architecture"):
        build_frontend({"name": "wav2vec2_base", "checkpoint": str(folder)})


def test_incomplete_folders_are_named(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_transformers_folder(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"holds no config.json"):
        load_transformers_folder(tmp_path / "empty")
    for name in (tmp_path / "missing", "no-owner", "../up", "a/b/c"):
        with pytest.raises(ArtifactError, match="neither a folder nor the name of a repository"):
            hub_file(name, ["config.json"])


class Hub(SimpleHTTPRequestHandler):
    """The files of one folder under `/owner/name/resolve/main/`; counts what it is asked."""

    asked: list[str]

    def __init__(self, asked, *arguments, **options):
        self.asked = asked
        super().__init__(*arguments, **options)

    def do_GET(self):
        self.asked.append(self.path)
        self.path = self.path.removeprefix("/owner/name/resolve/main")
        super().do_GET()

    def log_message(self, format, *arguments):
        pass


@pytest.fixture
def hub(folder, tmp_path, monkeypatch, serve_http) -> list[str]:
    """A hub on this machine with the repository `owner/name`: what was asked of it."""
    asked: list[str] = []
    monkeypatch.setenv("HF_ENDPOINT", serve_http(partial(Hub, asked, directory=str(folder))))
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    return asked


def test_a_checkpoint_is_fetched_from_the_hub_once(hub, folder):
    assert same(loaded("owner/name"), loaded(folder))
    names = [path.rsplit("/", 1)[1] for path in hub]
    assert names == ["config.json", "preprocessor_config.json", "model.safetensors"]
    loaded("owner/name")
    assert len(hub) == 3


def test_weights_that_the_hub_has_in_an_older_form_are_found(hub, folder):
    weights = load_file(str(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert loaded("owner/name")


def test_without_a_network_the_way_out_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("auricle.artifact.hub.find_spec", lambda name: None)  # nor its library
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path))
    with pytest.raises(ArtifactError) as caught:
        resolve_frontend({"name": "wavlm_base", "checkpoint": "owner/name"})
    said = str(caught.value)
    assert "config.json of 'owner/name' is not on this machine" in said
    assert "https://huggingface.co/owner/name" in said
    assert str(tmp_path / "hub" / "owner--name") in said
    assert "give that folder in place of the name" in said
    published = build_frontend({"name": "wavlm_base", "encoder": TINY["wavlm_tiny"].model_dump()})
    with pytest.raises(ArtifactError, match=r"config\.json of 'microsoft/wavlm-base'"):
        load_frontend_weights(published)
