"""The account over HTTP: AWS, the clock, and clients that are really killed."""

import http.client
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from domain.errors import UsageError
from emulator.account import EmulatedAccount
from emulator.http_server import serving
from rehearsal.pipeline.definition import Project, SynthesizedPipeline
from rehearsal.serve import job_environments
from rehearsal.served_world import HttpClock, ask, execute

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
ROOT = Path(__file__).parents[2]

CLIENT = """
import sys
from optimizer.ports.sessions import production, tooling
from rehearsal.served_world import remote_world
from optimizer.ports.settings import Settings

with remote_world(int(sys.argv[1]), "apply") as world:
    settings = Settings.from_environ(world.environ)
    {body}
"""


@pytest.fixture
def account():
    with EmulatedAccount(start=START, tooling="111111111111", production="222222222222") as account:
        account.client("dynamodb", account.tooling, "us-east-1").create_table(
            TableName="tap-journal",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield account


@pytest.fixture
def port(account):
    def environment(verb):
        return {
            "AWS_REGION": "us-east-1",
            "TAP_JOURNAL_TABLE": "tap-journal",
            "TAP_PRODUCTION_ACCOUNT": account.production,
            "TAP_PRIMARY_REGION": "us-east-1",
            "TAP_ROLE_ARN": f"arn:aws:iam::{account.production}:role/tap-{'act' if verb == 'apply' else 'analyze'}",
        }

    with serving(account, 0, environment) as port:
        yield port


def client(port, body):
    script = CLIENT.format(body=body)
    return subprocess.Popen([sys.executable, "-c", script, str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def finished(process):
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out.strip()


def test_time_is_the_accounts_and_sleeping_moves_it(account, port):
    clock = HttpClock(port)
    fired = []
    account.schedule(START + timedelta(minutes=1), lambda: fired.append(account.clock.now()))
    assert clock.now() == START
    clock.sleep(90)
    assert clock.now() == account.clock.now() == START + timedelta(seconds=90)
    assert fired == [START + timedelta(minutes=1)]


def test_the_environment_is_that_of_the_verbs_job(port):
    assert ask(port, "GET", "/rehearsal/environment?verb=apply")["environ"]["TAP_ROLE_ARN"].endswith("tap-act")
    assert ask(port, "GET", "/rehearsal/environment?verb=status")["environ"]["TAP_ROLE_ARN"].endswith("tap-analyze")


def test_a_process_sees_both_accounts_and_the_overlay(account, port):
    out = finished(
        client(
            port,
            "home, away = tooling(world, settings), production(world, settings)\n"
            "    print(home.dynamodb.list_tables()['TableNames'], away.dynamodb.list_tables()['TableNames'],\n"
            "          away.autoscaling.describe_auto_scaling_groups()['AutoScalingGroups'])",
        )
    )
    assert out == "['tap-journal'] [] []"
    assert {(call.service, call.account, call.actor) for call in account.calls} == {
        ("dynamodb", account.tooling, "exec"),
        ("dynamodb", account.production, "exec"),
        ("autoscaling", account.production, "exec"),
        ("sts", account.tooling, "exec"),
    }


@pytest.mark.slow
def test_a_killed_client_leaves_the_account_whole_and_the_lock_free(account, port):
    writer = client(
        port,
        "table = tooling(world, settings).dynamodb\n"
        "    for n in range(100000):\n"
        "        table.put_item(TableName='tap-journal', Item={'pk': {'S': str(n)}})",
    )
    deadline = time.monotonic() + 30
    while len(account.calls.of("dynamodb", "PutItem")) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert account.lock.acquire(timeout=5)
    account.lock.release()
    written = account.client("dynamodb", account.tooling, "us-east-1").scan(TableName="tap-journal")["Count"]
    # The last call may have been under way: landed or not, nothing else.
    assert written == len(account.calls.of("dynamodb", "PutItem"))
    assert finished(client(port, "print(world.clock.now().isoformat())")) == START.isoformat()


def test_a_client_that_stops_sending_holds_no_lock(account, port):
    half = http.client.HTTPConnection("127.0.0.1", port)
    half.putrequest("POST", "/")
    half.putheader("Content-Length", "1000")
    half.endheaders(b"half")
    assert HttpClock(port).now() == START
    assert account.client("dynamodb", account.tooling, "us-east-1").list_tables()["TableNames"] == ["tap-journal"]
    half.close()


def test_only_the_loopback_interface_listens(port):
    assert not any(
        int(line.split()[1].split(":")[1], 16) == port and line.split()[1].split(":")[0] != "0100007F"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
    )


def test_nobody_there_is_one_clear_line():
    with pytest.raises(UsageError, match="rehearse serve --port 1"):
        execute(1, ["status"])


@pytest.mark.parametrize(
    ("service", "call", "asked", "member"),
    [
        ("pricing", "get_products", {"ServiceCode": "awskms"}, "PriceList"),
        ("savingsplans", "describe_savings_plans", {}, "savingsPlans"),
    ],
)
def test_services_that_moto_lacks_are_served_as_well(account, port, service, call, asked, member):
    key = account.credentials.of_user(account.production)
    session = boto3.Session(aws_access_key_id=key.id, aws_secret_access_key=key.secret, region_name="us-east-1")
    client = session.client(service, endpoint_url=f"http://127.0.0.1:{port}")
    assert isinstance(getattr(client, call)(**asked)[member], list)


def test_who_drives_a_served_account_by_hand_is_the_watch_as_well():
    """No build is ever started there: apply would wait for one in vain."""
    told = {"TAP_JOURNAL_TABLE": "tap-journal", "TAP_WATCH_NAME": "tap-watch"}
    projects = {
        verb: Project(verb, verb, told, {"phases": {"build": {"commands": [f"python -m optimizer {verb}"]}}}, False)
        for verb in ("analyze", "apply")
    }
    environment = job_environments(SynthesizedPipeline("tap", (), projects, {}, (), ()), "us-east-1")
    assert environment("apply")["TAP_JOURNAL_TABLE"] == "tap-journal"
    assert "TAP_WATCH_NAME" not in environment("apply")
