"""Schedules, averaging and losses."""

import math

import pytest
import torch
from torch import nn

from auricle.tensors import Output
from auricle.training.config import Intervals, TrainConfig, intervals_of, steps_of
from auricle.training.losses import classification_loss, smooth
from auricle.training.optim import Ema, learning_rate_at, make_optimizer


def rates(config: TrainConfig, total: int = 100, per_epoch: int = 10) -> list[float]:
    return [
        learning_rate_at(step, total_steps=total, steps_per_epoch=per_epoch, config=config)
        for step in range(total)
    ]


def test_cosine_rises_then_falls_to_its_end():
    values = rates(TrainConfig(warmup_epochs=1, learning_rate=1.0))
    peak = values.index(max(values))
    assert 9 <= peak <= 10
    assert values[:peak] == sorted(values[:peak])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] < 0.01
    assert values[peak + (100 - peak) // 2] == pytest.approx(0.5, abs=0.02)


def test_steps_fall_by_their_factor():
    config = TrainConfig(schedule="step", warmup_epochs=0, step_epochs=3, step_factor=0.1)
    values = rates(config)
    assert values[29] / values[30] == pytest.approx(10)
    assert values[0] == values[29] == config.learning_rate


def test_constant_stays():
    config = TrainConfig(schedule="constant", warmup_epochs=0, learning_rate=3e-3)
    assert set(rates(config)) == {3e-3}


def test_a_short_run_keeps_its_warm_up_short():
    values = rates(TrainConfig(warmup_epochs=50, learning_rate=1.0))
    assert max(values) > 0.9


@pytest.mark.parametrize(("text", "steps"), [("10e", 70), ("500s", 500), ("1e", 7)])
def test_intervals(text, steps):
    assert steps_of(text, 7) == steps


@pytest.mark.parametrize(
    ("per_epoch", "expected"), [(7, Intervals(70, 7, 70)), (20_000, Intervals(500, 100, 500))]
)
def test_a_run_on_data_of_any_size_saves_and_looks_in_time(per_epoch, expected):
    assert intervals_of(TrainConfig(), per_epoch) == expected


def test_an_interval_that_is_given_is_kept():
    config = TrainConfig(save_every="10e", log_every="2000s", eval_every="1e")
    assert intervals_of(config, 20_000) == Intervals(200_000, 2000, 20_000)


@pytest.mark.parametrize("text", ["10", "e", "-1e", "0s", "1.5e", "ten"])
def test_a_wrong_interval_is_refused(text):
    with pytest.raises(ValueError, match="10e"):
        TrainConfig(save_every=text)


def test_norms_and_biases_are_not_decayed():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    groups = make_optimizer(net, TrainConfig()).param_groups
    assert {p.ndim for p in groups[0]["params"]} == {2, 4}
    assert {p.ndim for p in groups[1]["params"]} == {1}
    assert groups[1]["weight_decay"] == 0


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_every_optimiser_lowers_a_loss(name):
    torch.manual_seed(0)
    net = nn.Linear(4, 2)
    optimizer = make_optimizer(net, TrainConfig(optimizer=name, learning_rate=0.05))
    x, y = torch.randn(32, 4), torch.randint(0, 2, (32,))
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_the_average_is_the_recursion_written_out():
    net = nn.BatchNorm1d(2)
    ema = Ema(net, decay=0.9)
    expected = net.weight.detach().clone()
    for update in range(1, 30):
        with torch.no_grad():
            net.weight += 0.1
            net.num_batches_tracked += 1
        ema.update(net)
        decay = min(0.9, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * net.weight.detach()
    torch.testing.assert_close(ema.weights["weight"], expected)
    assert ema.weights["num_batches_tracked"] == net.num_batches_tracked


def test_the_probability_form_is_the_logit_form():
    torch.manual_seed(0)
    logits = torch.randn(6, 4)
    targets = torch.eye(4)[[0, 1, 2, 3, 0, 1]]
    for smoothing in (0.0, 0.1):
        ours = classification_loss(
            Output(logits.sigmoid(), "probabilities"),
            targets,
            multi_label=True,
            label_smoothing=smoothing,
        )
        theirs = classification_loss(
            Output(logits), targets, multi_label=True, label_smoothing=smoothing
        )
        torch.testing.assert_close(ours, theirs)


def test_probabilities_of_one_label_are_pushed_both_ways():
    targets = torch.eye(3)[[0]]

    def loss(*probabilities: float) -> float:
        scores = Output(torch.tensor([probabilities]), "probabilities")
        return float(classification_loss(scores, targets, multi_label=False))

    assert loss(0.9, 0.1, 0.1) < loss(0.9, 0.9, 0.1) < loss(0.1, 0.9, 0.1)


def test_smoothing_is_torchs_own():
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    ours = classification_loss(
        Output(logits), torch.eye(3)[labels], multi_label=False, label_smoothing=0.2
    )
    torch.testing.assert_close(
        ours, nn.functional.cross_entropy(logits, labels, label_smoothing=0.2)
    )


def test_smoothed_targets_of_one_label_still_sum_to_one():
    assert math.isclose(float(smooth(torch.eye(5), 0.3, multi_label=False).sum()), 5, rel_tol=1e-6)


def test_a_network_without_a_head_cannot_be_trained():
    with pytest.raises(ValueError, match="classes=0"):
        classification_loss(Output(None), torch.eye(2), multi_label=False)
