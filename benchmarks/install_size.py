"""Install the base package alone, weigh it, and ask every command for help without torch.

    python benchmarks/install_size.py            # measure and write benchmarks/results/install.json
    python benchmarks/install_size.py --check    # only fail where the light install is broken

The package is installed from a copy of its sources, at the pinned versions, into a fresh
environment in a temporary folder.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from common import ROOT, figure, record

TARGET_MB = 250
REPEATS = 7
HEAVY = ("torch", "torchvision", "accelerate", "safetensors", "onnx", "pandas", "matplotlib", "av")
# Walks the commands as the command line itself registers them, so that no command is forgotten.
LIST_COMMANDS = """
from auricle.cli import build_app

def walk(app, path):
    for name in app:
        if not name.startswith("-"):
            print(*path, name)
            walk(app[name], (*path, name))

walk(build_app(), ())
"""


def main() -> int:
    """Measure, or check; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write no result")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as temporary:
        python, size_mb = install_base(Path(temporary))
        print(f"base install: {size_mb:.0f} MB (target {TARGET_MB})")
        problems = [f"the base install brings {name}" for name in heavy_packages(python)]
        problems += failing_helps(python)
        if size_mb > TARGET_MB:
            problems.append(f"the base install weighs {size_mb:.0f} MB, over {TARGET_MB}")
        if not check:
            write_result(size_mb, [time_help(python) for _ in range(REPEATS)])
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def install_base(folder: Path) -> tuple[Path, float]:
    """Install the package without extras under `folder`; return its Python and the MB it added."""
    sources = folder / "sources"
    # A copy, because building inside the checkout leaves a build folder that later builds reuse.
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", sources / "src", ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    before = _size_mb(environment)
    pip = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", sources]
    subprocess.run(pip, check=True)
    return python, _size_mb(environment) - before


def heavy_packages(python: Path) -> list[str]:
    """Return the packages of the training side that are installed beside `python`."""
    ask = "import importlib.util, sys; print(*filter(importlib.util.find_spec, sys.argv[1:]))"
    return _output(python, "-c", ask, *HEAVY).split()


def failing_helps(python: Path) -> list[str]:
    """Return what is wrong with `auricle --help` and with every command's help."""
    commands = ["", *_output(python, "-c", LIST_COMMANDS).splitlines()]
    problems = []
    for command in commands:
        line = [python, "-m", "auricle", *command.split(), "--help"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode or "Usage" not in done.stdout:
            problems.append(f"auricle {command} --help fails without torch: {done.stderr[-500:]}")
    print(f"help without torch: {len(commands)} asked, {len(problems)} failed")
    return problems


def time_help(python: Path) -> float:
    """Return the seconds that `auricle --help` takes in a fresh process."""
    start = time.perf_counter()
    _output(python, "-m", "auricle", "--help")
    return time.perf_counter() - start


def write_result(size_mb: float, help_s: list[float]) -> None:
    """Write `benchmarks/results/install.json`."""
    record(
        "install",
        title="Installation and start",
        what=(
            "The base install (no extras) in a fresh environment: what it adds to the empty "
            "environment, and the seconds of `auricle --help` in a fresh process (median)."
        ),
        command="python benchmarks/install_size.py",
        seed=None,
        figures={
            "base_install": figure(size_mb, "MB", digits=0, at_most=TARGET_MB),
            "help": figure(
                statistics.median(help_s), "s", digits=2, low=min(help_s), high=max(help_s)
            ),
        },
        runs={"help_s": help_s, "base_install_mb": [size_mb]},
    )


def _output(python: Path, *arguments: str) -> str:
    line = [python, *arguments]
    return subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout


def _size_mb(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
