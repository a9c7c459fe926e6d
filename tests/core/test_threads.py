"""Work in threads: in order, little of it ahead, and ended by an error."""

import threading

import pytest

from auricle.core.threads import in_order


def test_results_come_in_order_whoever_is_first():
    second = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second.wait(10)
        second.set()
        return number**2

    assert list(in_order(work, range(50), 2)) == [(number, number**2) for number in range(50)]


def test_little_is_taken_ahead():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield taken[-1]

    results = in_order(str, endless(), 2)
    for _ in range(100):
        next(results)
    results.close()
    assert len(taken) <= 120


def test_an_error_ends_the_work_and_tells_who_is_at_it():
    stop = threading.Event()
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("no")
        assert stop.wait(10)

    with pytest.raises(ValueError, match="no"):
        list(in_order(work, range(1000), 2, stop=stop))
    assert len(begun) <= 8
