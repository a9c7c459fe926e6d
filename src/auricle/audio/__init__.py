"""Layer 1: probe, decode, resample and normalise sound files."""

from auricle.audio.files import AUDIO_SUFFIXES, find_audio
from auricle.audio.level import PADDINGS, Padding, pad_to, set_level
from auricle.audio.limits import ClipLimits
from auricle.audio.reading import AudioInfo, blocks, load, probe
from auricle.audio.resampling import resample
from auricle.audio.spectrogram import log_mel_spectrogram

__all__ = [
    "AUDIO_SUFFIXES",
    "PADDINGS",
    "AudioInfo",
    "ClipLimits",
    "Padding",
    "blocks",
    "find_audio",
    "load",
    "log_mel_spectrogram",
    "pad_to",
    "probe",
    "resample",
    "set_level",
]
