"""The loader: every draw is seeded by seed, epoch and clip, whoever loads it and whenever."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from auricle.core.errors import AudioError, DataError
from auricle.core.reporting import Silent
from auricle.core.types import Clip
from auricle.data import apply_splits, read_dataset
from auricle.data.clips import Clips
from auricle.data.config import DataConfig
from auricle.training.clips import ClipStore, require_mostly_good
from auricle.training.config import RunConfig
from auricle.training.loader import Collate, EpochBatches, TrainingClips, make_loader
from auricle.training.run import _prepare_stores

RATE = 8000


@pytest.fixture
def store(tone_folder: Path) -> ClipStore:
    return make_store(tone_folder, DataConfig())


def make_store(folder: Path, data: DataConfig, *, shared: bool = False) -> ClipStore:
    clips = [Clip(str(path), (path.parent.name,)) for path in sorted(folder.glob("*/*.wav"))]
    store = ClipStore(clips, RATE, data)
    assert store.prepare(Silent(), shared=shared) == []
    return store


def targets(store: ClipStore) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[np.arange(len(store)) % 3]


@pytest.mark.parametrize("count", [1, 7, 36, 100])
def test_an_epoch_holds_no_clip_twice_and_differs_from_the_next(count):
    batches = EpochBatches(count, 8, seed=3)
    seen = []
    for epoch in range(3):
        batches.epoch = epoch
        items = [item for batch in batches for item in batch]
        assert {e for e, _ in items} == {epoch}
        indices = [index for _, index in items]
        assert len(set(indices)) == len(indices)
        assert len(indices) >= min(count, count // 8 * 8)
        seen.append(indices)
    assert count == 1 or seen[0] != seen[1]


def test_processes_share_an_epoch_without_overlap():
    parts = []
    for rank in range(2):
        batches = EpochBatches(64, 8, seed=0, rank=rank, world=2)
        parts.append({index for batch in batches for _, index in batch})
    assert parts[0] | parts[1] == set(range(64))
    assert parts[0] & parts[1] == set()


def test_an_epoch_entered_in_the_middle_goes_on_as_the_whole_one():
    whole = list(EpochBatches(40, 8, seed=1))
    batches = EpochBatches(40, 8, seed=1)
    batches.first_batch = 3
    assert list(batches) == whole[3:]


def test_an_item_depends_on_seed_epoch_and_clip_only(store):
    clips = TrainingClips(store, 4000, seed=5)
    first = clips[(2, 7)][1]
    clips[(0, 1)]
    np.testing.assert_array_equal(first, clips[(2, 7)][1])
    np.testing.assert_array_equal(first, TrainingClips(store, 4000, seed=5)[(2, 7)][1])
    assert not np.array_equal(first, clips[(3, 7)][1])
    assert not np.array_equal(first, TrainingClips(store, 4000, seed=6)[(2, 7)][1])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_loader_processes_give_what_the_main_process_gives(tone_folder, method):
    store = make_store(tone_folder, DataConfig(), shared=True)

    def load(workers: int):
        batches = EpochBatches(len(store), 8, seed=0)
        loader = make_loader(
            TrainingClips(store, 4000, seed=0),
            targets(store),
            batches,
            workers=workers,
            start_method=method,
        )
        return [loaded.batch for loaded in loader]

    for ours, theirs in zip(load(0), load(2), strict=True):
        assert torch.equal(ours.waveforms, theirs.waveforms)
        assert torch.equal(ours.targets, theirs.targets)


def test_a_cached_clip_is_the_clip_that_is_read_when_needed(tone_folder):
    cached = make_store(tone_folder, DataConfig())
    reading = make_store(tone_folder, DataConfig(cache_mb=0))
    for index in (0, 20):
        np.testing.assert_array_equal(cached.whole(index).samples, reading.whole(index).samples)


def test_a_clip_that_ends_past_its_file_is_as_long_as_the_file(tone, tmp_path):
    path = str(tone(tmp_path / "tone.wav", seconds=1.0, sample_rate=RATE))
    clips = [
        Clip(path, ("a",), 0.25, 99.0),
        Clip(path, ("a",), 0.5, 0.75),
        Clip(path, ("a",), 2, 3),
    ]
    heard = []
    for cache_mb in (0, 100):
        store = ClipStore(clips, RATE, DataConfig(cache_mb=cache_mb))
        (bad,) = store.prepare(Silent(), shared=False)
        assert "no sound at offset_s=2" in bad.reason
        assert [store.length(index) for index in range(len(store))] == [6000, 2000]
        crops = TrainingClips(store, 1000, seed=0)
        heard.append([crops[(epoch, 0)][1] for epoch in range(5)])
    np.testing.assert_array_equal(*heard)


def test_clips_are_read_ahead_in_order_and_a_bad_one_holds_nobody_up(tone_folder, tmp_path):
    store = make_store(tone_folder, DataConfig(cache_mb=0))
    gone = Clip(str(tmp_path / "gone.wav"), ("high",))
    store.clips = Clips.of([*store.clips[:3], gone, *store.clips[4:]])
    seen = list(store.whole_clips())
    assert [clip for clip, _ in seen] == store.clips
    assert [i for i, (_, sound) in enumerate(seen) if isinstance(sound, AudioError)] == [3]
    np.testing.assert_array_equal(seen[20][1].samples, store.whole(20).samples)


def test_a_header_that_states_too_little_costs_no_sound(tone_folder, monkeypatch):
    right = make_store(tone_folder, DataConfig())
    monkeypatch.setattr(ClipStore, "_measure_one", lambda self, clip: 10)
    grown = make_store(tone_folder, DataConfig())
    for index in range(len(right)):
        np.testing.assert_array_equal(grown.whole(index).samples, right.whole(index).samples)


def test_one_memory_budget_serves_all_splits_training_first(tone_folder):
    config = RunConfig(data=DataConfig(cache_mb=1))
    manifest = apply_splits(read_dataset(tone_folder, config.data), config.data, seed=0)

    def prepare(**process: bool) -> dict[str, ClipStore]:
        accelerator = SimpleNamespace(**process)
        return _prepare_stores(manifest, config, Silent(), 10_000, accelerator)[0]

    stores = prepare(is_main_process=True)
    assert list(stores) == ["train", "validation", "test"]
    assert stores["train"].cached_mb == pytest.approx(len(stores["train"]) * 0.032)
    assert stores["test"].cached_mb == 0
    assert sum(store.cached_mb for store in stores.values()) <= 1
    assert list(prepare(is_main_process=False)) == ["train"]  # the main process judges


def test_a_short_clip_fills_the_crop_as_the_option_says(store):
    length = 2 * store.length(0)
    padded = TrainingClips(store, length, seed=0)[(0, 0)][1]
    assert len(padded) == length
    assert not padded[store.length(0) :].any()
    store.data = replace_data(store.data, short_clips="repeat")
    repeated = TrainingClips(store, length, seed=0)[(0, 0)][1]
    np.testing.assert_array_equal(repeated[: length // 2], repeated[length // 2 :])


def replace_data(data: DataConfig, **values: object) -> DataConfig:
    return data.model_copy(update=values)


def test_bad_clips_are_named_and_left_out(tone_folder, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("this is not sound")
    clips = [Clip(str(path), ("a",)) for path in sorted(tone_folder.glob("high/*.wav"))]
    store = ClipStore([clips[0], Clip(str(bad), ("a",)), clips[1]], RATE, DataConfig())
    found = store.prepare(Silent(), shared=False)
    assert [clip.path for clip in found] == [str(bad)]
    assert [clip.path for clip in store.clips] == [clips[0].path, clips[1].path]
    require_mostly_good(found, 100, limit=0.05)
    with pytest.raises(DataError, match="1 of 3 clips"):
        require_mostly_good(found, 3, limit=0.05)


def test_a_file_that_goes_bad_during_training_is_named_and_skipped(tone_folder, tmp_path):
    paths = []
    for source in sorted(tone_folder.glob("high/*.wav"))[:4]:
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes())
        paths.append(path)
    store = ClipStore([Clip(str(path), ("a",)) for path in paths], RATE, DataConfig(cache_mb=0))
    store.prepare(Silent(), shared=False)
    paths[2].unlink()
    loader = make_loader(
        TrainingClips(store, 4000, seed=0),
        np.ones((4, 1), np.float32),
        EpochBatches(4, 4, seed=0),
        workers=0,
        start_method="auto",
    )
    (loaded,) = loader
    assert len(loaded.batch.waveforms) == 3
    assert [bad.path for bad in loaded.bad] == [str(paths[2])]


def test_a_batch_of_bad_clips_only_is_no_batch(store):
    clips = TrainingClips(store, 4000, seed=0)
    store.clips = [replace(clip, path="/nowhere.wav") for clip in store.clips]
    store._cache = None
    loaded = Collate(targets(store), RATE)([clips[(0, 0)], clips[(0, 1)]])
    assert loaded.batch is None
    assert len(loaded.bad) == 2
