"""What is known of every network: counted, read off its parts, or published."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from auricle.artifact.classifier import Classifier
from auricle.artifact.parts import build_frontend, build_model
from auricle.artifact.published import PUBLISHED
from auricle.artifact.summary import Summary, summarise
from auricle.core.errors import MissingExtra, unknown_name
from auricle.frontends import FRONTENDS
from auricle.models import MODELS

CLIP_S = 10.0
"""Length of the clip that multiply-adds are given for, as the papers do."""


@dataclass(frozen=True)
class Counted:
    """What had to be built to be known.

    `multiply_adds` are those for 10 s. `field_s` is what a frame sees before frames are pooled
    (infinite: the whole clip), `step_s` the time between such frames (None for a network of fixed
    input), `frame_period_s` that between frames of the front-end (None for images).
    """

    summary: Summary
    multiply_adds: int
    bins: int
    embedding_dim: int
    frame_scores: bool
    frame_period_s: float | None
    field_s: float
    step_s: float | None
    shortest_s: float


@dataclass(frozen=True)
class Entry:
    """A network of the list.

    `family` is the file that holds it. `checkpoint` names the published one that goes with it,
    `figure` is what was published of that and `figure_source` where; `verified` says whether the
    file was ever loaded here. `counted` is None where an extra is missing, which `note` names.
    """

    name: str
    family: str
    source: str
    frontend: str
    sample_rate: int
    clip_s: float
    checkpoint: str = ""
    figure: str = ""
    figure_source: str = ""
    verified: bool = False
    counted: Counted | None = None
    note: str = ""


@dataclass(frozen=True)
class Wanted:
    """Which networks are listed: those that every given field admits.

    `family` admits families whose names begin with it.
    """

    family: str | None = None
    frontend: str | None = None
    sample_rate: int | None = None
    max_parameters: float | None = None
    max_multiply_adds: float | None = None
    frame_scores: bool = False
    published: bool = False

    def admits_named(self, entry: Entry) -> bool:
        """Say whether an entry passes as far as can be told without building it."""
        return (
            (self.family is None or entry.family.startswith(self.family))
            and self.frontend in (None, entry.frontend)
            and self.sample_rate in (None, entry.sample_rate)
            and not (self.published and not entry.checkpoint)
        )

    def admits_counted(self, counted: Counted | None) -> bool:
        """Say whether what was counted passes; what could not be counted passes no limit."""
        if counted is None:
            limits = self.max_parameters, self.max_multiply_adds
            return limits == (None, None) and not self.frame_scores
        return (
            counted.summary.parameters <= _or_infinite(self.max_parameters)
            and counted.multiply_adds <= _or_infinite(self.max_multiply_adds)
            and (counted.frame_scores or not self.frame_scores)
        )


def candidates(wanted: Wanted) -> list[str]:
    """Return the networks that may be `wanted`, by name; those for tests only are left out.

    Raises `UnknownName` for a family or a front-end that does not exist.
    """
    if wanted.frontend is not None:
        FRONTENDS[wanted.frontend]  # an unknown one names the nearest
    known = [entry_of(name) for name in MODELS if not MODELS[name].tiny]
    families = {entry.family for entry in known}
    if wanted.family and not any(family.startswith(wanted.family) for family in families):
        raise unknown_name("family", wanted.family, families)
    return [entry.name for entry in known if wanted.admits_named(entry)]


def entries(
    names: Iterable[str], wanted: Wanted, classes: int, advance: Callable[[], None] = lambda: None
) -> Iterator[Entry]:
    """Yield what is known of those `names` that are `wanted`, counted with `classes`."""
    for name in names:
        entry = examine(name, classes)
        advance()
        if wanted.admits_counted(entry.counted):
            yield entry


def entry_of(name: str) -> Entry:
    """Return what is known of a network without building it. Raises `UnknownName`."""
    preset = MODELS[name]
    checkpoint, figure, figure_source, verified = _published(name)
    return Entry(
        name,
        preset.family.__module__.rpartition(".")[2],
        preset.source,
        preset.frontend,
        FRONTENDS[preset.frontend].config.sample_rate,
        preset.clip_s,
        checkpoint,
        figure,
        figure_source,
        verified,
    )


def examine(name: str, classes: int) -> Entry:
    """Build a network without weights and count what it does. Raises `UnknownName`."""
    plain = entry_of(name)
    try:
        counted = _count(name, classes)
    except MissingExtra as error:
        return replace(plain, note=f"needs the extra '{error.extra}'")
    return replace(plain, counted=counted)


def _count(name: str, classes: int) -> Counted:
    preset = MODELS[name]
    frontend = build_frontend({"name": preset.frontend})
    with torch.device("meta"):
        model = build_model({"name": name}, bins=frontend.bins, classes=classes)
    classifier = Classifier(frontend, model).eval()
    summary = summarise(classifier, CLIP_S)
    view = summary.view
    # A network of fixed input hears a longer sound window by window.
    windows = CLIP_S / preset.clip_s if view is None else 1
    return Counted(
        summary,
        round(summary.multiply_adds * windows),
        frontend.bins,
        model.embedding_dim,
        model.has_frame_scores,
        frontend.frame_period_s,
        math.inf if view is None else view.field_s,
        None if view is None else view.step_s,
        classifier.shortest_samples / frontend.sample_rate,
    )


def _published(name: str) -> tuple[str, str, str, bool]:
    """Return the first checkpoint of a preset that has a figure, else the first, else nothing."""
    of_preset = [known for known in PUBLISHED if PUBLISHED[known].model == name]
    with_figure = [known for known in of_preset if PUBLISHED[known].figure]
    for known in (*with_figure, *of_preset):
        published = PUBLISHED[known]
        return known, published.figure, published.figure_source, published.verified
    return "", "", "", False


def _or_infinite(limit: float | None) -> float:
    return math.inf if limit is None else limit


SORT_KEYS: dict[str, Callable[[Counted], float]] = {
    "parameters": lambda counted: counted.summary.parameters,
    "macs": lambda counted: counted.multiply_adds,
    "sees": lambda counted: counted.field_s,
    "shortest": lambda counted: counted.shortest_s,
}


def in_order(listed: Sequence[Entry], key: str) -> list[Entry]:
    """Return entries by `name`, or by one of `SORT_KEYS`; what was not counted comes last."""
    if key == "name":
        return sorted(listed, key=lambda entry: entry.name)

    def value(entry: Entry) -> tuple[float, str]:
        return (math.inf if entry.counted is None else SORT_KEYS[key](entry.counted), entry.name)

    return sorted(listed, key=value)
