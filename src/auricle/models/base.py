"""What every model is: `Features` in, `Output` out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field
from torch import nn

from auricle.core.config import Config
from auricle.core.errors import ConfigError
from auricle.tensors import Features, Output

# Bounds that no network of the field comes near: a hostile file must not hang or fill the memory.
Width: TypeAlias = Annotated[int, Field(ge=1, le=16384)]
"""Channels of a layer."""
Count: TypeAlias = Annotated[int, Field(ge=1, le=256)]
"""Of layers or groups, or how many times as wide."""
Widths: TypeAlias = Annotated[tuple[Width, ...], Field(min_length=1, max_length=64)]
Counts: TypeAlias = Annotated[tuple[Count, ...], Field(min_length=1, max_length=64)]
"""One for each stage or block."""


class ModelConfig(Config):
    """Base of every model family's configuration."""


class SoundModel(nn.Module):
    """Base of every model.

    A model states `shortest_frames` (what it can pool; any longer count goes), `fixed_frames`
    (the one count it takes, to which its front-end pads, cuts or resizes; None: any),
    `padding_safe` (whether clips of different lengths in one batch leave each other's scores
    alone), `embedding_dim`, `has_frame_scores`, `scores_are` (what its `Output` says, always the
    same) and `unused_parameters` (names of parameters that exist in published checkpoints and
    never get a gradient), and `hears_waveforms` (whether it may be given the samples themselves, as
    one row). It never sees a file, never augments and never applies a final activation.
    `classes=0` builds no head.
    """

    Config: ClassVar[type[ModelConfig]]
    shortest_frames: int = 1
    fixed_frames: int | None = None
    padding_safe: bool = False
    has_frame_scores: bool = False
    scores_are: Literal["logits", "probabilities"] = "logits"
    unused_parameters: Sequence[str] = ()
    hears_waveforms: ClassVar[bool] = False
    embedding_dim: int

    def __init__(self, config: ModelConfig, *, bins: int, classes: int) -> None:
        super().__init__()
        if not self.hears_waveforms:
            refuse_waveforms(bins)
        self.config = config
        self.bins = bins
        self.classes = classes

    def check_features(self, features: Features) -> None:
        """Raise `ConfigError` for features that it cannot read; looks at their shapes only.

        A classifier's network is asked when it is put together, before any sound is read.
        """
        if features.values.ndim != 3:
            raise ConfigError(
                "this network reads rows of features over time and the front-end draws pictures: "
                "choose a network for pictures, for example --model resnet18, or another front-end"
            )

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`, or `(batch, channels, height, width)`."""
        raise NotImplementedError

    def replace_head(self, classes: int) -> None:
        """Put a fresh head for `classes` in the place of the old one (0: no head).

        It has the type, the device and the mode (training or evaluation) of the network.
        """
        like, there = next(self.parameters()), set(self.modules())
        self.classes = classes
        self.build_head(classes)
        for part in set(self.modules()) - there:
            part.to(like).train(self.training)

    def build_head(self, classes: int) -> None:
        """Set the layers of the head, and what else changes with it; 0: none of them.

        Called by `replace_head`, which a family's constructor ends with.
        """
        raise NotImplementedError

    def __call__(self, features: Features) -> Output:  # typed for callers
        """Call `forward`."""
        return super().__call__(features)


def refuse_waveforms(bins: int) -> None:
    """Raise `ConfigError` for features of one row: those are the samples themselves."""
    if bins == 1:
        raise ConfigError(
            "this network reads rows of features over time, got one: the waveform itself. Choose "
            "another front-end, for example --frontend logmel_32k"
        )


@dataclass(frozen=True)
class ModelPreset:
    """A named network: its family, the values of its configuration, the front-end it goes with.

    `clip_s` is the length (s) of training crops that suits it; `source` cites the paper or the
    reference implementation; `tiny` marks presets that exist for tests only.
    """

    family: type[SoundModel]
    config: ModelConfig
    frontend: str
    source: str
    clip_s: float = 5.0
    tiny: bool = False
