"""`auricle models [NAME]`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auricle.cli.files import check_output, emit
from auricle.cli.outcome import say_next, start_reporter
from auricle.core.errors import ConfigError

if TYPE_CHECKING:
    from auricle.artifact.catalogue import Counted, Entry, Wanted
    from auricle.core.config import Config

AUDIOSET_CLASSES = 527

HEADER = (
    *("model", "parameters", "MACs per 10 s", "Hz", "front-end"),
    *("frame", "sees", "shortest", "published figure", "checkpoint"),
)
UNVERIFIED = "*: the published file itself was never loaded here, only its layout"


def models(
    name: str | None = None,
    /,
    *,
    family: str | None = None,
    frontend: str | None = None,
    sample_rate: int | None = None,
    max_parameters: float | None = None,
    max_macs: float | None = None,
    frame_scores: bool = False,
    published: bool = False,
    sort: Literal["name", "parameters", "macs", "sees", "shortest"] = "name",
    classes: int = AUDIOSET_CLASSES,
    output: Path | None = None,
    quiet: bool = False,
) -> int:
    """List the networks, or show one: its options and its layers.

    "frame" is the time between frames of the front-end, "sees" what a frame of the network hears
    of before frames are pooled (all: the whole clip), "shortest" the shortest sound it takes.

    Parameters
    ----------
    name
        A network of the list: show its options and its layers.
    family
        Only networks of this family, or of families that begin so: panns, efficientat, image...
    frontend
        Only networks that go with this front-end.
    sample_rate
        Only networks that hear at this rate (Hz).
    max_parameters
        Only networks with at most so many parameters, such as 5e6.
    max_macs
        Only networks with at most so many multiply-adds for 10 s of sound, such as 1e9.
    frame_scores
        Only networks that score frames: they say when something is heard.
    published
        Only networks with a published checkpoint.
    sort
        What the list is sorted by.
    classes
        Number of classes to count for (default: AudioSet's, as the papers do).
    output
        Write the list, or the layers of a network, to a .csv, .tsv, .jsonl or .parquet file.
    quiet
        Show no progress.
    """
    from auricle.api import require_torch

    require_torch("the list of networks")
    check_output(output)
    if classes < 1:
        raise ConfigError(f"--classes must be at least 1, got {classes}")
    from auricle.artifact.catalogue import Wanted

    wanted = Wanted(
        family, frontend, sample_rate, max_parameters, max_macs, frame_scores, published
    )
    if name is None:
        _list(wanted, sort, classes, output, quiet)
    elif wanted != Wanted():
        raise ConfigError(f"'auricle models {name}' shows one network: leave the filters out")
    else:
        _show(name, classes, output)
    return 0


def _list(wanted: "Wanted", sort: str, classes: int, output: Path | None, quiet: bool) -> None:
    from auricle.artifact.catalogue import Entry, candidates, entries, in_order

    names = candidates(wanted)
    with start_reporter(quiet).progress("counting", len(names)) as progress:
        found = in_order(list(entries(names, wanted, classes, progress.advance)), sort)
    if output is None:
        emit(HEADER, [row_of(entry) for entry in found], None)
        if any(entry.checkpoint and not entry.verified for entry in found):
            say_next(UNVERIFIED)
        say_next(f"{len(found)} networks; 'auricle models NAME' shows one")
    else:
        header = list(record_of(Entry("", "", "", "", 0, 0)))  # there may be no network
        emit(header, [list(record_of(entry).values()) for entry in found], output)


def _show(name: str, classes: int, output: Path | None) -> None:
    from auricle.artifact.catalogue import examine
    from auricle.artifact.summary import LAYER_HEADER, layer_rows

    entry = examine(name, classes)
    if entry.counted is None:
        raise ConfigError(f"{name} cannot be built here: it {entry.note}")
    rows = layer_rows(entry.counted.summary)
    if output is not None:
        emit(LAYER_HEADER, rows, output)
        return
    emit(("", name), _facts(entry, entry.counted), None)
    _show_options(entry)
    emit(LAYER_HEADER, rows, None)


def _facts(entry: "Entry", counted: "Counted") -> list[tuple[str, str]]:
    summary = counted.summary
    doubted = entry.checkpoint and not entry.verified
    window = f"an input of {entry.clip_s:g} s" if counted.step_s is None else "10 s"
    step = "" if counted.step_s is None else f", one every {counted.step_s:.4g} s"
    facts = [
        ("source", entry.source),
        ("checkpoint", entry.checkpoint),
        ("never loaded here", "the published file itself, only its layout" if doubted else ""),
        ("published figure", entry.figure),
        ("published where", entry.figure_source),
        ("family", entry.family),
        ("parameters", f"{summary.parameters:,} ({summary.weights_mb:.1f} MB)"),
        ("multiply-adds per 10 s", f"{counted.multiply_adds:,}"),
        ("results of layers", f"{summary.activations_mb:.1f} MB for {window}"),
        ("sample rate", f"{entry.sample_rate} Hz"),
        ("features", f"{entry.frontend}, {counted.bins} bins"),
        ("frame period", _milliseconds(counted.frame_period_s)),
        ("a frame sees", f"{_seen(counted)}{step}"),
        ("shortest sound", _milliseconds(counted.shortest_s)),
        ("training crops", f"{entry.clip_s:g} s"),
        ("embedding", f"{counted.embedding_dim} wide"),
        ("frame scores", "yes" if counted.frame_scores else "no"),
    ]
    return [(key, value) for key, value in facts if value]


def _show_options(entry: "Entry") -> None:
    """List the keys of the model, its front-end and the augmentations, with their values."""
    from auricle.artifact.parts import resolve_frontend, resolve_model
    from auricle.augment.section import augmentation_keys, resolved_section
    from auricle.frontends import FRONTENDS
    from auricle.models import MODELS

    header = ("option", "value", "what it is")
    model, frontend = MODELS[entry.name], FRONTENDS[entry.frontend]
    for section, values, config in (
        ("model", resolve_model({"name": entry.name}), model.family.Config),
        ("frontend", resolve_frontend({"name": entry.frontend}), frontend.build.Config),
    ):
        emit(header, _option_rows(section, values, config), None)
    default = resolved_section({})
    rows: list[tuple[str, str, str]] = []
    for part in augmentation_keys():
        state = "true" if part.name in default else "false"
        rows.append((f"--augment.{part.name}", state, part.summary))
        given = default.get(part.name, {})
        rows += [
            (f"--{key.key}", str(given.get(key.option, key.default)), key.description)
            for key in part.options
        ]
    emit(header, rows, None)


def _option_rows(
    section: str, values: Mapping[str, Any], config: "type[Config]"
) -> list[tuple[str, str, str]]:
    return [
        (f"--{section}.{key}", str(value), config.model_fields[key].description or "")
        for key, value in values.items()
        if key in config.model_fields
    ]


def row_of(entry: "Entry") -> list[Any]:
    """Write an entry for people, under `HEADER`."""
    counted = entry.counted
    checkpoint = f"{entry.checkpoint}{'' if entry.verified else '*'}" if entry.checkpoint else ""
    published = [entry.figure, checkpoint]
    if counted is None:
        known = entry.sample_rate, entry.frontend
        return [entry.name, entry.note, "", *known, "", "", "", *published]
    return [
        entry.name,
        counted.summary.parameters,
        f"{counted.multiply_adds / 1e9:.2f} G",
        entry.sample_rate,
        entry.frontend,
        _milliseconds(counted.frame_period_s),
        _seen(counted),
        _milliseconds(counted.shortest_s),
        *published,
    ]


def record_of(entry: "Entry") -> dict[str, Any]:
    """Write an entry for programs: what does not exist is None."""
    counted = entry.counted
    sees_all = counted is not None and math.isinf(counted.field_s)
    return {
        "model": entry.name,
        "family": entry.family,
        "parameters": counted and counted.summary.parameters,
        "multiply_adds_10s": counted and counted.multiply_adds,
        "sample_rate": entry.sample_rate,
        "frontend": entry.frontend,
        "bins": counted and counted.bins,
        "frame_period_s": counted and counted.frame_period_s,
        "sees_all": sees_all,
        "receptive_field_s": None if counted is None or sees_all else round(counted.field_s, 6),
        "step_s": counted and counted.step_s and round(counted.step_s, 6),
        "shortest_s": counted and counted.shortest_s,
        "clip_s": entry.clip_s,
        "embedding_dim": counted and counted.embedding_dim,
        "frame_scores": counted and counted.frame_scores,
        "figure": entry.figure,
        "figure_source": entry.figure_source,
        "checkpoint": entry.checkpoint,
        "verified": entry.verified,
        "source": entry.source,
        "note": entry.note,
    }


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.4g} ms"


def _seen(counted: "Counted") -> str:
    return "all" if math.isinf(counted.field_s) else f"{counted.field_s:.3g} s"
