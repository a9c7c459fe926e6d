"""A classifier that may say "none of these": abstention and the background class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from auricle.core.errors import ConfigError
from auricle.core.types import Waveform
from auricle.runtime import ClassifierSpec, EngineOutput, Predictor

MakeSpec = Callable[..., ClassifierSpec]
RATE = 1000
SOUND = np.zeros(RATE, np.float32)


class Said:
    """An engine that gives each waveform the scores that its first sample stands for."""

    def __init__(self, *rows: tuple[float, ...], frames: int | None = None) -> None:
        self.rows = np.array(rows, np.float32)
        self.frames = frames

    def __call__(self, waveforms: np.ndarray, lengths_samples: np.ndarray) -> EngineOutput:
        scores = self.rows[waveforms[:, 0].astype(int)]
        if self.frames is None:
            return EngineOutput(scores)
        return EngineOutput(scores, np.repeat(scores[:, None], self.frames, axis=1))


def sound(row: int) -> Waveform:
    return Waveform(np.full(RATE, row, np.float32), RATE)


@pytest.fixture
def spec(make_spec: MakeSpec) -> Callable[..., ClassifierSpec]:
    def make(**fields: Any) -> ClassifierSpec:
        return make_spec(**{"labels": ("dog", "cat", "noise"), "activation": "none"} | fields)

    return make


def test_below_the_limit_the_answer_is_none_of_these(spec) -> None:
    predictor = Predictor(Said((0.3, 0.4, 0.3), (0.1, 0.8, 0.1)), spec())
    unsure = predictor.predict(sound(0), abstain_below=0.5)
    assert (unsure.labels, unsure.abstained) == (("none of these",), True)
    assert unsure.score == pytest.approx(0.4)  # that of the label which was not likely enough
    sure = predictor.predict(sound(1), abstain_below=0.5)
    assert (sure.labels, sure.abstained) == (("cat", "dog", "noise"), False)


def test_the_limit_itself_is_an_answer_and_zero_never_abstains(spec) -> None:
    # 0.7 as a score is float32, a little below the double of that name.
    predictor = Predictor(Said((0.7, 0.2, 0.1), (0.0, 0.0, 0.0)), spec())
    assert not predictor.predict(sound(0), abstain_below=0.7).abstained
    assert not predictor.predict(sound(1), abstain_below=0).abstained
    assert not predictor.predict(sound(1)).abstained
    assert predictor.predict(sound(0), abstain_below=1).abstained


def test_many_abstain_as_one_does(spec) -> None:
    predictor = Predictor(Said((0.3, 0.4, 0.3), (0.1, 0.8, 0.1)), spec())
    found = list(predictor.predict_many([sound(0), sound(1)], top_k=2, abstain_below=0.5))
    assert [answer.labels for answer in found] == [("none of these",), ("cat", "dog")]


@pytest.mark.parametrize("limit", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_limit_that_is_no_probability_is_refused_before_any_sound(spec, limit: float) -> None:
    predictor = Predictor(Said((0.3, 0.4, 0.3)), spec())
    with pytest.raises(ConfigError, match="abstain_below must be a probability, 0 to 1"):
        predictor.predict_many([sound(0)], abstain_below=limit)


def test_the_background_names_the_abstention(spec) -> None:
    predictor = Predictor(Said((0.3, 0.4, 0.3)), spec(background="noise"))
    assert predictor.predict(sound(0), abstain_below=0.5).label == "noise"


def test_the_background_is_an_answer_but_never_an_event(spec) -> None:
    scores = (0.1, 0.6, 0.9)
    fields = {"frame_period_s": 0.1, "background": "noise"}
    predictor = Predictor(Said(scores, frames=10), spec(**fields))
    assert predictor.predict(sound(0)).label == "noise"
    events = predictor.detect(sound(0))
    assert [(event.label, event.onset_s, event.offset_s) for event in events] == [("cat", 0.0, 1.0)]
    without = Predictor(Said(scores, frames=10), spec(frame_period_s=0.1))
    assert [event.label for event in without.detect(sound(0))] == ["cat", "noise"]


def test_the_background_of_window_scores_is_no_event_either(spec) -> None:
    predictor = Predictor(Said((0.1, 0.6, 0.9)), spec(background="noise"))
    assert [event.label for event in predictor.detect(sound(0))] == ["cat"]


def test_a_background_without_a_name_is_refused(spec) -> None:
    with pytest.raises(ValueError, match="background"):
        spec(background="")
