"""Tiny copies of what readers read: `test_reader_sweep.py` puts each through its trials.

A reader is added here by a function that makes such a copy below a folder and says what must come
out: put `@layout("NAME")` over it. Files are made here, after the listing that the reader's own
file cites; none is copied from an archive.
"""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow
import soundfile
from pyarrow import parquet

from auricle.core.types import Clip
from auricle.data import Manifest, pack


@dataclass(frozen=True)
class Layout:
    """A tiny data set, and what reading it must give.

    `data` is what a user names as DATA, `labels` the classes in their order. `sounds` is the folder
    that `--audio-root` stands for (None: the sounds lie where DATA is, and the option is refused);
    `table` is a text table or list of the layout, and `listed` a sound that it names (default: the
    first clip's). `own`: `reader=auto` takes the layout for this reader's.
    """

    data: Path
    labels: tuple[str, ...]
    clips: int
    splits: frozenset[str] = frozenset()
    folds: frozenset[str] = frozenset()
    groups: int = 0
    multi_label: bool = False
    sounds: Path | None = None
    table: Path | None = None
    listed: Path | None = None
    own: bool = True
    options: Mapping[str, object] = field(default_factory=dict)


LAYOUTS: dict[str, Callable[[Path], Layout]] = {}


def layout(name: str) -> Callable[[Callable[[Path], Layout]], Callable[[Path], Layout]]:
    def add(make: Callable[[Path], Layout]) -> Callable[[Path], Layout]:
        LAYOUTS[name] = make
        return make

    return add


