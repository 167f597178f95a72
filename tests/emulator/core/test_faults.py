"""The calls that fail, their failure, and whether they landed."""

import pytest
from botocore.exceptions import ConnectionClosedError

from emulator.core.faults import Crash, Fault, Faults


def live(faults, calls):
    """Make the calls; returns those that landed, and the outcome of each."""
    landed, ends = [], []
    for number in range(1, calls + 1):
        try:
            ends.append(faults.around(number, lambda number=number: landed.append(number)))
        except (Crash, ConnectionClosedError) as error:
            ends.append(type(error))
    return landed, ends


@pytest.mark.parametrize(("number", "landed"), [(1, [1, 2, 3]), (2, [1, 3]), (3, [1, 2, 3])])
def test_an_odd_crash_lands_an_even_one_does_not(number, landed):
    assert live(Faults(number, 0.0, 0), 3)[0] == landed


def test_a_crash_happens_once():
    faults = Faults(1, 0.0, 0)
    assert live(faults, 1)[1] == [Crash]
    assert live(faults, 1)[1] == [None]


def test_every_kind_of_fault_happens_and_only_landed_ones_land():
    faults = Faults(None, 0.5, 3)
    landed, _ = live(faults, 200)
    kinds = dict(faults.injected)
    assert set(kinds.values()) == set(Fault)
    assert all((number in landed) == fault.landed for number, fault in kinds.items())
    assert 70 < len(kinds) < 130


def test_the_seed_decides():
    def injected(seed):
        faults = Faults(None, 0.2, seed)
        live(faults, 100)
        return faults.injected

    assert injected(1) == injected(1) != injected(2)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_is_a_share_below_one(rate):
    with pytest.raises(ValueError, match="not a share"):
        Faults(None, rate, 0)
