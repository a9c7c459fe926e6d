"""What log-mel and Kaldi features share: frames, power spectrum, filter bank, logarithm."""

import copy
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.core.errors import AudioError, ConfigError
from auricle.frontends.base import FrontEnd, FrontEndConfig
from auricle.tensors import Features

Array: TypeAlias = npt.NDArray[np.float64]

# Values of frames worked on at once on a CPU: 2 MB, so that a block's frames, spectrum and power
# stay in the cache. A whole batch at once costs three times as much per clip.
BLOCK_VALUES = 1 << 19


class SpectralFrontEnd(FrontEnd):
    """Frames, `shape` (linear: window and the like), power spectrum, filter bank, `compress`.

    `filters` is `(bins, n_fft // 2 + 1)`; `window` `(frame_samples,)` is what `shape` multiplies
    frames by; `padding` are the samples that `pad` puts before and behind a waveform. Two equal
    computations exist: a real FFT, and after `for_export` a convolution whose kernels are made
    by sending the unit impulses through the very same `shape`.
    """

    window: Tensor
    filters: Tensor
    kernels: Tensor | None

    def __init__(
        self,
        config: FrontEndConfig,
        *,
        window: Array,
        filters: Array,
        hop_samples: int,
        n_fft: int,
        padding: tuple[int, int],
    ) -> None:
        super().__init__(config)
        used = np.flatnonzero(filters.any(axis=0))
        if len(used) == 0:
            raise ConfigError(
                "the mel filters cover no bin of the Fourier transform: "
                "widen f_min_hz ... f_max_hz or lengthen the window"
            )
        self.bins = len(filters)
        self.frame_period_s = hop_samples / config.sample_rate
        self.frame_samples = len(window)
        self.hop_samples = hop_samples
        self.n_fft = n_fft
        self.padding = padding
        self.shortest_samples = max(1, self.frame_samples - sum(padding))
        self._band = slice(int(used[0]), int(used[-1]) + 1)
        self.register_buffer("window", torch.tensor(window, dtype=torch.float32), persistent=False)
        band = torch.tensor(filters[:, self._band], dtype=torch.float32)
        self.register_buffer("filters", band, persistent=False)
        self.register_buffer("kernels", None, persistent=False)

    def pad(self, waveforms: Tensor) -> Tensor:
        """Put `padding` samples before and behind `(batch, time)` waveforms."""
        raise NotImplementedError

    def shape(self, frames: Tensor) -> Tensor:
        """Shape frames `(..., frame_samples)` for the Fourier transform. Must be linear."""
        raise NotImplementedError

    def compress(self, energies: Tensor) -> Tensor:
        """Turn the filters' energies into features (a floor and a logarithm)."""
        raise NotImplementedError

    def frame_count(self, samples: int) -> int:
        """Return the number of frames that a waveform of `samples` gives."""
        return max(0, 1 + (samples + sum(self.padding) - self.frame_samples) // self.hop_samples)

    def samples_for_frames(self, frames: int) -> int:
        """Return the shortest waveform (samples) that gives at least `frames` frames."""
        needed = (frames - 1) * self.hop_samples + self.frame_samples - sum(self.padding)
        return max(self.shortest_samples, needed)

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into features `(batch, bins, frames)`.

        Computes in float32 under autocast too. Raises `AudioError` for waveforms shorter than
        `shortest_samples`.
        """
        if self.kernels is not None:
            values = self._by_convolution(self.pad(waveforms), self.kernels)
        else:
            self._refuse_short(waveforms)
            with torch.autocast(waveforms.device.type, enabled=False):
                values = self._by_fft(waveforms)
        beyond = sum(self.padding) - self.frame_samples
        frames = 1 + (lengths_samples + beyond) // self.hop_samples
        return Features(values, frames.clamp(min=0))

    def for_export(self) -> "SpectralFrontEnd":
        """Return a front-end with the same numbers that holds no FFT operator.

        It lies on the CPU. It checks no lengths, so that batch and time stay dynamic, and does
        not shield itself from autocast.
        """
        twin = copy.deepcopy(self).cpu()
        impulses = torch.eye(self.frame_samples, dtype=torch.float64)
        spectra = torch.fft.rfft(twin.shape(impulses), n=self.n_fft)[:, self._band]
        twin.kernels = torch.cat([spectra.real, spectra.imag], dim=1).T[:, None].float()
        return twin

    def _by_fft(self, waveforms: Tensor) -> Tensor:
        if waveforms.device.type != "cpu":
            return self._features(self._frames(waveforms)).transpose(1, 2).contiguous()
        most = max(1, BLOCK_VALUES // self.n_fft)
        clips = max(1, most // self.frame_count(waveforms.shape[1]))
        blocks = [
            torch.cat([self._features(part) for part in self._frames(block).split(most, dim=1)], 1)
            for block in waveforms.split(clips)
        ]
        return torch.cat(blocks).transpose(1, 2).contiguous()

    def _frames(self, waveforms: Tensor) -> Tensor:
        """Return a view `(batch, frames, frame_samples)` of the padded waveforms."""
        return self.pad(waveforms).unfold(1, self.frame_samples, self.hop_samples)

    def _features(self, frames: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(self.shape(frames), n=self.n_fft)[..., self._band]
        parts = torch.view_as_real(spectrum)
        power = parts[..., 0].square() + parts[..., 1].square()
        return self.compress(F.linear(power, self.filters))

    def _by_convolution(self, padded: Tensor, kernels: Tensor) -> Tensor:
        parts = F.conv1d(padded[:, None], kernels, stride=self.hop_samples)
        both = torch.cat([self.filters, self.filters], dim=1)
        return self.compress(torch.matmul(both, parts.square()))

    def _refuse_short(self, waveforms: Tensor) -> None:
        samples = waveforms.shape[-1]
        if samples < self.shortest_samples:
            raise AudioError(
                f"the front-end needs at least {self.shortest_samples} samples "
                f"({1000 * self.shortest_samples / self.sample_rate:.0f} ms), got {samples}: "
                "pad the waveform with zeros"
            )


def triangles(points: Array, positions: Array) -> Array:
    """Return triangular filters `(len(points) - 2, len(positions))` of height one.

    Filter `i` rises from `points[i]` to `points[i + 1]` and falls to `points[i + 2]`.
    """
    lower, centre, upper = points[:-2, None], points[1:-1, None], points[2:, None]
    rising = (positions - lower) / (centre - lower)
    falling = (upper - positions) / (upper - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def check_band(f_min_hz: float, f_max_hz: float | None, sample_rate: int) -> float:
    """Return the upper edge (Hz; None means half the sample rate). Raises `ValueError`."""
    nyquist_hz = sample_rate / 2
    top_hz = nyquist_hz if f_max_hz is None else f_max_hz
    if not 0 <= f_min_hz < top_hz <= nyquist_hz:
        raise ValueError(
            f"need 0 <= f_min_hz < f_max_hz <= half the sample rate ({nyquist_hz:g} Hz), "
            f"got {f_min_hz:g} and {top_hz:g}: lower f_max_hz or raise sample_rate"
        )
    return top_hz
