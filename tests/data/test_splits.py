import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest, apply_splits, drawing, folds, read_dataset
from auricle.data.splits import fold_names

CONFIG = DataConfig()


def manifest_of(rows: list[tuple[str, ...]], *, grouped: bool, root: str = "/data") -> Manifest:
    """Rows `(label, group)`, or `(label,)`; the path tells nothing but the position."""
    clips = tuple(
        Clip(f"{root}/{at:04d}.wav", (row[0],), group=row[1] if grouped else None)
        for at, row in enumerate(rows)
    )
    labels = tuple(sorted({row[0] for row in rows}))
    return Manifest(clips, labels, group_declared=grouped)


def parts(manifest: Manifest, root: str = "/data") -> dict[str, str | None]:
    return {clip.path.removeprefix(root): clip.split for clip in manifest.clips}


classes = st.lists(st.integers(1, 60), min_size=1, max_size=8).map(
    lambda sizes: [(f"c{label}",) for label, size in enumerate(sizes) for _ in range(size)]
)
grouped = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 15).map(str)), min_size=2, max_size=120
)
seeds = st.integers(0, 2**31)
quick = settings(max_examples=60, deadline=None)


@quick
@given(rows=classes, seed=seeds)
def test_a_drawn_split_has_its_shares_overall_and_in_every_class(rows, seed):
    manifest = apply_splits(manifest_of(rows, grouped=False), CONFIG, seed)
    sizes = manifest.split_sizes()
    assert sum(sizes.values()) == len(rows)
    several = sum(count > 1 for count in Counter(rows).values())
    # Classes of one clip must stay in training, whatever the shares say.
    slack = 1.0 + 0.2 * (len(Counter(rows)) - several)
    assert abs(sizes["test"] - 0.2 * len(rows)) <= slack
    assert abs(sizes["validation"] - 0.1 * (len(rows) - sizes["test"])) <= slack
    for label, by in manifest.counts().items():
        total = sum(by.values())
        assert by.get("train", 0) >= 1, label
        assert abs(by.get("test", 0) - 0.2 * total) <= 2


@quick
@given(rows=grouped, seed=seeds)
def test_no_group_is_on_two_sides_and_every_class_can_be_learnt(rows, seed):
    manifest = apply_splits(manifest_of(rows, grouped=True), CONFIG, seed)
    sides: dict[str | None, set[str | None]] = {}
    for clip in manifest.clips:
        sides.setdefault(clip.group, set()).add(clip.split)
    assert all(len(side) == 1 for side in sides.values())
    assert all(by.get("train", 0) >= 1 for by in manifest.counts().values())


@quick
@given(rows=grouped, seed=seeds, k=st.integers(2, 6))
def test_no_group_is_in_two_folds(rows, seed, k):
    manifest = manifest_of(rows, grouped=True)
    if len({group for _, group in rows}) < k:
        with pytest.raises(DataError, match=f"--folds {k}: each fold needs a group"):
            folds(manifest, CONFIG, seed, k)
        return
    manifest, names = folds(manifest, CONFIG, seed, k)
    assert names == fold_names(manifest) == tuple(str(n + 1) for n in range(k))
    sides: dict[str | None, set[str | None]] = {}
    for clip in manifest.clips:
        sides.setdefault(clip.group, set()).add(clip.fold)
    assert all(len(side) == 1 for side in sides.values())


@quick
@given(rows=grouped, seed=seeds, order=st.randoms(use_true_random=False), group=st.booleans())
def test_the_order_and_the_place_of_the_files_change_nothing(
    rows, seed, order: random.Random, group
):
    here = apply_splits(manifest_of(rows, grouped=group), CONFIG, seed)
    moved = manifest_of(rows, grouped=group, root="/else/where")
    clips = list(moved.clips)
    order.shuffle(clips)
    there = apply_splits(Manifest(tuple(clips), moved.labels, group_declared=group), CONFIG, seed)
    assert parts(here) == parts(there, "/else/where")


@pytest.mark.parametrize("pack", ["/x/data.h5", "else/where.TAR"])
def test_a_pack_is_drawn_as_the_files_that_it_holds(pack: str):
    rows = [(label,) for label in "aaaaaaabbbbbbbccccc"]
    files = apply_splits(manifest_of(rows, grouped=False), CONFIG, seed=3)
    clips = [replace(clip, path=pack + "::" + clip.path[len("/data/") :]) for clip in files.clips]
    bare = [replace(clip, split=None) for clip in clips]
    packed = apply_splits(Manifest.of(bare, labels=files.labels), CONFIG, seed=3)
    assert list(packed.clips) == clips


