from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import (
    ArtifactError,
    AudioError,
    AuricleError,
    ConfigError,
    TruncatedAudio,
    UnreadableAudio,
)
from auricle.core.types import Waveform
from auricle.runtime import ClassifierSpec, EngineOutput, Predictor

MakeSpec = Callable[..., ClassifierSpec]
RATE = 1000


def noise(length: int, seed: int = 0, level: float = 0.3) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)


def power(samples: np.ndarray) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


class Fixed:
    """An engine that gives the same numbers for every window."""

    def __init__(self, **output: Any) -> None:
        self.output = output

    def __call__(self, waveforms: np.ndarray, lengths_samples: np.ndarray) -> EngineOutput:
        def rows(values: list[float] | None) -> Any:
            return (
                None
                if values is None
                else np.tile(np.array(values, np.float32), (len(waveforms), 1))
            )

        return EngineOutput(
            rows(self.output.get("scores")), None, rows(self.output.get("embedding"))
        )


# -- the answer -------------------------------------------------------------------------------


def test_a_clip_of_one_window(make_spec: MakeSpec, loudness: Any) -> None:
    samples = noise(700)
    prediction = Predictor(loudness(), make_spec()).predict(samples, sample_rate=RATE)
    assert prediction.labels == ("size", "power")
    assert prediction.scores == pytest.approx((np.abs(samples).mean(), power(samples)), rel=1e-6)
    assert prediction.path is None


@pytest.mark.parametrize(("aggregation", "combine"), [("mean", np.mean), ("max", np.max)])
def test_a_long_clip_combines_its_windows(
    make_spec: MakeSpec, loudness: Any, aggregation: str, combine: Callable[[list[float]], float]
) -> None:
    samples = noise(2300) * np.linspace(0.1, 1, 2300, dtype=np.float32)
    spec = make_spec(aggregation=aggregation, labels=("power", "size"))
    (scores,) = Predictor(loudness(), spec).score_many([Waveform(samples, RATE)])
    windows = [power(samples[start : start + 1000]) for start in (0, 500, 1000, 1300)]
    assert scores[0] == pytest.approx(combine(windows), rel=1e-6)
    assert scores.dtype == np.float32
    assert scores.shape == (2,)


def test_softmax_and_sigmoid_act_on_windows_before_they_are_combined(
    make_spec: MakeSpec, loudness: Any
) -> None:
    samples = np.concatenate([np.full(1000, 0.2), np.full(1000, 0.9)]).astype(np.float32)
    logits = np.array([[power(half), np.abs(half).mean()] for half in np.split(samples, 2)])
    expected = {
        "softmax": np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True),
        "sigmoid": 1 / (1 + np.exp(-logits)),
        "none": logits,
    }
    for activation, probabilities in expected.items():
        spec = make_spec(activation=activation, hop_s=1.0)
        (scores,) = Predictor(loudness(), spec).score_many([Waveform(samples, RATE)])
        np.testing.assert_allclose(scores, probabilities.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_huge_logits_neither_overflow_nor_warn(make_spec: MakeSpec, activation: str) -> None:
    predictor = Predictor(Fixed(scores=[1e6, -1e6]), make_spec(activation=activation))
    prediction = predictor.predict(noise(10), sample_rate=RATE)
    assert prediction.scores == pytest.approx((1.0, 0.0))


def test_top_k_and_ties(make_spec: MakeSpec) -> None:
    labels = ("a", "b", "c", "d")
    predictor = Predictor(Fixed(scores=[0.1, 0.7, 0.1, 0.1]), make_spec(labels=labels))
    assert predictor.predict(noise(10), sample_rate=RATE).labels == ("b", "a", "c", "d")
    assert predictor.predict(noise(10), top_k=2, sample_rate=RATE).labels == ("b", "a")
    assert len(predictor.predict(noise(10), top_k=9, sample_rate=RATE).labels) == 4
    assert predictor.labels == labels

    many = tuple(f"label {index:02}" for index in range(60))
    even = Predictor(Fixed(scores=[0.0, 1.0] * 30), make_spec(labels=many))
    assert even.predict(noise(10), sample_rate=RATE).labels == many[1::2] + many[::2]


def test_embedding_of_every_window(make_spec: MakeSpec, loudness: Any) -> None:
    samples = noise(1700)
    embedding = Predictor(loudness(), make_spec()).embed(samples, sample_rate=RATE)
    assert embedding.shape == (3, 2)
    expected = [2 * power(samples[start : start + 1000]) for start in (0, 500, 700)]
    np.testing.assert_allclose(embedding[:, 0], expected, rtol=1e-6)


def test_any_rate_and_number_of_channels(make_spec: MakeSpec, loudness: Any) -> None:
    t = np.arange(3200) / 16000
    tone = 0.4 * np.sin(2 * np.pi * 50 * t)
    stereo = np.stack([tone * 1.5, tone * 0.5])
    predictor = Predictor(loudness(), make_spec())
    prediction = predictor.predict((stereo * 32768).astype(np.int16), sample_rate=16000)
    assert dict(zip(prediction.labels, prediction.scores, strict=True))["power"] == pytest.approx(
        0.4**2 / 2, rel=0.02
    )


# -- what must never change the answer ----------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 2600), min_size=1, max_size=12),
    batch_size=st.integers(1, 9),
    padding_safe=st.booleans(),
    short_clips=st.sampled_from(["keep", "pad", "repeat"]),
    long_clips=st.sampled_from(["windows", "centre", "start", "whole"]),
    multiple=st.sampled_from([1, 64]),
)
def test_a_batch_never_changes_a_clip(
    make_spec: MakeSpec,
    loudness: Any,
    lengths: list[int],
    batch_size: int,
    padding_safe: bool,
    short_clips: str,
    long_clips: str,
    multiple: int,
) -> None:
    spec = make_spec(
        padding_safe=padding_safe,
        short_clips=short_clips,
        long_clips=long_clips,
        shortest_samples=50,
        length_multiple_samples=multiple,
        normalise={"kind": "peak"},
    )
    clips = [Waveform(noise(length, seed), RATE) for seed, length in enumerate(lengths)]

    def predictor(batch_size: int) -> Predictor:
        return Predictor(loudness(hears_padding=not padding_safe), spec, batch_size=batch_size)

    alone = [next(predictor(1).score_many([clip])) for clip in clips]
    together = list(predictor(batch_size).score_many(clips))
    np.testing.assert_array_equal(np.stack(together), np.stack(alone))


