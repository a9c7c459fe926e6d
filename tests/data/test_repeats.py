"""Rows that name the same stretch again, against the rule spelt out with dictionaries."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from auricle.core.types import Clip
from auricle.data.clips import Clips
from auricle.data.repeats import contradictions, merged, without_repeats


def rows(most_labels: int) -> st.SearchStrategy[list[Clip]]:
    return st.lists(
        st.builds(
            Clip,
            path=st.sampled_from(["a.wav", "b.wav", "c.wav"]),
            labels=st.lists(st.sampled_from("xyz"), max_size=most_labels, unique=True).map(tuple),
            onset_s=st.sampled_from([0.0, 1.5]),
            offset_s=st.sampled_from([None, 2.0]),
            split=st.sampled_from([None, "train"]),
            group=st.sampled_from([None, "g"]),
        ).map(lambda clip: replace(clip, extra={"at": clip.path})),
        max_size=25,
    )


def place(clip: Clip) -> tuple[object, ...]:
    return clip.path, clip.onset_s, clip.offset_s


def key(clip: Clip) -> tuple[object, ...]:
    return *place(clip), clip.split, clip.fold, clip.group


@given(rows(1))
def test_what_was_said_before_is_left_out(clips: list[Clip]):
    kept = {(key(clip), clip.labels): clip for clip in reversed(clips)}
    found, repeated = without_repeats(Clips.of(clips))
    assert list(found) == [clip for clip in clips if kept[key(clip), clip.labels] is clip]
    assert repeated == len(clips) - len(found)


@given(rows(3))
def test_rows_of_a_stretch_become_one_with_the_labels_of_all(clips: list[Clip]):
    joined: dict[tuple[object, ...], Clip] = {}
    added_nothing = 0
    for clip in clips:
        old = joined.setdefault(key(clip), clip)
        if old is not clip:
            labels = tuple(dict.fromkeys(old.labels + clip.labels))
            added_nothing += labels == old.labels
            joined[key(clip)] = replace(old, labels=labels)
    found, repeated = merged(Clips.of(clips))
    assert list(found) == list(joined.values())
    assert repeated == added_nothing


@given(rows(1))
def test_a_stretch_with_two_labels_is_found(clips: list[Clip]):
    first: dict[tuple[object, ...], int] = {}
    found = []
    for at, clip in enumerate(clips):
        old = first.setdefault(place(clip), at)
        if clips[old].labels != clip.labels:
            found.append((at, old))
    assert contradictions(Clips.of(clips)) == found
