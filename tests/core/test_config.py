"""Configuration: one tree out of file, environment and flags; mistakes named with their path."""

import pytest
from pydantic import Field, model_validator

from auricle.core.config import Config, dotted_keys, nest, resolve, to_yaml, validate
from auricle.core.errors import ConfigError


class Train(Config):
    learning_rate: float = Field(1e-3, gt=0)
    epochs: int = 10


class Run(Config):
    train: Train = Train()
    name: str = "run"


def test_flags_win_over_environment_and_environment_over_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("train: {learning_rate: 1e-2, epochs: 3}\nname: from file\n")
    environment = {"AURICLE_TRAIN__EPOCHS": "4", "AURICLE_DATA": "/somewhere"}
    run = resolve(Run, file=file, environment=environment, flags={"train.learning_rate": "5e-4"})
    assert run == Run(train=Train(learning_rate=5e-4, epochs=4), name="from file")


def test_a_resolved_config_reads_back(tmp_path):
    run = Run(train=Train(learning_rate=1e-5, epochs=7), name="ä: b")
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(run), encoding="utf-8")
    assert resolve(Run, file=file, environment={}) == run


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"train.lerning_rate": 1}, "did you mean '--train.learning_rate'"),
        ({"train.learning-rate": 1}, "did you mean '--train.learning_rate'"),
        ({"learning_rate": 1}, "did you mean '--train.learning_rate'"),
        ({"train.epochs": "ten"}, "'train.epochs' = 'ten'"),
        ({"train.learning_rate": 0}, "greater than 0"),
        ({"train.learning_rate": "nan"}, "train.learning_rate"),
        ({"train": 3}, "'train' = 3"),
        ({"train.epochs.x": 3}, "train.epochs"),
        ({"train.epochs": True}, "'train.epochs' = True: give it a number"),
    ],
)
def test_a_mistake_names_its_dotted_path(flags, message):
    with pytest.raises(ConfigError, match=message):
        resolve(Run, flags=flags, environment={})


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        resolve(Run, flags={"train.epoch": 1, "nam": "x"}, environment={})
    assert "--train.epochs" in str(caught.value)
    assert "--name" in str(caught.value)


def test_an_unknown_section_in_the_environment_is_an_error():
    with pytest.raises(ConfigError, match="did you mean section 'train'"):
        resolve(Run, environment={"AURICLE_TRIAN__EPOCHS": "3"})


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "not valid YAML"), ("- 1\n- 2\n", "keys and values"), ("x: 1\n", "unknown key 'x'")],
)
def test_a_broken_file_is_one_clear_line(tmp_path, text, message):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        resolve(Run, file=file, environment={})
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        resolve(Run, file=tmp_path / "nowhere.yaml", environment={})


def test_a_value_and_a_section_cannot_share_a_name():
    with pytest.raises(ConfigError, match="cannot both"):
        nest({"train": 1, "train.epochs": 2})


def test_dotted_keys_are_all_leaves():
    assert dotted_keys(Run) == ["train.learning_rate", "train.epochs", "name"]


def test_a_section_with_nothing_in_it_means_its_defaults(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("train:\n  # epochs: 3\n")
    assert resolve(Run, file=file, environment={}) == Run()


def test_a_rule_about_several_keys_is_told_without_the_whole_section():
    class Window(Config):
        length: int
        hop: int

        @model_validator(mode="after")
        def _no_gap(self) -> "Window":
            if self.hop > self.length:
                raise ValueError(f"hop ({self.hop}) must not exceed length ({self.length})")
            return self

    with pytest.raises(ConfigError) as caught:
        validate(Window, {"length": 1, "hop": 2}, "window")
    assert str(caught.value) == "'window': hop (2) must not exceed length (1)"
    with pytest.raises(ConfigError, match="'hop' is missing"):
        validate(Window, {"length": 1})
