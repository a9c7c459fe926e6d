from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auricle.core.errors import ArtifactError, ConfigError, UnknownName
from auricle.core.types import Event, Waveform
from auricle.runtime import ClassifierSpec, EngineOutput, Predictor

MakeSpec = Callable[..., ClassifierSpec]
RATE = 1000
FRAME = 50  # samples: 0.05 s
UP, DOWN = "size", "dip"


@pytest.fixture(scope="module")
def spec(make_spec: MakeSpec) -> ClassifierSpec:
    """Frame scores: the largest absolute sample, and the depth of the lowest one."""
    return make_spec(labels=(UP, DOWN), frame_period_s=FRAME / RATE, hop_s=0.6)


def clicks(length: int, *spans: tuple[int, int, float]) -> np.ndarray:
    samples = np.zeros(length, np.float32)
    for start, end, level in spans:
        samples[start:end] = level
    return samples


def times(events: list[Event]) -> list[tuple[str, float, float]]:
    return [(event.label, event.onset_s, event.offset_s) for event in events]


def test_events_lie_where_the_sound_is(spec: ClassifierSpec, loudness: Any) -> None:
    # 3.7 s: windows at 0, 0.6, ..., 2.4 and 2.7 s. Events cross the windows' borders.
    samples = clicks(3700, (500, 1250, 0.8), (2600, 2900, -0.9), (3600, 3700, 0.7))
    events = Predictor(loudness(frame_samples=FRAME), spec).detect(samples, sample_rate=RATE)
    assert times(events) == [
        (UP, 0.5, 1.25),
        (UP, 2.6, 2.9),
        (DOWN, 2.6, 2.9),
        (UP, 3.6, 3.7),
    ]
    assert [event.score for event in events] == pytest.approx([0.8, 0.9, 0.9, 0.7])
    assert Predictor(loudness(frame_samples=FRAME), spec).has_frame_scores


def test_frame_probabilities_of_overlapping_windows_are_averaged(spec: ClassifierSpec) -> None:
    class ByWindow:
        """The n-th window's frames all score n / 10."""

        def __call__(self, waveforms: np.ndarray, lengths_samples: np.ndarray) -> EngineOutput:
            first = waveforms[:, 0]  # the sample says where the window starts
            frames = np.repeat(first[:, None, None], 20, axis=1).repeat(2, axis=2)
            return EngineOutput(None, frames)

    samples = np.zeros(2200, np.float32)
    samples[[0, 600, 1200]] = [0.1, 0.2, 0.6]
    predictor = Predictor(ByWindow(), spec)
    # Seconds 0-0.6: 0.1; 0.6-1: 0.15; 1-1.2: 0.2; 1.2-1.6: 0.4; 1.6-2.2: 0.6.
    for threshold, onset in ((0.12, 0.6), (0.18, 1.0), (0.38, 1.2), (0.5, 1.6)):
        events = predictor.detect(samples, sample_rate=RATE, thresholds=threshold)
        assert times(events) == [(UP, onset, 2.2), (DOWN, onset, 2.2)]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_frame_scores_get_the_activation_too(make_spec: MakeSpec, activation: str) -> None:
    class Logits:
        def __call__(self, waveforms: np.ndarray, lengths_samples: np.ndarray) -> EngineOutput:
            frames = np.zeros((len(waveforms), 20, 2), np.float32)
            frames[:, 4:8] = [2.0, -2.0]
            return EngineOutput(None, frames)

    spec = make_spec(labels=(UP, DOWN), frame_period_s=0.05, activation=activation)
    (event,) = Predictor(Logits(), spec).detect(np.zeros(1000), sample_rate=RATE, thresholds=0.6)
    expected = {"softmax": np.exp(2) / (np.exp(2) + np.exp(-2)), "sigmoid": 1 / (1 + np.exp(-2))}
    assert times([event]) == [(UP, 0.2, 0.4)]
    assert event.score == pytest.approx(expected[activation], rel=1e-5)


def test_ends_are_cut_at_the_clips_end(spec: ClassifierSpec, loudness: Any) -> None:
    samples = clicks(777, (600, 777, 0.9))
    predictor = Predictor(loudness(frame_samples=FRAME), spec)
    assert times(predictor.detect(samples, sample_rate=RATE)) == [(UP, 0.6, 0.777)]


def test_padding_makes_no_events(spec: ClassifierSpec, loudness: Any) -> None:
    looped = spec.model_copy(update={"short_clips": "repeat"})
    samples = clicks(300, (100, 150, 0.9))
    predictor = Predictor(loudness(frame_samples=FRAME), looped)
    assert times(predictor.detect(samples, sample_rate=RATE)) == [(UP, 0.1, 0.15)]


