"""Which network a foreign file fills: told by its keys and shapes, its name, or the user."""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import torch
from torch import Size, Tensor

from auricle.artifact.parts import Section, build_frontend, build_model, resolve_frontend
from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.base import Published
from auricle.core.config import Tree
from auricle.core.errors import ArtifactError, ConfigError, MissingExtra, unknown_name
from auricle.models import MODELS

STFT_KEY = "spectrogram_extractor.stft.conv_real.weight"
MEL_KEY = "logmel_extractor.melW"
SKIPPED = (STFT_KEY, "spectrogram_extractor.stft.conv_imag.weight", MEL_KEY)
"""Keys that are no parameters of a network: the constants of the PANNs' front-end, which follow
from its configuration (torchlibrosa's `Spectrogram` and `LogmelFilterBank`)."""

_POOLINGS = ("asp", "sap", "tsp", "tap")
"""The poolings of macls, which its folders do not state: they are told by their keys."""


@dataclass(frozen=True)
class Candidate:
    """A network that a file may fill, and what is known of the file if it does."""

    model: Tree
    published: Published | None = None

    @property
    def name(self) -> str:
        """The network's preset."""
        return self.model["name"]

    @property
    def frontend(self) -> Tree:
        """The front-end section that goes with the network."""
        return resolve_frontend({"name": MODELS[self.name].frontend})


@dataclass(frozen=True)
class Shapes:
    """Shapes of a network's state dict for `classes` classes, and how they follow the classes.

    `head` gives the axis that counts classes of each entry that does, and by how much it grows
    with a class; `headless` are the entries of a network without a head.
    """

    entries: Mapping[str, Size]
    classes: int
    head: Mapping[str, tuple[int, int]]
    headless: Set[str]

    @classmethod
    def of(cls, model: Section, bins: int) -> "Shapes":
        """Build the network of a section for `bins` feature rows, without memory, and look."""
        two, three, none = (_shapes(model, bins, classes) for classes in (2, 3, 0))
        head = {}
        for key, shape in two.items():
            for axis, (small, large) in enumerate(zip(shape, three[key], strict=True)):
                if small != large:
                    head[key] = (axis, large - small)
        return cls(two, 2, head, none.keys())

    def classes_of(self, weights: Mapping[str, Tensor]) -> int | None:
        """Return the number of classes that `weights` score (0: no head); None: not this network.

        Every key must be there and no other, and every shape must fit.
        """
        if weights.keys() == self.headless:
            classes = 0
        elif weights.keys() == self.entries.keys() and self.head:
            key, (axis, step) = next(iter(self.head.items()))
            if weights[key].ndim != len(self.entries[key]):
                return None
            classes = self.classes + (weights[key].shape[axis] - self.entries[key][axis]) // step
        else:
            return None
        expected = self.expected(classes)
        fits = all(weights[key].shape == expected[key] for key in weights)
        return classes if fits else None

    def expected(self, classes: int) -> dict[str, Size]:
        """Return the shapes of a network with `classes` classes."""
        expected = dict(self.entries)
        for key, (axis, step) in self.head.items():
            sizes = list(expected[key])
            sizes[axis] += step * (classes - self.classes)
            expected[key] = Size(sizes)
        return expected


def _shapes(model: Section, bins: int, classes: int) -> Mapping[str, Size]:
    return _built_shapes(json.dumps(model, sort_keys=True), bins, classes)


@functools.cache
def _built_shapes(model: str, bins: int, classes: int) -> Mapping[str, Size]:
    with torch.device("meta"):
        network = build_model(json.loads(model), bins=bins, classes=classes)
    return {key: value.shape for key, value in network.state_dict().items()}


def recognise(
    weights: Mapping[str, Tensor],
    where: Path,
    *,
    name: str | None = None,
    candidates: Sequence[Candidate] = (),
) -> tuple[Candidate, int]:
    """Return the network that `weights` fill, and how many classes it scores (0: no head).

    `name`, a network or a published checkpoint, settles which; else `candidates`; else the name
    of the file `where`, where it is a published one; else all networks are tried. Keys of
    `SKIPPED` are looked at for the front-end that they belong to. Raises `ArtifactError`, which
    says what does not fit, and `UnknownName`. Where networks of one front-end have the same
    parameters (Cnn14 and its decision levels), the first is taken.
    """
    if name is not None:
        tried = _named(name)
    else:
        tried = list(candidates) or _of_file(where.name) or list(_akin(weights))
    own = {key: value for key, value in weights.items() if key not in SKIPPED}
    found = [(candidate, classes) for candidate in tried for classes in _fit(own, candidate)]
    heard = [(candidate, n) for candidate, n in found if _hears(weights, candidate)]
    if not heard:
        raise ArtifactError(_explain(own, weights, where, tried, [c for c, _ in found]))
    by_frontend: dict[str, str] = {}
    for candidate, _ in heard:
        by_frontend.setdefault(json.dumps(candidate.frontend, sort_keys=True), candidate.name)
    if len(by_frontend) > 1:
        raise ArtifactError(
            f"{where} fits several networks, which hear differently: "
            f"{', '.join(by_frontend.values())}. Say which with --model"
        )
    return heard[0]


def _named(name: str) -> list[Candidate]:
    if name in PUBLISHED:
        published = PUBLISHED[name]
        return [Candidate(published.model_section, published)]
    if name not in MODELS:
        raise unknown_name("model", name, [*MODELS, *PUBLISHED])
    return list(_variants(name))


