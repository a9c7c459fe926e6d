"""Registries, units and names."""

import pytest

from auricle.core.errors import UnknownName
from auricle.core.registry import Registry
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
