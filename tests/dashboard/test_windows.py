"""Latency and errors of the windows, in numbers and in sentences."""

from dataclasses import replace
from datetime import timedelta

import pytest

from optimizer.dashboard.compose.windows import error_rate, on_grid, windows_of
from optimizer.execute.records import History, PhaseState, WindowEvidence
from optimizer.model.health import Sample
from optimizer.model.phase import Phase
from tests.dashboard import made_histories as made


def sample(
    number: int, requests: float | None = 1000.0, failed: float | None = None, p99: float | None = 100.0
) -> Sample:
    return Sample(made.PHASE_2 + number * made.FIVE, requests, failed, None, p99)


def window_of(*pairs: tuple[Sample, float | None]) -> History:
    evidence = WindowEvidence(tuple(s for s, _ in pairs), tuple(e for _, e in pairs))
    return replace(made.observing(), windows={Phase.COMPUTE: evidence})


@pytest.mark.parametrize(
    ("requests", "target", "elb", "rate"),
    [
        (1000.0, None, None, 0.0),
        (1000.0, 5.0, None, 0.005),
        (1000.0, 5.0, 10.0, 15 / 1010),
        (None, None, 40.0, 1.0),  # a total outage: no request reached a target
        (None, None, None, None),
        (0.0, None, None, 0.0),
    ],
)
def test_error_rate(requests: float | None, target: float | None, elb: float | None, rate: float | None) -> None:
    assert error_rate(Sample(made.START, requests, target, elb, None)) == rate


def test_an_absent_period_is_an_empty_one() -> None:
    samples, expected = on_grid(WindowEvidence((sample(0), sample(3)), (90.0, 91.0)))
    assert [each.at - made.PHASE_2 for each in samples] == [n * made.FIVE for n in range(4)]
    assert [each.p99_ms for each in samples] == [100.0, None, None, 100.0]
    assert expected == (90.0, None, None, 91.0)


def test_limits_are_a_fifth_over_what_is_expected() -> None:
    (window,) = windows_of(window_of((sample(0), 90.0), (sample(1), None)))
    assert window.limit_ms[0] == pytest.approx(108.0)
    assert window.limit_ms[1] is None


def test_the_sentences_count_what_went_over() -> None:
    (window,) = windows_of(
        window_of(
            (sample(0), 100.0), (sample(1, failed=6.0, p99=125.0), 100.0), (sample(2, p99=None, requests=None), 100.0)
        )
    )
    assert "at worst 25 % above (125 ms, 1 Mar, 10:05 UTC)" in window.latency_summary
    assert "1 period of 2 went over the limit of +20 %. 1 period of 3 without a datapoint." in window.latency_summary
    assert "0.30 % of all requests failed, at worst 0.60 % in one period" in window.error_summary
    assert "1 period of 2 went over the limit of 0.5 %." in window.error_summary


def test_no_data_is_said() -> None:
    (window,) = windows_of(window_of((sample(0, requests=None, p99=None), None)))
    assert window.latency_summary.startswith("p99 latency cannot be compared yet.")
    assert window.error_summary.startswith("No request was seen")


def test_hours_pool_their_periods() -> None:
    pairs = [(sample(n, failed=3.0, p99=100.0 + n), 100.0) for n in range(13)]
    (window,) = windows_of(window_of(*pairs))
    first, second = window.rows
    assert (first.begin, first.requests, first.errors, first.error_rate) == (
        "1 Mar, 10:00 UTC",
        "12,000",
        "36",
        "0.30 %",
    )
    assert (first.worst_p99, first.over_expected) == ("111 ms", "+11 %")
    assert second.requests == "1,000"


@pytest.mark.parametrize(
    ("hours", "row_hours", "rows"), [(48, 1, 48), (61, 2, 31), (17 * 24, 8, 51), (70 * 24, 24, 70)]
)
def test_a_window_that_waited_long_at_its_gate_has_longer_rows(hours: int, row_hours: int, rows: int) -> None:
    midnight = -10 * 12  # of the first sample
    pairs = [(sample(midnight + n), 100.0) for n in range(hours * 12)]
    (window,) = windows_of(window_of(*pairs))
    assert (window.row_hours, len(window.rows)) == (row_hours, rows)


def test_milestones_say_what_the_journal_knows() -> None:
    (accepted, _) = windows_of(made.accepted())
    assert [(each.label, each.at) for each in accepted.milestones] == [
        ("Apply began", made.PHASE_2 - timedelta(minutes=50)),
        ("Window opens", made.PHASE_2),
        ("Window ends", made.PHASE_2 + timedelta(hours=48)),
        ("Accepted", made.ACCEPTED_AT),
    ]


@pytest.mark.parametrize(
    ("state", "label"), [(PhaseState.ROLLING_BACK, "Rollback began"), (PhaseState.ROLLED_BACK, "Rolled back")]
)
def test_a_rollback_under_way_is_not_told_as_over(state: PhaseState, label: str) -> None:
    history = made.rolled_back()
    (phase,) = history.phases
    (back,) = windows_of(replace(history, phases=(replace(phase, state=state),)))
    assert (label, made.PHASE_2 + timedelta(hours=9)) in [(each.label, each.at) for each in back.milestones]


def test_a_window_without_samples_is_no_window() -> None:
    assert windows_of(replace(made.observing(), windows={Phase.COMPUTE: WindowEvidence((), ())})) == ()
