"""Fill the list of readers in docs/data-readers.md from the registry.

python tools/readers_page.py            # write the page
python tools/readers_page.py --check    # fail where the page says anything else
"""

import sys
from pathlib import Path

from auricle.data.readers import READERS, reader_names
from pages import fill_between, write_or_check

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data-readers.md"


def main() -> int:
    """Write or check the page; return the exit status."""
    return write_or_check(PAGE, fill, "readers-page", __doc__ or "")


def fill(text: str) -> str:
    """Return the page with the list of readers as it is now between its marks."""
    return fill_between(text, "readers", table())


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
