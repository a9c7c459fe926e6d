"""The demonstration does the main job, step by step."""

import re

import pytest

from auricle.data import demo

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--epochs", "1", "--quiet")
STEPS = (
    "check the data",
    "cross-validate: too few sounds for one honest split",
    "train",
    "judge on clips never seen",
    "export",
    "predict 3 files with the ONNX file",
)


@pytest.mark.parametrize("folds", [None, 2])
def test_the_demo_does_the_main_job(done, tone_folder, tmp_path, monkeypatch, folds):
    found = demo.DemoData(tone_folder, "tones", "tones, made here", folds=folds)
    monkeypatch.setattr(demo, "demo_dataset", lambda *_: found)
    said = done("demo", *TINY, "--output", tmp_path).out
    titles = [title for title in STEPS if folds or "cross" not in title]
    assert re.findall(r"^(\d)\. (.+)$", said, re.MULTILINE) == [
        (str(number), title) for number, title in enumerate(titles, 1)
    ]
    assert said.startswith("data: tones, made here")
    for name in ("run/model.safetensors", "run/model.onnx", "evaluation/confusion.png"):
        assert (tmp_path / name).stat().st_size
    assert (tmp_path / "crossval" / "result.json").is_file() == bool(folds)
    # The last step hears a file of each class.
    heard = said.split(STEPS[-1])[1]
    assert all(re.search(rf"\b{label}-\d+\.wav", heard) for label in ("high", "low", "noisy low"))
