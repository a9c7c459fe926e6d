import os
import unicodedata
from pathlib import Path

import pytest

from auricle.core.errors import ConfigError, DataError, UnknownName
from auricle.data import READERS, DataConfig, Manifest, require_trainable


def labels_of(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    return {Path(clip.path).name: clip.labels for clip in manifest.clips}


def noted(manifest: Manifest, *words: str) -> bool:
    return any(all(word in note for word in words) for note in manifest.notes)


# --- class folders


def test_a_folder_per_class(touch, read):
    root = touch("dog/a.wav", "cat/b.OGG", "cat/deep/er/c.flac", "sea gull/ü.mp3")
    manifest = read(root)
    assert manifest.labels == ("cat", "dog", "sea gull")
    assert labels_of(manifest) == {
        "a.wav": ("dog",),
        "b.OGG": ("cat",),
        "c.flac": ("cat",),
        "ü.mp3": ("sea gull",),
    }
    assert all(os.path.isfile(clip.path) for clip in manifest.clips)
    assert not manifest.multi_label
    assert not manifest.group_declared
    assert not manifest.notes


def test_other_files_hidden_files_and_empty_folders_are_left_out(touch, read):
    root = touch("a/1.wav", "a/cover.jpg", "a/._1.wav", "b/2.wav", "__MACOSX/a/1.wav", "loose.wav")
    (root / "c").mkdir()
    manifest = read(root)
    assert set(labels_of(manifest)) == {"1.wav", "2.wav"}
    assert noted(manifest, "1 file of another kind", ".jpg")
    assert noted(manifest, "folders without sounds", "c")
    assert noted(manifest, "1 sound outside the class folders")


def test_links_in_a_circle_end_and_mix_no_classes(touch, read):
    root = touch("a/1.wav", "b/2.wav")
    (root / "a" / "back").symlink_to(root)
    (root / "a" / "self").symlink_to(root / "a")
    assert labels_of(read(root)) == {"1.wav": ("a",), "2.wav": ("b",)}


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Train", "validation", "eval")])
def test_split_folders(touch, read, names: tuple[str, str, str]):
    root = touch(*(f"{split}/{label}/{split}.wav" for split in names for label in "ab"))
    manifest = read(root)
    assert manifest.labels == ("a", "b")
    assert manifest.split_sizes() == {"train": 2, "validation": 2, "test": 2}
    assert noted(manifest, "read as splits", names[1])


def test_a_class_called_train_stays_a_class(touch, read):
    manifest = read(touch("bus/1.wav", "car/2.wav", "train/old/3.wav"))
    assert manifest.labels == ("bus", "car", "train")
    assert all(clip.split is None for clip in manifest.clips)


def test_folders_beside_splits_are_left_out_and_noted(touch, read):
    manifest = read(touch("train/a/1.wav", "train/b/1.wav", "test/a/2.wav", "noise/x/3.wav"))
    assert manifest.labels == ("a", "b")
    assert noted(manifest, "left out", "noise")


def test_labels_that_differ_by_case_or_blanks_are_noted(touch, read):
    manifest = read(touch("Dog bark/1.wav", "dog  bark/2.wav", "cat/3.wav"))
    assert len(manifest.labels) == 3
    assert noted(manifest, "'Dog bark', 'dog  bark'")


def test_a_name_that_is_not_utf8_is_rejected_not_fatal(touch, read):
    root = touch("a/1.wav", "b/2.wav")
    try:
        (root / "a" / os.fsdecode(b"\xff.wav")).touch()
    except OSError:
        pytest.skip("this file system knows no such names")
    manifest = read(root)
    assert len(manifest.clips) == 2
    assert "not valid UTF-8" in manifest.rejected[0]
    manifest.rejected[0].encode()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "no sound found"),
        (("a/readme.md",), r"1 file of other kinds \(\.md\)"),
        (("1.wav", "2.wav"), "2 sounds but no class folders"),
    ],
)
def test_nothing_to_read(touch, read, files: tuple[str, ...], message: str):
    with pytest.raises(DataError, match=message):
        read(touch(*files))


def test_an_option_that_names_a_column_is_refused_for_folders(touch, read):
    root = touch("a/1.wav", "b/2.wav")
    with pytest.raises(DataError, match=r"--data\.group speaker.*no columns"):
        read(root, group="speaker")
    assert len(read(root, group="none").clips) == 2


# --- tables


