"""What each reader of an archive must do beyond the sweep."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.core.errors import DataError
from auricle.data import DataConfig, Manifest, apply_splits, folds, open_submission
from auricle.data.readers.gtzan import GENRES, gtzan_splits


def noted(manifest: Manifest, *words: str) -> bool:
    return any(all(word in note for word in words) for note in manifest.notes)


@pytest.fixture
def esc(table):
    """ESC-50 whose recording 7 has two kinds of sound and stands in two folds."""
    names = ("1-7-A-0.wav", "2-7-A-1.wav", "1-8-A-1.wav", "2-9-A-0.wav")
    rows = "".join(
        f"{name},{name[0]},{name[6]},{'dog' if name[6] == '0' else 'hen'},False,{name[2]},A\n"
        for name in names
    )
    text = f"filename,fold,target,category,esc10,src_file,take\n{rows}"
    sounds = (f"audio/{name}" for name in names)
    (table("", *sounds).parent / "meta").mkdir()
    return table(text, name="meta/esc50.csv").parents[1]


def test_a_recording_in_two_official_folds_is_named_and_the_folds_kept(esc, read):
    manifest = read(esc)
    assert noted(manifest, "1 recording with two kinds of sound", "7")
    assert {clip.fold for clip in manifest.clips} == {"1", "2"}
    assert folds(manifest, DataConfig(), seed=0)[1] == ("1", "2")
    apply_splits(manifest, DataConfig(), seed=0)


def test_without_the_folds_the_recording_is_whole(esc, read):
    manifest = read(esc, fold="none")
    assert not noted(manifest, "two kinds of sound")
    assert sorted(clip.group or "" for clip in manifest.clips) == ["7", "7", "8", "9"]
    assert not any(clip.fold for clip in manifest.clips)


def test_group_none_declares_no_group(esc, read):
    manifest = read(esc, group="none")
    assert not manifest.group_declared
    assert not any(clip.group for clip in manifest.clips)


def test_options_that_name_columns_are_refused_where_they_would_do_nothing(esc, read):
    with pytest.raises(DataError, match=r"--data\.label target: the columns of ESC-50 are fixed"):
        read(esc, label="target")


def test_what_differs_from_the_published_totals_is_told(esc, read):
    manifest = read(esc)
    assert noted(manifest, "4 clips found, where 2,000 are published")
    assert noted(manifest, "2 classes found, where 50 are published")


def test_rows_that_cannot_be_used_are_told_and_the_others_read(table, read):
    path = table(
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
        "a.wav,1,0,1,1,1,3,dog_bark\n"
        ",2,0,1,1,1,3,dog_bark\n"
        "b.wav,3,0,1,1,2,3,dog_bark,too,many\n",
        "audio/fold1/a.wav",
        name="UrbanSound8K.csv",
    )
    (path.parent / "metadata").mkdir()
    path.rename(path.parent / "metadata" / path.name)
    manifest = read(path.parent)
    assert len(manifest.clips) == 1
    assert len(manifest.rejected) == 2
    assert "line 3" in manifest.rejected[0]
    assert "line 4: more cells than columns" in manifest.rejected[1]


def test_a_table_without_an_official_column_names_it(table, read):
    path = table("slice_file_name,fold,class\na.wav,1,x\n", "audio/fold1/a.wav")
    (path.parent / "metadata").mkdir()
    path.rename(path.parent / "metadata" / "UrbanSound8K.csv")
    with pytest.raises(DataError, match="has no column 'fsID'"):
        read(path.parent)


# --- GTZAN


def test_the_fault_filtered_lists_have_the_published_sizes():
    places = gtzan_splits()
    assert Counter(places.values()) == {"train": 443, "validation": 197, "test": 290}
    assert {genre for genre, _ in places} == set(GENRES)
    assert all(0 <= number < 100 for _, number in places)


@pytest.fixture
def gtzan(touch) -> Path:
    return touch(*(f"{genre}/{genre}.{at:05d}.au" for genre in GENRES for at in range(100)))


def test_gtzan_leaves_faulty_excerpts_out_and_the_corrupt_one_by_name(gtzan, read):
    manifest = read(gtzan)
    assert manifest.split_sizes() == {"train": 442, "validation": 197, "test": 290}
    assert noted(manifest, "jazz.00054.au is known to be corrupt")
    assert noted(manifest, "70 excerpts", "--data.split none")
    assert not noted(manifest, "are published")


def test_gtzan_whole_has_no_split(gtzan, read):
    manifest = read(gtzan, split="none")
    assert len(manifest.clips) == 999
    assert not any(clip.split for clip in manifest.clips)
    assert noted(manifest, "jazz.00054.au")


# --- Speech Commands


@pytest.fixture
def commands(touch) -> Path:
    words = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "bed", "cat")
    root = touch(*(f"{w}/{at:08x}_nohash_0.wav" for w in words for at in range(40)))
    lists = {"validation_list.txt": range(8), "testing_list.txt": range(8, 16)}
    for name, numbers in lists.items():
        lines = [f"{word}/{at:08x}_nohash_0.wav\n" for word in words for at in numbers]
        (root / name).write_text("".join(lines))
    (root / "_background_noise_").mkdir()
    soundfile.write(root / "_background_noise_" / "pink.wav", np.zeros(60_000), 1000)
    soundfile.write(root / "_background_noise_" / "tap.wav", np.zeros(30_000), 1000)
    (root / "_background_noise_" / "README.md").touch()
    return root


def test_the_noise_is_no_word_and_speakers_are_groups(commands, read):
    manifest = read(commands)
    assert "_background_noise_" not in manifest.labels
    assert len(manifest.clips) == 480
    assert manifest.split_sizes() == {"train": 288, "validation": 96, "test": 96}
    assert manifest.clips[0].group == "00000000"
    apply_splits(manifest, DataConfig(), seed=0)


def test_twelve_classes_have_a_tenth_of_unknown_words_and_of_silence_in_each_part(commands, read):
    manifest = read(commands, reader="speech_commands_12")
    assert len(manifest.labels) == 12
    counts = manifest.counts()
    wanted = {"train": 24, "validation": 8, "test": 8}
    assert counts["_unknown_"] == counts["_silence_"] == wanted
    assert {clip.extra["word"] for clip in manifest.clips if clip.labels == ("_unknown_",)} == {
        "bed",
        "cat",
    }
    assert read(commands, reader="speech_commands_12").clips == manifest.clips
    apply_splits(manifest, DataConfig(), seed=0)


def test_no_part_hears_the_noise_of_another(commands, read):
    silence = [
        clip
        for clip in read(commands, reader="speech_commands_12").clips
        if clip.labels == ("_silence_",)
    ]
    for path in {clip.path for clip in silence}:
        spans: dict[str, list[tuple[float, float]]] = {}
        for clip in silence:
            if clip.path == path:
                assert clip.split is not None
                assert clip.offset_s is not None
                assert clip.offset_s - clip.onset_s == pytest.approx(1)
                spans.setdefault(clip.split, []).append((clip.onset_s, clip.offset_s))
        assert min(on for on, _ in spans["validation"]) >= max(off for _, off in spans["train"])
        assert min(on for on, _ in spans["test"]) >= max(off for _, off in spans["validation"])
        assert max(off for _, off in spans["test"]) <= soundfile.info(path).duration + 1e-6


def test_a_noise_that_cannot_be_read_is_told(commands, read):
    (commands / "_background_noise_" / "bad.wav").write_text("no sound")
    manifest = read(commands, reader="speech_commands_12")
    assert any("bad.wav" in line for line in manifest.rejected)
    assert manifest.counts()["_silence_"]["train"] == 24


# --- lists


def test_words_need_no_label_list_and_blanks_may_stand_anywhere(table, read):
    path = table(
        "audio/a b.wav  door slam\n\naudio/c.WAV\tdoor slam\t35\naudio/d.ogg,bell\n",
        "audio/a b.wav", "audio/c.WAV", "audio/d.ogg",
        name="meta.txt",
    )  # fmt: skip
    manifest = read(path.parent)
    assert manifest.labels == ("bell", "door slam")
    assert [clip.extra.get("column_3") or "" for clip in manifest.clips] == ["", "35", ""]


def test_paths_may_start_two_folders_up(touch, read):
    root = touch("dataset/audio/x/a.wav", "dataset/audio/x/b.wav")
    (root / "dataset" / "train_list.txt").write_text("dataset/audio/x/a.wav\t0\n")
    (root / "dataset" / "test_list.txt").write_text("dataset/audio/x/b.wav\t0\n")
    manifest = read(root / "dataset")
    assert manifest.split_sizes() == {"train": 1, "validation": 0, "test": 1}
    assert noted(manifest, "start from")
    assert noted(manifest, "the labels are numbers", "label_list.txt")


def test_lines_that_are_no_entries_are_listed(table, read):
    table("wren\nowl\n", name="labels.txt")
    path = table(
        "a.wav\t0\nwhat is this\nb.wav\t2\na.wav\t0\nb.wav\t1\n", "a.wav", "b.wav",
        name="train_list.txt",
    )  # fmt: skip
    manifest = read(path.parent)
    assert [clip.labels for clip in manifest.clips] == [("wren",), ("owl",)]
    assert [line.split(":")[0] for line in manifest.rejected] == [
        f"train_list.txt line {number}" for number in (2, 3, 4)
    ]


def test_a_label_list_must_name_each_class_once(table, read):
    table("owl\nowl\n", name="label_list.txt")
    path = table("a.wav\t0\n", "a.wav", name="train_list.txt")
    with pytest.raises(DataError, match=r"label_list\.txt names 'owl' twice"):
        read(path.parent)


def test_evaluation_setup_gives_the_folds(table, read):
    lines = "audio/a.wav\tbus\naudio/b.wav\tcar\n"
    path = table(lines, "audio/a.wav", "audio/b.wav", name="meta.txt")
    setup = path.parent / "evaluation_setup"
    setup.mkdir()
    (setup / "fold1_evaluate.txt").write_text("audio/a.wav\tbus\n")
    (setup / "fold2_evaluate.txt").write_text("audio/b.wav\tcar\n")
    (setup / "fold1_train.txt").write_text("audio/b.wav\tcar\n")
    assert [clip.fold for clip in read(path.parent).clips] == ["1", "2"]
    assert not any(clip.fold for clip in read(path.parent, fold="none").clips)


def test_a_column_of_a_list_may_be_the_group(table, read):
    """As the location of the recording in the scene data sets of DCASE."""
    path = table("a.wav\tbus\tb1\nb.wav\tcar\tb2\n", "a.wav", "b.wav", name="meta.txt")
    manifest = read(path.parent)
    assert not manifest.group_declared
    assert noted(manifest, "column_3", "--data.group")
    manifest = read(path.parent, group="column_3")
    assert manifest.group_declared
    assert [(clip.group, clip.extra) for clip in manifest.clips] == [("b1", {}), ("b2", {})]
    with pytest.raises(
        DataError, match=r"--data\.group place: meta\.txt has no such column.*column_3"
    ):
        read(path.parent, group="place")


def test_a_table_beside_lists_or_class_folders_is_not_passed_over_in_silence(table, touch, read):
    path = table("name,kind\nx,y\n", "cat/a.wav", "dog/b.wav")
    assert noted(read(path.parent), "clips.csv", "not read", "--data.reader table")
    (path.parent / "train.txt").write_text("cat/a.wav\tcat\n")
    assert noted(read(path.parent), "clips.csv", "not read", "--data.reader table")


@pytest.mark.parametrize("train", ["", "clip,kind,class\n0.wav,x,a\n"])
def test_a_competition_is_never_read_as_class_folders(table, read, train: str):
    path = table("id,class\n6,a\n", "audio_files/0.wav", "test/6.wav", name="sample_submission.csv")
    (path.parent / "train.csv").write_text(train)
    if not train:
        with pytest.raises(DataError, match=r"train\.csv is empty"):
            read(path.parent)
    else:
        assert [clip.labels for clip in read(path.parent).clips] == [("a",)]


@pytest.mark.parametrize("place", ["", "metadata/"])
def test_urbansound8k_may_have_its_table_beside_the_folds(touch, read, place: str):
    audio = "audio/" if place else ""
    root = touch(f"{audio}fold1/100-0-0-0.wav", f"{audio}fold2/200-1-0-0.wav", f"{place}x")
    table = root / place / "UrbanSound8K.csv"
    table.write_text(
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
        "100-0-0-0.wav,100,0,4,1,1,0,siren\n200-1-0-0.wav,200,0,4,1,2,1,drilling\n"
    )
    for data in (root, table):
        assert [(clip.fold, clip.group) for clip in read(data).clips] == [
            ("1", "100"),
            ("2", "200"),
        ]


def test_what_is_no_esc50_is_told_what_it_must_hold(touch, read):
    for reader in ("esc50", "esc10"):
        with pytest.raises(DataError, match=r"is not ESC-50: it must hold meta/esc50\.csv"):
            read(touch("dog/a.wav"), reader=reader)


def test_a_text_table_with_a_header_stays_a_table(table, read):
    path = table("path\tlabel\na.wav\tx\n", "a.wav", name="clips.txt")
    assert read(path).labels == ("x",)
    with pytest.raises(DataError, match="is no list"):
        read(path, reader="list")


# --- Common Voice


@pytest.fixture
def english(touch) -> Path:
    root = touch("en/clips/a.mp3", "en/clips/b.mp3", "en/clips/c.mp3") / "en"
    (root / "validated.tsv").write_text(
        "client_id\tpath\tsentence\tgender\taccents\tlocale\n"
        "s1\ta.mp3\tHi\tfemale\tScottish English\ten\n"
        "s1\tb.mp3\tHo\tfemale\tScottish English\ten\n"
        "s2\tc.mp3\tHa\tmale\t\ten\n"
    )
    return root


def test_one_language_is_told_apart_by_accents_and_bare_clips_are_counted(english, read):
    manifest = read(english)
    assert manifest.labels == ("Scottish English",)
    assert len(manifest.clips) == 2
    assert noted(manifest, "1 clip whose 'accents' is empty")
    assert noted(manifest, "--data.label COLUMN")
    assert {clip.group for clip in manifest.clips} == {"s1"}
    assert manifest.clips[0].extra["gender"] == "female"


def test_any_column_may_be_the_label(english, read):
    assert read(english, label="gender").labels == ("female", "male")
    with pytest.raises(DataError, match="has no column 'dialect'"):
        read(english, label="dialect")


# --- competitions


def test_fsdd_is_a_competition_whose_sample_asks_about_other_sounds(fsdd: Path, read):
    manifest = read(fsdd)
    assert read(fsdd, reader="competition").clips == manifest.clips
    assert len(manifest.clips) == 2700
    sample = open_submission(fsdd / "sample_submission.csv")
    assert len(sample.rows) == 300
    assert all(Path(sound).is_file() for sound in sample.sounds)
    assert not {clip.path for clip in manifest.clips} & set(sample.sounds)
