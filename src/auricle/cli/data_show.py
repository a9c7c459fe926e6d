"""`auricle data show DATA`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.cli.datasets import data_config, say_notes, warn_left_out
from auricle.cli.files import check_output, emit
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags
from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import ConfigError, nearest
from auricle.core.units import format_duration

if TYPE_CHECKING:
    from auricle.core.types import Clip, Label
    from auricle.data import DataConfig, Overview
    from auricle.data.overview import Thumbnail
    from auricle.report.sheet import SheetRow

NO_LABEL = "(no label)"
MOST_ROWS = 100
"""Classes that the table of counts lists; of more, those of the page."""
TERMINAL_PAGE = 12
PICTURE_PAGE = 50
_PICTURE_SIZE = (96, 160)
_BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class _Page:
    """Which classes are shown, of how many."""

    labels: "Sequence[Label | None]"
    note: str


def show(
    data: Path,
    /,
    *,
    clips: int = 4,
    label: list[str] | None = None,
    page: int = 1,
    page_size: int | None = None,
    seed: int = 0,
    read: DataFlags = NO_DATA_FLAGS,
    output: Path | None = None,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Show what is in a data set: classes, durations, and spectrograms of some clips.

    Ends with status 1 where files cannot be used; they are listed.

    Parameters
    ----------
    data
        A folder with one folder per class, a CSV/TSV table, or any data set that a reader knows.
    clips
        Spectrograms per class; 0: none.
    label
        Show this class only; may be given several times.
    page
        Which page of classes to show.
    page_size
        Classes on a page (default: 12 on a terminal, 50 in a picture).
    seed
        Which clips are drawn.
    output
        Write the sheet as a picture (.png, .svg, .pdf), or the figures as .json.
    allow_skips
        End with status 0 even if files cannot be used.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.data import draw_clips, read_dataset, survey
    from auricle.report.sheet import PICTURE_SUFFIXES, check_size

    if clips < 0 or page < 1 or (page_size is not None and page_size < 1):
        raise ConfigError("--clips must be at least 0, --page and --page-size at least 1")
    config = data_config(read.dotted())
    if output is not None and output.suffix.lower() not in (".json", *PICTURE_SUFFIXES):
        raise ConfigError(f"--output must end in .json, {', '.join(PICTURE_SUFFIXES)}: {output}")
    check_output(output, ".json", *PICTURE_SUFFIXES)
    reporter = start_reporter(quiet)
    manifest = read_dataset(data, config)
    say_notes(manifest, reporter)
    overview = survey(manifest, seed=seed, reporter=reporter)
    picture = output is not None and output.suffix.lower() in PICTURE_SUFFIXES
    size = page_size or (PICTURE_PAGE if picture else TERMINAL_PAGE)
    shown = _page_of(overview, label, page, size)
    if picture:
        check_size(len(shown.labels), clips)
    _print_overview(overview, shown)
    if output is not None and not picture:
        from auricle.core.writing import write_json

        write_json(output, overview.as_dict())
        say_next(f"saved: {output}")
    elif clips:
        _show_sheet(draw_clips(manifest, shown.labels, clips, seed), config, output)
    if shown.note:
        say_next(shown.note)
    warn_left_out(overview.bad, reporter, "files and rows")
    return skip_status(len(overview.bad), allow_skips)


def _page_of(overview: "Overview", wanted: list[str] | None, page: int, size: int) -> _Page:
    labels = [one.label for one in overview.classes]
    if wanted:
        for name in wanted:
            if name not in labels:
                guess = nearest(name, [one for one in labels if one is not None])
                hint = f"; did you mean '{guess}'?" if guess else ""
                raise ConfigError(f"--label {name}: the data set has no such class{hint}")
        labels = list(dict.fromkeys(wanted))
    pages = max(1, -(-len(labels) // size))
    if page > pages:
        raise ConfigError(f"--page {page}: there is no such page; the last is {pages}")
    first = (page - 1) * size
    part = labels[first : first + size]
    note = "" if pages == 1 else f"classes {first + 1} to {first + len(part)} of {len(labels)}"
    if page < pages:
        note += f"; --page {page + 1} shows the next"
    return _Page(part, note)


def _print_overview(overview: "Overview", shown: _Page) -> None:
    from auricle.data.wording import plural

    few = len(overview.classes) <= MOST_ROWS
    listed = [one for one in overview.classes if few or one.label in shown.labels]
    parts = [part or "(none)" for part in overview.parts]
    rows = [
        (
            NO_LABEL if one.label is None else one.label,
            one.clips,
            *(one.by_part.get(part, 0) for part in overview.parts),
            "" if one.total_s is None else format_duration(one.total_s),
        )
        for one in listed
    ]
    emit(("class", "clips", *parts, "length"), rows, None)
    known = sum(one.label is not None for one in overview.classes)
    classes = "1 class" if known == 1 else f"{known:,} classes"
    say_next(f"{plural(overview.clips, 'clip')} of {classes} in {plural(overview.files, 'file')}")
    if overview.files_read < overview.files:
        say_next(
            f"lengths are estimated from {overview.files_read:,} files, drawn from "
            f"{overview.files:,}"
        )
    _print_sounds(overview)


def _print_sounds(overview: "Overview") -> None:
    lengths = overview.durations
    if lengths is not None:
        say_next(
            f"length: {format_duration(lengths.total_s)} in all; shortest "
            f"{format_duration(lengths.least_s)}, median {format_duration(lengths.median_s)}, "
            f"longest {format_duration(lengths.most_s)}"
        )
        if lengths.most_s > lengths.least_s:
            say_next(
                f"        {format_duration(lengths.least_s)} |{_bar(lengths.histogram)}| "
                f"{format_duration(lengths.most_s)}"
            )
    for what, counts, unit in (
        ("sample rate", overview.sample_rates, " Hz"),
        ("channels", overview.channels, ""),
    ):
        if counts:
            listed_counts = [f"{value}{unit} ({count:,})" for value, count in counts.items()]
            say_next(f"{what}: {', '.join(listed_counts)}")


def _bar(histogram: Sequence[int]) -> str:
    """Draw counts as bars of one letter; whatever is not 0 can be seen."""
    most = max(histogram)
    steps = len(_BARS) - 1
    return "".join(_BARS[-(-count * steps // most)] for count in histogram)


def _show_sheet(
    drawn: "Mapping[Label | None, Sequence[Clip]]", config: "DataConfig", output: Path | None
) -> None:
    from auricle.report.console import result_console
    from auricle.report.sheet import cell_size, draw_sheet, drawing_for, print_sheet

    if output is not None:
        draw_sheet(_rows(drawn, config, _PICTURE_SIZE), output)
        say_next(f"saved: {output}")
        return
    console = result_console()
    drawing = drawing_for(console)
    size = cell_size(drawing, console.width, max(map(len, drawn.values()), default=1))
    say_next("")
    print_sheet(console, _rows(drawn, config, size), drawing)


def _rows(
    drawn: "Mapping[Label | None, Sequence[Clip]]", config: "DataConfig", size: tuple[int, int]
) -> "list[SheetRow]":
    from auricle.data import thumbnails
    from auricle.report.sheet import SheetCell, SheetRow

    bands, columns = size
    return [
        SheetRow(
            NO_LABEL if label is None else label,
            [SheetCell(_caption(one), one.spectrogram_db, one.problem) for one in of],
        )
        for label, of in thumbnails(drawn, config, bands=bands, columns=columns).items()
    ]


def _caption(one: "Thumbnail") -> str:
    name = Path(one.clip.path).name
    return name if one.problem else f"{name} {one.seen_s:.2g} s, {one.high_hz / 1000:g} kHz"
