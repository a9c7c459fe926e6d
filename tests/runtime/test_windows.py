import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.runtime import ClassifierSpec
from auricle.runtime.windows import cut_windows

MakeSpec = Callable[..., ClassifierSpec]


def ramp(length: int) -> np.ndarray:
    """Samples that say where they are."""
    return np.arange(1, length + 1, dtype=np.float32)


def in_blocks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (samples[start : start + size] for start in range(0, len(samples), size))


@given(
    length=st.integers(1, 300),
    window=st.integers(1, 60),
    hop=st.integers(1, 60),
    block=st.integers(1, 400),
)
def test_windows_cover_every_sample_without_empty_ones(
    make_spec: MakeSpec, length: int, window: int, hop: int, block: int
) -> None:
    hop = min(hop, window)
    spec = make_spec(window_s=window / 1000, hop_s=hop / 1000)
    windows = list(cut_windows(in_blocks(ramp(length), block), spec, "windows"))

    expected = 1 if length <= window else 1 + math.ceil((length - window) / hop)
    assert len(windows) == expected
    heard = np.zeros(length, bool)
    for cut in windows:
        assert cut.content_samples == min(window, length)
        np.testing.assert_array_equal(
            cut.samples[: cut.content_samples],
            ramp(length)[cut.start_samples : cut.end_samples],
        )
        heard[cut.start_samples : cut.end_samples] = True
    assert heard.all()
    assert windows[-1].end_samples == length
    starts = [cut.start_samples for cut in windows]
    assert starts[:-1] == [hop * index for index in range(len(windows) - 1)]


@pytest.mark.parametrize("block", [1, 7, 1000, 5000])
@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1000, [(0, 1000)]),
        (1010, [(0, 1010)]),
        (1011, [(0, 1000), (11, 1000)]),
        (1500, [(0, 1000), (500, 1000)]),
        (1510, [(0, 1000), (500, 1010)]),
        (1511, [(0, 1000), (500, 1000), (511, 1000)]),
    ],
)
def test_a_rest_of_a_hundredth_is_heard_with_the_window_before_it(
    make_spec: MakeSpec, length: int, expected: list[tuple[int, int]], block: int
) -> None:
    spec = make_spec(window_s=1.0, hop_s=0.5)
    windows = list(cut_windows(in_blocks(ramp(length), block), spec, "windows"))
    assert [(cut.start_samples, cut.content_samples) for cut in windows] == expected
    for cut in windows:
        np.testing.assert_array_equal(
            cut.samples[: cut.content_samples], ramp(length)[cut.start_samples : cut.end_samples]
        )


@pytest.mark.parametrize("block", [1, 7, 1000, 5000])
@pytest.mark.parametrize(
    ("long_clips", "start", "length"),
    [("start", 0, 1000), ("centre", 750, 1000), ("whole", 0, 2501)],
)
def test_one_window_of_a_long_clip(
    make_spec: MakeSpec, long_clips: str, start: int, length: int, block: int
) -> None:
    samples = ramp(2501)
    (window,) = cut_windows(in_blocks(samples, block), make_spec(), long_clips)  # type: ignore[arg-type]
    assert (window.start_samples, window.content_samples) == (start, length)
    np.testing.assert_array_equal(window.samples, samples[start : start + length])


@pytest.mark.parametrize("long_clips", ["start", "centre", "whole", "windows"])
def test_a_short_clip_is_one_window_however_long_clips_are_cut(
    make_spec: MakeSpec, long_clips: str
) -> None:
    (window,) = cut_windows(in_blocks(ramp(300), 40), make_spec(), long_clips)  # type: ignore[arg-type]
    np.testing.assert_array_equal(window.samples, ramp(300))


def test_start_reads_no_further_than_it_needs(make_spec: MakeSpec) -> None:
    def endless() -> Iterator[np.ndarray]:
        while True:
            yield np.ones(300, np.float32)

    (window,) = cut_windows(endless(), make_spec(), "start")
    assert len(window.samples) == 1000


@pytest.mark.parametrize(
    ("short_clips", "expected", "length"),
    [
        ("keep", [1, 2, 3], 3),
        ("pad", [1, 2, 3, 0, 0, 0, 0, 0], 8),
        ("pad_centre", [0, 0, 1, 2, 3, 0, 0, 0], 8),
        ("pad_random", [0, 0, 1, 2, 3, 0, 0, 0], 8),
        ("repeat", [1, 2, 3, 1, 2, 3, 1, 2], 8),
        ("reflect", [1, 2, 3, 2, 1, 2, 3, 2], 8),
    ],
)
def test_short_clips(
    make_spec: MakeSpec, short_clips: str, expected: list[float], length: int
) -> None:
    spec = make_spec(window_s=0.008, hop_s=0.008, short_clips=short_clips)
    (window,) = cut_windows([ramp(3)], spec, "windows")
    np.testing.assert_array_equal(window.samples, expected)
    assert (window.length_samples, window.content_samples) == (length, 3)


@pytest.mark.parametrize("short_clips", ["pad", "pad_centre", "pad_random"])
def test_where_times_count_zeros_come_behind_the_sound(
    make_spec: MakeSpec, short_clips: str
) -> None:
    spec = make_spec(window_s=0.005, hop_s=0.005, short_clips=short_clips)
    (window,) = cut_windows([ramp(3)], spec, "windows", keep_start=True)
    np.testing.assert_array_equal(window.samples, [1, 2, 3, 0, 0])


def test_padding_to_the_shortest_counts_and_to_a_multiple_does_not(make_spec: MakeSpec) -> None:
    spec = make_spec(shortest_samples=5, length_multiple_samples=4)
    (short,) = cut_windows([ramp(3)], spec, "windows")
    np.testing.assert_array_equal(short.samples, [1, 2, 3, 0, 0, 0, 0, 0])
    assert short.length_samples == 5
    (longer,) = cut_windows([ramp(7)], spec, "windows")
    assert (len(longer.samples), longer.length_samples) == (8, 7)
    (fitting,) = cut_windows([ramp(8)], spec, "windows")
    assert (len(fitting.samples), fitting.length_samples) == (8, 8)


def test_each_window_is_levelled_by_itself_before_padding(make_spec: MakeSpec) -> None:
    quiet_then_loud = np.concatenate([np.full(1000, 0.01), np.full(1000, 0.5)]).astype(np.float32)
    spec = make_spec(hop_s=1.0, normalise={"kind": "rms", "target_db": -20.0})
    for window in cut_windows([quiet_then_loud], spec, "windows"):
        assert np.sqrt(np.mean(window.samples**2)) == pytest.approx(0.1, rel=1e-4)

    padded = make_spec(short_clips="pad", normalise={"kind": "rms", "target_db": -20.0})
    (window,) = cut_windows([np.full(250, 0.3, np.float32)], padded, "windows")
    np.testing.assert_allclose(window.samples[:250], 0.1, rtol=1e-5)
