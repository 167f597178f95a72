"""Tables that lose a tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.core.registry import emulates
from emulator.services.tagging.api import _API, _ONCE_TAGGED, OnceTagged

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@emulates("dynamodb", "UntagResource", rule=_ONCE_TAGGED, source=f"{_API}/API_GetResources.html")
def untag_table(account: Account, call: Call) -> None:
    account.part(OnceTagged).arns.add(call.parameters["ResourceArn"])
