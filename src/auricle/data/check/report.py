"""What a check finds, in plain values."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "note"]
"""error: a clip cannot be used or a figure would be wrong; warning: look at it; note: know it."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""

Kind: TypeAlias = Literal[
    "missing",
    "bad_row",
    "unreadable",
    "truncated",
    "not_finite",
    "damaged",
    "empty",
    "silent",
    "clipped",
    "dc_offset",
    "length",
    "sample_rates",
    "channels",
    "duplicate",
    "near_duplicate",
    "two_labels",
    "leak",
    "label_error",
    "imbalance",
    "single_clip",
    "label_twins",
]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the files it concerns.

    `rows` are the positions of those clips in the manifest, from 0, where it is about clips of
    the manifest: a path alone does not tell the stretches of one file apart.
    """

    kind: Kind
    severity: Severity
    paths: tuple[str, ...]
    detail: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """What `check` found. Durations in seconds, sample rates in Hz, counts of clips."""

    findings: tuple[Finding, ...]
    clips: int
    labels: dict[str, int]
    duration_s: float
    median_s: float
    sample_rates: dict[int, int]
    channels: dict[int, int]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are more than notes."""
        return self.at_least("warning")

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of that severity or a worse one."""
        worst = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(finding for finding in self.findings if finding.severity in worst)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self)
