"""How commands speak and what they end with."""

from auricle.core.reporting import Reporter

SKIPPED = 1


def start_reporter(quiet: bool) -> Reporter:
    """Return a reporter on standard error; a quiet one says only what went wrong."""
    from auricle.report.console import ConsoleReporter

    return ConsoleReporter(quiet=quiet)


def say_next(text: str) -> None:
    """Write a line of the result to standard output."""
    print(text)  # noqa: T201


def skip_status(skipped: int, allow_skips: bool) -> int:
    """Return the exit status of a run that left `skipped` inputs out."""
    return SKIPPED if skipped and not allow_skips else 0
