"""EfficientAT's dynamic MobileNets: kernels, activations and attention drawn from the clip itself.

Schmid et al., "Dynamic Convolutional Neural Networks as Efficient Pre-Trained Audio Models"
(IEEE/ACM TASLP 2024), https://arxiv.org/abs/2310.15648; reference implementation
github.com/fschmid56/EfficientAT (MIT), models/dymn. Parameters have the published names.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset
from auricle.models.efficientat import (
    EfficientAT,
    EfficientATConfig,
    InvertedResidual,
    Stage,
    activation_of,
    batch_norm,
    conv_norm,
    divisible,
    stages,
)

KERNELS = 4


class DynamicMobileNetConfig(EfficientATConfig):
    """Settings of `DynamicMobileNet`: dymn10's by default."""

    blocks: Literal["all", "replace_se"] = Field(
        default="all",
        description="which blocks are dynamic: all, or those with squeeze-excitation in an mn",
    )
    temperature: float = Field(
        default=1.0,
        gt=0,
        description="evens out the mix of kernels: 1 for published AudioSet networks, 30 for those "
        "of ImageNet and for the first epochs from scratch",
    )


class DynamicConv(nn.Module):
    """A convolution whose kernel is a mix of four, drawn for each clip from its context.

    Chen et al., "Dynamic Convolution: Attention over Convolution Kernels" (2020). Either pointwise
    (`kernel=1`) or depthwise (`outputs == inputs`).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        context: int,
        *,
        temperature: float,
        kernel: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.channels = outputs
        self.kernel = kernel
        self.stride = stride
        self.temperature = temperature
        self.residuals = nn.Sequential(nn.Linear(context, KERNELS))
        drawn = torch.empty(KERNELS, outputs, inputs if kernel == 1 else 1, kernel, kernel)
        for one in drawn:
            nn.init.kaiming_normal_(one, mode="fan_out")
        self.weight = nn.Parameter(drawn.reshape(1, 1, KERNELS, -1))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Convolve `(batch, inputs, bins, frames)` by the kernels for `context` `(batch, dim)`."""
        mix = (self.residuals(context).float() / self.temperature).softmax(dim=1)
        kernels = self.weight[0, 0]
        if self.kernel > 1:
            if torch.compiler.is_exporting():
                return self._sum_of_outputs(x, mix, kernels)
            return self._depthwise(x, mix @ kernels)
        # One matrix a clip; on channels-last pictures both permutations are views.
        mixed = (mix @ kernels).unflatten(1, (self.channels, -1))
        rows = x.permute(0, 2, 3, 1).flatten(1, 2)
        out = torch.bmm(rows, mixed.transpose(1, 2).to(rows.dtype))
        return out.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)

    def _depthwise(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Convolve all clips' channels, each by its own kernel, as those of one picture."""
        size = self.kernel
        kernels = mixed.to(x.dtype).reshape(-1, 1, size, size)
        whole = x.reshape(1, -1, *x.shape[2:])
        out = F.conv2d(whole, kernels, None, self.stride, size // 2, groups=len(kernels))
        return out.unflatten(1, (len(x), -1))[0].contiguous(memory_format=torch.channels_last)

    def _sum_of_outputs(self, x: Tensor, mix: Tensor, kernels: Tensor) -> Tensor:
        """Compute the same with kernels that no clip changes, as an exported graph needs them."""
        size = self.kernel
        each = kernels.view(KERNELS, self.channels, 1, size, size).transpose(0, 1).flatten(0, 1)
        outputs = F.conv2d(x, each, None, self.stride, size // 2, groups=self.channels)
        shares = mix.to(x.dtype)[:, None, :, None, None]
        return (outputs.unflatten(1, (self.channels, KERNELS)) * shares).sum(dim=2)


class DynamicReLU(nn.Module):
    """The larger of two lines, drawn for each clip and channel (Chen et al., "Dynamic ReLU", 2020).

    `lambdas` and `init_v` are constants that published checkpoints hold.
    """

    lambdas: Tensor
    init_v: Tensor

    def __init__(self, channels: int, context: int) -> None:
        super().__init__()
        self.register_buffer("lambdas", torch.tensor([1.0, 1.0, 0.5, 0.5]))
        self.register_buffer("init_v", torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.coef_net = nn.Sequential(nn.Linear(context, 4 * channels))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map `(batch, channels, bins, frames)` for `context` `(batch, dim)`."""
        drawn = 2 * self.coef_net(context).sigmoid() - 1
        drawn = drawn.unflatten(1, (-1, 4)) * self.lambdas + self.init_v
        lines = drawn.to(x.dtype)[:, :, None, None]
        slope, other_slope, shift, other_shift = lines.unbind(dim=4)
        return torch.maximum(x * slope + shift, x * other_slope + other_shift)


class Context(nn.Module):
    """What a clip says to its block: one vector, and weights for each bin and for each frame.

    Coordinate attention (Hou, Zhou, Feng, 2021) over a shared projection of the means over time
    and over frequency.
    """

    def __init__(self, stage: Stage, dim: int, momentum: float) -> None:
        super().__init__()
        self.stride = stage.stride
        self.joint_conv = nn.Conv2d(stage.inputs, dim, 1, bias=False)
        self.joint_norm = batch_norm(dim, momentum)
        self.conv_f = nn.Conv2d(dim, stage.expanded, 1)
        self.conv_t = nn.Conv2d(dim, stage.expanded, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the context `(batch, dim)`, weights `(batch, expanded, bins, 1)` and over frames.

        The last are `(batch, expanded, 1, frames)`; bins and frames are divided by the stride.
        """
        bins = x.shape[2]
        means = torch.cat([x.mean(dim=3), x.mean(dim=2)], dim=2)[..., None]
        joint = F.hardswish(self.joint_norm(self.joint_conv(means)))
        of_bins, of_frames = joint[:, :, :bins], joint[:, :, bins:]
        if self.stride > 1:
            of_bins, of_frames = (
                F.avg_pool2d(part, (3, 1), (self.stride, 1), (1, 0))
                for part in (of_bins, of_frames)
            )
        return (
            joint.mean(dim=(2, 3)),
            self.conv_f(of_bins).sigmoid(),
            self.conv_t(of_frames).sigmoid().transpose(2, 3),
        )


class DynamicBlock(nn.Module):
    """An inverted residual block whose every layer follows the clip's context."""

    exp_conv: DynamicConv | None

    def __init__(self, stage: Stage, config: DynamicMobileNetConfig) -> None:
        super().__init__()
        self.residual = stage.stride == 1 and stage.inputs == stage.outputs
        least, most = (divisible(size * config.width) for size in (32, 128))
        context = min(max(divisible(stage.expanded // 4), least), most)
        momentum, expanded = config.norm_momentum, stage.expanded

        def dynamic(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> DynamicConv:
            return DynamicConv(
                inputs,
                outputs,
                context,
                temperature=config.temperature,
                kernel=kernel,
                stride=stride,
            )

        self.exp_conv = None
        if expanded != stage.inputs:
            self.exp_conv = dynamic(stage.inputs, expanded)
            self.exp_norm = batch_norm(expanded, momentum)
            self.exp_act = activation_of(stage)
        self.depth_conv = dynamic(expanded, expanded, stage.kernel, stage.stride)
        self.depth_norm = batch_norm(expanded, momentum)
        self.depth_act = DynamicReLU(expanded, context)
        self.proj_conv = dynamic(expanded, stage.outputs)
        self.proj_norm = batch_norm(stage.outputs, momentum)
        self.context_gen = Context(stage, context, momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, bins, frames)` to outputs, bins and frames divided by the stride."""
        context, of_bins, of_frames = self.context_gen(x)
        out = x
        if self.exp_conv is not None:
            out = self.exp_act(self.exp_norm(self.exp_conv(out, context)))
        out = self.depth_act(self.depth_norm(self.depth_conv(out, context)), context)
        out = self.proj_norm(self.proj_conv(out * of_bins * of_frames, context))
        return out + x if self.residual else out


class DynamicMobileNet(EfficientAT):
    """EfficientAT's `dymn`: an mn whose blocks are dynamic."""

    Config: ClassVar[type[ModelConfig]] = DynamicMobileNetConfig

    def __init__(self, config: DynamicMobileNetConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        momentum = config.norm_momentum
        blocks = stages(config)
        first, last = blocks[0].inputs, blocks[-1].outputs
        self.layers = nn.Sequential(
            *(
                DynamicBlock(stage, config)
                if config.blocks == "all" or stage.squeeze
                else InvertedResidual(stage, momentum, squeeze=False)
                for stage in blocks
            )
        )
        self.in_c = conv_norm(1, first, 3, nn.Hardswish(inplace=True), momentum=momentum, stride=2)
        self.out_c = conv_norm(last, 6 * last, 1, nn.Hardswish(inplace=True), momentum=momentum)
        self.finish(classes)

    def maps(self, x: Tensor) -> Tensor:
        """Turn `(batch, 1, bins, frames)` into `(batch, embedding_dim, bins / 32, frames / 32)`."""
        return self.out_c(self.layers(self.in_c(x)))


SOURCE = "Schmid et al. 2024, arXiv 2310.15648; EfficientAT a425fdc, models/dymn"


def _add(
    name: str,
    config: DynamicMobileNetConfig,
    frontend: str = "efficientat_mel",
    *,
    tiny: bool = False,
) -> None:
    MODELS.add(
        name, ModelPreset(DynamicMobileNet, config, frontend, SOURCE, clip_s=10.0, tiny=tiny)
    )


for _width in (0.4, 1.0, 2.0):
    _add(f"dymn{round(10 * _width):02d}", DynamicMobileNetConfig(width=_width))
for _width in (0.4, 1.0):
    _add(
        f"dymn{round(10 * _width):02d}_replace_se",
        DynamicMobileNetConfig(width=_width, blocks="replace_se"),
    )
_TINY = DynamicMobileNetConfig(width=0.05, depth=4, norm_momentum=0.1)
_add("dymn_tiny", _TINY, "efficientat_mel_mels_40", tiny=True)
_add(
    "dymn_replace_se_tiny",
    _TINY.model_copy(update={"blocks": "replace_se", "temperature": 30.0}),
    "efficientat_mel_mels_40",
    tiny=True,
)
