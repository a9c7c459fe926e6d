"""The speaker embedding networks of 3D-Speaker, at ModelScope.

Model identifiers, revisions, files and arguments are those of `speakerlab/bin/infer_sv.py` at
commit 09e7806; equal error rates are those of the README's table of networks, which names no files.
"""

from collections.abc import Mapping
from typing import Any

from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.base import Published

_FACTS = "github.com/modelscope/3D-Speaker 09e7806, speakerlab/bin/infer_sv.py"
_SIZE_BYTES = {"campplus_cn_common.bin": 28_036_335}

_Row = tuple[str, str, str, Mapping[str, Any], str]
_192: Mapping[str, Any] = {"embedding_dim": 192}
_512: Mapping[str, Any] = {"embedding_dim": 512}
_VOX = "on VoxCeleb1-O"
_3D = "on 3D-Speaker"

# Identifier without `speech_`, revision, file: preset, options, figure.
_MODELS: dict[str, _Row] = {
    "campplus_sv_zh-cn_16k-common": ("v1.0.0", "campplus_cn_common.bin", "campplus", _192, ""),
    "campplus_sv_zh_en_16k-common_advanced": (
        "v1.0.0",
        "campplus_cn_en_common.pt",
        "campplus",
        _192,
        "",
    ),
    "campplus_sv_en_voxceleb_16k": (
        "v1.0.2",
        "campplus_voxceleb.bin",
        "campplus",
        _512,
        f"EER 0.65 % {_VOX}",
    ),
    "eres2net_sv_zh-cn_16k-common": (
        "v1.0.5",
        "pretrained_eres2net_aug.ckpt",
        "eres2net_huge",
        _192,
        "",
    ),
    "eres2netv2_sv_zh-cn_16k-common": (
        "v1.0.1",
        "pretrained_eres2netv2.ckpt",
        "eres2netv2",
        _192,
        "",
    ),
    "eres2netv2w24s4ep4_sv_zh-cn_16k-common": (
        "v1.0.1",
        "pretrained_eres2netv2w24s4ep4.ckpt",
        "eres2netv2_w24s4ep4",
        _192,
        "",
    ),
    "eres2net_base_200k_sv_zh-cn_16k-common": (
        "v1.0.0",
        "pretrained_eres2net.pt",
        "eres2net",
        _512,
        "",
    ),
    "eres2net_sv_en_voxceleb_16k": (
        "v1.0.2",
        "pretrained_eres2net.ckpt",
        "eres2net",
        _192,
        f"EER 0.84 % {_VOX}",
    ),
    "eres2net_base_sv_zh-cn_3dspeaker_16k": (
        "v1.0.1",
        "eres2net_base_model.ckpt",
        "eres2net",
        _512,
        f"EER 7.21 % {_3D}",
    ),
    "eres2net_large_sv_zh-cn_3dspeaker_16k": (
        "v1.0.0",
        "eres2net_large_model.ckpt",
        "eres2net_large",
        _512,
        f"EER 6.34 % {_3D}",
    ),
    "ecapa-tdnn_sv_zh-cn_cnceleb_16k": (
        "v1.0.0",
        "ecapa-tdnn.ckpt",
        "ecapa_tdnn_1024",
        _192,
        "EER 8.01 % on CN-Celeb",
    ),
    "ecapa-tdnn_sv_zh-cn_3dspeaker_16k": (
        "v1.0.0",
        "ecapa-tdnn.ckpt",
        "ecapa_tdnn_1024",
        _192,
        f"EER 8.87 % {_3D}",
    ),
    "ecapa-tdnn_sv_en_voxceleb_16k": (
        "v1.0.1",
        "ecapa_tdnn.bin",
        "ecapa_tdnn_1024",
        _192,
        f"EER 0.86 % {_VOX}",
    ),
}

for _name, (_revision, _file, _model, _options, _figure) in _MODELS.items():
    _page = f"https://www.modelscope.cn/models/iic/speech_{_name}"
    PUBLISHED.add(
        f"3d-speaker/{_name}",
        Published(
            _model,
            _file,
            f"{_page}/resolve/{_revision}/{_file}",
            licence="Apache-2.0",
            facts=_FACTS,
            figure=_figure,
            figure_source="README of 3D-Speaker 09e7806, of the network" if _figure else "",
            options=_options,
            size_bytes=_SIZE_BYTES.get(_file),
        ),
    )
