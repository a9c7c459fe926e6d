"""Networks of computer vision over pictures of sound, from `timm` and `torchvision`.

Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models; the networks'
papers are those that its cards name. The library's own module stands inside as `network`, so its
parameters have the library's names, and its published weights load into it. Both libraries are
imported when a network is built.
"""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from auricle.core.errors import ConfigError, MissingExtra, nearest
from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel
from auricle.tensors import Features, Output

LEAST_PIXELS = 32
"""Rows and columns below which some networks' strides leave nothing."""


class ImageConfig(ModelConfig):
    """What all networks for pictures share."""

    channels: Literal[1, 3] = Field(
        default=3, description="channels that the network reads; one of the features is repeated"
    )
    imagenet: bool = Field(default=False, description="begin training with weights of ImageNet")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="before the last layer")


class ImageNetwork(SoundModel):
    """A network over pictures: `network`, whose last layer `head` gives the scores.

    Reads images `(batch, channels, height, width)`, or features `(batch, bins, frames)` as pictures
    of one channel. The embedding is the input of the last layer. Networks without batch norm
    (ConvNeXt, ViT) hardly learn from raw decibels: choose a front-end that standardises, as image
    front-ends do and others with `--frontend.normalise`.
    """

    network: nn.Module
    shortest_frames = LEAST_PIXELS

    def __init__(self, config: ImageConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        if bins < LEAST_PIXELS:
            raise ConfigError(
                f"networks for pictures need at least {LEAST_PIXELS} rows, got {bins}: raise "
                "--frontend.height (of image front-ends) or --frontend.n_mels"
            )
        self.channels = config.channels
        self.imagenet = config.imagenet

    def embed(self, pictures: Tensor) -> Tensor:
        """Turn `(batch, channels, height, width)` into `(batch, embedding_dim)`."""
        raise NotImplementedError

    def head(self) -> nn.Module:
        """Return the last layer."""
        raise NotImplementedError

    def imagenet_file(self) -> tuple[str, str]:
        """Return where the weights of ImageNet are: a hub repository or URL, and the file's name.

        Raises `ConfigError` where nobody published them.
        """
        raise NotImplementedError

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Fill all but the last layer with what `imagenet_file` holds.

        Raises `RuntimeError` or `ConfigError` where keys or shapes are those of another network.
        """
        raise NotImplementedError

    def check_features(self, features: Features) -> None:
        """Raise `ConfigError` for pictures that it cannot read: of other channels or size."""
        values = _pictures(features)
        wanted, found = self.channels, values.shape[1]
        if found not in (1, wanted):
            raise ConfigError(
                f"the network reads {wanted} channels and the pictures have {found}: give "
                f"--model.channels {found} or --frontend.channels {wanted}"
            )
        if self.fixed_frames is not None and values.shape[2:] != (self.bins, self.fixed_frames):
            raise ConfigError(
                f"the network reads pictures of {self.bins} x {self.fixed_frames}, got "
                f"{values.shape[2]} x {values.shape[3]}: choose an image front-end of that "
                f"--frontend.width, or give --model.width {values.shape[3]}"
            )

    def forward(self, features: Features) -> Output:
        """Score pictures, or features of one channel. Raises `ConfigError` for another size."""
        self.check_features(features)
        pictures = _pictures(features)
        if pictures.shape[1] < self.channels:
            pictures = pictures.expand(-1, self.channels, -1, -1)
        embedding = self.embed(pictures.contiguous(memory_format=torch.channels_last)).float()
        scores = self.head()(embedding).float() if self.classes else None
        return Output(scores, embedding=embedding)


class TimmConfig(ImageConfig):
    """Settings of `TimmNetwork`: a ResNet18 by default."""

    backbone: str = Field(default="resnet18", description="name of a network of timm")
    width: int = Field(
        default=224,
        ge=LEAST_PIXELS,
        le=4096,
        description="columns of the pictures, for networks of one size (ViT, Swin)",
    )


class TimmNetwork(ImageNetwork):
    """Any classifier of `timm` with a linear last layer.

    Networks that read one size only are built for `bins` x `--model.width`; the picture is the
    clip's own, so clips of a batch leave each other alone. Others take any width.
    """

    Config: ClassVar[type[ModelConfig]] = TimmConfig
    config: TimmConfig
    network: Any  # timm's modules have methods that torch's do not

    def __init__(self, config: TimmConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        self.network = self._build(max(classes, 1))
        last = self.head()
        if not isinstance(last, nn.Linear):
            raise ConfigError(
                f"--model.backbone {config.backbone}: its last layer is a {type(last).__name__}, "
                "and only networks with one linear last layer are used here; choose another"
            )
        self.embedding_dim = last.in_features
        if self.network.pretrained_cfg.get("fixed_input_size"):
            self.shortest_frames = self.fixed_frames = config.width
            self.padding_safe = True
        if classes == 0:
            self.replace_head(0)

    def _build(self, classes: int, **more: Any) -> nn.Module:
        timm, name = _library("timm", "models"), self.config.backbone
        if not timm.is_model(name):
            guess = nearest(name, timm.list_models())
            hint = f"did you mean '{guess}'?" if guess else "timm.list_models() lists them"
            raise ConfigError(f"timm has no network '{name}' (--model.backbone); {hint}")
        if timm.get_pretrained_cfg(name).fixed_input_size:
            more["img_size"] = (self.bins, self.config.width)
        try:
            return timm.create_model(
                name,
                num_classes=classes,
                in_chans=self.config.channels,
                drop_rate=self.config.dropout,
                **more,
            )
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise ConfigError(
                f"timm cannot build '{name}' for {self.config.channels} channels and pictures of "
                f"{self.bins} x {self.config.width}: {' '.join(str(error).split())}"
            ) from None

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.network.reset_classifier(classes)

    def embed(self, pictures: Tensor) -> Tensor:
        """Turn `(batch, channels, height, width)` into `(batch, embedding_dim)`."""
        return self.network.forward_head(self.network.forward_features(pictures), pre_logits=True)

    def head(self) -> nn.Module:
        """Return the last layer."""
        return self.network.get_classifier()

    def imagenet_file(self) -> tuple[str, str]:
        """Return timm's repository on the hub, and the file's name."""
        repository = self.network.pretrained_cfg.get("hf_hub_id")
        if not repository:
            raise ConfigError(
                f"timm publishes no weights for '{self.config.backbone}': leave --model.imagenet "
                "out, or choose a --model.backbone that has some"
            )
        return repository, "model.safetensors"

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Fill all but the last layer; timm fits the first one to the channels and the size."""
        published = self._build(
            self.network.pretrained_cfg["num_classes"],  # with these timm loads strictly
            pretrained=True,
            pretrained_cfg_overlay={"state_dict": dict(weights)},
        )
        _fill_all_but(
            self.network.pretrained_cfg["classifier"], self.network, published.state_dict()
        )


class TorchvisionConfig(ImageConfig):
    """Settings of `TorchvisionMobileNet`: MobileNetV3-small by default."""

    size: Literal["small", "large"] = Field(default="small", description="which MobileNetV3")
    width_factor: float = Field(default=1.0, gt=0, le=16, description="factor on channel counts")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="before the last layer")


