"""Whether other draws of the labels spread an accuracy more than other training seeds do."""

import math

import pytest

from experiments.label_draws.figures import _verdict, spread

# Draws differ by 1, seeds by 0.1.
DRAWS = {(draw, seed): 10 + draw + 0.1 * seed for draw in range(3) for seed in range(3)}


def test_the_spread_is_pooled_over_groups_that_differ_in_one_thing_only():
    assert spread(DRAWS, over=0) == pytest.approx((1.0, 6))  # s.d. of 0, 1, 2
    assert spread(DRAWS, over=1) == pytest.approx((0.1, 6))
    uneven = {(0, 0): 1.0, (0, 1): 3.0, (1, 0): 5.0}
    assert spread(uneven, over=1) == pytest.approx((math.sqrt(2), 1))
    assert spread({(0, 0): 1.0}, over=1) is None


def test_a_spread_counts_as_larger_only_beyond_chance():
    assert _verdict("test", DRAWS).outcome == "shown"
    assert _verdict("test", {(seed, draw): value for (draw, seed), value in DRAWS.items()}).outcome == "not shown"
    alike = {(draw, seed): 10 + 0.1 * ((draw + 2 * seed) % 3) for draw in range(3) for seed in range(3)}
    assert _verdict("test", alike).outcome == "cannot tell"
    assert _verdict("test", {place: value for place, value in DRAWS.items() if place[0] == 0}).outcome == "cannot tell"
