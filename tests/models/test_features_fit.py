"""Front-ends whose features a network cannot read are refused when the two are put together."""

import pytest

from auricle.artifact.classifier import build_classifier
from auricle.core.errors import ConfigError

WAVEGRAM = "wavegram_logmel_cnn14_tiny"


@pytest.mark.parametrize(
    ("model", "frontend", "message"),
    [
        ("tdnn_tiny", {"name": "waveform_16k"}, "got one: the waveform itself.*--frontend logmel"),
        ("cnn6_tiny", {"name": "waveform_16k"}, "got one: the waveform itself"),
        (WAVEGRAM, {"name": "waveform_16k"}, "got one: the waveform itself"),
        ("leenet11_tiny", {"name": "logmel_8k"}, "got features of 64 bins"),
        ("crnn_max_tiny", {"name": "gtzan_image"}, "draws pictures.*--model resnet18"),
        (WAVEGRAM, {"name": "image_8k_64"}, "draws pictures"),
        (WAVEGRAM, {"name": "logmel_32k"}, r"--frontend\.with_waveforms true"),
        (WAVEGRAM, {"name": "logmel_32k_wave", "hop_samples": 640}, "every 320 samples"),
        ("ast_tiny", {"name": "fbank80_norm"}, "reads 128 frames"),
        ("ast_tiny", {"name": "ast_fbank"}, "reads 128 frames, got 1024"),
        ("image_vit_tiny", {"name": "logmel_8k"}, "reads pictures of 64 x 64, got 64 x 164"),
        ("image_vit_tiny", {"name": "image_8k_64", "channels": 3}, r"--frontend\.channels 1"),
    ],
)
def test_what_does_not_fit_is_refused(model, frontend, message):
    with pytest.raises(ConfigError, match=message):
        build_classifier(frontend, {"name": model}, 3)
