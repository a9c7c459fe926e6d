"""Judging a classifier: which clips count, their scores, the result."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auricle import audio
from auricle.core.errors import AuricleError, DataError
from auricle.core.types import Clip, FloatArray, Label, Waveform
from auricle.data import Manifest, apply_splits, read_manifest
from auricle.data.config import DataConfig
from auricle.evaluation.result import Result
from auricle.evaluation.scores import align_labels
from auricle.evaluation.scoring import evaluate_scores
from auricle.runtime.predictor import Predictor


@dataclass(frozen=True)
class Selection:
    """The clips to judge on, and a sentence that says which they are."""

    clips: tuple[Clip, ...]
    why: str


def select_clips(
    manifest: Manifest, run_manifest: Path | None, split: str | None, data: DataConfig
) -> Selection:
    """Choose clips so that none counts that the classifier was trained on.

    `run_manifest` is the `manifest.csv` of the run that is judged, None where there is none.
    Clips that the run knows have the split that it gave them; others are new to it. `split=None`
    takes the test clips of the run, else all clips that are new to it. Raises `DataError`.
    """
    if run_manifest is None:
        if split is None:
            return Selection(manifest.clips, f"all {len(manifest.clips)} clips")
        clips = apply_splits(manifest, data, seed=0).of_split(split).clips
        return Selection(
            _some(clips, split),
            f"{len(clips)} clips of the data's own {split} split (the classifier names no "
            "manifest: whether it was trained on them cannot be told)",
        )
    known = {_place(clip): clip.split for clip in read_manifest(run_manifest).clips}
    if split is not None:
        chosen = tuple(clip for clip in manifest.clips if known.get(_place(clip)) == split)
        return Selection(
            _some(chosen, split), f"{len(chosen)} {split} clips of the run's own manifest"
        )
    test = tuple(clip for clip in manifest.clips if known.get(_place(clip)) == "test")
    if test:
        return Selection(test, f"{len(test)} test clips of the run's own manifest")
    # Another stretch of a file that the run has heard is not new to it.
    heard = {path for path, _, _ in known}
    new = tuple(clip for clip in manifest.clips if _place(clip)[0] not in heard)
    left_out = len(manifest.clips) - len(new)
    return Selection(
        _some(new, "new"),
        f"{len(new)} clips that are new to the run"
        + (f"; {left_out} that it was trained or chosen on are left out" if left_out else ""),
    )


def _some(clips: tuple[Clip, ...], split: str) -> tuple[Clip, ...]:
    if not clips:
        raise DataError(
            f"there is no {split} clip to judge on: the classifier has seen every clip of the "
            "data, or the split does not exist; give other data or --split train|validation|test"
        )
    return clips


def _place(clip: Clip) -> tuple[Path, float, float | None]:
    return Path(clip.path).resolve(), clip.onset_s, clip.offset_s


def score_clips(
    predictor: Predictor,
    clips: Sequence[Clip],
    *,
    data: DataConfig,
    on_error: Callable[[str, AuricleError], None] | None = None,
) -> tuple[list[Clip], FloatArray]:
    """Return the clips that could be read, and their probabilities `(clips, classes)`.

    A clip that cannot be read goes to `on_error(path, error)`; without it its error is raised.
    """
    if all(clip.onset_s == 0 and clip.offset_s is None for clip in clips):
        return _score_files(predictor, clips, on_error)
    good: list[Clip] = []

    def waveforms() -> Iterable[Waveform]:
        for clip in clips:
            length_s = None if clip.offset_s is None else clip.offset_s - clip.onset_s
            try:
                sound = audio.load(
                    clip.path,
                    predictor.spec.sample_rate,
                    offset_s=clip.onset_s,
                    duration_s=length_s,
                    channel=data.channel,
                    allow_truncated=data.allow_truncated,
                )
            except AuricleError as error:
                if on_error is None:
                    raise
                on_error(clip.path, error)
            else:
                good.append(clip)
                yield sound

    scores = list(predictor.score_many(waveforms()))
    return good, _stack(scores, predictor)


def _score_files(
    predictor: Predictor,
    clips: Sequence[Clip],
    on_error: Callable[[str, AuricleError], None] | None,
) -> tuple[list[Clip], FloatArray]:
    bad: set[str] = set()

    def skip(source: object, error: AuricleError) -> None:
        bad.add(str(source))
        if on_error is not None:
            on_error(str(source), error)

    order = {label: column for column, label in enumerate(predictor.labels)}
    rows = []
    paths = [clip.path for clip in clips]
    handler = skip if on_error is not None else None
    for prediction in predictor.predict_many(paths, on_error=handler):
        row = np.empty(len(order), np.float32)
        for label, score in zip(prediction.labels, prediction.scores, strict=True):
            row[order[label]] = score
        rows.append(row)
    return [clip for clip in clips if clip.path not in bad], _stack(rows, predictor)


def _stack(rows: list[FloatArray], predictor: Predictor) -> FloatArray:
    return np.stack(rows) if rows else np.empty((0, len(predictor.labels)), np.float32)


def judge(
    clips: Sequence[Clip],
    probabilities: FloatArray,
    labels: Sequence[Label],
    *,
    multi_label: bool,
    thresholds: Mapping[Label, float] | None = None,
    seed: int,
    config: dict[str, Any],
    command: str,
    resamples: int = 2000,
) -> Result:
    """Compare probabilities `(clips, classes)` with the clips' labels.

    Intervals are drawn over groups (recordings, speakers) where the clips name some;
    `resamples=0` leaves them out.
    """
    targets = align_labels(labels, [clip.labels for clip in clips], multi_label=multi_label)
    groups = [clip.group or clip.path for clip in clips]
    folds = [clip.fold or "" for clip in clips]
    return evaluate_scores(
        labels=list(labels),
        targets=targets,
        probabilities=probabilities,
        paths=[clip.path for clip in clips],
        groups=groups if any(clip.group for clip in clips) else None,
        folds=folds if any(folds) else None,
        multi_label=multi_label,
        thresholds=thresholds,
        seed=seed,
        config=config,
        command=command,
        resamples=resamples,
    )
