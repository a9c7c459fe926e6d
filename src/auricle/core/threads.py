"""Work side by side in threads, with results in order and little of it ahead."""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_AHEAD = 4  # items a worker that wait or are done, so that memory stays flat over millions

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    *,
    ahead: int = _AHEAD,
    stop: threading.Event | None = None,
) -> Generator[tuple[Item, Result], None, None]:
    """Run `function` over items in threads and yield each with its result, a few ahead only.

    `workers` is one per processor where it is None, and `ahead` how many items for each of them
    wait or are done; fewer where results are large. After an error or an interrupt, or where the
    generator is closed, nothing more is begun, and `stop` is set for functions that take long:
    they are waited for.
    """
    workers = workers or os.cpu_count() or 1
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    rest = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in islice(rest, workers * ahead):
                waiting.append((item, pool.submit(function, item)))
            while waiting:
                item, future = waiting.popleft()
                yield item, future.result()
                for following in islice(rest, 1):
                    waiting.append((following, pool.submit(function, following)))
        finally:
            if stop is not None:
                stop.set()
            pool.shutdown(cancel_futures=True)
