"""Fixtures of the front-ends' tests."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from auricle.core.config import validate
from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd


def _build(name: str, **values: Any) -> FrontEnd:
    preset = FRONTENDS[name]
    changed = {**preset.config.model_dump(), **values}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return preset.build(validate(preset.build.Config, changed, prefix="frontend"))


@pytest.fixture(scope="session")
def build() -> Callable[..., FrontEnd]:
    """Build a front-end by name, with changed options; weights are the same every time."""
    return _build


def _whole(frontend: FrontEnd, waveforms: Tensor) -> Tensor:
    lengths = torch.full((len(waveforms),), waveforms.shape[1])
    with torch.no_grad():
        return frontend(waveforms, lengths).values


@pytest.fixture(scope="session")
def features_of() -> Callable[[FrontEnd, Tensor], Tensor]:
    """The features `(batch, bins, frames)` of waveforms without padding."""
    return _whole


def pytest_terminal_summary(terminalreporter: Any) -> None:
    ran = [r for r in terminalreporter.stats.get("passed", []) if "test_frontend_sweep" in r.nodeid]
    if ran:
        terminalreporter.write_line(f"front-end sweep: {len(FRONTENDS)} presets, {len(ran)} trials")
