"""Readers of label files and of Hugging Face data sets, beyond what every reader must do."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle import audio
from auricle.core.errors import DataError, UnreadableAudio
from auricle.data import DataConfig, Manifest, read_dataset
from auricle.data.convert import convert_labels, read_any_labels
from auricle.data.readers.labelled import SoundIndex
from auricle.events import read_labels

HEADER = (
    "# Segments csv created\n# num_ytids=1\n# YTID, start_seconds, end_seconds, positive_labels\n"
)
STRONG = "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n"


def names_of(manifest: Manifest) -> set[str]:
    return {Path(clip.path).name for clip in manifest.clips}


def noted(manifest: Manifest, *words: str) -> bool:
    return any(all(word in note for word in words) for note in manifest.notes)


# --- AudioSet


@pytest.mark.parametrize(
    "sound",
    [
        "Y-abc_defghi.wav",
        "-abc_defghi.opus",
        "deep/er/Y-abc_defghi.m4a",
        "-abc_defghi_30000.flac",
        "Y-abc_defghi_30.000_40.000.wav",
        "-abc_defghi_30_40.wav",
        "-abc_defghi_30.wav",
    ],
)
def test_published_copies_call_a_segment_in_many_ways(touch, read, sound: str):
    root = touch(f"audio/{sound}", "audio/Yother.wav")
    (root / "eval_segments.csv").write_text(f'{HEADER}-abc_defghi, 30.000, 40.000, "/m/09x0r"\n')
    manifest = read(root)
    assert names_of(manifest) == {Path(sound).name}
    (clip,) = manifest.clips
    assert (clip.labels, clip.group, clip.split) == (("Speech",), "-abc_defghi", "test")
    assert (clip.onset_s, clip.offset_s) == (0.0, None)


def test_missing_segments_are_named_as_the_copy_names_its_files(touch, read):
    root = touch("wavs/Yaa.wav")
    (root / "eval_segments.csv").write_text(
        f'{HEADER}aa, 0.000, 10.000, "/m/09x0r"\nbb, 0.000, 10.000, "/m/09x0r"\n'
    )
    assert read(root).missing == (str(root / "wavs" / "Ybb.wav"),)


def test_names_of_ids_come_from_the_list_beside(touch, read):
    root = touch("Yaa.wav")
    (root / "class_labels_indices.csv").write_text(
        'index,mid,display_name\n0,/m/2,"Zap, loud"\n1,/m/1,Ant\n'
    )
    (root / "eval_segments.csv").write_text(f'{HEADER}aa, 0.000, 10.000, "/m/1,/m/2,/m/3"\n')
    manifest = read(root)
    assert manifest.labels == ("Zap, loud", "Ant", "/m/3")
    assert set(manifest.clips[0].labels) == set(manifest.labels)


def test_strong_labels_group_segments_of_a_video_and_keep_nameless_ids(touch, read):
    root = touch("a/x_y-z_0.wav", "a/x_y-z_30000.wav", "a/q_0.wav")
    (root / "audioset_train_strong.tsv").write_text(
        f"{STRONG}x_y-z_0\t0.0\t1.0\t/m/09x0r\nx_y-z_30000\t1.0\t2.5\t/m/unknown\n"
        "q_0\t0.0\t1.0\t/m/09x0r\nq_0\t3.0\t3.0\t/m/09x0r\n"
    )
    manifest = read(root)
    assert manifest.group_declared
    assert [clip.group for clip in manifest.clips] == ["x_y-z", "x_y-z", "q"]
    assert {clip.split for clip in manifest.clips} == {"train"}
    assert noted(manifest, "1 id without a name", "/m/unknown")
    assert "has no length" in manifest.rejected[0]


def test_the_real_table_is_read_without_and_with_sounds(auricle_data: Path, tmp_path: Path, read):
    table = auricle_data / "data" / "audioset_strong" / "audioset_strong_eval_top110.tsv"
    rows = list(read_labels(table))
    assert len(rows) == 103_207
    assert len({row.path for row in rows}) == 15_646
    (tmp_path / f"Y{rows[0].path}.wav").touch()
    manifest = read(table, audio_root=str(tmp_path))
    assert len(manifest.clips) == sum(row.path == rows[0].path for row in rows)
    assert len(manifest.missing) == 15_645
    assert manifest.clips[1].labels == ("Cheering",)  # named by class_labels.tsv beside it


def test_strong_labels_are_compared_with_what_is_published_and_their_part_is_told(touch, read):
    root = touch("Ya_0.wav", "Yb_0.wav")
    (root / "audioset_eval_strong.tsv").write_text(
        f"{STRONG}a_0\t0.5\t1\t/m/09x0r\na_0\t2\t3\t/m/09x0r\nb_0\t2\t3\t/m/09x0r\n"
    )
    manifest = read(root)
    assert noted(manifest, "2 test recordings found, where 16,996 are published")
    assert noted(manifest, "audioset_eval_strong.tsv is the test part", "--data.split none")


# --- DESED


def test_desed_takes_the_sounds_of_each_table_from_its_folder(touch, read):
    root = touch(
        "audio/train/weak/a.wav",
        "audio/train/synthetic21_train/soundscapes_16k/a.wav",
        "audio/train/strong_label_real/a.wav",
        "audio/validation/validation/b.wav",
    )
    tables = {
        "train/weak.tsv": "filename\tevent_labels\na.wav\tCat,Dog\n",
        "train/audioset_strong.tsv": "filename\tonset\toffset\tevent_label\na.wav\t0\t1\tCat\n",
        "train/synthetic21_train/soundscapes.tsv": "filename\tonset\toffset\tevent_label\n"
        "a.wav\t2\t3\tDog\n",
        "validation/validation.tsv": "filename\tonset\toffset\tevent_label\nb.wav\t2\t3\tDog\n",
        "validation/test_dcase2018.tsv": "filename\tonset\toffset\tevent_label\nb.wav\t2\t3\tDog\n",
        "validation/validation_durations.tsv": "filename\tduration\nb.wav\t10.0\n",
    }
    for name, text in tables.items():
        (root / "metadata" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "metadata" / name).write_text(text)
    manifest = read(root)
    folders = [Path(clip.path).relative_to(root / "audio").parts[1] for clip in manifest.clips]
    assert sorted(folders) == ["strong_label_real", "synthetic21_train", "validation", "weak"]
    assert manifest.split_sizes() == {"train": 3, "validation": 1, "test": 0}
    assert noted(manifest, "without labels were not read", "validation_durations.tsv")
    assert noted(manifest, "1 weak recordings found, where 1,578 are published")


def test_desed_never_takes_the_sound_of_another_part(touch, read):
    """Synthetic parts number their sounds from 0: labels of an absent part must not fit others."""
    root = touch("audio/train/synthetic21_train/soundscapes/0.wav")
    for part in ("train/synthetic21_train", "validation/synthetic21_validation"):
        table = root / "metadata" / part / "soundscapes.tsv"
        table.parent.mkdir(parents=True)
        table.write_text(f"filename\tonset\toffset\tevent_label\n0.wav\t0\t1\t{part}\n")
    manifest = read(root)
    assert [clip.labels for clip in manifest.clips] == [("train/synthetic21_train",)]
    (missing,) = manifest.missing
    assert Path(missing).parts[-4:-1] == ("validation", "synthetic21_validation", "soundscapes")
    flat = touch("all/0.wav") / "all"
    assert len(read(root, audio_root=str(flat)).clips) == 2


# --- recordings with label files


def test_sounds_without_label_files_are_counted_and_left_out(touch, read):
    root = touch("a.wav", "b.wav", "c.wav", "notes.pdf")
    (root / "a.txt").write_text("0.5\t1.0\towl\n")
    (root / "b.txt").touch()
    manifest = read(root)
    assert [(Path(c.path).name, c.labels) for c in manifest.clips] == [
        ("a.wav", ("owl",)),
        ("b.wav", ()),
    ]
    assert noted(manifest, "1 sound without a label file")
    assert noted(manifest, "1 file of another kind", "notes.pdf")


def test_a_column_of_annotations_is_named_by_an_option(touch, read):
    root = touch("a.wav")
    (root / "a.Table.1.selections.txt").write_text(
        "Selection\tBegin Time (s)\tEnd Time (s)\tCaller\tQuality\n1\t0.5\t1.0\towl\tgood\n"
    )
    with pytest.raises(DataError, match=r"Caller.*Quality.*--data\.label"):
        read(root)
    (clip,) = read(root, label="Quality").clips
    assert (clip.labels, clip.extra) == (("good",), {"Caller": "owl"})


def test_an_annotation_column_called_like_ours_is_kept_under_another_name(touch, read):
    root = touch("a.wav")
    (root / "a.selections.txt").write_text(
        "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\tgroup\n1\t0.5\t1.0\towl\t7\n"
    )
    assert read(root).clips[0].extra == {"group_": "7"}


def test_names_that_fit_several_sounds_are_told(touch):
    root = touch("x/a.wav", "y/a.flac", "y/b.wav")
    index = SoundIndex(root)
    assert index.find("a") == str(root / "x" / "a.wav")
    assert index.find("y/a.flac") == str(root / "y" / "a.flac")
    assert index.find("b.mp3") == str(root / "y" / "b.wav")
    assert index.find("c") is None
    assert index.ambiguous == ["a"]


def test_recorders_in_many_places_give_the_same_names(touch, read):
    """AudioMoths name a file after its time: each site has a recording of five o'clock."""
    root = touch(*(f"{site}/050000.{kind}" for site in "ab" for kind in ("WAV", "mp3")))
    header = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
    for site, label in (("a", "owl"), ("b", "fox")):
        (root / site / "050000.WAV.Table.1.selections.txt").write_text(
            f"{header}1\t1\t2\t{label}\n"
        )
    found = {Path(clip.path).parts[-2:]: clip.labels for clip in read(root).clips}
    assert found == {("a", "050000.WAV"): ("owl",), ("b", "050000.WAV"): ("fox",)}


