import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.runtime.batching import WindowPool, stack
from auricle.runtime.windows import Window

BATCH = 4
WINDOW = 10


def window(length: int) -> Window:
    return Window(np.full(length, length, np.float32), length, 0, length)


@given(lengths=st.lists(st.integers(1, 3 * WINDOW), max_size=80), padding_safe=st.booleans())
def test_every_window_leaves_once_and_none_waits_for_long(
    lengths: list[int], padding_safe: bool
) -> None:
    pool: WindowPool[int] = WindowPool(BATCH, WINDOW, padding_safe)
    left: list[int] = []
    for owner, length in enumerate(lengths):
        batches = pool.add(owner, window(length))
        for batch in batches:
            check(batch, padding_safe)
            left += [item.owner for item in batch]
        waiting = set(range(owner + 1)) - set(left)
        assert not waiting or owner - min(waiting) < 4 * BATCH
        assert sum(lengths[other] for other in waiting) <= 4 * BATCH * WINDOW
    for batch in pool.drain():
        check(batch, padding_safe)
        left += [item.owner for item in batch]
    assert sorted(left) == list(range(len(lengths)))
    for length in set(lengths):
        of_one_length = [owner for owner in left if lengths[owner] == length]
        assert of_one_length == sorted(of_one_length)
    assert pool.drain() == []


def check(batch: list, padding_safe: bool) -> None:
    lengths = [len(item.window.samples) for item in batch]
    assert 1 <= len(batch) <= BATCH
    assert len(batch) == 1 or len(batch) * max(lengths) <= BATCH * WINDOW
    if not padding_safe:
        assert len(set(lengths)) == 1


def test_a_batch_is_due_as_soon_as_it_is_full() -> None:
    pool: WindowPool[str] = WindowPool(2, WINDOW, padding_safe=False)
    assert pool.add("a", window(5)) == []
    assert pool.add("b", window(6)) == []
    (batch,) = pool.add("c", window(5))
    assert [item.owner for item in batch] == ["a", "c"]


def test_stacking_pads_with_zeros() -> None:
    pool: WindowPool[str] = WindowPool(2, WINDOW, padding_safe=True)
    pool.add("a", Window(np.ones(4, np.float32), 3, 0, 2))
    (batch,) = pool.add("b", window(2))
    waveforms, lengths = stack(batch)
    np.testing.assert_array_equal(waveforms, [[1, 1, 1, 1], [2, 2, 0, 0]])
    assert waveforms.dtype == np.float32
    assert lengths.tolist() == [3, 2]


def test_lengths_that_find_no_company_do_not_fill_the_memory() -> None:
    pool: WindowPool[int] = WindowPool(BATCH, WINDOW, padding_safe=False)
    left = [item.owner for n in range(20, 30) for batch in pool.add(n, window(n)) for item in batch]
    assert sum(set(range(20, 30)) - set(left)) <= 4 * BATCH * WINDOW
    assert left == sorted(left)


@pytest.mark.parametrize("padding_safe", [True, False])
def test_a_clip_longer_than_a_whole_batch_goes_alone(padding_safe: bool) -> None:
    pool: WindowPool[str] = WindowPool(BATCH, WINDOW, padding_safe)
    pool.add("short", window(3))
    batches = pool.add("long", window(10 * WINDOW))
    assert [[item.owner for item in batch] for batch in batches][-1] == ["long"]
