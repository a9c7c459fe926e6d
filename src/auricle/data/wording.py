"""Small words that messages of this room share."""

from collections.abc import Iterable, Sequence

SHOWN = 5
"""How many of many things a message lists."""


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Write `1 clip`, `2,000 clips`; `many` where the plural is more than an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listed(things: Iterable[object], shown: int = SHOWN) -> str:
    """Write the first few of `things` and how many more there are."""
    texts = [str(thing) for thing in things]
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {more:,} more" if more > 0 else "")


def bare(name: str) -> str:
    """Return a name without case, blanks and punctuation, to compare it with another."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def case_twins(labels: Sequence[str]) -> list[str]:
    """Write a note for every set of labels that differ only by case or blanks."""
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault("".join(label.casefold().split()), []).append(label)
    return [
        f"labels that differ only by case or blanks count as different classes: "
        f"{listed(repr(label) for label in twins)}"
        for twins in alike.values()
        if len(twins) > 1
    ]


def words(*lines: str) -> tuple[str, ...]:
    """Return the words of some lines: a long list of names that stays readable."""
    return tuple(" ".join(lines).split())