def test_raven_tables_are_known_by_their_columns_at_any_depth(touch, read):
    root = touch("2024/05/site/a.wav")
    table = root / "2024" / "05" / "site" / "a.txt"
    table.write_text("Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n1\t1\t2\towl\n")
    assert [clip.labels for clip in read(root).clips] == [("owl",)]
    assert [clip.labels for clip in read(table).clips] == [("owl",)]


def test_an_empty_text_beside_a_sound_does_not_hide_class_folders(touch, read):
    assert read(touch("cat/1.wav", "dog/1.wav", "cat/1.txt")).labels == ("cat", "dog")


def test_events_that_sound_together_are_told(touch, read):
    root = touch("a.wav", "b.wav")
    (root / "a.txt").write_text("0\t2\towl\n1\t3\tfox\n3\t4\towl\n")
    (root / "b.txt").write_text("0\t2\towl\n2\t3\tfox\n")
    assert noted(read(root), "2 events sound together", "auricle data targets")
    (root / "a.txt").unlink()
    assert not noted(read(root), "sound together")


def test_the_folder_of_a_label_file_tells_sounds_of_one_name_apart(touch):
    root = touch("1.wav", "audio/a/1.wav", "audio/b/1.wav", "other/c/1.wav", "other/c/1.mp3")
    index = SoundIndex(root)
    wanted = {"1": "1.wav", "labels/b/1": "audio/b/1.wav", "audio/a/1": "audio/a/1.wav"}
    assert {name: index.find(name) for name in wanted} == {
        name: str(root / path) for name, path in wanted.items()
    }
    assert index.ambiguous == []
    index.find("other/c/1")  # one in two containers: the folder does not say which
    assert index.ambiguous == ["other/c/1"]


