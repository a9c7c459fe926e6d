"""macls's networks and poolings against numbers computed by the reference implementation.

`BUILDERS` says for each class of the reference how it is made here from the arguments that the
entry states; an entry of any other class fails.
"""

import pytest
import torch

from auricle.models import MODELS
from auricle.models.pooling import Pooling, build_pooling
from auricle.tensors import Features

FAMILY = "macls"


def pooled(preset):
    """A network of a preset with the pooling that the entry names."""

    def build(constructor):
        values = {"pooling": constructor["pooling_type"].lower()}
        return network(preset, constructor, **values)

    return build


def whole(preset):
    """A network of a preset that has no options of its own."""
    return lambda constructor: network(preset, constructor)


OPTIONS = {
    "base_width": "base_width",
    "embd_dim": "embedding_dim",
    "expansion": "expansion",
    "m_channels": "channels",
    "num_blocks": "blocks",
    "scale": "scale",
    "two_emb_layer": "two_embedding_layers",
}
"""What macls and we call the options of networks that have some."""


def sized(preset):
    """A network of a preset with the options that the entry states."""

    def build(constructor):
        stated = constructor.keys() - {"input_size", "num_class"}
        values = {OPTIONS[key]: constructor[key] for key in stated}
        return network(preset, constructor, **values)

    return build


def network(name, constructor, **values):
    preset = MODELS[name]
    config = preset.family.Config.model_validate(preset.config.model_dump() | values)
    bins, classes = constructor["input_size"], constructor["num_class"]
    return preset.family(config, bins=bins, classes=classes)


def attentive_statistics(constructor):
    channels, options = constructor["channels"], dict(constructor)
    del options["channels"]
    return build_pooling("asp", channels=channels, options=options)


def self_attention(constructor):
    options = {"attention_channels": constructor["bottleneck_dim"]}
    return build_pooling("sap", channels=constructor["in_dim"], options=options)


def plain(name):
    return lambda constructor: build_pooling(name, channels=CHANNELS)


CHANNELS = 64
"""Channels of the poolings' input, for poolings that need not be told."""

BUILDERS = {
    "AttentiveStatisticsPooling": attentive_statistics,
    "CAMPPlus": sized("campplus"),
    "ERes2Net": sized("eres2net"),
    "ERes2NetV2": sized("eres2netv2_macls"),
    "EcapaTdnn": pooled("ecapa_tdnn"),
    "PANNS_CNN10": whole("macls_cnn10"),
    "PANNS_CNN14": whole("macls_cnn14"),
    "PANNS_CNN6": whole("macls_cnn6"),
    "Res2Net": pooled("res2net"),
    "ResNetSE": pooled("resnet_se"),
    "SelfAttentivePooling": self_attention,
    "TDNN": pooled("tdnn"),
    "TemporalAveragePooling": plain("tap"),
    "TemporalStatisticsPooling": plain("tsp"),
    "TemporalStatsPool": plain("tstp"),
}


def test_macls_parity(golden):
    part = golden.described["source"]["class"]
    assert part in BUILDERS, f"nobody builds {golden.name}"
    with torch.device("meta"):  # the values come from the folder
        module = BUILDERS[part](golden.constructor)
    golden.fill(module)
    for _, expected in golden.vectors():
        x = golden.input_of(expected)
        with torch.no_grad():
            compare = compare_pooling if isinstance(module, Pooling) else compare_network
            compare(golden, module, x, expected)


def compare_network(golden, model, x, expected):
    assert set(expected) == {"input", "logits", "embedding"}
    output = model(Features(x, torch.full((len(x),), x.shape[2])))
    assert output.scores_are == "logits"
    golden.close(output.scores, expected["logits"])
    golden.close(output.embedding, expected["embedding"])


def compare_pooling(golden, pooling, x, expected):
    golden.close(pooling(x), expected["pooled"], relative=1e-5)
    if "pooled_4d" in expected:  # two axes become one before they are pooled
        picture = x.unflatten(1, (8, 8))
        golden.close(pooling(picture.flatten(1, 2)), expected["pooled_4d"], relative=1e-5)
    if "pooled_lengths" in expected:  # a frame counts if it is below length * frames
        below = torch.tensor([1.0, 0.6]) * x.shape[2]
        mask = torch.arange(x.shape[2]) < below[:, None]
        golden.close(pooling(x, mask), expected["pooled_lengths"], relative=1e-5)
    known = {"input", "pooled", "pooled_4d", "pooled_lengths"}
    if set(expected) - known:
        pytest.fail(f"no trial of {sorted(set(expected) - known)}")
