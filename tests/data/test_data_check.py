import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.core.types import Clip
from auricle.data import CheckReport, DataConfig, Finding, Manifest, check, pack, read_dataset

RATE = 8000


@pytest.fixture
def sound(tmp_path: Path):
    """Write noise, different for every name, to a WAV file; return its path."""

    def make(name: str, *, seconds: float = 0.5, level: float = 0.1, offset: float = 0.0,
             rate: int = RATE, channels: int = 1, of: str | None = None) -> str:  # fmt: skip
        rng = np.random.default_rng(list((of or name).encode()))
        noise = level * rng.uniform(-1, 1, round(seconds * rate)) + offset
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.repeat(noise[:, None], channels, axis=1).clip(-1, 1), rate)
        return str(path)

    return make


def find(report: CheckReport, kind: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind]


def run(make_manifest, paths: list[str], **fields: object) -> CheckReport:
    clips = [Clip(path, ("ab"[at % 2],)) for at, path in enumerate(paths)]
    return check(make_manifest(clips, **fields), workers=2)


def test_clean_sounds_give_no_finding(make_manifest, sound):
    report = run(make_manifest, [sound(f"{at}.wav") for at in range(6)])
    assert report.findings == ()
    assert report.problems == ()
    assert (report.clips, report.labels) == (6, {"a": 3, "b": 3})
    assert report.sample_rates == {RATE: 6}
    assert report.duration_s == pytest.approx(3.0)


@pytest.fixture
def clean(sound) -> list[str]:
    return [sound(f"clean{at}.wav") for at in range(6)]


@pytest.mark.parametrize(
    ("kind", "severity", "how"),
    [
        ("silent", "warning", {"level": 0.0}),
        ("clipped", "warning", {"level": 3.0}),
        ("dc_offset", "warning", {"offset": 0.1}),
        ("length", "note", {"seconds": 3.0}),
        ("length", "note", {"seconds": 0.05}),
        ("sample_rates", "note", {"rate": 16000}),
        ("channels", "note", {"channels": 2}),
    ],
)
def test_one_odd_sound_is_found_alone(make_manifest, sound, clean, kind, severity, how):
    odd = sound("odd.wav", **how)
    report = run(make_manifest, [*clean, odd])
    assert [(one.kind, one.severity, one.paths) for one in report.findings] == [
        (kind, severity, (odd,))
    ]


def test_bad_files_are_findings_and_the_others_are_still_checked(
    make_manifest, sound, clean, tmp_path: Path
):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    empty = tmp_path / "empty.wav"
    empty.touch()
    cut = Path(sound("cut.wav"))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    gone = str(tmp_path / "gone.wav")
    silent = sound("silent.wav", level=0.0)
    report = run(
        make_manifest,
        [*clean, str(text), str(empty), str(cut), gone, silent],
        missing=("elsewhere.wav",),
        rejected=("x.csv line 3: the label is empty",),
    )
    for kind, path in {
        "unreadable": str(text),
        "empty": str(empty),
        "truncated": str(cut),
        "silent": silent,
        "missing": "elsewhere.wav",
    }.items():
        assert path in [path for one in find(report, kind) for path in one.paths], kind
    assert gone in [path for one in find(report, "unreadable") for path in one.paths]
    assert find(report, "bad_row")[0].detail == "x.csv line 3: the label is empty"
    assert report.sample_rates == {RATE: 7}


def test_equal_sounds_are_found_by_what_they_decode_to(make_manifest, sound, clean, tmp_path: Path):
    first = sound("first.wav")
    samples, rate = soundfile.read(first)
    again = str(tmp_path / "again.flac")
    soundfile.write(again, samples, rate)
    clips = [Clip(path, ("a",)) for path in [*clean, first, again]]
    report = check(make_manifest(clips))
    assert [(one.kind, one.paths) for one in report.findings] == [("duplicate", (first, again))]
    clips[-1] = Clip(again, ("b",))
    assert find(check(make_manifest([*clips, Clip(clean[0], ("b",))])), "two_labels")[-1].paths


