"""Judging a classifier: the scores of clips, and the result."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from auricle import audio
from auricle.core.errors import AuricleError
from auricle.core.types import Clip, FloatArray, Label, Waveform
from auricle.data import unit_of
from auricle.data.config import DataConfig
from auricle.evaluation.result import Result
from auricle.evaluation.scores import align_labels
from auricle.evaluation.scoring import evaluate_scores
from auricle.runtime.predictor import Predictor


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
    heard: list[Clip] = []
    bad: set[int] = set()  # positions in `heard`
    places: dict[int, int] = {}  # of the sounds under way, by identity

    def drop(source: object, error: AuricleError) -> None:
        place = places[id(source)]
        bad.add(place)
        if on_error is not None:
            on_error(heard[place].path, error)

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
                places[id(sound)] = len(heard)
                heard.append(clip)
                yield sound

    handler = None if on_error is None else drop
    scores = list(predictor.score_many(waveforms(), on_error=handler))
    good = [clip for place, clip in enumerate(heard) if place not in bad]
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
    abstain_below: float | None = None,
    seed: int,
    config: dict[str, Any],
    command: str,
    resamples: int = 2000,
) -> Result:
    """Compare probabilities `(clips, classes)` with the clips' labels.

    Intervals are drawn over groups (recordings, speakers) where clips share some, or a file;
    `resamples=0` leaves them out. `abstain_below` is that of `evaluate_scores`.
    """
    targets = align_labels(labels, [clip.labels for clip in clips], multi_label=multi_label)
    # Stretches of one file are no independent witnesses, declared as a group or not.
    groups = [unit_of(clip)[1] for clip in clips]
    folds = [clip.fold or "" for clip in clips]
    return evaluate_scores(
        labels=list(labels),
        targets=targets,
        probabilities=probabilities,
        paths=[clip.path for clip in clips],
        groups=groups if len(set(groups)) < len(clips) else None,
        folds=folds if any(folds) else None,
        multi_label=multi_label,
        thresholds=thresholds,
        abstain_below=abstain_below,
        seed=seed,
        config=config,
        command=command,
        resamples=resamples,
    )