@pytest.mark.parametrize("key", ["split", "group"])
def test_what_a_table_of_labels_declares_can_be_left_out(touch, read, key: str):
    root = touch("Ya_0.wav")
    (root / "audioset_eval_strong.tsv").write_text(f"{STRONG}a_0\t0.5\t1\t/m/09x0r\n")
    (as_declared,) = read(root).clips
    assert getattr(as_declared, key) is not None
    (without,) = read(root, **{key: "none"}).clips
    assert getattr(without, key) is None


def test_an_index_walks_links_in_a_circle_once(touch):
    root = touch("x/a.wav")
    (root / "x" / "back").symlink_to(root)
    assert len(SoundIndex(root)) == 1


# --- Hugging Face


@pytest.fixture
def shards(tmp_path: Path) -> Callable[..., Path]:
    """A data set as `datasets` writes it, with sounds of 0.1 s: Parquet, or Arrow."""
    import pyarrow
    from pyarrow import parquet

    def make(kind: str, rows: list[dict[str, object]], features: dict[str, object]) -> Path:
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = pyarrow.Table.from_pylist(rows).replace_schema_metadata(metadata)
        if kind == "parquet":
            path = tmp_path / "train-00000-of-00001.parquet"
            parquet.write_table(table, path, row_group_size=2)
            return path
        (tmp_path / "state.json").write_text("{}")
        path = tmp_path / "data-00000-of-00001.arrow"
        with pyarrow.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
        return tmp_path

    return make


