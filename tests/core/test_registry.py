"""Registries, units and names."""

import pytest

from auricle.core.errors import UnknownName, nearest
from auricle.core.registry import Registry
from auricle.core.reporting import one_line
from auricle.core.units import db_to_amplitude, format_duration, seconds_to_samples


def test_an_unknown_name_names_the_nearest():
    registry: Registry[int] = Registry("model", __name__, ())
    registry.add("cnn10", 1)
    registry.add("cnn14", 2)
    assert list(registry) == ["cnn10", "cnn14"]
    with pytest.raises(UnknownName, match="did you mean 'cnn10'"):
        registry["cn10"]
    with pytest.raises(UnknownName, match="known: cnn10, cnn14"):
        registry["zzz"]


def test_a_name_is_taken_once():
    registry: Registry[int] = Registry("model", __name__, ())
    registry.add("a", 1)
    with pytest.raises(ValueError, match="twice"):
        registry.add("a", 2)


def test_equal_durations_have_equal_counts():
    assert {seconds_to_samples(0.5 + k, 11025) - 11025 * k for k in range(20)} == {5513}


def test_six_db_are_a_factor_of_two():
    assert db_to_amplitude(6.0206) == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.50 s"), (5, "5.0 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_are_for_people(seconds, text):
    assert format_duration(seconds) == text


def test_a_name_may_be_anything_that_a_file_holds():
    registry: Registry[int] = Registry("model", __name__, ())
    registry.add("cnn10", 1)
    for name in (None, 3, ["cnn10"]):
        with pytest.raises(UnknownName, match="unknown model"):
            registry[name]  # type: ignore[index]


def test_of_names_equally_near_the_one_of_the_same_letters_is_meant():
    assert nearest("lable", ["table", "label"]) == "label"
    assert nearest("lable", ["table", "lapel"]) == "table"
    assert nearest("xyz", ["table", "label"]) is None


def test_a_message_stays_on_one_line_and_keeps_its_letters():
    assert one_line("a\nb\tc \x1b[31m \udcff") == r"a\nb\tc \x1b[31m \udcff"
    assert one_line("ä 音 👩‍🚀 [b] \\") == "ä 音 👩‍🚀 [b] \\"
