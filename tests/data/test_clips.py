"""`Clips`: columns that behave as the sequence of clips that they were made of."""

import pickle
import random
import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.types import Clip
from auricle.data import Manifest, texts
from auricle.data.clips import Clips
from auricle.data.texts import ColumnBuilder, first_appearance, pairs

# Surrogates are bytes of a file's name that are no UTF-8.
names = st.text(st.characters(codec=None) | st.sampled_from("\udcff|\\\n\r,\"' \0"), min_size=1)
clip = st.builds(
    Clip,
    path=names,
    labels=st.lists(st.sampled_from(["a", "b", "", "|", "ü"]), max_size=4).map(tuple),
    onset_s=st.floats(0, 1e9),
    offset_s=st.none() | st.floats(0, 1e9),
    split=st.none() | st.sampled_from(["train", "test"]),
    fold=st.none() | names,
    group=st.none() | names,
    extra=st.fixed_dictionaries({"mic": st.text(), "": st.text()}),
)
several = st.lists(clip, max_size=12)


@pytest.fixture(scope="module", params=[1 << 16, 2], ids=["numbered", "spelt out"])
def limit(request: pytest.FixtureRequest) -> Iterator[int]:
    """Columns of both kinds out of few clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "MOST_NUMBERED", request.param)
        yield request.param


@given(several)
def test_clips_come_out_as_they_went_in(limit, made: list[Clip]):
    clips = Clips.of(iter(made))
    assert list(clips) == made
    assert clips == made
    assert [clips[at] for at in range(-len(made), len(made))] == made + made
    assert Clips.of(clips) is clips


@given(several, st.slices(12))
def test_a_slice_is_that_of_a_list(limit, made: list[Clip], where: slice):
    clips = Clips.of(made)[where]
    assert isinstance(clips, Clips)
    assert list(clips) == made[where]


@given(several, st.randoms(use_true_random=False))
def test_what_is_selected_survives_another_process(limit, made: list[Clip], rng: random.Random):
    rows = [rng.randrange(len(made)) for _ in made[::2]]
    some = Clips.of(made).select(np.array(rows, np.int64))
    assert list(some) == [made[row] for row in rows]
    assert pickle.loads(pickle.dumps(some)) == some  # noqa: S301


def test_a_small_part_does_not_carry_the_whole_to_another_process():
    clips = Clips.of(Clip(f"/d/{'x' * 50}{at}.wav", (str(at % 9), "y")) for at in range(20000))
    assert len(pickle.dumps(clips[:10])) < 3000


def test_many_rows_cross_the_borders_of_blocks():
    made = [
        Clip(
            f"/d/{at}.wav", (f"c{at % 7}",) * (at % 3), group=f"g{at % 5000}", extra={"at": f"{at}"}
        )
        for at in range(20001)
    ]
    clips = Clips.of(iter(made))
    assert list(clips) == made
    assert list(clips[::-7]) == made[::-7]
    assert clips[20000] == made[-1]


def test_rows_take_little_memory_while_they_are_gathered_and_walked():
    rows = 30000
    clips = (
        Clip(f"/sounds/{at % 50}/{at:012x}.flac", ("a", "bc"[at % 2]), group=f"{at % 5000}")
        for at in range(rows)
    )
    tracemalloc.start()
    try:
        manifest = Manifest.of(clips)
        held, most = tracemalloc.get_traced_memory()
        assert held / rows < 110  # 32 of them are the path's letters
        tracemalloc.reset_peak()
        assert sum(clip.path != "" for clip in manifest.clips) == rows
        _, walked = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beside the columns, a block of clips at most.
    block = texts.ROWS_AT_ONCE * 2000
    assert most < held + block
    assert walked < held + block


def test_the_table_is_rectangular_and_empty_is_none():
    made = [Clip("a", group=""), Clip("b", extra={"mic": "left"}), Clip("c", split="", fold="")]
    assert list(Clips.of(made)) == [
        Clip("a", extra={"mic": ""}),
        Clip("b", extra={"mic": "left"}),
        Clip("c", extra={"mic": ""}),
    ]


def test_clips_are_a_sequence_and_nothing_else():
    clips = Clips.of([Clip("a", ("x",)), Clip("b")])
    assert isinstance(clips, Sequence)
    assert clips == (Clip("a", ("x",)), Clip("b"))
    assert (Clip("a", ("x",)), Clip("b")) == clips
    assert clips != [Clip("a", ("x",))]
    assert clips != "ab"
    assert clips.index(Clip("b")) == 1
    assert Clip("a") not in clips
    assert not Clips.of([])
    assert "2 clips" in repr(clips)
    with pytest.raises(IndexError):
        clips[2]
    with pytest.raises(TypeError):
        hash(clips)


def test_other_columns_must_be_as_long():
    clips = Clips.of([Clip("a"), Clip("b")])
    with pytest.raises(ValueError, match="2 clips cannot have 1 splits"):
        clips.having(splits=clips[:1].splits)


@given(st.lists(names, max_size=30))
def test_equal_texts_have_equal_numbers(limit, made: list[str]):
    for numbered in (False, True):
        builder = ColumnBuilder(numbered=numbered)
        builder.add(made)
        codes, first = builder.finish().factorise()
        order = list(dict.fromkeys(made))
        assert codes.tolist() == [order.index(text) for text in made]
        assert first.tolist() == [made.index(text) for text in order]


def test_texts_whose_hashes_collide_stay_apart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(texts, "_hash", len)
    builder = ColumnBuilder(numbered=False)
    builder.add(["ab", "cd", "x", "ab", "y", "cd"])
    codes, first = builder.finish().factorise()
    assert codes.tolist() == [0, 1, 2, 0, 3, 1]
    assert first.tolist() == [0, 1, 2, 4]


@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 2**20)), max_size=20))
def test_pairs_are_numbered_without_overflow(made: list[tuple[int, int]]):
    left, right = np.array(made, np.int32).reshape(-1, 2).T
    codes, _ = first_appearance(pairs(left, right))
    order = list(dict.fromkeys(made))
    assert codes.tolist() == [order.index(pair) for pair in made]


@settings(max_examples=50)
@given(several)
def test_a_manifest_of_columns_counts_as_one_of_objects(made: list[Clip]):
    of_columns = Manifest.of(iter(made))
    of_objects = Manifest(tuple(made), of_columns.labels, multi_label=of_columns.multi_label)
    assert of_columns.counts() == of_objects.counts()
    assert of_columns.split_sizes() == of_objects.split_sizes()
    total = sum(sum(by.values()) for by in of_columns.counts().values())
    assert total == sum(len(clip.labels) for clip in made)
    assert of_columns.labels == tuple(sorted({label for clip in made for label in clip.labels}))
    test = of_columns.of_split("test")
    assert list(test.clips) == [clip for clip in made if clip.split == "test"]
    assert test.labels == of_columns.labels
