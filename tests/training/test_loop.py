"""What the loop says, keeps and remembers beside the weights."""

import csv
import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import PartialState

import auricle
import auricle.audio
from auricle.api import train_run
from auricle.core.errors import ConfigError
from auricle.core.reporting import Silent
from auricle.training import loop
from auricle.training.checkpoint import Conditions, require_same_conditions
from auricle.training.judging import Judge
from auricle.training.run import make_accelerator


class Notes(Silent):
    """Keeps what is said and how long each piece of work was announced to be."""

    def __init__(self):
        self.warned = []
        self.totals = {}

    def warn(self, text):
        self.warned.append(text)

    @contextmanager
    def progress(self, what, total):
        self.totals[what] = total
        yield self


def log_of(run):
    with (run / "log.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def state_of(run):
    return json.loads((run / "checkpoints" / "last" / "state.json").read_text())


@pytest.fixture
def figures(monkeypatch):
    """Give the looks at the validation clips these figures, one by one."""
    waiting = []
    judged = Judge.__call__

    def judge(self, weights, store, *, resamples=2000):
        if resamples or not waiting:
            return judged(self, weights, store, resamples=resamples)
        return SimpleNamespace(main_value=waiting.pop(0), main_metric="accuracy")

    monkeypatch.setattr(Judge, "__call__", judge)
    return waiting


def test_a_figure_that_is_not_defined_is_the_lowest(train_tones, tmp_path, figures):
    figures += [float("nan"), float("nan"), 0.25, float("nan"), 0.5, 0.5]
    run = train_tones(tmp_path / "run", epochs=2, train__eval_every="1s").folder
    assert (state_of(run)["best"], state_of(run)["best_step"]) == (0.5, 5)


def test_a_run_without_a_defined_figure_yet_resumes(
    train_tones, tmp_path, figures, interrupted_after
):
    figures += [float("nan"), 0.5, 0.25]
    interrupted_after(1)
    with pytest.raises(loop.Interrupted):
        train_tones(tmp_path / "run", epochs=1, train__eval_every="1s")
    assert (state_of(tmp_path / "run")["best"], state_of(tmp_path / "run")["best_step"]) == (
        None,
        1,
    )
    run = train_tones(tmp_path / "run", epochs=1, train__eval_every="1s", resume=True).folder
    assert (state_of(run)["best"], state_of(run)["best_step"]) == (0.5, 2)


@pytest.fixture
def interrupted_after(monkeypatch):
    """Let Ctrl-C reach the process in its step of this number, once."""
    step = loop._train_step

    def interrupt(number):
        def step_and_stop(job, position, *how):
            step(job, position, *how)
            if position.step == number:
                monkeypatch.setattr(loop, "_train_step", step)
                loop.signal.raise_signal(loop.signal.SIGINT)

        monkeypatch.setattr(loop, "_train_step", step_and_stop)

    return interrupt


def test_a_resumed_run_counts_only_the_steps_to_go(
    tone_folder, train_options, tmp_path, interrupted_after
):
    def train(reporter, **how):
        options = {**train_options, "train.epochs": 2}
        train_run(tone_folder, flags=options, output=tmp_path / "run", reporter=reporter, **how)

    interrupted_after(2)
    with pytest.raises(loop.Interrupted, match="step 2 of 6"):
        train(Notes())
    notes = Notes()
    train(notes, resume=True)
    assert notes.totals["training"] == 4


def test_seconds_in_the_log_are_wall_time_over_all_parts(
    train_tones, tmp_path, monkeypatch, interrupted_after
):
    now = [0.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))

    monkeypatch.setattr(Judge, "__call__", slow_judge(now, Judge.__call__))
    interrupted_after(2)
    with pytest.raises(loop.Interrupted):
        train_tones(tmp_path / "run", epochs=1, train__eval_every="1s")
    now[0] += 5000  # nothing runs meanwhile
    train_tones(tmp_path / "run", epochs=1, train__eval_every="1s", resume=True)
    assert [float(row["seconds"]) for row in log_of(tmp_path / "run")] == [100, 200, 300]


def slow_judge(now, judge):
    def slow(self, weights, store, *, resamples=2000):
        now[0] += 100
        return judge(self, weights, store, resamples=resamples)

    return slow


def test_checkpoints_are_artifacts_that_say_what_they_are(train_tones, tmp_path):
    run = train_tones(tmp_path / "run", train__eval_every="1s").folder
    for name in ("last", "best"):
        assert auricle.load(run / "checkpoints" / name).labels
    assert "step 9 of 9" in (run / "checkpoints" / "last" / "README.md").read_text()
    card = (run / "checkpoints" / "best" / "README.md").read_text()
    assert f"step {state_of(run)['best_step']}" in card
    assert f"accuracy {state_of(run)['best']:.4f}" in card


def test_a_clip_cut_short_that_shows_while_judging_is_left_out(
    tone_folder, tmp_path, train_options
):
    rows = ["path,label,split"]
    for index, path in enumerate(sorted(tone_folder.glob("*/*.wav"))):
        split = "train" if index % 3 else "validation" if index % 2 else "test"
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes()[: -8000 if index in (3, 6) else None])
        assert auricle.audio.probe(copy).duration_s  # nothing shows yet
        rows.append(f"{copy},{path.parent.name},{split}")
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(rows))
    options = {**train_options, "data.cache_mb": 0, "train.epochs": 1, "train.max_bad_fraction": 1}
    run = train_run(table, flags=options, output=tmp_path / "run")
    assert run.judged_on == "test"
    assert len(run.bad) == 2
    assert len({clip.path for clip in run.bad}) == 2


def test_conditions_that_change_the_bits_are_said_and_other_processes_refused():
    old = Conditions(processes=1, device="cpu", precision="fp32", threads=2)
    notes = Notes()
    require_same_conditions(old, old, notes)
    assert notes.warned == []
    require_same_conditions(old, Conditions(1, "cpu", "bf16", 4), notes)
    assert "precision was fp32 and is bf16; threads was 2 and is 4" in notes.warned[0]
    with pytest.raises(ConfigError, match="nproc_per_node 1"):
        require_same_conditions(old, Conditions(2, "cpu", "fp32", 2), notes)


def test_an_earlier_run_elsewhere_does_not_choose_the_device(monkeypatch):
    make_accelerator(torch.device("cpu"))
    PartialState._shared_state["device"] = torch.device("meta")  # as after a run on a GPU
    with pytest.raises(ValueError, match="already been initialized"):
        Accelerator(cpu=True)
    assert make_accelerator(torch.device("cpu")).device.type == "cpu"
