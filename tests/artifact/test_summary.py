"""What is counted of a network, against paper and pencil and against gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.artifact.classifier import Classifier, build_classifier
from auricle.artifact.receptive import receptive_field
from auricle.artifact.summary import summarise
from auricle.artifact.tracing import on_meta, trace
from auricle.models import MODELS

TINY = [name for name in MODELS if MODELS[name].tiny]


def classifier_of(name: str, classes: int = 3) -> Classifier:
    with torch.device("meta"):
        return build_classifier({"name": MODELS[name].frontend}, {"name": name}, classes)


def traced(network: nn.Module, *shape: int):
    return trace(on_meta(network), torch.empty(shape, device="meta"))


def multiply_adds(network: nn.Module, *shape: int) -> int:
    return sum(work.multiply_adds for work in traced(network, *shape).work)


def view_in_frames(network: nn.Module, channels: int = 3) -> tuple[float, float]:
    """What a frame sees and the step between frames, of a network of `(1, channels, frames)`."""
    short, long = (traced(network, 1, channels, frames) for frames in (500, 500 + 1440))
    view = receptive_field(short, long, more_s=1440.0)
    assert view is not None
    return view.field_s, view.step_s


@pytest.mark.parametrize("name", TINY)
def test_every_network_is_counted_whole(name):
    summary = summarise(classifier_of(name), 1.0)
    parameters = sum(p.numel() for p in classifier_of(name).parameters())
    assert summary.parameters == parameters
    assert sum(layer.parameters for layer in summary.layers) == parameters
    assert sum(layer.multiply_adds for layer in summary.layers) == summary.multiply_adds > 0
    assert summary.activation_bytes > 4 * 1000
    assert summary.view is None or summary.view.field_s >= summary.view.step_s > 0


def test_the_weights_are_not_touched_and_not_needed():
    classifier = build_classifier({"name": "logmel_16k"}, {"name": "small_resnet_tiny"}, 3).train()
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    summary = summarise(classifier, 1.0)
    assert classifier.training
    assert classifier.model.training
    after = classifier.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert summary == summarise(classifier_of("small_resnet_tiny"), 1.0)


def test_the_first_layers_by_paper_and_pencil():
    classifier = classifier_of("small_resnet_tiny")
    summary = summarise(classifier, 1.0)
    rate = classifier.frontend.sample_rate
    frames, bins = classifier.frontend.frame_count(rate), classifier.frontend.bins
    stem = next(layer for layer in summary.layers if layer.kind == "Conv2d")
    height, width = -(-bins // 2), -(-frames // 2)
    assert stem.output_shape == (1, 4, height, width)
    assert stem.parameters == 4 * 9
    assert stem.multiply_adds == 4 * 9 * height * width
    assert stem.activation_bytes == 4 * 4 * height * width
    assert summary.weights_mb == summary.parameters * 4 / 1e6


def test_parameters_of_published_size():
    summary = summarise(classifier_of("cnn14", 527), 10.0)
    assert summary.parameters == 80_753_615  # Kong et al., table XII
    blocks = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1024, 2048)]
    convolutions = 0
    frames, bins = 1001, 64
    for inputs, outputs in blocks:
        convolutions += 9 * (inputs + outputs) * outputs * frames * bins
        frames, bins = frames // 2, bins // 2
    assert summary.multiply_adds == convolutions + 2048 * 2048 + 2048 * 527


def test_a_clip_shorter_than_the_network_takes_is_made_longer():
    classifier = classifier_of("cnn14_clip_tiny")
    summary = summarise(classifier, 0.001)
    assert summary.seconds == classifier.shortest_samples / classifier.frontend.sample_rate


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        return self.attention(x, x, x, need_weights=False)[0].mean(1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 4, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x.transpose(1, 2))[0].amax(1)


def test_multiply_adds_of_attention_and_recurrence_by_paper_and_pencil():
    frames = 40
    projections = 4 * frames * 8 * 8
    products = 2 * 2 * frames * frames * 4  # two heads of width 4: weights, and weighted values
    assert multiply_adds(Attention(), 1, 8, frames) == projections + products
    per_step = 3 * 4 * 8 + 3 * 4 * 4  # three gates: of the input, of the state
    assert multiply_adds(Recurrent(), 1, 8, frames) == 2 * frames * per_step


def test_where_frames_are_mixed_the_whole_clip_is_seen():
    assert view_in_frames(Attention(), 8)[0] == math.inf
    assert view_in_frames(Recurrent(), 8) == (math.inf, 1)


class Squeezed(nn.Module):
    """A convolution, scaled by what the whole clip is like."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 3, 5, padding=4, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.convolution(x))
        x = x * x.mean(2, keepdim=True).sigmoid()
        weights = x.softmax(2)
        return (x * weights).sum(2)


