"""`auricle config`."""

from auricle.cli.flags import NO_FLAGS, RunFlags
from auricle.cli.outcome import say_next


def config(*, run: RunFlags = NO_FLAGS) -> int:
    """Print the resolved configuration as YAML that --config reads back."""
    from auricle.core.config import resolve, to_yaml
    from auricle.training.config import RunConfig
    from auricle.training.setup import resolve_parts

    resolved = resolve_parts(resolve(RunConfig, file=run.config, flags=run.dotted()))
    say_next(to_yaml(resolved).rstrip())
    return 0
