"""Cross-validation: every fold is the test part once; resumes fold by fold."""

import os
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auricle.core.errors import ConfigError, DataError
from auricle.core.reporting import Reporter
from auricle.core.types import Clip
from auricle.data import Manifest, apply_splits, require_trainable
from auricle.data import folds as make_folds
from auricle.evaluation import (
    Result,
    ScoreTable,
    figure_sentence,
    merge_scores,
    read_scores,
    write_result,
)
from auricle.evaluation.judging import judge
from auricle.training.clips import BadClip
from auricle.training.config import RunConfig
from auricle.training.folder import is_finished, prepare_folder
from auricle.training.run import train
from auricle.training.statistics import with_saved_statistics


@dataclass(frozen=True)
class CrossValidation:
    """The result over all folds' test clips, and the clips that were left out."""

    folder: Path
    result: Result
    bad: tuple[BadClip, ...]


def cross_validate(
    manifest: Manifest,
    config: RunConfig,
    folder: Path,
    *,
    reporter: Reporter,
    command: str,
    folds: int = 5,
    resume: bool = False,
    force: bool = False,
) -> CrossValidation:
    """Train once per fold, test on it, and judge all test clips together.

    Folds are those of the fold column, else `folds` stratified (and grouped) ones. The weights of
    a fold are chosen on validation clips out of its training folds. `fold_N/` are run folders; a
    finished one is not trained again with `resume`. Raises what `train` raises.
    """
    speaks = int(os.environ.get("RANK", "0")) == 0
    if speaks:
        _check_folder(folder, resume=resume, force=force)
    manifest, names = make_folds(manifest, config.data, config.train.seed, folds)
    if len(names) != folds:
        reporter.say(
            f"the data set has {len(names)} folds of its own, which are taken in place of {folds}; "
            "--data.fold none makes new ones"
        )
    plans = _plan(manifest, config, names)
    bad: dict[str, BadClip] = {}
    for number, (name, (fold, fold_config)) in enumerate(plans.items(), start=1):
        reporter.say(f"fold {name} ({number} of {len(names)})")
        output = folder / f"fold_{name}"
        if resume and is_finished(output):
            same = with_saved_statistics(fold_config, output)
            prepare_folder(output, same, fold, resume=True, force=force)  # the same run?
            reporter.say(f"fold {name}: finished before ({output})")
            continue
        run = train(
            fold,
            fold_config,
            output,
            reporter=reporter,
            command=command,
            resume=resume,
            force=force,
        )
        bad.update({clip.path: clip for clip in run.bad})
        if run.result is not None:
            reporter.say(f"fold {name}: {figure_sentence(run.result)}")
    scores = _scores_of(manifest, folder, names)
    result = _judge_all(manifest, config, scores, command)
    if speaks:
        write_result(folder, result)
        judged = {os.path.realpath(path) for path in scores.paths}
        for clip in manifest.clips:
            if clip.fold in names and os.path.realpath(clip.path) not in judged:
                bad.setdefault(clip.path, BadClip(clip.path, f"{clip.path} was left out before"))
    return CrossValidation(folder, result, tuple(bad.values()))


def _check_folder(folder: Path, *, resume: bool, force: bool) -> None:
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (resume or force):
        raise ConfigError(
            f"--output {folder} is not empty: use --resume to go on with it, --force to replace "
            "the runs in it, or another folder"
        )
    if not any(folder.glob("fold_*/config.yaml")) and (
        (folder / "result.json").exists() or (folder / "scores.csv").exists()
    ):
        raise ConfigError(
            f"--output {folder} is no cross-validation, and one would replace its result.json or "
            "scores.csv: give another folder"
        )


def _plan(
    manifest: Manifest, config: RunConfig, names: Sequence[str]
) -> dict[str, tuple[Manifest, RunConfig]]:
    """Split the clips for every fold, so that a plan that cannot work fails before any training."""
    plans = {}
    for name in names:
        data = config.data.model_copy(update={"test_fold": name})
        fold = apply_splits(manifest, data, config.train.seed)
        require_trainable(fold)
        plans[name] = fold, config.model_copy(update={"data": data})
    return plans


def _scores_of(manifest: Manifest, folder: Path, names: Sequence[str]) -> ScoreTable:
    """Put together the scores that each fold has left of its test clips."""
    tables = [
        read_scores(folder / f"fold_{name}" / "test", multi_label=manifest.multi_label)
        for name in names
    ]
    scores = merge_scores(tables)
    if scores.labels != manifest.labels:
        raise DataError(f"{folder}: its classes are not those of the data; start with --force")
    return scores


def _judge_all(manifest: Manifest, config: RunConfig, scores: ScoreTable, command: str) -> Result:
    """Judge the test clips of all folds together."""
    return judge(
        _matched(manifest.clips, scores),
        scores.probabilities,
        manifest.labels,
        multi_label=manifest.multi_label,
        seed=config.train.seed,
        config=config.model_dump(mode="json"),
        command=command,
    )


def _matched(clips: Sequence[Clip], scores: ScoreTable) -> list[Clip]:
    """Return the clip of each row of scores; clips that could not be read have no row."""
    waiting: dict[tuple[str, str, frozenset[str]], deque[Clip]] = defaultdict(deque)
    for clip in clips:
        key = os.path.realpath(clip.path), clip.fold or "", frozenset(clip.labels)
        waiting[key].append(clip)
    rows = []
    for row, (path, fold) in enumerate(zip(scores.paths, scores.folds, strict=True)):
        key = os.path.realpath(path), fold, frozenset(scores.true_labels(row))
        if not waiting[key]:
            raise DataError(
                f"{path} was judged in fold {fold}, and the data set no longer has it there with "
                "that label; start with --force"
            )
        rows.append(waiting[key].popleft())
    return rows