def test_statistics_of_the_clip_are_left_aside():
    assert view_in_frames(Squeezed()) == (9, 1)


class WrittenInPlace(nn.Module):
    """The wide view reaches the output through a slice that is written into."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 3, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[:, 1:2] += self.convolution(x)[:, :1]
        return y.mean(2)


def test_what_is_written_into_a_slice_counts():
    assert view_in_frames(WrittenInPlace())[0] == 7


def test_a_fixed_input_is_seen_whole():
    network = nn.Sequential(nn.AdaptiveAvgPool1d(10), nn.Conv1d(3, 3, 3), nn.Flatten())
    trace_of = traced(network, 1, 3, 500)
    assert receptive_field(trace_of, trace_of, 1.0) is None


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2) if x.shape[2] > 1000 else x.relu().mean(2)


def test_a_network_of_two_ways_is_refused():
    with pytest.raises(ValueError, match=r"at one length|argument 2"):
        view_in_frames(Branching())


layers = st.lists(
    st.tuples(
        st.sampled_from(["conv", "average", "max", "transposed", "residual"]),
        st.integers(1, 5),  # kernel
        st.integers(1, 3),  # stride
        st.integers(1, 3),  # dilation
    ),
    min_size=1,
    max_size=5,
)


class Residual(nn.Module):
    """A short branch beside a long one, as in every residual network."""

    def __init__(self, kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.long = nn.Sequential(
            nn.Conv1d(1, 1, 2 * kernel + 1, stride, dilation * kernel, dilation),
            nn.Conv1d(1, 1, 3, padding=1),
        )
        self.short = nn.Conv1d(1, 1, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.long(x) + self.short(x)


def built(recipe: list[tuple[str, int, int, int]]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for kind, kernel, stride, dilation in recipe:
        if kind == "conv":
            parts.append(nn.Conv1d(1, 1, kernel, stride, dilation=dilation))
        elif kind == "average":
            parts.append(nn.AvgPool1d(kernel, stride))
        elif kind == "max":
            parts.append(nn.MaxPool1d(kernel, stride, dilation=dilation))
        elif kind == "transposed":
            parts.append(nn.ConvTranspose1d(1, 1, kernel))
        else:
            parts.append(Residual(kernel, stride, dilation))
    return nn.Sequential(*parts)


def frames_that_matter(network: nn.Module, frames: int) -> int:
    """From the first to the last input frame that the middle output frame depends on."""
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5, 1.0)
    seen: set[int] = set()
    for seed in range(12):  # a maximum shows one of its frames at a time
        generator = torch.Generator().manual_seed(seed)
        x = torch.rand(1, 1, frames, generator=generator).requires_grad_()
        y = network(x)
        (gradient,) = torch.autograd.grad(y[0, 0, y.shape[2] // 2], x)
        seen |= set(gradient[0, 0].nonzero().flatten().tolist())
    return max(seen) - min(seen) + 1


@settings(max_examples=40, deadline=None)
@given(recipe=layers)
def test_the_view_is_what_gradients_show(recipe):
    network = built(recipe)
    pooled = nn.Sequential(network, nn.AdaptiveAvgPool1d(1))
    field, step = view_in_frames(pooled, channels=1)
    shown = frames_that_matter(network, 2000)
    if any(kind == "max" for kind, *_ in recipe):
        assert shown <= field  # a maximum may hide its edges
    else:
        assert shown == round(field)
    assert round(step) == math.prod(stride for kind, _, stride, _ in recipe if kind != "transposed")


@pytest.mark.parametrize(
    ("name", "frames", "step"),
    [("cnn10", 76, 16), ("cnn14", 284, 32), ("cnn14_decision_max", 348, 32)],
)
def test_the_view_of_panns_by_paper_and_pencil(name, frames, step):
    """Convolutions of 3 twice a block, poolings of 2; segments see their neighbours."""
    view = summarise(classifier_of(name), 10.0).view
    assert view is not None
    period_s = classifier_of(name).frontend.frame_period_s
    assert view.field_s == pytest.approx(frames * period_s)
    assert view.step_s == pytest.approx(step * period_s)
