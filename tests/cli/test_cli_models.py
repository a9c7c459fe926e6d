"""`auricle models`: the list, its filters, and one network."""

import csv
import json

import pytest
import yaml

from auricle.artifact import catalogue
from auricle.artifact.catalogue import Wanted
from auricle.augment import AUGMENTATIONS
from auricle.core.errors import MissingExtra
from auricle.models import MODELS

COLUMNS = [
    *("model", "family", "parameters", "multiply_adds_10s", "sample_rate", "frontend", "bins"),
    *("frame_period_s", "sees_all", "receptive_field_s", "step_s", "shortest_s", "clip_s"),
    *("embedding_dim", "frame_scores", "figure", "figure_source", "checkpoint", "verified"),
    *("source", "note"),
]


@pytest.fixture
def listed(done, tmp_path):
    """The rows that `auricle models` writes with some options."""

    def rows(*words: object) -> list[dict[str, str]]:
        path = tmp_path / "models.csv"
        done("models", *words, "--output", path)
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return rows


def names(rows: list[dict[str, str]]) -> list[str]:
    return [row["model"] for row in rows]


def test_the_list_for_people(done):
    shown = done("models", "--family", "panns", "--max-parameters", "6e6").out
    for part in ("cnn6", "4,837,455", "9.93 G", "32,000", "logmel_32k", "10 ms", "0.76 s"):
        assert part in shown
    assert "mAP 0.343 on AudioSet" in shown
    assert "panns/cnn6*" in shown
    assert "never loaded here" in shown
    assert "cnn14" not in shown
    assert "cnn6_tiny" not in shown


def test_what_a_row_says(listed):
    (row,) = [row for row in listed("--frontend", "logmel_8k") if row["model"] == "cnn14_8k"]
    assert list(row) == COLUMNS
    assert row["parameters"] == "80753615"
    assert float(row["receptive_field_s"]) == 2.84
    assert float(row["step_s"]) == 0.32
    assert row["sees_all"] == "False"
    assert (row["sample_rate"], row["bins"], row["embedding_dim"]) == ("8000", "64", "2048")
    assert float(row["frame_period_s"]) == 0.01
    assert row["figure"] == "mAP 0.416 on AudioSet"
    assert row["checkpoint"] == "panns/cnn14_8k"
    assert row["verified"] == "False"


def test_filters_admit_what_they_say():
    names = catalogue.candidates(Wanted(family="panns", frontend="logmel_32k"))
    names += catalogue.candidates(Wanted(family="panns", sample_rate=8000))
    family = [catalogue.examine(name, 10) for name in names]
    assert {"cnn6", "cnn14", "cnn14_8k", "cnn14_decision_max"} <= set(names)
    assert not any(MODELS[name].tiny for name in names)
    for wanted, admits in (
        (Wanted(family="pan"), lambda entry: True),
        (Wanted(family="efficientat"), lambda entry: False),
        (Wanted(sample_rate=8000), lambda entry: entry.sample_rate == 8000),
        (Wanted(frontend="logmel_8k"), lambda entry: entry.name == "cnn14_8k"),
        (Wanted(max_parameters=5e6), lambda entry: entry.counted.summary.parameters <= 5e6),
        (Wanted(max_multiply_adds=1e10), lambda entry: entry.counted.multiply_adds <= 1e10),
        (Wanted(frame_scores=True), lambda entry: "decision" in entry.name),
        (Wanted(published=True), lambda entry: entry.checkpoint),
    ):
        admitted = [
            entry.name
            for entry in family
            if wanted.admits_named(entry) and wanted.admits_counted(entry.counted)
        ]
        assert admitted == [entry.name for entry in family if admits(entry)]


def test_filters_are_flags(listed):
    words = ("--family", "panns", "--sample-rate", 8000, "--frontend", "logmel_8k")
    assert names(listed(*words, "--max-parameters", "1e8", "--published")) == ["cnn14_8k"]
    assert listed(*words, "--frame-scores") == []
    assert listed(*words, "--max-parameters", "1e7") == []
    assert listed(*words, "--max-macs", "1e9") == []


