"""Whether two tables support being one, and what the watch does for them while the window is open."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import MoveFailed, Unhealthy
from domain.indexes import SOURCES, merged_indexes
from emulator.account import Crash
from optimizer.actions import gsi_removal, table_consolidation
from optimizer.actions.table_consolidation import LEAD, Evidence, collect, decide, describe, recover, tend
from optimizer.consolidate.merge import Speed
from optimizer.consolidate.moves import Work, flip_pointers
from optimizer.consolidate.pointers import DECLARATION
from optimizer.decide.policy import Policy
from optimizer.execute.engine import not_wanted
from optimizer.model.decision import Choice, Verdict
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import read_metrics
from tests.actions.made_tables import live, make_table, nothing_measured
from tests.actions.test_gsi_removal import BEFORE, UNUSED, USED
from tests.consolidate import campaign
from tests.consolidate.platform import KEPT, MemoryNotes, lived

ONE = {
    "keys": [{"AttributeName": "pk", "KeyType": "HASH", "AttributeType": "S"}],
    "indexes": ["a", "b"],
    "encryption": "arn:key",
    "recovery": "ENABLED",
    "recovery_days": 35,
    "class": "STANDARD",
    "protected": True,
    "replicas": [],
    "expiry": None,
    "stream": "NEW_AND_OLD_IMAGES",
}
AROUND = {"pointers": {"tenants": "tenants", "users": "users"}, "merged": False}
SUPPORTED = Evidence(
    table="arn:aws:dynamodb:us-east-1:222222222222:table/users",
    name="users",
    before={"tables": {"tenants": ONE, "users": ONE}, **AROUND},
    unsettled=(),
    peak_writes=30.0,
    peak_reads=60.0,
    follows_pointers=True,
    size=10_000_000,
    items=20_000,
)


def other(**changes):
    return around(tables={"tenants": ONE, "users": {**ONE, **changes}})


def around(**changes):
    return {"before": {**SUPPORTED.before, **changes}}


def failed(evidence):
    return [c.name for c in decide(evidence, Policy()).criteria if c.verdict is Verdict.FAIL]


def test_all_that_is_supported_applies():
    decision = decide(SUPPORTED, Policy())
    assert decision.choice is Choice.APPLY
    assert decision.target["layout"] == {"kept": ["a", "b", "a", "b"]}
    assert decide(replace(SUPPORTED, peak_writes=None), Policy()).choice is Choice.NO_DATA


def test_how_long_the_copy_takes_is_projected():
    """Two million items of one unit: 2,000 seconds of writing, 2,667 of comparing."""
    decision = decide(replace(SUPPORTED, items=2_000_000), Policy())
    (hours,) = [each for each in decision.projected if each.unit == "h"]
    assert (hours.today, hours.after) == (None, 1.3)


def test_an_index_that_is_needed_by_the_time_of_the_change_vetoes_it_and_one_that_is_not_does_not():
    def decided(a, b):
        removal = gsi_removal.Evidence(
            SUPPORTED.table, BEFORE, settled=True, policy_bytes=400, indexes={"a": a, "b": b}
        )
        return decide(replace(SUPPORTED, indexes={"users": removal}), Policy())

    approved, needed, neither = decided(UNUSED, USED), decided(USED, USED), decided(UNUSED, UNUSED)
    assert approved.target["dropped"] == ["users/a"]
    assert approved.target["layout"] == {"kept": ["a", "b", "b"]}
    assert not_wanted(approved.target, needed.target) == ["users/a"]
    assert not_wanted(approved.target, neither.target) == []


def test_the_copy_is_charged_once_with_the_change_that_carries_it_out():
    lead = decide(replace(SUPPORTED, name=LEAD), Policy())
    writes, reads = lead.costs
    # 20,000 items of 500 bytes: a transaction takes two units for one, and each of four indexes one more.
    assert (writes.quantity, writes.monthly) == (
        pytest.approx((2 + len(merged_indexes(lead.target["layout"]["kept"]))) * 0.02),
        False,
    )
    assert reads.quantity == pytest.approx(3 * 10_000_000 / 4096 / 2 / 1e6)
    other = next(name for name in SOURCES if name != LEAD)
    assert decide(replace(SUPPORTED, name=other), Policy()).costs == ()


@pytest.mark.parametrize(
    ("changes", "criterion"),
    [
        ({"name": "audit_logs"}, table_consolidation.BELONGS),
        (around(tables={"users": ONE}), "both tables are there"),
        (around(merged=True), "the merged table is there already"),
        (around(pointers={"tenants": "tenants", "users": "elsewhere"}), "pointers turned elsewhere"),
        (other(stream="KEYS_ONLY"), "streams that lack an image"),
        ({"owners": ("tenants: owned by a tenant",)}, "owners of either"),
        ({"readers": ("user-events (RUNNING)",)}, "readers of either stream"),
        ({"size": 2**36}, "copied by"),
        ({"size": 2**33, "items": 20_000_000}, "copied by"),  # 8 GiB, but of items that take one process 13 hours
        ({"size": 2**40}, "copied by"),
        ({"unsettled": ("users",)}, "tables that are being changed"),
        (other(keys=[]), "same key schema"),
        (other(encryption="arn:another"), "same key of encryption"),
        (other(recovery="DISABLED"), "same point-in-time recovery"),
        (other(**{"class": "STANDARD_INFREQUENT_ACCESS"}), "same table class"),
        (other(protected=False), "same deletion protection"),
        (other(replicas=["us-west-2"]), "replicas in other Regions"),
        (other(expiry="expires_at"), "same expiry attribute"),
        (other(indexes=[f"i{n}" for n in range(19)]), "indexes of both"),
        ({"peak_writes": 1000.1}, "peak writes of both, as if on one partition"),
        ({"peak_reads": 3000.1}, "peak reads of both, as if on one partition"),
        ({"follows_pointers": False}, "the application declares that it follows the pointer"),
    ],
)
def test_each_thing_they_must_have_in_common(changes, criterion):
    assert failed(replace(SUPPORTED, **changes)) == [criterion]


def collected(aws, table):
    end = aws.clock.now().replace(minute=0)
    queries = table_consolidation.queries(table)
    return collect(aws, table, read_metrics(aws, queries, end - timedelta(days=60), end))


@pytest.fixture
def tables(aws):
    return [make_table(aws, name) for name in ("tenants", "users")]


def test_the_peak_is_that_of_both_together(account, aws, tables):
    live(account, 3)
    evidence = collected(aws, tables[0])
    assert 3 < evidence.peak_writes < 10  # 0.14 writes for each of 40 requests a second, at the busiest
    assert evidence.peak_reads > evidence.peak_writes
    assert evidence.before == collected(aws, tables[1]).before


def test_the_application_declares_by_a_parameter(aws, tables):
    measured = nothing_measured(aws.clock.now(), table_consolidation.queries(tables[0]))
    assert not collect(aws, tables[0], measured).follows_pointers
    aws.ssm.put_parameter(Name=DECLARATION, Value="true", Type="String")
    assert collect(aws, tables[0], measured).follows_pointers


def test_the_audit_log_stays_alone(aws, tables):
    audit = make_table(aws, "audit_logs")
    assert table_consolidation.queries(audit) == ()
    evidence = collect(aws, audit, nothing_measured(aws.clock.now(), ()))
    assert decide(evidence, Policy()).choice is Choice.KEEP
    assert describe(aws, audit)["tables"] == {}


def test_a_missing_table_is_a_reason_and_no_error(aws):
    alone = make_table(aws, "users")
    evidence = collect(aws, alone, nothing_measured(aws.clock.now(), table_consolidation.queries(alone)))
    assert "both tables are there" in failed(evidence)


SPEED = Speed(units=1e6, segments=1, workers=1)
TAKEN = replace(
    decide(SUPPORTED, Policy()), target={"layout": {"kept": list(KEPT)}, "units_per_second": 1e6, "run": "r"}
)
USERS = Governed(Kind.TABLE, "users", SUPPORTED.table, "us-east-1", {})


def applied(platform):
    """Consolidated in the model, with the notes of that; the decision it came from."""
    campaign.migrate(platform, SPEED)
    platform.application.busy = False
    return TAKEN


def tended_often(platform, decision):
    for _ in range(8):  # an answer may be empty although there is more
        tend(platform.aws, USERS, SUPPORTED.before, decision, platform.notes)


def test_the_watch_carries_writes_back_and_says_when_it_was_late():
    with lived(100, 0) as platform:
        decision = applied(platform)
        platform.write(30)
        platform.clock.sleep(900)
        assert tend(platform.aws, USERS, SUPPORTED.before, decision, platform.notes) == ""
        campaign.standing_still(platform)
        assert platform.missing_in_sources() == []
        platform.application.busy = False
        platform.write(30)
        platform.clock.sleep(2 * 3600)
        with pytest.raises(Unhealthy, match="behind the merged table"):
            tended_often(platform, decision)
        campaign.standing_still(platform)
        assert platform.missing_in_sources() == []


@pytest.mark.parametrize("calls", range(1, 260, 3))  # a pointer is turned by two calls
def test_a_run_that_died_in_the_cutover_keeps_nobody_from_writing(calls):
    """Wherever it died; and the run after it goes on as if nothing had been."""
    with lived(60, 0) as platform:
        campaign.copied(platform, SPEED)
        platform.between.left = [calls]
        with suppress(Crash):
            campaign.turn(platform, SPEED)
        platform.between.end()
        recover(platform.aws, USERS, SUPPORTED.before, TAKEN, platform.notes)
        refused, written = platform.application.refused, platform.application.writes
        platform.write(30)
        assert platform.application.writes - written > 10, "writes are denied still"
        assert platform.application.refused - refused <= 2, "an old pointer is noticed at the first write"
        flip = flip_pointers(Work(USERS, SUPPORTED.before, TAKEN, platform.notes))
        assert not flip.is_done(platform.aws), "nobody has looked for late writes"
        campaign.turn(platform, SPEED)
        assert flip.is_done(platform.aws)
        campaign.standing_still(platform)
        campaign.agree(platform.missing_in_target() + platform.missing_in_sources())
        campaign.roll_back(platform)
        assert not [key for key in platform.stored("users") if key[0].startswith("tap_mark")]


def test_what_nobody_interrupted_needs_no_recovery():
    with lived(60, 0) as platform:
        assert recover(platform.aws, USERS, SUPPORTED.before, TAKEN, MemoryNotes()) == ""
        applied(platform)
        assert recover(platform.aws, USERS, SUPPORTED.before, TAKEN, platform.notes) == ""


def test_after_a_day_without_the_watch_it_stops_and_says_so():
    with lived(100, 0) as platform:
        decision = applied(platform)
        platform.clock.sleep(23.5 * 3600)
        with pytest.raises(MoveFailed, match="more than 23 h ago"):
            tend(platform.aws, USERS, SUPPORTED.before, decision, platform.notes)
