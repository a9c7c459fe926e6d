"""`cut`: long recordings with labels into clips, in one pass over each recording.

A recording is decoded in blocks, of which those stay in memory that a clip under way still needs.
Each clip is written whole or not at all, so that a run that was killed goes on where it was: clips
that are there are not cut again.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from auricle.audio import blocks, probe
from auricle.audio.encoding import encode
from auricle.core.errors import AudioError, DataError, MissingExtra
from auricle.core.reporting import Progress, Reporter, Silent
from auricle.core.threads import in_order
from auricle.core.types import Clip, FloatArray, Label
from auricle.core.writing import replacing
from auricle.data.config import DataConfig
from auricle.data.cut_plan import (
    Cut,
    CutOptions,
    Layout,
    Recording,
    plan_recording,
    recordings_of,
)
from auricle.data.cut_state import claim_folder
from auricle.data.manifest import Manifest
from auricle.data.manifest_files import write_manifest
from auricle.data.recording import class_folder

MANIFEST = "manifest.csv"
SOURCE_COLUMNS = ("source", "source_onset_s", "source_offset_s")
"""Extra columns of the manifest: the recording, and where in it a clip lies."""


@dataclass(frozen=True)
class CutResult:
    """What `cut` made: the manifest of the clips, how many were `there` before, and what failed.

    `rejected` has a line for every recording that could not be read (to its end), and for every
    event that lies past the end of its recording. `layout` is "folders" or "flat".
    """

    manifest: Manifest
    clips: int
    there: int
    rejected: tuple[str, ...]
    layout: Layout


@dataclass(frozen=True)
class _Job:
    """A recording with its cuts, and the files that they go to."""

    recording: Recording
    sample_rate: int
    cuts: Sequence[Cut]
    files: Sequence[Path]


@dataclass(frozen=True)
class _Done:
    """The cuts of a job that were made, how many were there before, and what went wrong."""

    made: Sequence[int]
    there: int
    problem: str | None


def cut(
    manifest: Manifest,
    folder: str | Path,
    options: CutOptions,
    config: DataConfig | None = None,
    *,
    workers: int | None = None,
    strict: bool = False,
    reporter: Reporter | None = None,
) -> CutResult:
    """Cut the recordings of `manifest` into clips in `folder`, with a table `manifest.csv`.

    Each row of the manifest is an event: its labels from its onset to its offset. The group of a
    clip is that of its row, else its recording, so that clips of one recording never stand on two
    sides of a split. `config` says how files become mono and whether truncated ones are used.
    `workers` recordings are read side by side (default: one per processor); `reporter` shows how
    many clips are cut. With `strict` the first recording or event that cannot be cut raises.

    Raises `DataError` where nothing can be cut, for labels that can be no folder, and for a
    folder that holds something else or clips of other options; `WriteError`.
    """
    config = config or DataConfig()
    folder = Path(folder)
    recordings = recordings_of(manifest)
    planned, rejected = _plan_all(recordings, options, config, workers)
    if strict and rejected:
        raise DataError(rejected[0])
    layout = _layout(planned, options)
    jobs = [_job(one, folder, layout, options) for one in planned]
    count = sum(len(job.cuts) for job in jobs)
    if not count:
        raise DataError(_nothing(rejected, options))
    source = os.path.commonpath([os.path.dirname(os.path.abspath(one.path)) for one in recordings])
    also = {"channel": config.channel, "layout": layout, "source": source}
    claim_folder(folder, asdict(options) | also, [path for job in jobs for path in job.files])
    with (reporter or Silent()).progress("cutting clips", count) as progress:
        done = _run_all(jobs, options, config, workers, progress)
    problems = [one.problem for one in done if one.problem is not None]
    if problems and (strict or not any(one.made for one in done)):
        raise DataError(problems[0])
    rejected += problems
    rows = (
        row
        for job, one in zip(jobs, done, strict=True)
        for index in one.made
        for row in _rows(job, index, options)
    )
    made = Manifest.of(rows, group_declared=True)
    write_manifest(folder / MANIFEST, made)
    return CutResult(
        manifest=made,
        clips=sum(len(one.made) for one in done),
        there=sum(one.there for one in done),
        rejected=tuple(rejected),
        layout=layout,
    )


_Planned = tuple[Recording, int, list[Cut]]


def _plan_all(
    recordings: Sequence[Recording],
    options: CutOptions,
    config: DataConfig,
    workers: int | None,
) -> tuple[list[_Planned], list[str]]:
    """Plan the cuts of every recording that can be read, and say which cannot."""
    rejected: list[str] = []
    readable: list[tuple[Recording, int, int]] = []
    for recording, size in in_order(
        lambda one: _size(one.path, options, config), recordings, workers
    ):
        if isinstance(size, str):
            rejected.append(size)
        else:
            readable.append((recording, *size))
    one_label = _one_label_each(recordings, options)
    background_s = _background_s(recordings, options)
    planned: list[_Planned] = []
    for recording, total, rate in readable:
        cuts, late = plan_recording(
            recording, total, rate, options, background_s, one_label=one_label
        )
        planned.append((recording, rate, cuts))
        rejected += late
    return planned, rejected


def _size(path: str, options: CutOptions, config: DataConfig) -> tuple[int, int] | str:
    """Return samples and rate of a recording at the clips' rate, or why it cannot be read."""
    try:
        info = probe(path)
        rate = options.sample_rate or info.sample_rate
        if info.frames is not None:
            # As resampling rounds: halves up.
            return (2 * info.frames * rate + info.sample_rate) // (2 * info.sample_rate), rate
        return sum(map(len, _blocks(path, rate, config))), rate
    except (AudioError, MissingExtra) as error:
        return str(error)


