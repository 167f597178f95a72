"""Any item that DynamoDB could hold, for properties: all types, nested, empty, at the limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from domain.indexes import INDEXES, MERGED, RESERVED, WATERMARK
from optimizer.consolidate.mapping import OWN, Entity

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)  # UTF-8 has no lone surrogates
BYTES = st.binary(max_size=12)
# 38 significant digits, magnitudes from 1E-130 to 9.99...E+125 (Developer Guide, "Naming rules and data types").
NUMBER = st.one_of(
    st.sampled_from(
        ["0", "-0", "9" * 38 + "E+88", "-" + "9" * 38 + "E+88", "1E-130", "-1E-130", "0." + "0" * 37 + "1"]
    ),
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20).map(str),
)
SCALAR = st.one_of(
    TEXT.map(lambda text: {"S": text}),
    NUMBER.map(lambda number: {"N": number}),
    BYTES.map(lambda held: {"B": held}),
    st.booleans().map(lambda held: {"BOOL": held}),
    st.just({"NULL": True}),
)
SETS = st.one_of(
    st.sets(TEXT, min_size=1, max_size=4).map(lambda held: {"SS": sorted(held)}),
    st.lists(NUMBER, min_size=1, max_size=4, unique_by=Decimal).map(lambda held: {"NS": held}),
    st.sets(BYTES, min_size=1, max_size=4).map(lambda held: {"BS": sorted(held)}),
)
VALUE = st.recursive(
    SCALAR | SETS,
    lambda nested: st.one_of(
        st.lists(nested, max_size=4).map(lambda held: {"L": held}),
        st.dictionaries(TEXT, nested, max_size=4).map(lambda held: {"M": held}),
    ),
    max_leaves=12,
)
# Names that an application might use, that the layout uses itself, and that look like what it uses.
KNOWN = sorted(
    {key for indexes in INDEXES.values() for index in indexes.values() for key in (index.partition_key, index.sort_key)}
    - {"pk"}
)
OF_INDEXES = {
    key for entity in Entity for index in INDEXES[entity].values() for key in (index.partition_key, index.sort_key)
}
NAME = st.one_of(
    st.sampled_from(KNOWN),
    st.sampled_from([RESERVED, OWN, OWN + OWN, WATERMARK, f"{OWN}pk", "tap", "entity"]),
    TEXT.map(lambda text: RESERVED + text),
    TEXT.filter(bool),
).filter(lambda name: name not in ("pk", "sk"))
KEY_TEXT = TEXT.filter(bool)
PARTITION = st.one_of(KEY_TEXT, KEY_TEXT.map(lambda text: f"TENANT#{text}"))
SORT = st.one_of(
    st.sampled_from(["PROFILE", "SETTINGS", "USER#u", "users#USER#u", "tenants#PROFILE", "#"]),
    KEY_TEXT,
)
ENTITY = st.sampled_from(list(Entity))
SERVED = [index for table in Entity for index in INDEXES[table]]
KEPT = st.sets(st.sampled_from(SERVED)).map(frozenset)


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    """An item of a source table; the keys of its indexes are strings where they are there."""
    item = {
        name: value for name, value in draw(st.dictionaries(NAME, VALUE, max_size=6)).items() if name not in OF_INDEXES
    }
    for name in draw(st.sets(st.sampled_from([name for name in KNOWN if not name.startswith(RESERVED)]))):
        item[name] = {"S": draw(KEY_TEXT)}
    return item | {"pk": {"S": draw(PARTITION)}, "sk": {"S": draw(SORT)}}


MERGED_KEYS = {
    key for index in INDEXES[MERGED].values() for key in (index.partition_key, index.sort_key)
}  # the attributes that the layout adds
