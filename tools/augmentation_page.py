"""Fill the presets and parts in docs/augmentation.md from the registry.

python tools/augmentation_page.py            # write the page
python tools/augmentation_page.py --check    # fail where the page says anything else
"""

import inspect
import json
import sys
from pathlib import Path

from auricle.augment import AUGMENTATIONS
from auricle.augment.presets import DEFAULT_PRESET, PRESETS
from auricle.augment.section import PartHelp, augmentation_keys
from pages import fill_between, write_or_check

PAGE = Path(__file__).resolve().parents[1] / "docs" / "augmentation.md"


def main() -> int:
    """Write or check the page; return the exit status."""
    return write_or_check(PAGE, fill, "augmentation-page", __doc__ or "")


def fill(text: str) -> str:
    """Return the page with presets and parts as they are now between its marks."""
    return fill_between(text, "parts", presets() + "".join(map(section, augmentation_keys())))


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
