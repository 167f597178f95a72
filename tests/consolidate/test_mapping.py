"""The mapping into the merged table loses nothing, invents nothing, and finds its way back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given

from domain.errors import ItemRefused
from domain.indexes import INDEXES, MERGED, RESERVED
from domain.item_size import MOST_BYTES, item_size
from optimizer.consolidate.mapping import (
    OWN,
    Entity,
    merged,
    merged_key,
    split,
    split_key,
)
from tests.consolidate.items import ENTITY, KEPT, MERGED_KEYS, SERVED, items

PROFILE = {"pk": {"S": "TENANT#t1"}, "sk": {"S": "PROFILE"}}
USER = {"pk": {"S": "TENANT#t1"}, "sk": {"S": "USER#u1"}}


@given(ENTITY, items(), KEPT)
def test_every_item_comes_back_as_it_was(entity: Entity, item: dict[str, Any], kept: frozenset[str]) -> None:
    assert split(merged(entity, item, kept)) == (entity, item)


@given(ENTITY, items(), ENTITY, items())
def test_no_two_items_meet(one: Entity, first: dict[str, Any], other: Entity, second: dict[str, Any]) -> None:
    same = (one, first["pk"], first["sk"]) == (other, second["pk"], second["sk"])
    assert (merged_key(one, first) == merged_key(other, second)) == same


@given(ENTITY, items(), KEPT)
def test_the_key_alone_maps_as_the_item_does(entity: Entity, item: dict[str, Any], kept: frozenset[str]) -> None:
    key = merged_key(entity, item)
    made = merged(entity, item, kept)
    assert key == {"pk": made["pk"], "sk": made["sk"]}
    assert split_key(key) == (entity, {"pk": item["pk"], "sk": item["sk"]})


@given(ENTITY, items(), KEPT)
def test_only_kept_indexes_are_entered(entity: Entity, item: dict[str, Any], kept: frozenset[str]) -> None:
    entered = {name for name, index in INDEXES[MERGED].items() if index.partition_key in merged(entity, item, kept)}
    assert entered == {
        name
        for name, index in INDEXES[entity].items()
        if name in kept and item.get(index.partition_key, {}).get("S") and item.get(index.sort_key, {}).get("S")
    }


@given(ENTITY, items(), KEPT)
def test_what_is_added_is_reserved(entity: Entity, item: dict[str, Any], kept: frozenset[str]) -> None:
    added = merged(entity, item, kept).keys() - item.keys()
    assert all(name in MERGED_KEYS or name.startswith(OWN) for name in added)


@given(ENTITY, items())
def test_order_within_an_entity_stays(entity: Entity, item: dict[str, Any]) -> None:
    prefix = f"{entity}#".encode()
    assert merged_key(entity, item)["sk"]["S"].encode() == prefix + item["sk"]["S"].encode()


@pytest.mark.parametrize("index", SERVED)
def test_each_index_is_found_under_its_own_values(index: str) -> None:
    entity = next(each for each in Entity if index in INDEXES[each])
    keys = INDEXES[entity][index]
    item = {**USER, keys.partition_key: {"S": "p"}, keys.sort_key: {"S": "s"}} | USER
    made = merged(entity, item, {index})
    into = INDEXES[MERGED][index]
    assert made[into.partition_key] == {"S": "p"}
    assert made[into.sort_key] == item[keys.sort_key]


@pytest.mark.parametrize("index", SERVED)
def test_no_item_of_the_other_entity_enters_an_index(index: str) -> None:
    """Though it has the attributes that are keys there."""
    entity = next(each for each in Entity if index not in INDEXES[each])
    keys = {
        key: {"S": "x"} for each in INDEXES.values() for i in each.values() for key in (i.partition_key, i.sort_key)
    }
    own = {name: value for name, value in keys.items() if not name.startswith(RESERVED)}
    assert INDEXES[MERGED][index].partition_key not in merged(entity, {**own, **USER}, SERVED)


@pytest.mark.parametrize("index", SERVED)
def test_an_index_copies_what_its_source_showed_and_no_more(index: str) -> None:
    entity = next(each for each in Entity if index in INDEXES[each])
    keys, into = INDEXES[entity][index], INDEXES[MERGED][index]
    assert (into.copies is None) == (keys.copies is None)
    assert into.copies is None or {keys.partition_key, keys.sort_key, *(keys.copies or ())} == set(into.copies)


def test_no_two_indexes_share_a_key_attribute() -> None:
    keys = [key for i in INDEXES[MERGED].values() for key in (i.partition_key, i.sort_key) if key != "pk"]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("sort", ["PROFILE", "audit_logs#e", "users", "users#", "", "Users#x", "#users#"])
def test_an_item_of_no_entity_is_refused(sort: str) -> None:
    with pytest.raises(ItemRefused, match=r"is of no entity: .*tenants#, users#"):
        split({**PROFILE, "sk": {"S": sort}})


@pytest.mark.parametrize("name", ["tap_x", "tap_", "tap_d3", "tap_watermark", "tap_own_email", "tap_own_"])
def test_an_attribute_that_the_layout_does_not_know_is_refused_and_not_dropped(name: str) -> None:
    """The application wrote it to the merged table: a return would lose it, or put it over another attribute."""
    with pytest.raises(ItemRefused, match=rf"TENANT#t1, users#USER#u1 of tenants_users has {name}.*Rename it"):
        split({**merged(Entity.USERS, USER, SERVED), name: {"S": "kept"}})


def filled(size: int) -> dict[str, Any]:
    """A profile that has `size` bytes once it is merged."""
    bare = item_size(merged(Entity.TENANTS, {**PROFILE, "x": {"B": b""}}, ()))
    return {**PROFILE, "x": {"B": bytes(size - bare)}}


def test_the_largest_item_is_taken() -> None:
    assert item_size(merged(Entity.TENANTS, filled(MOST_BYTES), ())) == MOST_BYTES


def test_a_larger_one_is_refused_by_name() -> None:
    with pytest.raises(ItemRefused, match=r"TENANT#t1, PROFILE of tenants would have 409,601 bytes"):
        merged(Entity.TENANTS, filled(MOST_BYTES + 1), ())


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ({**USER, "sk": {"S": "x" * 1019}}, "sort key of 1,025 bytes"),
        ({**USER, "sk": {"S": "é" * 510}}, "sort key of 1,026 bytes"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_by_name(item: dict[str, Any], what: str) -> None:
    with pytest.raises(ItemRefused, match=what):
        merged(Entity.USERS, item, {"by-invitation"})


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("email", {"NULL": True}, "of type NULL"),
        ("email", {"S": ""}, "empty"),
        ("tenant_id", {"N": "7"}, "of type N"),
        ("tenant_role", {"S": "x" * 2049}, "of 2,049 bytes"),
        ("last_login_at", {"S": "x" * 1025}, "of 1,025 bytes"),
        ("invitation_id", {"L": []}, "of type L"),
    ],
)
def test_what_an_index_of_the_source_refuses_is_refused_both_ways(key: str, value: dict[str, Any], what: str) -> None:
    """Whether the index is kept or not: the source has it."""
    said = rf"TENANT#t1, USER#u1 of users has {key} {what}.*users takes no such item"
    with pytest.raises(ItemRefused, match=said):
        merged(Entity.USERS, {**USER, key: value}, ())
    with pytest.raises(ItemRefused, match=said):
        split({**merged(Entity.USERS, USER, ()), key: value})


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é€"}, 5),
        ({"N": "0"}, 1),
        ({"N": "-12.30"}, 4),
        ({"N": "1E-130"}, 2),
        ({"N": "9" * 38}, 20),
        ({"B": b"\0\1"}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "100"]}, 4),
        ({"BS": [b"a", b"bc"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "a"}, {"M": {}}]}, 3 + 2 + 4),
        ({"M": {"ab": {"S": "c"}}}, 3 + 1 + 3),
    ],
)
def test_sizes_are_those_of_the_developer_guide(value: dict[str, Any], size: int) -> None:
    assert item_size({"name": value}) == 4 + size


def test_nothing_but_the_standard_library_is_imported() -> None:
    """The Spark job takes the module along without its requirements."""
    code = (
        "import sys; import optimizer.consolidate.mapping; "
        "print(*{n.partition('.')[0] for n in sys.modules} - {*sys.stdlib_module_names, '__main__'})"
    )
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
                         capture_output=True, text=True, check=True)  # fmt: skip
    assert set(ran.stdout.split()) == {"domain", "optimizer"}


def test_no_source_attribute_is_reserved() -> None:
    """Or an index would be looked for under an escaped name."""
    keys = {
        key for table in Entity for index in INDEXES[table].values() for key in (index.partition_key, index.sort_key)
    }
    assert not any(key.startswith(RESERVED) for key in keys)
