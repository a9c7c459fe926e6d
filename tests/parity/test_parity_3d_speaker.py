"""3D-Speaker's networks and poolings against numbers computed by the reference implementation.

`BUILDERS` says for each file of the reference (two of them hold a class of the same name) how its
class is made here from the arguments that the entry states; an entry of any other class fails.
"""

from pathlib import PurePosixPath

import torch

from auricle.models import MODELS
from auricle.models.pooling import Pooling, build_pooling
from auricle.tensors import Features

FAMILY = "3d-speaker"

CHANNELS = 64
"""Channels of the poolings' input, for poolings that need not be told."""

OPTIONS = {
    "baseWidth": "base_width",
    "embedding_size": "embedding_dim",
    "expansion": "expansion",
    "m_channels": "channels",
    "num_blocks": "blocks",
    "pooling_func": "pooling",
    "scale": "scale",
    "two_emb_layer": "two_embedding_layers",
}
"""What 3D-Speaker and we call the options of the networks."""


def network(name):
    """The embedding network of a preset, with the options that the entry states."""

    def build(constructor):
        options = dict(constructor)
        bins = options.pop("input_size" if "input_size" in options else "feat_dim")
        preset = MODELS[name]
        values = {OPTIONS[key]: value for key, value in options.items()}
        if "pooling" in values:
            values["pooling"] = values["pooling"].lower()
        config = preset.family.Config.model_validate(preset.config.model_dump() | values)
        return preset.family(config, bins=bins, classes=0)

    return build


def attentive(constructor):
    options = {
        "attention_channels": constructor["bottleneck_dim"],
        "global_context": constructor["global_context_att"],
    }
    return build_pooling("astp", channels=constructor["in_dim"], options=options)


BUILDERS = {
    "campplus/DTDNN/CAMPPlus": network("campplus"),
    "ecapa_tdnn/ECAPA_TDNN/ECAPA_TDNN": network("ecapa_tdnn"),
    "eres2net/ERes2Net/ERes2Net": network("eres2net"),
    "eres2net/ERes2NetV2/ERes2NetV2": network("eres2netv2"),
    "eres2net/ERes2Net_huge/ERes2Net": network("eres2net_huge"),
    "eres2net/pooling_layers/ASTP": attentive,
    "eres2net/pooling_layers/TSDP": lambda constructor: build_pooling("tsdp", channels=CHANNELS),
}

RELATIVE = {"ERes2Net_huge": 2e-3}
"""Where clipping amplifies the rounding of float32: 6e-4 from one convolution to another."""


def test_3d_speaker_parity(golden):
    source = golden.described["source"]
    file = PurePosixPath(source["file"]).relative_to("speakerlab/models")
    part = str(file.with_suffix("") / source["class"])
    assert part in BUILDERS, f"nobody builds {golden.name}"
    with torch.device("meta"):  # the values come from the folder
        module = BUILDERS[part](golden.constructor)
    golden.fill(module)
    for _, expected in golden.vectors():
        x = golden.input_of(expected)
        known = {"input"}
        for name, lengths in (("", None), ("_lengths", torch.tensor([1.0, 0.6]))):
            what = ("pooled" if isinstance(module, Pooling) else "embedding") + name
            known.add(what)
            if what in expected:
                with torch.no_grad():
                    ours = result(module, x, lengths)
                relative = RELATIVE.get(golden.name, 1e-4)
                golden.close(ours, expected[what], relative=relative)
        assert len(expected) > 1
        assert set(expected) <= known, f"no trial of {sorted(set(expected) - known)}"


def result(module, x, lengths):
    """Pool or embed `(batch, channels, frames)`; `lengths` are shares of the frames."""
    shares = torch.ones(len(x)) if lengths is None else lengths
    # The reference's rule, float32 included: frame 120 is below 0.6 * 200.
    mask = torch.arange(x.shape[2]) < shares[:, None] * x.shape[2]
    if isinstance(module, Pooling):
        return module(x, mask)
    return module(Features(x, mask.sum(dim=1))).embedding
