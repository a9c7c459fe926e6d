"""No golden entry is left without a test."""

import re
from pathlib import Path

FAMILY = re.compile(r'^FAMILY = "([^"]+)"$', re.MULTILINE)
ELSEWHERE = {"events", "inputs"}  # tests/events reads events.json


def test_parity_claims_every_entry(parity):
    claimed = {
        family
        for path in Path(__file__).parent.glob("test_parity_*.py")
        for family in FAMILY.findall(path.read_text(encoding="utf-8"))
    }
    there = {path.name.split(".")[0] for path in parity.glob("*.json")}
    assert there - claimed - {name for name in there if name.startswith("inputs")} <= ELSEWHERE
