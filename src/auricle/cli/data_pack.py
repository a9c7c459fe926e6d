"""`auricle data pack DATA OUT`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from auricle.cli.files import check_folder
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags
from auricle.cli.outcome import say_next, skip_status, start_reporter


def pack(
    data: Path,
    output: Path,
    /,
    *,
    sample_rate: int | None = None,
    length_s: Annotated[float | None, Parameter(name=("--length", "--length-s"))] = None,
    unit: Literal["file", "row"] = "file",
    peaks: Literal["clip", "scale"] = "clip",
    features: str | None = None,
    dtype: Literal["float16", "float32"] = "float16",
    shard_mb: float = 256,
    shard_clips: int | None = None,
    limit: int | None = None,
    workers: int | None = None,
    read: DataFlags = NO_DATA_FLAGS,
    force: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Pack the sound of a data set, with its labels, into one HDF5 file or WebDataset shards.

    `auricle train`, `evaluate` and `data check` read either as they read the data set. A pack that
    was killed goes on when the same command is given again.

    Parameters
    ----------
    data
        Whatever `auricle train` takes.
    output
        A file NAME.h5 (int16 samples), or a folder for shards (FLAC in .tar).
    sample_rate
        Rate of the packed sound, Hz (default: that of the first clip).
    length_s
        Seconds of every clip: longer ones are cut, shorter ones keep their length (default: all
        of each).
    unit
        What becomes a clip: each file once, whole, or the stretch of each row.
    peaks
        What happens to samples beyond full scale: clip them, or scale their clip down.
    features
        Store what a front-end or a trained classifier makes of the sound: a name of 'auricle
        config', or the classifier's folder.
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
    force
        Replace a pack that is there.
    allow_skips
        End with status 0 even if clips had to be left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.api import data_section, feature_encoder
    from auricle.core.config import nest, validate
    from auricle.core.errors import ConfigError
    from auricle.data import DataConfig, PackOptions, first_clips, read_dataset
    from auricle.data import pack as pack_manifest

    check_folder(output.parent)
    for name, value in (("limit", limit), ("workers", workers)):
        if value is not None and value < 1:
            raise ConfigError(f"--{name} must be at least 1, got {value}")
    reporter = start_reporter(quiet)
    flags = read.dotted()
    config = validate(DataConfig, data_section(flags), prefix="data")
    options = validate(
        PackOptions,
        {
            "sample_rate": sample_rate,
            "length_s": length_s,
            "unit": unit,
            "peaks": peaks,
            "channel": config.channel,
            "allow_truncated": config.allow_truncated,
            "shard_mb": shard_mb,
            "shard_clips": shard_clips,
        },
    )
    manifest = read_dataset(data, config)
    if limit is not None:
        manifest = first_clips(manifest, limit)
    for note in manifest.notes:
        reporter.say(f"data: {note}")
    frontend = dict(nest(flags).get("frontend", {}))
    if frontend and features is None:
        raise ConfigError(f"--frontend.{min(frontend)} goes with --features NAME")
    encoder = None
    if features is not None:
        if sample_rate is not None:
            frontend["sample_rate"] = sample_rate
        encoder = feature_encoder(features, dtype=dtype, options=frontend)
    report = pack_manifest(
        manifest,
        output,
        options,
        encoder=encoder,
        workers=workers,
        force=force,
        reporter=reporter,
    )
    for path, reason in report.bad:
        reporter.warn(f"skipped{'' if path in reason else f' {path}'}: {reason}")
    for line in (*manifest.missing, *manifest.rejected):
        reporter.warn(f"skipped: {line}")
    skipped = len(report.bad) + len(manifest.missing) + len(manifest.rejected)
    for count, what in (
        (report.over, f"had samples beyond full scale ({peaks})"),
        (report.cut, f"were cut to {length_s} s"),
        (report.resampled, f"were resampled to {report.sample_rate} Hz"),
        (skipped, "were skipped"),
    ):
        if count:
            reporter.warn(f"{count:,} clips {what}")
    say_next(
        f"{report.clips:,} clips at {report.sample_rate} Hz, {report.size_bytes / 1e6:.1f} MB, "
        f"read back and compared: {report.output}"
    )
    return skip_status(skipped, allow_skips)
