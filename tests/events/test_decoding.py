"""Frame probabilities to events, against the published rule and a plain loop."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import ConfigError, DataError
from auricle.core.types import Event
from auricle.events import EVENT_COLUMNS, decode_events, event_rows

CASES = (
    "none",
    "all_active",
    "gap_filling",
    "minimum_length",
    "clip_edges",
    "adjacent_and_threshold",
    "exact_boundaries_10ms",
    "no_limits",
)

Decode = Callable[..., list[Event]]


@pytest.fixture(scope="module")
def cases(parity: Path) -> dict[str, dict[str, Any]]:
    return {
        case["name"]: case for case in json.loads((parity / "events.json").read_text())["cases"]
    }


def differs(case: dict[str, Any], decode: Decode) -> bool:
    """Whether `decode` gives other events than the case says."""
    got = decode(
        case["probabilities"],
        case["labels"],
        case["hop_length"] / case["sample_rate"],
        thresholds=case["threshold"],
        min_gap_s=case["minimum_event_gap_s"],
        min_length_s=case["minimum_event_length_s"],
    )
    expected = [(event["label"], event["onset_s"], event["offset_s"]) for event in case["events"]]
    return sorted(expected) != sorted((event.label, event.onset_s, event.offset_s) for event in got)


def test_parity_covers_every_case_of_the_file(cases: dict[str, dict[str, Any]]) -> None:
    assert sorted(cases) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_parity_of_events(name: str, cases: dict[str, dict[str, Any]]) -> None:
    assert not differs(cases[name], decode_events)


def damaged(**nudges: float) -> Decode:
    """The decoder with a strict comparison turned into a lax one, or the other way round."""

    def decode(*arguments: Any, **options: Any) -> list[Event]:
        for name, nudge in nudges.items():
            if options[name]:
                options[name] += nudge
        return decode_events(*arguments, **options)

    return decode


@pytest.mark.parametrize(
    ("fault", "caught_by"),
    [
        (damaged(min_gap_s=1e-4), {"gap_filling", "exact_boundaries_10ms"}),
        (damaged(min_gap_s=-0.09), {"exact_boundaries_10ms"}),
        (damaged(min_length_s=-1e-4), {"minimum_length", "exact_boundaries_10ms"}),
        (damaged(thresholds=1e-6), {"adjacent_and_threshold"}),
        (damaged(thresholds=-2e-4), {"adjacent_and_threshold"}),
        (lambda *a, **o: decode_events(*a, **o)[:-1], {"all_active", "no_limits"}),
    ],
)
def test_parity_fails_for_a_damaged_rule(
    fault: Decode, caught_by: set[str], cases: dict[str, dict[str, Any]]
) -> None:
    assert caught_by <= {name for name, case in cases.items() if differs(case, fault)}


def by_a_loop(track: list[float], threshold: float, gap: int, length: int) -> list[tuple[int, int]]:
    """The rule for one label, frame by frame, as its text reads."""
    runs: list[list[int]] = []
    for frame, probability in enumerate(track):
        if probability < threshold:
            continue
        if runs and runs[-1][1] == frame:
            runs[-1][1] = frame + 1
        else:
            runs.append([frame, frame + 1])
    joined: list[list[int]] = []
    for start, end in runs:
        if joined and start - joined[-1][1] < gap:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end) for start, end in joined if end - start > length]


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(st.tuples(*[st.sampled_from([0.0, 0.4, 0.7, 0.9])] * 3), max_size=40),
    threshold=st.sampled_from([0.4, 0.7, 0.95]),
    gap=st.integers(0, 5),
    length=st.integers(0, 5),
    period_s=st.sampled_from([0.01, 0.02, 320 / 32000, 512 / 22050, 0.1]),
)
def test_equals_a_plain_loop(
    rows: list[tuple[float, float, float]], threshold: float, gap: int, length: int, period_s: float
) -> None:
    labels = ["b", "a", "c"]
    frames = np.array(rows, np.float32).reshape(-1, 3)
    events = decode_events(
        frames,
        labels,
        period_s,
        thresholds=threshold,
        min_gap_s=gap * period_s,
        min_length_s=length * period_s,
    )
    for index, label in enumerate(labels):
        track = [row[index] for row in rows]
        got = [
            (round(event.onset_s / period_s), round(event.offset_s / period_s), event.score)
            for event in events
            if event.label == label
        ]
        expected = [
            (start, end, float(np.float32(max(track[start:end]))))
            for start, end in by_a_loop(track, threshold, gap, length)
        ]
        assert got == expected
    assert [event.onset_s for event in events] == sorted(event.onset_s for event in events)


def test_an_hour_of_four_labels() -> None:
    frames = np.zeros((360_000, 4), np.float32)
    for start in range(1000, 360_000, 3000):
        frames[start : start + 50, start % 4] = 0.8
    events = decode_events(frames, list("abcd"), 0.01)
    assert len(events) == 120
    assert {round(event.offset_s - event.onset_s, 9) for event in events} == {0.5}


def test_thresholds_by_label_and_their_default() -> None:
    frames = np.array([[0.3, 0.3, 0.6]])
    events = decode_events(frames, ["a", "b", "c"], 1.0, thresholds={"a": 0.2, "b": 0.4})
    assert [event.label for event in events] == ["a", "c"]


def test_a_float32_probability_equal_to_the_threshold_is_active() -> None:
    assert float(np.float32(0.7)) < 0.7
    assert decode_events(np.full((1, 1), 0.7, np.float32), ["a"], 1.0, thresholds={"a": 0.7})


def test_events_are_cut_at_the_end_of_the_clip() -> None:
    frames = np.array([[0.9, 0.0], [0.9, 0.0], [0.9, 0.9]])
    events = decode_events(frames, ["a", "b"], 0.5, min_length_s=0.4, clip_end_s=1.0)
    # `b` lies in the frame that begins where the clip ends: nothing of it is left.
    assert [(event.label, event.onset_s, event.offset_s) for event in events] == [("a", 0.0, 1.0)]


def test_the_length_is_judged_before_the_cut() -> None:
    frames = np.array([[0.0], [0.9], [0.9]])
    (event,) = decode_events(frames, ["a"], 0.5, min_length_s=0.8, clip_end_s=1.1)
    assert (event.onset_s, event.offset_s) == (0.5, 1.1)


def test_no_frames_give_no_events() -> None:
    assert decode_events(np.zeros((0, 2)), ["a", "b"], 0.1) == []


def test_rows_have_the_columns_of_the_table() -> None:
    events = decode_events([[0.25], [0.75]], ["dog"], 0.5, filename="night.flac")
    (row,) = event_rows(events)
    assert dict(zip(EVENT_COLUMNS, row, strict=True)) == {
        "filename": "night.flac",
        "onset": 0.5,
        "offset": 1.0,
        "event_label": "dog",
        "score": 0.75,
    }


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match=r"shape \(frames, 2\).*got \(3, 1\)"):
        decode_events(np.zeros((3, 1)), ["a", "b"], 0.1)
    with pytest.raises(DataError, match="NaN"):
        decode_events([[np.nan]], ["a"], 0.1)
    with pytest.raises(ConfigError, match=r"minimum gap .* got -1"):
        decode_events([[1.0]], ["a"], 0.1, min_gap_s=-1)
    with pytest.raises(ConfigError, match="frame period"):
        decode_events([[1.0]], ["a"], 0.0)
    with pytest.raises(ConfigError, match=r"'dgo'.*did you mean 'dog'"):
        decode_events([[1.0]], ["dog"], 0.1, thresholds={"dgo": 0.1})
