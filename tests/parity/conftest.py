"""Golden vectors of reference implementations: every entry of the folder is a test.

A module of tests states `FAMILY = "panns"` and takes the fixture `golden`: it then runs once for
every `panns.<name>.json` of the folder, those added later too. An entry that its module cannot
build fails, and so does a family that no module here claims.
"""

import functools
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

Array = npt.NDArray[Any]
NOWHERE = "AURICLE_DATA names no folder"


class Golden:
    """One entry: what its json says, and the vectors that belong to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self.family, self.name = path.stem.split(".", 1)
        self.described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    @property
    def constructor(self) -> dict[str, Any]:
        """The arguments that the reference was built with."""
        return self.described.get("constructor", {})

    def vectors(self) -> Iterator[tuple[str, dict[str, Array]]]:
        """Yield `(variant, arrays)` of every npz of the entry; the main one is called ''."""
        for path in sorted(self.folder.glob(f"{self.family}.{self.name}*.npz")):
            variant = path.stem.removeprefix(f"{self.family}.{self.name}")
            if variant and not variant.startswith("."):
                continue  # of another entry, whose name begins alike
            with np.load(path) as arrays:
                yield variant.lstrip("."), dict(arrays)

    def input_of(self, arrays: Mapping[str, Array]) -> Tensor:
        """The input that the vectors of a network were computed from."""
        return self.input(str(arrays["input"]))

    def input(self, name: str) -> Tensor:
        """An input array by its name, from whichever `inputs*.npz` holds it."""
        return _inputs(self.folder)[name]

    def fill(self, module: nn.Module, rename: Callable[[str], str] | None = None) -> None:
        """Check the interface of `module` and give it the parameters that the rule draws.

        `rename` maps a published key to ours where they differ. The keys must come in the
        published order, the parameters must be as many, and what was drawn must add up.
        """
        own = module.state_dict()
        rows = self.described["state_dict"]
        keys = [key if rename is None else rename(key) for key, *_ in rows]
        assert list(own) == keys
        values, total = {}, 0.0
        for ours, (key, shape, _, fill) in zip(keys, rows, strict=True):
            assert list(own[ours].shape) == shape, key
            if fill[0] == "keep":
                assert not own[ours].is_meta, f"{key} must be made as constructed"
                values[ours] = own[ours]
                continue
            values[ours], absolute = filled(key, tuple(shape), *fill)
            total += absolute
        assert total == pytest.approx(self.described["filled_abs_sum"], rel=1e-9)
        count = sum(parameter.numel() for parameter in module.parameters())
        assert count == self.described["parameter_count"]
        module.load_state_dict(values, strict=True, assign=True)
        module.eval()

    def published(self) -> dict[str, Tensor]:
        """The state dict as its authors would have saved it: their keys, in their order."""
        values = {}
        for key, shape, _, fill in self.described["state_dict"]:
            assert fill[0] != "keep", f"{key} must be made by the network"
            values[key], _ = filled(key, tuple(shape), *fill)
        return values

    def close(self, ours: Tensor, reference: Array, *, relative: float = 1e-4) -> None:
        """Compare logits or embeddings: equal up to `relative` of the largest value."""
        assert tuple(ours.shape) == reference.shape
        bound = relative * float(np.abs(reference).max())
        np.testing.assert_allclose(ours.detach().numpy(), reference, atol=bound, rtol=0)

    def close_probabilities(self, ours: Tensor, reference: Array) -> None:
        """Compare probabilities."""
        assert tuple(ours.shape) == reference.shape
        np.testing.assert_allclose(ours.detach().numpy(), reference, atol=1e-3, rtol=0)


def filled(key: str, shape: tuple[int, ...], kind: str, *scales: float) -> tuple[Tensor, float]:
    """The value of a state dict's entry by the rule of the folder, and its absolute sum."""
    if kind == "zeros":
        return torch.zeros(shape, dtype=torch.int64), 0.0
    offset, scale = scales
    draw = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    x = draw.astype(np.float32).astype(np.float64)
    value = (offset + scale * (np.abs(x) if kind == "abs_normal" else x)).astype(np.float32)
    return torch.from_numpy(np.asarray(value)), float(np.abs(value, dtype=np.float64).sum())


@functools.cache
def _inputs(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("inputs*.npz")):
        with np.load(path) as arrays:
            found |= {name: torch.from_numpy(arrays[name]) for name in arrays}
    return found


def _entries(family: str) -> list[Path]:
    """The json files of a family; none where `AURICLE_DATA` is not set."""
    folder = Path(os.environ.get("AURICLE_DATA", ""), "parity")
    return sorted(folder.glob(f"{family}.*.json"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "golden" in metafunc.fixturenames:
        paths = _entries(metafunc.module.FAMILY)
        # Without the folder one test stands for all: it skips, or fails in CI.
        metafunc.parametrize(
            "golden",
            paths or [None],
            indirect=True,
            ids=[path.stem for path in paths] or [NOWHERE],
        )


@pytest.fixture
def golden(request: pytest.FixtureRequest, parity: Path) -> Golden:
    """One entry of the module's `FAMILY`."""
    assert request.param is not None, f"no entry of this family in {parity}"
    return Golden(request.param)


@pytest.fixture
def entry(parity: Path) -> Callable[[str], Golden]:
    """An entry of the folder by its name, such as `panns.Cnn10`."""
    return lambda name: Golden(parity / f"{name}.json")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = [r for r in terminalreporter.stats.get("passed", []) if "/parity/" in r.nodeid]
    entries = {r.nodeid.partition("[")[2].removesuffix("]") for r in ran if "[" in r.nodeid}
    if ran:
        terminalreporter.write_line(f"parity: {len(entries)} golden entries, {len(ran)} trials")
