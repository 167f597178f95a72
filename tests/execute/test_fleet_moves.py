"""The capacities that a fleet passes through on its way down."""

from optimizer.resources.fleet.moves import steps


def test_the_way_down_is_a_fifth_at_a_time() -> None:
    assert steps(15, 8) == [12, 10, 8]
    assert steps(8, 8) == [8]
    assert steps(8, 15) == [15]
    assert steps(3, 1) == [2, 1]  # a fifth of three is less than one
