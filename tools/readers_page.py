"""Fill the list of readers in docs/data-readers.md from the registry.

python tools/readers_page.py            # write the page
python tools/readers_page.py --check    # fail where the page says anything else
"""

import argparse
import sys
from pathlib import Path

from auricle.core.errors import AuricleError
from auricle.data.readers import READERS, reader_names

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data-readers.md"
START, END = "<!-- readers -->\n", "<!-- /readers -->"


def main() -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail where the page differs")
    check = parser.parse_args().check
    text = PAGE.read_text(encoding="utf-8")
    filled = fill(text)
    if text == filled:
        return 0
    if check:
        print("docs/data-readers.md differs; run: make readers-page", file=sys.stderr)
        return 1
    PAGE.write_text(filled, encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


def fill(text: str) -> str:
    """Return the page with the list of readers as it is now between its marks."""
    before, found, rest = text.partition(START)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise AuricleError(f"{PAGE} has lost the marks {START.strip()} and {END}")
    return f"{before}{START}{table()}{END}{after}"


def table() -> str:
    """Return the readers, in the order in which they are asked, as a table."""
    rows = ["| reader | what it reads | published totals | licence |", "|---|---|---|---|"]
    for name in reader_names():
        about = READERS[name].about
        title = f"[{about.summary}]({about.home})" if about.home else about.summary
        mark = " (experimental)" if about.experimental else ""
        totals = ", ".join(f"{count:,} {what}" for what, count in about.totals.items())
        rows.append(f"| `{name}` | {title}{mark} | {totals} | {about.licence or ''} |")
    return "".join(f"{row}\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
