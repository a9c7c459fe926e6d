"""`auricle data split`: what it divides, what it refuses, what it ends with."""

from pathlib import Path

import pytest

from auricle.core.types import Clip
from auricle.data import Manifest, read_manifest, write_manifest


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A table of 60 sounds: two labels, six speakers, three sites, a column that says parts."""
    lines = ["path,label,speaker,site,part"]
    for at in range(60):
        (tmp_path / f"{at}.wav").touch()
        part = ("Training", "val", "eval")[at % 6 // 2]
        lines.append(
            f"{at}.wav,{'ab'[at % 2]},s{at % 6},{['north', 'south', 'west'][at % 3]},{part}"
        )
    path = tmp_path / "clips.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def sides(path: Path, by: str) -> dict[str | None, set[str | None]]:
    found: dict[str | None, set[str | None]] = {}
    for clip in read_manifest(path).clips:
        found.setdefault(getattr(clip, by), set()).add(clip.group or clip.extra["speaker"])
    return found


def test_a_split_is_drawn_and_told(done, made: Path, tmp_path: Path):
    outcome = done("data", "split", made, "--output", tmp_path / "m.csv", "--seed", 3)
    assert read_manifest(tmp_path / "m.csv").split_sizes() == {
        "train": 43, "validation": 5, "test": 12,
    }  # fmt: skip
    assert "stratified fifth was drawn as the test part (seed 3)" in outcome.err
    assert "no group is declared" in outcome.err
    assert "60 clips (seed 3)" in outcome.out
    assert all(word in outcome.out for word in ("train", "validation", "test", "all clips"))
    done("data", "split", made, "--output", tmp_path / "again.csv", "--seed", 3, "--quiet")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "m.csv").read_bytes()


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
def test_groups_stay_whole_in_every_form(done, made: Path, tmp_path: Path, suffix: str):
    output = tmp_path / f"m.{suffix}"
    words = ("--group", "speaker", "--test-share", 0.34, "--validation-share", 0.25)
    outcome = done("data", "split", made, "--output", output, *words)
    assert "all groups" in outcome.out
    held = sides(output, "split")
    assert {part: len(groups) for part, groups in held.items()} == {
        "train": 3, "validation": 1, "test": 2,
    }  # fmt: skip
    assert sum(map(len, held.values())) == len(set().union(*held.values()))


def test_folds_are_made_and_one_may_be_the_test_part(done, made: Path, tmp_path: Path):
    done("data", "split", made, "--output", tmp_path / "m.csv", "--folds", 3, "--group", "speaker")
    manifest = read_manifest(tmp_path / "m.csv")
    assert {clip.fold for clip in manifest.clips} == {"1", "2", "3"}
    assert {clip.split for clip in manifest.clips} == {None}
    outcome = done(
        "data", "split", tmp_path / "m.csv", "--output", tmp_path / "n.csv", "--test-fold", 2
    )
    assert {c.fold for c in read_manifest(tmp_path / "n.csv").of_split("test").clips} == {"2"}
    assert "the column 'group' says what must stay together" in outcome.err


def test_a_column_says_the_splits_or_the_folds(done, made: Path, tmp_path: Path):
    done("data", "split", made, "--output", tmp_path / "m.csv", "--by", "part")
    manifest = read_manifest(tmp_path / "m.csv")
    assert manifest.split_sizes() == {"train": 20, "validation": 20, "test": 20}
    outcome = done(
        "data", "split", tmp_path / "m.csv", "--output", tmp_path / "n.csv", "--by", "site",
        "--test-fold", "west",
    )  # fmt: skip
    assert "the splits that the data set has were set aside" in outcome.err
    assert "each value of the column 'site' is a fold" in outcome.err
    test = read_manifest(tmp_path / "n.csv").of_split("test")
    assert {(clip.extra["site"], clip.fold) for clip in test.clips} == {("west", "west")}
    assert len(test.clips) == 20


def test_the_column_of_the_group_may_be_that_of_the_folds(done, made: Path, tmp_path: Path):
    words = ("--by", "speaker", "--group", "speaker")
    done("data", "split", made, "--output", tmp_path / "m.csv", *words)
    assert len(sides(tmp_path / "m.csv", "fold")) == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--by", "site", "--group", "label2"), "--data.group label2"),
        (("--by", "part", "--group", "site"), "the group 'north' is in two splits"),
        (("--by", "site", "--data.group", "part"), "the group 'Training' is in two folds"),
        (("--by", "sit"), "no such column; it has part, site, speaker. Did you mean 'site'?"),
        (("--by", "site", "--folds", 3), "--folds and --by say each how to divide"),
        (("--test-share", 0.2, "--test-fold", 1), "--test-share draws the test part"),
        (("--test-share", 1.5), "data.test_share"),
        (("--test-fold", 2), "the data set has no folds"),
        (("--by", "part", "--test-fold", 2), "the data set has no folds"),
        (("--folds", 1), "--folds 1: cross-validation needs at least 2 folds"),
        (("--group", "speaker", "--data.group", "site"), "disagree"),
        (("--folds", 3, "--data.label_separatr", ","), "label_separator"),
    ],
)
def test_what_cannot_be_divided_is_refused(refused, made: Path, tmp_path: Path, words, message):
    line = refused("data", "split", made, "--output", tmp_path / "m.csv", *words)
    assert message in line
    assert not (tmp_path / "m.csv").exists()


def test_a_file_on_two_sides_is_named(refused, tmp_path: Path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    clips = [
        Clip(str(tmp_path / name), ("xy"[at % 2],), float(at), at + 1.0, extra={"take": take})
        for at, (name, take) in enumerate([("b.wav", "1"), ("a.wav", "1"), ("a.wav", "2")])
    ]
    write_manifest(tmp_path / "in.csv", Manifest.of(clips))
    words = ("data", "split", tmp_path / "in.csv", "--output", tmp_path / "m.csv", "--by", "take")
    assert "a.wav' is in two folds, '1' and '2'" in refused(*words)
    # Groups that cut through a file let it stand on two sides of what is drawn.
    assert "a.wav' is in two" in refused(*words[:-2], "--folds", 2, "--group", "take")


def test_rows_without_a_value_are_counted(refused, made: Path, tmp_path: Path):
    made.write_text(made.read_text().replace(",north,", ",,"))
    line = refused("data", "split", made, "--output", tmp_path / "m.csv", "--by", "site")
    assert "20 clips of 60 have no value in that column" in line


def test_rows_that_cannot_be_used_end_with_status_1(cli, refused, made: Path, tmp_path: Path):
    (tmp_path / "7.wav").unlink()
    words = ("data", "split", made, "--output", tmp_path / "m.csv")
    assert "--strict: 1 row" in refused(*words, "--strict")
    outcome = cli(*words)
    assert outcome.status == 1
    assert "7.wav" in outcome.err
    assert len(read_manifest(tmp_path / "m.csv").clips) == 59
    assert cli(*words, "--force", "--allow-skips").status == 0


def test_an_output_is_not_replaced_by_chance(refused, done, made: Path, tmp_path: Path):
    before = made.read_bytes()
    assert "--force replaces it" in refused("data", "split", made, "--output", made)
    assert made.read_bytes() == before
    assert "must be one of .csv" in refused("data", "split", made, "--output", "m.xlsx")
    (tmp_path / "x.csv").mkdir()
    assert "is a folder" in refused("data", "split", made, "--output", tmp_path / "x.csv")
    done("data", "split", made, "--output", made, "--force", "--quiet")
    assert read_manifest(made).split_sizes()["test"] == 12


def test_what_was_divided_trains_without_further_words(cli, made: Path, tmp_path: Path, done):
    done("data", "split", made, "--output", tmp_path / "m.parquet", "--group", "speaker")
    outcome = cli("data", "split", tmp_path / "m.parquet", "--output", tmp_path / "n.csv")
    assert outcome.status == 0
    assert read_manifest(tmp_path / "n.csv").clips == read_manifest(tmp_path / "m.parquet").clips
