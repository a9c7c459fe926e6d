"""Fixtures of the models' tests."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd
from auricle.models import MODELS
from auricle.models.base import SoundModel
from auricle.tensors import Features


@functools.cache
def _frontend(name: str) -> FrontEnd:
    preset = FRONTENDS[MODELS[name].frontend]
    return preset.build(preset.config).eval()


def _features(frames: int, bins: int, *, clips: int = 2, seed: int = 0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    values = 15 * torch.randn(clips, bins, frames, generator=generator) - 30
    return Features(values, torch.full((clips,), frames))


def _heard(name: str, samples: int, *, clips: int = 2, seed: int = 0) -> Features:
    """Features of noises that differ in level and colour, of a model's own front-end."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(clips, samples, generator=generator)
    share = torch.rand(clips, 1, generator=generator)
    level = 10 ** (-2 * torch.rand(clips, samples // 800 + 1, generator=generator))
    envelope = level.repeat_interleave(800, dim=1)[:, :samples]
    waveforms = 0.3 * envelope * (share * noise + (1 - share) * noise.cumsum(1) / 20)
    lengths = torch.full((clips,), samples)
    with torch.no_grad():
        return _frontend(name)(waveforms.clamp(-1, 1), lengths)


def _lengths(name: str, model: SoundModel) -> list[int]:
    """The shortest length (samples) that front-end and model take, and two longer ones."""
    frontend = _frontend(name)
    shortest = max(frontend.shortest_samples, frontend.samples_for_frames(model.shortest_frames))
    return sorted({shortest, 2 * shortest + 1, max(3 * shortest, frontend.sample_rate)})


@functools.cache
def _trained(name: str, classes: int) -> SoundModel:
    preset = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = preset.family(preset.config, bins=_frontend(name).bins, classes=classes)
        for module in model.modules():
            # A residual branch whose last norm starts at zero would hide from every trial.
            if isinstance(module, torch.nn.BatchNorm2d) and not module.weight.any():
                torch.nn.init.ones_(module.weight)
        samples = _lengths(name, model)[1]
        with torch.no_grad():
            for seed in range(20):
                model(_heard(name, samples, clips=4, seed=seed))
    return model.eval()


def _model(name: str, classes: int = 3) -> SoundModel:
    """An untrained model whose batch norms have seen features, so that its scores are lively."""
    return copy.deepcopy(_trained(name, classes))


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


@pytest.fixture(scope="session")
def hear() -> Callable[..., Features]:
    """`hear(name, samples, clips=2, seed=0)`: features of noises, from the model's front-end."""
    return _heard


@pytest.fixture(scope="session")
def lengths_of() -> Callable[[str, SoundModel], list[int]]:
    """`lengths_of(name, model)`: three lengths in samples, the shortest allowed first."""
    return _lengths


def pytest_terminal_summary(terminalreporter: Any) -> None:
    ran = [r for r in terminalreporter.stats.get("passed", []) if "test_model_sweep" in r.nodeid]
    if ran:
        tiny = sum(MODELS[name].tiny for name in MODELS)
        terminalreporter.write_line(
            f"model sweep: {len(MODELS)} presets ({tiny} tiny), {len(ran)} trials"
        )
