"""The command line: bad input gets one clear line and its exit code, and help reads well."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.account import EmulatedAccount
from optimizer.cli.verbs import app, main
from optimizer.observe.service_health import until_settled
from rehearsal.job_world import job_world

ROOT = Path(__file__).parents[2]
ENVIRON = {
    "TAP_JOURNAL_TABLE": "tap-journal",
    "TAP_PRODUCTION_ACCOUNT": "222222222222",
    "TAP_PRIMARY_REGION": "us-east-1",
}
VERBS = sorted(command.name or command.callback.__name__ for command in app.registered_commands)  # type: ignore[union-attr]


@pytest.fixture
def run(capsys):
    """Runs the command line against an account with an empty journal; gives exit code, stdout, stderr lines."""
    with EmulatedAccount(
        start=datetime(2027, 3, 1, tzinfo=UTC), tooling="111111111111", production="222222222222"
    ) as account:
        account.client("dynamodb", "111111111111", "us-east-1").create_table(
            TableName="tap-journal",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )

        def run(*argv: str, environ: dict[str, str] = ENVIRON) -> tuple[int, str, list[str]]:
            code = main(argv, world=job_world(account, environ))
            captured = capsys.readouterr()
            return code, captured.out, captured.err.splitlines()

        run.account = account  # type: ignore[attr-defined]
        yield run


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["optimise"], 64, "No such command 'optimise'"),
        (["apply", "--phase", "4", "--plan", "p"], 64, "'--phase': Input should be less than or equal to 3"),
        (["apply", "--phase", "two", "--plan", "p"], 64, "'--phase': Input should be a valid integer"),
        (["apply", "--phase", "1"], 64, "Missing option '--plan'"),
        (["apply", "--phase", "1", "--plan", "nowhere.json"], 64, "nowhere.json: no plan there"),
        (["approve", "--plan", "nowhere.json"], 64, "nowhere.json: no plan there"),
        (["watch", "--fast"], 64, "No such option: --fast"),
        (["rollback", "--phase", "2"], 64, "Missing option '--reason'"),
        (["rollback", "--phase", "2", "--reason", "x"], 2, "There is no plan yet"),
        (["accept", "--phase", "2"], 2, "There is no plan yet"),
        (["rehearse", "--scenario", "nonesuch", "--out", "o"], 64, "nonesuch"),
        (["reconcile", "--assembly", "nowhere"], 64, "nowhere"),
        (["freeze-check", "--assembly", "nowhere"], 64, "nowhere"),
    ],
)
def test_bad_input_gets_one_clear_line_and_its_exit_code(run, argv, code, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, _, lines = run(*argv)
    assert (found, len(lines)) == (code, 1), lines
    assert told in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_is_none_is_refused(run, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text("{}")
    code, _, lines = run("apply", "--phase", "1", "--plan", str(plan))
    assert (code, len(lines)) == (2, 1)
    assert "is not a plan" in lines[0]


@pytest.mark.parametrize("missing", sorted(ENVIRON))
def test_a_missing_variable_is_named(run, missing):
    environ = {name: value for name, value in ENVIRON.items() if name != missing}
    code, _, lines = run("status", environ=environ)
    assert (code, len(lines)) == (64, 1)
    assert missing in lines[0]


def test_an_aws_error_names_the_call_and_what_to_do(run):
    code, _, lines = run("status", environ=ENVIRON | {"TAP_JOURNAL_TABLE": "elsewhere"})
    assert (code, len(lines)) == (7, 1)
    assert "GetItem" in lines[0]
    assert "TAP_JOURNAL_TABLE" in lines[0]
    assert "run the same command again" not in lines[0]


@pytest.mark.parametrize("verb", [*VERBS, "rehearse", ""])
def test_help_reads_well(capsys, verb):
    assert main([*([verb] if verb else []), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage" in shown
    assert len(shown.splitlines()) > 5


def test_help_imports_nothing_that_a_verb_needs():
    listed = "import sys; from optimizer.cli.verbs import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "measure-savings" in done.stdout
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert imported.isdisjoint({"boto3", "numpy", "pydantic", "plotly", "jinja2", "moto"}), "half a second each"


def test_watch_with_no_window_is_content(run):
    assert run("watch")[:2] == (0, "No window is open.\n")


def test_a_called_watch_looks_once_while_nothing_is_under_way(run):
    begun = run.account.clock.now()
    assert run("watch", environ=ENVIRON | {"TAP_LOOKS": "7"})[:2] == (0, "No window is open.\n")
    assert run.account.clock.now() == begun


@pytest.mark.parametrize(("minutes", "waits"), [(0, 2), (1.5, 0.5), (2, 5), (4, 3), (6.9, 0.1), (57, 5)])
def test_a_period_can_be_judged_two_minutes_after_its_end(minutes, waits):
    now = datetime(2027, 3, 1, 9, tzinfo=UTC) + timedelta(minutes=minutes)
    assert until_settled(now) == timedelta(minutes=waits)


def test_the_sizing_of_an_untouched_account_is_the_design(run, tmp_path):
    assert run("sizing", "--out", str(tmp_path / "sizing.json"))[0] == 0
    assert '"revision": 0' in Path(tmp_path / "sizing.json").read_text()