def _variants(name: str) -> Iterator[Candidate]:
    """Yield a preset, then the same with the other poolings of macls where it pools."""
    yield Candidate({"name": name})
    config = MODELS[name].config
    for pooling in _POOLINGS:
        if pooling != getattr(config, "pooling", pooling):
            yield Candidate({"name": name, "pooling": pooling, "pooling_options": {}})


def variants(names: Sequence[str]) -> list[Candidate]:
    """Return the presets `names`, each with every pooling of macls."""
    return [candidate for name in names for candidate in _variants(name)]


def _of_file(file: str) -> list[Candidate]:
    """Return the published files of a name, also as browsers and wget save it."""
    plain = unquote(file.partition("?")[0]).lower()
    known = (PUBLISHED[name] for name in PUBLISHED if PUBLISHED[name].layout == "torch")
    return [Candidate(p.model_section, p) for p in known if p.file.lower() == plain]


def _akin(weights: Mapping[str, Tensor]) -> Iterator[Candidate]:
    """Yield the networks of every family of which the first one shares a key with `weights`."""
    sections = [PUBLISHED[name].model_section for name in PUBLISHED]
    sections += [{"name": name} for name in MODELS]
    akin: dict[type, bool] = {}
    for index, section in enumerate(sections):
        if section in sections[:index]:
            continue
        candidate = Candidate(section)  # a file of another name: of this network, but not that file
        family = MODELS[candidate.name].family
        if family not in akin:
            akin[family] = _likeness(weights, candidate) > 0
        if akin[family]:
            yield candidate


def _fit(weights: Mapping[str, Tensor], candidate: Candidate) -> list[int]:
    bins = _bins(candidate)
    keys = _shapes(candidate.model, bins, 2).keys()
    if not weights.keys() <= keys:
        return []
    classes = Shapes.of(candidate.model, bins).classes_of(weights)
    return [] if classes is None else [classes]


def _bins(candidate: Candidate) -> int:
    return build_frontend(candidate.frontend).bins


def _hears(weights: Mapping[str, Tensor], candidate: Candidate) -> bool:
    """Say whether the front-end constants in a file, if any, are those of the front-end."""
    frontend = candidate.frontend
    if STFT_KEY in weights and weights[STFT_KEY].shape[-1] != frontend.get("n_fft"):
        return False
    return MEL_KEY not in weights or weights[MEL_KEY].shape[-1] == frontend.get("n_mels")


def _explain(
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    where: Path,
    tried: Sequence[Candidate],
    fitting: Sequence[Candidate],
) -> str:
    """Say why a file fits none of the networks that were tried."""
    if fitting:
        points = weights[STFT_KEY].shape[-1] if STFT_KEY in weights else "?"
        bins = weights[MEL_KEY].shape[-1] if MEL_KEY in weights else "?"
        return (
            f"{where} has the parameters of {fitting[0].name}, but was made with another front-end "
            f"({points} points, {bins} mel bins) than {fitting[0].frontend['name']}: give the "
            "network of that front-end with --model"
        )
    if not own or not tried:
        return f"{where} is of no network that is known here"
    nearest = max(tried, key=lambda candidate: _likeness(own, candidate))
    differs = differences(own, nearest.model, _bins(nearest))
    if len({candidate.name for candidate in tried}) == 1:
        instead = _instead(own, weights, nearest.name)
        return f"{where} does not fill the network {nearest.name}: {differs}{instead}"
    return (
        f"{where} is of no network that is known here; the nearest is {nearest.name}: {differs}. "
        "Say which it is with --model"
    )


def _instead(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], tried: str) -> str:
    """Name the network other than `tried` that a file is of, where its parameters tell."""
    for candidate in _akin(own):
        other = candidate.name != tried
        if other and _fit(own, candidate) and _hears(weights, candidate):
            return f". It is of the network {candidate.name}: give --model {candidate.name}"
    return ""


def _likeness(weights: Mapping[str, Tensor], candidate: Candidate) -> float:
    try:
        keys = _shapes(candidate.model, _bins(candidate), 2).keys()
    except (MissingExtra, ConfigError):
        return 0.0
    return len(weights.keys() & keys) / len(weights.keys() | keys)


def differences(weights: Mapping[str, Tensor], model: Section, bins: int) -> str:
    """Say what keeps `weights` from filling the network of a section for `bins` feature rows."""
    shapes = Shapes.of(model, bins)
    missing = sorted(shapes.entries.keys() - weights.keys() - shapes.head.keys())
    extra = sorted(weights.keys() - shapes.entries.keys())
    if missing or extra:
        parts = [f"it lacks {_some(missing)}"] if missing else []
        return " and ".join([*parts, *([f"it has {_some(extra)} besides"] if extra else [])])
    wrong = [
        key
        for key, shape in shapes.entries.items()
        if key in weights and key not in shapes.head and weights[key].shape != shape
    ]
    made_for = _other_bins(weights, model, bins, wrong)
    if made_for:
        return f"it was made for {made_for} mel bins, and the front-end gives {bins}"
    return _some(
        [
            f"{key} is {tuple(weights[key].shape)} and should be {tuple(shapes.entries[key])}"
            for key in wrong
        ]
    )


def _other_bins(
    weights: Mapping[str, Tensor], model: Section, bins: int, wrong: Sequence[str]
) -> str | None:
    """Return how many bins `weights` were made for, if that is all that is wrong with them."""
    if not wrong:
        return None
    try:
        here, wider = _shapes(model, bins, 2), _shapes(model, 2 * bins, 2)
    except ConfigError:
        return None
    if any(here[key] == wider[key] for key in wrong):
        return None
    plain = [weights[key].shape[0] for key in wrong if here[key] == Size([bins])]
    return str(plain[0]) if plain else "other"


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(map(str, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
