"""The training loader: reads, crops and levels clips; nothing else.

Every draw is seeded by seed, epoch and clip, so an item is the same whoever loads it and
whenever; a resumed run sees the batches that the unbroken one would have seen.
"""

import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from auricle import audio
from auricle.core.errors import AudioError
from auricle.core.types import Clip, FloatArray
from auricle.data import Manifest
from auricle.evaluation import align_labels
from auricle.tensors import Batch
from auricle.training.clips import BadClip, ClipStore
from auricle.training.stored import FeatureStore, as_features

Item = tuple[int, int]
"""Epoch and index of a clip."""


@dataclass(frozen=True)
class LoadedBatch:
    """A batch, the index of its first clip, and clips that could not be read."""

    batch: Batch | None
    first: int
    bad: tuple[BadClip, ...]


def target_matrix(manifest: Manifest, clips: Sequence[Clip]) -> FloatArray:
    """Return targets `(clips, classes)`: 1 where a clip has the label. Raises `DataError`."""
    labels = manifest.labels
    held = [clip.labels for clip in clips]
    targets = align_labels(labels, held, multi_label=manifest.multi_label)
    if manifest.multi_label:
        return targets.astype(np.float32)
    return np.eye(len(labels), dtype=np.float32)[targets]


class EpochBatches(Sampler[list[Item]]):
    """The batches of one epoch for one process, in an order drawn from seed and epoch.

    All processes draw the same order and take turns; what does not fill a round of batches is
    left out (another draw's turn in the next epoch), unless it is all there is.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int, *, rank: int = 0, world: int = 1
    ) -> None:
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world = world
        self.epoch = 0
        self.first_batch = 0

    def __len__(self) -> int:
        return max(1, self.count // (self.batch_size * self.world))

    def __iter__(self) -> Iterator[list[Item]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        round_size = self.batch_size * self.world
        if self.count < round_size and self.world > 1:
            order = np.resize(order, round_size)
        for number in range(self.first_batch, len(self)):
            start = number * round_size + self.rank * self.batch_size
            yield [(self.epoch, int(index)) for index in order[start : start + self.batch_size]]


class TrainingClips(Dataset[tuple[int, FloatArray | BadClip]]):
    """Crops of `length` samples, or frames of stored features, out of a store's clips."""

    def __init__(self, store: ClipStore | FeatureStore, length: int, seed: int) -> None:
        self.store = store
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, item: Item) -> tuple[int, FloatArray | BadClip]:  # type: ignore[override]
        epoch, index = item
        try:
            return index, self._padded(epoch, index)
        except AudioError as error:
            return index, BadClip(self.store.clips[index].path, str(error))

    def crop(self, epoch: int, index: int) -> FloatArray:
        """Return the levelled crop of a clip, shorter where the clip is. Raises `AudioError`."""
        data = self.store.data
        begin, end = self.store.part(index)
        spare = max(0, end - begin - self.length)
        start = {"start": 0, "centre": spare // 2}.get(data.crop)
        if start is None:
            start = int(self._draws(epoch, index).integers(spare + 1))
        samples = self.store.stretch(index, begin + start, min(self.length, end - begin))
        return audio.set_level(samples, data.normalise, data.target_db, data.max_gain_db)

    def _padded(self, epoch: int, index: int) -> FloatArray:
        short = self.store.data.short_clips
        how = "pad" if short == "keep" else short  # the clips of a batch are of one length
        lead = 0.0
        if how == "pad_random":
            lead = float(self._draws(epoch, index).random())
        return audio.pad_to(self.crop(epoch, index), self.length, how, lead=lead)

    def _draws(self, epoch: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, index])


class Collate:
    """Stacks items into a `LoadedBatch`; picklable, for loader processes that are spawned."""

    def __init__(
        self, targets: FloatArray, sample_rate: int, heard_frames: int | None = None
    ) -> None:
        self.targets = targets
        self.sample_rate = sample_rate
        self.heard_frames = heard_frames  # of stored features; None: items are waveforms

    def __call__(self, items: Sequence[tuple[int, FloatArray | BadClip]]) -> LoadedBatch:
        """Leave bad clips out of the batch, and name them."""
        bad = tuple(sound for _, sound in items if isinstance(sound, BadClip))
        good = [(index, sound) for index, sound in items if not isinstance(sound, BadClip)]
        if not good:
            return LoadedBatch(None, items[0][0], bad)
        indices, sounds = [index for index, _ in good], [sound for _, sound in good]
        features = None if self.heard_frames is None else as_features(sounds, self.heard_frames)
        waveforms = (
            torch.from_numpy(np.stack(sounds)) if features is None else torch.empty(len(good), 0)
        )
        batch = Batch(
            waveforms,
            torch.full((len(good),), waveforms.shape[1]),
            self.sample_rate,
            torch.from_numpy(self.targets[indices]),
            features,
        )
        return LoadedBatch(batch, items[0][0], bad)


def _ignore_interrupt(worker: int) -> None:
    # Ctrl-C reaches the whole process group; the main process decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def make_loader(
    clips: TrainingClips,
    targets: FloatArray,
    batches: EpochBatches,
    *,
    workers: int,
    start_method: str,
) -> "DataLoader[tuple[int, FloatArray | BadClip]]":
    """Build the loader; it yields `LoadedBatch`."""
    context, store = None, clips.store
    heard_frames = store.stored.heard_frames if isinstance(store, FeatureStore) else None
    if workers:
        methods: Mapping[str, str | None] = {"auto": None}
        context = multiprocessing.get_context(methods.get(start_method, start_method))
    return DataLoader(
        clips,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=Collate(targets, store.sample_rate, heard_frames),
        multiprocessing_context=context,
        worker_init_fn=_ignore_interrupt if workers else None,
        persistent_workers=workers > 0,
    )
