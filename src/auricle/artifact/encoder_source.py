"""What a published checkpoint says of its encoder: the architecture, and how it hears."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from auricle.artifact.hub import hub_file
from auricle.core.config import merge, validate
from auricle.core.errors import ArtifactError, ConfigError
from auricle.encoders import FIELDS, PUBLISHED, EncoderConfig, PublishedEncoder

Tree = Mapping[str, Any]

# What would change the network and is not built here, with the value that leaves it alone.
_NOT_BUILT: Mapping[str, Any] = {
    "add_adapter": False,
    "adapter_attn_dim": None,
    "position_embeddings_type": "relative_key",
}
_SAMPLE_RATE = 16000


def with_encoder(section: Tree) -> dict[str, Any]:
    """Fill in the encoder of a front-end section from the checkpoint that it names.

    A section that tells the `model_type` of its encoder describes it wholly, and nothing is read.
    Raises `ArtifactError`, `ConfigError`.
    """
    given: Any = section.get("encoder") or {}
    checkpoint = section.get("checkpoint")
    if not isinstance(given, Mapping) or "model_type" in given or not checkpoint:
        return dict(section)
    found = PUBLISHED.get(checkpoint) or read_encoder(checkpoint)
    filled = dict(section)
    filled["encoder"] = merge(found.config.model_dump(mode="json"), given)
    for key, value in (("normalise", found.normalise), ("mask_padding", found.mask_padding)):
        if filled.get(key) is None:
            filled[key] = value
    return filled


def read_encoder(source: str | Path) -> PublishedEncoder:
    """Read what the files of a checkpoint say of its encoder. Raises `ArtifactError`."""
    config = read_json(source, "config.json")
    return heard(source, encoder_of(config, source))


def heard(source: str | Path, config: EncoderConfig) -> PublishedEncoder:
    """Read how an encoder hears out of its `preprocessor_config.json`, where there is one."""
    # The library's defaults for a checkpoint without that file.
    plain = PublishedEncoder(config, normalise=True, mask_padding=config.keeps_clips_apart)
    extractor = read_json(source, "preprocessor_config.json", required=False)
    rate = extractor.get("sampling_rate", _SAMPLE_RATE)
    if rate != _SAMPLE_RATE:
        raise ConfigError(
            f"the encoder of '{source}' hears {rate} Hz; encoders of {_SAMPLE_RATE} Hz are built "
            "here"
        )
    if config.hears_features:
        return plain
    return replace(
        plain,
        normalise=bool(extractor.get("do_normalize", True)),
        mask_padding=bool(extractor.get("return_attention_mask", plain.mask_padding)),
    )


def encoder_of(config: Tree, source: str | Path) -> EncoderConfig:
    """Turn the `config.json` of a checkpoint into an architecture. Raises `ArtifactError`."""
    kind = config.get("model_type")
    if kind not in FIELDS:
        raise ArtifactError(
            f"'{source}' is a '{kind}': the self-supervised encoders built here are "
            f"{', '.join(FIELDS)}"
        )
    for key, neutral in _NOT_BUILT.items():
        if config.get(key, neutral) != neutral:
            raise ArtifactError(
                f"'{source}' says {key}: {config[key]!r}, which is not built here (only {neutral})"
            )
    known = {name: config[name] for name in FIELDS[kind] if name in config}
    # Files leave out what is the library's default, and w2v-BERT's is the published network.
    usual = (
        PUBLISHED["facebook/w2v-bert-2.0"].config.model_dump() if kind == "wav2vec2-bert" else {}
    )
    try:
        return validate(EncoderConfig, {"model_type": kind, **usual, **known})
    except ConfigError as error:
        raise ArtifactError(f"config.json of '{source}': {error}") from None


def read_json(source: str | Path, name: str, *, required: bool = True) -> dict[str, Any]:
    """Read a JSON file of a checkpoint; {} where a folder lacks one that is not `required`.

    Raises `ArtifactError`.
    """
    path = hub_file(source, [name])
    if path is None:
        if required:
            raise ArtifactError(f"{source} holds no {name}: it is not a checkpoint of transformers")
        return {}
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from None
    if not isinstance(tree, dict):
        raise ArtifactError(f"{path} must hold a JSON object, got {type(tree).__name__}")
    return cast(dict[str, Any], tree)
