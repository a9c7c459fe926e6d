"""Label formats: what goes in comes out, files of other programs are read, bad ones are told."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.core.errors import DataError, UnknownName
from auricle.core.types import Clip
from auricle.core.writing import WriteError
from auricle.events import FORMATS, Faults, find_format, read_labels, write_labels
from auricle.events.formats.base import HIGH_HZ, LOW_HZ, SCORE, RecordingFormat, seconds

STRONG = [name for name in FORMATS if FORMATS[name].strong]
WEAK = [name for name in FORMATS if FORMATS[name].weak]
SUFFIX = {"tsv": ".tsv", "audioset_strong": ".tsv", "csv": ".csv", "weak": ".tsv"}

TIMES = st.floats(0, 1e6, allow_nan=False, allow_infinity=False)
WORDS = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12
).filter(lambda text: text == text.strip())
SUFFIXES = st.sampled_from(["", ".wav", ".flac"])
NAMES = st.builds(
    "{}{}".format, st.from_regex(r"[a-z0-9][\w\- ]{0,8}[a-z0-9]", fullmatch=True), SUFFIXES
)


@st.composite
def events(draw: st.DrawFn) -> Clip:
    onset_s, offset_s = sorted((draw(TIMES), draw(TIMES)))
    return Clip(draw(NAMES), (draw(WORDS),), onset_s, offset_s)


def output(folder: Path, name: str) -> Path:
    return folder / f"labels{SUFFIX.get(name, '.csv' if name == 'audioset' else '')}"


def by_recording(rows: Iterable[Clip]) -> dict[str, list[Clip]]:
    found: dict[str, list[Clip]] = {}
    for row in rows:
        found.setdefault(row.path, []).append(row)
    return found


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# --- there and back


@pytest.mark.parametrize("name", STRONG)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(events(), min_size=1, max_size=12))
def test_events_come_back_in_order_and_within_a_millisecond(
    name: str, rows: list[Clip], tmp_path_factory: pytest.TempPathFactory
):
    path = output(tmp_path_factory.mktemp("back"), name)
    try:
        write_labels(path, rows, name)
    except DataError as error:  # 'A' and 'a' are one file to some systems
        hypothesis.assume("same label file" not in str(error))
        raise
    assert find_format(path) == name
    back, before = by_recording(read_labels(path)), by_recording(rows)
    assert back.keys() == before.keys()
    for recording, written in before.items():
        read = back[recording]
        assert [row.labels for row in read] == [row.labels for row in written]
        for row, original in zip(read, written, strict=True):
            assert row.onset_s == pytest.approx(original.onset_s, abs=1e-3, rel=0)
            assert row.offset_s == pytest.approx(original.offset_s, abs=1e-3, rel=0)


@pytest.mark.parametrize("name", STRONG)
def test_a_recording_without_events_stays_one(name: str, tmp_path: Path):
    rows = [Clip("a.wav", ("x",), 1.0, 2.5), Clip("silent.wav")]
    write_labels(output(tmp_path, name), rows, name)
    assert sorted(read_labels(output(tmp_path, name)), key=lambda row: row.path) == rows


@pytest.mark.parametrize("name", WEAK)
def test_labels_without_times_come_back(name: str, tmp_path: Path):
    extra = {"start_seconds": "30.0", "end_seconds": "40.0"} if name == "audioset" else {}
    rows = [Clip("a b", ("x", "y z"), extra=extra), Clip("c", (), extra=extra)]
    write_labels(output(tmp_path, name), rows, name, extra=list(extra))
    assert find_format(output(tmp_path, name)) == name
    back = by_recording(read_labels(output(tmp_path, name)))
    labels = {
        path: [label for row in found for label in row.labels] for path, found in back.items()
    }
    assert labels == {"a b": ["x", "y z"], "c": []}
    assert all(row.offset_s is None for found in back.values() for row in found)


@pytest.mark.parametrize("name", [n for n in STRONG if isinstance(FORMATS[n], RecordingFormat)])
def test_rows_of_a_recording_may_stand_apart(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("auricle.events.labels._BLOCK_ROWS", 2)
    rows = [Clip(f"{at % 3}.wav", (f"l{at}",), float(at), at + 0.5) for at in range(11)]
    write_labels(tmp_path / "out", [*rows, Clip("none.wav")], name)
    back = by_recording(read_labels(tmp_path / "out"))
    assert back == {**by_recording(rows), "none.wav": [Clip("none.wav")]}


@pytest.mark.parametrize("name", ["raven", "jams"])
def test_recordings_that_differ_by_suffix_and_folder_keep_their_names(name: str, tmp_path: Path):
    names = ["a.wav", "a.flac", "sub/a.wav", "sub dir/b.c.wav"]
    write_labels(tmp_path / "out", [Clip(n, ("x",), 0.0, 1.0) for n in names], name)
    assert {row.path for row in read_labels(tmp_path / "out")} == set(names)


def test_scores_bands_and_other_columns_are_kept_where_the_format_can(tmp_path: Path):
    extra = {SCORE: "0.75", LOW_HZ: "300.0", HIGH_HZ: "900.5", "observer": "Ann B"}
    row = Clip("a.wav", ("x",), 1.0, 2.0, extra=extra)
    for name in STRONG:
        path = tmp_path / name / output(tmp_path, name).name
        write_labels(path, [row], name, extra=list(extra))
        held = FORMATS[name].holds
        (back,) = read_labels(path)
        assert back.extra == {k: v for k, v in extra.items() if held is None or k in held}


@given(TIMES)
def test_seconds_read_back_as_the_same_number(value: float):
    text = seconds(value)
    assert "e" not in text
    assert float(text) == pytest.approx(value, abs=1e-14)


# --- files of other programs


def test_desed_with_rows_without_events(tmp_path: Path):
    path = write(
        tmp_path / "validation.tsv",
        "filename\tonset\toffset\tevent_label\n"
        "Y00pbt6aJV8Y_350.000_360.000.wav\t0.000\t9.971\tVacuum_cleaner\n"
        "Y00pK0GMmE9s_70.000_80.000.wav\t\t\t\n",
    )
    first, second = read_labels(path)
    assert (first.onset_s, first.offset_s, first.labels) == (0.0, 9.971, ("Vacuum_cleaner",))
    assert second == Clip("Y00pK0GMmE9s_70.000_80.000.wav")


def test_google_and_desed_name_the_columns_of_strong_labels_differently(tmp_path: Path):
    google = write(
        tmp_path / "a.tsv",
        "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\ns9d_30000\t2.627\t7.237\t/m/053hz1\n",
    )
    desed = write(
        tmp_path / "b.tsv",
        "filename\tevent_label\tonset\toffset\ns9d_30000\t/m/053hz1\t2.627\t7.237\n",
    )
    assert (find_format(google), find_format(desed)) == ("audioset_strong", "tsv")
    assert list(read_labels(google)) == list(read_labels(desed))


def test_explicit_negatives_of_audioset_are_no_events(tmp_path: Path):
    path = write(
        tmp_path / "audioset_eval_strong_framed_posneg.tsv",
        "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\tpresent\n"
        "a_0\t0.0\t0.96\t/m/1\tPRESENT\na_0\t0.96\t1.92\t/m/1\tNOT_PRESENT\n",
    )
    with pytest.raises(DataError, match="present"):
        list(read_labels(path, "audioset_strong"))


def test_audioset_segments(tmp_path: Path):
    path = write(
        tmp_path / "eval_segments.csv",
        "# Segments csv created Sun Mar  5 10:54:25 2017\n"
        "# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804\n"
        "# YTID, start_seconds, end_seconds, positive_labels\n"
        '-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"\n',
    )
    (row,) = read_labels(path)
    assert row.labels == ("/m/03v3yw", "/m/0k4j")
    assert row.extra == {"start_seconds": "420.000", "end_seconds": "430.000"}


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_raven_takes_the_spectrogram_of_a_selection_in_two_views(tmp_path: Path):
    path = write(
        tmp_path / "dawn.Table.1.selections.txt",
        f"{RAVEN}\tSpecies\n"
        "1\tWaveform 1\t1\t154.387792767\t154.911598217\t2878.2\t4049.0\tEATO\n"
        "1\tSpectrogram 1\t1\t154.387792767\t154.911598217\t2878.2\t4049.0\tEATO\n",
    )
    (row,) = read_labels(path)
    assert (row.path, row.labels) == ("dawn", ("EATO",))
    assert (row.onset_s, row.offset_s) == (154.387792767, 154.911598217)
    assert row.extra == {LOW_HZ: "2878.2", HIGH_HZ: "4049.0"}


def test_raven_keeps_a_selection_that_only_the_waveform_shows(tmp_path: Path):
    path = write(
        tmp_path / "dawn.selections.txt",
        f"{RAVEN}\tSpecies\n"
        "1\tSpectrogram 1\t1\t1\t2\t0\t9\towl\n2\tWaveform 1\t1\t3\t4\t0\t9\tfox\n",
    )
    assert [row.labels for row in read_labels(path)] == [("owl",), ("fox",)]


@pytest.mark.parametrize(
    "name", ["a.wav.Table.2.selections.txt", "a.wav.selections.txt", "a.wav.txt"]
)
def test_raven_tables_are_named_after_their_recording(tmp_path: Path, name: str):
    path = write(tmp_path / name, f"{RAVEN}\tSpecies\n1\tSpectrogram 1\t1\t1\t2\t0\t9\towl\n")
    assert next(read_labels(path)).path == "a.wav"


def test_raven_tables_of_birdnet_name_the_path_of_the_recording(tmp_path: Path):
    """The columns of BirdNET-Analyzer, which writes no Begin File."""
    columns = "Common Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)"
    cells = "1\tSpectrogram 1\t1\t3.0\t6.0\t0\t15000\tTawny Owl\ttawowl1\t0.8"
    path = write(
        tmp_path / "a.BirdNET.selection.table.txt",
        f"{RAVEN}\t{columns}\n{cells}\tD:\\site\\b.wav\t3.0\n{cells}\t\t3.0\n",
    )
    rows = list(read_labels(path))
    assert [(row.path, row.labels) for row in rows] == [
        ("b.wav", ("Tawny Owl",)),
        ("a", ("Tawny Owl",)),
    ]


def test_raven_counts_from_the_file_in_a_sequence_of_files(tmp_path: Path):
    path = write(
        tmp_path / "night.selections.txt",
        f"{RAVEN}\tBegin File\tFile Offset (s)\tCall\n"
        "1\tSpectrogram 1\t1\t65.5\t66.25\t1\t2\tpart2.wav\t5.5\towl\n",
    )
    (row,) = read_labels(path)
    assert (row.path, row.onset_s, row.offset_s) == ("part2.wav", 5.5, 6.25)


def test_raven_finds_the_only_free_column_and_asks_among_several(tmp_path: Path):
    cells = "1\tSpectrogram 1\t1\t0.5\t1.0\t1\t2"
    one = write(
        tmp_path / "a.selections.txt", f"{RAVEN}\tAvg Power (dB)\tQuack\n{cells}\t-3\tmallard\n"
    )
    two = write(tmp_path / "b.selections.txt", f"{RAVEN}\tBird\tSex\n{cells}\tmallard\tf\n")
    assert next(read_labels(one)).labels == ("mallard",)
    with pytest.raises(DataError, match=r"which column.*Bird.*Sex.*--data\.label"):
        list(read_labels(two))
    (row,) = read_labels(two, label_column="Sex")
    assert (row.labels, row.extra["Bird"]) == (("f",), "mallard")


def test_raven_table_without_selections_says_that_nothing_is_there(tmp_path: Path):
    write(tmp_path / "quiet.Table.1.selections.txt", f"{RAVEN}\n")
    assert list(read_labels(tmp_path, "raven")) == [Clip("quiet")]


def test_audacity_with_bands_points_and_decimal_commas(tmp_path: Path):
    path = write(
        tmp_path / "pond.txt",
        "2.150000\t2.150000\tpoint\n"
        "1,000000\t1,500000\tfrog song\n\\\t300.5\t900.0\n"
        "3.0\t4.0\topen above\n\\\t500.0\t-1.0\n",
    )
    point, frog, above = read_labels(path)
    assert (point.path, point.onset_s, point.offset_s) == ("pond", 2.15, 2.15)
    assert (frog.onset_s, frog.offset_s, frog.labels) == (1.0, 1.5, ("frog song",))
    assert frog.extra == {LOW_HZ: "300.5", HIGH_HZ: "900.0"}
    assert above.extra == {LOW_HZ: "500.0"}


def test_jams_follows_the_schema(tmp_path: Path):
    """Required by jams_schema.json: four keys an observation, three an annotation."""
    rows = [Clip("a.wav", ("x",), 0.5, 2.0, extra={SCORE: "0.5"}), Clip("a.wav", ("tag",))]
    write_labels(tmp_path / "out", rows, "jams", extra=[SCORE])
    jam = json.loads((tmp_path / "out" / "a.jams").read_text(encoding="utf-8"))
    namespaces = [annotation["namespace"] for annotation in jam["annotations"]]
    assert namespaces == ["segment_open", "tag_open"]
    for annotation in jam["annotations"]:
        assert {"annotation_metadata", "data", "namespace"} <= annotation.keys()
        for observation in annotation["data"]:
            assert observation.keys() == {"time", "duration", "value", "confidence"}
            assert isinstance(observation["value"], str)
    assert jam["annotations"][0]["data"] == [
        {"time": 0.5, "duration": 1.5, "value": "x", "confidence": 0.5}
    ]


def test_jams_in_a_namespace_that_is_not_read_is_no_recording_without_events(tmp_path: Path):
    def write_jam(name: str, *namespaces: str) -> None:
        observation = {"time": 0.0, "duration": 3.0, "value": "x", "confidence": None}
        annotations = [{"namespace": each, "data": [observation]} for each in namespaces]
        write(tmp_path / name, json.dumps({"annotations": annotations}))

    write_jam("a.jams", "chord")
    write_jam("b.jams", "tag_urbansound", "beat")
    write_jam("c.jams")
    faults = Faults()
    rows = list(read_labels(tmp_path, "jams", faults=faults))
    assert [(row.path, row.labels) for row in rows] == [("b", ("x",)), ("c", ())]
    (fault,) = faults.rejected
    assert fault == "a.jams: it has none of segment_open, tag_open and scaper, only: chord"


def test_jams_of_scaper_gives_the_foreground(tmp_path: Path):
    def event(label: str, role: str) -> dict[str, object]:
        value = {"label": label, "role": role, "snr": 6.0}
        return {"time": 1.0, "duration": 2.0, "value": value, "confidence": 1.0}

    data = [event("siren", "foreground"), event("street", "background")]
    annotation = {"namespace": "scaper", "annotation_metadata": {}, "data": data}
    chords = {"namespace": "chord", "annotation_metadata": {}, "data": [{"value": "C:maj"}]}
    jam = {"annotations": [chords, annotation], "file_metadata": {"duration": 10.0}, "sandbox": {}}
    path = write(tmp_path / "scape.jams", json.dumps(jam))
    assert list(read_labels(path)) == [Clip("scape", ("siren",), 1.0, 3.0)]


def test_a_tag_over_the_whole_file_has_no_times(tmp_path: Path):
    data = [
        {"time": 0, "duration": 10.0, "value": "whole", "confidence": None},
        {"time": 2.0, "duration": 3.0, "value": "part", "confidence": None},
    ]
    annotation = {"namespace": "tag_open", "annotation_metadata": {}, "data": data}
    jam = {"annotations": [annotation], "file_metadata": {"duration": 10.0}}
    whole, part = read_labels(write(tmp_path / "a.jams", json.dumps(jam)))
    assert (whole.offset_s, part.offset_s) == (None, 5.0)


# --- what is bad


def test_bad_rows_are_told_one_by_one(tmp_path: Path):
    path = write(
        tmp_path / "x.tsv",
        "filename\tonset\toffset\tevent_label\n"
        "a\t0\t1\tx\n\t0\t1\tx\na\t-1\t1\tx\na\t2\t1\tx\na\tsoon\t1\tx\na\t0\t\tx\na\t0\tinf\tx\n"
        "a\t0\t1\t\na\t0\t1\tx\ty\n",
    )
    faults = Faults()
    assert len(list(read_labels(path, faults=faults))) == 1
    assert [line.split(": ")[0] for line in faults.rejected] == [
        f"x.tsv line {n}" for n in range(3, 11)
    ]
    with pytest.raises(DataError, match=r"line 3: the file name is empty"):
        list(read_labels(path))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jams", "{"),
        ("a.jams", "[]"),
        ("a.jams", '{"file_metadata": {}}'),
        ("a.jams", "[" * 100_000),
        ("a.txt", "no numbers here\n"),
        ("a.tsv", ""),
        ("a.tsv", "filename\tonset\n"),
        ("a.csv", "path,label\na.wav,x\n"),
        ("a.bin", "filename,onset,offset,event_label\n"),
    ],
)
def test_no_label_file(tmp_path: Path, name: str, text: str):
    with pytest.raises(DataError):
        list(read_labels(write(tmp_path / name, text)))


def test_hostile_observations_are_rejected_not_fatal(tmp_path: Path):
    good = {"time": 1, "duration": 1, "value": "x", "confidence": None}
    bad = [{"time": "soon"}, {"time": -1}, {"duration": None}, {"value": ["x"]}, {"time": 1e999}]
    data = [good, *({**good, **change} for change in bad), 7, None]
    jam = {"annotations": [None, {"namespace": "segment_open", "data": data}], "file_metadata": 3}
    path = write(tmp_path / "a.jams", json.dumps(jam))
    faults = Faults()
    assert list(read_labels(path, faults=faults)) == [Clip("a", ("x",), 1.0, 2.0)]
    assert len(faults.rejected) == 7


def test_other_files_in_a_folder_are_counted_and_links_in_a_circle_end(tmp_path: Path):
    write(tmp_path / "a.txt", "0.0\t1.0\tx\n")
    write(tmp_path / "README.txt", "How these labels were made\n")
    write(tmp_path / "a.wav", "")
    (tmp_path / "back").symlink_to(tmp_path)
    faults = Faults()
    assert list(read_labels(tmp_path, "audacity", faults=faults)) == [Clip("a", ("x",), 0.0, 1.0)]
    assert {Path(name).name for name in faults.others} == {"README.txt", "a.wav"}


def test_misspelt_formats_and_missing_files(tmp_path: Path):
    write(tmp_path / "tables" / "all.tsv", "filename\tonset\toffset\tevent_label\na.wav\t0\t1\tx\n")
    with pytest.raises(DataError, match="name the table itself"):
        read_labels(tmp_path / "tables")
    with pytest.raises(UnknownName, match="did you mean 'raven'"):
        read_labels(write(tmp_path / "a.txt", "x"), "ravn")
    with pytest.raises(DataError, match="not found"):
        read_labels(tmp_path / "gone.tsv")
    with pytest.raises(DataError, match="is a folder"):
        read_labels(tmp_path, "tsv")


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("tsv", Clip("a", ("x",)), "has no times"),
        ("weak", Clip("a", ("x",), 0.0, 1.0), "has times"),
        ("weak", Clip("a", ("Child speech, kid speaking",)), "','"),
        ("audioset", Clip("a", ("x",)), "where in its video"),
        ("tsv", Clip("a", (" x",), 0.0, 1.0), "blank"),
        ("tsv", Clip("a\nb", ("x",), 0.0, 1.0), "cannot say"),
        ("csv", Clip("a", ("\udcff",), 0.0, 1.0), "Unicode"),
        ("raven", Clip("a", ("x\ty",), 0.0, 1.0), "cannot say"),
        ("audacity", Clip("a", ("x\ty",), 0.0, 1.0), "cannot say"),
        ("raven", Clip("../a", ("x",), 0.0, 1.0), "outside"),
        ("jams", Clip("/etc/a", ("x",), 0.0, 1.0), "outside"),
        ("audacity", Clip(".a", ("x",), 0.0, 1.0), "hidden"),
    ],
)
def test_what_a_format_cannot_say_is_refused_and_nothing_is_left(
    tmp_path: Path, name: str, row: Clip, message: str
):
    with pytest.raises(DataError, match=message):
        write_labels(tmp_path / "out", [Clip("z"), row] if name == "tsv" else [row], name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tsv", "csv"])
def test_tabs_commas_and_quotes_are_quoted_as_tables_do(tmp_path: Path, name: str):
    rows = [Clip('a "b",\tc.wav', ('x, "y"\tz',), 0.0, 1.0)]
    write_labels(output(tmp_path, name), rows, name)
    assert list(read_labels(output(tmp_path, name))) == rows
    with output(tmp_path, name).open(newline="", encoding="utf-8") as file:
        table = list(csv.reader(file, delimiter="\t" if name == "tsv" else ","))
    assert table[1] == ['a "b",\tc.wav', "0.0", "1.0", 'x, "y"\tz']


@pytest.mark.parametrize("name", ["tsv", "raven"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, name: str):
    write(tmp_path / "file", "in the way")
    with pytest.raises(WriteError):
        write_labels(tmp_path / "file" / "out", [Clip("a", ("x",), 0.0, 1.0)], name)


def test_an_interrupted_writing_leaves_the_old_labels(tmp_path: Path):
    write_labels(tmp_path / "out", [Clip("a", ("old",), 0.0, 1.0)], "audacity")

    def breaking() -> Iterable[Clip]:
        yield Clip("b", ("new",), 0.0, 1.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_labels(tmp_path / "out", breaking(), "audacity")
    assert [row.labels for row in read_labels(tmp_path / "out")] == [("old",)]


def test_every_format_says_what_it_is(capsys: pytest.CaptureFixture[str]):
    for name in FORMATS:
        assert FORMATS[name].summary
        assert FORMATS[name].strong or FORMATS[name].weak
    with capsys.disabled():
        print(f"\nlabel formats swept: {len(FORMATS)}")
