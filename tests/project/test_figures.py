"""Published figures come out of result files, and nowhere else."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def common() -> ModuleType:
    return load("common")


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """`render.py` over a small repository of its own."""
    module = load("render")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    marked = "Accuracy <!-- figure: esc.accuracy -->?<!-- /figure --> on real sound.\n"
    (tmp_path / "README.md").write_text(marked, encoding="utf-8")
    return module


@pytest.fixture
def result(common: ModuleType, render: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(common, "ROOT", render.ROOT)
    monkeypatch.setattr(common, "RESULTS", render.ROOT / "benchmarks" / "results")
    monkeypatch.setattr(common, "commit", lambda: "0123456789abcdef-dirty")
    return common.record(
        "esc",
        title="Ten sounds",
        what="Accuracy over five folds.",
        command="auricle crossval esc10",
        seed=3,
        figures={"accuracy": common.figure(0.93456, low=0.9, high=0.96, at_least=0.92)},
        runs={"folds": [0.93, 0.94]},
        notes=["One run went badly."],
    )


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["render.py", *arguments])
    return module.main()


def test_the_pages_of_this_repository_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "render.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_figure_reaches_the_page_with_its_source(render, result, monkeypatch):
    assert run(render, monkeypatch) == 0
    page = (render.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for part in (
        "## Ten sounds",
        "| accuracy | 0.935 | 0.900 to 0.960 | at least 0.92 | yes |",
        "auricle crossval esc10",
        "commit `0123456789ab` with uncommitted changes",
        "seed 3",
        "`benchmarks/results/esc.json`",
        "- One run went badly.",
    ):
        assert part in page
    front = (render.ROOT / "README.md").read_text(encoding="utf-8")
    assert front == "Accuracy <!-- figure: esc.accuracy -->0.935<!-- /figure --> on real sound.\n"
    assert run(render, monkeypatch, "--check") == 0


@pytest.mark.parametrize("page", ["README.md", "docs/benchmarks.md"])
def test_a_figure_changed_by_hand_fails(render, result, monkeypatch, capsys, page):
    run(render, monkeypatch)
    path = render.ROOT / page
    path.write_text(path.read_text(encoding="utf-8").replace("0.935", "0.999"), encoding="utf-8")
    assert run(render, monkeypatch, "--check") == 1
    assert f"{page} differs from the results" in capsys.readouterr().err


def test_a_figure_without_a_result_says_so_or_fails(render, monkeypatch):
    assert run(render, monkeypatch, "--check") == 1
    assert run(render, monkeypatch) == 0
    assert "not yet measured" in (render.ROOT / "README.md").read_text(encoding="utf-8")
    assert run(render, monkeypatch, "--check") == 0


def test_a_result_without_its_commit_fails(render, result, monkeypatch, capsys):
    content = json.loads(result.read_text(encoding="utf-8"))
    del content["commit"]
    result.write_text(json.dumps(content), encoding="utf-8")
    assert run(render, monkeypatch) == 1
    assert "esc.json lacks commit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("<!-- figure: esc.acuracy -->0.9<!-- /figure -->", "has no figure 'acuracy'"),
        ("<!-- figure: esc.accuracy -->0.9", "malformed"),
    ],
)
def test_a_marker_with_a_slip_fails(render, result, monkeypatch, capsys, marker, message):
    (render.ROOT / "README.md").write_text(marker, encoding="utf-8")
    assert run(render, monkeypatch) == 1
    assert message in capsys.readouterr().err


def test_a_table_is_shown_as_it_is(common, render, monkeypatch):
    monkeypatch.setattr(common, "ROOT", render.ROOT)
    monkeypatch.setattr(common, "RESULTS", render.ROOT / "benchmarks" / "results")
    monkeypatch.setattr(common, "commit", lambda: "0123456789abcdef")
    common.record(
        "many",
        title="Many networks",
        what="Each of them.",
        command="python benchmarks/many.py",
        seed=0,
        figures={"measured": common.figure(2, digits=0)},
        runs={"one": {"speed": 3.0}},
        table={"header": ["network", "speed"], "rows": [["one", "3.0"], ["two", "4.0"]]},
    )
    assert run(render, monkeypatch) == 0
    page = (render.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "| network | speed |\n|---|---|\n| one | 3.0 |\n| two | 4.0 |\n" in page


def test_interleaved_sides_take_turns(common):
    order = []
    sides = {name: lambda name=name: order.append(name) or float(len(order)) for name in "ab"}
    runs = common.interleave(sides, rounds=3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert runs == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}


def test_ratio_is_the_median_of_the_rounds(common):
    made = common.ratio([2.0, 9.0, 3.0], [1.0, 3.0, 3.0], at_least=1.7)
    assert (made["value"], made["low"], made["high"], made["met"]) == (2.0, 1.0, 3.0, True)
    with pytest.raises(ValueError, match="argument 2 is longer"):
        common.ratio([1.0], [1.0, 2.0])


def test_machine_is_told_in_words(common):
    import socket

    words = common.machine()
    assert "cores" in words
    assert "GiB of memory" in words
    assert socket.gethostname() not in words
