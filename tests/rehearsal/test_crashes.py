"""A job dies in the middle of a rehearsal: the retried stage goes on, and all ends as it would have."""

from __future__ import annotations

import pytest

from tests.rehearsal.dying import DYING
from tests.rehearsal.shared import crashed, lived
from tests.rehearsal.test_rehearse import not_permitted


@pytest.mark.slow
@pytest.mark.parametrize("scenario", DYING)
def test_a_job_that_dies_is_carried_on_to_the_same_end(scenario: str) -> None:
    assert lived(scenario).code == 0, "no crash"
    lives = crashed(scenario)
    assert len(lives) >= 2
    for each in lives:
        assert each.code == 0, f"{(each.out.parent / 'call').read_text()}: {each.told}{each.progress[-2000:]}"
        assert not_permitted(each.out) == {}
