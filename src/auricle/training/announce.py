"""What a run says: what was given, what will be trained, what came out."""

from collections.abc import Sequence
from pathlib import Path

from auricle.artifact.classifier import Classifier
from auricle.artifact.summary import LAYER_HEADER, layer_rows, summarise
from auricle.core.reporting import Reporter
from auricle.data import SPLITS, Manifest
from auricle.evaluation import Result, figure_sentence, interval
from auricle.training.clips import BadClip
from auricle.training.config import RunConfig


def announce_start(
    reporter: Reporter, manifest: Manifest, config: RunConfig, folder: Path, command: str
) -> None:
    """Say what was given, where the resolved config is, and how the clips are split."""
    reporter.say(f"given: {command}")
    reporter.say(f"config: {folder / 'config.yaml'}")
    for note in manifest.notes:
        reporter.say(f"data: {note}")
    counts, sizes = manifest.counts(), manifest.split_sizes()
    used = [split for split in SPLITS if any(of_split.get(split) for of_split in counts.values())]
    rows = [[label, *(counts[label].get(split, 0) for split in used)] for label in manifest.labels]
    clips = [sizes[split] for split in used]
    reporter.table("clips per class", ["class", *used], [*rows, ["all", *clips]])


def announce_network(reporter: Reporter, classifier: Classifier, config: RunConfig) -> None:
    """Show the network: layers, output shapes, parameters, multiply-adds and memory."""
    assert config.data.clip_s is not None  # resolve_parts fills it
    summary = summarise(classifier, config.data.clip_s)
    name = f"{config.frontend['name']} -> {config.model['name']}"
    reporter.table(name, LAYER_HEADER, layer_rows(summary))
    activations_mb = summary.activations_mb * config.train.batch_size
    reporter.say(
        f"{summary.parameters:,} parameters, {summary.multiply_adds / 1e6:.1f} M multiply-adds for "
        f"a clip of {summary.seconds:g} s; weights {summary.weights_mb:.1f} MB, activations of a "
        f"training batch about {activations_mb:.0f} MB"
    )


def announce_bad(reporter: Reporter, bad: Sequence[BadClip]) -> None:
    """Count the clips that were left out and name the first few."""
    if bad:
        reporter.warn(f"{len(bad)} clips were left out:")
        for clip in bad[:5]:
            reporter.warn(f"  {clip.reason}")


def make_card(config: RunConfig, manifest: Manifest, command: str, verdict: str) -> str:
    """Write the model card: what it is, what it was trained on, how well it does."""
    lines = [
        "# Sound classifier",
        "",
        f"{config.model['name']} on {config.frontend['name']} features, "
        f"{config.frontend['sample_rate']} Hz, {len(manifest.labels)} classes: "
        f"{', '.join(manifest.labels)}.",
        "",
        f"Trained with Auricle: `{command}` (seed {config.train.seed}).",
        "",
        verdict,
    ]
    return "\n".join(lines) + "\n"


def verdict_of(result: Result | None, judged_on: str | None) -> str:
    """Write the measured figures for the model card."""
    if result is None:
        return "It was not judged: no clips were kept for that."
    lines = [f"On the {judged_on} clips, {figure_sentence(result)}.", ""]
    lines += ["| metric | value | 95 % interval |", "|---|---|---|"]
    lines += [
        f"| {name} | {metric.value:.4f} | {interval(metric)} |"
        for name, metric in result.metrics.items()
    ]
    return "\n".join(lines)
