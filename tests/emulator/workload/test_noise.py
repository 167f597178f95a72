"""Noise depends on seed, name and day, and not on the range of the query."""

import numpy as np
import pytest

from emulator.workload.noise import DAY, Noise

KINDS = {
    "white": lambda noise, start, stop: noise.white("a", start, stop),
    "wander": lambda noise, start, stop: noise.wander("a", start, stop, 2),
    "bursts": lambda noise, start, stop: noise.bursts("a", start, stop, per_day=3, longest=4, highest=1.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_range_is_the_range_asked_alone(kind):
    draw = KINDS[kind]
    whole = draw(Noise(7), 0, 5 * DAY)
    assert np.array_equal(whole[DAY - 3 : 2 * DAY + 5], draw(Noise(7), DAY - 3, 2 * DAY + 5))


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_other_noise(kind):
    draw = KINDS[kind]
    assert not np.array_equal(draw(Noise(7), 0, 3 * DAY), draw(Noise(8), 0, 3 * DAY))


def test_names_are_independent():
    noise = Noise(1)
    pair = np.corrcoef(noise.white("a", 0, 20 * DAY), noise.white("b", 0, 20 * DAY))
    assert abs(pair[0, 1]) < 0.05


def test_white_noise_is_standard_normal_and_wandering_is_smooth():
    noise = Noise(1)
    white, wander = noise.white("a", 0, 60 * DAY), noise.wander("a", 0, 60 * DAY, 1)
    assert abs(white.mean()) < 0.05
    assert white.std() == pytest.approx(1, abs=0.02)
    assert np.abs(np.diff(wander)).max() < 0.6  # twelve periods lie between two drawn values
    assert wander.std() > 0.7


def test_no_range_no_noise():
    assert len(Noise(1).white("a", 10, 10)) == 0