def test_batches_are_filled_across_clips(make_spec: MakeSpec, loudness: Any) -> None:
    engine = loudness()
    predictor = Predictor(engine, make_spec(), batch_size=4)
    assert len(list(predictor.score_many([Waveform(noise(1000), RATE)] * 8))) == 8
    assert engine.shapes == [(4, 1000), (4, 1000)]


def test_a_file_gives_what_its_samples_give(
    make_spec: MakeSpec, loudness: Any, tmp_path: Path
) -> None:
    spec = make_spec(sample_rate=800, normalise={"kind": "rms"})
    samples = noise(100_000)  # 100 s: read in several blocks
    path = write_wav(tmp_path / "long.wav", samples)
    predictor = Predictor(loudness(), spec)
    from_file = predictor.predict(path)
    assert from_file.scores == predictor.predict(Waveform(samples, RATE)).scores
    assert from_file.scores == predictor.predict(samples, sample_rate=RATE).scores
    assert from_file.path == str(path)
    np.testing.assert_array_equal(predictor.embed(path), predictor.embed(samples, sample_rate=RATE))


def test_scores_come_as_soon_as_they_are_ready(make_spec: MakeSpec, loudness: Any) -> None:
    taken = 0

    def clips() -> Iterator[Waveform]:
        nonlocal taken
        for index in range(1000):
            taken += 1
            # One odd length must not hold back all that come after it.
            yield Waveform(noise(999 if index == 0 else 1000), RATE)

    scores = Predictor(loudness(), make_spec(), batch_size=4).score_many(clips())
    next(scores)
    assert taken <= 16


# -- many files ---------------------------------------------------------------------------------


def test_many_files_keep_their_order(make_spec: MakeSpec, loudness: Any, tmp_path: Path) -> None:
    lengths = [3000, 10, 700, 1000, 1000, 45_000, 5]
    clips = [noise(length, seed) for seed, length in enumerate(lengths)]
    paths = [write_wav(tmp_path / f"{seed}.wav", clip) for seed, clip in enumerate(clips)]
    predictor = Predictor(loudness(), make_spec(), batch_size=3)
    predictions = list(predictor.predict_many(paths, top_k=1))
    assert [prediction.path for prediction in predictions] == [str(path) for path in paths]
    assert predictions == [predictor.predict(path, top_k=1) for path in paths]