@quick
@given(rows=classes, k=st.integers(2, 5))
def test_drawn_folds_are_stratified(rows, k):
    manifest = manifest_of(rows, grouped=False)
    if len(rows) < k:
        return
    manifest, names = folds(manifest, CONFIG, 0, k)
    by_fold = Counter(clip.fold for clip in manifest.clips)
    assert max(by_fold[name] for name in names) - min(by_fold[name] for name in names) <= 1
    for label in manifest.labels:
        of = Counter(clip.fold for clip in manifest.clips if clip.labels == (label,))
        assert max(of[name] for name in names) - min(of[name] for name in names) <= 2


def test_a_split_is_the_same_for_ever():
    # Written down once: a change of the draw would move clips between parts of old data sets.
    rows = [(label,) for label in "aaaaabbbbb"]
    drawn = parts(apply_splits(manifest_of(rows, grouped=False), CONFIG, seed=7))
    assert {name: split for name, split in drawn.items() if split != "train"} == {
        "/0001.wav": "validation",
        "/0004.wav": "test",
        "/0008.wav": "test",
    }


def test_hashes_that_begin_alike_are_told_apart_by_the_rest(monkeypatch: pytest.MonkeyPatch):
    rows = [(label, str(at % 40)) for at, label in enumerate("ab" * 60)]
    whole = parts(apply_splits(manifest_of(rows, grouped=True), CONFIG, 0))
    monkeypatch.setattr(drawing, "_HASH_SHOWN", 0)
    assert parts(apply_splits(manifest_of(rows, grouped=True), CONFIG, 0)) == whole


@pytest.mark.parametrize("share", [0, 0.1, 0.5])
def test_the_share_of_the_test_part_can_be_set(share: float):
    rows = [(label,) for label in "ab" * 50]
    config = DataConfig(test_share=share, validation_share=0)
    drawn = apply_splits(manifest_of(rows, grouped=False), config, 0)
    assert drawn.split_sizes()["test"] == round(100 * share)
    assert any("were drawn as the test part" in note for note in drawn.notes) == (share > 0)


def test_a_split_does_not_depend_on_how_the_clips_are_held(make_manifest):
    clips = [Clip(f"/d/{at}.wav", ("ab"[at % 2],), group=f"{at % 30}") for at in range(200)]
    held = apply_splits(make_manifest(clips, group_declared=True), CONFIG, 0)
    assert apply_splits(Manifest.of(iter(clips), group_declared=True), CONFIG, 0) == held


def test_another_seed_draws_another_split():
    rows = [(label,) for label in "ab" * 50]
    draws = {
        tuple(parts(apply_splits(manifest_of(rows, grouped=False), CONFIG, seed)).values())
        for seed in range(5)
    }
    assert len(draws) == 5


def test_stretches_of_one_file_stay_together(make_manifest):
    clips = [
        Clip(f"/d/{at // 5}.wav", ("ab"[at % 2],), onset_s=float(at % 5), offset_s=at % 5 + 1.0)
        for at in range(100)
    ]
    manifest = apply_splits(make_manifest(clips), CONFIG, 0)
    sides: dict[str, set[str | None]] = {}
    for clip in manifest.clips:
        sides.setdefault(clip.path, set()).add(clip.split)
    assert all(len(side) == 1 for side in sides.values())
    assert all(manifest.split_sizes().values())


def test_a_recording_whose_stretches_come_apart_is_named(make_manifest):
    # Two speakers in each recording: to keep one whole is to part the other.
    clips = [
        Clip(f"/d/{at // 2}.wav", ("ab"[at % 2],), at % 2, at % 2 + 1.0, group=f"speaker {at}")
        for at in range(40)
    ]
    (note,) = [
        note
        for note in apply_splits(make_manifest(clips, group_declared=True), CONFIG, 0).notes
        if "both sides" in note
    ]
    assert re.search(r"the file '/d/\d+\.wav' has clips in '\w+' and in '\w+'", note)
    whole = [replace(clip, group=clip.path) for clip in clips]
    notes = apply_splits(make_manifest(whole, group_declared=True), CONFIG, 0).notes
    assert not any("both sides" in note for note in notes)


