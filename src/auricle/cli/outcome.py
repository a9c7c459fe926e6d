"""How commands speak and what they end with."""

import os

from auricle.core.reporting import Reporter, Silent

SKIPPED = 1


def is_main_process() -> bool:
    """Say whether this is the process of a torchrun that speaks (there may be no other)."""
    return os.environ.get("RANK", "0") == "0"


def start_reporter(quiet: bool) -> Reporter:
    """Return a reporter on standard error; a quiet one says only what went wrong."""
    if not is_main_process():
        return Silent()
    from auricle.report.console import ConsoleReporter

    return ConsoleReporter(quiet=quiet)


def say_next(text: str) -> None:
    """Write a line of the result to standard output."""
    if is_main_process():
        print(text)  # noqa: T201


def skip_status(skipped: int, allow_skips: bool) -> int:
    """Return the exit status of a run that left `skipped` inputs out."""
    return SKIPPED if skipped and not allow_skips else 0
