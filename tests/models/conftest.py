"""Fixtures of the models' tests."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd
from auricle.models import MODELS
from auricle.models.base import SoundModel
from auricle.tensors import Features


def _frontend(name: str) -> FrontEnd:
    preset = FRONTENDS[MODELS[name].frontend]
    return preset.build(preset.config)


def _features(frames: int, bins: int, *, clips: int = 2, seed: int = 0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    values = 15 * torch.randn(clips, bins, frames, generator=generator) - 30
    return Features(values, torch.full((clips,), frames))


def _model(name: str, classes: int = 3) -> SoundModel:
    """An untrained model whose batch norms have seen features, so that its scores are lively."""
    preset = MODELS[name]
    bins = _frontend(name).bins
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = preset.family(preset.config, bins=bins, classes=classes)
        frames = 4 * model.shortest_frames
        with torch.no_grad():
            for seed in range(20):
                model(_features(frames, bins, clips=4, seed=seed))
    return model.eval()


@pytest.fixture(scope="session")
def frontend_of() -> Callable[[str], FrontEnd]:
    """The front-end that goes with a model."""
    return _frontend


@pytest.fixture(scope="session")
def make_model() -> Callable[..., SoundModel]:
    """`make_model(name, classes=3)`: an untrained model in evaluation, with lively scores."""
    return _model


@pytest.fixture(scope="session")
def make_features() -> Callable[..., Features]:
    """`make_features(frames, bins, clips=2, seed=0)`: noise at the level of log-mel features."""
    return _features


def pytest_terminal_summary(terminalreporter: Any) -> None:
    ran = [r for r in terminalreporter.stats.get("passed", []) if "test_model_sweep" in r.nodeid]
    if ran:
        tiny = sum(MODELS[name].tiny for name in MODELS)
        terminalreporter.write_line(
            f"model sweep: {len(MODELS)} presets ({tiny} tiny), {len(ran)} trials"
        )
