"""The command line: one thin file per command. `auricle COMMAND --help` imports no torch."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

from auricle.cli.flags import CONFIG_SECTIONS, split_flags, unknown_option, use_flags
from auricle.core.errors import AuricleError, unknown_name
from auricle.core.reporting import one_line

if TYPE_CHECKING:
    from cyclopts import App

COMMANDS = {
    "train": "Train a classifier on a folder of sounds or a table of labels.",
    "evaluate": "Judge a classifier on labelled clips: metrics with 95 % intervals.",
    "crossval": "Train and test once per fold; one honest figure over all clips.",
    "predict": "Say what is heard in sound files.",
    "detect": "Say when what is heard: events with onset and offset.",
    "embed": "Turn sound files into vectors.",
    "export": "Write a trained classifier as one ONNX file.",
    "record": "Record labelled clips from a microphone into a folder per class.",
    "models": "List the networks, or show one.",
    "config": "Print the resolved configuration as YAML.",
    "demo": "The main job on real sound, from data to a deployed classifier.",
}
DATA_COMMANDS = {
    "check": "Look for what is wrong with a data set before it costs a training run.",
    "show": "Show what is in a data set: classes, durations, spectrograms.",
    "split": "Divide a data set: stratified, grouped, by folds or a column; leaks are refused.",
    "pack": "Pack a data set into one HDF5 file or WebDataset shards.",
    "targets": "Write labels as arrays: weak (files, classes), strong (files, frames, classes).",
    "mix": "Make soundscapes of labelled sounds and backgrounds, with exact strong labels.",
    "convert": "Turn labels of one format into another, or a data set into a table.",
    "cut": "Cut long recordings with labels into clips.",
    "download": "Download a published data set: licence shown, checksum compared, unpacked.",
}

OPTIONS = ("--help", "-h", "--version")

INTERNAL_ERROR = 70
INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell reports of a program that wrote to a reader who had gone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status (2 for a user's mistake)."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _show_any_name()
        status = _run(tokens)
        if sys.stdout is not None:  # it is None where it was closed before the start
            sys.stdout.flush()
        return status
    except AuricleError as error:
        return _fail(f"error: {error}", error.exit_status)
    except KeyboardInterrupt:
        return _fail("error: interrupted", INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # rich makes a SystemExit of a closed pipe
        _drop_what_nobody_takes()
        return PIPE_CLOSED
    except Exception as error:
        _drop_what_nobody_takes()
        if os.environ.get("AURICLE_DEBUG"):
            raise
        if isinstance(error, OSError) and error.strerror:
            where = "" if error.filename is None else f"{error.filename}: "
            return _fail(f"error: {where}{error.strerror}", AuricleError.exit_status)
        return _fail(
            f"error: internal error, {type(error).__name__}: {' '.join(str(error).split())} "
            "(AURICLE_DEBUG=1 shows where)",
            INTERNAL_ERROR,
        )


def _fail(message: str, status: int) -> int:
    with suppress(OSError):
        print(one_line(message), file=sys.stderr)  # noqa: T201
    return status


def _show_any_name() -> None:
    """Keep a character that the terminal does not have from ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_what_nobody_takes() -> None:
    """Keep Python from complaining at exit about output that cannot be written."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(tokens: list[str]) -> int:
    from cyclopts import CycloptsError, UnknownOptionError

    command = _command_of(tokens)
    rest, flags = split_flags(tokens, command)
    app = build_app()
    try:
        with use_flags(flags):
            status = app(rest, exit_on_error=False, print_error=False, result_action="return_value")
    except UnknownOptionError as error:
        options = [name for argument in error.argument_collection for name in argument.names]
        given = error.token.keyword or error.token.value
        raise unknown_option(given, [*options, "--help"], command) from None
    except CycloptsError as error:
        raise CommandError(" ".join(str(error).split())) from None
    if command in CONFIG_SECTIONS and _asks_for_help(rest):
        from auricle.cli.flags import print_keys

        print_keys(command)
    if command == "data":
        from auricle.cli.readers_help import print_readers

        print_readers()
    return status if isinstance(status, int) else 0


class CommandError(AuricleError):
    """The words on the command line are off."""


def _command_of(tokens: Sequence[str]) -> str:
    if tokens and tokens[0].startswith("-") and tokens[0] not in OPTIONS:
        raise unknown_option(tokens[0], OPTIONS, "")
    words = [token for token in tokens[:2] if not token.startswith("-")]
    if not words:
        return ""
    known = [*COMMANDS, "data"]
    if words[0] not in known:
        raise unknown_name("command", words[0], known)
    if words[0] == "data" and len(words) == 2:
        if words[1] not in DATA_COMMANDS:
            raise unknown_name("command", f"data {words[1]}", [f"data {n}" for n in DATA_COMMANDS])
        return f"data {words[1]}"
    return words[0]


def _asks_for_help(tokens: Sequence[str]) -> bool:
    return "--help" in tokens or "-h" in tokens


def build_app() -> "App":
    """Build the cyclopts application; commands are imported when they are called."""
    from cyclopts import App, Parameter

    from auricle import __version__

    app = App(
        name="auricle",
        help="Train, judge and run sound classifiers and sound event detectors.",
        version=__version__,
        help_format="plaintext",
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
    )
    for name, summary in COMMANDS.items():
        app.command(f"auricle.cli.{name}:{name}", name=name, help=summary)
    data = App(name="data", help="Look at data sets and prepare them.", help_format="plaintext")
    for name, summary in DATA_COMMANDS.items():
        data.command(f"auricle.cli.data_{name}:{name}", name=name, help=summary)
    app.command(data)
    return app
