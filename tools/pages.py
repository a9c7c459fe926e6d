"""Pages of docs/ that are filled from the code: written, or compared with what they should say."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from auricle.core.errors import AuricleError


def write_or_check(page: Path, fill: Callable[[str], str], target: str, description: str) -> int:
    """Write the page, or with --check only compare it; return the exit status.

    `fill` gives the page as it should be for the text that it has; `target` is what `make` calls
    this.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail where the page differs")
    check = parser.parse_args().check
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    filled = fill(text)
    if text == filled:
        return 0
    if check:
        print(f"docs/{page.name} differs; run: make {target}", file=sys.stderr)
        return 1
    page.write_text(filled, encoding="utf-8")
    print(f"wrote docs/{page.name}")
    return 0


def fill_between(text: str, name: str, content: str) -> str:
    """Return the text of a page with `content` between its marks; `AuricleError` without them."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise AuricleError(f"the page has lost the marks {start.strip()} and {end}")
    return f"{before}{start}{content}{end}{after}"
