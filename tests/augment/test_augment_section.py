"""The `augment` section: presets, overrides, order, messages, help."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from auricle.augment import AUGMENTATIONS
from auricle.augment.presets import DEFAULT_PRESET, PRESETS
from auricle.augment.section import augmentation_keys, build_augmenter, resolved_section
from auricle.core.config import merge, nest, parse_value
from auricle.core.errors import ConfigError, UnknownName
from auricle.tensors import Batch


def names(section: dict[str, Any]) -> list[str]:
    by_class = {AUGMENTATIONS[name]: name for name in AUGMENTATIONS}
    return [by_class[type(part)] for part in build_augmenter(section).parts]


def test_nothing_here_imports_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import auricle.augment, auricle.augment.presets, auricle.augment.section"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_builds_and_reads_back(preset: str) -> None:
    resolved = resolved_section({"preset": preset})
    assert resolved_section(resolved) == resolved
    assert names(resolved) == names({"preset": preset})
    assert set(names({"preset": preset})) == set(PRESETS[preset])


def test_the_default_preset_is_used_and_null_is_none() -> None:
    assert resolved_section({}) == resolved_section({"preset": DEFAULT_PRESET})
    assert resolved_section({"preset": None}) == {"preset": "none"}
    assert resolved_section({"preset": False}) == {"preset": "none"}


def test_overrides_go_on_top_of_the_preset() -> None:
    section = {
        "preset": "standard",
        "gain": {"max_db": 3.0},
        "spec_augment": False,
        "time_shift": None,
        "polarity": True,
    }
    resolved = resolved_section(section)
    assert resolved["gain"] == {**PRESETS["standard"]["gain"], "max_db": 3.0}
    assert "spec_augment" not in resolved
    assert "time_shift" not in resolved
    assert resolved["polarity"] == {"probability": 0.5}


def test_true_keeps_the_options_of_the_preset() -> None:
    assert resolved_section({"preset": "speech", "noise": True}) == resolved_section(
        {"preset": "speech"}
    )


def test_flags_read_as_yaml_make_a_section() -> None:
    flags = {"preset": "none", "gain": "false", "mixup.alpha": "1e-1", "speed.factors": "[0.5, 2]"}
    section = merge({}, nest({key: parse_value(text) for key, text in flags.items()}))
    resolved = resolved_section(section)
    assert list(resolved) == ["preset", "speed", "mixup"]
    assert resolved["mixup"]["alpha"] == 0.1
    assert resolved["speed"]["factors"] == [0.5, 2.0]


def test_the_order_is_that_of_the_ranks(everything: dict[str, Any]) -> None:
    expected = [
        "random_crop", "speed", "pitch", "time_stretch", "time_shift", "polarity", "reverb", "gain",
        "noise", "background_noise", "wave_mixup", "between_class", "band_limit", "quantise",
        "codec", "frame_shift", "random_resized", "time_warp", "freq_shift", "filter_augment",
        "freq_mixstyle", "cutmix", "mixup", "spec_augment",
    ]  # fmt: skip
    assert names(dict(reversed(everything.items()))) == expected


def test_the_sides_of_the_front_end_are_apart(make_batch: Callable[..., Batch]) -> None:
    augmenter = build_augmenter({"preset": "none", "polarity": {"probability": 1.0}, "mixup": True})
    batch = make_batch()
    turned = augmenter.waveform(batch, torch.Generator().manual_seed(0))
    assert torch.equal(turned.waveforms, -batch.waveforms)
    assert turned.features is batch.features
    mixed = augmenter.features(batch, torch.Generator().manual_seed(0))
    assert mixed.waveforms is batch.waveforms
    assert mixed.features is not batch.features


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (
            {"mixup": {"alfa": 0.3}},
            "unknown key 'augment.mixup.alfa'; did you mean '--augment.mixup.alpha'?",
        ),
        ({"mixupp": {}}, "unknown key 'augment.mixupp'; did you mean '--augment.mixup'?"),
        ({"mixupp": True}, "unknown key 'augment.mixupp'; did you mean '--augment.mixup'?"),
        ({"presett": "speech"}, "did you mean '--augment.preset'?"),
        ({"alpha": 0.3}, "unknown key 'augment.alpha'; did you mean '--augment.mixup.alpha'?"),
        ({"gain": 3}, "'augment.gain' must be true, false or a mapping of options, got 3"),
        ({"gain": {"min_db": 11.0}}, "must not be above max_db"),
        ({"gain": {"probability": 1.5}}, "'augment.gain.probability' = 1.5"),
        ({"speed": {"factors": [9.0]}}, "'augment.speed.factors.0' = 9.0"),
        ({"speed": {"factors": []}}, "'augment.speed.factors'"),
        ({"speed": {"factors": 0.9}}, "'augment.speed.factors' = 0.9: must be a list, as [a, b]"),
        ({"noise": {"min_snr_db": -1000}}, "'augment.noise.min_snr_db' = -1000"),
        ({"gain": {"max_db": 2000}}, "'augment.gain.max_db' = 2000"),
        ({"reverb": {"folder": ""}}, "'augment.reverb.folder' = ''"),
        ({"noise": {"min_snr_db": 90.0}}, "must not be above max_snr_db"),
        ({"random_resized": {"min_freq_factor": 2.0}}, "must not be above"),
        ({"filter_augment": {"min_bands": 9}}, "must not be above max_bands"),
        ({"background_noise": True}, "--augment.background_noise.folder FOLDER"),
        ({"background_noise": {"folder": "nowhere"}}, "background_noise.folder must name a folder"),
        ({"reverb": {"folder": "nowhere"}}, "--augment.reverb.folder must name a folder"),
        ({"reverb": {"min_rt60_s": 2.0}}, "must not be above max_rt60_s"),
        ({"band_limit": {"max_highpass_hz": 5000.0}}, "no band would be left"),
        ({"codec": {"codecs": ["mp4"]}}, "'augment.codec.codecs.0' = 'mp4'"),
        ({"pitch": {"semitones": [30]}}, "'augment.pitch.semitones.0' = 30"),
        ({"quantise": {"min_bits": 12}}, "must not be above max_bits"),
    ],
)
def test_mistakes_are_named_with_their_path(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_augmenter(section)
    assert words in str(caught.value)


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        resolved_section({"mixup": {"alfa": 1}, "noise": {"colour": "blue"}, "gian": {}})
    for key in ("augment.mixup.alfa", "augment.noise.colour", "augment.gian"):
        assert f"'{key}'" in str(caught.value)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"augment\.preset.*'standrd'.*'standard'"):
        build_augmenter({"preset": "standrd"})
    with pytest.raises(UnknownName):
        build_augmenter({"preset": ["standard"]})


def test_help_lists_every_option_with_its_default(everything: dict[str, Any]) -> None:
    listed = augmentation_keys()
    assert [part.name for part in listed] == names(everything)
    spelled = resolved_section(everything)
    spelled["background_noise"]["folder"] = None
    for part in listed:
        assert part.domain in {"waveform", "features"}
        assert part.summary.endswith((".", ":"))
        defaults = {
            option.key.removeprefix(f"augment.{part.name}."): option.default
            for option in part.options
        }
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in defaults.items()}
        assert plain == spelled[part.name]


def test_a_filter_goes_by_the_unit_of_the_front_end() -> None:
    section = {"preset": "none", "filter_augment": True, "spec_augment": True}
    (part, _) = build_augmenter(section, db_per_unit=4.343).parts
    assert part.config.db_per_unit == 4.343
    without = build_augmenter(section, db_per_unit=None)
    assert without.left_out == ("filter_augment",)
    assert [type(part).__name__ for part in without.parts] == ["SpecAugment"]
    told = {"preset": "none", "filter_augment": {"db_per_unit": 2.0}}
    assert build_augmenter(told, db_per_unit=None).parts[0].config.db_per_unit == 2.0