def test_limits_of_the_call_take_the_place_of_the_specs(
    spec: ClassifierSpec, loudness: Any
) -> None:
    samples = clicks(1000, (100, 300, 0.6), (400, 500, 0.6), (700, 750, -0.6))
    limited = spec.model_copy(
        update={
            "thresholds": {UP: 0.7},
            "events": spec.events.model_copy(update={"min_length_s": 0.1}),
        }
    )
    predictor = Predictor(loudness(frame_samples=FRAME), limited)

    def detect(**limits: Any) -> list[tuple[str, float, float]]:
        return times(predictor.detect(samples, sample_rate=RATE, **limits))

    assert detect() == []
    assert detect(min_length_s=0) == [(DOWN, 0.7, 0.75)]
    assert detect(thresholds={UP: 0.5}) == [(UP, 0.1, 0.3)]
    assert detect(thresholds=0.5, min_gap_s=0.15) == [(UP, 0.1, 0.5)]
    assert detect(thresholds={DOWN: 0.9}, min_length_s=0) == []


def test_wrong_limits_are_found_before_the_sound_is_read(
    spec: ClassifierSpec, loudness: Any
) -> None:
    predictor = Predictor(loudness(frame_samples=FRAME), spec)
    with pytest.raises(UnknownName, match="did you mean 'size'"):
        predictor.detect("missing.wav", thresholds={"siz": 0.5})
    with pytest.raises(ConfigError, match=r"events\.min_gap_s.*-1"):
        predictor.detect("missing.wav", min_gap_s=-1)


def test_without_frame_scores_events_come_from_windows(make_spec: MakeSpec, loudness: Any) -> None:
    spec = make_spec(labels=("power", UP), thresholds={"power": 0.9})
    # Windows at 0, 0.5, 1, 1.5, 2 s; the mean absolute value is 0.5, 1, 1, 0.5, 0.
    samples = clicks(3000, (500, 2000, 1.0))
    predictor = Predictor(loudness(), spec)
    assert not predictor.has_frame_scores
    # Cells of 0.5 s: 0.5, 0.75, 1, 0.75, 0.25, 0.
    assert times(predictor.detect(samples, sample_rate=RATE)) == [
        (UP, 0.0, 2.0),
        ("power", 1.0, 1.5),
    ]


@pytest.mark.parametrize("long_clips", ["centre", "start", "whole"])
@pytest.mark.parametrize("framed", [True, False])
def test_the_whole_recording_is_heard_however_clips_are_scored(
    spec: ClassifierSpec, loudness: Any, long_clips: str, framed: bool
) -> None:
    spec = spec.model_copy(
        update={"long_clips": long_clips, "frame_period_s": FRAME / RATE if framed else None}
    )
    samples = clicks(5400, (4800, 5400, 1.0))
    (event,) = [
        event
        for event in Predictor(loudness(frame_samples=FRAME), spec).detect(
            samples, sample_rate=RATE
        )
        if event.label == UP
    ]
    assert (event.onset_s, event.offset_s) == (4.8, 5.4)


def test_many_files(spec: ClassifierSpec, loudness: Any, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("loud.wav", "silent.wav", "text.wav")]
    for path, level in zip(paths, (0.9, 0.0), strict=False):
        soundfile.write(path, clicks(1500, (200, 400, level)), RATE)
    paths[2].write_text("no sound")
    array = Waveform(clicks(800, (0, 100, 0.9)), RATE)
    skipped = []
    predictor = Predictor(loudness(frame_samples=FRAME), spec)
    found = list(
        predictor.detect_many(
            [*paths, array], on_error=lambda source, error: skipped.append(source)
        )
    )
    assert [source for source, _ in found] == [paths[0], paths[1], array]
    assert [len(events) for _, events in found] == [1, 0, 1]
    assert found[0][1][0].filename == str(paths[0])
    assert found[2][1][0].filename is None
    assert skipped == [paths[2]]
    assert predictor.detect(paths[0]) == found[0][1]


def test_a_spec_that_promises_frame_scores_which_the_network_lacks(
    spec: ClassifierSpec, loudness: Any
) -> None:
    with pytest.raises(ArtifactError, match="gives no frame scores"):
        Predictor(loudness(), spec).detect(np.zeros(10), sample_rate=RATE)


def test_a_network_that_gives_no_frame_at_all(spec: ClassifierSpec) -> None:
    class Frameless:
        def __call__(self, waveforms: np.ndarray, lengths_samples: np.ndarray) -> EngineOutput:
            return EngineOutput(None, np.zeros((len(waveforms), 0, 2), np.float32))

    with pytest.raises(ArtifactError, match="shortest_samples"):
        Predictor(Frameless(), spec).detect(np.zeros(10), sample_rate=RATE)
