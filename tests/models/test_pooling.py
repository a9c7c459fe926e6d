"""Poolings, each of both registries through the same trials, and each against its formula."""

import io
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from auricle.core.errors import ConfigError, UnknownName
from auricle.models import MODELS
from auricle.models.pooling import POOLINGS, build_pooling, frame_mask, padding_mask
from auricle.models.score_pooling import SCORE_POOLINGS, build_score_pooling
from auricle.tensors import Output
from auricle.training.losses import classification_loss

CHANNELS, FRAMES, CLASSES, INPUTS = 6, 20, 3, 5
ATTENTIVE = ("sap", "asp", "astp")
CONTEXTS = [("asp", True), ("asp", False), ("astp", True), ("astp", False)]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seeded(build):
    """Build a part with lively values: batch norms that are not the identity too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        part = build().eval()
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
    return part


def embedding_pooling(name, channels=CHANNELS, **options):
    return seeded(lambda: build_pooling(name, channels=channels, options=options))


def score_pooling(name, **options):
    return seeded(
        lambda: build_score_pooling(name, inputs=INPUTS, classes=CLASSES, options=options)
    )


def pool_scores(pooling, logits, mask=None, seed=1):
    return pooling(logits, draw(*logits.shape[:2], INPUTS, seed=seed), mask)


def close(ours, theirs, tolerance=1e-5):
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", POOLINGS)
def test_embedding_pooling_states_its_width_and_its_source(name):
    pooling = embedding_pooling(name)
    pooled = pooling(draw(2, CHANNELS, FRAMES))
    assert pooled.shape == (2, pooling.output_dim)
    assert POOLINGS[name].source


@pytest.mark.parametrize("name", POOLINGS)
def test_embedding_pooling_knows_no_order_of_time(name):
    pooling, x = embedding_pooling(name), draw(2, CHANNELS, FRAMES)
    order = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(2))
    close(pooling(x[:, :, order]), pooling(x))


@pytest.mark.parametrize("name", POOLINGS)
def test_embedding_pooling_of_a_mask_is_that_of_the_shorter_clip(name):
    pooling, x = embedding_pooling(name), draw(2, CHANNELS, FRAMES)
    x[1, :, 7:] = 1e4  # what lies behind a clip is anything
    mask = frame_mask(torch.tensor([FRAMES, 7]), FRAMES)
    pooled = pooling(x, mask)
    close(pooled[0], pooling(x[:1])[0])
    close(pooled[1], pooling(x[1:, :, :7])[0])


@pytest.mark.parametrize("name", POOLINGS)
def test_embedding_pooling_does_not_mind_the_layout(name):
    pooling, x = embedding_pooling(name), draw(2, CHANNELS, FRAMES)
    mask = frame_mask(torch.tensor([FRAMES, 7]), FRAMES)
    channels_last = x.transpose(1, 2).contiguous().transpose(1, 2)
    close(pooling(channels_last, mask), pooling(x, mask))


@pytest.mark.parametrize("name", POOLINGS)
def test_embedding_pooling_of_a_constant_has_no_spread(name):
    """Means give the constant, spreads give nothing, and no gradient is lost to a square root."""
    pooling = embedding_pooling(name)
    constant = draw(2, CHANNELS, 1)
    for frames in (1, FRAMES):
        x = constant.expand(-1, -1, frames).clone().requires_grad_()
        pooled = pooling(x)
        pooled.sum().backward()
        assert x.grad.isfinite().all()
        for part in pooled.split(CHANNELS, dim=1):
            size = float(part.detach().abs().max())
            expected = 2 * constant if name == "mean_max" else constant
            is_the_constant = torch.allclose(part, expected[..., 0], atol=1e-5)
            assert is_the_constant != (size < 2e-3)
        assert len(pooled.split(CHANNELS, dim=1)) == pooling.statistics


@pytest.mark.parametrize("name", POOLINGS)
def test_embedding_pooling_reduces_in_full_precision(name):
    pooling, x = embedding_pooling(name), draw(2, CHANNELS, 500) + 10
    mask = frame_mask(torch.tensor([500, 300]), 500)
    for of_frames in (None, mask):
        exact = pooling(x.bfloat16().float(), of_frames)
        with torch.autocast("cpu", torch.bfloat16):
            pooled = pooling(x.bfloat16(), of_frames)
        assert pooled.dtype == torch.float32
        # Sums of 500 values near ten in bfloat16 would be off by percents.
        assert (pooled - exact).abs().max() < (0.05 if name in ATTENTIVE else 1e-3)


@pytest.mark.parametrize("name", POOLINGS)
def test_embedding_pooling_trains(name):
    pooling = embedding_pooling(name).train()
    x = draw(4, CHANNELS, FRAMES).requires_grad_()
    pooling(x, frame_mask(torch.tensor([20, 11, 5, 1]), FRAMES)).square().sum().backward()
    assert x.grad.isfinite().all()
    for parameter in pooling.parameters():
        assert parameter.grad.isfinite().all()


def test_statistics_are_those_of_numpy():
    x = draw(3, CHANNELS, FRAMES).double()
    mean, variance = x.numpy().mean(2), x.numpy().var(2, ddof=1)
    expected = {
        "tap": mean,
        "max": x.numpy().max(2),
        "mean_max": mean + x.numpy().max(2),
        "tsp": np.concatenate([mean, variance], 1),
        "tstp": np.concatenate([mean, np.sqrt(variance + 1e-8)], 1),
        "stats": np.concatenate([mean, np.sqrt(variance)], 1),
        "tsdp": np.sqrt(variance + 1e-8),
    }
    assert expected.keys() | set(ATTENTIVE) == set(POOLINGS)
    for name, values in expected.items():
        np.testing.assert_allclose(embedding_pooling(name)(x), values, atol=1e-5)


@pytest.mark.parametrize(("name", "context"), CONTEXTS)
def test_attention_weights_sum_to_one_within_the_clip(name, context):
    pooling, x = embedding_pooling(name, global_context=context), draw(2, CHANNELS, FRAMES)
    weights = pooling.attend(x.transpose(1, 2), frame_mask(torch.tensor([FRAMES, 7]), FRAMES))
    assert weights.shape == (2, FRAMES, CHANNELS)
    assert (weights >= 0).all()
    assert not weights[1, 7:].any()
    close(weights.sum(dim=1), torch.ones(2, CHANNELS))


@pytest.mark.parametrize(("name", "context"), CONTEXTS)
def test_attention_that_sees_nothing_weighs_all_frames_alike(name, context):
    pooling, x = embedding_pooling(name, global_context=context), draw(2, CHANNELS, FRAMES)
    last = pooling.conv.conv if name == "asp" else pooling.linear2
    nn.init.zeros_(last.weight)
    mean, deviation = x.mean(2), x.std(2, correction=0)
    close(pooling(x), torch.cat([mean, deviation], 1))


@pytest.mark.parametrize(("name", "context"), CONTEXTS)
def test_context_is_the_whole_clips(name, context):
    """With a context, another clip around a frame changes its score; without one it does not."""
    pooling = embedding_pooling(name, global_context=context)
    x, other = draw(1, CHANNELS, FRAMES), draw(1, CHANNELS, FRAMES, seed=3)
    other[..., 0] = x[..., 0]
    scores = [pooling.score_frames(clip.transpose(1, 2), None)[:, 0] for clip in (x, other)]
    assert torch.allclose(*scores, atol=1e-6) != context


class All(nn.Module):
    """Every pooling of both registries in one graph."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.ModuleList([embedding_pooling(name) for name in POOLINGS])
        self.embedding.append(embedding_pooling("asp", global_context=False))
        self.embedding.append(embedding_pooling("astp", global_context=True))
        self.score = nn.ModuleList([score_pooling(name) for name in SCORE_POOLINGS])

    def forward(self, x, logits, embeddings, lengths):
        mask = frame_mask(lengths, x.shape[2])
        pooled = [part(x, of) for part in self.embedding for of in (None, mask)]
        return pooled + [part(logits, embeddings, mask).scores for part in self.score]


