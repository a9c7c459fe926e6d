import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from auricle.core.errors import ArtifactError
from auricle.runtime import (
    FORMAT_VERSION,
    ArtifactConfig,
    ClassifierSpec,
    parse_artifact_config,
)

MakeSpec = Callable[..., ClassifierSpec]


def test_what_is_written_reads_back(make_spec: MakeSpec) -> None:
    config = ArtifactConfig(
        spec=make_spec(
            labels=("müsic", "dog bark"),
            thresholds={"müsic": 0.3},
            frame_period_s=0.01,
            normalise={"kind": "rms", "target_db": -25.0},
        ),
        frontend={"name": "logmel-32k", "config": {"bins": 64}},
        training={"seed": 7, "anything": [1, None]},
    )
    assert config.format_version == FORMAT_VERSION
    assert parse_artifact_config(config.model_dump_json(), "x") == config


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "x.onnx is not valid JSON"),
        ("{", "x.onnx is not valid JSON"),
        ("[1]", "x.onnx was not written by Auricle"),
        ('{"model_type": "bert"}', "x.onnx was not written by Auricle"),
        ('{"format_version": 1}', "x.onnx cannot be used: 'spec' is missing"),
    ],
)
def test_text_that_is_no_config(text: str, complaint: str) -> None:
    with pytest.raises(ArtifactError, match=complaint) as caught:
        parse_artifact_config(text, "x.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None])
def test_a_version_that_never_was(config_text: Callable[..., str], version: object) -> None:
    tree = json.loads(config_text()) | {"format_version": version}
    with pytest.raises(ArtifactError, match="must be a whole number from 1"):
        parse_artifact_config(json.dumps(tree), "x")


def test_a_newer_version_says_upgrade(config_text: Callable[..., str]) -> None:
    # What a newer format holds is unknown: nothing else of it is judged.
    tree = json.loads(config_text()) | {"format_version": FORMAT_VERSION + 1, "novelty": 1}
    with pytest.raises(ArtifactError, match=r"made by a newer Auricle .* upgrade"):
        parse_artifact_config(json.dumps(tree), "x")


def test_a_misspelt_key_is_named(config_text: Callable[..., str]) -> None:
    tree = json.loads(config_text())
    tree["spec"]["sample_rte"] = tree["spec"].pop("sample_rate")
    with pytest.raises(ArtifactError, match=r"spec\.sample_rte.*did you mean.*spec\.sample_rate"):
        parse_artifact_config(json.dumps(tree), "x")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": ("a", "a")}, "labels must differ"),
        ({"labels": (), "activation": "sigmoid"}, "labels must name a class"),
        ({"thresholds": {"barking": 0.5}}, "do not exist: .*barking"),
        ({"hop_s": 2.0}, "would never be scored"),
        ({"sample_rate": 0}, "sample_rate"),
        ({"window_s": float("nan")}, "window_s"),
        ({"activation": "relu"}, "activation"),
    ],
)
def test_rules_of_the_spec(make_spec: MakeSpec, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        make_spec(**changes)


def test_thresholds_default_to_a_half(make_spec: MakeSpec) -> None:
    spec = make_spec(thresholds={"size": 0.2})
    assert (spec.threshold("size"), spec.threshold("power")) == (0.2, 0.5)
