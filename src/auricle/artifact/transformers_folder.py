"""Checkpoints of the library `transformers`: read into our names, without running anything."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from auricle.artifact.encoder_source import encoder_of, heard, read_encoder, read_json
from auricle.artifact.folder import fill
from auricle.artifact.hub import hub_file
from auricle.artifact.published.reading import read_tensors
from auricle.core.errors import ArtifactError, ConfigError
from auricle.core.reporting import Reporter
from auricle.encoders import FIELDS, EncoderConfig
from auricle.frontends.base import FrontEnd
from auricle.frontends.self_supervised import SelfSupervised
from auricle.models import MODELS
from auricle.models.ast_transformer import AST_FIELDS
from auricle.models.speech_encoder import PREFIXES, SpeechEncoderConfig

Weights = dict[str, Tensor]

SKIPPED = (
    r"(^|\.)masked_spec_embed$",  # the mask of pre-training and of its own augmentation
    r"^(quantizer|project_q|project_hid|final_proj|label_embs_concat)(\.|$)",  # pre-training heads
    r"^lm_head\.",  # of speech recognition
)
"""Keys of published checkpoints that no network here has."""

# Names within the modules of Wav2Vec 2.0 (weight norm) and AST before transformers 5.
_ENCODER_NAMES = {
    r"\.weight_g$": ".parametrizations.weight.original0",
    r"\.weight_v$": ".parametrizations.weight.original1",
}
_AST_NAMES = {
    r"\.encoder\.layer\.": ".layers.",
    r"\.attention\.attention\.query\.": ".attention.q_proj.",
    r"\.attention\.attention\.key\.": ".attention.k_proj.",
    r"\.attention\.attention\.value\.": ".attention.v_proj.",
    r"\.attention\.output\.dense\.": ".attention.o_proj.",
    r"\.intermediate\.dense\.": ".mlp.fc1.",
    r"\.output\.dense\.": ".mlp.fc2.",
}


@dataclass(frozen=True)
class TransformersModel:
    """A checkpoint of transformers as this library builds it.

    `model` and `frontend` are sections of a configuration, `weights` the state dict of the model.
    `labels` are those of its head, None where it has no head (`classifier.*` is missing then).
    `skipped` are the keys that no network here has.
    """

    model: dict[str, Any]
    frontend: dict[str, Any]
    labels: tuple[str, ...] | None
    weights: Weights
    skipped: tuple[str, ...]


def load_transformers_folder(
    source: str | Path, *, reporter: Reporter | None = None
) -> TransformersModel:
    """Read an AST, Wav2Vec 2.0, HuBERT, WavLM or w2v-BERT checkpoint, with a head or without.

    `source` is a folder (`config.json`, `model.safetensors` or `pytorch_model.bin`, and
    `preprocessor_config.json`) or a name on the hub. Raises `ArtifactError`, `ConfigError`.
    """
    config = read_json(source, "config.json")
    weights, skipped = _sorted_out(read_weights(source, reporter=reporter))
    if config.get("model_type") == "audio-spectrogram-transformer":
        model, frontend = _ast_sections(source, config)
        weights = _renamed(weights, _AST_NAMES, prefix="audio_spectrogram_transformer.")
    else:
        encoder = encoder_of(config, source)
        model, frontend = _speech_sections(source, config, encoder)
        prefix = PREFIXES[encoder.model_type]
        weights = _renamed(weights, _ENCODER_NAMES, prefix=f"{prefix}.")
    has_head = any(key.startswith("classifier.") for key in weights)
    labels = _labels(config, weights) if has_head else None
    return TransformersModel(model, frontend, labels, weights, skipped)


def load_frontend_weights(frontend: FrontEnd, *, reporter: Reporter | None = None) -> None:
    """Give a self-supervised front-end the weights of the checkpoint that it names, if it does.

    Raises `ArtifactError` where they cannot be had, or are of another architecture.
    """
    if not isinstance(frontend, SelfSupervised) or frontend.checkpoint is None:
        return
    source, described = frontend.checkpoint, frontend.described
    _require_same(source, read_encoder(source).config, described)
    weights, _ = _sorted_out(read_weights(source, reporter=reporter))
    prefix = f"{PREFIXES[described.model_type]}."
    weights = _renamed(weights, _ENCODER_NAMES, prefix=prefix)
    own = {
        key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)
    }
    fill(frontend.encoder, own, str(source))


def read_weights(source: str | Path, *, reporter: Reporter | None = None) -> Weights:
    """Read the weights of a checkpoint, and run nothing that is in it. Raises `ArtifactError`."""
    index = Path(source).expanduser() / "model.safetensors.index.json"
    if index.is_file():
        parts = sorted(set(read_json(source, index.name).get("weight_map", {}).values()))
        return {
            key: value
            for part in parts
            for key, value in read_tensors(index.with_name(Path(part).name)).items()
        }
    path = hub_file(source, ["model.safetensors", "pytorch_model.bin"], reporter=reporter)
    if path is None:
        raise ArtifactError(f"{source} holds neither model.safetensors nor pytorch_model.bin")
    return read_tensors(path)


def _sorted_out(weights: Weights) -> tuple[Weights, tuple[str, ...]]:
    """Part weights from the keys that no network here has."""
    skipped = tuple(key for key in weights if any(re.search(p, key) for p in SKIPPED))
    return {key: value for key, value in weights.items() if key not in skipped}, skipped


def _renamed(weights: Weights, names: Mapping[str, str], *, prefix: str) -> Weights:
    """Give keys our names; a bare encoder's keys get the prefix that they have under a head."""
    bare = not any(key.startswith(prefix) for key in weights)
    renamed: Weights = {}
    for key, value in weights.items():
        name = f"{prefix}{key}" if bare else key
        for pattern, replacement in names.items():
            name = re.sub(pattern, replacement, name)
        renamed[name] = value.float() if value.is_floating_point() else value
    return renamed


