"""Checkpoints on the Hugging Face hub that the library `transformers` reads.

AST (Gong et al. 2021, https://arxiv.org/abs/2104.01778) scores classes; the self-supervised
encoders have no head and are a start for training. Any other repository of these architectures is
loaded by its name too.
"""

from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.base import Published
from auricle.core.download import Checksum

_AST = "MIT/ast-finetuned-audioset-10-10-0.4593"
_MODELS = {
    _AST: "ast",
    "MIT/ast-finetuned-speech-commands-v2": "ast_speech_commands",
    "facebook/wav2vec2-base": "wav2vec2_base_classifier",
    "facebook/wav2vec2-large-xlsr-53": "wav2vec2_xlsr_53_classifier",
    "facebook/hubert-base-ls960": "hubert_base_classifier",
    "facebook/hubert-large-ll60k": "hubert_large_classifier",
    "microsoft/wavlm-base": "wavlm_base_classifier",
    "microsoft/wavlm-base-plus": "wavlm_base_plus_classifier",
    "microsoft/wavlm-large": "wavlm_large_classifier",
    "facebook/w2v-bert-2.0": "w2v_bert_2_classifier",
}
_AST_SHA256 = "ae0c1e2ad4e1381d851fa9bf298ba13ebc9c5a914cdee2dbe427a6583869924d"

for _name, _model in _MODELS.items():
    _is_ast = _name == _AST
    PUBLISHED.add(
        _name,
        Published(
            _model,
            "model.safetensors",
            f"https://huggingface.co/{_name}",
            licence="stated on its page",
            facts="the hub; size and SHA-256 as a project states them that fetched the file",
            labels="audioset" if _is_ast else None,
            figure="mAP 0.459 on AudioSet" if _is_ast else "",
            figure_source="the repository's name" if _is_ast else "",
            checksum=Checksum("sha256", _AST_SHA256) if _is_ast else None,
            size_bytes=346_404_948 if _is_ast else None,
            layout="transformers",
        ),
    )
