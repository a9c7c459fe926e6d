"""Published archives that can be fetched: where they lie, and what their bytes must come to.

Licence, citation and totals of an archive stand with its reader. Where the archive's own page
publishes a checksum, as Zenodo does, that is the one here; else `checked_by` says whose it is. None
of these was fetched with this program yet (`tried`): it is tested against a server of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auricle.core.download import Checksum
from auricle.core.writing import write_csv
from auricle.data.readers import READERS
from auricle.data.readers.base import About


@dataclass(frozen=True)
class File:
    """One file to fetch. `megabytes` is about its size (10**6 bytes)."""

    url: str
    megabytes: int
    checksum: Checksum | None = None

    @property
    def name(self) -> str:
        """The name of the file, as its address has it."""
        return self.url.partition("?")[0].rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Package:
    """What is unpacked together: one file, or the volumes of one ZIP, the `.zip` last.

    `strip` folders are taken off the front of its paths. `sums` are the `folder_checksum`s of
    unpacked folders: a commit says what is in its files, not how they are packed.
    """

    files: tuple[File, ...]
    strip: int = 0
    sums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Archive:
    """A published archive. `why_not` says why it is not fetched here, and what to do instead.

    `unpacked_megabytes` is about what it needs on the disk; `finish` adds what a reader needs to
    the unpacked folder.
    """

    about: About
    packages: tuple[Package, ...] = ()
    unpacked_megabytes: int = 0
    checked_by: str = "its publisher"
    finish: Callable[[Path], None] | None = None
    tried: bool = False
    why_not: str | None = None

    @property
    def files(self) -> tuple[File, ...]:
        """All files to fetch."""
        return tuple(file for package in self.packages for file in package.files)

    @property
    def megabytes(self) -> int:
        """About how much is fetched."""
        return sum(file.megabytes for file in self.files)


def fsdd_table(folder: Path) -> None:
    """Write `fsdd.csv`: what the names `<digit>_<speaker>_<take>.wav` say.

    The split is that of the data set's page: takes 0 to 4 of each digit and speaker are the test
    part. It shares speakers; the column `speaker` is there to keep them apart.
    """
    rows: list[list[str]] = []
    for sound in sorted((folder / "recordings").glob("*.wav")):
        digit, speaker, take = sound.stem.split("_")
        split = "test" if int(take) < 5 else "train"
        rows.append([f"recordings/{sound.name}", digit, split, speaker])
    write_csv(folder / "fsdd.csv", ["path", "label", "split", "speaker"], rows)


def _zenodo(record: int, name: str, megabytes: int, md5: str | None) -> File:
    url = f"https://zenodo.org/records/{record}/files/{name}?download=1"
    return File(url, megabytes, None if md5 is None else Checksum("md5", md5))


def _fsd50k(name: str, *volumes: tuple[str, int, str]) -> Package:
    """Return a ZIP of FSD50K by its volumes: suffix, megabytes, md5."""
    return Package(
        tuple(
            _zenodo(4060432, f"FSD50K.{name}.{suffix}", size, md5) for suffix, size, md5 in volumes
        )
    )


_TENSORFLOW = "https://storage.googleapis.com/download.tensorflow.org/data/"

_ESC50 = Package(
    (
        File(
            "https://github.com/karolpiczak/ESC-50/archive/"
            "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
            646,
            Checksum("sha256", "661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f"),
        ),
    ),
    strip=1,
)
_FSDD = Package(
    (
        File(
            "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
            "26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip",
            16,
        ),
    ),
    strip=1,
    sums={"recordings": "1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959"},
)
_SPEECH_COMMANDS = {
    "v1": (1489, "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d", "01"),
    "v2": (2429, "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58", "02"),
}
_FSD50K = (
    _fsd50k(
        "dev_audio",
        ("z01", 3221, "faa7cf4cc076fc34a44a479a5ed862a3"),
        ("z02", 3221, "8f9b66153e68571164fb1315d00bc7bc"),
        ("z03", 3221, "1196ef47d267a993d30fa98af54b7159"),
        ("z04", 3221, "d088ac4e11ba53daf9f7574c11cccac9"),
        ("z05", 3221, "81356521aa159accd3c35de22da28c7f"),
        ("zip", 2307, "c480d119b8f7a7e32fdb58f3ea4d6c5a"),
    ),
    _fsd50k(
        "eval_audio",
        ("z01", 3221, "3090670eaeecc013ca1ff84fe4442aeb"),
        ("zip", 3038, "6fa47636c3a3ad5c7dfeba99f2637982"),
    ),
    _fsd50k("ground_truth", ("zip", 1, "ca27382c195e37d2269c4c866dd73485")),
    _fsd50k("metadata", ("zip", 15, "b9ea0c829a411c1d42adb9da539ed237")),
    _fsd50k("doc", ("zip", 1, "3516162b82dc2945d3e7feba0904e800")),
)


def archives() -> dict[str, Archive]:
    """Return the archives by name.

    Sources of addresses and checksums: the records 1203745, 4060432 and 4560759 of Zenodo as
    soundata 1.0 and the tools of DESED name them; TensorFlow Datasets and torchaudio for Speech
    Commands; the files of the commit itself for FSDD; for ESC-50, of which GitHub publishes none, a
    third party's note of the archive of the last commit.
    """
    about = {name: READERS[name].about for name in _READERS}
    found = {
        "esc50": Archive(about["esc50"], (_ESC50,), 890, checked_by="third parties"),
        "urbansound8k": Archive(
            about["urbansound8k"],
            (
                Package(
                    (
                        _zenodo(
                            1203745, "UrbanSound8K.tar.gz", 6024, "9aa69802bbf37fb986f71ec1483a196e"
                        ),
                    ),
                    strip=1,
                ),
            ),
            7100,
        ),
        "fsd50k": Archive(about["fsd50k"], _FSD50K, 33_000),
        "fsdd": Archive(_ABOUT_FSDD, (_FSDD,), 30, checked_by="its commit", finish=fsdd_table),
        "desed_eval": Archive(
            about["desed"],
            (Package((_zenodo(4560759, "DESED_public_eval.tar.gz", 890, None),)),),
            1500,
            checked_by="nobody",
        ),
        "gtzan": Archive(about["gtzan"], why_not=_NO_GTZAN),
    }
    for version, (megabytes, sha256, number) in _SPEECH_COMMANDS.items():
        url = f"{_TENSORFLOW}speech_commands_v0.{number}.tar.gz"
        file = File(url, megabytes, Checksum("sha256", sha256))
        found[f"speech_commands_{version}"] = Archive(
            about["speech_commands"],
            (Package((file,)),),
            {"v1": 2200, "v2": 3800}[version],
            checked_by="third parties",
        )
    return dict(sorted(found.items()))


_READERS = ("esc50", "urbansound8k", "fsd50k", "desed", "gtzan", "speech_commands")

_NO_GTZAN = (
    "nobody licenses the music in it, so it is not fetched here. Where the law allows you its use, "
    "get genres.tar.gz yourself, and give its folder to any command: the reader 'gtzan' knows it"
)

_ABOUT_FSDD = About(
    "FSDD: spoken digits of six speakers, 50 takes each",
    licence="CC BY-SA 4.0",
    citation="Z. Jackson and others, Free Spoken Digit Dataset, 2018, doi 10.5281/zenodo.1342401",
    home="https://github.com/Jakobovski/free-spoken-digit-dataset",
    totals={"clips": 3000, "classes": 10},
)