def test_silence_is_no_duplicate(make_manifest, sound, clean):
    silent = [sound(f"silent{at}.wav", level=0.0) for at in range(2)]
    assert not find(run(make_manifest, [*clean, *silent]), "duplicate")


def test_stretches_of_a_file_are_checked_by_themselves(make_manifest, tmp_path: Path):
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.uniform(-1, 1, RATE)
    path = str(tmp_path / "long.wav")
    soundfile.write(path, np.concatenate([noise, 0 * noise, noise]), RATE)
    clips = [Clip(path, ("ab"[at % 2],), float(at), at + 1.0) for at in range(3)]
    report = check(make_manifest(clips))
    assert len(find(report, "silent")) == 1
    assert len(find(report, "duplicate")) == 1
    assert report.duration_s == pytest.approx(3.0)


def test_leaks_across_splits_and_folds(make_manifest, sound):
    twins = [sound("x.wav"), sound("y.wav", of="x.wav")]
    rest = [sound("z.wav"), sound("w.wav")]
    for sides in ({"split": ("train", "test")}, {"fold": ("1", "2")}):
        ((key, values),) = sides.items()
        clips = [
            Clip(path, ("a",), **{key: side}) for path, side in zip(twins, values, strict=True)
        ]
        clips += [
            Clip(path, ("b",), group="bob", **{key: side})
            for path, side in zip(rest, values, strict=True)
        ]
        report = check(make_manifest(clips, group_declared=True))
        leaks = find(report, "leak")
        assert {one.paths for one in leaks} == {tuple(twins), tuple(rest)}
        assert all(one.severity == "error" for one in leaks)
        assert any("'bob'" in one.detail for one in leaks)


def test_classes_out_of_balance_alone_or_alike(make_manifest, sound):
    path = sound("x.wav")
    clips = [Clip(path, ("Dog",), at / 100, 0.5) for at in range(12)] + [Clip(path, ("dog",))]
    report = check(make_manifest(clips))
    assert "'Dog' has 12 clips, 'dog' 1" in find(report, "imbalance")[0].detail
    assert "'dog'" in find(report, "single_clip")[0].detail
    assert "'Dog', 'dog'" in find(report, "label_twins")[0].detail


def test_a_report_is_plain_json_and_progress_is_told(make_manifest, clean):
    steps: list[tuple[int, int]] = []
    clips = [Clip(path, ("a",)) for path in clean]
    report = check(make_manifest(clips), progress=lambda done, all_: steps.append((done, all_)))
    assert steps == [(at, 6) for at in range(1, 7)]
    assert json.loads(json.dumps(report.as_dict()))["clips"] == 6


def test_a_pack_whose_sound_was_changed(make_manifest, clean, tmp_path: Path):
    h5py = pytest.importorskip("h5py")
    pack(make_manifest([Clip(path, ("a",)) for path in clean]), tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["waveforms"][int(file["starts"][2]) + 7] ^= 1
    (found,) = check(read_dataset(tmp_path / "x.h5", DataConfig()), workers=2).findings
    assert (found.kind, found.severity, found.rows) == ("damaged", "error", (2,))


def test_nothing_to_check():
    assert check(Manifest((), ())).findings == ()


def test_what_is_known_of_esc10(esc10: Path):
    """Two pairs of takes share their sound; one of them lies in two official folds."""
    report = check(read_dataset(esc10, DataConfig(group="src_file")))
    assert report.clips == 400
    assert report.sample_rates == {44100: 400}
    assert {one.kind for one in report.findings} == {"clipped", "near_duplicate", "leak"}
    near = {tuple(Path(path).stem for path in one.paths) for one in find(report, "near_duplicate")}
    assert near == {("2-28314-A", "2-30322-A"), ("3-151080-A", "5-151085-A")}
    (leak,) = find(report, "leak")
    assert leak.detail == "nearly the same sound is in fold 3, fold 5"