def wave(at: int) -> bytes:
    file = io.BytesIO()
    sound = np.full(1600, 0.1 * at, np.float32)
    soundfile.write(file, sound, 16000, format="WAV", subtype="FLOAT")
    return file.getvalue()


CLASSES = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "audio": {"_type": "Audio"}}


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_sounds_inside_shards_are_decoded_by_us(shards, read, kind: str):
    rows = [
        {"audio": {"bytes": wave(at), "path": f"dir/{at}.wav"}, "label": at % 2, "who": f"s{at}"}
        for at in range(5)
    ]
    manifest = read(shards(kind, rows, CLASSES), group="who")
    assert manifest.labels == ("cat", "dog")
    assert [clip.group for clip in manifest.clips] == [f"s{at}" for at in range(5)]
    for at, clip in reversed(list(enumerate(manifest.clips))):
        assert clip.path.endswith(f"::{at}/{at}.wav")
        assert audio.probe(clip.path).duration_s == 0.1
        np.testing.assert_allclose(audio.load(clip.path).samples, 0.1 * at, atol=1e-7)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_rows_that_cannot_be_used_are_told(shards, read, tmp_path: Path, kind: str):
    (tmp_path / "there.wav").write_bytes(wave(1))
    rows = [
        {"audio": {"bytes": wave(1), "path": "a.wav"}, "label": 1},
        {"audio": {"bytes": wave(1), "path": "b.wav"}, "label": -1},
        {"audio": {"bytes": None, "path": "there.wav"}, "label": 0},
        {"audio": {"bytes": None, "path": "gone.wav"}, "label": 0},
    ]
    manifest = read(shards(kind, rows, CLASSES))
    assert [clip.labels for clip in manifest.clips] == [("dog",), ("cat",)]
    assert manifest.clips[1].path == str(tmp_path / "there.wav")
    assert manifest.missing == (str(tmp_path / "gone.wav"),)
    assert "row 1: the label -1 is none of 2 classes" in manifest.rejected[0]


def test_shards_need_not_agree(shards, read):
    """Each numbers its classes by its own list; one without labels is told, and the others read."""
    turned = {**CLASSES, "label": {"names": ["dog", "cat", "owl"], "_type": "ClassLabel"}}
    sound = {"bytes": wave(1), "path": "a.wav"}
    parts = {
        "train": ([{"audio": sound, "label": 0, "fold": 1}], CLASSES),
        "validation": ([{"audio": sound, "label": 0}], turned),
        "test": ([{"audio": sound}], {"audio": CLASSES["audio"]}),
    }
    for part, (rows, features) in parts.items():
        written = shards("parquet", rows, features)
        folder = written.parent / "hub" / part
        folder.mkdir(parents=True)
        written.rename(folder / "0000.parquet")
    manifest = read(written.parent / "hub")
    assert {clip.split: clip.labels for clip in manifest.clips} == {
        "train": ("cat",),
        "validation": ("dog",),
    }
    assert manifest.labels == ("cat", "dog", "owl")
    assert "no column for the label" in manifest.rejected[0]
    assert noted(manifest, "say the splits: train, validation")
    assert noted(manifest, "'fold' was taken", "--data.fold none")
    assert {clip.split for clip in read(written.parent / "hub", split="none").clips} == {None}


