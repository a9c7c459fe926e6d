"""The releases of EfficientAT: MobileNets and dynamic MobileNets trained on AudioSet.

Schmid et al. 2023, https://arxiv.org/abs/2211.04772 and https://arxiv.org/abs/2310.15648. Names
and files are those of `models/mn/model.py` and `models/dymn/model.py` at commit a425fdc; for
`dymn10_replace_se_as` the address there begins with a space, which no release's file name can.
"""

from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.base import Published

_RELEASE = "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1"
_FACTS = "github.com/fschmid56/EfficientAT a425fdc, models/mn/model.py and models/dymn/model.py"
_SIZE_BYTES = {"mn10_as": 19_708_753}

# Our name: preset, file without its suffix.
_AUDIOSET = {
    "mn01_as": ("mn01", "mn01_as_mAP_298"),
    "mn02_as": ("mn02", "mn02_as_mAP_378"),
    "mn04_as": ("mn04", "mn04_as_mAP_432"),
    "mn05_as": ("mn05", "mn05_as_mAP_443"),
    "mn10_as": ("mn10", "mn10_as_mAP_471"),
    "mn20_as": ("mn20", "mn20_as_mAP_478"),
    "mn30_as": ("mn30", "mn30_as_mAP_482"),
    "mn40_as": ("mn40", "mn40_as_mAP_484"),
    "mn40_as_2": ("mn40", "mn40_as_mAP_483"),
    "mn40_as_3": ("mn40", "mn40_as_mAP_483(2)"),
    "mn40_as_no_im_pre": ("mn40", "mn40_as_no_im_pre_mAP_483"),
    "mn40_as_no_im_pre_2": ("mn40", "mn40_as_no_im_pre_mAP_483(2)"),
    "mn40_as_no_im_pre_3": ("mn40", "mn40_as_no_im_pre_mAP_482"),
    "mn40_as_ext": ("mn40", "mn40_as_ext_mAP_487"),
    "mn40_as_ext_2": ("mn40", "mn40_as_ext_mAP_486"),
    "mn40_as_ext_3": ("mn40", "mn40_as_ext_mAP_485"),
    "mn10_as_hop_5": ("mn10_hop_5", "mn10_as_hop_5_mAP_475"),
    "mn10_as_hop_15": ("mn10_hop_15", "mn10_as_hop_15_mAP_463"),
    "mn10_as_hop_20": ("mn10_hop_20", "mn10_as_hop_20_mAP_456"),
    "mn10_as_hop_25": ("mn10_hop_25", "mn10_as_hop_25_mAP_447"),
    "mn10_as_mels_40": ("mn10_mels_40", "mn10_as_mels_40_mAP_453"),
    "mn10_as_mels_64": ("mn10_mels_64", "mn10_as_mels_64_mAP_461"),
    "mn10_as_mels_256": ("mn10_mels_256", "mn10_as_mels_256_mAP_474"),
    "mn10_as_fc": ("mn10_fc", "mn10_as_fc_mAP_465"),
    "mn10_as_fc_s2221": ("mn10_fc_s2221", "mn10_as_fc_s2221_mAP_466"),
    "mn10_as_fc_s2211": ("mn10_fc_s2211", "mn10_as_fc_s2211_mAP_466"),
    "dymn04_as": ("dymn04", "dymn04_as"),
    "dymn10_as": ("dymn10", "dymn10_as"),
    "dymn20_as": ("dymn20", "dymn20_as_mAP_493"),
    "dymn20_as_1": ("dymn20", "dymn20_as"),
    "dymn20_as_2": ("dymn20", "dymn20_as_mAP_489"),
    "dymn20_as_3": ("dymn20", "dymn20_as_mAP_490"),
    "dymn04_replace_se_as": ("dymn04_replace_se", "dymn04_replace_se_as"),
    "dymn10_replace_se_as": ("dymn10_replace_se", "dymn10_replace_se_as"),
}
_README_MAP = {"dymn04_as": "0.450", "dymn10_as": "0.477"}

# Trained on ImageNet: a start for training on sound; their classes are not of sound.
_IMAGENET = {
    "mn10_im_pytorch": "mn10",
    **{f"mn{width}_im": f"mn{width}" for width in ("01", "02", "04", "05", "10", "20", "30", "40")},
    **{f"dymn{width}_im": f"dymn{width}" for width in ("04", "10", "20")},
}


def _figure(name: str, file: str) -> tuple[str, str]:
    _, found, thousandths = file.partition("_mAP_")
    if found:
        return f"mAP 0.{thousandths[:3]} on AudioSet", "the file's name"
    if name in _README_MAP:
        return f"mAP {_README_MAP[name]} on AudioSet", "README of EfficientAT a425fdc"
    return "", ""


def _published(name: str, model: str, file: str, *, audioset: bool) -> Published:
    figure, source = _figure(name, file)
    dynamic = name.startswith("dymn")
    return Published(
        model,
        f"{file}.pt",
        f"{_RELEASE}/{file}.pt",
        licence="MIT",
        facts=_FACTS,
        labels="audioset" if audioset else None,
        figure=figure,
        figure_source=source,
        # Not in the file: what the softmax over kernels is divided by, 1 at the end of AudioSet.
        options={"temperature": 30.0} if dynamic and not audioset else {},
        size_bytes=_SIZE_BYTES.get(name),
    )


for _name, (_model, _file) in _AUDIOSET.items():
    PUBLISHED.add(f"efficientat/{_name}", _published(_name, _model, _file, audioset=True))
for _name, _model in _IMAGENET.items():
    PUBLISHED.add(f"efficientat/{_name}", _published(_name, _model, _name, audioset=False))