def test_a_plain_table(table, read):
    path = table("path,label\na b.wav,x\nü.wav,y\n", "a b.wav", "ü.wav")
    manifest = read(path)
    assert labels_of(manifest) == {"a b.wav": ("x",), "ü.wav": ("y",)}
    assert not manifest.notes


def test_all_columns_of_the_documented_form(table, read):
    path = table(
        "path,label,fold,split,group,onset,offset,mic\na.wav,x,2,VAL,g1,0.5,1.5,left\n", "a.wav"
    )
    manifest = read(path)
    (clip,) = manifest.clips
    assert (clip.fold, clip.split, clip.group) == ("2", "validation", "g1")
    assert (clip.onset_s, clip.offset_s) == (0.5, 1.5)
    assert clip.extra == {"mic": "left"}
    assert manifest.group_declared
    for key in ("fold", "split", "group"):
        assert noted(manifest, f"--data.{key} none")


def test_columns_by_any_name(table, read):
    path = table("wo;was;wer;teil\na.wav;x;bob;test\n", "a.wav")
    manifest = read(path, path="wo", label="was", group="wer", split="teil")
    (clip,) = manifest.clips
    assert (clip.labels, clip.group, clip.split) == (("x",), "bob", "test")
    assert not manifest.notes


def test_none_ignores_a_column(table, read):
    path = table("path,label,fold,split,group\na.wav,x,1,odd,g\n", "a.wav")
    manifest = read(path, fold="none", split="none", group="none")
    (clip,) = manifest.clips
    assert (clip.fold, clip.split, clip.group) == (None, None, None)
    # Their names are ours, so that they are kept under others.
    assert clip.extra == {"fold_": "1", "split_": "odd", "group_": "g"}
    assert not manifest.group_declared


@pytest.mark.parametrize("order", ["target,category", "category,target"])
def test_words_are_preferred_to_numbers_as_the_label(table, read, order: str):
    row = "0,dog" if order.startswith("target") else "dog,0"
    manifest = read(table(f"filename,{order}\na.wav,{row}\n", "a.wav"))
    assert manifest.labels == ("dog",)
    assert noted(manifest, "'category'", "'target'", "--data.label target")


def test_numbers_are_taken_where_there_is_nothing_else(table, read):
    assert read(table("filename,classID\na.wav,7\n", "a.wav")).labels == ("7",)


def test_a_group_is_hinted_at_and_not_guessed(table, read):
    path = table("path,label,speaker\na.wav,x,bob\n", "a.wav")
    manifest = read(path)
    assert not manifest.group_declared
    assert manifest.clips[0].group is None
    assert noted(manifest, "--data.group speaker")
    declared = read(path, group="speaker")
    assert declared.group_declared
    assert declared.clips[0].group == "bob"
    assert not read(path, group="none").notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "speakr"}, r"--data\.label speakr.*no such column.*Did you mean 'speaker'"),
        ({"group": "zzz"}, r"--data\.group zzz.*it has 'path', 'label', 'speaker'"),
    ],
)
def test_an_option_that_names_no_column(table, read, options, message: str):
    with pytest.raises(DataError, match=message):
        read(table("path,label,speaker\na.wav,x,bob\n", "a.wav"), **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "pth,label\na.wav,x\n",
            r"no column for the path.*'pth', 'label'.*perhaps --data\.path pth",
        ),
        ("path,lable\na.wav,x\n", r"no column for the label.*perhaps --data\.label lable"),
        ("a.wav,x\nb.wav,y\n", "first row must name the columns"),
        ("path,label\n", "no rows"),
        ("path,label\nz.wav,x\ny.wav,x\n", r"none of the 2 files.*exists: .*z\.wav.*--audio-root"),
        ("path,label\na.wav,\n", "no row .* can be used.*line 2: the label is empty"),
        ("path,label,split\na.wav,x,holdout\n", r"must say train.*'holdout' \(1 row\)"),
    ],
)
def test_tables_that_cannot_be_used(table, read, text: str, message: str):
    with pytest.raises(DataError, match=message):
        read(table(text, "a.wav"))


def test_bad_rows_are_left_out_listed_and_counted(table, read):
    path = table(
        "path,label,onset,offset\n"
        "a.wav,x,0,1\n"
        ",x,0,1\n"
        "a.wav,,0,1\n"
        "a.wav,x,-1,1\n"
        "a.wav,x,2,1\n"
        "a.wav,x,soon,1\n"
        "a.wav,x,0,1,9\n"
        "gone.wav,x,0,1\n"
        "a.wav,x,0,1\n",
        "a.wav",
    )
    manifest = read(path)
    assert len(manifest.clips) == 1
    assert [line.split(": ")[0] for line in manifest.rejected] == [
        f"clips.csv line {number}" for number in range(3, 9)
    ]
    assert [Path(name).name for name in manifest.missing] == ["gone.wav"]
    assert noted(manifest, "6 rows left out")
    assert noted(manifest, "1 file missing")
    assert noted(manifest, "1 row", "repeated")


