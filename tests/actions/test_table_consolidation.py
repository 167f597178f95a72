"""Whether two tables can become one, and the watch's work for them while the window is open."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import Unhealthy
from domain.indexes import INDEXES, MERGED, SOURCES, merged_indexes
from domain.item_size import item_size
from emulator.account import Crash
from optimizer.actions import gsi_removal, table_consolidation
from optimizer.actions.table_consolidation import LEAD, Evidence, collect, decide, describe, recover, tend, veto
from optimizer.consolidate import cutover
from optimizer.consolidate.moves import Work, flip_pointers
from optimizer.consolidate.switches import DECLARATION
from optimizer.costs.merged_layout import HeldCopies, LayoutUse
from optimizer.decide.policy import Policy
from optimizer.execute.engine import not_wanted
from optimizer.model.decision import Choice, Verdict
from optimizer.model.resource import Governed, Kind
from optimizer.observe.metrics import read_metrics
from tests.actions.made_tables import live, make_table, nothing_measured
from tests.actions.test_gsi_removal import BEFORE, UNUSED, USED
from tests.consolidate import campaign
from tests.consolidate.campaign import STREAMS, WHOLE
from tests.consolidate.platform import KEPT, MERGE, lived

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
USES = tuple(
    LayoutUse(name, HeldCopies(10_000, 4_000_000), {}, 8e6, {}, 2e7, True) for name in SOURCES
)  # 400 bytes: no item needs a unit more
LARGER = tuple(
    replace(
        each,
        held=HeldCopies(10_000, 9_000_000),
        indexes={n: HeldCopies(10_000, 3_000_000) for n in INDEXES[each.table]},
    )
    for each in USES
)
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
    uses=USES,
)


NAMED = {**SUPPORTED.before, "tables": {name: {**ONE, "indexes": sorted(INDEXES[name])} for name in SOURCES}}


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
    """Two million items of one unit: 1,333 seconds of copying, and as long to compare them, twice."""
    decision = decide(replace(SUPPORTED, items=2_000_000), Policy())
    (hours,) = [each for each in decision.projected if each.unit == "h"]
    assert (hours.today, hours.after) == (None, 1.1)


def test_a_table_that_costs_more_is_kept_unless_the_guard_is_lifted():
    """Some of the items, of 900 bytes on average, need a unit more."""
    name = "what one table costs more a month, of both tables' bill"
    dearer = replace(SUPPORTED, uses=LARGER, before=NAMED)
    decision = decide(dearer, Policy())
    assert decision.choice is Choice.KEEP
    assert name in decision.reason
    lifted = Policy(lifted=frozenset({f"table_consolidation/{name}"}))
    assert decide(dearer, lifted).choice is Choice.APPLY


@pytest.mark.parametrize(("size", "vetoed"), [(400, False), (1_020, True), (5_000, False)])
def test_the_sizes_of_items_that_are_read_right_before_veto_it(size, vetoed):
    """As if spread evenly, items of 1,020 bytes need few units more: really each needs two for one."""
    uses = tuple(replace(each, held=HeldCopies(3_000, 3_000 * size)) for each in USES)
    evidence = replace(SUPPORTED, uses=uses, before=NAMED)
    with lived(0, 1) as platform:
        tables = platform.aws.streams._answers._model.tables
        for table, number in ((tables[name], number) for name in SOURCES for number in range(3_000)):
            key = (f"TENANT#{number}", f"USER#{number}")
            made = {"pk": {"S": key[0]}, "sk": {"S": key[1]}, "pad": {"S": ""}}
            table.write(key, {**made, "pad": {"S": "x" * (size - item_size(made))}})
        calls = platform.between.calls
        approved = decide(evidence, Policy())
        reason = veto(platform.aws, approved, evidence, Policy())
        assert platform.between.calls - calls == 20, "a thousand items of each table, by a hundred"
        assert bool(reason) is vetoed
        if reason:
            assert table_consolidation.MORE in reason
            assert "items that were read (limit 5.0 %)" in reason
        lifted = Policy(lifted=frozenset({f"table_consolidation/{table_consolidation.MORE}"}))
        assert veto(platform.aws, approved, evidence, lifted) is None


def test_the_sample_is_asked_about_the_layout_that_was_approved():
    """An index that is unneeded since is kept all the same: its writes are not saved."""
    held = HeldCopies(3_000, 3_000 * 1_020)
    use = LayoutUse(LEAD, held, {"by-email": held}, 1e6, {"by-email": 5e6}, 1e6, True)
    approved = replace(decide(SUPPORTED, Policy()), target={"layout": {"kept": ["by-email"]}})
    fresh = replace(SUPPORTED, uses=(use,), before={**NAMED, "tables": {}})
    with lived(0, 1) as platform:
        table = platform.aws.streams._answers._model.tables[LEAD]
        for number in range(3_000):
            key = (f"TENANT#{number}", f"USER#{number}")
            made = {"pk": {"S": key[0]}, "sk": {"S": key[1]}, "pad": {"S": ""}}
            table.write(key, {**made, "pad": {"S": "x" * (1_020 - item_size(made))}})
        assert "items that were read (limit 5.0 %)" in veto(platform.aws, approved, fresh, Policy())


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
    writes, reads, *monthly = lead.costs
    # 20,000 items of 500 bytes: one unit each, and one more for each of four indexes.
    assert (writes.quantity, writes.monthly) == (
        pytest.approx((1 + len(merged_indexes(lead.target["layout"]["kept"]))) * 0.02),
        False,
    )
    assert reads.quantity == pytest.approx(9 * 10_000_000 / 4096 / 2 / 1e6)
    assert all(each.monthly for each in monthly)
    assert [each.quantity for each in monthly] == pytest.approx([0.0, 1.4e-4, 1.4e-4, 8e-3, 8e-3])
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
        ({"reads": 12.0}, "GetRecords calls on either stream"),
        (
            {"uses": LARGER, "before": NAMED},
            "what one table costs more a month, of both tables' bill",
        ),
        ({"beyond": ("users: a resource policy",)}, "what the merged table would lack"),
        ({"tags": ({"team": "a"}, {"team": "b"})}, "tags that differ"),
        ({"tags": ({"team": "a"}, {})}, "tags that differ"),
        ({"size": 2**36}, "copied by"),
        ({"size": 2**33, "items": 20_000_000}, "copied by"),  # 8 GiB, but of items that take one process 13 hours
        ({"size": 2**40}, "copied by"),
        ({"unsettled": ("users",)}, "tables that are being changed"),
        (other(keys=[]), "same key schema"),
        (
            around(tables={n: {**ONE, "keys": [{**ONE["keys"][0], "AttributeType": "B"}]} for n in SOURCES}),
            "keys that are no strings",
        ),
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


TARGET = {"layout": {"kept": list(KEPT)}, "units_per_second": 1e6, "run": "r"}
TAKEN = {
    way: replace(decide(SUPPORTED, Policy()), target={**TARGET, "engine": "streams" if way.streams else "whole"})
    for way in (WHOLE, STREAMS)
}
USERS = Governed(Kind.TABLE, "users", SUPPORTED.table, "us-east-1", {})
WAYS = pytest.mark.parametrize("way", [WHOLE, STREAMS], ids=["whole", "streams"])


def tended(platform, way=WHOLE):
    return tend(platform.aws, USERS, SUPPORTED.before, TAKEN[way], platform.notes)


def recovered(platform, way=WHOLE):
    return recover(platform.aws, USERS, SUPPORTED.before, TAKEN[way], platform.notes)


def flip_of(platform, way=WHOLE):
    return flip_pointers(Work(USERS, SUPPORTED.before, TAKEN[way], platform.notes))


@WAYS
def test_the_watch_carries_writes_back_and_says_when_it_was_late(way):
    with lived(100, 0) as platform:
        campaign.migrate(platform, way)
        platform.application.busy = False
        platform.write(30)
        platform.clock.sleep(3600)
        assert tended(platform, way) == ""
        assert platform.missing_in_sources() == []
        platform.write(30)
        platform.clock.sleep(3 * 3600)
        with pytest.raises(Unhealthy, match="behind the merged table"):
            tended(platform, way)
        assert platform.missing_in_sources() == []


def test_whole_tables_are_compared_once_an_hour():
    with lived(100, 0) as platform:
        campaign.migrate(platform)
        platform.application.busy = False
        for _ in range(12):
            platform.clock.sleep(300)
            calls = platform.between.calls
            tended(platform)
        assert platform.between.calls > calls + 3
        platform.clock.sleep(300)
        calls = platform.between.calls
        tended(platform)
        assert platform.between.calls <= calls + 1  # the pointers


@WAYS
def test_the_watch_says_what_a_rollback_would_be_refused_for(way):
    with lived(100, 0) as platform:
        campaign.migrate(platform, way)
        platform.application.busy = False
        bad = {"pk": {"S": "TENANT#1"}, "sk": {"S": "users#USER#bad"}, "email": {"NULL": True}}
        platform.application.clients.dynamodb.put_item(TableName=MERGED, Item=bad)
        platform.clock.sleep(3600)
        line = tended(platform, way)
        assert "1 items of tenants_users could not lie in the sources" in line
        assert "TENANT#1, users#USER#bad" in line


def test_a_pointer_that_somebody_turned_is_told():
    with lived(100, 0) as platform:
        campaign.migrate(platform)
        platform.aws.ssm.put_parameter(Name="/tap/tables/users", Value="users")
        with pytest.raises(Unhealthy, match=r"now they say .*'users': 'users'"):
            tended(platform)


@WAYS
@pytest.mark.parametrize("calls", [*range(1, 60, 5), *range(60, 260, 17)])
def test_a_run_that_died_in_the_cutover_keeps_nobody_from_writing(way, calls):
    """Wherever it died; and the run after it goes on as if nothing had been."""
    with lived(60, 0) as platform:
        campaign.copied(platform, way)
        platform.between.left = [calls]
        with suppress(Crash):
            campaign.turn(platform.aws, platform.notes, way)
        platform.between.end()
        recovered(platform, way)
        refused, written = platform.application.refused, platform.application.writes
        platform.write(30)
        assert platform.application.writes - written > 10, "writes are denied still"
        assert platform.application.refused - refused <= 2, "an old pointer is noticed at the first write"
        campaign.turn(platform.aws, platform.notes, way)
        assert flip_of(platform, way).is_done(platform.aws)
        platform.application.busy = False
        campaign.agree(platform.missing_in_target())
        platform.application.busy = True
        campaign.roll_back(platform, way)
        platform.application.busy = False
        campaign.agree(platform.missing_in_sources())
        assert not [key for key in platform.stored("users") if key[0].startswith("tap_")]


def test_a_turn_is_done_once_late_writes_were_looked_for():
    with lived(60, 0) as platform:
        campaign.copied(platform)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cutover, "_carry_late", lambda *_: (_ for _ in ()).throw(Crash("died")))
            with pytest.raises(Crash):
                campaign.turn(platform.aws, platform.notes)
        assert cutover.is_flipped(platform.aws, MERGE)
        assert not flip_of(platform).is_done(platform.aws)
        platform.write(20)
        platform.clock.sleep(4 * 3600)
        before = dict(platform.stored("users"))
        assert tended(platform) == ""  # late writes would be overwritten
        assert platform.stored("users") == before
        campaign.turn(platform.aws, platform.notes)
        assert flip_of(platform).is_done(platform.aws)


def test_a_return_is_done_once_late_writes_were_looked_for():
    with lived(60, 0) as platform:
        campaign.migrate(platform)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cutover, "_carry_late", lambda *_: (_ for _ in ()).throw(Crash("died")))
            with pytest.raises(Crash):
                campaign.turn_back(platform.aws, platform.notes)
        assert cutover.is_turned_back(platform.aws, MERGE)
        assert not flip_of(platform).is_undone(platform.aws)
        campaign.turn_back(platform.aws, platform.notes)
        assert flip_of(platform).is_undone(platform.aws)


def test_what_nobody_interrupted_needs_no_recovery():
    with lived(60, 0) as platform:
        assert recovered(platform) == ""
        campaign.migrate(platform)
        assert recovered(platform) == ""


@WAYS
def test_after_a_day_without_the_watch_the_way_back_is_open_still(way):
    with lived(100, 0) as platform:
        campaign.migrate(platform, way)
        platform.clock.sleep(30 * 3600)
        with pytest.raises(Unhealthy, match="behind the merged table"):
            tended(platform, way)
        campaign.roll_back(platform, way)
        platform.application.busy = False
        campaign.agree(platform.missing_in_sources())
