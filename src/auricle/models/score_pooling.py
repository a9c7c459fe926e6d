"""Score poolings: the scores of many frames to one score a class, for detectors.

Each turns frame scores `(batch, frames, classes)` into scores of the clip: a part with a name and
typed options. It takes a mask of the frames that count, and reduces in float32 whatever the
precision of the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.config import validate
from auricle.core.registry import Registry
from auricle.models.pooling import PoolingConfig

Scale = Literal["logits", "probabilities"]


class Pooled(NamedTuple):
    """Scores of clips `(batch, classes)` and of their frames `(batch, frames, classes)`."""

    scores: Tensor
    frame_scores: Tensor


class ScorePooling(nn.Module):
    """Base of score poolings: logits of frames in, scores of clips and frames out, float32.

    `scores_are` says what comes out, for clips and frames alike. `inputs` is the width of the
    frames' embeddings, which only attention looks at.
    """

    Config: ClassVar[type[PoolingConfig]] = PoolingConfig
    scores_are: ClassVar[Scale] = "probabilities"

    def __init__(self, config: PoolingConfig, *, inputs: int, classes: int) -> None:
        super().__init__()

    def forward(self, logits: Tensor, embeddings: Tensor, mask: Tensor | None = None) -> Pooled:
        """Pool logits `(batch, frames, classes)` of frames with `(batch, frames, inputs)`.

        Only the frames of `mask` `(batch, frames)` count for the clip.
        """
        values = logits.float().sigmoid()
        keys = self.keys(logits.float(), values, embeddings)
        if mask is not None:
            keys = keys.masked_fill(~mask[..., None], -torch.inf)
        # Rounding can lift a sum of weights above one, which no loss on probabilities takes.
        return Pooled((keys.softmax(dim=1) * values).sum(dim=1).clamp(max=1), values)

    def keys(self, logits: Tensor, values: Tensor, embeddings: Tensor) -> Tensor:
        """Return what a softmax over frames turns into the weights of the probabilities."""
        raise NotImplementedError

    def __call__(self, logits: Tensor, embeddings: Tensor, mask: Tensor | None = None) -> Pooled:
        """Call `forward`."""
        return super().__call__(logits, embeddings, mask)


class MaximumScore(ScorePooling):
    """The highest frame decides; the only score pooling that keeps logits."""

    scores_are = "logits"

    def forward(self, logits: Tensor, embeddings: Tensor, mask: Tensor | None = None) -> Pooled:
        """Pool logits `(batch, frames, classes)`; only the frames of `mask` count."""
        logits = logits.float()
        inside = logits if mask is None else logits.masked_fill(~mask[..., None], -torch.inf)
        return Pooled(inside.amax(dim=1), logits)


class AverageScore(ScorePooling):
    """The mean of the frames' probabilities."""

    def keys(self, logits: Tensor, values: Tensor, embeddings: Tensor) -> Tensor:
        """Weigh all frames alike."""
        return torch.zeros_like(values)


class LinearSoftmax(ScorePooling):
    """Each frame weighed by its own probability: `sum(p^2) / sum(p)` (Wang et al., 2019)."""

    def keys(self, logits: Tensor, values: Tensor, embeddings: Tensor) -> Tensor:
        """Weigh in proportion to p; by its logarithm, which does not vanish for small ones."""
        return F.logsigmoid(logits)


class ExponentialSoftmax(ScorePooling):
    """Each frame weighed by `exp(p)` (Wang et al., 2019)."""

    def keys(self, logits: Tensor, values: Tensor, embeddings: Tensor) -> Tensor:
        """Weigh in proportion to exp(p)."""
        return values


class AutoPoolConfig(PoolingConfig):
    """Options of `AutoPool`."""

    alpha: float = Field(default=0.0, description="what learning starts from: 0 the mean, 1 exp")


class AutoPool(ScorePooling):
    """Each frame weighed by `exp(alpha p)`, with an alpha learned for each class.

    McFee, Salamon, Bello: "Adaptive pooling operators for weakly labeled sound event detection"
    (2018). alpha 0 is the mean, 1 the exponential softmax, a large one the maximum.
    """

    Config = AutoPoolConfig

    def __init__(self, config: AutoPoolConfig, *, inputs: int, classes: int) -> None:
        super().__init__(config, inputs=inputs, classes=classes)
        self.alpha = nn.Parameter(torch.full((classes,), float(config.alpha)))

    def keys(self, logits: Tensor, values: Tensor, embeddings: Tensor) -> Tensor:
        """Weigh in proportion to exp(alpha p)."""
        return self.alpha * values


class AttentionScore(ScorePooling):
    """Each frame weighed by a layer of its own, for each class: a softmax over frames.

    Its scores are clamped to [-10, 10], as in PANNs' decision-level attention (Kong et al., 2020).
    """

    def __init__(self, config: PoolingConfig, *, inputs: int, classes: int) -> None:
        super().__init__(config, inputs=inputs, classes=classes)
        self.attention = nn.Linear(inputs, classes)

    def keys(self, logits: Tensor, values: Tensor, embeddings: Tensor) -> Tensor:
        """Weigh as the embeddings say."""
        return self.attention(embeddings).float().clamp(-10, 10)


class ClassAttention(AttentionScore):
    """A softmax over the classes of each frame, at least 1e-7, then normalised over frames.

    As in the DCASE task 4 baseline: a frame counts for the class that it is most about.
    """

    def keys(self, logits: Tensor, values: Tensor, embeddings: Tensor) -> Tensor:
        """Weigh as the embeddings say."""
        return self.attention(embeddings).float().softmax(dim=2).clamp(min=1e-7).log()


@dataclass(frozen=True)
class ScorePoolingPart:
    """A score pooling: its class, and the paper or implementation that it follows."""

    build: type[ScorePooling]
    source: str


SCORE_POOLINGS: Registry[ScorePoolingPart] = Registry("score pooling", __name__, ())


def build_score_pooling(
    name: str, *, inputs: int, classes: int, options: Mapping[str, Any] | None = None
) -> ScorePooling:
    """Build the score pooling `name` for embeddings of `inputs`. Raises `ConfigError`."""
    build = SCORE_POOLINGS[name].build
    config = validate(build.Config, options or {}, prefix="model.score_pooling_options")
    return build(config, inputs=inputs, classes=classes)


_WANG = "Wang, Li, Metze 2019, arXiv 1810.09050"

SCORE_POOLINGS.add("attention", ScorePoolingPart(AttentionScore, "Kong et al. 2020"))
SCORE_POOLINGS.add("auto", ScorePoolingPart(AutoPool, "McFee et al. 2018, arXiv 1804.10070"))
SCORE_POOLINGS.add(
    "class_attention",
    ScorePoolingPart(ClassAttention, "DESED_task c6bcb45, desed_task/nnet/CRNN.py"),
)
SCORE_POOLINGS.add("exp_softmax", ScorePoolingPart(ExponentialSoftmax, _WANG))
SCORE_POOLINGS.add("linear_softmax", ScorePoolingPart(LinearSoftmax, _WANG))
SCORE_POOLINGS.add("max", ScorePoolingPart(MaximumScore, _WANG))
SCORE_POOLINGS.add("mean", ScorePoolingPart(AverageScore, _WANG))
