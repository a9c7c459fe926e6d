"""What only a process of its own shows: signals, pipes, what is imported, exit statuses."""

import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from auricle.cli import COMMANDS, DATA_COMMANDS, build_app, main
from auricle.cli.flags import CONFIG_SECTIONS
from auricle.core.config import dotted_keys
from auricle.training.config import RunConfig

AURICLE = (sys.executable, "-m", "auricle")

HELP = """
import contextlib, io, json, sys
from auricle.cli import main
said = {}
for command in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main([*command.split(), "--help"])
    said[command] = [status, out.getvalue()]
heavy = {"torch", "accelerate", "onnxruntime", "matplotlib"} & set(sys.modules)
print(json.dumps([sorted(heavy), said]))
"""


@pytest.fixture(scope="module")
def help_texts() -> dict[str, str]:
    """The help of every command, from one process that must not have imported torch."""
    commands = ["", *COMMANDS, *(f"data {name}" for name in DATA_COMMANDS)]
    done = subprocess.run(
        [sys.executable, "-c", HELP, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy, said = json.loads(done.stdout)
    assert heavy == []
    assert {status for status, _ in said.values()} == {0}
    return {command: text for command, (_, text) in said.items()}


def options_of(command: str) -> list[str]:
    module = importlib.import_module(f"auricle.cli.{command.replace(' ', '_')}")
    parameters = inspect.signature(
        getattr(module, command.rsplit(maxsplit=1)[-1])
    ).parameters.values()
    options: list[str] = []
    for item in parameters:
        if is_dataclass(item.annotation):  # flags that several commands share
            options += [option_of(field.name, field.type) for field in fields(item.annotation)]
        elif item.kind is item.KEYWORD_ONLY:
            options.append(option_of(item.name, item.annotation))
    return options


def option_of(name: str, annotation: object) -> str:
    """The spelling that an annotation gives, else the name's own."""
    said = [extra.name for extra in getattr(annotation, "__metadata__", ()) if extra.name]
    return said[0][0] if said else f"--{name.replace('_', '-')}"


@pytest.mark.parametrize("command", [*COMMANDS, *(f"data {name}" for name in DATA_COMMANDS)])
def test_help_names_every_option_and_key(help_texts, command):
    text = help_texts[command]
    for option in options_of(command):
        assert f"{option} " in text, option
    for key in dotted_keys(RunConfig):
        if key.split(".")[0] in CONFIG_SECTIONS.get(command, ()) and "." in key:
            assert f"--{key} " in text
    if "model" in CONFIG_SECTIONS.get(command, ()):
        assert "--model.KEY" in text


def test_help_lists_every_command(help_texts):
    for command, summary in COMMANDS.items():
        assert command in help_texts[""]
        assert summary in help_texts[""]


def test_every_command_is_built():
    names = set(build_app())
    assert {*COMMANDS, "data"} <= names


@pytest.fixture
def interrupted_run(tone_folder, tmp_path) -> tuple[list[str], Path]:
    """The words and the folder of a run that Ctrl-C stopped after its first epoch."""
    run = tmp_path / "run"
    words = ["train", str(tone_folder), "--model", "small_resnet_tiny", "--epochs", "60"]
    words += ["--train.batch_size", "8", "--train.save_every", "1000e", "--output", str(run)]
    process = subprocess.Popen(
        [*AURICLE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if "epoch 1/60" in line:
            process.send_signal(signal.SIGINT)
            break
    out, rest = process.communicate()
    assert process.returncode == 130, said + rest
    assert out == ""
    last = rest.splitlines()[-1]
    assert last.startswith("error: stopped at step ")
    assert last.endswith("Go on with the same command and --resume")
    assert "Traceback" not in rest
    return words, run


def test_ctrl_c_leaves_a_checkpoint_that_the_run_goes_on_from(interrupted_run, done, odd_sounds):
    words, run = interrupted_run
    state = json.loads((run / "checkpoints" / "last" / "state.json").read_text())
    assert 3 <= state["step"] < 180
    assert not (run / "model.safetensors").exists()
    done("predict", run / "checkpoints" / "last", odd_sounds / "plain.wav")
    outcome = done(*words, "--resume")
    assert f"resuming from step {state['step']}" in outcome.err
    assert json.loads((run / "checkpoints" / "last" / "state.json").read_text())["step"] == 180
    done("predict", run, odd_sounds / "plain.wav")


def test_ctrl_c_elsewhere_is_one_line(message_of, cli, trained, odd_sounds, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auricle.runtime.Predictor.predict_many", interrupt)
    outcome = cli("predict", trained, odd_sounds)
    assert message_of(outcome, status=130) == "error: interrupted"


def boom(*_: object, **__: object) -> None:
    raise RuntimeError("two\nlines")


def test_an_internal_error_is_one_line_and_has_its_own_status(message_of, cli, monkeypatch):
    monkeypatch.setattr("auricle.training.setup.resolve_parts", boom)
    message = message_of(cli("config"), status=70)
    assert "internal error, RuntimeError: two lines" in message
    assert "AURICLE_DEBUG=1" in message


def test_an_internal_error_shows_where_when_asked(monkeypatch):
    monkeypatch.setattr("auricle.training.setup.resolve_parts", boom)
    monkeypatch.setenv("AURICLE_DEBUG", "1")
    with pytest.raises(RuntimeError, match="two\nlines"):
        main(["config"])


def test_what_the_system_refuses_is_one_line(message_of, cli, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/the/file")

    monkeypatch.setattr("auricle.training.setup.resolve_parts", refuse)
    assert message_of(cli("config")) == "error: /the/file: Permission denied"


def run_unread(stream: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose `stream` goes to a reader that has gone, as `| head -1` has at last."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writer}
    done = subprocess.run([*AURICLE, *map(str, words)], **streams, text=True, check=False)
    os.close(writer)
    return done


@pytest.mark.parametrize("what", ["help", "a table", "lines"])
def test_a_reader_that_has_gone_ends_a_command_in_silence(trained, odd_sounds, tmp_path, what):
    predict = ("predict", trained / "model.onnx", odd_sounds)
    words = {
        "help": ("--help",),
        "a table": predict,
        "lines": (*predict, "--output", tmp_path / "o.csv"),
    }
    done = run_unread("stdout", *words[what])
    assert done.returncode == 141
    assert done.stderr == ""


def test_warnings_that_nobody_reads_end_a_command_too(trained, bad_sounds, odd_sounds):
    done = run_unread("stderr", "predict", trained / "model.onnx", bad_sounds, odd_sounds)
    assert done.returncode == 141
    assert done.stdout == ""


def test_standard_output_that_is_full_is_one_line(message_of):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*AURICLE, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stdout is None
    done.stdout = ""
    assert "No space left on device" in message_of(done)


def test_standard_output_that_is_closed(trained, odd_sounds, tmp_path):
    command = '"$0" -m auricle predict "$1" "$2" --output "$3" >&-'
    words = [sys.executable, trained / "model.onnx", odd_sounds, tmp_path / "o.csv"]
    done = subprocess.run(
        ["sh", "-c", command, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o.csv").is_file()


def test_the_installed_command_is_the_module(run_cli):
    outcome = run_cli("--version")
    assert outcome.returncode == 0
    script = Path(sys.executable).with_name("auricle")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, outcome.stdout)
    refused = run_cli("trian")
    assert refused.returncode == 2
    assert refused.stderr == "error: unknown command 'trian'; did you mean 'train'?\n"
