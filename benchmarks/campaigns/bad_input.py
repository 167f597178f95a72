"""Damaged input of every kind: wrong content of a file, a table, a parameter or an AWS answer.

Every input is either taken as written, or refused in one line with an exit code; it changes nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import yaml
from botocore.exceptions import BotoCoreError, ClientError, StubResponseError
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from benchmarks.campaigns.campaign import ROOT, Campaign, Row, Size
from domain.environment import EnvironmentInvalid, load_environment
from domain.errors import OptimizerError
from emulator.account import EmulatedAccount
from optimizer.cli.verbs import main as command_line
from optimizer.costs.cost_explorer import CostExplorer, expected_costs, monthly_costs
from optimizer.decide.calendar import read_peaks
from optimizer.decide.health import judge
from optimizer.execute.lifecycle import Lifecycle
from optimizer.model.health import Health, Sample
from optimizer.model.phase import Phase
from optimizer.observe.metrics import Query, read_metrics
from optimizer.ports.settings import Settings
from rehearsal.job_world import job_world
from rehearsal.scenario import known_scenarios, load_scenario
from tests.costs.answers import Recorded, group, period
from tests.execute.conftest import ENVIRON, START, Service, World, created

# Errors that the command line prints in one line.
TOLD = (OptimizerError, ClientError, BotoCoreError, EnvironmentInvalid)
CODES = {0, 2, 3, 4, 5, 6, 7, 64}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=20),
    st.sampled_from(["", " ", "\x00", "NaN", "1e999", "²", "2027-02-30", "-1", "0", "null", "../../etc", "é" * 50]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
Draw = Callable[[st.SearchStrategy[Any]], Any]


def damaged(draw: Draw, value: Any) -> Any:
    """A JSON-like value with one part replaced, dropped or doubled."""
    if isinstance(value, Mapping) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 4)):
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: damaged(draw, value[name])}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and value and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(value) - 1))
        if not draw(st.integers(0, 4)):
            return [*value[:place], *value[place + 1 :]]
        return [*value[:place], damaged(draw, value[place]), *value[place + 1 :]]
    return draw(JUNK)


def spoiled(draw: Draw, text: str) -> bytes:
    """A text with some of its bytes cut, doubled or replaced."""
    body = text.encode()
    at = draw(st.integers(0, len(body)))
    spoilt: bytes = draw(
        st.sampled_from(
            [body[:at], body[:at] + b"\xff\xfe" + body[at:], body[at:], body[:at] + body, b"", b"[" * 9_000]
        )
    )
    return spoilt


@dataclass
class Found:
    """Results of all cases: their number by kind, and the failures."""

    cases: Counter[str]
    failures: list[str]

    def told(self, kind: str, what: object, work: Callable[[], object]) -> None:
        """Run a case: it must succeed, or raise an error that the command line prints in one line."""
        self.cases[kind] += 1
        try:
            work()
        except TOLD as error:
            line = str(error)
            if not line.strip() or (len(line.strip().splitlines()) > 1 and not isinstance(error, ClientError)):
                self.wrong(kind, what, f"has the message {line!r}")
        except Exception as error:  # noqa: BLE001 -- any other is a traceback, which is the finding
            self.wrong(kind, what, f"{type(error).__name__}: {error}")

    def wrong(self, kind: str, what: object, why: str) -> None:
        self.failures.append(f"{kind}: {str(what)[:160]!r}: {why[:300]}")


Try = Callable[[Draw, Found], None]


def tried(size: Size, count: int, one: Try, found: Found) -> None:
    """Try `count` examples from hypothesis; a failure is recorded, and the next example follows."""

    @hypothesis.seed(size.seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=InMemoryExampleDatabase(),
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def example(data: st.DataObject) -> None:
        one(data.draw, found)

    example()


def plans(world: World, folder: Path) -> Try:
    """Damaged plan files, through the command line."""
    good, path = world.approved().dump(), folder / "plan.json"

    def one(draw: Draw, found: Found) -> None:
        whole = draw(st.booleans())
        body = spoiled(draw, good) if whole else json.dumps(damaged(draw, json.loads(good))).encode()
        verb = draw(st.sampled_from([["approve"], ["apply", "--phase", "2"], ["apply", "--phase", "1", "--dry-run"]]))
        path.write_bytes(body)
        before, told = len(world.account.calls.mutating()), io.StringIO()

        def work() -> None:
            with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
                code = command_line([*verb, "--plan", str(path)], world=job_world(world.account, ENVIRON))
            if code not in CODES or (body != good.encode() and len(told.getvalue().splitlines()) != 1):
                found.wrong("plan file", body, f"exit {code}, told {told.getvalue()!r}")

        found.told("plan file", body, work)
        if len(world.account.calls.mutating()) != before:
            found.wrong("plan file", body, "something was changed")

    return one


def journals(world: World) -> Try:
    """One damaged attribute of a journal item, then any verb."""
    plan = world.approved()
    world.fresh().apply(plan, Phase.COMPUTE)
    table = world.account.client("dynamodb", world.account.tooling, "us-east-1")
    items = [each for each in table.scan(TableName="tap-journal")["Items"] if each["pk"]["S"] != "lease"]
    verbs: dict[str, Callable[[Lifecycle], object]] = {
        "status": lambda life: life.journal.history(),
        "apply": lambda life: life.apply(plan, Phase.COMPUTE),
        "watch": lambda life: life.watch(),
        "accept": lambda life: life.accept(Phase.COMPUTE),
        "freeze": lambda life: life.journal.pauses(plan),
    }

    def one(draw: Draw, found: Found) -> None:
        item = draw(st.sampled_from(items))
        name = draw(st.sampled_from(sorted({*item} - {"pk", "sk"}) or ["gone"]))
        verb = draw(st.sampled_from(sorted(verbs)))
        bad = {**item, name: _attribute(draw, item[name])} if name in item else item
        if not draw(st.integers(0, 5)):
            del bad[name]
        table.put_item(TableName="tap-journal", Item=bad)
        before = _changes(world)
        found.told("journal", f"{verb}, {item['sk']['S']}.{name}", lambda: verbs[verb](world.fresh()))
        if _changes(world) != before:
            found.wrong("journal", f"{verb}, {item['sk']['S']}.{name}", "production was changed")
        for each in items:
            table.put_item(TableName="tap-journal", Item=each)

    return one


def _changes(world: World) -> int:
    return sum(call.account == world.account.production for call in world.account.calls.mutating())


def _attribute(draw: Draw, value: Mapping[str, Any]) -> dict[str, Any]:
    """Another value of a DynamoDB attribute."""
    ((kind, held),) = value.items()
    choice = draw(st.integers(0, 3))
    if kind == "S" and held[:1] in "{[" and choice:
        return {"S": json.dumps(damaged(draw, json.loads(held)))}
    if kind == "B" and choice:
        plain = zlib.decompress(bytes(held)).decode()
        return {"B": zlib.compress(json.dumps(damaged(draw, json.loads(plain))).encode())}
    other: dict[str, Any] = draw(
        st.sampled_from([{"S": "x"}, {"S": ""}, {"N": "7"}, {"BOOL": True}, {"B": b"x"}, {"NULL": True}, {"L": []}])
    )
    return other


def environs() -> Try:
    """Damaged variables of a job."""
    names = [
        "TAP_JOURNAL_TABLE", "TAP_PRODUCTION_ACCOUNT", "TAP_PRIMARY_REGION", "TAP_SECONDARY_REGIONS", "TAP_LOOKS",
        "GATE_TIMEOUT_MINUTES", "TAP_SECOND_APPROVER", "TAP_COMMITTERS",
    ]  # fmt: skip

    def one(draw: Draw, found: Found) -> None:
        name, value = draw(st.sampled_from(names)), str(draw(JUNK))
        found.told("variable", f"{name}={value}", lambda: Settings.from_environ({**ENVIRON, name: value}))

    return one


def environments() -> Try:
    """Damaged environments, in cdk.json and in a file."""
    good = json.loads((ROOT / "cdk.json").read_text())["context"]["environment"]

    def one(draw: Draw, found: Found) -> None:
        bad = damaged(draw, good)
        found.told("environment", bad, lambda: load_environment(bad if isinstance(bad, Mapping) else {"x": bad}))
        with tempfile.NamedTemporaryFile(suffix=draw(st.sampled_from([".json", ".yaml"]))) as file:
            file.write(spoiled(draw, json.dumps(good)))
            file.flush()
            found.told("environment", "a spoiled file", lambda: load_environment(file.name))

    return one


def scenarios() -> Try:
    """Damaged scenario files."""
    good = {name: load_scenario(name).model_dump(mode="json", exclude_unset=True) for name in known_scenarios()}

    def one(draw: Draw, found: Found) -> None:
        name = draw(st.sampled_from(sorted(good)))
        text = yaml.safe_dump(damaged(draw, good[name])).encode()
        body = spoiled(draw, text.decode()) if draw(st.booleans()) else text
        with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
            file.write(body)
            file.flush()
            found.told("scenario", body, lambda: load_scenario(file.name))

    return one


def policies() -> Try:
    """Damaged values of the parameters that people set."""

    def one(draw: Draw, found: Found) -> None:
        line = draw(st.sampled_from(["2027-11-26/2027-11-29 Black Friday", "none", "2027-11-26 x"]))
        text = draw(
            st.one_of(st.text(max_size=30), st.just(line).map(lambda each: each[::-1]), st.just(f"{line}\n\n{line}"))
        )
        found.told("peaks", text, lambda: read_peaks(text))

    return one


def metrics() -> Try:
    """Answers of GetMetricData, of any length and value, in any order."""
    end = datetime(2027, 3, 1, tzinfo=UTC)
    asked = (
        Query("AWS/RDS", "CPUUtilization", (), ("Average",), 300),
        Query("AWS/RDS", "Swap", (), ("Maximum",), 3600),
    )

    def one(draw: Draw, found: Found) -> None:
        times = st.integers(-(2**31), 2**33)
        results = [
            {
                "Id": f"q{n}",
                "StatusCode": draw(
                    st.sampled_from(["Complete", "Complete", "PartialData", "InternalError", "Forbidden"])
                ),
                "Timestamps": draw(st.lists(times, max_size=6)),
                "Values": draw(st.lists(st.floats(), max_size=6)),
            }
            for n in range(draw(st.integers(0, 3)))
        ]
        client = _Answering({"get_metric_data": {"MetricDataResults": results}})
        aws: Any = _Aws(client, end)
        found.told("CloudWatch", results, lambda: read_metrics(aws, asked, end - timedelta(days=1), end))

    return one


def samples() -> Try:
    """Samples of health with any values: no data is no consent, and a breach needs measured errors."""
    good = Service().samples(START - timedelta(days=35), START)

    def one(draw: Draw, found: Found) -> None:
        values = {
            name: draw(st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -1.0, 1e300])))
            for name in ("requests", "target_5xx", "elb_5xx", "p99_ms")
        }
        window = [Sample(START + timedelta(minutes=5 * n), **values) for n in range(draw(st.integers(1, 40)))]
        now = START + timedelta(minutes=draw(st.integers(-500, 500)))

        def work() -> None:
            if judge(good, window, now).verdict is Health.HEALTHY and values["requests"] is None:
                found.wrong("samples", values, "HEALTHY without a request")

        found.told("samples", values, work)

    return one


def bills() -> Try:
    """Answers of Cost Explorer, within what its shapes allow."""

    def one(draw: Draw, found: Found) -> None:
        figure = st.sampled_from(["10.5", "", "x", "NaN", "Infinity", "-3", "1e400", "١"])
        made = period(
            draw(st.sampled_from(["2027-02-01", "2027-02-30", "", "yesterday", "2027-02-01T00:00:00Z"])),
            group("EC2", "Box", billed=draw(figure), effective=draw(figure)),
        )
        answer = {"ResultsByTime": [made] if draw(st.booleans()) else []}
        if not draw(st.integers(0, 3)):
            answer["ResultsByTime"] = [{"TimePeriod": made.get("TimePeriod", {})}, {}]
        ahead = {"Total": {"Amount": draw(figure), "Unit": draw(st.sampled_from(["USD", "EUR", ""]))}}

        def work(kind: str) -> None:
            recorded = Recorded()
            try:
                if kind == "costs":
                    recorded.costs(answer)
                    monthly_costs(CostExplorer(recorded.aws))
                else:
                    recorded.answer("cost_explorer", "get_cost_forecast", ahead)
                    expected_costs(CostExplorer(recorded.aws))
            except StubResponseError:
                found.cases["Cost Explorer"] -= 1  # the shape does not allow this answer

        for kind in ("costs", "forecast"):
            found.told("Cost Explorer", (answer, ahead), partial(work, kind))

    return one


class _Answering:
    """A client with prepared answers, by operation."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        return lambda **_: self._answers[name]