def _ast_sections(
    source: str | Path, config: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    extractor = read_json(source, "preprocessor_config.json", required=False)
    model = {"name": "ast", **{key: config[key] for key in AST_FIELDS if key in config}}
    frames = config.get("max_length", 1024)
    if extractor.get("max_length", frames) != frames:
        raise ArtifactError(
            f"config.json of '{source}' says {frames} frames and preprocessor_config.json "
            f"{extractor['max_length']}"
        )
    if not extractor.get("do_normalize", True):
        raise ArtifactError(f"'{source}' takes features that are not normalised: not built here")
    frontend: dict[str, Any] = {"name": "ast_fbank", "frames": frames}
    names = {"sampling_rate": "sample_rate", "mean": "mean", "std": "std"}
    frontend |= {ours: extractor[key] for key, ours in names.items() if key in extractor}
    frontend["n_mels"] = config.get("num_mel_bins", 128)
    return model, frontend


def _speech_sections(
    source: str | Path, config: Mapping[str, Any], encoder: EncoderConfig
) -> tuple[dict[str, Any], dict[str, Any]]:
    found = heard(source, encoder)
    model = {
        "name": _preset_of(encoder),
        "encoder": encoder.model_dump(mode="json"),
        "classifier_proj_size": config.get(
            "classifier_proj_size", 768 if encoder.hears_features else 256
        ),
        "use_weighted_layer_sum": config.get("use_weighted_layer_sum", False),
        "mask_padding": found.mask_padding,
    }
    if encoder.hears_features:
        rows = encoder.input_bins
        return model, {"name": "seamless_fbank", "n_mels": rows // 2}
    return model, {"name": "waveform_16k_norm" if found.normalise else "waveform_16k"}


def _preset_of(encoder: EncoderConfig) -> str:
    """Return the preset of the same architecture, or else the first of the same family."""
    presets = {
        name: MODELS[name].config
        for name in MODELS
        if not MODELS[name].tiny and isinstance(MODELS[name].config, SpeechEncoderConfig)
    }
    alike = {
        name: config.encoder
        for name, config in presets.items()
        if isinstance(config, SpeechEncoderConfig)
        and config.encoder.model_type == encoder.model_type
    }
    return next((name for name, known in alike.items() if known == encoder), next(iter(alike)))


def _labels(config: Mapping[str, Any], weights: Weights) -> tuple[str, ...]:
    """Return the names of a head's classes, in its order."""
    heads = [v for k, v in weights.items() if k in ("classifier.weight", "classifier.dense.weight")]
    if not heads:
        raise ArtifactError("the checkpoint has a head of a kind that is not built here")
    named = config.get("id2label") or {}
    return tuple(str(named.get(str(i), f"LABEL_{i}")) for i in range(len(heads[0])))


def _require_same(source: str, there: EncoderConfig, here: EncoderConfig) -> None:
    """Raise `ConfigError` where a checkpoint's architecture is not the one that was built."""
    names: Sequence[str] = ("model_type", *FIELDS[here.model_type])
    differ = [
        f"{name} is {getattr(there, name)} there and {getattr(here, name)} here"
        for name in names
        if not name.endswith("dropout") and getattr(there, name) != getattr(here, name)
    ]
    if differ:
        raise ConfigError(
            f"the checkpoint '{source}' is of another architecture than --frontend.encoder: "
            f"{'; '.join(differ)}. Leave --frontend.encoder out: it is read from the checkpoint"
        )
