"""`auricle data pack DATA OUT`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from auricle.cli.datasets import data_config, rows_left_out, say_notes, warn_left_out
from auricle.cli.files import check_folder
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags
from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import ConfigError
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.artifact.feature_encoder import PackedFeatures
    from auricle.data import DataConfig, Manifest, PackOptions
    from auricle.data.packing import PackReport


@Parameter(name="*")
@dataclass(frozen=True)
class PackFlags:
    """What is packed, and how.

    Parameters
    ----------
    sample_rate
        Rate of the packed sound, Hz (default: that of the first clip).
    length_s
        Seconds of every clip: longer ones are cut, shorter ones keep their length, or with
        --features of a front-end get zeros behind them (default: all of each).
    unit
        What becomes a clip: each file once, whole, or the stretch of each row.
    peaks
        What happens to samples beyond full scale: clip them, or scale their clip down.
    features
        Store what a front-end (its name, as fbank) or a trained classifier (its folder) makes of
        the sound.
    dtype
        Numbers of --features.
    shard_mb
        Size of a shard, MB.
    shard_clips
        Most clips of a shard.
    limit
        Take so many files only, of every class and split in turn.
    workers
        Threads that decode (default: one per processor).
    """

    sample_rate: int | None = None
    length_s: Annotated[float | None, Parameter(name=("--length", "--length-s"))] = None
    unit: Literal["file", "row"] = "file"
    peaks: Literal["clip", "scale"] = "clip"
    features: str | None = None
    dtype: Literal["float16", "float32"] = "float16"
    shard_mb: float = 256
    shard_clips: int | None = None
    limit: int | None = None
    workers: int | None = None

    def options(self, config: "DataConfig") -> "PackOptions":
        """Return the flags as the options of a pack. Raises `ConfigError`."""
        from auricle.core.config import validate
        from auricle.data import PackOptions

        for name, value in (("limit", self.limit), ("workers", self.workers)):
            if value is not None and value < 1:
                raise ConfigError(f"--{name} must be at least 1, got {value}")
        own = ("sample_rate", "length_s", "unit", "peaks", "shard_mb", "shard_clips")
        of_data = {"channel": config.channel, "allow_truncated": config.allow_truncated}
        return validate(PackOptions, {**{name: getattr(self, name) for name in own}, **of_data})

    def encoder(self, frontend: Mapping[str, Any]) -> "PackedFeatures | None":
        """Return what makes the features, with the given options of a front-end."""
        from auricle.api import feature_encoder

        if self.features is None:
            if frontend:
                raise ConfigError(f"--frontend.{min(frontend)} goes with --features NAME")
            return None
        rate = {} if self.sample_rate is None else {"sample_rate": self.sample_rate}
        return feature_encoder(
            self.features,
            dtype=self.dtype,
            options={**frontend, **rate},
            window_s=self.length_s,
        )


NO_PACK_FLAGS = PackFlags()


def pack(
    data: Path,
    output: Path,
    /,
    *,
    how: PackFlags = NO_PACK_FLAGS,
    read: DataFlags = NO_DATA_FLAGS,
    force: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Pack the sound of a data set, with its labels, into one HDF5 file or WebDataset shards.

    `auricle train`, `evaluate` and `data check` read either as they read the data set; `train` and
    `crossval` take the features of a front-end too, packed with --length. A pack that was killed
    goes on when the same command is given again.

    Parameters
    ----------
    data
        Whatever `auricle train` takes.
    output
        A file NAME.h5 (int16 samples), or a folder for shards (FLAC in .tar).
    force
        Replace a pack that is there.
    allow_skips
        End with status 0 even if clips had to be left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.core.config import nest
    from auricle.data import first_clips, read_dataset
    from auricle.data import pack as pack_manifest
    from auricle.data.packing import check_pack_output

    check_folder(output.parent)
    check_pack_output(output, force=force)
    flags = read.dotted()
    config = data_config(flags)
    options = how.options(config)
    encoder = how.encoder(nest(flags).get("frontend", {}))
    manifest = read_dataset(data, config)
    if how.limit is not None:
        manifest = first_clips(manifest, how.limit)
    reporter = start_reporter(quiet)
    say_notes(manifest, reporter)
    report = pack_manifest(
        manifest,
        output,
        options,
        encoder=encoder,
        workers=how.workers,
        force=force,
        reporter=reporter,
    )
    return skip_status(_tell(report, manifest, options, reporter), allow_skips)


def _tell(
    report: "PackReport", manifest: "Manifest", options: "PackOptions", reporter: Reporter
) -> int:
    """Say what was packed and what was not; return how many clips were skipped."""
    bad = [reason if path in reason else f"{path}: {reason}" for path, reason in report.bad]
    left_out = [*bad, *rows_left_out(manifest)]
    warn_left_out(left_out, reporter, "clips")
    if report.over:
        done = {"clip": "these were clipped", "scale": "the clips were scaled down"}[options.peaks]
        reporter.warn(f"{report.over:,} clips had samples beyond full scale: {done}")
    if report.cut:
        reporter.say(f"{report.cut:,} clips were cut to {options.length_s:g} s")
    if report.resampled:
        reporter.say(f"{report.resampled:,} clips were resampled to {report.sample_rate} Hz")
    say_next(
        f"{report.clips:,} clips at {report.sample_rate} Hz, {report.size_bytes / 1e6:.1f} MB, "
        f"read back and compared: {report.output}"
    )
    return len(left_out)
