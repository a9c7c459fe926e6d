"""`check`: what is wrong with a data set, found before it costs a training run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from auricle.data.check import looks, sameness
from auricle.data.check.cache import measure_cache
from auricle.data.check.measuring import measure_all
from auricle.data.check.report import SEVERITIES, CheckReport, Finding, Kind, Severity
from auricle.data.label_errors import Scores, label_errors
from auricle.data.manifest import Manifest

__all__ = ["SEVERITIES", "CheckReport", "Finding", "Kind", "Severity", "check"]


def check(
    manifest: Manifest,
    *,
    workers: int | None = None,
    scores: Scores | None = None,
    cache: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Decode every clip and report what is wrong with the data set.

    `workers` threads decode side by side (default: one per processor); `scores` are those of a
    classifier that did not train on the clips they judge, and show likely label errors; `cache`
    is a file of measurements from which a killed run goes on; `progress` is called with clips
    done and clips in all. Bad files become findings; nothing is raised for them. Groups and
    duplicates across splits are looked for where clips have a split, else across folds. Files
    are decoded in blocks, and about 600 bytes are kept of a clip of 5 s.

    Raises `DataError` for a `cache` that is something else and for scores that do not fit,
    `WriteError` where the cache cannot be written.
    """
    with measure_cache(cache) as kept:
        measures, faults = measure_all(manifest, workers=workers, cache=kept, progress=progress)
    copies = sameness.exact_copies(measures)
    pairs = sameness.near_pairs(manifest, measures, copies, workers)
    findings = [
        *faults,
        *looks.unusable(manifest),
        *looks.levels(manifest, measures),
        *looks.lengths(manifest, measures),
        *looks.formats(manifest, measures),
        *sameness.same_sound(manifest, copies),
        *sameness.nearly_same_sound(manifest, pairs),
        *looks.group_leaks(manifest),
        *looks.classes(manifest),
        *([] if scores is None else label_errors(manifest, scores)),
    ]
    durations_s = measures.column("duration_s")
    return CheckReport(
        # Stable: within a kind, findings stay in the order in which they were found.
        findings=tuple(
            sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.kind))
        ),
        clips=len(manifest.clips),
        labels={label: sum(by.values()) for label, by in manifest.counts().items()},
        duration_s=float(durations_s.sum()),
        median_s=float(np.median(durations_s)) if len(durations_s) else 0.0,
        sample_rates=looks.tally(measures.column("sample_rate")),
        channels=looks.tally(measures.column("channels")),
    )