def sounds(root: Path, *names: str) -> None:
    """Make empty files: readers open no sound."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


# --- the layouts


@layout("folder")
def folder(root: Path) -> Layout:
    sounds(root, "cat/1.wav", "cat/2.flac", "sea gull/1.wav")
    return Layout(root, ("cat", "sea gull"), 3)


@layout("table")
def table(root: Path) -> Layout:
    sounds(root, "audio/a.wav", "audio/b c.wav")
    path = text(root / "clips.csv", "path,label,fold,group", "a.wav,x,1,g", "b c.wav,y,2,h")
    return Layout(
        root, ("x", "y"), 2, folds=frozenset("12"), groups=2, sounds=root / "audio", table=path
    )


@layout("manifest")
def manifest(root: Path) -> Layout:
    sounds(root, "far/a.wav", "far/b c.wav")
    path = text(
        root / "dogs.csv",
        "path,onset_s,offset_s,labels,split,fold,group,mic",
        "far/a.wav,0.0,,x|y,train,1,g,left",
        "far/b c.wav,0.5,1.5,y,test,2,h,",
    )
    # Its cells are read as they stand, blanks too: it is no table that a person typed.
    return Layout(
        path, ("x", "y"), 2, splits=frozenset(("train", "test")), folds=frozenset("12"), groups=2,
        multi_label=True, sounds=root,
    )  # fmt: skip


@layout("esc50")
def esc50(root: Path) -> Layout:
    names = ("1-100032-A-0.wav", "1-100032-B-0.wav", "2-100210-A-36.wav")
    sounds(root, *(f"audio/{name}" for name in names))
    path = text(
        root / "meta" / "esc50.csv",
        "filename,fold,target,category,esc10,src_file,take",
        "1-100032-A-0.wav,1,0,dog,True,100032,A",
        "1-100032-B-0.wav,1,0,dog,True,100032,B",
        "2-100210-A-36.wav,2,36,vacuum_cleaner,False,100210,A",
    )
    return Layout(
        root, ("dog", "vacuum_cleaner"), 3, folds=frozenset("12"), groups=2,
        sounds=root / "audio", table=path,
    )  # fmt: skip


@layout("esc10")
def esc10(root: Path) -> Layout:
    sounds(root, "001 - Dog bark/1-100032-A.ogg", "002 - Rain/2-101676-A.ogg")
    sounds(root, "002 - Rain/2-101676-B.ogg")
    return Layout(root, ("Dog bark", "Rain"), 3, folds=frozenset("12"), groups=2, sounds=root)


@layout("urbansound8k")
def urbansound8k(root: Path) -> Layout:
    sounds(root, "audio/fold5/100032-3-0-0.wav", "audio/fold5/100263-2-0-117.wav")
    sounds(root, "audio/fold10/100648-1-0-0.wav")
    path = text(
        root / "metadata" / "UrbanSound8K.csv",
        "slice_file_name,fsID,start,end,salience,fold,classID,class",
        "100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark",
        "100263-2-0-117.wav,100263,58.5,62.5,1,5,2,children_playing",
        "100648-1-0-0.wav,100648,4.823402,5.471927,2,10,1,car_horn",
    )
    return Layout(
        root, ("car_horn", "children_playing", "dog_bark"), 3, folds=frozenset({"5", "10"}),
        groups=3, sounds=root / "audio", table=path,
    )  # fmt: skip


@layout("gtzan")
def gtzan(root: Path) -> Layout:
    from auricle.data.readers.gtzan import GENRES, gtzan_splits

    sounds(root, *(f"genres/{genre}/{genre}.{at:05d}.wav" for genre, at in gtzan_splits()))
    splits = frozenset({"train", "validation", "test"})
    return Layout(root, GENRES, 929, splits=splits, sounds=root)


WORDS = ("go/0a_nohash_0.wav", "go/0b_nohash_0.wav", "zero/0a_nohash_0.wav", "up/0c_nohash_0.wav")


def word_lists(root: Path) -> Path:
    text(root / "testing_list.txt", "up/0c_nohash_0.wav")
    return text(root / "validation_list.txt", "go/0b_nohash_0.wav")


@layout("speech_commands")
def speech_commands(root: Path) -> Layout:
    sounds(root, "_background_noise_/pink_noise.wav", *WORDS)
    splits = frozenset({"train", "validation", "test"})
    return Layout(
        root,
        ("go", "up", "zero"),
        4,
        splits=splits,
        groups=3,
        sounds=root,
        table=word_lists(root),
        listed=root / WORDS[1],
    )


@layout("speech_commands_12")
def speech_commands_12(root: Path) -> Layout:
    sounds(root, *WORDS, "zero/0b_nohash_1.wav", "zero/0c_nohash_1.wav")
    word_lists(root)
    (root / "_background_noise_").mkdir()
    soundfile.write(root / "_background_noise_" / "hum.wav", np.zeros(40000), 2000)
    splits = frozenset({"train", "validation", "test"})
    return Layout(
        root,
        ("_silence_", "_unknown_", "go", "up"),
        7,
        splits=splits,
        groups=3,
        sounds=root,
        own=False,
    )


@layout("fsd50k")
def fsd50k(root: Path) -> Layout:
    truth = root / "FSD50K.ground_truth"
    sounds(root, "FSD50K.dev_audio/64760.wav", "FSD50K.dev_audio/16399.wav")
    sounds(root, "FSD50K.eval_audio/37199.wav")
    text(truth / "vocabulary.csv", "0,Bark,/m/05tny_", "1,Animal,/m/0jbk")
    text(truth / "eval.csv", "fname,labels,mids", '37199,"Bark,Animal","/m/05tny_,/m/0jbk"')
    path = text(
        truth / "dev.csv",
        "fname,labels,mids,split",
        '64760,"Bark,Animal","/m/05tny_,/m/0jbk",train',
        "16399,Animal,/m/0jbk,val",
    )
    splits = frozenset({"train", "validation", "test"})
    return Layout(
        root, ("Bark", "Animal"), 3, splits=splits, multi_label=True, sounds=root, table=path
    )


@layout("common_voice")
def common_voice(root: Path) -> Layout:
    columns = "client_id\tpath\tsentence\taccents\tlocale"
    for at, locale in enumerate(("de", "fr")):
        for split in ("train", "dev", "test"):
            name = f"common_voice_{locale}_{split}.mp3"
            sounds(root, f"{locale}/clips/{name}")
            text(root / locale / f"{split}.tsv", columns, f"{at}{split}\t{name}\tEin\t\t{locale}")
    splits = frozenset({"train", "validation", "test"})
    return Layout(
        root, ("de", "fr"), 6, splits=splits, groups=6, sounds=root, table=root / "de" / "train.tsv"
    )


@layout("competition")
def competition(root: Path) -> Layout:
    sounds(root, "audio_files/a.wav", "audio_files/b.wav", "audio_files/c.wav")
    text(root / "sample_submission.csv", "clip id,species", "c,owl")
    path = text(root / "train.csv", "clip id,species,rating", "a,owl,5", "b.wav,wren,3")
    audio = root / "audio_files"
    return Layout(root, ("owl", "wren"), 2, sounds=audio, table=path, listed=audio / "b.wav")


@layout("list")
def lists(root: Path) -> Layout:
    sounds(root, "audio/a b.wav", "audio/c.wav", "audio/d.wav")
    text(root / "label_list.txt", "wren", "owl")
    text(root / "test_list.txt", "d.wav\t1")
    path = text(root / "train_list.txt", "a b.wav\t0", "c.wav\t1")
    return Layout(
        root, ("wren", "owl"), 3, splits=frozenset({"train", "test"}), sounds=root / "audio",
        table=path,
    )  # fmt: skip


SEGMENTS = (
    "# Segments csv created Sun Mar  5 10:54:25 2017",
    "# num_ytids=1, num_segs=1, num_unique_labels=2, num_positive_labels=2",
    "# YTID, start_seconds, end_seconds, positive_labels",
)


@layout("audioset")
def audioset(root: Path) -> Layout:
    sounds(root, "audio/eval/Y-0RWZT-miFs.wav", "audio/eval/Y--PJHxphWEs.wav")
    text(
        root / "balanced_train_segments.csv",
        *SEGMENTS,
        '--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"',
    )
    path = text(
        root / "eval_segments.csv",
        *SEGMENTS,
        '-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"',
    )
    return Layout(
        root, ("Speech", "Car", "Keys jangling", "Gush"), 2, splits=frozenset({"train", "test"}),
        groups=2, multi_label=True, sounds=root / "audio", table=path,
    )  # fmt: skip


@layout("audioset_strong")
def audioset_strong(root: Path) -> Layout:
    sounds(root, "audio/s9d-2nhuJCQ_30000.flac", "audio/s9d-2nhuJCQ_90000.flac")
    path = text(
        root / "audioset_eval_strong.tsv",
        "segment_id\tstart_time_seconds\tend_time_seconds\tlabel",
        "s9d-2nhuJCQ_30000\t2.627\t7.237\t/m/053hz1",
        "s9d-2nhuJCQ_30000\t0.000\t10.000\t/m/04rlf",
        "s9d-2nhuJCQ_90000\t0.000\t10.000\t/m/04rlf",
    )
    return Layout(
        root, ("Cheering", "Music"), 3, splits=frozenset({"test"}), groups=1, multi_label=True,
        sounds=root / "audio", table=path,
    )  # fmt: skip


@layout("desed")
def desed(root: Path) -> Layout:
    weak, strong = "audio/train/weak_16k", "audio/validation/validation"
    sounds(root, f"{weak}/Y00pbt6aJV8Y_350.000_360.000.wav")
    sounds(root, *(f"{strong}/Y{name}_30.000_40.000.wav" for name in ("a", "b")))
    text(root / "metadata/train/unlabel_in_domain.tsv", "filename", "Yc_30.000_40.000.wav")
    text(
        root / "metadata/train/weak.tsv",
        "filename\tevent_labels",
        "Y00pbt6aJV8Y_350.000_360.000.wav\tSpeech,Dishes",
    )
    path = text(
        root / "metadata/validation/validation.tsv",
        "filename\tonset\toffset\tevent_label",
        "Ya_30.000_40.000.wav\t0.5\t2.25\tCat",
        "Ya_30.000_40.000.wav\t1.0\t10.0\tSpeech",
        "Yb_30.000_40.000.wav\t\t\t",
    )
    return Layout(
        root, ("Cat", "Dishes", "Speech"), 4, splits=frozenset({"train", "validation"}),
        multi_label=True, sounds=root / "audio", table=path,
    )  # fmt: skip


@layout("raven")
def raven(root: Path) -> Layout:
    sounds(root, "audio/dawn.wav", "audio/dusk.wav")
    path = text(
        root / "tables" / "both.Table.1.selections.txt",
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\t"
        "High Freq (Hz)\tBegin File\tFile Offset (s)\tSpecies",
        "1\tSpectrogram 1\t1\t1.5\t2.0\t2000.0\t8000.0\tdawn.wav\t1.5\tEATO",
        "2\tSpectrogram 1\t1\t61.5\t62.0\t2000.0\t8000.0\tdusk.wav\t1.5\tBHCO",
    )
    return Layout(root, ("BHCO", "EATO"), 2, multi_label=True, sounds=root / "audio", table=path)


@layout("audacity")
def audacity(root: Path) -> Layout:
    sounds(root, "night 1.flac", "night 2.wav")
    text(root / "night 1.txt", "1.000000\t2.500000\towl", "\\\t300.0\t900.0")
    text(root / "night 2.wav.txt", "0.5\t0.75\tfox", "1.0\t1.5\towl")
    return Layout(root, ("fox", "owl"), 3, multi_label=True)


@layout("jams")
def jams(root: Path) -> Layout:
    sounds(root, "audio/a.wav", "audio/b.wav")
    event = '{"time": 0.25, "duration": 0.5, "value": "horn", "confidence": 0.9}'
    annotation = '{"namespace": "%s", "annotation_metadata": {}, "data": [%s]}'
    for name, namespace, data in (("a", "segment_open", event), ("b", "tag_open", "")):
        text(
            root / "annotations" / f"{name}.jams",
            '{"file_metadata": {"title": "x", "duration": 10.0}, "sandbox": {}, "annotations": ['
            + annotation % (namespace, data)
            + "]}",
        )
    return Layout(root, ("horn",), 2, multi_label=True, sounds=root / "audio")


@layout("hf")
def hf(root: Path) -> Layout:
    features = {
        "audio": {"_type": "Audio"},
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
        "group": {"dtype": "string", "_type": "Value"},
    }
    rows = [
        {"audio": {"bytes": b"RIFF", "path": f"x/{at}.wav"}, "label": at % 2, "group": f"g{at}"}
        for at in range(3)
    ]
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pyarrow.Table.from_pylist(rows).replace_schema_metadata(metadata)
    (root / "data").mkdir()
    parquet.write_table(table.slice(0, 2), root / "data" / "train-00000-of-00001.parquet")
    parquet.write_table(table.slice(2), root / "data" / "test-00000-of-00001.parquet")
    return Layout(root, ("cat", "dog"), 3, splits=frozenset({"train", "test"}), groups=3)


@layout("pack")
def packed(root: Path) -> Layout:
    for at in range(3):
        soundfile.write(root / f"{at}.wav", np.zeros(100 + at), 8000)
    clips = [
        Clip(
            str(root / f"{at}.wav"), ("cat", "dog")[: at % 2 + 1], 0.0, None, "train", str(at), "g"
        )
        for at in range(3)
    ]
    path = root / "sounds.h5"
    pack(Manifest.of(clips, group_declared=True), path)
    return Layout(
        path, ("cat", "dog"), 3, splits=frozenset({"train"}), folds=frozenset("012"), groups=1,
        multi_label=True,
    )  # fmt: skip


@layout("webdataset")
def webdataset(root: Path) -> Layout:
    """Shards as other people make them: the number of the class, and a list of names beside."""
    text(root / "labels.txt", "owl", "fox")
    for split in ("train", "test"):
        with tarfile.open(root / f"{split}-000000.tar", "w") as shard:
            for at in range(2):
                for suffix, content in (("flac", b"fLaC"), ("cls", f"{at}".encode())):
                    info = tarfile.TarInfo(f"{split}/{at:04d}.{suffix}")
                    info.size = len(content)
                    shard.addfile(info, io.BytesIO(content))
    return Layout(root, ("owl", "fox"), 4, splits=frozenset({"train", "test"}))
