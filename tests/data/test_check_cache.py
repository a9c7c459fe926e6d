"""A check that was killed goes on, and never trusts a cache that it should not."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.core.writing import WriteError
from auricle.data import check, read_dataset
from auricle.data.check import cache as cache_module
from auricle.data.check import measuring
from auricle.data.config import DataConfig

RATE = 8000
KILLED_AFTER = 9

# A process that kills itself the hard way in the middle of a check.
KILL = f"""
import os, signal, sys
from auricle.data import check, read_dataset
from auricle.data.check import cache
from auricle.data.config import DataConfig
cache._COMMIT_EVERY_S = 0
def stop(done, total):
    if done == {KILLED_AFTER}:
        os.kill(os.getpid(), signal.SIGKILL)
check(read_dataset(sys.argv[1], DataConfig()), cache=sys.argv[2], workers=1, progress=stop)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty sounds and one file that was cut short."""
    for at in range(20):
        rng = np.random.default_rng(at)
        path = tmp_path / "data" / "ab"[at % 2] / f"{at:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.uniform(-1, 1, RATE), RATE)
    cut = path.with_name("zz.wav")
    cut.write_bytes(path.read_bytes()[:5000])
    return tmp_path / "data"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded since."""
    names: list[str] = []
    measure = measuring.measure

    def note(clip: Clip):
        names.append(Path(clip.path).name)
        return measure(clip)

    monkeypatch.setattr(measuring, "measure", note)
    return names


@pytest.fixture
def run(folder: Path) -> Callable[..., object]:
    return lambda cache=None: check(read_dataset(folder, DataConfig()), cache=cache, workers=2)


def test_what_is_known_is_not_decoded_again(run, measured, tmp_path: Path):
    first = run(tmp_path / "new folder" / "cache")
    assert len(measured) == 21
    assert "truncated" in {one.kind for one in first.findings}
    measured.clear()
    assert run(tmp_path / "new folder" / "cache") == first
    assert measured == []
    assert run() == first


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX")
def test_a_killed_check_goes_on_where_it_stopped(run, measured, folder, tmp_path: Path):
    whole = run()
    measured.clear()
    cache = tmp_path / "cache"
    killed = subprocess.run(
        [sys.executable, "-c", KILL, str(folder), str(cache)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert run(cache) == whole
    assert 21 - KILLED_AFTER <= len(measured) <= 21 - KILLED_AFTER + 1


def test_a_file_that_changed_is_measured_again(run, measured, folder, tmp_path: Path):
    cache = tmp_path / "cache"
    run(cache)
    measured.clear()
    soundfile.write(folder / "a" / "00.wav", np.zeros(RATE), RATE)
    touched = folder / "a" / "02.wav"
    os.utime(touched, ns=(0, 0))
    report = run(cache)
    assert sorted(measured) == ["00.wav", "02.wav"]
    assert [one.kind for one in report.findings if "00.wav" in one.paths[0]] == ["silent"]


def test_stretches_of_one_file_are_kept_apart(make_manifest, measured, folder, tmp_path: Path):
    path = str(folder / "a" / "00.wav")
    clips = [Clip(path, ("a",), 0.0, 0.5), Clip(path, ("a",), 0.5, 1.0), Clip(path, ("a",))]
    first = check(make_manifest(clips), cache=tmp_path / "cache")
    assert check(make_manifest(clips), cache=tmp_path / "cache") == first
    assert len(measured) == 3


def test_what_may_pass_is_not_remembered(make_manifest, measured, tmp_path: Path):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    for _ in range(2):
        report = check(make_manifest([Clip(str(text), ("a",))]), cache=tmp_path / "cache")
        assert report.findings[0].kind == "unreadable"
    assert len(measured) == 2


@pytest.mark.parametrize("content", [b"path,label\nx.wav,a\n" * 100, b"SQLite format 3\0" * 90])
def test_another_file_is_refused_and_left_alone(run, tmp_path: Path, content: bytes):
    other = tmp_path / "table.csv"
    other.write_bytes(content)
    with pytest.raises(DataError, match="is no cache of 'auricle data check'"):
        run(other)
    assert other.read_bytes() == content


def test_the_database_of_another_program_is_left_alone(run, tmp_path: Path):
    import sqlite3
    from contextlib import closing

    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE clips (precious TEXT)")
        other.commit()
    with pytest.raises(DataError, match="name another file with --cache"):
        run(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT * FROM clips").fetchall() == []


def test_an_older_cache_is_emptied(run, measured, monkeypatch, tmp_path: Path):
    run(tmp_path / "cache")
    measured.clear()
    monkeypatch.setattr(cache_module, "_VERSION", cache_module._VERSION + 1)
    run(tmp_path / "cache")
    assert len(measured) == 21


def test_a_full_disk_is_an_error_and_costs_nothing(run, measured, tmp_path: Path):
    resource = pytest.importorskip("resource")
    cache = tmp_path / "cache"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, limits[1]))
    try:
        with pytest.raises(WriteError, match="cannot write the cache"):
            run(cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert run(cache) == run()


def test_a_folder_that_may_not_be_written(run, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot write the cache"):
        run(tmp_path / "file" / "cache")