def test_the_list_is_sorted(listed):
    rows = listed("--family", "panns", "--sort", "parameters", "--published")
    assert names(rows) != sorted(names(rows))
    sizes = [int(row["parameters"]) for row in rows]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 5


def test_classes_count(listed):
    ten, eleven = (
        int(listed("--family", "small_resnet", "--classes", n)[0]["parameters"]) for n in (10, 11)
    )
    width = int(listed("--family", "small_resnet")[0]["embedding_dim"])
    assert eleven - ten == width + 1


def test_a_network_whose_extra_is_missing_is_listed_all_the_same(
    listed, done, refused, monkeypatch
):
    def missing(*_: object, **__: object) -> None:
        raise MissingExtra("an image backbone", "models")

    monkeypatch.setattr(catalogue, "build_model", missing)
    (row,) = listed("--family", "small_resnet")
    assert row["note"] == "needs the extra 'models'"
    assert (row["parameters"], row["receptive_field_s"], row["sample_rate"]) == ("", "", "32000")
    assert "needs the extra 'models'" in done("models", "--family", "small_resnet").out
    assert listed("--family", "small_resnet", "--max-parameters", "1e9") == []
    assert "needs the extra 'models'" in refused("models", "small_resnet")


def test_one_network_is_shown_with_its_options_and_layers(done):
    shown = done("models", "small_resnet_tiny", "--classes", 3).out
    for part in ("--model.widths", "--frontend.n_mels", "BatchNorm2d", "1 x ", "logmel_8k"):
        assert part in shown
    for name, part in ((name, AUGMENTATIONS[name]) for name in AUGMENTATIONS):
        assert f"--augment.{name} " in shown
        for option in part.Config.model_fields:
            assert f"--augment.{name}.{option} " in shown
    layers = shown.split("multiply-adds", 2)[2]
    assert "Conv2d" in layers


def test_the_layers_can_be_written(done, tmp_path):
    done("models", "small_resnet_tiny", "--classes", 3, "--output", tmp_path / "layers.jsonl")
    text = (tmp_path / "layers.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert list(rows[0]) == ["layer", "kind", "output", "parameters", "multiply-adds", "MB"]
    with_classes = catalogue.examine("small_resnet_tiny", 3).counted
    assert with_classes is not None
    assert sum(row["parameters"] for row in rows) == with_classes.summary.parameters


def test_options_shown_are_keys_of_the_configuration(done):
    shown = done("models", "cnn6_tiny").out
    flags = {word for word in shown.split() if word.startswith(("--model.", "--frontend."))}
    assert len(flags) > 5
    tree = yaml.safe_load(done("config", "--model", "cnn6_tiny").out)
    keys = {f"--{part}.{key}" for part in ("model", "frontend") for key in tree[part]}
    assert flags == keys - {"--model.name", "--frontend.name"}


def test_augmentations_that_are_off_are_listed_by_config(done, tmp_path):
    text = done("config", "--model", "cnn6_tiny").out
    on = yaml.safe_load(text)["augment"]
    comments = [line for line in text.splitlines() if line.startswith("#   ")]
    off = yaml.safe_load("\n".join(line.removeprefix("#   ") for line in comments))
    assert set(on) - {"preset"} | set(off) == set(AUGMENTATIONS)
    assert not set(on) & set(off)
    # A line of them, under `augment`, turns one on with what is written there.
    tree = yaml.safe_load(text)
    name = next(iter(off))
    tree["augment"][name] = off[name]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree))
    again = yaml.safe_load(done("config", "--config", tmp_path / "config.yaml").out)
    assert again["augment"][name] == off[name]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--family", "pans"], "did you mean 'panns'?"),
        (["--frontend", "logmel_32"], "did you mean 'logmel_32k'?"),
        (["cnn6", "--published"], "leave the filters out"),
        (["--sort", "speed"], "speed"),
        (["--output", "models.txt"], "the suffix says the form"),
    ],
)
def test_mistakes_are_named(refused, words, message):
    assert message in refused("models", *words)