def _blocks(path: str, sample_rate: int, config: DataConfig) -> Iterator[FloatArray]:
    return blocks(path, sample_rate, channel=config.channel, allow_truncated=config.allow_truncated)


def _one_label_each(recordings: Sequence[Recording], options: CutOptions) -> bool:
    """Say whether clips around events go to the folders of their classes."""
    if options.layout != "auto":
        return options.layout == "folders"
    several = any(len(span.labels) > 1 for one in recordings for span in one.spans)
    return not (several or options.strong)


def _background_s(recordings: Sequence[Recording], options: CutOptions) -> float:
    given = options.background_length_s or options.length_s
    if given is not None:
        return given
    lengths = [
        span.offset_s - span.onset_s + 2 * options.margin_s
        for recording in recordings
        for span in recording.spans
        if span.offset_s is not None
    ]
    if options.background is not None and not lengths:
        raise DataError(
            "no event says how long clips of the background are: give background_length_s "
            "(--background-length)"
        )
    return float(np.median(lengths)) if lengths else 1.0


def _layout(planned: Sequence[_Planned], options: CutOptions) -> Layout:
    """Return the layout that the cuts fit. Raises `DataError` where they do not."""
    single = all(len(one.labels) == 1 for _, _, cuts in planned for one in cuts)
    if options.layout == "folders" and not single:
        raise DataError(
            "a folder per class holds clips of one label, and some windows have several: use "
            "layout flat, or a higher min_share"
        )
    if options.layout != "auto":
        return options.layout
    return "folders" if single and not options.strong else "flat"


def _nothing(rejected: Sequence[str], options: CutOptions) -> str:
    if rejected:
        return f"nothing can be cut: {rejected[0]}"
    if options.background is None and not options.keep_empty:
        return (
            "there is nothing to cut: no recording has an event that counts. For clips without "
            "events, give them a label (--background LABEL) or keep them (--keep-empty)"
        )
    return "there is nothing to cut: every recording is too short"


def _job(planned: _Planned, folder: Path, layout: Layout, options: CutOptions) -> _Job:
    recording, rate, cuts = planned
    taken: set[Path] = set()
    files: list[Path] = []
    for one in cuts:
        place = folder if layout == "flat" else _class_folder(folder, one.labels[0])
        stem = f"{recording.name}_{one.start / rate:010.3f}-{one.end / rate:010.3f}"
        path, twin = place / f"{stem}.{options.form}", 1
        while path in taken:  # two clips within a millisecond
            twin += 1
            path = place / f"{stem}-{twin}.{options.form}"
        taken.add(path)
        files.append(path)
    return _Job(recording, rate, cuts, files)


