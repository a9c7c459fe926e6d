"""`auricle demo`."""

from pathlib import Path
from typing import TYPE_CHECKING

from auricle.cli.files import emit, show_result
from auricle.cli.flags import NO_FLAGS, RunFlags
from auricle.cli.outcome import say_next, start_reporter

if TYPE_CHECKING:
    from auricle.core.types import Clip

SHOWN_FILES = 3


def demo(
    *,
    data: str | None = None,
    output: Path = Path("runs/demo"),
    cache: Path | None = None,
    run: RunFlags = NO_FLAGS,
    quiet: bool = False,
) -> int:
    """Do the main job on real sound: check, train, judge, save, export, predict.

    Parameters
    ----------
    data
        A data set of yours (default: ESC-10 where AURICLE_DATA holds it, else downloaded, else
        the CC0 sounds of the PyPI package arcade).
    output
        Run folder; an earlier demo in it is replaced.
    cache
        Where downloads are kept (default: ~/.cache/auricle).
    quiet
        Say nothing but errors and the results.
    """
    from auricle import api
    from auricle.cli.data_check import check_and_show
    from auricle.data.demo import demo_dataset

    api.require_torch("the demo")
    reporter = start_reporter(quiet)
    found = demo_dataset(data, cache or Path.home() / ".cache" / "auricle", say_next)
    say_next(f"data: {found.why}")
    flags = {**found.options, **run.dotted()}
    say_next("\n1. check the data")
    check_and_show(found.path, flags, reporter)
    if found.folds:
        say_next("\n2. cross-validate: too few sounds for one honest split")
        done = api.crossval_run(
            found.path,
            flags=flags,
            config=run.config,
            folds=found.folds,
            output=output / "crossval",
            force=True,
            reporter=reporter,
        )
        api.draw_picture(done.folder)
        show_result(done.result, done.folder)
    say_next("\n3. train" if found.folds else "\n2. train")
    trained = api.train_run(
        found.path,
        flags=flags,
        config=run.config,
        output=output / "run",
        force=True,
        reporter=reporter,
    )
    say_next("\njudge on clips never seen")
    evaluated = api.evaluate_run(
        trained.folder,
        found.path,
        split="test",
        output=output / "evaluation",
        flags=flags,
        reporter=reporter,
    )
    show_result(evaluated.result, output / "evaluation")
    say_next(f"confusion matrix: {output / 'evaluation' / 'confusion.png'}")
    _deploy(trained.folder)
    say_next(f"\nsaved classifier: {trained.folder}")
    say_next(f"next: auricle predict {trained.folder} YOUR_FILES")
    return 0


def _deploy(folder: Path) -> None:
    """Export the classifier and hear some test clips with the file alone."""
    from auricle import api

    say_next("\nexport")
    checked = api.export_checked(folder, folder / "model.onnx")
    say_next(
        f"{checked.path}: {checked.path.stat().st_size / 1e6:.1f} MB, checked on {checked.clips} "
        f"clips (largest difference in probability {checked.difference:.1e})"
    )
    say_next(f"\npredict {SHOWN_FILES} files with the ONNX file")
    _predict_some(checked.path, folder)


def _predict_some(model: Path, folder: Path) -> None:
    from auricle import api
    from auricle.data import read_manifest

    classifier = api.load(model)
    clips = _one_of_each(read_manifest(folder / "manifest.csv").of_split("test").clips)
    rows = []
    for clip in clips[:SHOWN_FILES]:
        prediction = classifier.predict(clip.path, top_k=1)
        truth = ", ".join(clip.labels)
        rows.append([Path(clip.path).name, truth, prediction.label, prediction.score])
    emit(("file", "truth", "heard", "score"), rows, None)


def _one_of_each(clips: "tuple[Clip, ...]") -> "list[Clip]":
    seen: dict[tuple[str, ...], Clip] = {}
    for clip in clips:
        seen.setdefault(clip.labels, clip)
    return list(seen.values())