def test_multi_label_clips_are_stratified_too(make_manifest):
    rng = random.Random(0)
    shares = {"a": 0.5, "b": 0.2, "rare": 0.05}
    clips = [
        Clip(f"/d/{at}.wav", tuple(label for label, p in shares.items() if rng.random() < p))
        for at in range(600)
    ]
    manifest = apply_splits(make_manifest(clips, multi_label=True), CONFIG, 0)
    for label, by in manifest.counts().items():
        assert by["test"] == pytest.approx(0.2 * sum(by.values()), abs=3), label


def test_few_large_groups_leave_no_part_empty():
    rows = [("ab"[at % 2], f"speaker {at % 5}") for at in range(100)]
    sizes = apply_splits(manifest_of(rows, grouped=True), CONFIG, 0).split_sizes()
    assert sizes == {"train": 60, "validation": 20, "test": 20}


def with_folds(make_manifest, *, groups: bool = False) -> Manifest:
    clips = [
        Clip(
            f"/d/{at}.wav",
            ("ab"[at % 2],),
            fold=str(at % 5 + 8),
            group=f"g{at // 10}-{at % 5}" if groups else None,
        )
        for at in range(100)
    ]
    return make_manifest(clips, group_declared=groups)


def test_the_last_fold_is_the_test_part_unless_told(make_manifest):
    manifest = with_folds(make_manifest)
    drawn = apply_splits(manifest, CONFIG, 0)
    # 12 comes after 9: folds are numbers.
    assert {clip.fold for clip in drawn.of_split("test").clips} == {"12"}
    assert any("fold 12" in note and "--data.test_fold" in note for note in drawn.notes)
    told = apply_splits(manifest, DataConfig(test_fold=9), 0)
    assert {clip.fold for clip in told.of_split("test").clips} == {"9"}
    assert told.split_sizes() == {"train": 72, "validation": 8, "test": 20}


@pytest.mark.parametrize("groups", [False, True])
def test_validation_comes_out_of_training_folds_only(make_manifest, groups: bool):
    manifest = with_folds(make_manifest, groups=groups)
    drawn = apply_splits(manifest, DataConfig(test_fold="10"), 3)
    assert len(drawn.of_split("test").clips) == 20
    assert "10" not in {clip.fold for clip in drawn.of_split("train", "validation").clips}
    sides = {(clip.group, clip.split) for clip in drawn.clips if groups}
    assert len({group for group, _ in sides}) == len(sides)


def test_validation_may_be_a_fold(make_manifest):
    config = DataConfig(test_fold=8, validation_fold=9)
    drawn = apply_splits(with_folds(make_manifest), config, 0)
    assert {clip.fold for clip in drawn.of_split("validation").clips} == {"9"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fold": 3}, r"--data\.test_fold 3: there is no such fold; the folds are 8, 9, 10"),
        ({"test_fold": 8, "validation_fold": "8"}, "both the test and the validation"),
    ],
)
def test_folds_that_do_not_exist(make_manifest, options, message: str):
    with pytest.raises(DataError, match=message):
        apply_splits(with_folds(make_manifest), DataConfig(**options), 0)


def test_a_test_fold_without_folds_names_the_option():
    with pytest.raises(DataError, match=r"--data\.fold COLUMN"):
        apply_splits(manifest_of([("a",), ("b",)], grouped=False), DataConfig(test_fold=1), 0)


def given_splits(make_manifest, *splits: str, group: str | None = None, fold: bool = False):
    return make_manifest(
        [
            Clip(
                f"/d/{split}{at}.wav",
                ("ab"[at % 2],),
                split=split,
                group=group or f"{split}{at}",
                fold=str(at % 4) if fold else None,
            )
            for split in splits
            for at in range(20)
        ],
        group_declared=True,
    )


def test_given_splits_are_kept(make_manifest):
    manifest = given_splits(make_manifest, "train", "validation", "test")
    assert apply_splits(manifest, CONFIG, 0).clips == manifest.clips


def test_missing_validation_comes_out_of_training(make_manifest):
    drawn = apply_splits(given_splits(make_manifest, "train", "test"), CONFIG, 0)
    assert drawn.split_sizes() == {"train": 18, "validation": 2, "test": 20}
    assert all("train" in clip.path for clip in drawn.of_split("validation").clips)


