"""Cross-validation: every fold is the test part once; resumes fold by fold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auricle.core.errors import ConfigError, DataError
from auricle.core.reporting import Reporter
from auricle.core.types import Clip
from auricle.data import Manifest, apply_splits
from auricle.data import folds as make_folds
from auricle.evaluation import Result, ScoreTable, merge_scores, read_scores, write_result
from auricle.evaluation.judging import judge
from auricle.training.announce import figure_sentence
from auricle.training.clips import BadClip
from auricle.training.config import RunConfig
from auricle.training.folder import is_finished, prepare_folder
from auricle.training.run import train


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
    if folder.is_dir() and any(folder.iterdir()) and not (resume or force):
        raise ConfigError(
            f"--output {folder} is not empty: use --resume to go on with it, --force to replace "
            "the runs in it, or another folder"
        )
    manifest, names = make_folds(manifest, config.data, config.train.seed, folds)
    bad: dict[str, BadClip] = {}
    for number, name in enumerate(names, start=1):
        reporter.say(f"fold {name} ({number} of {len(names)})")
        data = config.data.model_copy(update={"test_fold": name})
        fold_config = config.model_copy(update={"data": data})
        fold = apply_splits(manifest, data, config.train.seed)
        output = folder / f"fold_{name}"
        if resume and is_finished(output):
            prepare_folder(output, fold_config, fold, resume=True, force=force)  # the same run?
            reporter.say(f"fold {name}: finished before ({output})")
            continue
        run = train(
            fold,
            fold_config,
            output,
            reporter=reporter,
            command=f"{command} (fold {name})",
            resume=resume,
            force=force,
        )
        bad.update({clip.path: clip for clip in run.bad})
        if run.result is not None:
            reporter.say(f"fold {name}: {figure_sentence(run.result)}")
    scores = _scores_of(manifest, folder, names)
    result = _judge_all(manifest, config, scores, names, command)
    write_result(folder, result)
    judged = set(scores.paths)
    for clip in manifest.clips:
        if clip.fold in names and clip.path not in judged:
            bad.setdefault(clip.path, BadClip(clip.path, f"{clip.path} was left out before"))
    return CrossValidation(folder, result, tuple(bad.values()))


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


def _judge_all(
    manifest: Manifest, config: RunConfig, scores: ScoreTable, names: Sequence[str], command: str
) -> Result:
    """Judge the test clips of all folds together."""
    in_order = (clip for name in names for clip in manifest.clips if clip.fold == name)
    return judge(
        _matched(in_order, scores.paths),
        scores.probabilities,
        manifest.labels,
        multi_label=manifest.multi_label,
        seed=config.train.seed,
        config=config.model_dump(mode="json"),
        command=command,
    )


def _matched(clips: Iterable[Clip], paths: Sequence[str]) -> list[Clip]:
    """Return the clip of each row of scores; clips that could not be read have no row."""
    waiting = iter(clips)
    return [next(clip for clip in waiting if clip.path == path) for path in paths]
