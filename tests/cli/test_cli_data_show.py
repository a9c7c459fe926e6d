"""`auricle data show` as people use it."""

import json

import pytest


@pytest.fixture
def mixed(tmp_path, tone):
    """Two classes; one file of the second is no sound."""
    for index in range(3):
        tone(tmp_path / "mixed" / "low" / f"low {index}.wav", hz=300, seconds=0.5 + index)
    tone(tmp_path / "mixed" / "high" / "one.flac", hz=3000)
    (tmp_path / "mixed" / "high" / "broken.wav").write_text("no sound")
    return tmp_path / "mixed"


def test_counts_lengths_and_spectrograms_are_shown(done, tone_folder):
    out = done("data", "show", tone_folder, "--clips", 2).out
    for text in (
        "noisy low",
        "36 clips of 3 classes in 36 files",
        "median 0.80 s",
        "16000 Hz (36)",
    ):
        assert text in out
    assert out.count("0.8 s, 8 kHz") == 6
    assert any(0x2800 < ord(letter) <= 0x28FF for letter in out)
    assert out == done("data", "show", tone_folder, "--clips", 2).out


def test_the_light_install_shows_the_sheet(run_without_torch, tone_folder, tmp_path):
    shown = run_without_torch("data", "show", tone_folder, "--clips", 1)
    assert shown.returncode == 0, shown.stderr
    assert "36 clips of 3 classes" in shown.stdout
    refused = run_without_torch("data", "show", tone_folder, "--output", tmp_path / "a.png")
    assert refused.returncode == 2
    assert "pip install 'auricle[train]'" in refused.stderr


def test_bad_files_are_told_and_the_rest_is_shown(cli, mixed):
    outcome = cli("data", "show", mixed)
    assert outcome.status == 1
    assert "broken.wav is not a sound file" in outcome.err
    assert "bad: " in outcome.out
    assert "low 2.wav" in outcome.out
    assert cli("data", "show", mixed, "--allow-skips").status == 0


def test_figures_go_to_json_and_pictures_to_png(done, tone_folder, tmp_path):
    done("data", "show", tone_folder, "--output", tmp_path / "show.json")
    figures = json.loads((tmp_path / "show.json").read_text())
    assert figures["clips"] == 36
    assert [view["label"] for view in figures["classes"]] == ["high", "low", "noisy low"]
    done("data", "show", tone_folder, "--clips", 1, "--output", tmp_path / "show.png")
    assert (tmp_path / "show.png").read_bytes()[:4] == b"\x89PNG"


def test_pages_lead_through_many_classes(done, refused, tone_folder):
    first = done("data", "show", tone_folder, "--clips", 1, "--page-size", 2).out
    assert "classes 1 to 2 of 3; --page 2 shows the next" in first
    second = done("data", "show", tone_folder, "--clips", 1, "--page-size", 2, "--page", 2).out
    assert second.count("0.8 s, 8 kHz") == 1
    assert "classes 3 to 3 of 3" in second
    assert "the last is 2" in refused("data", "show", tone_folder, "--page-size", 2, "--page", 3)


def test_one_class_alone(done, refused, tone_folder):
    out = done("data", "show", tone_folder, "--label", "low", "--clips", 1).out
    assert out.count("0.8 s, 8 kHz") == 1
    assert "did you mean 'high'" in refused("data", "show", tone_folder, "--label", "hihg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--clips", -1), "--clips must be at least 0"),
        (("--page", 0), "--page"),
        (("--output", "sheet.gif"), ".json, .png, .svg, .pdf"),
        (("--data.labels", "x"), "did you mean"),
    ],
)
def test_what_makes_no_sense_is_refused(refused, tone_folder, options, message):
    assert message in refused("data", "show", tone_folder, *options)