def test_a_label_of_text_is_stripped_and_an_empty_one_is_none(shards, read):
    rows = [
        {"audio": {"bytes": wave(1), "path": "a.wav"}, "label": text}
        for text in (" cat ", "", None)
    ]
    manifest = read(shards("parquet", rows, {"audio": CLASSES["audio"]}))
    assert [clip.labels for clip in manifest.clips] == [("cat",)]
    assert len(manifest.rejected) == 2


def test_several_data_sets_in_one_folder_are_told(shards, read):
    for name in ("de", "en"):
        rows = [{"audio": {"bytes": wave(1), "path": "a.wav"}, "label": 0}]
        written = shards("parquet", rows, CLASSES)
        (written.parent / "hub" / name).mkdir(parents=True)
        written.rename(written.parent / "hub" / name / written.name)
    assert noted(read(written.parent / "hub"), "de, en were read as one data set")


def test_several_labels_a_row(shards, read):
    features = {**CLASSES, "label": {"feature": CLASSES["label"], "_type": "List"}}
    rows = [
        {"audio": {"bytes": wave(1), "path": None}, "label": [1, 0]},
        {"audio": {"bytes": wave(1), "path": None}, "label": []},
    ]
    manifest = read(shards("parquet", rows, features))
    assert manifest.multi_label
    assert [clip.labels for clip in manifest.clips] == [("dog", "cat"), ()]


def test_a_data_set_that_datasets_saved(tmp_path: Path, read, monkeypatch: pytest.MonkeyPatch):
    """The library itself writes; its own decoder is not there."""
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    datasets = pytest.importorskip("datasets")
    import pyarrow

    features = datasets.Features(
        audio=datasets.Audio(decode=False), label=datasets.ClassLabel(names=["cat", "dog"])
    )
    rows = [{"audio": {"bytes": wave(at), "path": f"{at}.wav"}, "label": at % 2} for at in range(4)]
    table = pyarrow.Table.from_pylist(rows, schema=features.arrow_schema)
    whole = datasets.Dataset(table)
    split = {"train": whole.select(range(3)), "test": whole.select([3])}
    datasets.DatasetDict(split).save_to_disk(tmp_path / "saved")
    manifest = read(tmp_path / "saved")
    assert manifest.labels == ("cat", "dog")
    assert manifest.split_sizes() == {"train": 3, "validation": 0, "test": 1}
    np.testing.assert_allclose(audio.load(manifest.clips[3].path).samples, 0.3, atol=1e-6)


@pytest.mark.parametrize(
    ("member", "message"),
    [("9/x.wav", "has no row 9"), ("x.wav", "no sound called"), ("-1", "no sound called")],
)
def test_members_that_are_not_there(shards, member: str, message: str):
    rows = [{"audio": {"bytes": wave(1), "path": "a.wav"}, "label": 1}]
    path = shards("parquet", rows, CLASSES)
    with pytest.raises(UnreadableAudio, match=message):
        audio.load(f"{path}::{member}")


def test_a_broken_shard(shards, read):
    rows = [{"audio": {"bytes": wave(1), "path": "a.wav"}, "label": 1}]
    path = shards("parquet", rows, CLASSES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read(path, reader="hf")
    with pytest.raises(UnreadableAudio, match="cannot be read"):
        audio.load(f"{path}::0")


# --- conversion


def test_a_manifest_of_labels_alone_names_the_sounds_beside(tmp_path: Path):
    (tmp_path / "a.csv").write_text("filename,onset,offset,event_label\nb c.wav,0.5,1.25,x\n")
    labels = read_any_labels(tmp_path / "a.csv", DataConfig())
    convert_labels(labels, tmp_path / "clips.csv", "manifest")
    (tmp_path / "b c.wav").touch()
    (clip,) = read_dataset(tmp_path / "clips.csv", DataConfig()).clips
    assert (clip.path, clip.onset_s, clip.offset_s) == (str(tmp_path / "b c.wav"), 0.5, 1.25)
