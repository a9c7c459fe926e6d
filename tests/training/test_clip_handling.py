"""The loader and the predictor hear the same of a clip: ends trimmed, padded, levelled alike."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from auricle.core.config import validate
from auricle.core.errors import AudioError, ConfigError
from auricle.core.reporting import Silent
from auricle.core.types import Clip, Waveform
from auricle.data.config import DataConfig
from auricle.evaluation.judging import score_clips
from auricle.runtime import ClassifierSpec, EngineOutput, Predictor
from auricle.training.clips import ClipStore
from auricle.training.loader import TrainingClips
from auricle.training.setup import make_spec

RATE = 8000
SECONDS = 0.5


class Hears:
    """Keeps what it is given, and answers with its mean absolute value."""

    def __init__(self) -> None:
        self.heard: list[np.ndarray] = []

    def __call__(self, waveforms: np.ndarray, lengths_samples: np.ndarray) -> EngineOutput:
        self.heard += list(waveforms)
        return EngineOutput(np.abs(waveforms).mean(axis=1, keepdims=True).astype(np.float32), None)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """0.3 s of near silence, 0.21 s of noise with a pause, 0.2 s of near silence."""
    samples = np.random.default_rng(0).normal(0, 1e-4, int(0.71 * RATE))
    samples[2400:4080] += np.random.default_rng(1).normal(0, 0.1, 1680)
    samples[3000:3200] = 0
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


def spec_of(data: DataConfig) -> ClassifierSpec:
    """The spec that training writes for these data options."""
    network = {"padding_safe": False, "scores_are": "probabilities", "has_frame_scores": False}
    classifier = SimpleNamespace(
        model=SimpleNamespace(**network),
        frontend=SimpleNamespace(sample_rate=RATE, padding_safe=True, frame_period_s=0.01),
        shortest_samples=1,
    )
    return make_spec(classifier, SimpleNamespace(data=data), ["a"], multi_label=False)


def store_of(paths: list[Path], data: DataConfig) -> tuple[ClipStore, list[str]]:
    store = ClipStore([Clip(str(path), ("a",)) for path in paths], RATE, data)
    return store, [bad.reason for bad in store.prepare(Silent(), shared=False)]


@pytest.mark.parametrize("cache_mb", [0, 100])
@pytest.mark.parametrize("short_clips", ["pad", "pad_centre", "repeat", "reflect"])
@pytest.mark.parametrize("level", ["none", "peak", "rms"])
def test_training_hears_what_the_answer_is_about(
    clip: Path, cache_mb: int, short_clips: str, level: str
) -> None:
    data = DataConfig.model_validate(
        {
            "trim_db": 30,
            "short_clips": short_clips,
            "normalise": level,
            "cache_mb": cache_mb,
            "clip_s": SECONDS,
            "eval_clip_s": SECONDS,
        }
    )
    store, bad = store_of([clip], data)
    assert not bad
    assert store.part(0) == (2400, 4080)
    trained = TrainingClips(store, int(SECONDS * RATE), seed=0)[(0, 0)][1]
    engine = Hears()
    Predictor(engine, spec_of(data)).predict(clip)
    (answered,) = engine.heard
    np.testing.assert_array_equal(trained, answered)
    assert np.abs(answered).max() > 0.05  # the noise is in it


@pytest.mark.parametrize("cache_mb", [0, 100])
def test_crops_stay_inside_what_counts(clip: Path, cache_mb: int) -> None:
    data = DataConfig(trim_db=30, max_clip_s=0.12, cache_mb=cache_mb)
    store, _ = store_of([clip], data)
    assert store.part(0) == (2400, 3360)
    whole = store.whole(0).samples[2400:3360]
    starts = set()
    for epoch in range(20):
        crop = TrainingClips(store, 400, seed=0)[(epoch, 0)][1]
        (found,) = [at for at in range(561) if np.array_equal(whole[at : at + 400], crop)]
        starts.add(found)
    assert len(starts) > 10


def test_sides_are_drawn_in_training_and_repeat_with_the_seed(clip: Path) -> None:
    store, _ = store_of([clip], DataConfig(trim_db=30, short_clips="pad_random"))
    crops = TrainingClips(store, 6000, seed=3)
    starts = {int(np.flatnonzero(crops[(epoch, 0)][1])[0]) for epoch in range(20)}
    assert len(starts) > 10
    assert min(starts) >= 0
    assert max(starts) <= 6000 - 1680
    again = TrainingClips(store, 6000, seed=3)[(4, 0)][1]
    np.testing.assert_array_equal(crops[(4, 0)][1], again)


@pytest.mark.parametrize("cache_mb", [0, 100])
def test_a_clip_below_the_minimum_is_left_out_everywhere(
    clip: Path, tmp_path: Path, cache_mb: int
) -> None:
    longer = tmp_path / "longer.wav"
    soundfile.write(longer, np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    data = DataConfig(
        trim_db=30, min_clip_s=0.3, cache_mb=cache_mb, clip_s=SECONDS, eval_clip_s=SECONDS
    )
    store, bad = store_of([clip, longer], data)
    assert [kept.path for kept in store.clips] == [str(longer)]
    assert len(bad) == 1
    assert "clip.wav holds 0.210 s of sound between its silent ends" in bad[0]
    assert len(TrainingClips(store, 100, seed=0)[(0, 0)][1]) == 100

    predictor = Predictor(Hears(), spec_of(data))
    with pytest.raises(AudioError, match=r"clip\.wav holds 0\.210 s"):
        predictor.predict(clip)
    skipped: list[str] = []
    (answer,) = predictor.predict_many(
        [clip, longer], on_error=lambda source, error: skipped.append(str(source))
    )
    assert (skipped, answer.path) == ([str(clip)], str(longer))
    # Stretches of files, as evaluation reads them.
    clips = [Clip(str(path), ("a",), 0.01, 0.7) for path in (clip, longer, clip)]
    skipped.clear()
    good, scores = score_clips(
        predictor, clips, data=data, on_error=lambda path, error: skipped.append(path)
    )
    assert ([one.path for one in good], len(scores)) == ([str(longer)], 1)
    assert skipped == [str(clip)] * 2


def test_events_are_looked_for_in_all_of_a_recording(clip: Path) -> None:
    data = DataConfig(trim_db=30, max_clip_s=0.1, clip_s=0.1, eval_clip_s=0.1, eval_hop_s=0.1)
    predictor = Predictor(Hears(), spec_of(data))
    (event,) = predictor.detect(clip, thresholds=0.03)
    assert event.onset_s == pytest.approx(0.3)
    assert event.offset_s > 0.4


def test_an_array_is_trimmed_as_a_file_is(clip: Path) -> None:
    samples, rate = soundfile.read(clip, dtype="float32")
    predictor = Predictor(Hears(), spec_of(DataConfig(trim_db=30, clip_s=1, eval_clip_s=1)))
    assert predictor.predict(Waveform(samples, rate)).scores == predictor.predict(clip).scores


def test_limits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"min_clip_s \(2\) must not be above max_clip_s \(1\)"):
        validate(DataConfig, {"min_clip_s": 2, "max_clip_s": 1}, prefix="data")
    for key, value in (("trim_db", -3), ("target_db", 2000), ("max_gain_db", 10_000)):
        with pytest.raises(ConfigError, match=key):
            validate(DataConfig, {key: value}, prefix="data")