def _class_folder(folder: Path, label: Label) -> Path:
    try:
        if label == MANIFEST:
            raise DataError(f"the label '{label}' cannot be the name of a folder beside the table")
        return class_folder(folder, label)
    except DataError as error:
        raise DataError(f"{error}. The layout flat takes any label (--layout flat)") from None


def _run_all(
    jobs: Sequence[_Job],
    options: CutOptions,
    config: DataConfig,
    workers: int | None,
    progress: Progress,
) -> list[_Done]:
    stop = threading.Event()
    lock = threading.Lock()

    def advance() -> None:
        with lock:
            progress.advance()

    def work(job: _Job) -> _Done:
        return _cut_recording(job, options, config, advance, stop)

    return [done for _, done in in_order(work, jobs, workers, stop=stop)]


def _cut_recording(
    job: _Job,
    options: CutOptions,
    config: DataConfig,
    advance: Callable[[], None],
    stop: threading.Event,
) -> _Done:
    """Write the cuts of one recording that are not there yet."""
    made = [index for index, path in enumerate(job.files) if path.is_file()]
    there = len(made)
    for _ in made:
        advance()
    missing = sorted(set(range(len(job.cuts))).difference(made))
    problem = None
    try:
        for index, samples in _stretches(job, missing, config, stop):
            content = encode(samples, job.sample_rate, options.form, options.bits)
            with replacing(job.files[index]) as temporary:
                temporary.write_bytes(content)
            made.append(index)
            advance()
    except (AudioError, MissingExtra) as error:
        problem = str(error)
    left = len(job.cuts) - len(made)
    if left and problem is None:
        end_s = job.cuts[-1].end / job.sample_rate
        problem = f"{job.recording.path} ends before {end_s:.3f} s, where its header says"
    if left:
        problem = f"{problem} ({left} of its {len(job.cuts)} clips are missing)"
    return _Done(sorted(made), there, problem)


def _stretches(
    job: _Job, wanted: Sequence[int], config: DataConfig, stop: threading.Event
) -> Iterator[tuple[int, FloatArray]]:
    """Walk a recording once and yield the sound of the cuts, as each becomes complete."""
    waiting = deque(wanted)  # by their start
    if not waiting:
        return
    open_cuts: list[int] = []
    held = _Held()
    for block in _blocks(job.recording.path, job.sample_rate, config):
        if stop.is_set():
            return
        held.add(block)
        while waiting and job.cuts[waiting[0]].start < held.end:
            open_cuts.append(waiting.popleft())
        for index in [one for one in open_cuts if job.cuts[one].end <= held.end]:
            open_cuts.remove(index)
            yield index, held.slice(job.cuts[index].start, job.cuts[index].end)
        if not waiting and not open_cuts:
            return
        held.drop(min((job.cuts[one].start for one in open_cuts), default=held.end))


class _Held:
    """The blocks that are still needed; positions are samples from the start of the recording."""

    def __init__(self) -> None:
        self.end = 0
        self._blocks: deque[tuple[int, FloatArray]] = deque()

    def add(self, block: FloatArray) -> None:
        self._blocks.append((self.end, block))
        self.end += len(block)

    def drop(self, before: int) -> None:
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= before:
            self._blocks.popleft()

    def slice(self, start: int, end: int) -> FloatArray:
        pieces = [
            block[max(0, start - at) : end - at]
            for at, block in self._blocks
            if at < end and at + len(block) > start
        ]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _rows(job: _Job, index: int, options: CutOptions) -> Iterator[Clip]:
    """Yield the rows of a clip: one, or one per event."""
    one, recording, rate = job.cuts[index], job.recording, job.sample_rate
    values = (os.path.abspath(recording.path), repr(one.start / rate), repr(one.end / rate))

    def row(labels: tuple[Label, ...], onset_s: float = 0.0, offset_s: float | None = None) -> Clip:
        return Clip(
            path=str(job.files[index]),
            labels=labels,
            onset_s=onset_s,
            offset_s=offset_s,
            split=recording.split,
            fold=recording.fold,
            group=recording.group or recording.name,
            extra=dict(zip(SOURCE_COLUMNS, values, strict=True)),
        )

    if options.strong and one.events:
        for onset, offset, label in one.events:
            yield row((label,), onset / rate, offset / rate)
    else:
        yield row(one.labels)
