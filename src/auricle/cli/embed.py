"""`auricle embed MODEL FILES`."""

from pathlib import Path

from auricle.cli.files import Skips, check_output, find_files, open_classifier, with_progress
from auricle.cli.outcome import say_next, start_reporter


def embed(
    model: Path,
    /,
    *files: str,
    output: Path,
    hop_s: float | None = None,
    batch_size: int = 16,
    device: str = "auto",
    strict: bool = False,
    allow_skips: bool = False,
    allow_truncated: bool = False,
    quiet: bool = False,
) -> int:
    """Turn sound files into vectors: one row a window.

    Parameters
    ----------
    model
        Run folder, artifact folder or .onnx file.
    files
        Sound files, folders, globs.
    output
        Where to write: .npz (arrays path and embedding) or .csv, .tsv, .jsonl, .parquet.
    hop_s
        Seconds between windows (default: the classifier's own).
    batch_size
        Windows scored at once; it never changes a result.
    device
        auto, cpu, cuda or mps.
    strict
        Stop at the first file that cannot be read.
    allow_skips
        End with status 0 even if files were skipped.
    allow_truncated
        Use files that are cut short, as far as they go.
    quiet
        Say nothing but errors and the result.
    """
    import numpy as np

    from auricle.core.errors import AudioError, MissingExtra
    from auricle.core.writing import replacing
    from auricle.data import write_table

    reporter = start_reporter(quiet)
    check_output(output, ".npz")
    paths = find_files(files)
    classifier = open_classifier(
        model, device, batch_size=batch_size, hop_s=hop_s, allow_truncated=allow_truncated
    )
    skips = Skips(reporter, len(paths), strict=strict)
    names: list[str] = []
    vectors: list[np.ndarray] = []
    for path in with_progress(reporter, "embedding", paths, len(paths)):
        try:
            rows = classifier.embed(path)
        except (AudioError, MissingExtra) as error:
            skips.add(path, error)
            continue
        names += [str(path)] * len(rows)
        vectors.append(rows)
    status = skips.status(allow_skips)
    embedding = np.concatenate(vectors)
    if output.suffix.lower() == ".npz":
        with replacing(output) as temporary, temporary.open("wb") as file:
            np.savez(file, path=np.array(names), embedding=embedding)
    else:
        header = ["path", *(f"d{column}" for column in range(embedding.shape[1]))]
        table = [[name, *row.tolist()] for name, row in zip(names, embedding, strict=True)]
        write_table(output, header, table)
    say_next(f"{len(embedding)} windows of {len(paths) - skips.count} files: {output}")
    return status