def test_a_missing_test_part_is_noted_and_not_invented(make_manifest):
    drawn = apply_splits(given_splits(make_manifest, "train", "validation"), CONFIG, 0)
    assert drawn.split_sizes()["test"] == 0
    assert "the test part is empty" in drawn.notes


def test_splits_come_before_folds_unless_a_fold_is_asked_for(make_manifest):
    manifest = given_splits(make_manifest, "train", "validation", "test", fold=True)
    drawn = apply_splits(manifest, CONFIG, 0)
    assert drawn.clips == manifest.clips
    assert any("splits were taken" in note for note in drawn.notes)
    by_fold = apply_splits(manifest, DataConfig(test_fold=0), 0)
    assert {clip.fold for clip in by_fold.of_split("test").clips} == {"0"}
    validated = apply_splits(manifest, DataConfig(validation_fold=0), 0)
    assert {clip.fold for clip in validated.of_split("validation").clips} == {"0"}


def test_a_group_on_two_sides_of_a_given_split_is_refused(make_manifest):
    manifest = given_splits(make_manifest, "train", "test", group="bob")
    with pytest.raises(DataError, match=r"group 'bob' is in two splits.*--data\.group none"):
        apply_splits(manifest, CONFIG, 0)


def test_a_clip_on_two_sides_of_a_given_split_is_refused(make_manifest):
    clips = [Clip("/d/a.wav", ("x",), split=split) for split in ("train", "test")]
    with pytest.raises(DataError, match=r"clip '/d/a\.wav' is in two splits"):
        apply_splits(make_manifest(clips), CONFIG, 0)


def test_a_group_in_two_given_folds_is_refused(make_manifest):
    clips = [Clip(f"/d/{fold}.wav", ("x",), fold=fold, group="bob") for fold in "12"]
    with pytest.raises(DataError, match="group 'bob' is in two folds"):
        folds(make_manifest(clips, group_declared=True), CONFIG, 0)


@pytest.mark.parametrize(
    ("files", "k", "message"),
    [
        (36, 1, "--folds 1: cross-validation needs at least 2 folds"),
        (36, 0, "--folds 0: cross-validation needs at least 2 folds"),
        (3, 5, "each fold needs a file of its own, and the data set has 3 files; take at most "),
        (1, 2, "the data set has 1 file; cross-validation needs two"),
    ],
)
def test_folds_that_cannot_be_made_say_why(files, k, message):
    manifest = manifest_of([("a",)] * files, grouped=False)
    with pytest.raises(DataError, match=re.escape(message)):
        folds(manifest, CONFIG, 0, k)


def test_given_folds_are_used_as_they_are(make_manifest):
    manifest = with_folds(make_manifest)
    assert folds(manifest, CONFIG, 0) == (manifest, ("8", "9", "10", "11", "12"))


def test_a_class_of_one_clip_stays_in_training_and_is_noted():
    rows = [("a",)] * 10 + [("b",)] * 10 + [("lone",)]
    drawn = apply_splits(manifest_of(rows, grouped=False), CONFIG, 0)
    assert drawn.counts()["lone"] == {"train": 1}
    assert any("single clip" in note and "lone" in note for note in drawn.notes)


def test_esc10_folds_and_recordings(esc10: Path):
    config = DataConfig(group="src_file")
    manifest, names = folds(read_dataset(esc10, config), config, 0)
    assert names == tuple("12345")
    for name in names:
        drawn = apply_splits(manifest, config.model_copy(update={"test_fold": name}), 0)
        assert drawn.split_sizes() == {"train": 288, "validation": 32, "test": 80}
        owners: dict[str | None, set[str | None]] = {}
        for clip in drawn.clips:
            owners.setdefault(clip.group, set()).add(clip.split)
        assert all(len(sides) == 1 for sides in owners.values())


def test_fsdd_speakers(fsdd: Path):
    config = DataConfig(group="speaker")
    drawn = apply_splits(read_dataset(fsdd, config), config, 0)
    speakers = {
        split: {clip.group for clip in drawn.of_split(split).clips}
        for split in ("train", "validation", "test")
    }
    assert [len(names) for names in speakers.values()] == [4, 1, 1]
