"""`auricle data convert` as a user runs it."""

import csv
import shutil
from pathlib import Path

import pytest

EVENTS = (
    "filename,onset,offset,event_label\n"
    "night 1.wav,0.5,1.25,owl\n"
    "night 1.wav,1.0,2.125,fox\n"
    "sub/ü.flac,0.001,9.999,owl\n"
    "quiet.wav,,,\n"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(EVENTS, encoding="utf-8")
    return path


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        return sorted(list(csv.reader(file, delimiter=delimiter))[1:])


@pytest.mark.parametrize("to", ["tsv", "audioset_strong", "raven", "audacity", "jams"])
def test_there_and_back(table: Path, tmp_path: Path, done, to: str):
    there = tmp_path / ("there.tsv" if to in ("tsv", "audioset_strong") else "there")
    back = tmp_path / "back.csv"
    done("data", "convert", table, there, "--to", to)
    outcome = done("data", "convert", there, back)
    assert rows(back) == rows(table)
    assert "4 rows read; saved as csv" in outcome.out


def test_times_are_dropped_only_by_word(table: Path, tmp_path: Path, cli, done, message_of):
    out = tmp_path / "weak.tsv"
    assert "--weak drops the times" in message_of(
        cli("data", "convert", table, out, "--to", "weak")
    )
    assert not out.exists()
    done("data", "convert", table, out, "--to", "weak", "--weak")
    assert ["night 1.wav", "owl,fox"] in rows(out)
    error = message_of(cli("data", "convert", out, tmp_path / "x.tsv", "--to", "tsv"))
    assert "--duration SECONDS" in error
    assert "--audio-root DIR" in error
    done("data", "convert", out, tmp_path / "x.tsv", "--to", "tsv", "--duration", "10")
    assert ["night 1.wav", "0.0", "10.0", "owl"] in rows(tmp_path / "x.tsv")


def test_a_folder_per_class_becomes_a_table(tone_folder: Path, tmp_path: Path, done):
    data = tmp_path / "data"
    shutil.copytree(tone_folder, data)
    done("data", "convert", data, data / "clips.csv")
    manifest = rows(data / "clips.csv")
    assert len(manifest) == 36
    assert ["low/low-0.wav", "0.0", "", "low", "", "", ""] in manifest
    # Events need the length of each sound, which is there to be heard.
    done("data", "convert", data / "clips.csv", tmp_path / "events.csv", "--to", "csv")
    assert ["low/low-0.wav", "0.0", "0.8", "low"] in rows(tmp_path / "events.csv")


def test_a_manifest_of_label_files_names_their_sounds(tmp_path: Path, done):
    """What `auricle train` takes has the paths of sounds, whatever the label files call them."""
    for site in "ab":
        (tmp_path / site).mkdir()
        (tmp_path / site / "050000.WAV").touch()
        (tmp_path / site / "050000.txt").write_text(f"0.5\t1.5\t{site}\n")
    done("data", "convert", tmp_path, tmp_path / "clips.csv", "--to", "manifest")
    assert [row[:4] for row in rows(tmp_path / "clips.csv")] == [
        ["a/050000.WAV", "0.5", "1.5", "a"],
        ["b/050000.WAV", "0.5", "1.5", "b"],
    ]


def test_columns_called_like_those_of_the_target_are_renamed(tmp_path: Path, done):
    source = tmp_path / "a.csv"
    source.write_text(
        "path,onset_s,offset_s,labels,split,fold,group,onset,Filename\na.wav,1,2,owl,,,,x,y\n"
    )
    done("data", "convert", source, tmp_path / "b.tsv", "--to", "tsv")
    done("data", "convert", tmp_path / "b.tsv", tmp_path / "c.csv", "--to", "manifest")
    text = (tmp_path / "c.csv").read_text().splitlines()
    assert text == [
        "path,onset_s,offset_s,labels,split,fold,group,onset_,Filename_",
        "a.wav,1.0,2.0,owl,,,,x,y",
    ]
    (tmp_path / "d.csv").write_text("filename,onset,offset,event_label,labels\na.wav,1,2,owl,z\n")
    done("data", "convert", tmp_path / "d.csv", tmp_path / "e.csv", "--to", "manifest")
    assert "labels_" in (tmp_path / "e.csv").read_text()


def test_what_no_label_format_can_say_is_told(tmp_path: Path, cli, done, message_of):
    source = tmp_path / "a.csv"
    source.write_text(
        "path,onset_s,offset_s,labels,split,fold,group\n"
        "a.wav,1,2,,,,\na.wav,2,3,owl,,,\nb.wav,3,,fox,,,\nc.wav,0,,,,,\nd.wav,1,2,,,,\n"
    )
    for to in ("tsv", "raven", "jams"):
        out = tmp_path / f"out.{to}"
        outcome = done("data", "convert", source, out, "--to", to, "--duration", "5")
        assert "nothing is in part of a file: 2 stretches not written" in outcome.err
        done("data", "convert", out, tmp_path / f"{to}.csv")
        assert [row[:4] for row in rows(tmp_path / f"{to}.csv")] == [
            ["a.wav", "2.0", "3.0", "owl"],
            ["b.wav", "3.0", "5.0", "fox"],
            ["c.wav", "", "", ""],
            ["d.wav", "", "", ""],
        ]
    error = message_of(
        cli("data", "convert", source, tmp_path / "x.tsv", "--to", "tsv", "--duration", "2")
    )
    assert "begins at 3 s, and the file ends at 2 s" in error
    source.write_text("path,onset_s,offset_s,labels,split,fold,group\nb.wav,3,,fox,,,\n")
    assert "--weak" in message_of(
        cli("data", "convert", source, tmp_path / "x.tsv", "--to", "weak")
    )


def test_ids_become_names(table: Path, tmp_path: Path, done):
    names = tmp_path / "names.csv"
    names.write_text("id,label\nowl,Tawny owl\nfox,Red fox\n")
    done("data", "convert", table, tmp_path / "named.tsv", "--label-names", names)
    assert {row[3] for row in rows(tmp_path / "named.tsv")} >= {"Tawny owl", "Red fox"}


def test_rows_that_cannot_be_used(table: Path, tmp_path: Path, cli, done, message_of):
    table.write_text(EVENTS + "a.wav,2,1,owl\n", encoding="utf-8")
    out = tmp_path / "out.tsv"
    assert "line 6" in message_of(cli("data", "convert", table, out, "--strict"))
    assert not out.exists()
    outcome = cli("data", "convert", table, out)
    assert outcome.status == 1
    assert "1 row left out" in outcome.err
    assert len(rows(out)) == 4
    done("data", "convert", table, out, "--force", "--allow-skips")


def test_nothing_is_destroyed(table: Path, tmp_path: Path, cli, message_of):
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.wav").write_bytes(b"sound")

    def refused(*words: object) -> str:
        return message_of(cli("data", "convert", table, *words))

    assert "--force" in refused(out, "--to", "raven")
    assert "precious.wav" in refused(out, "--to", "raven", "--force")
    assert "is a folder" in refused(out, "--to", "tsv", "--force")
    assert "is what is read" in refused(table, "--force")
    assert "or holds it" in refused(tmp_path, "--to", "jams", "--force")
    assert (out / "precious.wav").read_bytes() == b"sound"
    assert table.read_text(encoding="utf-8") == EVENTS


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gone.csv", "x.csv"), "data set not found"),
        (("events.csv", "x.foo"), "--to: audacity, audioset"),
        (("events.csv", "x", "--to", "ravn"), "did you mean 'raven'"),
        (("events.csv", "x.csv", "--from", "tvs"), "did you mean 'tsv'"),
        (("events.csv", "x.txt", "--to", "manifest"), "a manifest ends in .csv"),
        (("events.csv", "x.tsv", "--duration", "0"), "--duration must be above 0"),
        (("events.csv", "x.csv", "--from", "raven"), "is no selection table"),
        (("events.csv", "x.tsv", "--too", "tsv"), "did you mean '--to'"),
    ],
)
def test_mistakes(
    table: Path, tmp_path: Path, cli, message_of, monkeypatch, words: tuple[str, ...], message: str
):
    monkeypatch.chdir(tmp_path)
    assert message in message_of(cli("data", "convert", *words))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv"]
