"""What every benchmark shares: interleaved runs, ratios, and the file that holds a result.

A result is `benchmarks/results/<name>.json`: title, what was measured, command, commit, seed,
machine in words, date, versions, figures, the raw runs of both sides, and notes. `render.py` makes
`docs/benchmarks.md` of these files; no figure is written by hand.
"""

import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from auricle.core.writing import write_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = (
    "auricle",
    "numpy",
    "torch",
    "onnxruntime",
    "soundfile",
    "soxr",
    "accelerate",
    "librosa",
    "torchlibrosa",
)

Figure = dict[str, Any]


def figure(
    value: float,
    unit: str = "",
    *,
    digits: int = 3,
    low: float | None = None,
    high: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """Return one figure of a result.

    `low` and `high` bound its interval or range, `digits` are the decimals it is shown with, and
    `at_least` or `at_most` is its target, if it has one.
    """
    made: Figure = {"value": value, "unit": unit, "digits": digits}
    made |= {key: bound for key, bound in (("low", low), ("high", high)) if bound is not None}
    if at_least is not None:
        made |= {"target": f"at least {at_least:g}", "met": value >= at_least}
    if at_most is not None:
        made |= {"target": f"at most {at_most:g}", "met": value <= at_most}
    return made


def interleave(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every side once a round, in alternating order; return each side's raw measurements.

    A machine that slows down for a while then slows all sides, and their ratio holds.
    """
    runs: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in list(sides) if turn % 2 == 0 else reversed(list(sides)):
            runs[name].append(sides[name]())
    return runs


def ratio(
    numerator: Sequence[float],
    denominator: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """Return the median of the round-by-round ratios, with their range, as a figure.

    Raises `ValueError` where the sides have different numbers of rounds.
    """
    ratios = [top / bottom for top, bottom in zip(numerator, denominator, strict=True)]
    return figure(
        statistics.median(ratios),
        "times",
        digits=2,
        low=min(ratios),
        high=max(ratios),
        at_least=at_least,
        at_most=at_most,
    )


def median(values: Sequence[float], unit: str, **how: Any) -> Figure:
    """Return the median of raw measurements with their range; `how` is passed to `figure`."""
    middle = statistics.median(values)
    return figure(middle, unit, low=min(values), high=max(values), **how)


def record(
    name: str,
    *,
    title: str,
    what: str,
    command: str,
    seed: int | None,
    figures: Mapping[str, Figure],
    runs: Mapping[str, Any],
    table: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    folder: Path | None = None,
) -> Path:
    """Write a result and return its path.

    `what` says in a sentence or two what was measured; `command` is what a person types to measure
    it again; `runs` are the raw measurements of every side; `table` (`header` and `rows` of texts)
    is shown as it is, for what is too much for figures; `seed` is None where nothing is drawn;
    `folder` is where a trial goes instead of `benchmarks/results`.
    """
    path = (folder or RESULTS) / f"{name}.json"
    result = {
        "name": name,
        "title": title,
        "what": what,
        "command": command,
        "commit": commit(),
        "seed": seed,
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "figures": dict(figures),
        "runs": dict(runs),
        **({} if table is None else {"table": dict(table)}),
        "notes": list(notes),
    }
    write_json(path, result)
    print(f"wrote {path}; now: make bench-page")
    return path


def commit() -> str:
    """Return the commit that is checked out, with `-dirty` where `src` or `benchmarks` differ."""
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "src", "benchmarks/*.py")
    return f"{head}-dirty" if changed else head


def machine() -> str:
    """Return the machine in words: processor, cores, memory, system. No host names."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB of memory, "
        f"{platform.system()}"
    )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide how fast things are."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
