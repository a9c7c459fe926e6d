"""The draws of splits and folds, written down: old runs must be able to be repeated.

The digests were made by the first version of the drawing code, which held a dictionary a unit.
A change here moves clips between the parts of data sets that people have already trained on.
"""

import hashlib
import random
from collections.abc import Callable, Iterator

import pytest

from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest, apply_splits, folds

ROOT = "/data/set"


def below(rng: random.Random, n: int) -> int:
    return int(rng.random() * n)


def single(rng: random.Random) -> Iterator[Clip]:
    """Classes of very different sizes, some of one clip."""
    for label, size in enumerate((400, 150, 60, 25, 9, 4, 2, 1, 1)):
        for take in range(size):
            yield Clip(f"{ROOT}/c{label}/{take:04d}.wav", (f"c{label}",))


def grouped(rng: random.Random) -> Iterator[Clip]:
    for at in range(900):
        label, group = below(rng, 12), below(rng, 70)
        yield Clip(f"{ROOT}/{at}.wav", (f"c{label % 9}",), group=f"speaker {group * group % 83}")


def large_groups(rng: random.Random) -> Iterator[Clip]:
    """Five groups: a tenth for validation would stay empty, and classes would be lost."""
    for at in range(120):
        group = below(rng, 5)
        yield Clip(f"{ROOT}/{at}.wav", (f"c{group if at % 7 else 6}",), group=f"g{group}")


def several(rng: random.Random) -> Iterator[Clip]:
    """Several labels a clip, some clips without any."""
    for at in range(800):
        labels = {f"l{int(20 * rng.random() ** 2)}" for _ in range(below(rng, 4))}
        yield Clip(f"{ROOT}/{at % 13}/{at}.flac", tuple(sorted(labels, key=lambda x: x[::-1])))


def several_grouped(rng: random.Random) -> Iterator[Clip]:
    for clip in several(rng):
        group = None if rng.random() < 0.2 else f"g{below(rng, 90)}"
        yield Clip(clip.path, clip.labels, group=group)


def events(rng: random.Random) -> Iterator[Clip]:
    """Several rows a file, in no order."""
    for _ in range(1200):
        file, onset_s, label = below(rng, 230), below(rng, 9) / 2, below(rng, 8) * below(rng, 5)
        yield Clip(f"{ROOT}/long/{file}.wav", (f"e{label}",), onset_s, onset_s + 0.75)


def strange_names(rng: random.Random) -> Iterator[Clip]:
    """Relative paths, dots, two spellings of one letter, bytes that are no UTF-8."""
    stems = ("a\u0308", "\u00e4", "x//y", "./z", "up/../down", "caf\udce9", "\U0001f40e", "B")
    for at in range(240):
        root = ROOT if at % 5 else "/data/other"
        yield Clip(f"{root}/{stems[at % 8]}{below(rng, 60)}.wav", ("ab"[at % 2],), float(at))


def with_folds(rng: random.Random) -> Iterator[Clip]:
    for at, clip in enumerate(single(rng)):
        yield Clip(clip.path, clip.labels, fold=str(at % 4 + 8))


def with_splits(rng: random.Random) -> Iterator[Clip]:
    for clip in grouped(rng):
        assert clip.group is not None
        split = "test" if clip.group.endswith("1") else "train"
        yield Clip(clip.path, clip.labels, split=split, group=clip.group)


def manifest_of(make: Callable[[random.Random], Iterator[Clip]]) -> Manifest:
    clips = tuple(make(random.Random(5)))
    multi_label = any(len(clip.labels) != 1 for clip in clips)
    group_declared = any(clip.group is not None for clip in clips)
    return Manifest(
        clips,
        tuple(sorted({label for clip in clips for label in clip.labels})),
        multi_label=multi_label,
        group_declared=group_declared,
    )


