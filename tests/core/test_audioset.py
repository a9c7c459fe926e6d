"""The labels of AudioSet are the published ones, in the published order."""

import hashlib
from importlib.resources import files

import pytest

from auricle.core.audioset import AUDIOSET_CLASSES, audioset_ids, audioset_labels

# Of the file that Google publishes, as two projects that pin it state.
PUBLISHED_SHA256 = "cdd1049833c4b86127c2773ac0d14a2754b6a6d0d1798002ed5c66e699708429"

KNOWN = {
    0: ("/m/09x0r", "Speech"),
    1: ("/m/05zppz", "Male speech, man speaking"),
    74: ("/m/0bt9lr", "Dog"),
    137: ("/m/04rlf", "Music"),
    300: ("/m/07yv9", "Vehicle"),
    345: ("/m/08j51y", "Dental drill, dentist's drill"),
    500: ("/m/028v0c", "Silence"),
    526: ("/m/07hvw1", "Field recording"),
}


def test_the_file_is_the_published_one():
    content = files("auricle.core").joinpath("audioset_labels.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == PUBLISHED_SHA256


def test_527_classes_that_differ_and_are_not_sorted():
    labels, identifiers = audioset_labels(), audioset_ids()
    assert len(set(labels)) == len(set(identifiers)) == len(labels) == AUDIOSET_CLASSES == 527
    assert list(labels) != sorted(labels)
    assert list(identifiers) != sorted(identifiers)


@pytest.mark.parametrize("index", KNOWN)
def test_known_classes_stand_at_their_index(index: int):
    assert (audioset_ids()[index], audioset_labels()[index]) == KNOWN[index]


def test_the_licence_and_the_source_lie_beside_the_labels():
    note = files("auricle.core").joinpath("audioset_labels.LICENSE.txt").read_text("utf-8")
    assert "CC BY 4.0" in note
    assert "class_labels_indices.csv" in note
    assert PUBLISHED_SHA256 in note
