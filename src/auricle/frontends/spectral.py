"""What spectral features share: frames, spectrum, filter bank, compression, normalisation."""

from collections.abc import Callable
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.frontends.base import FrontEnd, in_fp32
from auricle.frontends.normalise import NormalisedConfig, Normaliser, unit_behind
from auricle.tensors import Features

Array: TypeAlias = npt.NDArray[np.float64]

# Values of frames worked on at once on a CPU: 2 MB, so that a block's frames, spectrum and power
# stay in the cache. A whole batch at once costs three times as much per clip.
BLOCK_VALUES = 1 << 19

_MOST_KERNEL_VALUES = 1 << 28  # 1 GB; an ONNX file ends at 2 GB
_IMPULSES_AT_ONCE = 1024


class SpectralFrontEnd(FrontEnd):
    """Frames, `shape` (linear), spectrum, filter bank, `compress`, `finish`, normalisation.

    `filters` is `(bins, n_fft // 2 + 1)`, or None for the spectrum itself; `window`
    `(frame_samples,)` is what `shape` multiplies frames by; `padding` are the samples that `pad`
    puts before and behind a waveform; `power` is 2 for a power spectrum and 1 for magnitudes;
    `bins` are the rows of the finished features where they are not the filters'. Two equal
    computations exist: a real FFT, and after `for_export` a convolution whose kernels are made by
    sending the unit impulses through the very same `shape`. The features are taken for decibels:
    others say their `db_per_unit`.
    """

    window: Tensor
    filters: Tensor | None
    kernels: Tensor | None

    def __init__(
        self,
        config: NormalisedConfig,
        *,
        window: Array,
        filters: Array | None,
        hop_samples: int,
        n_fft: int,
        padding: tuple[int, int],
        power: float = 2.0,
        bins: int | None = None,
    ) -> None:
        super().__init__(config)
        points = n_fft // 2 + 1
        used = np.arange(points) if filters is None else np.flatnonzero(filters.any(axis=0))
        if len(used) == 0:
            raise ConfigError(
                "the mel filters cover no bin of the Fourier transform: "
                "widen f_min_hz ... f_max_hz or lengthen the window"
            )
        self.bins = bins or (points if filters is None else len(filters))
        self.frame_period_s = hop_samples / config.sample_rate
        self.frame_samples = len(window)
        self.hop_samples = hop_samples
        self.n_fft = n_fft
        self.padding = padding
        self.power = power
        self.shortest_samples = max(1, self.frame_samples - sum(padding))
        self._band = slice(int(used[0]), int(used[-1]) + 1)
        self.register_buffer("window", torch.tensor(window, dtype=torch.float32), persistent=False)
        band = None
        if filters is not None:
            band = torch.tensor(filters[:, self._band], dtype=torch.float32)
        self.register_buffer("filters", band, persistent=False)
        self.register_buffer("kernels", None, persistent=False)
        self.normaliser = Normaliser(config, self.bins)
        self.db_per_unit = unit_behind(config, 1.0)

    def pad(self, waveforms: Tensor) -> Tensor:
        """Put `padding` samples before and behind `(batch, time)` waveforms."""
        raise NotImplementedError

    def shape(self, frames: Tensor) -> Tensor:
        """Shape frames `(..., frame_samples)` for the Fourier transform. Must be linear."""
        return frames * self.window

    def compress(self, energies: Tensor) -> Tensor:
        """Turn the filters' energies, value by value, into features (a floor and a logarithm)."""
        return energies

    def finish(self, values: Tensor, lengths_frames: Tensor) -> Tensor:
        """Do to `(batch, bins, frames)` what needs all bins or frames of a clip, lengths known."""
        return values

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
        beyond = sum(self.padding) - self.frame_samples
        lengths = (1 + (lengths_samples + beyond) // self.hop_samples).clamp(min=0)
        if self.kernels is not None:
            values = self.convolve(self.pad(waveforms), self.kernels)
            return self._complete(values, lengths)
        self.refuse_short(waveforms)
        with in_fp32(waveforms):
            return self._complete(self._by_fft(waveforms), lengths)

    def for_export(self) -> Self:
        """Return a front-end with the same numbers that holds no FFT operator.

        It does not shield itself from autocast. Raises `ConfigError` where the kernels in place of
        the Fourier transform would not fit into an ONNX file.
        """
        rows = 2 * (self._band.stop - self._band.start)
        if self.frame_samples * rows > _MOST_KERNEL_VALUES:
            raise ConfigError(
                f"a Fourier transform of {self.n_fft} points is too long for export: shorten the "
                "window (--frontend.n_fft or --frontend.window_s)"
            )
        twin = super().for_export()

        def spectrum(impulses: Tensor) -> Tensor:
            values = torch.fft.rfft(twin.shape(impulses), n=self.n_fft)[:, self._band]
            return torch.cat([values.real, values.imag], dim=1)

        twin.kernels = twin.responses(spectrum)
        return twin

    def responses(self, respond: Callable[[Tensor], Tensor]) -> Tensor:
        """Return kernels `(outputs, 1, frame_samples)` of a convolution that does as `respond`.

        `respond` is a linear map of frames `(n, frame_samples)` to `(n, outputs)`. It is shown a
        unit impulse at each place of a frame, in float64.
        """
        parts = []
        for first in range(0, self.frame_samples, _IMPULSES_AT_ONCE):
            count = min(_IMPULSES_AT_ONCE, self.frame_samples - first)
            impulses = torch.zeros(count, self.frame_samples, dtype=torch.float64)
            impulses.diagonal(first).fill_(1)
            parts.append(respond(impulses).float())
        return torch.cat(parts).T[:, None]

    def transform(self, frames: Tensor) -> Tensor:
        """Turn frames `(batch, frames, frame_samples)` into `(batch, frames, bins)`."""
        spectrum = torch.fft.rfft(self.shape(frames), n=self.n_fft)[..., self._band]
        if self.power == 1:
            values = spectrum.abs()  # its gradient at zero is zero, a root's is not
        else:
            parts = torch.view_as_real(spectrum)
            values = parts[..., 0].square() + parts[..., 1].square()
        return self.compress(values if self.filters is None else F.linear(values, self.filters))

    def convolve(self, padded: Tensor, kernels: Tensor) -> Tensor:
        """Turn padded waveforms into `(batch, bins, frames)` without a Fourier transform."""
        parts = F.conv1d(padded[:, None], kernels, stride=self.hop_samples).square()
        if self.power == 2 and self.filters is not None:
            both = torch.cat([self.filters, self.filters], dim=1)
            return self.compress(torch.matmul(both, parts))
        real, imaginary = parts.chunk(2, dim=1)
        values = real + imaginary if self.power == 2 else (real + imaginary).sqrt()
        return self.compress(values if self.filters is None else torch.matmul(self.filters, values))

    def _complete(self, values: Tensor, lengths_frames: Tensor) -> Features:
        return self.normaliser(Features(self.finish(values, lengths_frames), lengths_frames))

    def _by_fft(self, waveforms: Tensor) -> Tensor:
        if waveforms.device.type != "cpu":
            return self.transform(self._frames(waveforms)).transpose(1, 2).contiguous()
        most = max(1, BLOCK_VALUES // self.n_fft)
        clips = max(1, most // self.frame_count(waveforms.shape[1]))
        blocks = [
            torch.cat([self.transform(part) for part in self._frames(block).split(most, dim=1)], 1)
            for block in waveforms.split(clips)
        ]
        return torch.cat(blocks).transpose(1, 2).contiguous()

    def _frames(self, waveforms: Tensor) -> Tensor:
        """Return a view `(batch, frames, frame_samples)` of the padded waveforms."""
        return self.pad(waveforms).unfold(1, self.frame_samples, self.hop_samples)
