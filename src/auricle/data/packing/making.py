"""`pack`: a data set becomes one HDF5 file, or a folder of WebDataset shards."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from auricle import audio
from auricle.audio.members.h5 import SUFFIXES, is_pack
from auricle.core.errors import AudioError, ConfigError, DataError
from auricle.core.reporting import Reporter, Silent
from auricle.core.writing import WriteError
from auricle.data.manifest import Manifest
from auricle.data.packing.chunks import Done, WorkFolder, fill_chunks, gather, move_chunks
from auricle.data.packing.h5 import H5Form
from auricle.data.packing.plan import PackOptions, Plan, grouped_by_file, make_plan
from auricle.data.packing.shards import INDEX, ShardForm
from auricle.data.packing.sound import Encoder, Packed
from auricle.data.wording import plural


@dataclass(frozen=True)
class PackReport:
    """What was packed. `bad` are the clips that could not be, by path, and why.

    Counts are of clips: `over` had samples beyond full scale, `cut` lost their end to the length,
    `resampled` came from files of another rate. `resumed`: work of an earlier run was used.
    """

    output: Path
    clips: int
    sample_rate: int
    size_bytes: int
    bad: tuple[tuple[str, str], ...]
    over: int
    cut: int
    resampled: int
    resumed: bool


class Form(Protocol):
    """One form of a pack, made at `path` in the work folder.

    `encode` makes the bytes of clips; `prepare` makes a whole pack of them but for those bytes,
    and may be called again; `place` says where those of a clip belong; `differing` yields the
    clips whose bytes are not there.
    """

    path: Path

    def encode(self, indices: range) -> Iterator[Packed | AudioError]: ...  # noqa: D102

    def prepare(self, done: Done, config: Mapping[str, Any]) -> None: ...  # noqa: D102

    def place(self, index: int) -> tuple[Path, int]: ...  # noqa: D102

    def differing(self, done: Done) -> Iterator[int]: ...  # noqa: D102


def pack(
    manifest: Manifest,
    output: str | Path,
    options: PackOptions | None = None,
    *,
    encoder: Encoder | None = None,
    workers: int | None = None,
    force: bool = False,
    reporter: Reporter | None = None,
) -> PackReport:
    """Pack the sound of a data set with its labels: `x.h5`, or a folder of WebDataset shards.

    The clips are those of `options.unit`, in the order of the manifest. With an `encoder` its
    features are kept in place of the sound. `workers` threads decode (default: one a processor).
    A pack that was killed or interrupted goes on when it is called again with the same arguments,
    and ends with the same bytes; `force` replaces a pack that is there. What was written is read
    again and compared before it takes its name. Clips that cannot be read are left out and
    reported.

    Raises `ConfigError` for an output that is there or cannot be, `DataError` where no clip can
    be packed, `MissingExtra` for HDF5 without h5py, and `WriteError` (full disk: what is done
    stays for the next call).
    """
    output, reporter = Path(output), reporter or Silent()
    if encoder is not None and output.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"features are packed into HDF5: name the output {output.name}.h5")
    work = WorkFolder(output)
    check_pack_output(output, force=force)
    options = _with_rate(manifest, options or PackOptions(), encoder)
    if options.unit == "row":
        manifest = grouped_by_file(manifest)
    plan = make_plan(manifest, options.unit)
    form = _form(work.path, output, plan, options, encoder)
    config = _config(plan, options, encoder)
    resumed = work.begin(plan.fingerprint(config, output.name), force=force)
    try:
        workers = workers or os.cpu_count() or 1
        done = _fill(work, form, plan, config, workers=workers, reporter=reporter)
    except KeyboardInterrupt:
        reporter.warn(f"what is packed so far waits in {work.path}; the same command goes on")
        raise
    _take_place(form.path, output)
    work.remove()
    return PackReport(
        output=output,
        clips=int(done.good.sum()),
        sample_rate=options.sample_rate or 0,
        size_bytes=_size(output),
        bad=tuple((plan.paths[index], error) for index, error in done.errors.items()),
        over=done.over,
        cut=done.cut,
        resampled=done.resampled,
        resumed=resumed,
    )


def _fill(
    work: WorkFolder,
    form: Form,
    plan: Plan,
    config: Mapping[str, Any],
    *,
    workers: int,
    reporter: Reporter,
) -> Done:
    """Make the pack in the work folder, and read it again."""
    fill_chunks(work, len(plan), form.encode, workers=workers, reporter=reporter)
    done = gather(work, len(plan))
    if not done.good.any():
        work.remove()
        last = next(reversed(done.errors.values()), "it has none")
        raise DataError(f"none of the {plural(len(plan), 'clip')} can be packed; the last: {last}")
    form.prepare(done, config)
    move_chunks(work, done, form.place, reporter)
    with reporter.progress("verifying", 1) as progress:
        differing = list(form.differing(done))
        progress.advance()
    if differing:
        work.remove()
        raise WriteError(
            f"{plural(len(differing), 'clip')} did not read back from {work.output} as written, "
            f"the first is {plan.paths[differing[0]]}: the disk or its memory is at fault, or two "
            "commands packed into the same name. Pack again"
        )
    return done


def _form(
    folder: Path, output: Path, plan: Plan, options: PackOptions, encoder: Encoder | None
) -> Form:
    if output.suffix.lower() in SUFFIXES:
        return H5Form(folder / "pack.h5", plan, options, encoder)
    return ShardForm(folder / "shards", plan, options)


def check_pack_output(output: Path, *, force: bool) -> None:
    """Refuse an output that is there (without `force`), or is no pack of ours, or has no name.

    Raises `ConfigError`.
    """
    named_file = output.suffix.lower() in SUFFIXES
    if not named_file and output.suffix and not output.is_dir():
        raise ConfigError(
            f"cannot pack into '{output.suffix}': name a file {' or '.join(SUFFIXES)} for HDF5, or "
            "a folder for WebDataset shards"
        )
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        if named_file and output.is_dir():
            raise ConfigError(f"output '{output}' is a folder; name a file")
        return
    ours = is_pack(output) if named_file else (output / INDEX).is_file()
    if not ours:
        raise ConfigError(f"output {output} is there and is no pack: give another name")
    if not force:
        raise ConfigError(f"output {output} is there: --force replaces it")


def _with_rate(manifest: Manifest, options: PackOptions, encoder: Encoder | None) -> PackOptions:
    """Settle the rate of the packed sound: what is asked for, else that of the first clip."""
    if encoder is not None:
        if options.sample_rate not in (None, encoder.sample_rate):
            raise ConfigError(
                f"the encoder takes sound at {encoder.sample_rate} Hz, not {options.sample_rate}: "
                "leave the sample rate out"
            )
        return options.model_copy(update={"sample_rate": encoder.sample_rate})
    if options.sample_rate is not None:
        return options
    for clip in manifest.clips:
        try:
            rate = audio.probe(clip.path).sample_rate
        except AudioError:
            continue
        return options.model_copy(update={"sample_rate": rate})
    raise DataError("no clip can be read, so none can be packed; look with: auricle data check")


def _config(plan: Plan, options: PackOptions, encoder: Encoder | None) -> dict[str, Any]:
    """Return what is to be kept of how a pack was made, as plain values."""
    manifest = plan.manifest
    return {
        "auricle": version("auricle"),
        "labels": list(manifest.labels),
        "multi_label": manifest.multi_label,
        "group_declared": manifest.group_declared,
        "notes": list(manifest.notes),
        "options": options.model_dump(mode="json"),
        "encoder": None if encoder is None else encoder.config,
    }


def _take_place(made: Path, output: Path) -> None:
    """Rename a finished pack to its name; an old folder is moved out of the way first."""
    try:
        old = made.with_name("old")
        if output.is_dir():
            os.replace(output, old)
        os.replace(made, output)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise WriteError(f"cannot write {output}: {error.strerror or error}") from None


def _size(output: Path) -> int:
    files = output.iterdir() if output.is_dir() else (output,)
    return sum(file.stat().st_size for file in files)
