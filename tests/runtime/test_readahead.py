import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.runtime.readahead import read_ahead


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "auricle-read"]


@settings(max_examples=30)
@given(
    counts=st.lists(st.integers(0, 12), max_size=12),
    threads=st.integers(1, 4),
    ahead=st.integers(1, 6),
)
def test_sources_and_items_keep_their_order(counts: list[int], threads: int, ahead: int) -> None:
    def read(source: int) -> Iterator[tuple[int, int]]:
        return ((source, item) for item in range(counts[source]))

    found = [
        (source, list(items))
        for source, items in read_ahead(range(len(counts)), read, threads=threads, ahead=ahead)
    ]
    assert found == [
        (source, [(source, item) for item in range(count)]) for source, count in enumerate(counts)
    ]
    assert reading_threads() == []


def test_sources_are_asked_for_as_they_are_needed() -> None:
    asked = []

    def sources() -> Iterator[int]:
        for source in range(100):
            asked.append(source)
            yield source

    walk = read_ahead(sources(), lambda source: [source], threads=2, ahead=5)
    source, items = next(walk)
    assert (source, list(items)) == (0, [0])
    assert len(asked) == 5
    walk.close()


def test_a_long_source_is_not_read_far_ahead() -> None:
    taken = 0

    def read(source: int) -> Iterator[int]:
        nonlocal taken
        for item in range(10_000):
            taken += 1
            yield item

    walk = read_ahead([0], read, threads=1, ahead=1)
    _, items = next(walk)
    assert next(items) == 0
    walk.close()
    assert taken < 20


def test_closing_early_ends_the_threads_whatever_they_wait_for() -> None:
    walk = read_ahead(range(50), lambda source: iter(range(1000)), threads=3, ahead=10)
    _, items = next(walk)
    next(items)
    assert len(reading_threads()) == 3
    walk.close()
    assert reading_threads() == []


def test_an_error_is_raised_by_its_own_source() -> None:
    def read(source: int) -> Iterator[int]:
        yield source
        if source == 1:
            raise OSError("broken disk")

    walk = read_ahead(range(3), read, threads=2, ahead=3)
    outcomes: list[object] = []
    for _, items in walk:
        try:
            outcomes.append(list(items))
        except OSError as error:
            outcomes.append(str(error))
    assert outcomes == [[0], "broken disk", [2]]


def test_an_error_of_the_list_of_sources_is_raised() -> None:
    def sources() -> Iterator[int]:
        yield 0
        raise RuntimeError("no more names")

    walk = read_ahead(sources(), lambda source: [source], threads=1, ahead=3)
    with pytest.raises(RuntimeError, match="no more names"):
        next(walk)
    assert reading_threads() == []
