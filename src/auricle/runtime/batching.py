"""Windows of many clips pooled into batches.

A batch never changes a clip's result: where the network is not padding-safe, only windows of
one length share a batch.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from auricle.core.types import FloatArray
from auricle.runtime.windows import Window

Owner = TypeVar("Owner")

_WAITING_BATCHES = 4  # how many batches' worth of windows may wait for company


@dataclass(frozen=True, eq=False)
class Pooled(Generic[Owner]):
    """A window that waits for its batch, the clip that owns it, and when it came."""

    owner: Owner
    window: Window
    arrival: int


def stack(batch: list[Pooled[Owner]]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return the batch's waveforms `(batch, time)`, padded with zeros, and lengths `(batch,)`."""
    longest = max(len(item.window.samples) for item in batch)
    waveforms = np.zeros((len(batch), longest), np.float32)
    for row, item in zip(waveforms, batch, strict=True):
        row[: len(item.window.samples)] = item.window.samples
    lengths = np.array([item.window.length_samples for item in batch], np.int64)
    return waveforms, lengths


class WindowPool(Generic[Owner]):
    """Collects windows into batches of at most `batch_size` windows.

    Nor does a batch of several windows hold more samples than `batch_size` windows of
    `window_samples`. Windows that find no company are batched anyway before they keep later
    answers waiting, or memory full, for more than a few batches. Windows of one length leave
    in the order of their arrival.
    """

    def __init__(self, batch_size: int, window_samples: int, padding_safe: bool) -> None:
        self._batch_size = batch_size
        self._most_samples = batch_size * window_samples
        self._padding_safe = padding_safe
        self._buckets: dict[int, list[Pooled[Owner]]] = {}
        self._arrivals = 0

    def add(self, owner: Owner, window: Window) -> list[list[Pooled[Owner]]]:
        """Take a window; return the batches that are now due."""
        due: list[list[Pooled[Owner]]] = []
        key = 0 if self._padding_safe else len(window.samples)
        item = Pooled(owner, window, self._arrivals)
        self._arrivals += 1
        waiting = self._buckets.get(key, [])
        if waiting and _padded_samples([*waiting, item]) > self._most_samples:
            due.append(self._buckets.pop(key))
        bucket = self._buckets.setdefault(key, [])
        bucket.append(item)
        if len(bucket) >= self._batch_size or _padded_samples(bucket) >= self._most_samples:
            due.append(self._buckets.pop(key))
        while self._is_overdue():
            due.append(self._buckets.pop(self._oldest()))
        return due

    def drain(self) -> list[list[Pooled[Owner]]]:
        """Return all that still waits, as batches."""
        due = list(self._buckets.values())
        self._buckets = {}
        return due

    def _oldest(self) -> int:
        return min(self._buckets, key=lambda key: self._buckets[key][0].arrival)

    def _is_overdue(self) -> bool:
        if not self._buckets:
            return False
        age = self._arrivals - self._buckets[self._oldest()][0].arrival
        waiting = sum(_padded_samples(bucket) for bucket in self._buckets.values())
        return (
            age >= _WAITING_BATCHES * self._batch_size
            or waiting > _WAITING_BATCHES * self._most_samples
        )


def _padded_samples(batch: list[Pooled[Owner]]) -> int:
    return len(batch) * max(len(item.window.samples) for item in batch)
