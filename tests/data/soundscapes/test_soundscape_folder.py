"""A folder of soundscapes: the same bytes, read back to the sample, resumed, faults told."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auricle.core.errors import ConfigError, DataError
from auricle.core.writing import WriteError
from auricle.data import DataConfig, read_dataset
from auricle.data.soundscapes import (
    MixConfig,
    Mixed,
    Mixer,
    Soundscape,
    Source,
    mix_folder,
    render,
)

RATE = 8000
Write = Callable[..., Source]


def config(**options: Any) -> MixConfig:
    return MixConfig.model_validate({"length_s": 4.0, "sample_rate": RATE, **options})


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def mixer_of(events: list[Source], backgrounds: list[Source], **options: Any) -> Mixer:
    return Mixer(events, backgrounds, config(max_pitch=2, **options))


def test_the_same_bytes_on_any_number_of_workers(
    events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    for name, workers, seed in (("one", 1, 0), ("four", 4, 0), ("other", 4, 1)):
        mix_folder(tmp_path / name, mixer_of(events, backgrounds, seed=seed), 9, workers=workers)
    one, four, other = (content(tmp_path / name) for name in ("one", "four", "other"))
    assert one == four
    assert set(one) == set(other)
    assert all(one[name] != other[name] for name in one)
    names = {"labels.tsv", "mix.json", "soundscapes.jsonl"}
    assert set(one) == names | {f"audio/soundscape_{number:06d}.flac" for number in range(9)}


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_the_labels_read_back_to_the_sample(
    suffix: Any, events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    report = mix_folder(
        folder, mixer_of(events, backgrounds, min_events=0, max_events=2), 12, suffix=suffix
    )
    lines = (folder / "soundscapes.jsonl").read_text(encoding="utf-8").splitlines()
    records = [Soundscape.from_json(line) for line in lines]
    manifest = read_dataset(folder, DataConfig())
    found: dict[str, list[tuple[Any, ...]]] = {}
    for clip in manifest.clips:
        times = () if clip.offset_s is None else (clip.onset_s * RATE, clip.offset_s * RATE)
        found.setdefault(Path(clip.path).stem, []).append((*clip.labels, *times))
    assert not manifest.missing
    assert not manifest.rejected
    assert set(found) == {record.name for record in records}
    for record in records:
        expected = sorted(
            (event.label, event.onset, event.onset + event.length) for event in record.events
        )
        assert sorted(found[record.name]) == (expected or [()])
        samples, rate = soundfile.read(folder / "audio" / f"{record.name}.{suffix}", dtype="int16")
        assert rate == RATE
        expected = np.rint(render(record) * np.float32(32768)).clip(-32768, 32767)
        np.testing.assert_array_equal(samples, expected)
    assert any(not record.events for record in records)
    assert report.soundscapes == 12
    assert sum(report.events.values()) == sum(len(record.events) for record in records)


class Stopped(Exception):
    pass


class Breaking(Mixer):
    """A mixer that is stopped before a certain soundscape."""

    at = 5

    def make(self, number: int) -> Mixed:
        if number >= self.at:
            raise Stopped
        return super().make(number)


def test_a_broken_mix_goes_on_to_the_same_end(
    events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    mix_folder(tmp_path / "whole", mixer_of(events, backgrounds), 9)
    folder = tmp_path / "broken"
    breaking = Breaking(events, backgrounds, config(max_pitch=2))
    with pytest.raises(Stopped):
        mix_folder(folder, breaking, 9, workers=2)
    assert not (folder / "labels.tsv").exists()
    # As a kill between a sound and the note that it is done, or within a write, leaves them.
    (folder / ".parts" / "3.json").unlink()
    (folder / "audio" / ".soundscape_000007.flac.abcdefgh.part").write_bytes(b"half")
    with pytest.raises(ConfigError, match="not finished: --resume goes on"):
        mix_folder(folder, mixer_of(events, backgrounds), 9)
    with pytest.raises(ConfigError, match="begun with another 'seed'"):
        mix_folder(folder, mixer_of(events, backgrounds, seed=3), 9, resume=True)
    with pytest.raises(ConfigError, match="begun with another 'events'"):
        mix_folder(folder, mixer_of(events[:-1], backgrounds), 9, resume=True)
    report = mix_folder(folder, mixer_of(events, backgrounds), 9, resume=True)
    assert content(folder) == content(tmp_path / "whole")
    assert report.soundscapes == 9


def test_a_finished_mix_grows_and_shrinks(
    events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    mixer = mixer_of(events, backgrounds)
    folder = tmp_path / "out"
    for count in (3, 9, 5):
        mix_folder(folder, mixer, count, resume=True)
        mix_folder(tmp_path / f"{count}", mixer, count)
        assert content(folder) == content(tmp_path / f"{count}")
    with pytest.raises(ConfigError, match="is finished: --resume goes on with it, --force"):
        mix_folder(folder, mixer, 5)
    (folder / "notes.txt").write_text("mine")
    mix_folder(folder, mixer_of(events, backgrounds, seed=4), 3, force=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert len(list((folder / "audio").iterdir())) == 3


def test_a_mix_that_lost_a_sound_or_its_records_is_told_or_mended(
    events: list[Source], tmp_path: Path
) -> None:
    mixer, folder = Mixer(events, [], config()), tmp_path / "out"
    mix_folder(folder, mixer, 3)
    whole = content(folder)
    (folder / "audio" / "soundscape_000001.flac").unlink()
    mix_folder(folder, mixer, 3, resume=True)
    assert content(folder) == whole
    records = folder / "soundscapes.jsonl"
    for damage in (b"{", b"\xff\xfe\n", b'{"name": "x"}\n'):
        records.write_bytes(whole["soundscapes.jsonl"] + damage)
        with pytest.raises(ConfigError, match=r"soundscapes\.jsonl is damaged.*--force"):
            mix_folder(folder, mixer, 3, resume=True)
    mix_folder(folder, mixer, 3, force=True)
    assert content(folder) == whole


def test_a_folder_of_other_files_is_left_alone(events: list[Source], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "labels.tsv").write_text("mine")
    for force in (False, True):
        with pytest.raises(ConfigError, match="name a new folder"):
            mix_folder(folder, Mixer(events, [], config()), 3, force=force)
    assert content(folder) == {"labels.tsv": b"mine"}
    with pytest.raises(ConfigError, match="is a file"):
        mix_folder(folder / "labels.tsv", Mixer(events, [], config()), 3)


def test_sounds_that_cannot_be_used_are_told_and_others_taken(
    write: Write, events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    silent = write("cry", "silent", np.zeros(4000))
    broken = Source(str(tmp_path / "broken.wav"), "bark")
    Path(broken.path).write_bytes(b"no sound")
    still = write("rain", "still", np.zeros(4000))
    mixer = Mixer([*events, silent, broken], [*backgrounds, still], config(min_events=4))
    report = mix_folder(tmp_path / "out", mixer, 12)
    assert set(report.bad) == {silent.path, broken.path, still.path}
    assert "is silent" in report.bad[silent.path]
    assert report.soundscapes == 12
    lines = (tmp_path / "out" / "soundscapes.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(len(json.loads(line)["events"]) >= 4 for line in lines)
    with pytest.raises(DataError, match=r"is silent|not a sound file"):
        mix_folder(tmp_path / "strict", mixer, 12, strict=True)
    with pytest.raises(DataError, match="events in a row cannot be used"):
        Mixer([broken], [], config(min_events=1)).make(0)
    with pytest.raises(DataError, match="backgrounds in a row cannot be used"):
        Mixer(events, [still], config()).make(0)


def test_a_label_that_a_table_cannot_hold_is_refused_before_the_work(
    write: Write, tmp_path: Path
) -> None:
    source = Source(write("bark", "a", np.full(4000, 0.1)).path, "two\nlines")
    with pytest.raises(DataError, match="label"):
        mix_folder(tmp_path / "out", Mixer([source], [], config()), 2)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_and_the_mix_goes_on_later(
    events: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixer = Mixer(events, [], config())
    mix_folder(tmp_path / "whole", mixer, 4)
    with monkeypatch.context() as patch:

        def full(self: Path, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(WriteError, match="No space left"):
            mix_folder(tmp_path / "out", mixer, 4)
    mix_folder(tmp_path / "out", mixer, 4, resume=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
