"""`auricle demo`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.cli.files import emit, show_result
from auricle.cli.flags import NO_FLAGS, RunFlags
from auricle.cli.outcome import say_next, start_reporter
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.core.types import Clip
    from auricle.data.demo import DemoData

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
        Where downloads are kept (default: AURICLE_CACHE, else the user's cache folder).
    quiet
        Say nothing but errors and the results.
    """
    from auricle import api
    from auricle.core.download import cache_folder
    from auricle.data.demo import demo_dataset

    api.require_torch("the demo")
    found = demo_dataset(data, cache or cache_folder(), say_next)
    say_next(f"data: {found.why}")
    flags = {**found.options, **run.dotted()}
    job = _Demo(found, flags, run.config, output, start_reporter(quiet))
    for number, (title, step) in enumerate(job.steps(), 1):
        say_next(f"\n{number}. {title}")
        step()
    say_next(f"\nsaved classifier: {job.run}")
    say_next(f"next: auricle predict {job.run} YOUR_FILES")
    return 0


@dataclass(frozen=True)
class _Demo:
    """The steps of the demonstration, on one data set and into one folder."""

    found: "DemoData"
    flags: Mapping[str, Any]
    config: Path | None
    output: Path
    reporter: Reporter

    @property
    def run(self) -> Path:
        return self.output / "run"

    @property
    def model(self) -> Path:
        return self.run / "model.onnx"

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """Return what is done, each with its title."""
        folds = ("cross-validate: too few sounds for one honest split", self.cross_validate)
        return [
            ("check the data", self.check),
            *([folds] if self.found.folds else []),
            ("train", self.train),
            ("judge on clips never seen", self.judge),
            ("export", self.export),
            (f"predict {SHOWN_FILES} files with the ONNX file", self.predict),
        ]

    def check(self) -> None:
        """Look for what is wrong with the data."""
        from auricle.cli.data_check import check_and_show

        check_and_show(self.found.path, self.flags, self.reporter)

    def cross_validate(self) -> None:
        """Train and test once per fold."""
        from auricle import api

        done = api.crossval_run(
            self.found.path,
            flags=self.flags,
            config=self.config,
            folds=self.found.folds or 0,
            output=self.output / "crossval",
            force=True,
            reporter=self.reporter,
        )
        api.draw_picture(done.folder)
        show_result(done.result, done.folder)

    def train(self) -> None:
        """Train the classifier that is saved."""
        from auricle import api

        api.train_run(
            self.found.path,
            flags=self.flags,
            config=self.config,
            output=self.run,
            force=True,
            reporter=self.reporter,
        )

    def judge(self) -> None:
        """Judge it on its test clips."""
        from auricle import api

        folder = self.output / "evaluation"
        evaluated = api.evaluate_run(
            self.run,
            self.found.path,
            split="test",
            output=folder,
            flags=self.flags,
            reporter=self.reporter,
        )
        show_result(evaluated.result, folder)
        say_next(f"confusion matrix: {folder / 'confusion.png'}")

    def export(self) -> None:
        """Write it as one ONNX file."""
        from auricle import api

        checked = api.export_checked(self.run, self.model)
        say_next(
            f"{checked.path}: {checked.path.stat().st_size / 1e6:.1f} MB, checked on "
            f"{checked.clips} clips (largest difference in probability {checked.difference:.1e})"
        )

    def predict(self) -> None:
        """Hear some test clips with the file alone."""
        from auricle import api
        from auricle.data import read_manifest

        classifier = api.load(self.model)
        clips = _one_of_each(read_manifest(self.run / "manifest.csv").of_split("test").clips)
        rows: list[list[object]] = []
        for clip in clips[:SHOWN_FILES]:
            heard = classifier.predict(clip.path, top_k=1)
            rows.append([Path(clip.path).name, ", ".join(clip.labels), heard.label, heard.score])
        emit(("file", "truth", "heard", "score"), rows, None)


def _one_of_each(clips: "Sequence[Clip]") -> "list[Clip]":
    seen: dict[tuple[str, ...], Clip] = {}
    for clip in clips:
        seen.setdefault(clip.labels, clip)
    return list(seen.values())
