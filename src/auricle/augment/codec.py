"""A round trip through a real encoder and decoder."""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import soundfile
import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle import audio
from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Drawn,
    below,
    draw_rows,
    draw_uniform,
    with_rows,
)
from auricle.core.types import FloatArray
from auricle.tensors import Batch

Codec: TypeAlias = Literal["mp3", "vorbis", "opus", "gsm", "g711", "adpcm"]

_BLOCK_SAMPLES = 65536  # libsndfile crashes on one long buffer of Vorbis
_TELEPHONE_HZ = (8000,)


@dataclass(frozen=True)
class _Format:
    """How libsndfile names a codec, the rates (Hz) that it takes (none: any), its quality knob."""

    container: str
    subtype: str
    rates: tuple[int, ...] = ()
    has_level: bool = False


_FORMATS: dict[Codec, _Format] = {
    "mp3": _Format(
        "MP3",
        "MPEG_LAYER_III",
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
        has_level=True,
    ),
    "vorbis": _Format("OGG", "VORBIS", has_level=True),
    "opus": _Format("OGG", "OPUS", (8000, 12000, 16000, 24000, 48000), has_level=True),
    "gsm": _Format("WAV", "GSM610", _TELEPHONE_HZ),
    "g711": _Format("WAV", "ULAW", _TELEPHONE_HZ),
    "adpcm": _Format("WAV", "IMA_ADPCM"),
}


class CodecConfig(AugmentationConfig):
    """The codecs to choose from, and how hard they compress."""

    probability: float = Field(
        0.1, ge=0, le=1, description="chance that a clip is changed; encoding costs much"
    )
    codecs: tuple[Codec, ...] = Field(
        ("mp3", "vorbis"),
        min_length=1,
        description="codecs to choose from: mp3, vorbis, opus, gsm (GSM 06.10, 8 kHz), g711 "
        "(mu-law, 8 kHz), adpcm (IMA)",
    )
    min_compression: float = Field(
        0.3, ge=0, le=0.9, description="least compression of mp3, vorbis and opus, 0 the best sound"
    )
    max_compression: float = Field(
        0.9, ge=0, le=0.9, description="most compression of mp3, vorbis and opus"
    )


@dataclass(frozen=True)
class DrawnCodec(Drawn):
    """`choice` `(changed,)` among the codecs, and `compression` `(changed,)` in [0, 0.9]."""

    choice: Tensor
    compression: Tensor


@AUGMENTATIONS.register("codec")
class CodecRoundTrip(Augmentation[CodecConfig, DrawnCodec]):
    """Encode a clip and decode it again, as a file on its way has been.

    libsndfile's own encoders, on the processor and one clip a thread: 2 to 90 ms a clip of 3 s,
    for which an accelerator waits. `band_limit` and `quantise` are the cheap relatives. The
    decoders take their delay back, so onsets stay; a clip is encoded at the nearest rate that the
    codec knows, and samples beyond full scale are clipped.
    """

    Config = CodecConfig
    domain = "waveform"
    rank = 90
    on_device = False

    def draw(self, batch: Batch, generator: Generator) -> DrawnCodec:
        """Draw a codec and a compression for each clip."""
        config = self.config
        rows = draw_rows(batch, config.probability, generator)
        count = len(batch.waveforms)
        choice = torch.randint(len(config.codecs), (count,), generator=generator)
        compression = draw_uniform(batch, config.min_compression, config.max_compression, generator)
        return DrawnCodec(rows, choice[rows], compression[rows])

    def apply(self, batch: Batch, parameters: DrawnCodec) -> Batch:
        """Encode and decode the clips, several at once."""
        device, size = batch.waveforms.device, batch.waveforms.shape[1]
        rows = parameters.rows.to(device)
        clips: Sequence[FloatArray] = list(batch.waveforms[rows].cpu().numpy())
        codecs = [self.config.codecs[choice] for choice in parameters.choice.tolist()]
        levels: Sequence[float] = parameters.compression.tolist()
        rates = [batch.sample_rate] * len(clips)
        with ThreadPoolExecutor(max(1, min(len(clips), os.cpu_count() or 1))) as pool:
            decoded = list(pool.map(round_trip, clips, rates, codecs, levels))
        waveforms = torch.from_numpy(np.stack(decoded)).to(device)
        waveforms = waveforms * below(batch.lengths_samples[rows], size)
        return replace(batch, waveforms=with_rows(batch.waveforms, rows, waveforms))


def round_trip(
    samples: FloatArray, sample_rate: int, codec: Codec, compression: float
) -> FloatArray:
    """Encode float32 `(time,)` and decode it: as many samples, at the same rate (Hz).

    `compression` in [0, 0.9] is libsndfile's compression level, which mp3, vorbis and opus have.
    """
    form = _FORMATS[codec]
    rate = _nearest_rate(sample_rate, form.rates)
    sound = audio.resample(samples, sample_rate, rate).clip(-1, 1)
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer,
        "w",
        rate,
        1,
        format=form.container,
        subtype=form.subtype,
        compression_level=compression if form.has_level else None,
    ) as file:
        for start in range(0, len(sound), _BLOCK_SAMPLES):
            file.write(sound[start : start + _BLOCK_SAMPLES])
    buffer.seek(0)
    with soundfile.SoundFile(buffer) as file:
        decoded = np.asarray(file.read(file.frames, dtype="float32"), dtype=np.float32)
    return audio.pad_to(audio.resample(decoded, rate, sample_rate)[: len(samples)], len(samples))


def _nearest_rate(sample_rate: int, rates: Sequence[int]) -> int:
    """Return the lowest rate that loses nothing, else the highest there is."""
    if not rates:
        return sample_rate
    return min((rate for rate in rates if rate >= sample_rate), default=max(rates))
