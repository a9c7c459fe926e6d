"""A sample submission is filled in its own order, and never changes where there is no answer."""

import os
from pathlib import Path

import pytest

from auricle.core.errors import DataError
from auricle.core.types import Prediction
from auricle.data import open_submission


def test_one_column_gets_the_label_in_the_order_of_the_sample(table):
    path = table("id,target\nb,?\na.wav,?\nc,?\n", "audio_files/a.wav", "audio_files/b.wav")
    sample = open_submission(path)
    names = [os.path.basename(sound) for sound in sample.sounds]
    assert names == ["b.wav", "a.wav", "c"]
    answers = {sound: Prediction((f"<{sound[-5]}>",), (0.5,), sound) for sound in sample.sounds[:2]}
    assert list(sample.filled(("x", "y"), answers)) == [
        ("b", "<b>"),
        ("a.wav", "<a>"),
        ("c", "?"),
    ]


def test_a_column_for_each_class_gets_its_probability(table):
    path = table("id\ty\tx\na.wav\t0\t0\n", "test/a.wav", name="sample.tsv")
    sample = open_submission(path)
    answer = Prediction(("x", "y", "z"), (0.5, 0.3, 0.2), sample.sounds[0])
    rows = list(sample.filled(("x", "y", "z"), {sample.sounds[0]: answer}))
    assert rows == [("a.wav", 0.3, 0.5)]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("id,dog,cta", r"asks for 'cta', which is no class.*did you mean 'cat'"),
        ("id,date,place", "none has the name of a class: 'date', 'place'"),
    ],
)
def test_columns_that_cannot_be_filled_are_refused(table, header: str, said: str):
    sample = open_submission(table(f"{header}\na.wav,0,0\n", "a.wav"))
    with pytest.raises(DataError, match=said):
        sample.classes(("cat", "dog"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id\na.wav\n", "one column only"),
        ("id,target\n", "no rows"),
        ("id,target\n,x\n", "line 2: the id is empty"),
        ("id,target\na.wav,x,y\n", "line 2: more cells than columns"),
        ("id,target\nq.wav,x\n", "1 sound that .* none exists.* --audio-root"),
    ],
)
def test_a_sample_that_cannot_be_used_is_told(table, text: str, said: str):
    with pytest.raises(DataError, match=said):
        open_submission(table(text, "a.wav"))


def test_sounds_may_lie_elsewhere_and_a_folder_must_be_one(table, tmp_path: Path):
    path = table("id,target\na,x\n", "deep/audio/a.wav")
    assert open_submission(path, path.parent / "deep").sounds[0].endswith("deep/audio/a.wav")
    with pytest.raises(DataError, match="is not a folder"):
        open_submission(path, tmp_path / "nowhere")