class _Aws:
    """The part of the AWS interface that reading metrics needs."""

    region = "us-east-1"

    def __init__(self, metrics: Any, now: datetime) -> None:
        self.metrics, self._now = metrics, now

    def at(self, _region: str) -> _Aws:
        return self


@contextlib.contextmanager
def world() -> Iterator[World]:
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        yield created(account)


def run(size: Size) -> Row:
    found = Found(Counter(), [])
    slow, quick = size.of(12, 150, 2_000), size.of(30, 500, 10_000)
    with tempfile.TemporaryDirectory(prefix="bad-input-") as folder:
        with world() as small:
            tried(size, slow, plans(small, Path(folder)), found)
        with world() as small:
            tried(size, 2 * slow, journals(small), found)
            tried(size, quick, environs(), found)
    for each in (environments(), scenarios(), policies(), metrics(), samples(), bills()):
        tried(size, quick, each, found)
    told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.cases.items()))
    return Row(found.cases.total(), tuple(dict.fromkeys(found.failures)), told)


CAMPAIGN = Campaign(
    title="Bad input",
    proves="damaged input is refused in one line with an exit code, and nothing is changed by it",
    cannot="input that is wrong and still says something that is allowed, as another number",
    planted="`settings.py`: a timeout read by `int` alone",
    run=run,
)
