"""A front-end that learns is trained, averaged, saved, resumed and exported with the network."""

import importlib
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import auricle
from auricle.artifact.folder import load_classifier
from auricle.artifact.parts import build_frontend
from auricle.encoders import TINY
from auricle.training import loop
from auricle.training.optim import Ema, make_optimizer

RUN = {"epochs": 2, "frontend__name": "wav2vec2_tiny", "train__learning_rate": 1e-3}


class Killed(Exception):
    pass


def weights(run):
    return load_file(str(run / "model.safetensors"))


@pytest.fixture
def checkpoint(tmp_path):
    """A folder as `save_pretrained` leaves it, with a tiny Wav2Vec 2.0 under a head of its own."""
    transformers = importlib.import_module("transformers")
    described = TINY["wav2vec2_tiny"].model_dump(exclude={"model_type"})
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**described))
    folder = tmp_path / "checkpoint"
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    extractor.save_pretrained(folder)
    return folder, {key: value.clone() for key, value in model.wav2vec2.state_dict().items()}


def test_a_fine_tuned_run_that_was_killed_ends_with_the_same_bits(
    train_tones, tmp_path, monkeypatch
):
    whole = train_tones(tmp_path / "whole", **RUN)
    trained = loop._train_step

    def die_in_the_second_epoch(job, position, *rest):
        if position.step == 4:
            raise Killed
        trained(job, position, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_train_step", die_in_the_second_epoch)
        with pytest.raises(Killed):
            train_tones(tmp_path / "killed", **RUN)
    again = train_tones(tmp_path / "killed", resume=True, **RUN)
    ours, theirs = weights(whole.folder), weights(again.folder)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_a_fine_tuned_encoder_is_in_the_artifact(train_tones, tmp_path):
    run = train_tones(tmp_path / "run", **RUN)
    classifier, config = load_classifier(run.folder)
    torch.manual_seed(config.training["config"]["train"]["seed"])
    untrained = build_frontend(config.frontend).state_dict()
    learned = classifier.frontend.state_dict()
    assert learned.keys() == untrained.keys()
    still = {key for key, value in untrained.items() if torch.equal(value, learned[key])}
    assert still == set()
    assert {f"frontend.{key}" for key in learned} <= weights(run.folder).keys()


def test_a_frozen_encoder_keeps_its_published_weights(
    train_tones, tone_folder, checkpoint, tmp_path
):
    """Once trained, the run needs the checkpoint no more: to resume, to load, to export."""
    folder, published = checkpoint
    frozen = {
        **RUN,
        "frontend__name": "wav2vec2_base",
        "frontend__checkpoint": str(folder),
        "frontend__layers": "mix",
    }
    run = train_tones(tmp_path / "run", **frozen)
    shutil.rmtree(folder)
    saved = weights(run.folder)
    for key, value in published.items():
        if key != "masked_spec_embed":
            assert torch.equal(saved[f"frontend.encoder.{key}"], value), key
    assert saved["frontend.layer_weights"].abs().max() > 0
    shutil.rmtree(run.folder / "checkpoints" / "best")
    config = run.folder / "config.yaml"
    again = auricle.train(tone_folder, config=config, output=run.folder, resume=True)
    assert torch.equal(weights(again.folder)["model.head.bias"], saved["model.head.bias"])

    loaded = auricle.load(run.folder)
    path = auricle.export(run.folder, tmp_path / "run.onnx")
    sound = np.sin(np.arange(12000) / 9).astype(np.float32) / 3
    ours = loaded.predict(sound, sample_rate=16000)
    theirs = auricle.load(path).predict(sound, sample_rate=16000)
    assert ours.labels == theirs.labels
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)


def test_what_is_frozen_is_neither_optimised_nor_averaged(train_options):
    from auricle.artifact.classifier import build_classifier
    from auricle.training.config import TrainConfig

    frontend = {"name": "hubert_tiny", "frozen": True}
    classifier = build_classifier(frontend, {"name": "small_resnet_tiny"}, 2)
    optimizer = make_optimizer(classifier, TrainConfig())
    optimised = {id(p) for group in optimizer.param_groups for p in group["params"]}
    encoder = {id(p) for p in classifier.frontend.encoder.parameters()}
    assert not optimised & encoder
    assert id(classifier.frontend.layer_weights) in optimised
    ema = Ema(classifier, 0.9)
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.add_(1.0)
    ema.update(classifier)
    assert torch.equal(
        ema.weights["frontend.encoder.encoder.layer_norm.bias"],
        classifier.state_dict()["frontend.encoder.encoder.layer_norm.bias"] - 1.0,
    )
    assert not torch.equal(ema.weights["frontend.layer_weights"], torch.zeros(3))
