"""Evaluation from a loaded classifier and a data set to a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.core.errors import AuricleError, DataError, unknown_name
from auricle.core.reporting import Reporter
from auricle.data import SPLITS, Manifest
from auricle.evaluation.judging import judge, score_clips
from auricle.evaluation.result import Result
from auricle.evaluation.scores import align_labels
from auricle.evaluation.scoring import abstention_limit
from auricle.evaluation.selection import origin_of, read_like_the_run, select_clips
from auricle.runtime.predictor import Predictor


@dataclass(frozen=True)
class Evaluated:
    """A result, which clips it is about, and how many could not be used."""

    result: Result
    why: str
    skipped: int


def evaluate_classifier(
    predictor: Predictor,
    model: Path,
    training: Mapping[str, Any],
    data: str | Path,
    *,
    split: str | None,
    given: Mapping[str, Any],
    batch_size: int,
    strict: bool,
    abstain_below: float | None = None,
    reporter: Reporter,
    command: str,
) -> Evaluated:
    """Judge `predictor`, which was loaded from `model`, on the clips of `data` that it may see.

    `training` is that section of its configuration, `given` are keys of the section `data`. Bad
    clips are told, left out and counted; with `strict` the first one is raised. `abstain_below`
    is that of `evaluate_scores`. Raises `DataError`, `ConfigError`, `AudioError`.
    """
    if split not in (None, *SPLITS):
        raise unknown_name("split", str(split), SPLITS)
    origin = origin_of(model, training)
    manifest, config = read_like_the_run(data, origin, given)
    bad = _tell(manifest, reporter, strict=strict)
    chosen = select_clips(manifest, origin.manifest, split, config)
    reporter.say(f"judging on {chosen.why}")
    multi_label = predictor.spec.activation == "sigmoid" or manifest.multi_label
    if abstain_below is not None:  # a wrong limit must not show after hours of scoring
        abstention_limit(abstain_below, multi_label=multi_label)
    # A label that the classifier does not know must not either.
    align_labels(predictor.labels, [clip.labels for clip in chosen.clips], multi_label=multi_label)
    predictor = Predictor(
        predictor.engine,
        predictor.spec,
        batch_size=batch_size,
        channel=config.channel,
        allow_truncated=config.allow_truncated,
    )

    def skip(path: str, error: AuricleError) -> None:
        bad.append(path)
        reporter.warn(f"skipped: {error}")

    clips, probabilities = score_clips(
        predictor, chosen.clips, data=config, on_error=None if strict else skip
    )
    if not clips:
        raise DataError(f"none of the {len(chosen.clips)} clips could be read")
    result = judge(
        clips,
        probabilities,
        predictor.labels,
        multi_label=multi_label,
        thresholds=predictor.spec.thresholds,
        abstain_below=abstain_below,
        seed=origin.seed,
        config={"data": config.model_dump(mode="json"), "model": str(model), "split": split},
        command=command,
    )
    return Evaluated(result, chosen.why, len(bad))


def _tell(manifest: Manifest, reporter: Reporter, *, strict: bool) -> list[str]:
    """Say how the data were read; return the rows that cannot be used, each a line."""
    for note in manifest.notes:
        reporter.say(f"data: {note}")
    bad = [line for _, line in manifest.unusable()]
    if strict and bad:
        raise DataError(bad[0])
    for line in bad:
        reporter.warn(f"skipped: {line}")
    return bad