class TorchvisionMobileNet(ImageNetwork):
    """MobileNetV3 as torchvision publishes it (timm's differs in its names and its epsilon).

    Howard et al., "Searching for MobileNetV3" (2019), https://arxiv.org/abs/1905.02244.
    """

    Config: ClassVar[type[ModelConfig]] = TorchvisionConfig
    config: TorchvisionConfig
    network: Any  # torchvision's MobileNetV3

    def __init__(self, config: TorchvisionConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        build = getattr(_library("torchvision.models", "train"), f"mobilenet_v3_{config.size}")
        self.network = build(
            num_classes=max(classes, 1), dropout=config.dropout, width_mult=config.width_factor
        )
        self.embedding_dim = self.network.classifier[-1].in_features
        if config.channels == 1:
            first = self.network.features[0][0]
            self.network.features[0][0] = nn.Conv2d(
                1, first.out_channels, 3, stride=2, padding=1, bias=False
            )
            nn.init.kaiming_normal_(self.network.features[0][0].weight, mode="fan_out")
        if classes == 0:
            self.replace_head(0)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.network.classifier[-1] = (
            nn.Linear(self.embedding_dim, classes) if classes else nn.Identity()
        )

    def embed(self, pictures: Tensor) -> Tensor:
        """Turn `(batch, channels, height, width)` into `(batch, embedding_dim)`."""
        maps = self.network.avgpool(self.network.features(pictures))
        return self.network.classifier[:-1](maps.flatten(1))

    def head(self) -> nn.Module:
        """Return the last layer."""
        return self.network.classifier[-1]

    def imagenet_file(self) -> tuple[str, str]:
        """Return the address of torchvision's file, and its name."""
        if self.config.width_factor != 1:
            raise ConfigError(
                "torchvision publishes weights for --model.width_factor 1, got "
                f"{self.config.width_factor:g}: leave --model.imagenet out"
            )
        library = _library("torchvision.models", "train")
        weights = getattr(library, f"MobileNet_V3_{self.config.size.capitalize()}_Weights")
        folder, _, name = weights.IMAGENET1K_V1.url.rpartition("/")
        return folder, name

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Fill all but the last layer; the weights of the colours are added up for one channel."""
        first = "features.0.0.weight"
        filled = dict(weights)
        if self.config.channels == 1 and first in filled:
            filled[first] = filled[first].sum(dim=1, keepdim=True)
        _fill_all_but("classifier.3", self.network, filled)


def _pictures(features: Features) -> Tensor:
    """Return `(batch, channels, height, width)`; rows over time are a picture of one channel."""
    values = features.values
    return values[:, None] if values.ndim == 3 else values


def _fill_all_but(head: str, network: nn.Module, filled: Mapping[str, Tensor]) -> None:
    """Load a state dict strictly, but for the layer called `head`, which stays as it is."""
    body = {key: value for key, value in filled.items() if not key.startswith(f"{head}.")}
    own = network.state_dict().items()
    kept = {key: value for key, value in own if key.startswith(f"{head}.")}
    network.load_state_dict({**body, **kept}, strict=True)


def _library(name: str, extra: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or name.partition(".")[0] != error.name.partition(".")[0]:
            raise
        raise MissingExtra(f"this network (from {error.name})", extra) from None


def _add(name: str, backbone: str) -> None:
    source = f"timm, {backbone}"
    MODELS.add(name, ModelPreset(TimmNetwork, TimmConfig(backbone=backbone), "image_32k", source))


_add("timm", "resnet18")
for _name in ("resnet18", "resnet34", "resnet50", "resnext101_32x8d", "convnext_tiny"):
    _add(_name, _name)
for _name in ("efficientnet_b0", "efficientnet_b2", "mobilenetv3_large_100"):
    _add(_name, _name)
for _size in ("tiny", "small", "base"):
    _add(f"vit_{_size}", f"vit_{_size}_patch16_224")
MODELS.add(
    "mobilenetv3_small",
    ModelPreset(
        TorchvisionMobileNet,
        TorchvisionConfig(),
        "image_32k",
        "Howard et al. 2019, arXiv 1905.02244; torchvision, mobilenet_v3_small",
    ),
)


def _add_tiny(name: str, config: TimmConfig | TorchvisionConfig, frontend: str) -> None:
    family = TimmNetwork if isinstance(config, TimmConfig) else TorchvisionMobileNet
    preset = ModelPreset(family, config, frontend, "for tests", clip_s=1.0, tiny=True)
    MODELS.add(f"image_{name}_tiny", preset)


_add_tiny("resnet", TimmConfig(backbone="test_resnet"), "image_8k_64")
_add_tiny("convnext", TimmConfig(backbone="test_convnext"), "fbank80_norm")
_add_tiny("vit", TimmConfig(backbone="test_vit", channels=1, width=64), "image_8k_64")
_add_tiny("mobilenet", TorchvisionConfig(width_factor=0.1, channels=1), "image_8k_64")
