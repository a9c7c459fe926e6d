"""Rules of the repository that no linter knows."""

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"__pycache__", "runs", "site", "build", "dist", "node_modules"}
LONGEST_FILE = 500
LONGEST_FUNCTION = 60
ALLOWED_LONG_FUNCTIONS: set[str] = set()

# Written in pieces, so that this file does not break the rules it holds.
FORBIDDEN = {
    "the folder of the real data": re.compile(r"(\.\.|\w|[\"'`])/shar" + r"ed\b|\bshar" + "ed/"),
    "a path of one machine": re.compile(r"(?<![\w.])/(work|root|home|Users)/\w"),
    "a package registry's host": re.compile(
        r"pypi\." + r"org|python" + r"hosted|download\.py" + r"torch|registry\.npm" + "js"
    ),
}
MAY_NAME_THE_DATA = Path(".ci/run")

EXTRAS = {
    "train", "models", "openvino", "av", "data", "serve", "mic", "cluster", "dev", "all",
    "track-tensorboard", "track-wandb", "track-mlflow", "track-swanlab",
}  # fmt: skip


def committed_files() -> Iterator[Path]:
    """Every text file of ours, without asking git: a fresh machine may have none."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
        if hidden or NOT_OURS & set(parts) or any(part.endswith(".egg-info") for part in parts):
            continue
        if path.is_file() and path.suffix not in {".pyc", ".png", ".onnx", ".log"}:
            yield path


def python_files() -> list[Path]:
    return [path for path in committed_files() if path.suffix == ".py"]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_the_walk_sees_the_repository():
    seen = {path.relative_to(ROOT).as_posix() for path in committed_files()}
    assert {"pyproject.toml", ".ci/run", "src/auricle/core/config.py", "README.md"} <= seen


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in committed_files()
        if path.relative_to(ROOT) != MAY_NAME_THE_DATA
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, f"names {what}:\n" + "\n".join(found)


def test_forbidden_names_are_recognised():
    data, machine, host = FORBIDDEN.values()
    assert data.search("$(cd .. && pwd)/shar" + "ed") or data.search("../shar" + "ed/data")
    assert not data.search("a mistake shared by all")
    assert machine.search("cd /wo" + "rk/main")
    assert not machine.search("https://example.com/work/main")
    assert host.search("https://py" + "pi.org/simple")


def test_files_stay_short():
    lengths = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in python_files()
    }
    assert not {path: length for path, length in lengths.items() if length > LONGEST_FILE}


def code_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which for a command is its whole help."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return length
    docstring = function.body[0]
    return length - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def test_functions_stay_short():
    lengths = {
        f"{path.relative_to(ROOT).as_posix()}:{node.name}": code_length(node)
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    too_long = {name for name, length in lengths.items() if length > LONGEST_FUNCTION}
    assert too_long <= ALLOWED_LONG_FUNCTIONS


def test_extras_are_the_promised_ones():
    assert set(project()["optional-dependencies"]) == EXTRAS


def test_base_install_is_light():
    names = {canonicalize_name(Requirement(line).name) for line in project()["dependencies"]}
    assert names == {
        "numpy", "soundfile", "soxr", "onnxruntime", "pydantic", "pyyaml", "cyclopts", "rich",
    }  # fmt: skip


def test_constraints_pin_all_and_dev():
    extras = project()["optional-dependencies"]
    wanted = [*project()["dependencies"], *extras["dev"]]
    for extra in Requirement(extras["all"][0]).extras:
        wanted += extras[extra]
    for line in wanted:
        requirement = Requirement(line)
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin is not None, f"constraints.txt does not pin {requirement.name}"
        assert requirement.specifier.contains(pin, prereleases=True), f"{line} against {pin}"


def test_torchaudio_and_librosa_stay_out_and_pandas_comes_with_oracles_of_the_tests_only():
    assert not {"torchaudio", "librosa"} & set(pins())
    oracles = {"cleanlab", "datasets"}
    lines = [*project()["dependencies"], *chain(*project()["optional-dependencies"].values())]
    assert "pandas" not in {canonicalize_name(Requirement(line).name) for line in lines}
    for extra, lines in project()["optional-dependencies"].items():
        if extra != "dev":
            assert not oracles & {canonicalize_name(Requirement(line).name) for line in lines}


def test_changelog_has_the_next_version_or_this_one():
    headings = re.findall(
        r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert headings[0] == "Unreleased" or headings[0] == project()["version"]


def test_version_stands_once():
    import auricle

    assert auricle.__version__ == project()["version"]
