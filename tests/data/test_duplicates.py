"""Near duplicates by landmarks, and the correlation that confirms them."""

import numpy as np
import pytest

from auricle.data import duplicates
from auricle.data.duplicates import correlation, near_duplicates, required_correlation
from auricle.data.fingerprint import RATE_HZ, fingerprint


def rain(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Noise with a level that wanders."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    knots = np.linspace(0, count, round(20 * seconds))
    level = np.interp(np.arange(count), knots, rng.random(len(knots)))
    return (0.2 * level * rng.standard_normal(count)).astype(np.float32)


def find(sounds: list[np.ndarray]) -> dict[tuple[int, int], duplicates.Match]:
    marks = [fingerprint(sound, RATE_HZ) for sound in sounds]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in marks])])
    found = list(near_duplicates(np.concatenate(marks), starts))
    assert len({(one.first, one.second) for one in found}) == len(found)
    return {(one.first, one.second): one for one in found}


def with_noise(sound: np.ndarray, snr_db: float) -> np.ndarray:
    noise = np.random.default_rng(99).standard_normal(len(sound)).astype(np.float32)
    return sound + noise * np.float32(np.sqrt(np.mean(sound**2) / 10 ** (snr_db / 10)))


CHANGES = {
    "gain": lambda sound: 0.5 * sound,
    "polarity": lambda sound: -sound,
    "delay": lambda sound: np.concatenate([np.zeros(4800, np.float32), sound])[: len(sound)],
    "delay by part of a hop": lambda sound: np.concatenate([np.zeros(4901, np.float32), sound]),
    "cut": lambda sound: sound[7000:],
    "noise": lambda sound: with_noise(sound, 20),
    "8 bit": lambda sound: np.round(sound * 127) / 127,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_others_at_its_lag(change: str):
    sounds = [rain(seed) for seed in range(12)]
    copy = CHANGES[change](sounds[5]).astype(np.float32)
    found = find([*sounds, copy])
    assert set(found) == {(5, 12)}
    lag_s = {"delay": -4800 / RATE_HZ, "cut": 7000 / RATE_HZ}.get(change, 0.0)
    if change == "delay by part of a hop":
        lag_s = -4901 / RATE_HZ
    assert found[5, 12].lag_s == pytest.approx(lag_s, abs=0.006)
    assert found[5, 12].share > 0.4


def test_nothing_is_found_where_nothing_is():
    assert not find([rain(seed) for seed in range(40)])
    assert not list(near_duplicates(np.empty(0, np.uint32), [0]))
    assert not list(near_duplicates(np.empty(0, np.uint32), [0, 0, 0]))


def test_a_sound_that_repeats_itself_is_no_duplicate_of_itself():
    loop = np.tile(rain(1, 1.0), 4)
    assert not find([loop, rain(2)])


def test_sounds_that_overlap_in_part_are_found():
    long = rain(3, 8.0)
    found = find([long[: 5 * RATE_HZ], long[3 * RATE_HZ :]])
    assert found[0, 1].lag_s == pytest.approx(3.0, abs=0.006)


def test_a_short_sound_is_found_in_a_longer_one():
    short = rain(4, 1.2)  # its peaks are chosen more densely than those of longer sounds
    silence = np.zeros(RATE_HZ, np.float32)
    assert set(find([short, rain(5), np.concatenate([silence, short, silence])])) == {(0, 2)}


def test_parts_of_the_index_give_what_the_whole_gives(monkeypatch):
    sounds = [rain(seed) for seed in range(8)]
    sounds += [with_noise(sound, 20) for sound in sounds]
    whole = find(sounds)
    assert set(whole) == {(at, at + 8) for at in range(8)}
    monkeypatch.setattr(duplicates, "_MOST_IN_MEMORY", 700)
    monkeypatch.setattr(duplicates, "_BLOCK", 100)
    assert find(sounds) == whole
    monkeypatch.setattr(duplicates, "_MANY_LANDMARKS", 0)  # and so do hashes of four peaks
    assert find(sounds) == whole


def test_a_hash_that_everybody_has_costs_no_square():
    marks = fingerprint(rain(0), RATE_HZ)
    copies = 200
    starts = np.arange(copies + 1) * len(marks)
    scheme = duplicates._FEW_SOUNDS
    pairs, _ = duplicates._hits(np.tile(marks, copies), starts, scheme, 0, 1)
    hashes = copies * len(duplicates._hashes(marks, starts[:2], scheme, 0)[0])
    assert len(pairs) <= duplicates._REACH * hashes
    # ... and yet all copies hang together.
    chain = find([rain(0)] * 30)
    assert {at for pair in chain for at in pair} == set(range(30))


def test_correlation_is_that_of_what_both_cover():
    sound = rain(1)
    assert correlation(sound, 0.3 * sound, 0, 100) == pytest.approx(1, abs=1e-5)
    assert correlation(sound, -sound, 0, 100) == pytest.approx(1, abs=1e-5)
    assert correlation(sound, sound[5000:], 5000, 20) == pytest.approx(1, abs=1e-5)
    assert correlation(sound, sound[5000:], 4900, 20) < 0.1
    assert correlation(sound, rain(2), 0, 200) < 0.1
    noisy = correlation(sound, with_noise(sound, 10), 0, 10)
    assert noisy == pytest.approx((1 / 1.1) ** 0.5, abs=0.01)


def test_correlation_where_nothing_can_be_compared():
    sound = rain(1)
    assert correlation(sound, sound, len(sound) + 500, 10) == 0
    assert correlation(sound, np.zeros_like(sound), 0, 10) == 0


def test_half_a_sample_apart_is_not_apart():
    twice = np.fft.rfft(rain(1, 2.0))
    twice[len(twice) * 4 // 10 :] = 0  # band-limited below the half rate
    fine = np.fft.irfft(twice).astype(np.float32)
    assert correlation(fine[::2], fine[1::2], 0, 4) > 0.97


def test_poor_sounds_must_correlate_more():
    at = np.arange(3 * RATE_HZ) / RATE_HZ
    hum = np.sin(2 * np.pi * 100 * at).astype(np.float32)
    click = np.zeros(3 * RATE_HZ, np.float32)
    click[1000:1010] = 1
    assert required_correlation(rain(1), rain(2)) == 0.5
    assert required_correlation(hum, rain(1)) == 0.95
    assert required_correlation(click, click) == 0.95
