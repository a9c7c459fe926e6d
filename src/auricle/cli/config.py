"""`auricle config`."""

import json

from auricle.cli.flags import NO_FLAGS, RunFlags
from auricle.cli.outcome import say_next


def config(*, run: RunFlags = NO_FLAGS) -> int:
    """Print the resolved configuration as YAML that --config reads back.

    Augmentations that are off stand below it, as comments.
    """
    from auricle.api import resolve_run
    from auricle.augment.section import augmentation_keys
    from auricle.core.config import to_yaml

    resolved = resolve_run(run.config, run.dotted())
    say_next(to_yaml(resolved).rstrip())
    off = [part for part in augmentation_keys() if part.name not in resolved.augment]
    if off:
        say_next("# Augmentations that are off; a line of these under 'augment' turns one on:")
    for part in off:
        options = {option.option: option.default for option in part.options}
        say_next(f"#   {part.name}: {json.dumps(options)}")
    return 0
