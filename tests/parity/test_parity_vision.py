"""Networks for pictures against numbers computed by torchvision."""

import torch

from auricle.models import MODELS
from auricle.tensors import Features

FAMILY = "vision"


def build(golden):
    """The preset that a golden entry is called like, before its number of classes."""
    name, _, classes = golden.name.rpartition("_")
    assert golden.constructor == {"weights": None, "num_classes": int(classes)}
    preset = MODELS[{"mobilenet_v3_small": "mobilenetv3_small"}.get(name, name)]
    with torch.device("meta"):  # the values come from the folder
        model = preset.family(preset.config, bins=224, classes=int(classes))
    golden.fill(model.network)
    return model.eval()


def test_vision_parity(golden):
    model = build(golden)
    assert set(golden.described["outputs"]) == {"logits", "embedding"}
    for _, expected in golden.vectors():
        pictures = golden.input_of(expected)
        with torch.no_grad():
            output = model(Features(pictures, torch.full((len(pictures),), pictures.shape[3])))
        golden.close(output.scores, expected.pop("logits"))
        golden.close(output.embedding, expected.pop("embedding"))
        assert set(expected) == {"input"}
