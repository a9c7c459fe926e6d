"""What is refused when a classifier is put together: features that its network cannot read, sizes.

Sizes that no machine could hold are refused before a layer is made.
"""

import pytest
import torch

from auricle.artifact.classifier import build_classifier
from auricle.core.errors import ConfigError
from auricle.models import MODELS

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


HUGE = 10**9


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("cnn14_clip_tiny", {"channels": [0, 8]}, r"model\.channels\.0"),
        ("cnn14_clip_tiny", {"channels": [HUGE, 8]}, r"model\.channels\.0"),
        ("cnn14_clip_tiny", {"embedding_dim": HUGE}, r"model\.embedding_dim"),
        ("resnet_basic_tiny", {"blocks": [HUGE, 1]}, r"model\.blocks\.0"),
        ("mobilenetv2_tiny", {"stages": [[1, 4, HUGE, 1]]}, r"model\.stages\.0\.2"),
        ("leenet11_tiny", {"channels": [1] * 10**4}, r"model\.channels"),
        ("campplus_tiny", {"layers": [HUGE]}, r"model\.layers\.0"),
        ("ecapa_tdnn_tiny", {"dilations": [HUGE]}, r"model\.dilations\.0"),
        ("eres2net_tiny", {"scale": HUGE}, r"model\.scale"),
        ("crnn_max_tiny", {"recurrent_layers": HUGE}, r"model\.recurrent_layers"),
        ("mn_tiny", {"strides": [0, 2, 2, 2]}, r"model\.strides\.0"),
        ("small_resnet_tiny", {"widths": [-1]}, r"model\.widths\.0"),
        ("crnn_max_tiny", {"pools": [[256, 1]] * 3}, "s of sound, and at most 60 s"),
        ("wavegram_cnn14_tiny", {"wavegram_strides": [256] * 4}, "at most 60 s"),
    ],
)
def test_sizes_that_no_machine_could_hold_are_refused(model, options, message):
    frontend = {"name": MODELS[model].frontend}
    with pytest.raises(ConfigError, match=message), torch.device("meta"):
        build_classifier(frontend, {"name": model, **options}, 3)
