"""Render every published figure from `benchmarks/results/*.json`.

    python benchmarks/render.py            # write docs/benchmarks.md and fill the marked figures
    python benchmarks/render.py --check    # fail where a page says anything else

The front pages carry figures between markers that name the result and the figure:

    <!-- figure: esc10_crossval.accuracy -->0.931<!-- /figure -->

A marker whose result has not been measured reads "not yet measured"; a marker whose result exists
without that figure is an error.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PENDING = "not yet measured"
PAGE = Path("docs") / "benchmarks.md"
MARKER = re.compile(
    r"<!-- figure: (?P<result>\w+)\.(?P<key>\w+) -->(?P<text>[^<]*)<!-- /figure -->"
)
REQUIRED = ("title", "what", "command", "commit", "seed", "machine", "date", "figures", "runs")

INTRODUCTION = """\
# Benchmarks

<!-- Rendered by benchmarks/render.py from benchmarks/results; do not edit by hand. -->

Every figure on this page stands in a file of `benchmarks/results`, which also holds the raw runs of
both sides. Comparisons are interleaved in one run and given as ratios, with the range over the
rounds. The command under each table measures it again, from a checkout with `make setup` done:
`AURICLE_DATA` names the folder that holds `data/esc10` and `data/fsdd`, and `PATH` is the Python of
an environment with the packages that the first lines of the script name. `--results FOLDER` keeps a
trial away from these files; `--rounds N` makes it short.
"""

NOT_MEASURED = """\
## What was not measured

- Nothing on this page ran on a GPU: none was at hand. So no accuracy after equal minutes of
  training stands beside the networks: on two cores most of them cannot be trained in minutes.
- No published checkpoint was ever loaded from its publisher: none can be reached from where this
  was measured. Files written in the published layouts with known parameters give the references'
  outputs (`tests/parity`); `auricle models` and the [list of checkpoints](checkpoints.md) mark
  each one.
- All ESC-10 and FSDD figures were trained in bf16 autocast; judging is always in fp32.
- ESC-10 from its public repository, as `auricle demo` fetches it, was tested against a server on
  the same machine with the same 400 files, not against the real one.
- The readers of FSD50K, Common Voice, AudioSet (weak and strong) and DESED were not run on their
  archives' own tables, nor Speech Commands on its second version: none could be had. They are
  marked experimental where readers are listed, and follow cited listings. No archive was downloaded
  from its real address; `auricle data download` was tested against a server on the same machine.
- `auricle record` was run against PortAudio with a file in the place of a microphone, never against
  a real one.
- Near duplicates were searched among 20,000 sounds; what is said of a million is an extrapolation.
- Folds 2 and 5 of ESC-10 served as inner validation when the recipe was chosen. As test folds they
  were never looked at before the run above, but they are not untouched.
"""

Result = Mapping[str, Any]


def main() -> int:
    """Render, or check; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail where a page differs")
    check = parser.parse_args().check
    results, problems = read_results(ROOT / "benchmarks" / "results")
    pages = {PAGE: render_page(results)}
    for page in front_pages(ROOT):
        text = (ROOT / page).read_text(encoding="utf-8")
        pages[page], mistakes = fill_markers(text, results)
        problems += [f"{page}: {mistake}" for mistake in mistakes]
    for page, text in pages.items():
        path = ROOT / page
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old != text and check:
            problems.append(f"{page} differs from the results; run: make bench-page")
        elif old != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {page}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def front_pages(root: Path) -> list[Path]:
    """Return the pages that may carry marked figures, relative to `root`."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [page.relative_to(root) for page in pages if page.relative_to(root) != PAGE]


def read_results(folder: Path) -> tuple[dict[str, Result], list[str]]:
    """Return the results by name, and what is wrong with those that lack something."""
    results: dict[str, Result] = {}
    problems = []
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in REQUIRED if key not in result or result[key] in ("", {}, [])]
        if missing:
            problems.append(f"{path.name} lacks {', '.join(missing)}")
        else:
            results[path.stem] = result
    return results, problems


def fill_markers(text: str, results: Mapping[str, Result]) -> tuple[str, list[str]]:
    """Return `text` with every marked figure as measured, and the markers that name no figure."""
    mistakes = []

    def measured(marker: re.Match[str]) -> str:
        name, key = marker["result"], marker["key"]
        value = PENDING
        if name in results:
            figures = results[name]["figures"]
            if key not in figures:
                mistakes.append(f"result '{name}' has no figure '{key}': {', '.join(figures)}")
                return marker[0]
            value = format_value(figures[key])
        return f"<!-- figure: {name}.{key} -->{value}<!-- /figure -->"

    filled = MARKER.sub(measured, text)
    # A marker with a slip in it would otherwise pass for a comment, and its figure unchecked.
    if text.count("<!-- figure") != len(MARKER.findall(text)):
        mistakes.append("a figure marker is malformed")
    return filled, mistakes


def format_value(figure: Mapping[str, Any], key: str = "value") -> str:
    """Write a figure's value, or its bound `low` or `high`, with the figure's decimals."""
    return f"{figure[key]:.{figure.get('digits', 3)}f}"


def render_page(results: Mapping[str, Result]) -> str:
    """Return the benchmark page."""
    sections = [render_section(name, result) for name, result in results.items()]
    return "\n".join([INTRODUCTION, *sections, NOT_MEASURED])


def render_section(name: str, result: Result) -> str:
    """Return one result as a section of the page."""
    lines = [f"## {result['title']}", "", result["what"], ""]
    lines += ["| figure | value | low to high | target | met |", "|---|---|---|---|---|"]
    lines += [_row(key, figure) for key, figure in result["figures"].items()]
    if "table" in result:
        header, rows = result["table"]["header"], result["table"]["rows"]
        lines += ["", _line(header), f"|{'---|' * len(header)}", *map(_line, rows)]
    lines += ["", "```sh", result["command"], "```", ""]
    commit = result["commit"].removesuffix("-dirty")
    changes = " with uncommitted changes" if result["commit"].endswith("-dirty") else ""
    seed = "nothing drawn" if result["seed"] is None else f"seed {result['seed']}"
    facts = [
        f"`benchmarks/results/{name}.json`",
        f"commit `{commit[:12]}`{changes}",
        seed,
        result["date"],
        result["machine"],
        ", ".join(f"{package} {number}" for package, number in result.get("versions", {}).items()),
    ]
    lines += [". ".join(fact for fact in facts if fact) + ".", ""]
    lines += [f"- {note}" for note in result.get("notes", [])]
    return "\n".join(lines).rstrip() + "\n"


def _row(key: str, figure: Mapping[str, Any]) -> str:
    interval = ""
    if "low" in figure and "high" in figure:
        interval = f"{format_value(figure, 'low')} to {format_value(figure, 'high')}"
    cells = [
        key.replace("_", " "),
        f"{format_value(figure)} {figure.get('unit', '')}".rstrip(),
        interval,
        figure.get("target", ""),
        {True: "yes", False: "**no**", None: ""}[figure.get("met")],
    ]
    return _line(cells)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
