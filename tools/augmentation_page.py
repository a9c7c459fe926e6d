"""Fill the presets and parts in docs/augmentation.md from the registry.

python tools/augmentation_page.py            # write the page
python tools/augmentation_page.py --check    # fail where the page says anything else
"""

import argparse
import inspect
import json
import sys
from pathlib import Path

from auricle.augment import AUGMENTATIONS
from auricle.augment.presets import DEFAULT_PRESET, PRESETS
from auricle.augment.section import PartHelp, augmentation_keys
from auricle.core.errors import AuricleError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "augmentation.md"
START, END = "<!-- parts -->\n", "<!-- /parts -->"


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
        print("docs/augmentation.md differs; run: make augmentation-page", file=sys.stderr)
        return 1
    PAGE.write_text(filled, encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


def fill(text: str) -> str:
    """Return the page with presets and parts as they are now between its marks."""
    before, found, rest = text.partition(START)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise AuricleError(f"{PAGE} has lost the marks {START.strip()} and {END}")
    sections = "".join(section(part) for part in augmentation_keys())
    return f"{before}{START}{presets()}{sections}{END}{after}"


def presets() -> str:
    """Return the presets and their parts as a table."""
    order = [part.name for part in augmentation_keys()]
    rows = ["| preset | parts |", "|---|---|"]
    for name, parts in PRESETS.items():
        default = " (default)" if name == DEFAULT_PRESET else ""
        listed = ", ".join(f"`{part}`" for part in order if part in parts)
        rows.append(f"| `{name}`{default} | {listed} |")
    return "".join(f"{row}\n" for row in rows)


def section(part: PartHelp) -> str:
    """Return what a part is and its options."""
    text = inspect.getdoc(AUGMENTATIONS[part.name]) or ""
    rows = ["| option | default | what it is |", "|---|---|---|"]
    for option in part.options:
        default = json.dumps(option.default)
        rows.append(f"| `{option.option}` | `{default}` | {option.description} |")
    table = "".join(f"{row}\n" for row in rows)
    return f"\n### {part.name}\n\n{text}\n\n{table}"


if __name__ == "__main__":
    sys.exit(main())
