"""Errors meant for people.

A message states the rule, the value received and the remedy. The command line prints
any `AuricleError` as one line and ends with its `exit_status`; no traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMES = 20
"""How many known names a message lists."""


class AuricleError(Exception):
    """What keeps a command from its result, and the user can mend.

    `exit_status` is what the command ends with. It is never 1, which promises that results are
    whole but for inputs that were left out.
    """

    exit_status = 2


class ConfigError(AuricleError):
    """A configuration key or value is not valid."""


class UnknownName(ConfigError):
    """A name (model, front-end, option...) is not registered."""


class AudioError(AuricleError):
    """A sound file cannot be used."""


class UnreadableAudio(AudioError):
    """The file is missing, empty, not sound, or damaged."""


class NotFiniteAudio(UnreadableAudio):
    """The file holds samples that are NaN or infinite."""


class TruncatedAudio(AudioError):
    """The file ends before the length that its container declares."""


class DataError(AuricleError):
    """A table, folder or split of a data set breaks a rule."""


class SoundsMissing(DataError):
    """Not one of the sounds that a data set names is there."""


class ArtifactError(AuricleError):
    """A saved classifier or checkpoint cannot be loaded."""


class MissingExtra(AuricleError):
    """An optional dependency is not installed; the message names the install line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed. "
            f"Install it with: pip install 'auricle[{extra}]'"
        )
        self.extra = extra


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, or None when none is close.

    Of equally close ones, the one of the same letters comes first: `lable` is `label`, not `table`.
    """
    matches = get_close_matches(name, list(known), n=5, cutoff=0.55)
    twins = (match for match in matches if sorted(match) == sorted(name))
    return next(twins, matches[0] if matches else None)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for a `name` that is none of the `known` ones of its `kind`."""
    known = sorted(known)
    guess = nearest(name, known)
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    some = f"known: {', '.join(known[:MOST_NAMES])}{more}."
    hint = f"did you mean '{guess}'?" if guess else some
    return UnknownName(f"unknown {kind} '{name}'; {hint}")