def test_many_missing_files_are_counted_and_five_listed(table, read):
    rows = "".join(f"gone{number}.wav,x\n" for number in range(8))
    manifest = read(table(f"path,label\na.wav,x\n{rows}", "a.wav"))
    assert len(manifest.missing) == 8
    assert noted(manifest, "8 files missing", "gone4.wav and 3 more")
    assert not noted(manifest, "gone5.wav")


def test_several_labels_in_a_cell(table, read):
    path = table("path,label\na.wav,dog| cat|dog\nb.wav,\n", "a.wav", "b.wav")
    manifest = read(path, label_separator="|")
    assert labels_of(manifest) == {"a.wav": ("dog", "cat"), "b.wav": ()}
    assert manifest.labels == ("cat", "dog")
    assert manifest.multi_label


def test_a_row_per_label_becomes_one_clip_of_a_multi_label_task(table, read):
    path = table("path,label\na.wav,dog\na.wav,cat\n", "a.wav")
    assert labels_of(read(path, label_separator="|")) == {"a.wav": ("dog", "cat")}
    single = read(path)
    assert len(single.clips) == 2
    assert noted(single, "two labels", "(dog, cat)", "--data.label_separator")


def test_paths_start_from_the_audio_root(table, read, tmp_path: Path):
    path = table("path,label\na.wav,x\n")
    sounds = tmp_path / "else where"
    sounds.mkdir()
    (sounds / "a.wav").touch()
    manifest = read(path, audio_root=str(sounds))
    assert manifest.clips[0].path == str(sounds / "a.wav")
    with pytest.raises(DataError, match=r"--audio-root .*nowhere is not a folder"):
        read(path, audio_root=str(tmp_path / "nowhere"))


def test_paths_may_be_absolute_or_of_windows(table, read, touch):
    root = touch("deep/b.wav", "a.wav")
    path = table(f"path,label\n{root / 'a.wav'},x\ndeep\\b.wav,y\n")
    assert labels_of(read(path)) == {"a.wav": ("x",), "b.wav": ("y",)}


def test_accents_in_pieces_are_the_same_name(table, read):
    whole = "café.wav"
    path = table(f"path,label\n{whole},x\n", unicodedata.normalize("NFD", whole))
    assert len(read(path).clips) == 1


def test_decimal_commas_of_spreadsheets(table, read):
    manifest = read(table("path;label;onset;offset\na.wav;x;0,5;1,25\n", "a.wav"))
    assert (manifest.clips[0].onset_s, manifest.clips[0].offset_s) == (0.5, 1.25)


# --- folders that hold tables


def test_a_table_wins_over_class_folders_and_says_so(table, read):
    path = table("path,label\na/1.wav,x\nb/2.wav,y\n", "a/1.wav", "b/2.wav")
    manifest = read(path.parent)
    assert manifest.labels == ("x", "y")
    assert noted(manifest, "both a table and class folders", "clips.csv", "--data.reader folder")
    assert read(path.parent, reader="folder").labels == ("a", "b")


def test_one_table_per_split(table, read):
    for name, sound in {"train": "1", "validation": "2", "test": "3"}.items():
        table(f"path,label\n{sound}.wav,x\n", f"{sound}.wav", name=f"{name}.csv")
    folder = table("a,b\n1,2\n", name="other.csv").parent
    manifest = read(folder)
    assert manifest.split_sizes() == {"train": 1, "validation": 1, "test": 1}
    assert noted(manifest, "read as splits", "validation.csv")


def test_a_competition_layout(table, read):
    table(
        "file,target\na.wav,x\nb.wav,y\n",
        "audio_files/a.wav",
        "audio_files/b.wav",
        name="train.csv",
    )
    table("file\nc.wav\n", name="test.csv")
    folder = table("file,target\nc.wav,x\n", name="sample_submission.csv").parent
    manifest = read(folder)
    assert labels_of(manifest) == {"a.wav": ("x",), "b.wav": ("y",)}
    assert noted(manifest, "sample_submission.csv is not read")
    assert noted(manifest, "test.csv is not read")
    assert noted(manifest, "audio_files/")


