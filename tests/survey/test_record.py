"""A survey's record: strict and versioned, and anonymous on request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import UsageError
from emulator.account import EmulatedAccount
from optimizer.model.resource import Kind
from optimizer.survey.record import Record, read_record
from tests.survey.platform import OWNER, REGION, run, shop


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    with shop() as account:
        yield account


def recorded(account: EmulatedAccount, folder: Path, *more: str) -> Path:
    file = folder / "mine.json"
    arguments = ["--regions", REGION, "--out", str(folder), "--no-bill", "--record", str(file), *more]
    assert run(account, arguments)[0] == 0
    return file


@pytest.fixture(scope="module")
def plain(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(account, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def anonymous(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(account, tmp_path_factory.mktemp("anonymous"), "--anonymous")


def sizes(record: Record) -> list[object]:
    return [(each.kind, each.fleet, each.cache, each.cluster, each.table) for each in record.resources]


def test_sizes_and_figures_are_kept(plain: Path) -> None:
    record = read_record(plain)
    web = next(each for each in record.of(Kind.FLEET) if each.name == "shop-web")
    assert web.fleet is not None
    assert (web.fleet.instance_type, web.fleet.desired) == ("m5.4xlarge", 12)
    (orders,) = record.of(Kind.DATABASE)
    assert orders.cluster is not None
    assert [each.writes for each in orders.cluster.instances].count(True) == 1
    assert (orders.engine, orders.cluster.retention_days) == ("aurora-mysql", 21)
    assert {each.metric for each in record.metrics} >= {"RequestCount", "CPUUtilization", "BytesUsedForCache"}


def test_an_anonymous_record_names_nothing_that_is_somebodys(anonymous: Path, plain: Path) -> None:
    text = anonymous.read_text()
    for name in (OWNER, "shop", "orders", "sessions", "carts", "wishes", "team", "web"):
        assert name not in text, name
    assert sizes(read_record(anonymous)) == sizes(read_record(plain))


def test_equal_identifiers_stay_equal(anonymous: Path) -> None:
    record = read_record(anonymous)
    names = {each.name for each in record.of(Kind.FLEET)}
    measured = {dict(each.dimensions).get("AutoScalingGroupName") for each in record.metrics}
    assert names == measured - {None}
    assert len({each.arn.split(":")[4] for each in record.resources}) == 1


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d.update(version=2), "is a record of version 2, this reads 1. Survey again."),
        (lambda d: d.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda d: d["resources"][0].pop("kind"), "resources.0.kind: Field required"),
    ],
)
def test_a_wrong_record_is_refused_by_file_and_field(plain: Path, tmp_path: Path, edit: object, said: str) -> None:
    document = json.loads(plain.read_text())
    edit(document)
    file = tmp_path / "edited.json"
    file.write_text(json.dumps(document))
    with pytest.raises(UsageError) as refused:
        read_record(file)
    assert str(file) in str(refused.value)
    assert said in str(refused.value)


def test_a_file_that_is_no_record(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for text in ("[]", "{"):
        file.write_text(text)
        with pytest.raises(UsageError, match="is no record of a survey"):
            read_record(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_record(tmp_path / "absent.json")
