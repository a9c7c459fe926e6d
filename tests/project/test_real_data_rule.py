"""A test on real data is never left out in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"


def run_one_test_on_real_data(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_it.py").write_text("def test_it(esc10): pass\n", encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if key not in ("CI", "AURICLE_DATA")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", folder],
        cwd=folder,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("data", [None, "nowhere"])
def test_ci_fails_where_the_data_are_missing(tmp_path: Path, data: str | None):
    environment = {"CI": "true"} | ({"AURICLE_DATA": data} if data else {})
    done = run_one_test_on_real_data(tmp_path, **environment)
    assert done.returncode == 1
    assert "AURICLE_DATA names no folder" in done.stdout


def test_elsewhere_the_skip_is_counted(tmp_path: Path):
    done = run_one_test_on_real_data(tmp_path)
    assert done.returncode == 0
    assert "tests skipped: 1" in done.stdout


def test_with_data_nothing_is_skipped(tmp_path: Path):
    (tmp_path / "real" / "data").mkdir(parents=True)
    done = run_one_test_on_real_data(tmp_path, AURICLE_DATA=str(tmp_path / "real"), CI="true")
    assert done.returncode == 0
    assert "tests skipped: 0" in done.stdout
