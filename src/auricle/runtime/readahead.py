"""Sources read ahead of the network by a few threads, in order and in bounded memory."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from queue import Empty, Queue, SimpleQueue
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

_ITEMS_AHEAD = 4  # of one source: a long file must not fill the memory while it waits its turn


def read_ahead(
    sources: Iterable[S], read: Callable[[S], Iterable[T]], *, threads: int, ahead: int
) -> Generator[tuple[S, Iterator[T]], None, None]:
    """Yield each source, in order, with an iterator over what `read` makes of it.

    `read` runs in up to `threads` threads, at most `ahead` sources in advance; what it raises is
    raised by the source's own iterator. Each iterator must be used up before the next source is
    asked for. Closing the generator ends the threads.
    """
    remaining = iter(sources)
    feeds: deque[_Feed[S, T]] = deque()
    jobs: SimpleQueue[_Feed[S, T] | None] = SimpleQueue()
    stop = threading.Event()
    workers: list[threading.Thread] = []

    def work() -> None:
        while (feed := jobs.get()) is not None:
            feed.fill(read, stop)

    try:
        while True:
            for source in islice(remaining, ahead - len(feeds)):
                feeds.append(_Feed(source))
                jobs.put(feeds[-1])
                if len(workers) < threads:
                    # Daemons, since a generator that nobody closes must not keep Python alive.
                    workers.append(threading.Thread(target=work, name="auricle-read", daemon=True))
                    workers[-1].start()
            if not feeds:
                return
            yield feeds[0].source, feeds[0].items()
            feeds.popleft()
    finally:
        stop.set()
        for _ in workers:
            jobs.put(None)
        for feed in feeds:
            feed.release()
        for worker in workers:
            worker.join()


class _Feed(Generic[S, T]):
    """One source and what has been read of it."""

    def __init__(self, source: S) -> None:
        self.source = source
        self._queue: Queue[T | _End] = Queue(_ITEMS_AHEAD)

    def fill(self, read: Callable[[S], Iterable[T]], stop: threading.Event) -> None:
        """Read the source to its end, or until `stop` is set. Runs in a worker's thread."""
        error: BaseException | None = None
        try:
            if not stop.is_set():
                for item in read(self.source):
                    self._queue.put(item)
                    if stop.is_set():
                        break
        except BaseException as raised:  # noqa: BLE001 - `items` raises it where it can be handled
            error = raised
        self._queue.put(_End(error))

    def items(self) -> Iterator[T]:
        """Yield what is read, as it comes, and raise what reading raised."""
        while not isinstance(item := self._queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def release(self) -> None:
        """Make room for a worker that waits to hand on: it puts one item more, and the end."""
        with suppress(Empty):
            while True:
                self._queue.get_nowait()


class _End:
    """The last thing in a feed's queue."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
