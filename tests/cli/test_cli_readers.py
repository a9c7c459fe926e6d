"""`auricle data --help` says what DATA may be."""

import pytest

from auricle.data import READERS


@pytest.mark.parametrize("words", [("data", "--help"), ("data",)])
def test_every_reader_is_listed_and_the_experimental_ones_marked(done, words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    lines = done(*words).out.splitlines()
    for name in READERS:
        line = next(line for line in lines if f" {name} " in line and "│" in line)
        assert ("(experimental)" in line) == READERS[name].about.experimental


def test_the_list_needs_no_torch(run_without_torch):
    listed = run_without_torch("data", "--help")
    assert listed.returncode == 0, listed.stderr
    assert "urbansound8k" in listed.stdout
