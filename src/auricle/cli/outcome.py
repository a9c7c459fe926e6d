"""How commands speak and what they end with."""

from auricle.core.reporting import Reporter, Silent

SKIPPED = 1


def start_reporter(quiet: bool) -> Reporter:
    """Return a reporter on standard error, or a silent one."""
    if quiet:
        return Silent()
    from auricle.report.console import ConsoleReporter

    return ConsoleReporter()


def say_next(text: str) -> None:
    """Write a line of the result to standard output."""
    print(text)  # noqa: T201


def skip_status(skipped: int, allow_skips: bool) -> int:
    """Return the exit status of a run that left `skipped` inputs out."""
    return SKIPPED if skipped and not allow_skips else 0
