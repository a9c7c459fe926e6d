import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.runtime.aggregate import ClipScores, FrameTimeline, Timeline, WindowTimeline
from auricle.runtime.windows import Window


def stretch(start: int, length: int) -> Window:
    return Window(np.zeros(length, np.float32), length, start, length)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


@pytest.mark.parametrize(("how", "expected"), [("mean", [0.4, 0.5]), ("max", [0.9, 0.6])])
def test_clip_scores(how: str, expected: list[float]) -> None:
    scores = ClipScores(how)  # type: ignore[arg-type]
    for row in ([0.1, 0.6], [0.2, 0.4], [0.9, 0.5]):
        scores.add(stretch(0, 1), np.array(row, np.float32))
    np.testing.assert_allclose(scores.result(), expected, rtol=1e-6)
    assert scores.result().dtype == np.float32


def test_a_clip_does_not_change_the_rows_it_is_given() -> None:
    rows = np.array([[0.25], [0.75]], np.float32)
    scores = ClipScores("mean")
    for row in rows:
        scores.add(stretch(0, 1), row)
    scores.result()
    assert rows.tolist() == [[0.25], [0.75]]


def test_overlapping_stretches_are_averaged_by_hand() -> None:
    timeline = Timeline()
    timeline.add(0, column(0, 0, 0, 0))
    timeline.add(2, column(1, 1, 1, 1))
    timeline.add(3, column(2, 2, 2, 2))
    expected = [0, 0, 1 / 2, (0 + 1 + 2) / 3, 3 / 2, 3 / 2, 2]
    np.testing.assert_allclose(timeline.result(7)[:, 0], expected, rtol=1e-6)


def test_frames_that_nothing_covers_hold_the_value_before() -> None:
    timeline = Timeline()
    timeline.add(0, column(1, 2))
    timeline.add(4, column(5, 6))
    assert timeline.result(8)[:, 0].tolist() == [1, 2, 2, 2, 5, 6, 6, 6]


def test_frames_past_the_end_are_cut() -> None:
    timeline = Timeline()
    timeline.add(0, column(1, 2, 3))
    assert timeline.result(2)[:, 0].tolist() == [1, 2]


@given(
    steps=st.lists(st.integers(0, 4), max_size=8),
    lengths=st.lists(st.integers(4, 6), min_size=9, max_size=9),
)
def test_settling_early_gives_the_plain_average(steps: list[int], lengths: list[int]) -> None:
    starts = np.cumsum([0, *steps])
    rng = np.random.default_rng(len(steps))
    timeline = Timeline()
    sums, counts = np.zeros((60, 2)), np.zeros((60, 1))
    for start, length in zip(starts, lengths, strict=False):
        rows = rng.random((length, 2)).astype(np.float32)
        timeline.add(int(start), rows)
        sums[start : start + length] += rows
        counts[start : start + length] += 1
    frames = int(np.count_nonzero(counts))
    np.testing.assert_allclose(timeline.result(frames), sums[:frames] / counts[:frames], rtol=1e-5)


def test_frames_of_windows_fall_on_the_nearest_frame_of_the_clip() -> None:
    # Frames of 100 samples; the last window starts at 170: frame 2 (1.7), not 1.
    timeline = FrameTimeline(0.1, 1000)
    timeline.add(stretch(0, 400), column(1, 1, 1, 1))
    timeline.add(stretch(170, 400), column(3, 3, 3, 3))
    assert timeline.result()[:, 0].tolist() == [1, 1, 2, 2, 3, 3]


def test_frames_of_padding_are_dropped() -> None:
    timeline = FrameTimeline(0.1, 1000)
    timeline.add(stretch(0, 250), column(1, 2, 3, 9, 9))
    timeline.add(stretch(300, 250), column(4, 5, 6, 9))
    assert timeline.result()[:, 0].tolist() == [1, 2, 3, 4, 5, 6]


def test_binary_fractions_make_no_extra_frame() -> None:
    assert 29 / (0.29 * 100) > 1  # one frame is a little less than one frame
    timeline = FrameTimeline(0.29, 100)
    timeline.add(stretch(0, 29), column(1, 2))
    assert timeline.result()[:, 0].tolist() == [1]


def test_window_scores_by_hop() -> None:
    # Windows of 1 s every 0.5 s over 2.2 s: at 0, 0.5, 1.0 and, ending with the clip, 1.2 s.
    timeline = WindowTimeline(0.5, 1000)
    for start, score in ((0, 1.0), (500, 2.0), (1000, 3.0), (1200, 8.0)):
        timeline.add(stretch(start, 1000), np.array([score], np.float32))
    cells = timeline.result()[:, 0]
    # 1.2 s rounds to cell 2, and the clip's last 0.2 s belong to the last window alone.
    np.testing.assert_allclose(cells, [1, 1.5, (2 + 3 + 8) / 3, (3 + 8) / 2, 8], rtol=1e-6)


def test_a_clip_shorter_than_a_hop_is_one_cell() -> None:
    timeline = WindowTimeline(0.5, 1000)
    timeline.add(stretch(0, 30), np.array([0.7], np.float32))
    np.testing.assert_allclose(timeline.result(), [[0.7]])


@given(length=st.integers(1, 400), window=st.integers(1, 60), hop=st.integers(1, 60))
def test_every_cell_is_covered_by_a_window(length: int, window: int, hop: int) -> None:
    hop = min(hop, window)
    starts = [start for start in range(0, length, hop) if start + window <= length]
    if length > window and starts[-1] + window < length:
        starts.append(length - window)
    timeline = WindowTimeline(hop / 1000, 1000)
    for start in starts or [0]:
        # The score is the window's place, so that a held value would show.
        timeline.add(stretch(start, min(window, length)), np.array([start], np.float32))
    cells = timeline.result()[:, 0]
    assert len(cells) == -(-length // hop)
    for index, value in enumerate(cells):
        assert index * hop - window <= value <= (index + 1) * hop
