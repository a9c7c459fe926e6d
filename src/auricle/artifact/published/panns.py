"""The PANNs of Zenodo record 3987831, trained on AudioSet.

Kong et al. 2020, https://arxiv.org/abs/1912.10211. The names are those that public loaders ask
the record for; no list of the record's own was at hand.
"""

from urllib.parse import quote

from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.base import Published
from auricle.core.download import Checksum

_RECORD = "https://zenodo.org/records/3987831/files"
_FACTS = (
    "names and MD5 (as Zenodo states it): github.com/Labbeti/dcase2022task6a, nn/urls.py, and "
    "other public loaders"
)

_MD5 = {
    "cnn6": "e25e26b84585b14c7754c91e48efc9be",
    "cnn10": "bfb1f1f9968938fa8ef4012b8471f5f6",
    "cnn14": "541141fa2ee191a88f24a3219fff024e",
    "cnn14_decision_att": "c8281ca2b9967244b91d557aa941e8ca",
    "resnet22": "cf36d413096793c4e15dc752a3abd599",
    "resnet38": "bf12f36aaabac4e0855e22d3c3239c1b",
    "resnet54": "4f1f1406d37a29e2379916885e18c5f3",
    "mobilenetv1": "a419303e1c88aa1b9d2ac3811563d371",
    "wavegram_cnn14": "1e3506ab640371e0b5a417b15fd66d21",
    "wavegram_logmel_cnn14": "17fa9ab65af3c0eb5ffbc5f65552c4e1",
}
# Where nobody states an MD5, but somebody who fetched the file does this.
_SHA256 = {
    "cnn14_16k": "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
    "cnn14_decision_max": "dd3b4043a87d4ec13df8082c0fcfee3fb5084151808e47e060987a95eabdd142",
}
_SIZE_BYTES = {"cnn10": 25_237_595, "cnn14": 327_428_481, "mobilenetv1": 23_639_473}

_FILES = {
    "cnn6": "Cnn6_mAP=0.343.pth",
    "cnn10": "Cnn10_mAP=0.380.pth",
    "cnn14": "Cnn14_mAP=0.431.pth",
    "cnn14_16k": "Cnn14_16k_mAP=0.438.pth",
    "cnn14_8k": "Cnn14_8k_mAP=0.416.pth",
    "cnn14_emb32": "Cnn14_emb32_mAP=0.364.pth",
    "cnn14_emb128": "CNN14_emb128_mAP=0.412.pth",
    "cnn14_emb512": "Cnn14_emb512_mAP=0.420.pth",
    "cnn14_decision_max": "Cnn14_DecisionLevelMax_mAP=0.385.pth",
    "cnn14_decision_att": "Cnn14_DecisionLevelAtt_mAP=0.425.pth",
    "wavegram_cnn14": "Wavegram_Cnn14_mAP=0.389.pth",
    "wavegram_logmel_cnn14": "Wavegram_Logmel_Cnn14_mAP=0.439.pth",
    "resnet22": "ResNet22_mAP=0.430.pth",
    "resnet38": "ResNet38_mAP=0.434.pth",
    "resnet54": "ResNet54_mAP=0.429.pth",
    "mobilenetv1": "MobileNetV1_mAP=0.389.pth",
    "mobilenetv2": "MobileNetV2_mAP=0.383.pth",
    "leenet11": "LeeNet11_mAP=0.266.pth",
    "leenet24": "LeeNet24_mAP=0.336.pth",
    "dainet19": "DaiNet19_mAP=0.295.pth",
    "res1dnet31": "Res1dNet31_mAP=0.365.pth",
    "res1dnet51": "Res1dNet51_mAP=0.355.pth",
}


def _checksum(model: str) -> Checksum | None:
    if model in _MD5:
        return Checksum("md5", _MD5[model])
    return Checksum("sha256", _SHA256[model]) if model in _SHA256 else None


for _model, _file in _FILES.items():
    _map = _file.removesuffix(".pth").partition("mAP=")[2]
    PUBLISHED.add(
        f"panns/{_model}",
        Published(
            _model,
            _file,
            f"{_RECORD}/{quote(_file)}?download=1",
            licence="CC BY 4.0",
            facts=_FACTS,
            labels="audioset",
            figure=f"mAP {_map} on AudioSet",
            figure_source="the file's name",
            checksum=_checksum(_model),
            size_bytes=_SIZE_BYTES.get(_model),
        ),
    )