def test_several_tables_need_a_choice(table, read):
    table("path,label\na.wav,x\n", "a.wav", name="old.csv")
    folder = table("path,label\na.wav,y\n", name="new.csv").parent
    with pytest.raises(DataError, match=r"new\.csv, old\.csv.*--data\.table new\.csv"):
        read(folder)
    assert read(folder, table="old.csv").labels == ("x",)
    with pytest.raises(DataError, match=r"did you mean 'old\.csv'"):
        read(folder, table="olt.csv")


def test_a_table_of_something_else_does_not_hide_class_folders(table, read):
    path = table("name,colour\nbob,red\n", "a/1.wav", "b/2.wav", name="people.csv")
    assert read(path.parent).labels == ("a", "b")


def test_a_table_that_cannot_be_used_is_explained_where_nothing_else_is(table, read):
    path = table("naam,soort\na.wav,x\n", "sounds/a.wav")
    with pytest.raises(DataError, match="no column for the path"):
        read(path.parent)


# --- data sets that are none


def test_paths_that_do_not_exist_name_the_nearest(touch, read):
    root = touch("a/1.wav")
    with pytest.raises(DataError, match=r"not found.*did you mean '.*data'"):
        read(root.parent / "dta")


def test_a_sound_is_no_data_set(touch, read):
    with pytest.raises(DataError, match="no data set"):
        read(touch("a/1.wav") / "a" / "1.wav")


def test_unknown_readers_and_keys_name_the_nearest(touch, read):
    with pytest.raises(UnknownName, match="did you mean 'folder'"):
        read(touch("a/1.wav"), reader="foldr")


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_refuses_what_it_cannot_read_with_an_error_for_people(name, touch):
    with pytest.raises(DataError):
        READERS[name].read(touch("only/readme.md"), DataConfig())


def test_every_reader_and_every_option_describes_itself():
    assert all(READERS[name].__doc__ for name in READERS)
    assert all(field.description for field in DataConfig.model_fields.values())


def test_config_errors_have_dotted_paths():
    from auricle.core.config import validate

    with pytest.raises(ConfigError, match=r"did you mean '--data\.label_separator'"):
        validate(DataConfig, {"label_seperator": "|"}, "data")


# --- what cannot be trained on


def test_one_class_cannot_be_trained(touch, read):
    manifest = read(touch("dog/1.wav", "dog/2.wav"))
    with pytest.raises(DataError, match="only one: 'dog'"):
        require_trainable(manifest)


def test_two_classes_can_be_trained_and_one_where_clips_may_have_none(touch, read, table):
    require_trainable(read(touch("dog/1.wav", "cat/2.wav")))
    path = table("path,label\na.wav,dog\nb.wav,\n", "a.wav", "b.wav")
    require_trainable(read(path, label_separator="|"))


def test_a_recording_without_events_needs_several_labels_a_clip(read, table):
    rows = "filename\tonset\toffset\tevent_label\na.wav\t0\t1\tdog\na.wav\t1\t2\tcat\nc.wav\t\t\t\n"
    path = table(rows, "a.wav", "c.wav", name="labels.tsv")
    with pytest.raises(DataError, match=r"1 clip has no label, .*c\.wav.*--data\.label_separator"):
        require_trainable(read(path))
    require_trainable(read(path, label_separator="|"))


def test_an_empty_training_part_cannot_be_trained(table, read):
    path = table("path,label,split\na.wav,x,test\nb.wav,y,test\n", "a.wav", "b.wav")
    with pytest.raises(DataError, match=r"training part is empty.*--data\.split none"):
        require_trainable(read(path))


# --- real data sets


def test_esc10(esc10: Path, read):
    manifest = read(esc10, group="src_file")
    assert len(manifest.clips) == 400
    assert len(manifest.labels) == 10
    assert "dog_bark" in manifest.labels
    assert {clip.fold for clip in manifest.clips} == set("12345")
    assert len({clip.group for clip in manifest.clips}) == 304
    assert noted(manifest, "both a table and class folders")
    assert noted(manifest, "--data.label target")
    assert not manifest.missing
    folders = read(esc10, reader="folder")
    assert len(folders.clips) == 400
    assert folders.labels[0] == "001 - Dog bark"


def test_fsdd(fsdd: Path, read):
    manifest = read(fsdd)
    assert len(manifest.clips) == 2700
    assert len(manifest.labels) == 10
    assert noted(manifest, "sample_submission.csv is not read")
    assert noted(manifest, "--data.group speaker")
    assert len({clip.fold for clip in read(fsdd, fold="speaker").clips}) == 6
