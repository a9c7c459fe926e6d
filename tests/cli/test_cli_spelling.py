"""What is misspelt is named with the nearest right spelling, wherever it stands."""

import pytest


@pytest.fixture
def resolves(refused, tone_folder, monkeypatch, tmp_path):
    """Give a key and value as a flag, in YAML or as a variable; return the message."""

    def give(how: str, key: str, value: str) -> str:
        if how == "flag":
            return refused("train", tone_folder, f"--{key}", value)
        if how == "variable":
            monkeypatch.setenv(f"AURICLE_{key.upper().replace('.', '__')}", value)
            return refused("train", tone_folder)
        *sections, last = key.split(".")
        lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(sections)]
        lines.append(f"{'  ' * len(sections)}{last}: {value}")
        file = tmp_path / "config.yaml"
        file.write_text("\n".join(lines))
        return refused("train", tone_folder, "--config", file)

    return give


@pytest.mark.parametrize("how", ["flag", "yaml", "variable"])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("train.lerning_rate", "--train.learning_rate"),
        ("train.epoch", "--train.epochs"),
        ("data.lable", "--data.label"),
        ("model.widht", "--model.widths"),
        ("frontend.nmels", "--frontend.n_mels"),
        ("augment.spec_augment.probabilty", "--augment.spec_augment.probability"),
        ("augment.spec_agment.probability", "--augment.spec_augment"),
    ],
)
def test_a_misspelt_key_names_the_nearest_with_its_path(resolves, how, wrong, right):
    message = resolves(how, wrong, "1")
    assert f"'{wrong.rsplit('.', wrong.count('.') - 1)[0]}" in message
    assert f"did you mean '{right}'?" in message


@pytest.mark.parametrize("how", ["flag", "yaml", "variable"])
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model.name", "small_resnt", "unknown model small_resnt; did you mean small_resnet?"),
        ("frontend.name", "logmle_8k", "did you mean logmel_8k?"),
        ("augment.preset", "standrd", "did you mean standard?"),
        ("train.epochs", "ten", "train.epochs = ten"),
        ("train.learning_rate", "-1", "train.learning_rate = -1"),
        ("train.learning_rate", "nan", "train.learning_rate = nan"),
        ("train.save_every", "10", "write an interval as 10e (epochs) or 500s (steps)"),
        ("train.device", "cdua", "train.device = cdua"),
        ("model.widths", "wide", "model.widths = wide"),
        ("model.name", "3", "unknown model 3"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(resolves, how, key, value, words):
    # A flag is text and a value in YAML may be a number: the quotes differ.
    assert words in resolves(how, key, value).replace("'", "")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("--modle", "--model"),
        ("--epoch", "--epochs"),
        ("--learning-rate", "--train.learning_rate"),
        ("--lerning_rate=3", "--train.learning_rate"),
        ("--batch-size", "--train.batch_size"),
        ("--lable", "--data.label"),
        ("--tran.epochs", "--train.epochs"),
        ("--forse", "--force"),
    ],
)
@pytest.mark.parametrize("command", ["train", "crossval"])
def test_a_misspelt_option_names_the_nearest(refused, tone_folder, command, wrong, right):
    message = refused(command, tone_folder, wrong, "1")
    assert f"unknown option '{wrong.partition('=')[0]}'; did you mean '{right}'?" in message


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["trian", "data"], "unknown command 'trian'; did you mean 'train'?"),
        (["data", "chek", "x"], "unknown command 'data chek'; did you mean 'data check'?"),
        (["xyzzy"], "unknown command 'xyzzy'; known: config, crossval"),
        (["--versoin"], "unknown option '--versoin'; did you mean '--version'?"),
        (["models", "small_resnt"], "did you mean 'small_resnet'?"),
        (["models", "cnn6", "--clases", "3"], "did you mean '--classes'?"),
        (["models", "cnn6", "--classes", "-1"], "--classes must be at least 1"),
        (["predict", "--top-k", "1"], "MODEL"),
        (["train"], "DATA"),
        (["train", "data", "--train", "3"], "'--train' is a section"),
        (["predict", "m", "f", "--train.epochs", "3"], "takes no --train.epochs"),
        (["evaluate", "m", "d", "--dta.label", "x"], "did you mean '--data.label'?"),
        (["config", "--train.epochs"], "'train.epochs' = True: give it a number"),
        (["config", "--model.name"], "unknown model 'True'"),
        (["config", "--epochs", "3", "--train.epochs", "4"], "disagree"),
        (["config", "--epochs"], "--epochs"),
        (["config", "--config", "nowhere.yaml"], "config file not found: nowhere.yaml"),
    ],
)
def test_words_that_make_no_command(refused, words, answer):
    assert answer in refused(*words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: [1,", "is not valid YAML"),
        ("- 1", "must hold keys and values"),
        ("3: 4", "keys should be strings"),
        ("model: 3", "'model' = 3: must hold keys and values"),
        ("model: [small_resnet]", "'model' = ['small_resnet']: must hold keys and values"),
        ("modle: {name: cnn6}", "unknown key 'modle'; did you mean '--model'?"),
    ],
)
def test_a_file_that_is_no_configuration(refused, tmp_path, text, words):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    assert words in refused("config", "--config", file)


def test_other_files_that_are_no_configuration(refused, tmp_path, monkeypatch):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    assert "cannot be read" in refused("config", "--config", tmp_path / "binary.yaml")
    assert "Is a directory" in refused("config", "--config", tmp_path)
    monkeypatch.setenv("AURICLE_TRIAN__EPOCHS", "3")
    assert "AURICLE_TRIAN__EPOCHS: unknown section 'trian'" in refused("config")


def test_every_mistake_is_reported_at_once(refused):
    message = refused("config", "--train.epoch", 3, "--data.lable", "x", "--train.seed", -1)
    for right in ("--train.epochs", "--data.label", "'train.seed'"):
        assert right in message


def test_mistakes_are_found_before_any_sound_is_read(refused, tone_folder, tmp_path):
    output = tmp_path / "run"
    message = refused("train", tone_folder, "--model.widht", 3, "--output", output)
    assert "--model.widths" in message
    assert not output.exists()
