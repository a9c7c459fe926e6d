"""EfficientAT's networks against numbers computed by the reference implementation."""

import pytest
import torch

from auricle.models import MODELS
from auricle.tensors import Features

FAMILY = "efficientat"
BINS = 128

# Parameters (millions) that the reference's README states for networks of 527 classes.
PUBLISHED_MILLIONS = {
    "mn04": 0.983,
    "mn05": 1.43,
    "mn10": 4.88,
    "mn20": 17.91,
    "mn30": 39.09,
    "mn40": 68.43,
    "mn10_hop_15": 4.88,
    "mn10_mels_40": 4.88,
}


def build(golden, **options):
    """The network of a golden entry, from the arguments that the reference was built with."""
    assert set(golden.constructor) <= {"num_classes", "width_mult", "T_max"}
    preset = MODELS["dymn10" if golden.name.startswith("dymn") else "mn10"]
    values = {"width": golden.constructor["width_mult"], **options}
    config = preset.config.model_copy(update=values)
    model = preset.family(config, bins=BINS, classes=golden.constructor["num_classes"])
    golden.fill(model)
    return model


def test_efficientat_parity(golden):
    variants = {"": build(golden)}
    if "T_max" in golden.constructor:
        assert golden.constructor["T_max"] == variants[""].config.temperature
        variants["_temperature30"] = build(golden, temperature=30.0)
    named = {f"{output}{variant}" for output in ("logits", "embedding") for variant in variants}
    assert set(golden.described["outputs"]) == named
    for _, expected in golden.vectors():
        values = golden.input_of(expected)
        features = Features(values, torch.full((len(values),), values.shape[2]))
        for variant, model in variants.items():
            with torch.no_grad():
                output = model(features)
            golden.close(output.scores, expected.pop(f"logits{variant}"))
            golden.close(output.embedding, expected.pop(f"embedding{variant}"))
        assert set(expected) == {"input"}


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_efficientat_parity_of_published_sizes(name):
    preset = MODELS[name]
    with torch.device("meta"):
        model = preset.family(preset.config, bins=BINS, classes=527)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert millions == pytest.approx(PUBLISHED_MILLIONS[name], abs=0.006)
