"""A pack that breaks off at any stage goes on to the same bytes, and nothing half is left."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auricle import audio
from auricle.core.errors import ConfigError
from auricle.core.reporting import Silent
from auricle.core.types import Waveform
from auricle.core.writing import WriteError
from auricle.data import Manifest, PackOptions, open_pack, pack
from auricle.data.packing import chunks, making

pytest.importorskip("h5py")


class Killed(BaseException):
    """Stands for the death of the process: nothing of ours may handle it."""


def raise_at(
    call: Callable[..., object], number: int, error: BaseException
) -> Callable[..., object]:
    calls = iter(range(1000))

    def wrapped(*arguments: object, **options: object) -> object:
        if next(calls) == number:
            raise error
        return call(*arguments, **options)

    return wrapped


STAGES = {
    "encoding": (chunks.WorkFolder, "write", 1),
    "a clip": (chunks, "_entry", 40),
    "gathering": (making, "gather", 0),
    "joining the first": (chunks, "_move", 0),
    "joining the last": (chunks, "_move", 2),
    "joined, not removed": (Path, "unlink", None),
    "verified": (making, "_take_place", 0),
}


@pytest.mark.parametrize("name", ["out.h5", "shards"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_broken_pack_goes_on_to_the_same_bytes(
    contents,
    labelled: Manifest,
    tmp_path: Path,
    name: str,
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
):
    options = PackOptions(shard_mb=0.03, length_s=0.1)
    pack(labelled, tmp_path / "unbroken" / name, options, workers=1)
    wanted = contents(tmp_path / "unbroken" / name)
    where, function, number = STAGES[stage]
    with monkeypatch.context() as patch:
        broken = raise_at(getattr(where, function), number or 0, Killed())
        if number is None:  # of the raw chunks, not of other files

            def unlink(path: Path, **options: bool) -> None:
                if path.suffix == ".raw":
                    raise Killed
                return original(path, **options)

            original, broken = Path.unlink, unlink
        patch.setattr(where, function, broken)
        with pytest.raises(Killed):
            pack(labelled, tmp_path / name, options, workers=1)
    assert not (tmp_path / name).exists()
    read_again: list[str] = []
    load = audio.load

    def counted(path: str, *arguments: object, **how: object) -> Waveform:
        read_again.append(path)
        return load(path, *arguments, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(audio, "load", counted)
    report = pack(labelled, tmp_path / name, options, workers=2)
    assert report.resumed
    assert len(read_again) < 70
    assert contents(tmp_path / name) == wanted
    assert not list(tmp_path.glob(".*"))


def test_ctrl_c_keeps_what_is_done(
    labelled: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []

    class Reporter(Silent):
        def warn(self, text: str) -> None:
            said.append(text)

    with monkeypatch.context() as patch:
        patch.setattr(making, "gather", raise_at(making.gather, 0, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            pack(labelled, tmp_path / "out.h5", reporter=Reporter())
    assert "the same command goes on" in said[0]
    assert pack(labelled, tmp_path / "out.h5").resumed


def test_another_job_does_not_go_on_with_the_work(
    labelled: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(making, "gather", raise_at(making.gather, 0, Killed()))
        with pytest.raises(Killed):
            pack(labelled, tmp_path / "out.h5")
    with pytest.raises(ConfigError, match="other clips or options"):
        pack(labelled, tmp_path / "out.h5", PackOptions(length_s=0.01))
    report = pack(labelled, tmp_path / "out.h5", PackOptions(length_s=0.01), force=True)
    assert not report.resumed
    assert open_pack(tmp_path / "out.h5").values.shape == (70, 80)


@contextmanager
def full_disk(room_bytes: int) -> Iterator[None]:
    """Let the system refuse to make any file of this process longer than this."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("room_bytes", [3000, 40_000, 60_000, 100_000])
def test_a_full_disk_leaves_nothing_half_and_the_rest_follows(
    contents, labelled: Manifest, tmp_path: Path, room_bytes: int
):
    with full_disk(room_bytes), pytest.raises(WriteError, match="cannot write"):
        pack(labelled, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
    assert pack(labelled, tmp_path / "out.h5").resumed
    pack(labelled, tmp_path / "other.h5")
    assert contents(tmp_path / "out.h5") == contents(tmp_path / "other.h5")


@pytest.mark.parametrize("name", ["out.h5", "shards"])
def test_what_does_not_read_back_as_written_is_not_kept(
    labelled: Manifest, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(making, "gather", raise_at(making.gather, 0, Killed()))
        with pytest.raises(Killed):
            pack(labelled, tmp_path / name)
    raw = next((tmp_path / f".{name}.packing").glob("*.raw"))
    content = bytearray(raw.read_bytes())
    content[len(content) // 2] ^= 1
    raw.write_bytes(content)
    with pytest.raises(WriteError, match="did not read back"):
        pack(labelled, tmp_path / name)
    assert not (tmp_path / name).exists()
    assert not pack(labelled, tmp_path / name).resumed
