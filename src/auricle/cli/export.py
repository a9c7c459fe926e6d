"""`auricle export MODEL OUT`."""

from pathlib import Path

from auricle.cli.files import AS_IT_SAYS, CheckpointFlags, check_folder
from auricle.cli.outcome import say_next, start_reporter


def export(
    model: Path,
    output: Path,
    /,
    *,
    examples: list[Path] | None = None,
    checkpoint: CheckpointFlags = AS_IT_SAYS,
) -> int:
    """Write a trained classifier as one ONNX file with its preprocessing inside.

    Parameters
    ----------
    model
        Run folder, artifact folder or published checkpoint (panns/cnn14, a file).
    output
        The .onnx file to write.
    examples
        Sound files to compare the two on (default: clips of the run's own manifest).
    """
    from auricle.api import export_checked

    check_folder(output.parent)

    checked = export_checked(
        model,
        output,
        examples=examples,
        network=checkpoint.network,
        labels=checkpoint.labels,
        reporter=start_reporter(quiet=False),
    )
    megabytes = checked.path.stat().st_size / 1e6
    compared = f"{checked.clips} real clips" if checked.clips else "noise (no real clip was found)"
    say_next(
        f"{checked.path}: {megabytes:.1f} MB; probabilities differ by at most "
        f"{checked.difference:.1e} from the classifier's on {compared}"
    )
    say_next(f"next: auricle predict {checked.path} FILES (torch is not needed)")
    return 0
