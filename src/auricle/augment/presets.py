"""Named settings of the `augment` section: part name to options. No torch here."""

from collections.abc import Mapping
from typing import Any

DEFAULT_PRESET = "standard"

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "none": {},
    # Environmental sound: a clip may start anywhere, play slower or faster, be heard through
    # another room or microphone, and two sounds together are a sound.
    "standard": {
        "speed": {"probability": 0.5, "factors": [0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.2, 1.25]},
        "time_shift": {"probability": 1.0},
        "gain": {"probability": 1.0, "min_db": -10.0, "max_db": 10.0},
        "between_class": {"probability": 1.0},
        "filter_augment": {"probability": 1.0, "min_db": -6.0, "max_db": 6.0},
        "freq_mixstyle": {"probability": 0.3, "alpha": 2.0},
        "spec_augment": {
            "probability": 1.0,
            "max_time_frames": 1000,
            "max_time_share": 0.15,
            "max_freq_bins": 10,
        },
    },
    # Spoken words: they have a beginning and an end, and their speakers differ in pitch, pace,
    # length of the vocal tract and microphone. Mixing two words makes none.
    "speech": {
        "speed": {
            "probability": 0.9,
            "factors": [0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3],
            "fill": "zeros",
        },
        "time_shift": {"probability": 1.0, "max_s": 0.2, "fill": "zeros"},
        "gain": {"probability": 1.0, "min_db": -10.0, "max_db": 10.0},
        "noise": {"probability": 0.3, "min_snr_db": 5.0, "max_snr_db": 30.0},
        "random_resized": {"probability": 0.5},
        "freq_shift": {"probability": 0.5},
        "filter_augment": {"probability": 1.0, "min_db": -8.0, "max_db": 8.0},
        "freq_mixstyle": {"probability": 0.5, "alpha": 2.0},
        "spec_augment": {"probability": 1.0, "max_time_frames": 12, "max_freq_bins": 8},
    },
    # What the published tagging networks were trained with: PANNs (Kong et al., 2020).
    "panns": {
        "mixup": {"probability": 1.0, "alpha": 1.0},
        "spec_augment": {
            "probability": 1.0,
            "time_masks": 2,
            "max_time_frames": 64,
            "max_time_share": 1.0,
            "freq_masks": 2,
            "max_freq_bins": 8,
        },
    },
    # The policy "LibriSpeech basic" of SpecAugment (Park et al., Interspeech 2019).
    "specaugment": {
        "time_warp": {"probability": 1.0, "max_frames": 80},
        "spec_augment": {
            "probability": 1.0,
            "time_masks": 1,
            "max_time_frames": 100,
            "max_time_share": 1.0,
            "freq_masks": 1,
            "max_freq_bins": 27,
        },
    },
    # Sounds recorded close by, to be heard by a small microphone across a room.
    "far_field": {
        "time_shift": {"probability": 1.0},
        "reverb": {"probability": 0.8, "max_rt60_s": 1.0, "min_direct_db": -6.0},
        "gain": {"probability": 1.0, "min_db": -15.0, "max_db": 5.0},
        "noise": {"probability": 0.8, "min_snr_db": 3.0, "max_snr_db": 30.0},
        "band_limit": {"probability": 0.5},
        "spec_augment": {"probability": 1.0},
    },
}