def test_every_pooling_exports_with_dynamic_time():
    model = All().eval()

    def inputs(clips, frames):
        lengths = torch.arange(frames, frames - clips, -1)
        return (
            draw(clips, CHANNELS, frames),
            draw(clips, frames, CLASSES, seed=1),
            draw(clips, frames, INPUTS, seed=2),
            lengths,
        )

    batch, time = torch.export.Dim("batch"), torch.export.Dim("time", min=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks about its own insides
        program = torch.onnx.export(
            model,
            inputs(2, FRAMES),
            dynamo=True,
            dynamic_shapes=({0: batch, 2: time}, *[{0: batch, 1: time}] * 2, {0: batch}),
            verbose=False,
        )
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    for clips, frames in ((1, 4), (3, 50)):
        given = inputs(clips, frames)
        with torch.no_grad():
            expected = model(*given)
        values = dict(zip(names, (value.numpy() for value in given), strict=True))
        for ours, theirs in zip(session.run(None, values), expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", SCORE_POOLINGS)
def test_score_pooling_lies_between_its_frames(name):
    pooling, logits = score_pooling(name), 4 * draw(2, FRAMES, CLASSES)
    scores, of_frames = pool_scores(pooling, logits)
    assert scores.shape == (2, CLASSES)
    assert SCORE_POOLINGS[name].source
    expected = logits if pooling.scores_are == "logits" else logits.sigmoid()
    close(of_frames, expected)
    assert (scores <= of_frames.amax(1) + 1e-6).all()
    assert (scores >= of_frames.amin(1) - 1e-6).all()


@pytest.mark.parametrize("name", SCORE_POOLINGS)
@pytest.mark.parametrize("level", [-60.0, -5.0, 0.0, 5.0, 60.0])
def test_score_pooling_of_equal_frames_is_theirs(name, level):
    scores, of_frames = pool_scores(score_pooling(name), torch.full((2, FRAMES, CLASSES), level))
    torch.testing.assert_close(scores, of_frames[:, 0], rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", SCORE_POOLINGS)
def test_score_pooling_knows_no_order_of_time(name):
    pooling = score_pooling(name)
    logits, embeddings = draw(2, FRAMES, CLASSES), draw(2, FRAMES, INPUTS, seed=1)
    order = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(2))
    close(
        pooling(logits[:, order], embeddings[:, order]).scores, pooling(logits, embeddings).scores
    )


@pytest.mark.parametrize("name", SCORE_POOLINGS)
def test_score_pooling_of_a_mask_is_that_of_the_shorter_clip(name):
    pooling = score_pooling(name)
    logits, embeddings = draw(2, FRAMES, CLASSES), draw(2, FRAMES, INPUTS, seed=1)
    logits[1, 7:] = 50.0
    mask = frame_mask(torch.tensor([FRAMES, 7]), FRAMES)
    scores, of_frames = pooling(logits, embeddings, mask)
    close(scores[0], pooling(logits[:1], embeddings[:1]).scores[0])
    close(scores[1], pooling(logits[1:, :7], embeddings[1:, :7]).scores[0])
    assert of_frames.shape == logits.shape


@pytest.mark.parametrize("name", SCORE_POOLINGS)
def test_score_pooling_trains_and_reduces_in_full_precision(name):
    pooling = score_pooling(name).train()
    logits = draw(2, 500, CLASSES).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        scores, of_frames = pool_scores(pooling, logits)
    assert scores.dtype == of_frames.dtype == torch.float32
    if pooling.scores_are == "probabilities":  # which no loss on probabilities takes beyond one
        assert ((scores >= 0) & (scores <= 1)).all()
    scores.sum().backward()
    assert logits.grad.isfinite().all()
    for parameter in pooling.parameters():
        assert parameter.grad.abs().sum() > 0


def test_score_poolings_are_their_formulas():
    logits, embeddings = draw(2, FRAMES, CLASSES), draw(2, FRAMES, INPUTS, seed=1)
    p = logits.sigmoid()
    over_time, over_classes = (score_pooling(name) for name in ("attention", "class_attention"))
    clamped = over_time.attention(embeddings).clamp(-10, 10).softmax(1)
    shares = over_classes.attention(embeddings).softmax(2).clamp(1e-7, 1)
    expected = {
        "max": logits.amax(1),
        "mean": p.mean(1),
        "linear_softmax": p.square().sum(1) / p.sum(1),
        "exp_softmax": (p * p.exp()).sum(1) / p.exp().sum(1),
        "auto": p.mean(1),  # before it learns
        "attention": (clamped * p).sum(1),
        "class_attention": (shares * p).sum(1) / shares.sum(1),
    }
    assert expected.keys() == set(SCORE_POOLINGS)
    for name, values in expected.items():
        close(score_pooling(name)(logits, embeddings).scores, values)


def test_auto_pool_goes_from_mean_to_maximum():
    logits = 2 * draw(2, FRAMES, CLASSES)
    p = logits.sigmoid()
    close(pool_scores(score_pooling("auto", alpha=0.0), logits).scores, p.mean(1))
    exponential = pool_scores(score_pooling("exp_softmax"), logits).scores
    close(pool_scores(score_pooling("auto", alpha=1.0), logits).scores, exponential)
    close(pool_scores(score_pooling("auto", alpha=1e4), logits).scores, p.amax(1), tolerance=1e-2)


def test_attention_cannot_drown_a_frame():
    """Scores are clamped to ten, as in PANNs: the least of two frames keeps exp(-20)."""
    pooling = score_pooling("attention")
    embeddings = torch.stack([torch.full((INPUTS,), v) for v in (-1e6, 1e6)])[None]
    nn.init.ones_(pooling.attention.weight)
    logits = torch.tensor([50.0, -200.0])[None, :, None].expand(1, 2, CLASSES)
    scores = pooling(logits, embeddings).scores
    torch.testing.assert_close(scores, torch.full((1, CLASSES), np.exp(-20.0)).float())


@pytest.mark.parametrize("multi_label", [True, False])
@pytest.mark.parametrize("name", SCORE_POOLINGS)
def test_losses_obey_what_scores_are(name, multi_label):
    """What averages probabilities must not go through another sigmoid or softmax."""
    pooling = score_pooling(name)
    targets = torch.eye(CLASSES)[[0, 1]]
    right = (20 * targets - 10)[:, None].expand(-1, FRAMES, -1)  # sure, and right, in every frame
    scores = pool_scores(pooling, right).scores
    loss = classification_loss(Output(scores, pooling.scores_are), targets, multi_label=multi_label)
    assert loss < 1e-3
    if pooling.scores_are == "probabilities":
        misread = classification_loss(Output(scores, "logits"), targets, multi_label=multi_label)
        assert misread > 0.3


def test_a_mask_always_leaves_a_frame():
    assert frame_mask(torch.tensor([-3, 0, 2, 9]), 4).tolist() == [
        [True, False, False, False],
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, True],
    ]


def test_batches_without_padding_need_no_mask():
    assert padding_mask(torch.tensor([4, 5]), 4) is None
    masked = padding_mask(torch.tensor([4, 3]), 4)
    assert torch.equal(masked, frame_mask(torch.tensor([4, 3]), 4))


def test_unknown_names_and_options_say_so():
    config = MODELS["tdnn_tiny"].family.Config
    with pytest.raises(UnknownName, match="unknown pooling 'stat'; did you mean 'stats'"):
        config(pooling="stat")
    with pytest.raises(ConfigError, match=r"'--model\.pooling_options\.attention_channels'"):
        config(pooling="sap", pooling_options={"attention_chanels": 4})
    with pytest.raises(ConfigError, match=r"pooling_options\.attention_channels"):
        config(pooling="sap", pooling_options={"attention_channels": 0})
    with pytest.raises(ConfigError, match="attention_channels"):
        config(pooling="tap", pooling_options={"attention_channels": 4})
    with pytest.raises(UnknownName, match="did you mean 'linear_softmax'"):
        build_score_pooling("linear_softmx", inputs=2, classes=2)
    kept = config(pooling="asp", pooling_options={"global_context": "false"})
    assert kept.model_dump()["pooling_options"] == {"global_context": False}