def digest(manifest: Manifest) -> str:
    rows = (f"{clip.path}\t{clip.split}\t{clip.fold}\n" for clip in manifest.clips)
    return hashlib.sha256("".join(rows).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def everything(manifest: Manifest) -> dict[str, str]:
    """Every way to draw from a data set, as digests."""
    found = {}
    for seed in (0, 7, 2**40):
        found[f"split {seed}"] = digest(apply_splits(manifest, DataConfig(), seed))
    found["share"] = digest(apply_splits(manifest, DataConfig(validation_share=0.35), 3))
    found["none"] = digest(apply_splits(manifest, DataConfig(validation_share=0), 3))
    for k in (2, 3, 5):
        found[f"folds {k}"] = digest(folds(manifest, DataConfig(), 1, k)[0])
    return found


PINNED: dict[str, dict[str, str]] = {
    "single": {
        "split 0": "8fd90b65bd3427ad",
        "split 7": "89e28d51d0ef730d",
        "split 1099511627776": "aeca5a340acb4caf",
        "share": "e37947d8cb48bab7",
        "none": "1364622b22b9ef4a",
        "folds 2": "fca6400d7b303eb7",
        "folds 3": "279c833bd548ef8b",
        "folds 5": "9b07c89d622239a2",
    },
    "grouped": {
        "split 0": "b85c9595e22d93e4",
        "split 7": "abe8af02c92e4bed",
        "split 1099511627776": "b85c9595e22d93e4",
        "share": "a1b145cf6957f376",
        "none": "94dc61749051fe5d",
        "folds 2": "de2487ba3811be29",
        "folds 3": "b60342c4a9c3157b",
        "folds 5": "934b4e40e9851915",
    },
    "large_groups": {
        "split 0": "05f244b46e6671fe",
        "split 7": "05f244b46e6671fe",
        "split 1099511627776": "05f244b46e6671fe",
        "share": "05f244b46e6671fe",
        "none": "05f244b46e6671fe",
        "folds 2": "54814e946095dd6b",
        "folds 3": "7a4f2910925af6d8",
        "folds 5": "6745dc0d8a7fa3d0",
    },
    "several": {
        "split 0": "8a85eee401c4ecec",
        "split 7": "6c1898b4dc67faf4",
        "split 1099511627776": "135141c46c8c6233",
        "share": "9c46ad39a7c4856f",
        "none": "bb8087be963263ae",
        "folds 2": "105eede2ba99cca5",
        "folds 3": "5fb1aea575cc6a21",
        "folds 5": "aa09895a803c89c6",
    },
    "several_grouped": {
        "split 0": "1b092f28d8bc84fc",
        "split 7": "f097c8c2c105e295",
        "split 1099511627776": "9f372338247e15dd",
        "share": "3305fad9e9ad472d",
        "none": "a623c586f647a626",
        "folds 2": "0f4017cba41b680f",
        "folds 3": "5751f2c799914b73",
        "folds 5": "b7d8adcc0813bb92",
    },
    "events": {
        "split 0": "cf14937bb6492205",
        "split 7": "1080790cf893af08",
        "split 1099511627776": "c121284baf6cbb28",
        "share": "cbc33dc5c0a4d0fb",
        "none": "caa898fd56774a51",
        "folds 2": "5cea714e1878aefb",
        "folds 3": "15287e5699ba4681",
        "folds 5": "15592cb6443779fd",
    },
    "strange_names": {
        "split 0": "0d3075a313ef6596",
        "split 7": "e00df19ba90c9db7",
        "split 1099511627776": "4b3c583cf6832a01",
        "share": "47d5d3ad6337a548",
        "none": "ac49e179ed902ef4",
        "folds 2": "514d867db570b4b9",
        "folds 3": "d2f5391315cdc66f",
        "folds 5": "cc8aa4e0d1c72b65",
    },
    "with_folds": {
        "split 0": "3239f9b72aad2b18",
        "split 7": "e82c596363f0fe33",
        "split 1099511627776": "0a8e516f66f11aa6",
        "share": "8dcff4d0cc3b382d",
        "none": "40902798090ff4a9",
        "folds 2": "7316b536ff44810a",
        "folds 3": "7316b536ff44810a",
        "folds 5": "7316b536ff44810a",
    },
    "with_splits": {
        "split 0": "3a1969ad790d4f2a",
        "split 7": "3a1969ad790d4f2a",
        "split 1099511627776": "3a1969ad790d4f2a",
        "share": "37f1bcfcc8c9753b",
        "none": "4ae466b1ddcc36d3",
        "folds 2": "0ff31100ca714f7a",
        "folds 3": "23ecbb1a87b69d5c",
        "folds 5": "b95069d12b2f3d4b",
    },
}


@pytest.mark.parametrize(
    "make",
    [
        single,
        grouped,
        large_groups,
        several,
        several_grouped,
        events,
        strange_names,
        with_folds,
        with_splits,
    ],
)
def test_the_draws_are_those_of_old_runs(make: Callable[[random.Random], Iterator[Clip]]):
    assert everything(manifest_of(make)) == PINNED[make.__name__]
