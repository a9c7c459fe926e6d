"""What every model is: `Features` in, `Output` out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from auricle.core.config import Config
from auricle.tensors import Features, Output


class ModelConfig(Config):
    """Base of every model family's configuration."""


class SoundModel(nn.Module):
    """Base of every model.

    A model states `shortest_frames` (what it can pool; any longer count goes), `fixed_frames`
    (the one count it takes, to which its front-end pads, cuts or resizes; None: any),
    `padding_safe` (whether clips of different lengths in one batch leave each other's scores
    alone), `embedding_dim`, `has_frame_scores`, `scores_are` (what its `Output` says, always the
    same) and `unused_parameters` (names of parameters that exist in published checkpoints and
    never get a gradient). It never sees a file, never augments and never applies a final
    activation.
    `classes=0` builds no head.
    """

    Config: ClassVar[type[ModelConfig]]
    shortest_frames: int = 1
    fixed_frames: int | None = None
    padding_safe: bool = False
    has_frame_scores: bool = False
    scores_are: Literal["logits", "probabilities"] = "logits"
    unused_parameters: Sequence[str] = ()
    embedding_dim: int

    def __init__(self, config: ModelConfig, *, bins: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.bins = bins
        self.classes = classes

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`, or `(batch, channels, height, width)`."""
        raise NotImplementedError

    def replace_head(self, classes: int) -> None:
        """Put a fresh head for `classes` in the place of the old one (0: no head)."""
        raise NotImplementedError

    def __call__(self, features: Features) -> Output:  # typed for callers
        """Call `forward`."""
        return super().__call__(features)


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
