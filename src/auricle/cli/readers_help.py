"""What `auricle data --help` says of the readers."""


def print_readers() -> None:
    """List the readers in the order in which `reader=auto` asks them."""
    from auricle.data.readers import READERS, reader_names
    from auricle.report.console import make_table, result_console

    rows: list[list[str]] = []
    for name in reader_names():
        about = READERS[name].about
        mark = " (experimental)" if about.experimental else ""
        rows.append([name, f"{about.summary}{mark}", about.licence or ""])
    console = result_console()
    console.print(make_table("Readers", ["--data.reader", "what it reads", "licence"], rows))
    console.print(
        "DATA may be any of these; the first that knows it reads it, or the one that "
        "--data.reader names. Experimental: not yet run on the archive's own metadata.",
        markup=False,
    )