def test_one_bad_file_among_many_is_reported_and_skipped(
    make_spec: MakeSpec, loudness: Any, tmp_path: Path
) -> None:
    paths: list[Path | Waveform] = [
        write_wav(tmp_path / f"{index}.wav", noise(800, index)) for index in range(5)
    ]
    text = tmp_path / "text.wav"
    text.write_text("not a sound")
    paths[2:2] = [text, tmp_path / "missing.wav", Waveform(np.full(5, np.nan, np.float32), RATE)]
    errors: list[tuple[object, AuricleError]] = []
    predictor = Predictor(loudness(), make_spec(), batch_size=2)
    predictions = list(
        predictor.predict_many(paths, on_error=lambda source, error: errors.append((source, error)))
    )
    good = [str(path) for path in paths[:2] + paths[5:]]
    assert [prediction.path for prediction in predictions] == good
    assert [source for source, _ in errors] == paths[2:5]
    assert all(isinstance(error, AudioError) for _, error in errors)

    before = predictor.predict_many(paths)
    assert [next(before).path, next(before).path] == good[:2]
    with pytest.raises(UnreadableAudio, match=r"text\.wav"):
        next(before)


def cut_in_half(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_a_truncated_file_is_bad_unless_allowed(
    make_spec: MakeSpec, loudness: Any, tmp_path: Path
) -> None:
    samples = noise(2000)
    path = cut_in_half(write_wav(tmp_path / "cut.wav", samples))
    with pytest.raises(TruncatedAudio):
        Predictor(loudness(), make_spec()).predict(path)
    lenient = Predictor(loudness(), make_spec(), allow_truncated=True)
    assert lenient.predict(path).labels == ("size", "power")


def test_a_file_that_breaks_off_after_some_windows_gives_no_answer(
    make_spec: MakeSpec, loudness: Any, tmp_path: Path
) -> None:
    # Only decoding shows that a FLAC file is cut: its first windows are scored by then.
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, noise(200_000, level=0.1), 8000)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes())
    cut_in_half(cut)
    engine = loudness()
    predictor = Predictor(engine, make_spec(sample_rate=8000), batch_size=1)
    errors: list[object] = []
    predictions = predictor.predict_many(
        [cut, whole, cut], on_error=lambda source, error: errors.append(source)
    )
    assert [prediction.path for prediction in predictions] == [str(whole)]
    assert errors == [cut, cut]
    assert len(engine.shapes) > 49  # 49 windows of the whole file, and some of the others


def test_a_folder_of_nothing_gives_nothing(make_spec: MakeSpec, loudness: Any) -> None:
    assert list(Predictor(loudness(), make_spec()).predict_many([])) == []


# -- mistakes -------------------------------------------------------------------------------------


def test_arguments_are_checked_before_anything_is_read(make_spec: MakeSpec, loudness: Any) -> None:
    predictor = Predictor(loudness(), make_spec())
    with pytest.raises(ConfigError, match="top_k must be at least 1, got 0"):
        predictor.predict_many(["missing.wav"], top_k=0)
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        Predictor(loudness(), make_spec(), batch_size=0)
    with pytest.raises(AudioError, match="give sample_rate="):
        predictor.predict(noise(10))
    with pytest.raises(AudioError, match="goes with an array only"):
        predictor.predict("a.wav", sample_rate=8000)


def test_a_network_that_does_not_fit_its_spec(make_spec: MakeSpec) -> None:
    def predict(spec: ClassifierSpec, **output: Any) -> None:
        Predictor(Fixed(**output), spec).predict(noise(10), sample_rate=RATE)

    with pytest.raises(ArtifactError, match="3 scores for 2 labels"):
        predict(make_spec(), scores=[0.1, 0.2, 0.3])
    with pytest.raises(ArtifactError, match="gives no scores"):
        predict(make_spec(), embedding=[1.0])
    with pytest.raises(ArtifactError, match="not numbers"):
        predict(make_spec(activation="sigmoid"), scores=[0.1, float("nan")])
    with pytest.raises(ArtifactError, match="gives no embedding"):
        Predictor(Fixed(scores=[0.1, 0.2]), make_spec()).embed(noise(10), sample_rate=RATE)


def test_a_mistake_of_the_network_is_no_bad_file(make_spec: MakeSpec) -> None:
    predictor = Predictor(Fixed(scores=[0.1]), make_spec())
    skipped: list[object] = []
    with pytest.raises(ArtifactError):
        list(
            predictor.predict_many(
                [Waveform(noise(10), RATE)], on_error=lambda source, _: skipped.append(source)
            )
        )
    assert skipped == []
