"""`auricle embed MODEL FILES`."""

from pathlib import Path

from auricle.cli.files import AS_IT_IS, AS_IT_SAYS, CheckpointFlags, HearFlags, check_output
from auricle.cli.outcome import say_next


def embed(
    model: Path,
    /,
    *files: str,
    output: Path,
    checkpoint: CheckpointFlags = AS_IT_SAYS,
    how: HearFlags = AS_IT_IS,
) -> int:
    """Turn sound files into vectors: one row a window.

    Parameters
    ----------
    model
        Run folder, artifact folder, .onnx file or published checkpoint (panns/cnn14, a file).
    files
        Sound files, folders, globs.
    output
        Where to write: .npz (arrays path and embedding) or .csv, .tsv, .jsonl, .parquet.
    """
    import numpy as np

    from auricle.core.errors import AudioError, MissingExtra
    from auricle.core.writing import replacing
    from auricle.data import write_table

    check_output(output, ".npz")
    hearing = how.start(model, files, checkpoint)
    names: list[str] = []
    vectors: list[np.ndarray] = []
    for path in hearing.progress("embedding", hearing.paths):
        try:
            rows = hearing.classifier.embed(path)
        except (AudioError, MissingExtra) as error:
            hearing.skips.add(path, error)
            continue
        names += [str(path)] * len(rows)
        vectors.append(rows)
    status = hearing.skips.status(how.allow_skips)
    embedding = np.concatenate(vectors)
    if output.suffix.lower() == ".npz":
        with replacing(output) as temporary, temporary.open("wb") as file:
            np.savez(file, path=np.array(names), embedding=embedding)
    else:
        header = ["path", *(f"d{column}" for column in range(embedding.shape[1]))]
        table = [[name, *row.tolist()] for name, row in zip(names, embedding, strict=True)]
        write_table(output, header, table)
    say_next(
        f"{len(embedding)} windows of {len(hearing.paths) - hearing.skips.count} files: {output}"
    )
    return status
