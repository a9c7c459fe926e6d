"""The run folder: what a run that fails, or is killed while it starts, leaves of it."""

import shutil
from pathlib import Path

import pytest

import auricle
from auricle.core.errors import ConfigError, DataError


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def spoilt(tone_folder, tmp_path) -> Path:
    """The tones, with more clips that cannot be read than a run puts up with."""
    folder = Path(shutil.copytree(tone_folder, tmp_path / "spoilt"))
    for path in sorted(folder.glob("high/*.wav"))[:6]:
        path.write_text("this is not sound")
    return folder


def test_a_run_that_cannot_start_leaves_no_folder(spoilt, tmp_path):
    with pytest.raises(DataError, match="cannot be used"):
        auricle.train(spoilt, model="small_resnet_tiny", epochs=1, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_forced_run_that_cannot_start_leaves_the_old_one(train_tones, spoilt, tmp_path):
    run = train_tones(tmp_path / "run", epochs=1).folder
    before = files_of(run)
    with pytest.raises(DataError, match="cannot be used"):
        auricle.train(spoilt, model="small_resnet_tiny", epochs=1, output=run, force=True)
    assert files_of(run) == before


def test_a_folder_in_use_is_refused_before_anything_is_decoded(train_tones, tmp_path, monkeypatch):
    run = train_tones(tmp_path / "run", epochs=1).folder
    monkeypatch.delattr("auricle.audio.load")
    monkeypatch.delattr("auricle.audio.probe")
    with pytest.raises(ConfigError, match="not empty"):
        train_tones(run, epochs=1)
    with pytest.raises(ConfigError, match="epochs: 2"):
        train_tones(run, epochs=2, resume=True)


def test_killed_between_its_first_two_files_it_starts_again(train_tones, tmp_path):
    run = train_tones(tmp_path / "run", epochs=1).folder
    manifest = (run / "manifest.csv").read_bytes()
    killed = tmp_path / "killed"
    killed.mkdir()
    shutil.copy(run / "config.yaml", killed)
    train_tones(killed, epochs=1, resume=True)
    assert (killed / "manifest.csv").read_bytes() == manifest
    assert (killed / "model.safetensors").is_file()


def test_what_killed_saves_left_is_cleared_away(train_tones, tmp_path):
    run = train_tones(tmp_path / "run", epochs=1).folder
    (run / "checkpoints" / ".last.k1ll3d__.part").mkdir()
    (run / "checkpoints" / "best" / ".model.safetensors.k1ll3d__.part").write_text("half")
    train_tones(run, epochs=1, resume=True)
    assert list(run.rglob(".*.part")) == []
