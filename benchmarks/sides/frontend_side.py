"""One side of the front-end comparison: 64-bin log-mel of 32 kHz waveforms, one thread.

    PYTHON frontend_side.py auricle|librosa|torchlibrosa WAVEFORMS.npy

WAVEFORMS is `(16, time)`, float32. The last line printed is a JSON object: milliseconds a clip at
batch 1 and 16, and the mean of the first clip's features in dB.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SAMPLE_RATE, N_FFT, HOP, BINS, F_MIN, F_MAX, AMIN = 32000, 1024, 320, 64, 50, 14000, 1e-10
WARM_UP = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("auricle", "librosa", "torchlibrosa"))
    parser.add_argument("waveforms")
    parser.add_argument("--repeats", type=int, default=20, help="of a batch of 16")
    args = parser.parse_args()
    waveforms = np.load(args.waveforms)
    make = {"auricle": ours, "librosa": librosa_side, "torchlibrosa": torchlibrosa_side}
    features = make[args.what]()
    one, all_clips = waveforms[:1], waveforms
    measured = {
        "batch_1_ms": clip_ms(features, one, args.repeats * len(waveforms)),
        "batch_16_ms": clip_ms(features, all_clips, args.repeats),
        "mean_db": float(np.mean(np.asarray(features(one)))),
    }
    print(json.dumps(measured))


def clip_ms(features: Callable[[Any], Any], waveforms: Any, repeats: int) -> float:
    """Return the median milliseconds a clip."""
    for _ in range(WARM_UP):
        features(waveforms)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        features(waveforms)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times) / len(waveforms)


def ours() -> Callable[[Any], Any]:
    """Return Auricle's front-end `logmel_32k`."""
    import torch

    from auricle.artifact.parts import build_frontend
    from auricle.core.memory import keep_freed_memory

    keep_freed_memory()  # as training and prediction do
    torch.set_num_threads(1)
    frontend = build_frontend({"name": "logmel_32k"})

    def features(waveforms: Any) -> Any:
        with torch.inference_mode():
            lengths = torch.full((len(waveforms),), waveforms.shape[1])
            return frontend(torch.from_numpy(waveforms), lengths).values

    return features


def librosa_side() -> Callable[[Any], Any]:
    """Return librosa's mel spectrogram in dB."""
    import librosa

    def features(waveforms: Any) -> Any:
        power = librosa.feature.melspectrogram(
            y=waveforms,
            sr=SAMPLE_RATE,
            n_fft=N_FFT,
            hop_length=HOP,
            n_mels=BINS,
            fmin=F_MIN,
            fmax=F_MAX,
            pad_mode="reflect",
        )
        return librosa.power_to_db(power, ref=1.0, amin=AMIN, top_db=None)

    return features


def torchlibrosa_side() -> Callable[[Any], Any]:
    """Return torchlibrosa's two modules, as the PANNs use them."""
    import torch
    from torchlibrosa.stft import LogmelFilterBank, Spectrogram

    torch.set_num_threads(1)
    spectrogram = Spectrogram(n_fft=N_FFT, hop_length=HOP, freeze_parameters=True)
    log_mel = LogmelFilterBank(
        sr=SAMPLE_RATE,
        n_fft=N_FFT,
        n_mels=BINS,
        fmin=F_MIN,
        fmax=F_MAX,
        ref=1.0,
        amin=AMIN,
        top_db=None,
        freeze_parameters=True,
    )

    def features(waveforms: Any) -> Any:
        with torch.inference_mode():
            return log_mel(spectrogram(torch.from_numpy(waveforms)))

    return features


if __name__ == "__main__":
    main()
