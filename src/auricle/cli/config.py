"""`auricle config`."""

from auricle.cli.flags import NO_FLAGS, RunFlags
from auricle.cli.outcome import say_next


def config(*, run: RunFlags = NO_FLAGS) -> int:
    """Print the resolved configuration as YAML that --config reads back."""
    from auricle.api import resolve_run
    from auricle.core.config import to_yaml

    say_next(to_yaml(resolve_run(run.config, run.dotted())).rstrip())
    return 0
